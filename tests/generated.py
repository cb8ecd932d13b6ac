"""Random typed queries, nested, over tables with NULLs and boundary values; and who must agree.

`Generator(random)` takes any `random.Random`, hypothesis's too, so that failures shrink. Its text
is DuckDB's, so a DuckDB that knows nothing of this package is a judge beside our routes. Outputs
are ordered by all of their columns where a LIMIT makes the order matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import duckdb

import sqlagent

DDL = {
    "t": "id INTEGER PRIMARY KEY, n BIGINT, x DOUBLE, s VARCHAR, ts TIMESTAMP, d DATE, ok BOOLEAN, "
    "j JSON, m DECIMAL(12,2)",
    "u": "k INTEGER PRIMARY KEY, n BIGINT, label VARCHAR NOT NULL, y DOUBLE, seen TIMESTAMP",
    "e": "id INTEGER PRIMARY KEY, n BIGINT, s VARCHAR, x DOUBLE",
}
BIG = 2**63 - 1
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "t": [
        (1, 5, 2.5, "apple", "2026-01-01 00:00:00.000", "2026-01-01", True, '{"a":1,"b":"tea"}',
         "1.50"),
        (2, -7, -0.5, "Apple", "2026-01-31 12:30:00.500", "2026-01-31", False, '{"a":null,"b":""}',
         "-0.01"),
        (3, None, None, None, None, None, None, None, None),
        (4, 0, 0.0, "", "2024-02-29 23:59:59.999", "2024-02-29", True, '{"a":2.5,"b":{"z":[1,2]}}',
         "0.00"),
        (5, 2**53, 1e308, "NULL", "1999-12-31 00:00:00.001", "1999-12-31", False, "[1,2,3]",
         "9999999999.99"),
        (6, BIG, -0.0, "10", "2024-03-31 10:00:00.000", "2024-03-31", None, '"x"', "10.00"),
        (7, -(2**63), 1e-300, "数据库 é", None, "2024-12-31", True, "10", None),
        (8, 2**53 + 1, 0.1, "a%b_c", "2026-01-01 00:00:00.000", None, False, "null", "2.50"),
        (9, 5, 2.5, "apple", "2025-06-15 06:07:08.009", "2025-06-15", True, "true", "1.50"),
        (10, 1, 1e16, " x ", "2026-01-01 12:00:00.000", "2026-01-01", None, "{}", "-2.50"),
    ],
    "u": [
        (1, 5, "apple", 2.5, "2026-01-01 00:00:00.000"), (2, 0, "", None, None),
        (3, None, "none", -0.5, "2024-02-29 23:59:59.999"), (4, 99, "10", 1e308, None),
        (5, BIG, "数据库 é", 0.0, "2026-01-31 12:30:00.500"), (6, -7, "Apple", 3.0, None),
    ],
    "e": [],
}  # fmt: skip
COLUMNS = {
    "t": {"id": "int", "n": "int", "x": "real", "s": "text", "ts": "time", "d": "date",
          "ok": "bool", "m": "dec"},
    "u": {"k": "int", "n": "int", "label": "text", "y": "real", "seen": "time"},
    "e": {"id": "int", "n": "int", "s": "text", "x": "real"},
}  # fmt: skip
INTS = ["0", "1", "-1", "2", "3", "5", "7", "10", "99", "2147483647", "9007199254740993",
        "9223372036854775807"]  # fmt: skip
REALS = ["0.0::DOUBLE", "1e0", "2.5e0", "-5e-1", "1e308", "1e-300", "1e16"]
TEXTS = [
    "''",
    "'apple'",
    "'Apple'",
    "'10'",
    "'NULL'",
    "'a%'",
    "'数据库 é'",
    "'it''s'",
    "' x '",
    "'-'",
]
TIMES = ["TIMESTAMP '2026-01-01'", "TIMESTAMP '2024-02-29 23:59:59.999'",
         "TIMESTAMP '2025-12-31 00:00:00.001'"]  # fmt: skip
DATES = ["DATE '2024-02-29'", "DATE '2026-01-31'", "DATE '1999-12-31'"]
DECS = ["0.5", "1.50", "2.5", "-0.01", "10.0"]
LIKES = ["'a%'", "'%p%'", "'A_ple'", "''", "'%'", "'数%'", "'a\\%%' ESCAPE '\\'"]
TYPES = ["int", "int", "real", "text", "bool", "time", "date", "dec"]
MIXES = [("int", "real"), ("real", "int"), ("int", "dec"), ("time", "date"), ("date", "time"),
         ("real", "dec")]  # fmt: skip
COMPARE = ["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]

Scope = list[tuple[str, str]]


class Generator:
    """Statements from choices that `random` makes."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.names = 0

    def pick(self, options: list[Any]) -> Any:
        return options[self.random.randrange(len(options))]

    def chance(self, of_ten: int) -> bool:
        return self.random.randrange(10) < of_ten

    def fresh(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    # Expressions ----------------------------------------------------------------------------------

    def leaf(self, kind: str, scope: Scope) -> str:
        """A column of the type, else a constant."""
        columns = [name for name, k in scope if k == kind]
        if columns and self.chance(7):
            return str(self.pick(columns))
        if self.chance(1) and kind != "bool":
            return "NULL" if self.chance(3) else f"CAST(NULL AS {_SQL[kind]})"
        return str(self.pick(_CONSTANTS[kind]))

    def expression(self, kind: str, scope: Scope, depth: int) -> str:
        """A scalar expression of a type."""
        if depth <= 0 or self.chance(3):
            return self.leaf(kind, scope) if kind != "bool" else self.condition(scope, 0)
        inner = depth - 1
        if self.chance(2):
            return self.any_type(kind, scope, inner)
        make: Callable[[Scope, int], str] = getattr(self, kind)
        return make(scope, inner)

    def any_type(self, kind: str, scope: Scope, depth: int) -> str:
        """Forms that every type has."""
        a, b = self.expression(kind, scope, depth), self.expression(kind, scope, depth)
        form = self.random.randrange(6)
        if form == 0:
            return f"coalesce({a}, {b})"
        if form == 1:
            return f"nullif({a}, {b})"
        if form == 2:
            return f"CASE WHEN {self.condition(scope, depth)} THEN {a} ELSE {b} END"
        if form == 3:
            return f"CASE WHEN {self.condition(scope, depth)} THEN {a} END"
        if form == 4 and depth > 0:
            return self.scalar_subquery(kind, scope, depth)
        return f"({a})"

    def int(self, scope: Scope, depth: int) -> str:
        form = self.random.randrange(9)
        a = self.expression("int", scope, depth)
        if form < 3:
            return f"({a} {self.pick(['+', '-', '*'])} {self.expression('int', scope, depth)})"
        if form == 3:
            return f"({a} % {self.expression('int', scope, depth)})"
        if form == 4:
            return f"(-{a})" if self.chance(5) else f"abs({a})"
        if form == 5:
            return f"length({self.expression('text', scope, depth)})"
        if form == 6:
            return f"({a} // {self.pick(['2', '3', '-1', 'nullif(' + a + ', 0)'])})"
        if form == 7:
            return f"extract({self.pick(['year', 'month', 'day'])} FROM " + (
                f"{self.expression(self.pick(['time', 'date']), scope, depth)})"
            )
        return f"CAST({self.expression(self.pick(['bool', 'int']), scope, depth)} AS BIGINT)"

    def real(self, scope: Scope, depth: int) -> str:
        form = self.random.randrange(6)
        a = self.expression("real", scope, depth)
        if form < 2:
            return f"({a} {self.pick(['+', '-', '*'])} {self.expression('real', scope, depth)})"
        if form == 2:
            other = self.expression(self.pick(["real", "int"]), scope, depth)
            return f"({self.expression(self.pick(['int', 'real']), scope, depth)} / {other})"
        if form == 3:
            return f"{self.pick(['abs', 'floor', 'ceil', '-'])}({a})"
        if form == 4:
            return f"({a} * {self.expression('int', scope, depth)})"
        return f"CAST({self.expression(self.pick(['int', 'real']), scope, depth)} AS DOUBLE)"

    def text(self, scope: Scope, depth: int) -> str:
        form = self.random.randrange(8)
        a = self.expression("text", scope, depth)
        if form == 0:
            return f"({a} || {self.expression('text', scope, depth)})"
        if form == 1:
            return f"substr({a}, {self.pick(['1', '2', '3'])})"
        if form == 2:
            return f"substr({a}, {self.pick(['1', '2', '-2', '0'])}, {self.pick(['0', '1', '2'])})"
        if form == 3:
            return f"{self.pick(['trim', 'ltrim', 'rtrim', 'lower', 'upper'])}({a})"
        if form == 4:
            return f"replace({a}, {self.leaf('text', [])}, {self.leaf('text', [])})"
        if form == 5:
            return f"CAST({self.expression(self.pick(['int', 'text']), scope, depth)} AS VARCHAR)"
        if form == 6:
            j = [n for n, _ in scope if n.split(".")[-1] == "s"]
            return f"({a} || {self.pick(j or ['1'])})"
        return f"({a} || {self.expression('int', scope, depth)})"

    def time(self, scope: Scope, depth: int) -> str:
        a = self.expression("time", scope, depth)
        form = self.random.randrange(4)
        if form == 0:
            return f"({a} + INTERVAL {self.pick(['1 DAY', '1 MONTH', '2 HOUR', '1 YEAR'])})"
        if form == 1:
            return f"({a} - INTERVAL {self.pick(['1 DAY', '1 MONTH', '90 MINUTE'])})"
        if form == 2:
            return f"date_trunc('{self.pick(['year', 'month', 'day', 'hour'])}', {a})"
        return f"CAST({self.expression(self.pick(['date', 'time']), scope, depth)} AS TIMESTAMP)"

    def date(self, scope: Scope, depth: int) -> str:
        if self.chance(5):
            return f"CAST({self.expression('time', scope, depth)} AS DATE)"
        return f"({self.expression('date', scope, depth)} + {self.pick(['1', '30'])})"

    def dec(self, scope: Scope, depth: int) -> str:
        a = self.expression("dec", scope, depth)
        if self.chance(5):
            return f"({a} {self.pick(['+', '-', '*'])} {self.leaf('dec', scope)})"
        return f"abs({a})" if self.chance(5) else f"(-{a})"

    def bool(self, scope: Scope, depth: int) -> str:
        return self.condition(scope, depth)

    def condition(self, scope: Scope, depth: int) -> str:
        """A truth value."""
        form = self.random.randrange(14)
        if depth > 0 and form < 3:
            a, b = self.condition(scope, depth - 1), self.condition(scope, depth - 1)
            return f"({a} {self.pick(['AND', 'OR'])} {b})" if form < 2 else f"NOT ({a})"
        kind = self.pick(TYPES)
        a = self.expression(kind, scope, depth - 1)
        if form == 3:
            return f"(({a}) IS {self.pick(['', 'NOT '])}NULL)"
        if form == 4:
            values = ", ".join(self.leaf(kind, []) for _ in range(self.random.randrange(1, 4)))
            return f"({a} {self.pick(['', 'NOT '])}IN ({values}))"
        if form == 5:
            low, high = self.leaf(kind, scope), self.leaf(kind, scope)
            return f"({a} {self.pick(['', 'NOT '])}BETWEEN {low} AND {high})"
        if form == 6:
            word = self.pick(["LIKE", "NOT LIKE", "ILIKE"])
            text = self.expression("text", scope, depth - 1)
            return f"({text} {word} {self.pick(LIKES)})"
        if form == 7 and depth > 0:
            return f"{self.pick(['', 'NOT '])}EXISTS ({self.subselect(scope, None, depth - 1)})"
        if form == 8 and depth > 0:
            word = self.pick(["IN", "NOT IN"])
            return f"({a} {word} ({self.subselect(scope, kind, depth - 1)}))"
        if form == 9:
            columns = [n for n, k in scope if k == "bool"]
            return str(self.pick(columns)) if columns else "true"
        if form == 10:
            kind, other = self.pick(MIXES)
            left = self.expression(kind, scope, depth - 1)
            right = self.expression(other, scope, depth - 1)
            return f"({left} {self.pick(COMPARE)} {right})"
        return f"({a} {self.pick(COMPARE)} {self.expression(kind, scope, depth - 1)})"

    # Queries --------------------------------------------------------------------------------------

    def source(self, depth: int, ctes: list[tuple[str, Scope]]) -> tuple[str, Scope]:
        """A table, CTE or derived table with an alias, and its columns."""
        alias = self.fresh("a")
        if ctes and self.chance(3):
            name, columns = self.pick(ctes)
        elif depth > 0 and self.chance(2):
            text, columns = self.select(depth - 1, [], ctes)
            return f"({text}) AS {alias}", [(f"{alias}.{n}", k) for n, k in columns]
        else:
            name = self.pick(["t", "t", "t", "u", "u", "e"])
            columns = list(COLUMNS[name].items())
        return f"{name} AS {alias}", [(f"{alias}.{n}", k) for n, k in columns]

    def sources(self, depth: int, ctes: list[tuple[str, Scope]]) -> tuple[str, Scope]:
        """FROM with joins."""
        text, scope = self.source(depth, ctes)
        for _ in range(self.pick([0, 0, 0, 1, 1, 2])):
            other, columns = self.source(depth - 1, ctes)
            kind = self.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ","])
            if kind in ("CROSS JOIN", ","):
                text += f"{',' if kind == ',' else ' CROSS JOIN'} {other}"
                if kind == ",":
                    scope = scope + columns
                    continue
            else:
                text += f" {kind} {other} ON {self.on(scope, columns, depth)}"
            scope = scope + columns
        return text, scope

    def on(self, left: Scope, right: Scope, depth: int) -> str:
        """A join's condition: equality of columns of one type, at times with more."""
        pairs = [(a, b) for a, k in left for b, w in right if k == w and k != "bool"]
        a, b = self.pick(pairs) if pairs else ("1", "1")
        text = f"{a} = {b}"
        if self.chance(2):
            text += f" AND {self.condition(left[:3] + right[:3], 0)}"
        return text

    def scalar_subquery(self, kind: str, scope: Scope, depth: int) -> str:
        """One value: an aggregate, so that no more than one row can come."""
        text, inner = self.source(0, [])
        value = self.expression(kind, inner, 0)
        where = self.condition(inner + scope[:2], 0)
        word = self.pick(["min", "max"])
        return f"(SELECT {word}({value}) FROM {text} WHERE {where})"

    def subselect(self, scope: Scope, kind: str | None, depth: int) -> str:
        """The SELECT of EXISTS or IN."""
        text, inner = self.source(0, [])
        value = "1" if kind is None else self.expression(kind, inner, depth)
        return f"SELECT {value} FROM {text} WHERE {self.condition(inner + scope[:3], depth)}"

    def aggregate(self, scope: Scope, depth: int) -> tuple[str, str]:
        """An aggregate and its type."""
        kind = self.pick(["int", "int", "real", "text", "time", "date", "dec"])
        a = self.expression(kind, scope, depth)
        filtered = f" FILTER (WHERE {self.condition(scope, 0)})" if self.chance(2) else ""
        form = self.random.randrange(5)
        if form == 0:
            return f"count(*){filtered}", "int"
        if form == 1:
            return f"count({self.pick(['', 'DISTINCT '])}{a}){filtered}", "int"
        if form == 2 and kind in ("int", "real", "dec"):
            return f"sum({a}){filtered}", {"int": "huge"}.get(kind, kind)
        if form == 3 and kind in ("int", "real"):
            return f"avg({a}){filtered}", "real"
        return f"{self.pick(['min', 'max'])}({a}){filtered}", kind

    def window(self, scope: Scope) -> tuple[str, str]:
        """A window function over a total order of the first source's key, and its type."""
        key = ", ".join(n for n, _ in scope)
        part = f"PARTITION BY {self.leaf('int', scope)} " if self.chance(4) else ""
        over = f"OVER ({part}ORDER BY {key})"
        form = self.random.randrange(6)
        if form == 0:
            return f"row_number() {over}", "int"
        if form == 1:
            return f"{self.pick(['rank', 'dense_rank'])}() {over}", "int"
        if form == 2:
            return f"count(*) {over}", "int"
        kind = self.pick(["int", "text", "real", "date"])
        a = self.leaf(kind, scope)
        if form == 3:
            word = self.pick(["lag", "lead", "first_value", "last_value"])
            return f"{word}({a}) {over}", kind
        if form == 4:
            return f"sum({self.leaf('int', scope)}) {over}", "huge"
        return f"{self.pick(['min', 'max'])}({a}) {over}", kind

    def select(
        self, depth: int, kinds: list[str], ctes: list[tuple[str, Scope]], aliased: bool = True
    ) -> tuple[str, Scope]:
        """A SELECT whose outputs have the types `kinds` (any, where there are none)."""
        text, scope = self.sources(depth, ctes)
        where = f" WHERE {self.condition(scope, depth)}" if self.chance(6) else ""
        outputs: list[tuple[str, str]] = []
        tail = ""
        form = self.random.randrange(10) if not kinds else 9
        if form < 3:
            chosen = [self.pick(TYPES) for _ in range(self.random.randrange(3))]
            groups = [(self.expression(k, scope, self.pick([0, 0, 1])), k) for k in chosen]
            groups = [g for g in groups if any(n in g[0] for n, _ in scope)]
            outputs = groups + [
                self.aggregate(scope, depth - 1) for _ in range(self.random.randrange(1, 3))
            ]
            if groups:
                tail = " GROUP BY " + ", ".join(g for g, _ in groups)
                if self.chance(3):
                    tail += f" HAVING count(*) {self.pick(COMPARE[:6])} {self.pick(['1', '2'])}"
        elif form == 3:
            outputs = [(self.leaf("int", scope), "int"), self.window(scope)]
        else:
            chosen = kinds or [self.pick(TYPES) for _ in range(self.random.randrange(1, 4))]
            outputs = [(self.expression(k, scope, depth), k) for k in chosen]
        names = [self.fresh("c") for _ in outputs]
        distinct = "DISTINCT " if self.chance(1) and form != 3 else ""
        listed = ", ".join(
            f"{e} AS {n}" if aliased else e for (e, _), n in zip(outputs, names, strict=True)
        )
        columns = [(n, k) for n, (_, k) in zip(names, outputs, strict=True)]
        return f"SELECT {distinct}{listed} FROM {text}{where}{tail}", columns

    def query(self, depth: int = 2) -> str:
        """A whole statement."""
        ctes: list[tuple[str, Scope]] = []
        head = ""
        for _ in range(self.pick([0, 0, 0, 1, 2])):
            text, columns = self.select(depth - 1, [], ctes)
            name = self.fresh("w")
            head += f"{', ' if head else 'WITH '}{name} AS ({text})"
            ctes.append((name, columns))
        aliased = self.chance(7)
        if self.chance(2):
            kinds = [self.pick(TYPES) for _ in range(self.random.randrange(1, 3))]
            text, columns = self.select(depth - 1, kinds, ctes)
            word = self.pick(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
            other, _ = self.select(depth - 1, kinds, ctes)
            text = f"{text} {word} {other}"
        else:
            text, columns = self.select(depth, [], ctes, aliased)
        if self.chance(4):
            order = ", ".join(
                f"{n + 1}{self.pick(['', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST'])}"
                for n in range(len(columns))
            )
            text += f" ORDER BY {order}"
            if self.chance(6):
                text += f" LIMIT {self.pick([0, 1, 3, 100])}"
                text += self.pick(["", "", " OFFSET 1"])
        return f"{head} {text}".strip()


_SQL = {"int": "BIGINT", "real": "DOUBLE", "text": "VARCHAR", "time": "TIMESTAMP", "date": "DATE",
        "dec": "DECIMAL(12,2)", "huge": "HUGEINT", "bool": "BOOLEAN"}  # fmt: skip
_CONSTANTS = {"int": INTS, "real": REALS, "text": TEXTS, "time": TIMES, "date": DATES, "dec": DECS,
              "huge": ["0::HUGEINT"], "bool": ["true", "false"]}  # fmt: skip


# Who must agree ---------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What a route says: rows with their columns' names and types, or why there are none."""

    rows: list[tuple[Any, ...]] | None
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    schema: tuple[str, ...] = ()
    error: str = ""
    refused: bool = False
    overflow: bool = False


class World:
    """One file, a connection for each route, and the judge."""

    def __init__(self, folder: Path, dialect: str = "duckdb") -> None:
        self.path = folder / "generated.db"
        with sqlagent.connect(self.path) as con:
            for table, ddl in DDL.items():
                con.execute(f"CREATE TABLE {table} ({ddl})")
                marks = ", ".join("?" * (ddl.count(",") + 1 - ddl.count("(12,2)")))
                for row in ROWS[table]:
                    con.execute(f"INSERT INTO {table} VALUES ({marks})", row)
            con.commit()
        self.routes = {
            route: sqlagent.connect(self.path, route=route, dialect=dialect)
            for route in ("sqlite", "duckdb", "auto")
        }
        self.native = duckdb.connect()
        self.native.execute("SET TimeZone = 'UTC'")
        for table, ddl in DDL.items():
            self.native.execute(f"CREATE TABLE {table} ({ddl.replace('INTEGER', 'BIGINT')})")
            for row in ROWS[table]:
                marks = ", ".join("?" * len(row))
                # SQLite keeps no negative zero.
                kept = [0.0 if v == 0 and isinstance(v, float) else v for v in row]
                self.native.execute(f"INSERT INTO {table} VALUES ({marks})", kept)

    def close(self) -> None:
        for connection in self.routes.values():
            connection.close()
        self.native.close()

    def ask(self, route: str, sql: str) -> Answer:
        """The answer of a route of ours."""
        try:
            cursor = self.routes[route].execute(sql)
            described = cursor.description or []
            rows = cursor.fetchall()
        except sqlagent.NotSupportedError as error:
            return Answer(None, error=f"{error.message}; {error.detail}", refused=True)
        except sqlagent.Error as error:
            # SQLite may compute, and stop at, what DuckDB's optimiser leaves out.
            overflow = error.sqlstate == "22003"
            stopped = route == "sqlite" and overflow
            return Answer(None, error=str(error), refused=stopped, overflow=overflow)
        names = tuple(d[0] for d in described)
        return Answer(rows, names, tuple(str(d[1]) for d in described))

    def judge(self, sql: str) -> Answer:
        """The answer of a DuckDB that knows nothing of us."""
        try:
            cursor = self.native.execute(sql)
            rows = cursor.fetchall()
        except duckdb.Error as error:
            # What DuckDB has not learnt yet is no answer.
            unlearnt = "Not implemented" in str(error)
            overflow = isinstance(error, duckdb.OutOfRangeException)
            return Answer(None, error=str(error), refused=unlearnt, overflow=overflow)
        found = cursor.description or []
        return Answer(rows, tuple(d[0] for d in found), tuple(str(d[1]) for d in found))

    def differences(self, sql: str) -> tuple[list[str], set[str]]:
        """Who disagrees with whom, and the routes that refused."""
        answers = {route: self.ask(route, sql) for route in self.routes}
        refused = {route for route, answer in answers.items() if answer.refused}
        found = []
        judge = self.judge(sql)
        if judge.overflow:
            # DuckDB's own answer: its order decides whether the row that overflows is reached, and
            # an engine that does not reach it has rows. All who have rows must have the same.
            judge = judge._replace(refused=True)
            answers = {r: a._replace(refused=a.refused or a.overflow) for r, a in answers.items()}
        ordered = " ORDER BY " in sql.rsplit(")", 1)[-1]
        wrong = _disagree(answers["duckdb"], answers["auto"], ordered, True)
        found += [f"duckdb/auto: {wrong}"] if wrong else []
        wrong = _disagree(answers["sqlite"], answers["duckdb"], ordered, True)
        found += [f"sqlite/duckdb: {wrong}"] if wrong else []
        for route in ("sqlite", "auto"):
            wrong = _disagree(answers[route], judge, ordered, False)
            found += [f"{route}/native: {wrong}"] if wrong else []
        return found, refused


def _disagree(left: Answer, right: Answer, ordered: bool, shape: bool) -> str | None:
    """In what two answers differ; None where they agree or one refused."""
    if left.refused or right.refused:
        return None
    if left.rows is None or right.rows is None:
        if left.rows is None and right.rows is None:
            return None
        return f"{left.error or left.rows!r:.200} <> {right.error or right.rows!r:.200}"
    if shape and left.names != right.names:
        return f"names {left.names} <> {right.names}"
    if shape and left.types != right.types:
        return f"types {left.types} <> {right.types}"
    a, b = left.rows, right.rows
    if len(a) != len(b):
        return f"{len(a)} rows <> {len(b)} rows: {a!r:.300} <> {b!r:.300}"
    if not ordered:
        a, b = sorted(a, key=_key), sorted(b, key=_key)
    for x, y in zip(a, b, strict=True):
        if len(x) != len(y) or not all(map(same, x, y)):
            return f"{x!r:.300} <> {y!r:.300}"
    return None


def _key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Rows in an order that does not depend on the last digits of a float."""
    return tuple(
        (1, f"{v:.9g}".replace("-0", "0") if isinstance(v, float) and v == 0 else f"{v:.9g}")
        if isinstance(v, float) else (0 if v is None else 2, str(v)) for v in row
    )  # fmt: skip


def same(left: Any, right: Any) -> bool:
    """Equal values of one Python type; floats to twelve digits."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return math.isclose(left, right, rel_tol=1e-12) or (left != left and right != right)
    return bool(left == right)


def statement(random: Random) -> str:
    """Any statement: mostly small, at times deeply nested."""
    return Generator(random).query(random.choice([0, 0, 1, 1, 2]))
