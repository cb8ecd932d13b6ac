"""The runner of a statement over the catalogs: parsed, said in DuckDB's words, run in the store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from sqlagent.engines.duck_errors import translate
from sqlagent.errors import InterfaceError, NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import quote_name
from sqlagent.serve.pg.catalog import kinds, shells, sizes, types
from sqlagent.serve.pg.catalog.names import named
from sqlagent.serve.pg.catalog.rewrite import rewritten
from sqlagent.serve.pg.catalog.session_values import filled, set_later
from sqlagent.serve.pg.catalog.spell import read
from sqlagent.serve.pg.catalog.store import LIVE, database_name, store

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

MIXED_ROWS_MAX = 1_000_000  # of a user's table that is read together with the catalogs


class Answer:
    """What runs one statement; `describe` says what it gives and takes without running it."""

    catalog = True

    def __init__(self, connection: Connection, sql: str) -> None:
        self.sql = sql
        try:
            tree = parse_one(read(sql, database_name(connection)), dialect="postgres")
        except SqlglotError as error:
            raise ProgrammingError(
                "syntax error in a question about the catalogs", sqlstate="42601",
                detail=str(error).partition("\n")[0], sql=sql, position=0,
            ) from None  # fmt: skip
        if not isinstance(tree, exp.Query):
            raise NotSupportedError("the catalogs are only read", sql=sql, position=0)
        if isinstance(tree, exp.Table):
            tree = exp.select("*").from_(tree)
        named(tree)
        self.kinds = kinds.Kinds(tree)
        self.wanted = self._parameters(tree)
        self.tree = tree
        self.outer = _outer_regs(tree, self.kinds)
        self.theirs = _foreign(tree)
        self.live = {t.name.lower() for t in tree.find_all(exp.Table)} & set(LIVE)
        self.counted = sizes.asked(sql)
        self._described: list[tuple[str, str]] | None = None

    def _parameters(self, tree: exp.Expr) -> list[str]:
        found: dict[int, str] = {}
        for node in tree.find_all(exp.Parameter):
            if node.name.isdigit():
                known = kinds.wanted(node, self.kinds)
                if found.get(int(node.name), "text") == "text":
                    found[int(node.name)] = known
        return [found.get(n, "text") for n in range(1, max(found, default=0) + 1)]

    # What it gives ------------------------------------------------------------------------------

    def parameters(self) -> list[str]:
        """The type of each parameter, by pg_type's names."""
        return self.wanted

    def describe(self, connection: Connection) -> list[tuple[str, str]]:
        """The name and label of each output column; nothing is run."""
        if self._described is None:
            tree = filled(self.tree.copy(), connection, [], dry=True)
            for node in list(tree.find_all(exp.Parameter)):
                kind = self.wanted[int(node.name) - 1] if node.name.isdigit() else "text"
                node.replace(exp.cast(exp.null(), _carrier(kind), dialect="duckdb"))
            with store(connection).cursor(connection, self.live) as cursor:
                made = self._give(connection, cursor, limit=0)
                try:
                    rows = cursor.execute(f"DESCRIBE {self._said(tree)}").fetchall()
                except duckdb.Error as error:
                    raise translate(error, self.sql) from None
                finally:
                    _drop(cursor, made)
            described = [(str(r[0]), str(r[1])) for r in rows]
            labels = self.kinds.labels(described)
            self._described = [(n, k) for (n, _), k in zip(described, labels, strict=True)]
        return self._described

    # Running ------------------------------------------------------------------------------------

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        """Fill the cursor with the rows."""
        if isinstance(parameters, dict):
            raise InterfaceError("the parameters of a question about the catalogs are numbered")
        values = list(parameters)
        if len(values) != len(self.wanted):
            raise InterfaceError(
                f"the statement has {len(self.wanted)} parameters, {len(values)} values were given",
                sqlstate="07001",
            )
        columns = self.describe(connection)
        tree = filled(self.tree.copy(), connection, values, dry=False)
        for node in list(tree.find_all(exp.Parameter)):
            node.replace(_value(values[int(node.name) - 1]))
        text = _zoneless(self._said(tree), [kind for _, kind in columns])
        with store(connection).cursor(connection, self.live, self.counted) as duck:
            made = self._give(connection, duck)
            connection.running[id(duck)] = duck
            try:
                rows = duck.execute(text).fetchall()
                for place in _places(tree, "pg_set_config"):
                    rows = set_later(connection, rows, place)
            except duckdb.Error as error:
                raise self._error(error) from None
            finally:
                connection.running.pop(id(duck), None)
                _drop(duck, made)
        cursor._columns = [(name, kind) for name, kind in columns]
        cursor._iter = iter(rows)
        cursor._table = None

    def _error(self, error: duckdb.Error) -> BaseException:
        """An error of DuckDB's as ours."""
        found = re.search(r'(relation|type) ".*" does not exist', str(error))
        if found is not None:  # a macro raised it
            state = "42P01" if found[1] == "relation" else "42704"
            return ProgrammingError(found[0], sql=self.sql, position=0, sqlstate=state)
        return translate(error, self.sql)

    def _said(self, tree: exp.Expr) -> str:
        """DuckDB's text."""
        for place, name in self.outer:
            query = tree
            while isinstance(query, exp.SetOperation | exp.Subquery):
                query = query.this
            node = query.expressions[place]
            inner = node.this if isinstance(node, exp.Alias) else node
            if not isinstance(inner, exp.Cast):
                new: exp.Expr = exp.Anonymous(this=f"pg_{name}_out", expressions=[inner.copy()])
                if not isinstance(node, exp.Alias):
                    new = exp.alias_(new, inner.alias_or_name or name, quoted=True)
                inner.replace(new)
            else:
                inner.replace(exp.cast(inner.copy(), "TEXT"))
        return rewritten(tree).sql(dialect="duckdb")

    def _give(self, connection: Connection, duck: Any, limit: int | None = None) -> list[str]:
        """Make the user's tables that the statement reads known to the cursor, for its length."""
        made = []
        for name in self.theirs:
            sql = f"SELECT * FROM {quote_name(name)}"
            sql += f" LIMIT {MIXED_ROWS_MAX + 1 if limit is None else limit}"
            table = connection.execute(sql).arrow()
            if table.num_rows > MIXED_ROWS_MAX:
                raise NotSupportedError(
                    f'table "{name}" has more than {MIXED_ROWS_MAX:,} rows: it cannot be read '
                    "together with the catalogs"
                )
            duck.register(name, table)
            made.append(name)
        return made


