"""What the file holds, as rows of pg_catalog: tables, columns, keys, indexes, views, functions.

Read from SQLite's own pragmas by the connection that asks: what it may not see is not there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from sqlagent.catalog import Catalog, Column, Table
from sqlagent.engines import schema, sequences
from sqlagent.engines.sequences import Sequence
from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import Token, lex, quote, quote_name
from sqlagent.parse.table_text import TableText
from sqlagent.plan.postgres.tables import TEMPORARY
from sqlagent.plan.view_types import typed
from sqlagent.serve.pg.catalog import said, types
from sqlagent.serve.pg.catalog.oids import OWNER, PUBLIC, oid, table_oid

if TYPE_CHECKING:
    from sqlagent.connection import Connection

_COLUMNS = """SELECT t.name, c.name, c.dflt_value, c."notnull", c.pk
FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS c
WHERE t.schema = 'main' AND t.type <> 'view' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
ORDER BY t.name, c.cid"""
_INDEXES = """SELECT t.name, l.name, l."unique", l.origin, x.cid, x.name, x."desc", m.sql
FROM pragma_table_list AS t, pragma_index_list(t.name) AS l, pragma_index_xinfo(l.name) AS x
LEFT JOIN sqlite_master AS m ON m.type = 'index' AND m.name = l.name
WHERE t.schema = 'main' AND t.type = 'table' AND x.key ORDER BY t.name, l.seq, x.seqno"""
_KEYS = """SELECT t.name, f.id, f."table", f."from", f."to", f.on_update, f.on_delete
FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS f
WHERE t.schema = 'main' ORDER BY t.name, f.id DESC, f.seq"""
_TRIGGERS = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
_SOURCES = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL"
_SHADOWS = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'"


class Index(NamedTuple):
    """An index: `columns` are (attribute number or 0, text, descending); `origin` is SQLite's:
    'c' by CREATE INDEX, 'u' a UNIQUE constraint, 'pk' the primary key."""

    name: str
    table: str
    unique: bool
    origin: str
    columns: tuple[tuple[int, str, bool], ...]
    where: str | None


class Key(NamedTuple):
    """A foreign key; `columns` are of the table, `others` of the table that it is to."""

    name: str
    table: str
    columns: tuple[str, ...]
    target: str
    others: tuple[str, ...]
    on_update: str
    on_delete: str


class Objects(NamedTuple):
    """All that is there, in an order of its own; tables by their names as they are written."""

    tables: tuple[Table, ...]
    defaults: dict[tuple[str, str], str]
    primary: dict[str, tuple[str, ...]]
    indexes: tuple[Index, ...]
    keys: tuple[Key, ...]
    checks: tuple[tuple[str, str, str], ...]  # (table, name, text), of those PostgreSQL can say
    triggers: tuple[tuple[str, str, str], ...]
    comments: dict[tuple[str, str], str]  # (table, column or '') → text
    sequences: tuple[Sequence, ...] = ()
    primary_names: Mapping[str, str] = {}  # of the primary keys that were given one


def gather(connection: Connection) -> Objects:
    """The objects that the connection sees now, with what its transaction has made."""
    if connection.txn is not None:
        return _gather(connection.txn, schema.read_catalog(connection.txn), connection)
    with connection.database.read() as handle:
        return _gather(handle, schema.read_catalog(handle), connection)


def _gather(handle: Any, catalog: Catalog, connection: Connection) -> Objects:
    if connection.temporary:
        from sqlagent.run.define import overlaid

        catalog = overlaid(catalog, connection)
    catalog = _own_temporary(catalog, connection)
    if connection.gate is not None:  # what the user may not see is not there
        catalog = connection.gate.rights.catalog(catalog)
    shadows = {str(name) for (name,) in handle.execute(_SHADOWS).fetchall()}
    tables = {
        t.name: typed(t, catalog)
        for t in sorted(catalog.tables.values(), key=lambda t: t.name)
        if t.name not in shadows
    }
    defaults, primary = {}, defaultdict(list)
    filled = sequences.columns(handle)
    for table, column, default, _, pk in _rows(handle, _COLUMNS):
        sequence = filled.get((str(table).lower(), str(column).lower()))
        if sequence is not None:
            default = f"nextval({quote(quoted(sequence))}::regclass)"
        if default is not None and str(default).upper() != "NULL":
            defaults[(table, column)] = str(default)
        if pk:
            primary[table].append((int(pk), str(column)))
    sources = [(str(name), str(sql)) for name, sql in _rows(handle, _SOURCES)]
    given = _given_names(sources, tables)
    indexes = [i for i in _indexes(handle, tables, given) if i.table in tables]
    keys = [k for k in _keys(handle, primary, given) if _whole(k, tables)]
    checks = []
    for name, sql in sources:
        if name in tables:
            columns = tables[name].columns
            found = _checks(name, sql, [c.name for c in columns])
            said_ = ((n, said.condition(text, columns)) for n, text in found)
            checks += [(name, n, text) for n, text in said_ if text is not None]
    triggers = [t for t in _rows(handle, _TRIGGERS) if t[1] in tables]
    return Objects(
        tuple(tables.values()), defaults,
        {t: tuple(c for _, c in sorted(cs)) for t, cs in primary.items() if t in tables},
        tuple(indexes), tuple(keys), tuple(checks), tuple(triggers), _comments(handle, tables),
        _sequences(handle, tables),
        {table: name for (table, kind, _), name in given.items() if kind == "pk"},
    )  # fmt: skip


def _sequences(handle: Any, tables: dict[str, Table]) -> tuple[Sequence, ...]:
    """The sequences, but for those that go with a table which is not there for the user."""
    seen = {name.lower() for name in tables}
    return tuple(
        s for s in sequences.kept(handle) if s.owner_table is None or s.owner_table.lower() in seen
    )


def _whole(key: Key, tables: dict[str, Table]) -> bool:
    """Whether what a foreign key names is there: SQLite looks at that only when a row comes."""
    ends = ((key.table, key.columns), (key.target, key.others))
    return len(key.columns) == len(key.others) and all(
        table in tables and all(tables[table].column(c) is not None for c in columns)
        for table, columns in ends
    )


def _own_temporary(catalog: Catalog, connection: Connection) -> Catalog:
    """The connection's temporary tables under the names that it gave them, no one else's."""
    tables = {n: t for n, t in catalog.tables.items() if not n.startswith(TEMPORARY)}
    for name, real in connection.temporary_tables.items():
        if real.lower() in catalog.tables:
            tables[name] = catalog.tables[real.lower()]._replace(name=name)
    return catalog._replace(tables=tables)


def _rows(handle: Any, sql: str) -> list[tuple[Any, ...]]:
    try:
        return list(handle.execute(sql).fetchall())
    except apsw.SQLError:
        return []  # a table whose module is not here, say: nothing is known of any of this kind


def _given_names(
    sources: list[tuple[str, str]], tables: dict[str, Table]
) -> dict[tuple[str, str, tuple[str, ...]], str]:
    """The names that definitions give to keys: by table, kind and lower-case columns."""
    found = {}
    for table, sql in sources:
        if table not in tables or "CONSTRAINT" not in sql.upper():
            continue
        try:
            clauses = [c for _, c in TableText(sql).constraints() if c.name]
        except ProgrammingError:
            continue
        for clause in clauses:
            kind = {"REFERENCES": "f", "FOREIGN": "f", "UNIQUE": "u", "PRIMARY": "pk"}
            columns = tuple(c.lower() for c in clause.columns)
            found[(table, kind.get(clause.kind, ""), columns)] = clause.name
    return found


def _indexes(
    handle: Any, tables: dict[str, Table], given: dict[tuple[str, str, tuple[str, ...]], str]
) -> list[Index]:
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in _rows(handle, _INDEXES):
        found.setdefault((row[0], row[1]), []).append(row)
    made = []
    for (table, name), rows in found.items():
        texts = _indexed(str(rows[0][7])) if rows[0][7] else ([], None)
        known = tables.get(table)
        names = [c.name for c in known.columns] if known is not None else []
        columns = []
        for place, row in enumerate(rows):
            number = names.index(row[5]) + 1 if row[5] in names else 0
            text = quoted(row[5]) if row[5] else (texts[0] + [""] * len(rows))[place]
            if not row[5] and known is not None:
                text = said.indexed(text, known.columns)
            columns.append((number, text, bool(row[6])))
        if rows[0][3] == "pk":
            name = f"{table}_pkey"
        elif rows[0][3] == "u":
            name = "_".join([table, *(str(r[5]) for r in rows), "key"])
        own = tuple(str(r[5]).lower() for r in rows)
        name = given.get((table, str(rows[0][3]), own), name)
        where = texts[1]
        if where is not None and known is not None:
            where = said.condition(where, known.columns) or where
        made.append(Index(name, table, bool(rows[0][2]), str(rows[0][3]), tuple(columns), where))
    return made


def _indexed(sql: str) -> tuple[list[str], str | None]:
    """The texts of an index's columns, and its WHERE."""
    tokens = lex(sql)
    depth, start, where = 0, 0, None
    parts: list[str] = []
    for token in tokens:
        if token.text == "(":
            depth += 1
            start = token.start + 1 if depth == 1 and not parts else start
        elif token.text in (")", ",") and depth == 1:
            if where is None:
                parts.append(sql[start : token.start].strip())
            start = token.start + 1
        if token.text == ")":
            depth -= 1
        if not depth and token.upper == "WHERE" and where is None:
            where = sql[token.start + 5 :].strip()
    return [re.sub(r"(?i)\s+(asc|desc)$", "", p) for p in parts], where


