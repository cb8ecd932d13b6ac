"""The last word: what the engines themselves read in the texts that they are to run.

SQLite is asked by its authorizer while it prepares a text, DuckDB by the tree that its own parser
makes. So no difference between parsers, and no fault of the rewriter, lets a statement touch what
its user may not.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import lex, unquote
from sqlagent.serve.allowed import DUCKDB, DUCKDB_TABLES, PRAGMAS, SQLITE, SQLITE_TABLES
from sqlagent.serve.rights import RETURNED, PrivilegeError, Rights

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog, Table
    from sqlagent.connection import Connection
    from sqlagent.engines.sqlite import Database, Handle

_SCHEMA = ("sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema")
_FREE = frozenset((
    apsw.SQLITE_SELECT, apsw.SQLITE_RECURSIVE, apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT,
))  # fmt: skip
_WRITES = {
    apsw.SQLITE_INSERT: "insert", apsw.SQLITE_UPDATE: "update", apsw.SQLITE_DELETE: "delete",
}  # fmt: skip
_NEVER = frozenset((apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH, apsw.SQLITE_CREATE_VTABLE))
_TEMPORARY = frozenset((
    apsw.SQLITE_CREATE_TEMP_TABLE, apsw.SQLITE_DROP_TEMP_TABLE, apsw.SQLITE_CREATE_TEMP_INDEX,
    apsw.SQLITE_DROP_TEMP_INDEX, apsw.SQLITE_CREATE_TEMP_VIEW, apsw.SQLITE_DROP_TEMP_VIEW,
    apsw.SQLITE_CREATE_TEMP_TRIGGER, apsw.SQLITE_DROP_TEMP_TRIGGER,
))  # fmt: skip
# Eponymous tables of SQLite that show pages, statements or files.
_MODULES = frozenset((
    "dbstat", "sqlite_dbpage", "sqlite_stmt", "bytecode", "tables_used", "fsdir", "zipfile", "csv",
    "completion", "fts5vocab", "fts3tokenize", "fts4aux", "carray", "sqlite_memstat",
))  # fmt: skip
# What ALTER TABLE calls within SQLite; no statement can.
_OF_ALTER = frozenset((
    "sqlite_rename_column", "sqlite_rename_table", "sqlite_rename_test", "sqlite_rename_quotefix",
    "sqlite_drop_column", "sqlite_fail", "sqlite_add_constraint", "sqlite_drop_constraint",
    "sqlite_find_constraint",
))  # fmt: skip
Action = tuple[int, str | None, str | None, str | None, str | None]


class Judge:
    """A service of the database: a connection of its own that prepares texts, and runs none."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._handle: Handle | None = None

    def actions(
        self, sql: str, native: bool, own: Handle | None = None
    ) -> tuple[list[Action], set[str]]:
        """What SQLite says that a text would do, and the lower-case names of the file's triggers.

        `own` is the handle of an open transaction, whose schema it is.
        """
        with self._lock:
            if own is None and self._handle is None:
                from sqlagent.engines.sqlite_functions import ensure

                self._handle = self._database.open()
                ensure(self._handle, self._database)
            handle = own or self._handle
            assert handle is not None
            if handle.native is not native:
                handle.speak(native)
            found: list[Action] = []

            def see(*action: Any) -> int:
                found.append(action)
                return int(apsw.SQLITE_OK)

            handle.authorizer = see
            try:
                cursor = handle.cursor()
                cursor.exec_trace = lambda *_: False  # nothing is run
                # A statement of the cache is prepared already: nobody would be asked.
                cursor.execute(sql, can_cache=False)
            except (apsw.ExecTraceAbort, apsw.BindingsError):
                pass  # prepared: that is all that was wanted
            finally:
                handle.authorizer = None
            named = handle.execute("SELECT lower(name) FROM sqlite_schema WHERE type = 'trigger'")
            return found, {str(name) for (name,) in named}

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None


def judge_of(database: Database) -> Judge:
    """The judge of a file, made on first use."""
    found = database.services.get("judge")
    if found is None:
        with database.lock:
            found = database.services.setdefault("judge", Judge(database))
    return found  # type: ignore[no-any-return]  # services are of any class


# SQLite -----------------------------------------------------------------------------------------