def _places(tree: exp.Expr, name: str) -> list[int]:
    """The outputs that are a call of a function."""
    found = []
    for place, output in enumerate(tree.expressions if isinstance(tree, exp.Select) else ()):
        inner = output.this if isinstance(output, exp.Alias) else output
        if isinstance(inner, exp.Anonymous) and inner.name.lower() == name:
            found.append(place)
    return found


def _zoneless(text: str, kinds: list[str]) -> str:
    """The text with its times in UTC: DuckDB's Python imports pytz for one that has a zone."""
    zoned = "TIMESTAMP WITH TIME ZONE"
    if not any(kind.startswith(zoned) for kind in kinds):
        return text
    names = [f"c{n}" for n in range(len(kinds))]
    said = (
        f"{name}::{kind.replace(zoned, 'TIMESTAMP')}" if kind.startswith(zoned) else name
        for name, kind in zip(names, kinds, strict=True)
    )
    return f"SELECT {', '.join(said)} FROM (\n{text}\n) AS q({', '.join(names)})"


def _value(value: Any) -> exp.Expr:
    """A parameter's value in the text: given as a parameter DuckDB would import pandas for it."""
    if isinstance(value, list | tuple):
        return exp.Array(expressions=[_value(v) for v in value])
    if value is None or isinstance(value, bool | int | float | str):
        return exp.convert(value)
    if isinstance(value, bytes | bytearray | memoryview):
        hexed = exp.Literal.string(bytes(value).hex())
        return exp.Anonymous(this="unhex", expressions=[hexed])
    return exp.Literal.string(str(value))


def _drop(duck: Any, names: Sequence[str]) -> None:
    for name in names:
        duck.unregister(name)


def _outer_regs(tree: exp.Expr, known: kinds.Kinds) -> list[tuple[int, str]]:
    """The projections that are regclass and the like: clients get names."""
    if isinstance(tree, exp.SetOperation):
        return []
    names = {"regprocedure": "regproc"}
    return [
        (place, names.get(kind, kind))
        for place, (_, kind) in enumerate(known.outputs)
        if kind in kinds._REG
    ]


def _foreign(tree: exp.Expr) -> list[str]:
    """The tables of the statement that are none of the catalogs'."""
    ctes = {c.alias.lower() for c in tree.find_all(exp.CTE)}
    found = {}
    for node in tree.find_all(exp.Table):
        if not isinstance(node.this, exp.Identifier):
            continue  # a function's rows
        name = node.name
        if name.lower() in ctes or name.lower() in shells.relations():
            continue
        if not node.db or node.db.lower() == "public":
            found[name.lower()] = name
        elif node.db.lower() not in ("pg_catalog",):
            raise ProgrammingError(f'relation "{node.db}.{name}" does not exist', sqlstate="42P01")
    return list(found.values())


def _carrier(kind: str) -> str:
    inner, array = (kind[:-2], "[]") if kind.endswith("[]") else (kind, "")
    return _CARRIERS.get(inner, "TEXT") + array


_CARRIERS = {
    "oid": "UINTEGER", "regproc": "UINTEGER", "int4": "INTEGER", "int8": "BIGINT",
    "int2": "SMALLINT", "bool": "BOOLEAN", "float8": "DOUBLE", "float4": "FLOAT",
    "numeric": "DOUBLE", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ", "date": "DATE",
}  # fmt: skip
__all__ = ["Answer", "types"]