def _keys(
    handle: Any,
    primary: dict[str, list[tuple[int, str]]],
    given: dict[tuple[str, str, tuple[str, ...]], str],
) -> list[Key]:
    found: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    for row in _rows(handle, _KEYS):
        found.setdefault((row[0], row[1]), []).append(row)
    by_lower = {t.lower(): t for t in primary}
    keys = []
    for (table, _), rows in found.items():
        target = by_lower.get(str(rows[0][2]).lower(), str(rows[0][2]))
        columns = tuple(str(r[3]) for r in rows)
        others = tuple(str(r[4]) for r in rows if r[4] is not None)
        others = others or tuple(c for _, c in sorted(primary.get(target, [])))
        name = "_".join([table, *columns, "fkey"])
        name = given.get((table, "f", tuple(c.lower() for c in columns)), name)
        keys.append(Key(name, table, columns, target, others, str(rows[0][5]), str(rows[0][6])))
    return keys


def _checks(table: str, sql: str, columns: list[str]) -> list[tuple[str, str]]:
    """The CHECKs of a CREATE TABLE: (name, condition). One without a name has the table's in it,
    and that of the column where it is about one alone."""
    tokens, found, used = lex(sql), [], set[str]()
    for place, token in enumerate(tokens[:-1]):
        if token.upper != "CHECK" or tokens[place + 1].text != "(":
            continue
        end = _closing(tokens, place + 1)
        if end is None:
            continue
        named = place >= 2 and tokens[place - 2].upper == "CONSTRAINT"
        about = {t.name.lower() for t in tokens[place + 2 : end] if t.kind in ("word", "quoted")}
        about &= {c.lower() for c in columns}
        parts = [table, *about, "check"] if len(about) == 1 else [table, "check"]
        name = tokens[place - 1].name if named else "_".join(parts)
        base, number = name, 0
        while name in used:
            number += 1
            name = f"{base}{number}"
        used.add(name)
        found.append((name, sql[tokens[place + 1].start + 1 : tokens[end].start].strip()))
    return found