def check_sqlite(
    connection: Connection, rights: Rights, whole: Catalog, sql: str, native: bool, ddl: bool
) -> None:
    """Raise PrivilegeError where a text for SQLite does what its user may not.

    `whole` is the catalog with all that the user does not see; `ddl` says that the schema may
    change. A text that SQLite cannot prepare is left to fail where it runs.
    """
    try:
        actions, triggers = judge_of(connection.database).actions(sql, native, connection.txn)
    except apsw.Error:
        if connection.txn is None or not connection.redefined:
            return
        raise
    called = {str(t.name).lower() for t in lex(sql) if t.kind in ("word", "quoted")}
    _need(bool(actions) or ddl, "a statement that SQLite asks nothing about")
    for action in actions:
        through = (action[4] or "").lower()
        if through in triggers and not _is_given(through, sql):
            continue  # what a trigger of the file does is its author's, whoever fires it
        _check_action(rights, whole, action, called, sql, ddl)


_ALTERS = ("sqlite_rename_", "sqlite_drop_", "sqlite_add_", "sqlite_fail")


def _check_action(
    rights: Rights, whole: Catalog, action: Action, called: set[str], sql: str, ddl: bool
) -> None:
    code, first, second, _, through = action
    if code in _FREE:
        return
    name = (first or "").lower()
    if code == apsw.SQLITE_READ:
        if not (ddl and name not in whole.tables and name in called):  # what is made just now
            inner = "" if _is_given(through or "", sql) else (through or "").lower()
            given = bool(through) and not inner
            _check_read(rights, whole, name, second or ("*" if given else ""), inner, called, sql)
    elif code == apsw.SQLITE_FUNCTION:
        # Its own of ALTER TABLE, which no text can call.
        if not (ddl and (second or "").lower().startswith(_ALTERS)):
            _check_function(rights, (second or "").lower())
    elif code in _WRITES:
        if name in _SCHEMA or name.startswith("sqlite_"):
            _need(ddl, "the schema")
        else:
            table = whole.tables.get(name)
            seen = table is None or rights.sees(table, whole)
            _need(seen and rights.may(_WRITES[code], name), f'table "{first}"')
    elif code == apsw.SQLITE_PRAGMA:
        _need(name in PRAGMAS, f"PRAGMA {first}")
        if rights.limited:
            table = whole.tables.get((second or "").lower())
            _need(table is not None and rights.sees(table, whole), f"PRAGMA {first}")
    elif code in _NEVER:
        raise PrivilegeError("other databases are not for users of the server")
    elif code in _TEMPORARY:
        raise PrivilegeError("temporary tables are not for users of the server")
    else:  # what is left changes the schema
        _need(ddl, "the schema")


def _check_read(
    rights: Rights,
    whole: Catalog,
    name: str,
    column: str,
    through: str,
    called: set[str],
    sql: str,
) -> None:
    from sqlagent.functions import functions

    table = whole.tables.get(name)
    function = functions().get(name)
    if table is None and function is not None:
        _need(rights.calls(function), f"function {name}()")
    elif name in SQLITE_TABLES:
        return
    elif name in _SCHEMA:
        _need(not rights.limited or rights.principal.role == "admin", f'table "{name}"')
    elif name.startswith("pragma_"):
        _need(name[7:] in PRAGMAS, f"{name}()")
        _need(not rights.limited or _of_seen(rights, whole, name, sql), f"{name}()")
    elif table is None:
        if _is_given(name, sql) and name not in _MODULES:
            return  # a common table expression that reads itself
        raise PrivilegeError(f'"{name}" is not for users of the server')
    elif table.kind in RETURNED:
        return
    elif not rights.sees(table, whole) or not rights.may("select", name):
        if name not in called and _is_shadow(whole, table):
            return  # a full text index opens its own tables while a statement is prepared
        # A view that is granted shows what it shows of tables that are not: what is read there is
        # read through it. Rows that are counted without a column are said to go through nothing.
        shown = [v for v in called if _shows(rights, whole, v, name)]
        inner = {n for v in shown for n in _named_in(whole, v)}
        if shown and (through in inner if through else not column):
            return
        if not rights.sees(table, whole):
            raise ProgrammingError(f'unknown table "{name}"', sqlstate="42P01")
        _need(False, f'table "{table.name}"')


def _is_shadow(whole: Catalog, table: Table) -> bool:
    """Whether a table is of those in which a virtual table keeps its rows."""
    name = table.name.lower()
    owner = name.rpartition("_")[0]
    return table.kind == "virtual" and owner in whole.tables and (
        whole.tables[owner].kind == "virtual"
    )  # fmt: skip


