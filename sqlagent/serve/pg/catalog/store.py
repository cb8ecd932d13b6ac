"""Where the catalogs are kept: a DuckDB in memory, private to them, made at the first question.

One for each file and each set of tables that its user may see. It never sees the file: the rows of
`objects` are put into it, anew whenever the schema has changed.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import duckdb

from sqlagent.parse.lexer import quote, quote_name
from sqlagent.serve.pg.catalog import extension, functions, rows, shells, sizes, types
from sqlagent.serve.pg.catalog.objects import Objects, gather, quoted
from sqlagent.serve.pg.catalog.oids import FIRST, OWNER, PG_CATALOG, PUBLIC, oid
from sqlagent.serve.pg.catalog.session import session, shown

if TYPE_CHECKING:
    from sqlagent.connection import Connection

STORES_MAX = 16  # of a process, the least recently used goes
IDLE_MAX = 8  # cursors that wait for the next question
_stores: OrderedDict[Any, Store] = OrderedDict()
_lock = threading.Lock()


class Store:
    """The catalogs of one file, as one set of its users sees it. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: object = None
        self._number = 0
        self._idle: list[tuple[int, duckdb.DuckDBPyConnection]] = []
        self._variables: dict[str, Any] = {}
        self._root = duckdb.connect(":memory:", config={
            "threads": 1, "memory_limit": "256MB", "default_block_size": 16384,
            "autoinstall_known_extensions": False, "autoload_known_extensions": False,
        })  # fmt: skip
        self._root.execute("SET GLOBAL TimeZone = 'UTC'; SET GLOBAL enable_external_access = false")
        self._views = dict(_views())
        for relation in shells.relations().values():
            if relation.stored in _STORED:
                self._root.execute(shells.create(relation))
            elif relation.stored not in self._views:
                self._root.execute(shells.empty(relation))
        for name in shells.STATIC:
            relation = shells.relations()[name]
            self._root.execute(shells.insert(relation, shells.rows(name), texts=True))
        for name, found in rows.system().items():
            self._insert(self._root, name, found)
        for name, found in {**functions.rows(), **extension.rows()}.items():
            self._insert(self._root, name, found)
        for text in _statements("macros.sql"):
            self._root.execute(text)

    def _insert(self, cursor: Any, name: str, found: list[dict[str, Any]]) -> None:
        relation = shells.relations()[name]
        if found:
            names = {c.name for c in relation.columns}
            kept = [{k: v for k, v in row.items() if k in names} for row in found]
            cursor.execute(shells.insert(relation, kept))

    def _refresh(self, connection: Connection) -> None:
        """Bring the rows up to date with the schema that the connection sees."""
        key = _state(connection)
        if key == self._key:
            return
        self._load(gather(connection), connection)
        self._key = key
        self._number += 1

    def _load(self, found: Objects, connection: Connection) -> None:
        made = rows.of_objects(found)
        cursor = self._root
        cursor.execute("BEGIN")
        try:
            for name, key in rows.REFRESHED.items():
                cursor.execute(f"DELETE FROM {quote_name(name)} WHERE {quote_name(key)} >= {FIRST}")
                self._insert(cursor, name, made[name])
            for name, found_rows in _server(connection).items():
                cursor.execute(f"DELETE FROM {quote_name(name)}")
                self._insert(cursor, name, found_rows)
            cursor.execute("COMMIT")
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        self._variables = _variables(found, made, connection)
        if self._number == 0:  # a view is bound when it is made: its variables must be there
            self._set(self._root)
            for name, sql in self._views.items():
                self._view(name, sql)

    def _view(self, name: str, sql: str) -> None:
        relation = shells.relations()[name]
        known = {d[0] for d in self._root.execute(f"SELECT * FROM ({sql}) LIMIT 0").description}
        columns = ", ".join(
            f"CAST({'v.' + quote_name(c.name) if c.name in known else 'NULL'} AS {c.carrier}) "
            f"AS {quote_name(c.name)}"
            for c in relation.columns
        )
        self._root.execute(
            f"CREATE VIEW {quote_name(relation.stored)} AS SELECT {columns} FROM ({sql}) AS v"
        )

    def _set(
        self, cursor: duckdb.DuckDBPyConnection, values: Mapping[str, Any] | None = None
    ) -> None:
        for name, value in (self._variables if values is None else values).items():
            if isinstance(value, dict):
                kind = "VARCHAR" if name in _BY_TEXT else "UINTEGER"
                shape = f'[{{"k":"{kind}","v":{_VALUES.get(name, _TEXT)}}}]'
                pairs = [{"k": k, "v": v} for k, v in value.items()] or [_NOTHING[kind]]
                said = (
                    "(SELECT map(list(r.k), list(r.v)) FROM (SELECT unnest(from_json("
                    f"{quote(dumps(pairs))}, {quote(shape)})) AS r))"
                )
            else:
                said = quote(value) if isinstance(value, str) else str(value).lower()
            cursor.execute(f"SET VARIABLE {name} = {said}")

    @contextmanager
    def cursor(
        self,
        connection: Connection,
        live: Iterable[str] = (),
        counted: frozenset[str] = frozenset(),
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor that sees what the connection sees now, whatever others make of it meanwhile.

        `live` are the relations of LIVE that the statement reads, `counted` what it wants to know
        of `sizes`.
        """
        with self._lock:
            self._refresh(connection)
            number = self._number
            while self._idle and self._idle[-1][0] != number:
                self._idle.pop()[1].close()
            found = self._idle.pop()[1] if self._idle else None
            if found is None:
                found = self._root.cursor()
                self._set(found)
            found.execute("BEGIN")
        try:
            for name in live:
                relation = shells.relations()[name]
                found.execute(shells.create(relation, temporary=True))
                self._insert(found, name, LIVE[name](connection))
            if counted:
                oids = self._variables["class_oids"]
                self._set(found, sizes.now(connection, counted, oids))
                if "sizes" in counted:
                    found.execute(_CLASSES)
            yield found
        finally:
            with self._lock:
                try:
                    found.execute("ROLLBACK")
                    kept = len(self._idle) < IDLE_MAX and number == self._number
                except duckdb.Error:
                    kept = False
                if kept:
                    self._idle.append((number, found))
                else:
                    found.close()

    def close(self) -> None:
        """Free the instance."""
        self._root.close()


_CLASSES = """CREATE TEMP TABLE pg_class AS SELECT * REPLACE (
  coalesce(CAST(getvariable('tuples')[oid] AS FLOAT), reltuples) AS reltuples,
  coalesce(CAST(getvariable('pages')[oid] AS INTEGER), relpages) AS relpages) FROM main.pg_class"""
# The relations that have rows; the others are views.
_STORED = frozenset((
    *shells.STATIC, *rows.REFRESHED, "pg_proc", "pg_namespace", "pg_database", "pg_authid",
    "pg_tablespace", "pg_extension",
))  # fmt: skip


def _activity(connection: Connection) -> list[dict[str, Any]]:
    name, database = database_name(connection), oid("pg_database", database_name(connection))
    return [{"datid": database, "datname": name, **row} for row in session(connection).activity()]


_NOTHING: dict[str, dict[str, Any]] = {
    "UINTEGER": {"k": 0, "v": None}, "VARCHAR": {"k": "", "v": None}
}  # fmt: skip


_TEXT = '"VARCHAR"'
# The maps whose keys are texts, and those whose values are none.
_BY_TEXT = frozenset((
    "index_parts", "comments", "settings", "privileges", "class_oids", "type_oids", "proc_oids",
    "role_oids", "space_oids", "serials",
))  # fmt: skip
_VALUES = {
    "privileges": '["VARCHAR"]', **dict.fromkeys(sizes.EMPTY, '"BIGINT"'),
    **{f"{what}_oids": '"UINTEGER"' for what in ("class", "type", "proc", "role", "space")},
}  # fmt: skip


def store(connection: Connection) -> Store:
    """The store for what the connection may see."""
    key = (connection.database.path, connection.principal, user(connection))
    with _lock:
        found = _stores.get(key)
        if found is None:
            found = _stores[key] = Store()
            if len(_stores) > STORES_MAX:
                _stores.popitem(last=False)  # freed with its last cursor
        _stores.move_to_end(key)
    return found


def _state(connection: Connection) -> object:
    """What changes whenever the catalogs do: SQLite's cookie, the comments, and what is the
    connection's own."""
    own = (tuple(connection.temporary), tuple(connection.temporary_tables.items()))
    if connection.txn is not None:  # what it has made is nobody else's
        return (*_versions(connection.txn), connection.database.generation, own, id(connection))
    with connection.database.read() as handle:
        return (*_versions(handle), connection.database.generation, own)


def _versions(handle: Any) -> tuple[Any, ...]:
    cookie = handle.execute("PRAGMA schema_version").fetchall()[0][0]
    try:
        said = handle.execute(
            "SELECT count(*), total(length(comment)), group_concat(comment) FROM sqlagent_comments"
        ).fetchall()[0]
    except apsw.SQLError:  # a file that is read only, from before there were comments
        said = ()
    return (cookie, *said)


def user(connection: Connection) -> str:
    """The name of the user."""
    if connection.principal is not None:
        return str(connection.principal.name)
    return str(getattr(connection.session, "user", None) or OWNER_NAME)


OWNER_NAME = "owner"
_DATABASE_OWNER = 6171, "pg_database_owner"  # the role that public belongs to since PostgreSQL 14


def database_name(connection: Connection) -> str:
    """How the database is called over the wire: after its file."""
    return "memory" if connection.database.memory else Path(connection.database.path).stem


def _server(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """The rows of the relations that speak of the server: schemas, databases, roles."""
    name, who = database_name(connection), user(connection)
    role = {
        "rolinherit": True, "rolcreatedb": False, "rolcanlogin": True, "rolreplication": False,
        "rolbypassrls": False, "rolconnlimit": -1,
    }  # fmt: skip
    admin = _may_create(connection)
    roles = [{**role, "oid": OWNER, "rolname": OWNER_NAME, "rolsuper": True, "rolcreaterole": True}]
    if who != OWNER_NAME:
        roles.append({
            **role, "oid": oid("pg_authid", who), "rolname": who, "rolsuper": admin,
            "rolcreaterole": admin,
        })  # fmt: skip
    # As in a fresh database of PostgreSQL's: what differs from that, pg_dump would dump.
    everybody = f"{_DATABASE_OWNER[1]}=UC/{_DATABASE_OWNER[1]}", f"=U/{_DATABASE_OWNER[1]}"
    roles.append({**role, "oid": _DATABASE_OWNER[0], "rolname": _DATABASE_OWNER[1],
                  "rolsuper": False, "rolcreaterole": False, "rolcanlogin": False})  # fmt: skip
    spaces = [
        {"oid": PG_CATALOG, "nspname": "pg_catalog", "nspowner": OWNER},
        {"oid": PUBLIC, "nspname": "public", "nspowner": _DATABASE_OWNER[0],
         "nspacl": list(everybody)},
        {"oid": rows.INFORMATION_SCHEMA, "nspname": "information_schema", "nspowner": OWNER},
    ]  # fmt: skip
    return {
        "pg_namespace": spaces,
        "pg_database": [{
            "oid": oid("pg_database", name), "datname": name, "datdba": OWNER, "encoding": 6,
            "datlocprovider": "c", "datistemplate": False, "datallowconn": True,
            "datconnlimit": -1, "datfrozenxid": 0, "datminmxid": 1, "dattablespace": 1663,
            "datcollate": "C.UTF-8", "datctype": "C.UTF-8",
        }],
        "pg_authid": roles,
        "pg_tablespace": [
            {"oid": 1663, "spcname": "pg_default", "spcowner": OWNER},
            {"oid": 1664, "spcname": "pg_global", "spcowner": OWNER},
        ],
    }  # fmt: skip


def _may_create(connection: Connection) -> bool:
    principal = connection.principal
    return principal is None or principal.role == "admin"


def _settings(connection: Connection) -> list[dict[str, Any]]:
    return [
        {
            "name": name, "setting": value, "category": "Client Connection Defaults",
            "short_desc": "", "context": "user", "vartype": kind, "source": "default",
            "boot_val": value, "reset_val": value, "pending_restart": False,
        }
        for name, (value, kind) in sorted(shown(connection).items())
    ]  # fmt: skip


# Relations that are each session's, of the moment.
LIVE = {"pg_settings": _settings, "pg_stat_activity": _activity}


def _variables(
    found: Objects, made: dict[str, list[dict[str, Any]]], connection: Connection
) -> dict[str, Any]:
    """What the macros look up."""
    maps: dict[str, Any] = dict(rows.texts(found, made))
    system = {r.oid: r.name for r in shells.relations().values()}
    oids = {name.lower(): number for number, name in system.items()}
    oids |= {name.lower(): number for number, name in maps["class_names"].items()}
    maps["class_names"] = {
        number: quoted(name) for number, name in (system | maps["class_names"]).items()
    }
    maps["class_oids"] = oids
    maps |= functions.texts()
    names = type_names()
    maps["type_names"] = names
    aliases = {alias: types.oid_of(alias) for alias in types.ALIASES}
    maps["type_oids"] = {
        **{str(r["typname"]): int(r["oid"]) for r in shells.rows("pg_type")},
        **{name: number for number, name in names.items()}, **aliases,
        **{f"{alias}[]": types.oid_of(f"{alias}[]") for alias in aliases},
    }  # fmt: skip
    server = _server(connection)
    for prefix, name, column in (
        ("role", "pg_authid", "rolname"), ("space", "pg_namespace", "nspname"),
    ):  # fmt: skip
        maps[f"{prefix}_names"] = {r["oid"]: r[column] for r in server[name]}
        maps[f"{prefix}_oids"] = {r[column]: r["oid"] for r in server[name]}
    maps["settings"] = {n.lower(): value for n, (value, _) in shown(connection).items()}
    maps["database"] = database_name(connection)
    maps["may_create"] = _may_create(connection)
    maps["privileges"] = _privileges(found, connection)
    maps |= sizes.EMPTY
    maps["file_size"] = _file_size(connection)
    keys = {f"{t.name}.{t.key}": f"{t.name}_{t.key}_seq" for t in found.tables
            if t.kind == "table" and t.key not in (None, "rowid")}  # fmt: skip
    keys |= {f"{s.owner_table}.{s.owner_column}": s.name for s in found.sequences if s.owner_table}
    maps["serials"] = {place.lower(): f"public.{quoted(name)}" for place, name in keys.items()}
    return maps


def type_names() -> dict[int, str]:
    """Of each type what format_type() says without a modifier."""
    names = {}
    for row in shells.rows("pg_type"):
        name = str(row["typname"])
        array = name.startswith("_") and row["typcategory"] == "A"
        inner = name[1:] if array else name
        names[int(row["oid"])] = types.FORMATTED.get(inner, inner) + ("[]" if array else "")
    return names


def _privileges(found: Objects, connection: Connection) -> dict[str, list[str]]:
    principal = connection.principal
    every = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
    made = {}
    for table in found.tables:
        name = table.name.lower()
        if principal is None:
            made[name] = every
        else:
            made[name] = [
                p for p in every[:4] if principal.may(p.lower(), name)
            ] + (every[4:] if principal.role == "admin" else [])  # fmt: skip
    return made


def _file_size(connection: Connection) -> int:
    """The bytes of the file."""
    with connection.database.read() as handle:
        pages, size = (
            int(handle.execute(f"PRAGMA {what}").fetchall()[0][0])
            for what in ("page_count", "page_size")
        )
    return pages * size


def _statements(name: str) -> list[str]:
    text = files(__package__).joinpath(name).read_text("utf-8")
    lines = "\n".join(x for x in text.splitlines() if not x.startswith("--"))
    return [part for part in re.split(r";\s*\n", lines) if part.strip()]


def _views() -> Iterator[tuple[str, str]]:
    text = files(__package__).joinpath("views.sql").read_text("utf-8")
    for part in text.split("-- VIEW ")[1:]:
        name, _, sql = part.partition("\n")
        yield name.strip(), sql.strip().removesuffix(";")