def _closing(tokens: list[Token], place: int) -> int | None:
    depth = 0
    for at in range(place, len(tokens)):
        depth += (tokens[at].text == "(") - (tokens[at].text == ")")
        if not depth:
            return at
    return None


def _comments(handle: Any, tables: dict[str, Table]) -> dict[tuple[str, str], str]:
    if "sqlagent_comments" not in tables:
        return {}
    rows = _rows(handle, "SELECT table_name, column_name, comment FROM sqlagent_comments")
    return {(str(t).lower(), str(c or "").lower()): str(text) for t, c, text in rows}


def quoted(name: str) -> str:
    """A name as PostgreSQL's quote_ident() writes it: in quotes only where they are needed."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else quote_name(name)


def relkind(table: Table) -> str:
    """pg_class.relkind of a table or view of the file."""
    if table.kind == "materialized":
        return "m"
    return "v" if table.kind in ("view", "query") else "r"


def kind_of(column: Column) -> tuple[str, int, int]:
    """The type of a column: its name, oid and modifier."""
    name, modifier = types.of_column(column)
    return name, types.oid_of('"char"' if name == "char" else name), modifier


__all__ = [
    "OWNER", "PUBLIC", "Index", "Key", "Objects", "gather", "kind_of", "oid", "quoted", "relkind",
    "table_oid",
]  # fmt: skip