def _of_seen(rights: Rights, whole: Catalog, name: str, sql: str) -> bool:
    """Whether a pragma is called as a table, each time of one table that the user sees."""
    tokens = lex(sql)
    for place, token in enumerate(tokens):
        if token.kind not in ("word", "quoted") or token.name.lower() != name:
            continue
        call = tokens[place + 1 : place + 4]
        if [t.text for t in call[::2]] != ["(", ")"] or call[1].kind != "string":
            return False
        table = whole.tables.get(unquote(call[1]).lower())
        if table is None or not rights.sees(table, whole):
            return False
    return True


def _shows(rights: Rights, whole: Catalog, view: str, table: str) -> bool:
    """Whether a view of the file that the user may read is over a table, at whatever depth."""
    found = whole.tables.get(view)
    if found is None or found.kind != "view" or not rights.may("select", view):
        return False
    return rights.sees(found, whole) and table in reads(whole, view)


def _named_in(whole: Catalog, view: str, depth: int = 0) -> set[str]:
    """The lower-case names in the text of a view, and of the views that it reads."""
    found = whole.tables.get(view)
    if found is None or found.kind != "view" or depth > 16:
        return {view}
    named = {t.name.lower() for t in lex(found.sql or "") if t.kind in ("word", "quoted")}
    views = [n for n in named - {view} if n in whole.tables and whole.tables[n].kind == "view"]
    return {view, *named, *(x for v in views for x in _named_in(whole, v, depth + 1))}


def reads(whole: Catalog, view: str, depth: int = 0) -> set[str]:
    """The lower-case names of what a view of SQLite's may read."""
    found = whole.tables.get(view)
    if found is None or found.kind != "view" or depth > 16:
        return {view}
    named = {t.name.lower() for t in lex(found.sql or "") if t.kind in ("word", "quoted")}
    return {x for n in named & set(whole.tables) - {view} for x in reads(whole, n, depth + 1)} | (
        named & set(whole.tables)
    )


def _is_given(through: str, sql: str) -> bool:
    """Whether a name is given by the statement itself, as that of a common table expression."""
    tokens = lex(sql)
    for token, following in itertools.pairwise(tokens):
        if token.kind in ("word", "quoted") and token.name.lower() == through.lower() and (
            following.text == "(" or following.upper == "AS"
        ):  # fmt: skip
            return True
    return False


def _check_function(rights: Rights, name: str) -> None:
    from sqlagent.functions import functions

    function = functions().get(name)
    if function is not None:
        _need(rights.calls(function), f"function {name}()")
    else:
        known = name in SQLITE or name in _OF_ALTER or name.startswith("sqlagent_")
        _need(known, f"function {name}()")


def _need(granted: bool, what: str) -> None:
    if not granted:
        raise PrivilegeError(f"permission denied for {what}")


# DuckDB -----------------------------------------------------------------------------------------


def check_duckdb(
    connection: Connection, rights: Rights, catalog: Catalog, sql: str, names: Iterable[str]
) -> None:
    """Raise PrivilegeError where a text for DuckDB reads what its user may not.

    `names` are what the statement may read beside the tables of the user's `catalog`: its feeds.
    """
    from sqlagent.run.duck import engine

    cursor = engine(connection.database, connection.settings["memory_limit_mb"]).cursor()
    try:
        row = cursor.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    finally:
        cursor.close()
    tree = json.loads(row[0]) if row else {"error": True}
    if tree.get("error"):
        from sqlagent.serve.judge_tree import check_tree

        check_tree(rights, catalog, sql, names)
        return
    tables = {n.lower() for n in names}
    try:
        _walk(tree["statements"], rights, catalog, tables, frozenset())
    except NotAllowed as error:
        if _exists(connection, error.function):
            raise
        raise ProgrammingError(
            f"function {error.function}() does not exist", sqlstate="42883"
        ) from None


class NotAllowed(PrivilegeError):
    """A function of DuckDB's that is not on the list, or of nobody's."""

    def __init__(self, function: str) -> None:
        super().__init__(f"permission denied for function {function}()")
        self.function = function


def _exists(connection: Connection, function: str) -> bool:
    """Whether DuckDB has a function, so that it is refused rather than unknown."""
    from sqlagent.run.duck import engine

    cursor = engine(connection.database).cursor()
    try:
        row = cursor.execute(
            "SELECT 1 FROM duckdb_functions() WHERE function_name = ? LIMIT 1", [function]
        ).fetchone()
    finally:
        cursor.close()
    return row is not None


