"""Which index answers the searches of a statement: where it is, of what, and how it is weighed.

EXPLAIN builds none, so one that nobody asked yet is said to be built at the first question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.context import Context
from sqlagent.engines.sqlite import Database
from sqlagent.functions import functions
from sqlagent.parse.lexer import Token, lex, unquote

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.index import ScopeIndex

MEMORIES = ("recall", "explain_recall", "recall_parts")
VECTORS = ("knn", "within", "nearest_vectors")
UNKNOWN = object()  # the value of an argument that only running it tells
OF_VECTORS = {
    "memories": "SELECT count(*) FROM memories WHERE agent_id = ?",
    "vectors": "SELECT count(*) FROM vectors WHERE collection = ?",
    "chunks": "SELECT count(*) FROM chunks",
}


def indexes(database: Database, connection: Connection, sql: str, values: Any) -> list[str]:
    """A line for each search of a text as an engine gets it; `values` are its parameters."""
    tokens = lex(sql)
    found = []
    for place, token in enumerate(tokens[:-1]):
        name = token.name.lower()
        if tokens[place + 1].text != "(" or name not in (*MEMORIES, *VECTORS, "search"):
            continue
        given = arguments(tokens, place + 2, values)
        scope = given[functions()[name].parameters.index(scope_of(name))] if given else UNKNOWN
        found.append(f"{name}: {said(database, connection, name, scope)}")
    return list(dict.fromkeys(found))


def scope_of(name: str) -> Any:
    """The parameter of a search that says whose index it is."""
    wanted = "agent_id" if name in MEMORIES else "collection"
    return next(p for p in functions()[name].parameters if p.name == wanted)


def arguments(tokens: list[Token], place: int, values: Any) -> list[Any]:
    """The arguments of a call: constants and parameters by value, None for what is left out."""
    found: list[Any] = []
    depth, current = 0, list[Token]()
    for token in tokens[place:]:
        if depth == 0 and token.text in (",", ")"):
            found.append(_value(current, values))
            current = []
            if token.text == ")":
                break
            continue
        depth += (token.text in "([{") - (token.text in ")]}")
        current.append(token)
    return found + [None] * 20


def _value(tokens: list[Token], values: Any) -> Any:
    if len(tokens) != 1:
        return UNKNOWN
    token = tokens[0]
    if token.kind == "string":
        return unquote(token)
    if token.upper == "NULL":
        return None
    number = token.text[1:] if token.kind == "param" else ""
    if number.isdigit() and isinstance(values, list | tuple) and int(number) <= len(values):
        return values[int(number) - 1]
    return UNKNOWN


def said(database: Database, connection: Connection, name: str, scope: Any) -> str:
    """What answers a search of a scope."""
    table = "memories" if name in MEMORIES else "vectors" if name in VECTORS else "chunks"
    of = {"memories": "agent", "vectors": "collection", "chunks": "collection"}[table]
    if scope is UNKNOWN or (scope is not None and not isinstance(scope, str)):
        return f"in memory, an index for each {of} that it is asked about"
    if scope is None and table != "chunks":
        return f"nothing: the {of} is NULL"
    whose = f"{of} {scope!r}" if scope is not None else "all collections"
    if table == "vectors" and scope is not None:
        elsewhere = outside(database, connection, scope)
        if elsewhere:
            return f"{elsewhere}, of {whose}"
    line = held(database, table, scope)
    if line is None:
        with database.read() as handle:
            values = (scope,) if "?" in OF_VECTORS[table] else ()
            rows = handle.execute(OF_VECTORS[table], values).fetchone()[0]
        line = f"an index in memory, built at the first question, of {rows:,} rows"
    weights = weighed(database, connection, scope) if table == "memories" else ""
    return f"{line}, of {whose}{weights}"


def outside(database: Database, connection: Connection, collection: str) -> str | None:
    """Of a collection of vectors that no index in memory holds: codes, or a Lance dataset."""
    from sqlagent.search.indexes import defined

    with database.read() as handle:
        index = defined(handle, collection)
    if index is not None and index.kind in ("ivf_pq", "hnsw_sq"):
        return f"the index {index.name}, {index.kind} of Lance on disk, and an exact rerank"
    if index is not None and index.kind == "exact":
        return f"the index {index.name}, exact: every row is compared"
    if index is None and connection.settings.get("vector_engine") == "lance":
        return "a Lance dataset on disk"
    codes: Any = database.services.get("codes")
    for key, coded in list(codes.known.items()) if codes is not None else ():
        if key.scope == collection:
            return (
                f"one-bit codes in memory and the vectors of the nearest, {len(coded.codes):,} rows"
            )
    return None


def held(database: Database, table: str, scope: str | None) -> str | None:
    """The index of a scope that is in memory now."""
    service: Any = database.services.get("scopes")
    if service is None:
        return None
    with service.lock:
        for key in service.by_scope.get((table, scope), ()):
            if not key.kind.startswith("all "):
                return kind_of(service.entries[key].index, table != "vectors")
    return None


def kind_of(index: ScopeIndex, words: bool) -> str:
    """What an index holds: words, vectors and how they are kept, rows."""
    vectors = index.store.vectors
    what = ["words"] if words else []
    if vectors is not None:
        kept = "floats"
        if vectors.coded:
            kept = "int8 codes beside floats" if vectors.has_floats else "int8 codes"
        what.append(f"vectors of {vectors.dimensions} dimensions as {kept}")
    return f"{' and '.join(what) or 'nothing'} in memory, {len(index):,} rows"


def weighed(database: Database, connection: Connection, agent_id: str | None) -> str:
    """The weights of an agent's recall, and how many are not those of the settings."""
    from sqlagent.search.ask import memory_weights
    from sqlagent.search.learned import kept_weights
    from sqlagent.search.parts import PARTS

    context = Context(database, connection.settings, None)
    base = memory_weights(context)
    with database.read() as handle:
        weights = kept_weights(context, handle, agent_id or "")
    texts = [f"{part} {getattr(weights, part):g}" for part in PARTS]
    learnt = " (from recall_weights)" if weights != base else ""
    return f"; weights{learnt}: {', '.join(texts)}"