def _walk(
    node: Any, rights: Rights, catalog: Catalog, tables: set[str], ctes: frozenset[str]
) -> None:
    """Check a node of DuckDB's tree and all below it; `ctes` are the names that hold there."""
    if isinstance(node, list):
        for item in node:
            _walk(item, rights, catalog, tables, ctes)
        return
    if not isinstance(node, dict):
        return
    given = node.get("cte_map")
    if isinstance(given, dict):
        # A name holds after its own query, not in it: there it is still a table's.
        for entry in given.get("map", ()):
            name = str(entry["key"]).lower()
            _walk(entry.get("value"), rights, catalog, tables, ctes)
            ctes |= {name}
    kind = node.get("type")
    if kind == "RECURSIVE_CTE_NODE":  # its name holds where it goes on, not where it begins
        _walk(node.get("left"), rights, catalog, tables, ctes)
        own = ctes | {str(node.get("cte_name", "")).lower()}
        _walk({**node, "type": "", "left": None}, rights, catalog, tables, own)
        return
    source = node.get("from_table")
    if isinstance(source, dict) and source.get("type") == "BASE_TABLE":
        source["cut"] = _is_cut(node.get("where_clause"), rights)
    if kind == "BASE_TABLE":
        _check_base(node, rights, catalog, tables, ctes)
    elif kind == "TABLE_FUNCTION":
        _check_table_function(node, rights)
    elif kind == "SHOW_REF":
        _need(isinstance(node.get("query"), dict), "SHOW")
    elif node.get("class") in ("FUNCTION", "WINDOW"):
        check_duck_function(rights, str(node.get("function_name", "")), node)
    for key, value in node.items():
        if key == "cte_map":
            continue
        if kind == "TABLE_FUNCTION" and key == "function":
            value = value.get("children")  # the call itself was checked as a table's
        _walk(value, rights, catalog, tables, ctes)


def _check_base(
    node: dict[str, Any], rights: Rights, catalog: Catalog, tables: set[str], ctes: frozenset[str]
) -> None:
    name = str(node.get("table_name", "")).lower()
    schema = str(node.get("schema_name", "")).lower()
    if not schema and not node.get("catalog_name") and (name in ctes or name in tables):
        return
    plain = schema in ("", "main") and not node.get("catalog_name")
    known = catalog.tables.get(name)
    _need(plain and known is not None, f'"{node.get("table_name")}"')
    _need(rights.may("select", name), f'table "{name}"')
    if known is not None and rights.condition(known) is not None:
        _need(bool(node.get("cut")), f'rows of "{name}"')


def _is_cut(where: Any, rights: Rights) -> bool:
    """Whether a WHERE is the user's own condition of `Rights.condition`, and nothing else."""
    if not isinstance(where, dict):
        return False
    if where.get("class") == "SUBQUERY":  # memory_id IN (SELECT … that is checked by itself)
        child = where.get("child") or {}
        return where.get("subquery_type") == "ANY" and _column(child) == "memory_id"
    children = where.get("children") or [where.get("left"), where.get("right")]
    if where.get("type") not in ("COMPARE_IN", "COMPARE_EQUAL") or len(children) < 2:
        return False
    values = [(c or {}).get("value") or {} for c in children[1:]]
    allowed = (*(rights.agents or ()), "")
    return _column(children[0] or {}) == "agent_id" and all(
        value.get("value") in allowed for value in values
    )


def _column(node: dict[str, Any]) -> str:
    names = node.get("column_names") or [""]
    return str(names[-1]).lower()


def _check_table_function(node: dict[str, Any], rights: Rights) -> None:
    from sqlagent.functions import functions

    call = node["function"]
    name = str(call.get("function_name", "")).lower()
    function = functions().get(name)
    if function is not None:
        _need(rights.calls(function), f"function {name}()")
    else:
        plain = call.get("schema", "") in ("", "main") and not call.get("catalog")
        if not (plain and name in DUCKDB_TABLES):
            raise NotAllowed(name)


def check_duck_function(rights: Rights, name: str, node: dict[str, Any] | None = None) -> None:
    """Raise PrivilegeError for a scalar or aggregate of DuckDB's that users may not call."""
    from sqlagent.functions import functions

    name = name.lower()
    if not name or not (name[0].isalpha() or name[0] == "_"):
        return  # an operator
    function = functions().get(name)
    if function is not None:
        _need(rights.calls(function), f"function {name}()")
        return
    if name not in DUCKDB and name not in _rewritten():
        raise NotAllowed(name)


def _rewritten() -> frozenset[str]:
    """Names that the rewriter itself puts into a text for DuckDB."""
    from sqlagent.engines.duck_asked import ASKED
    from sqlagent.engines.duck_sqlite import SCALARS

    named = {f"sqlite_{n}" for several in SCALARS.values() for n in several.split()}
    return frozenset(named | set(ASKED))
