"""Made-up statements in SQLite's dialect: nested, over every storage class, to its limits."""

from __future__ import annotations

from random import Random

INTEGERS = [0, 1, -1, 2, 3, 5, 7, -7, 10, 63, 64, 255, 2**31 - 1, 2**31, -(2**31), 2**53, 2**53 + 1,
            -(2**53) - 1, 2**62, 2**63 - 1, -(2**63), None]  # fmt: skip
REALS = [0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 1e10, 0.1, 123.456, 9007199254740992.0, 3.0, None]
TEXTS = ["", "a", "A", "abc", "ABC", "12", "12abc", " 5 ", "1e3", "-7", "0x10", "%", "_", "a%b",
         "é", "É", "ß", "true", "Z", "10", "9", "2.50", "b c", "日本", None]  # fmt: skip
BLOBS = [b"", b"a", b"\x00\xff", b"12", None]
COLUMNS = {
    "t": ["id", "a", "b", "r", "s", "x", "d", "q"], "u": ["a", "r", "s"], "e": ["a", "s"],
    "vw": ["a1", "s", "r2"],
}  # fmt: skip
SCHEMA = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b INT, r REAL, s TEXT, x BLOB, d DATE,"
    " q BOOLEAN)",
    "CREATE TABLE u(a INTEGER, r DOUBLE, s VARCHAR(10))",
    "CREATE TABLE e(a INTEGER, s TEXT)",
    "CREATE VIEW vw AS SELECT a+1 AS a1, s, r*2 r2 FROM t WHERE a < 100 OR s > 'a'",
)
ARITHMETIC = ("+", "-", "*", "/", "%", "||")
OPERATORS = (*ARITHMETIC, "=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT", "==", "AND", "OR", "&",
             "|", "<<", ">>", "IS DISTINCT FROM")  # fmt: skip
FUNCTIONS = (
    ("abs", 1), ("coalesce", 2), ("coalesce", 3), ("ifnull", 2), ("nullif", 2), ("min", 2),
    ("max", 2), ("max", 3), ("length", 1), ("lower", 1), ("upper", 1), ("typeof", 1), ("round", 1),
    ("round", 2), ("substr", 2), ("substr", 3), ("trim", 1), ("ltrim", 2), ("replace", 3),
    ("instr", 2), ("iif", 3), ("hex", 1), ("unicode", 1),
)  # fmt: skip


def literal(value: object) -> str:
    """A value as SQLite's text."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "(-9223372036854775807 - 1)" if value == -(2**63) else repr(value)


def filled(random: Random) -> list[str]:
    """The statements that make and fill the tables; `e` stays empty."""
    pick = random.choice
    made = list(SCHEMA)
    for number in range(1, 15):
        row = (number, pick(INTEGERS), pick(INTEGERS[:12]), pick(REALS), pick(TEXTS), pick(BLOBS),
               pick(["2024-01-31", "1999-12-31", None]), pick([0, 1, None]))  # fmt: skip
        made.append(f"INSERT INTO t VALUES({', '.join(map(literal, row))})")
    for _ in range(6):
        row = (pick(INTEGERS[:10]), pick(REALS), pick(TEXTS))
        made.append(f"INSERT INTO u VALUES({', '.join(map(literal, row))})")
    return made


class Writer:
    """Writes SELECTs; `scopes` are the sources of the SELECTs around the place."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.pick = random.choice
        self.scopes: list[list[tuple[str, str]]] = []

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def column(self) -> str:
        alias, table = self.pick(self.pick(self.scopes))
        names = COLUMNS[table]
        if self.chance(0.9):
            names = [name for name in names if name not in ("x", "d")]
        return f"{alias}.{self.pick(names + [name for name in names if name != 's'] * 3)}"

    def constant(self) -> str:
        kind = self.random.randrange(7)
        if kind < 3:
            return str(self.random.randint(-5, 20))
        if kind == 6:
            return self.pick(["TRUE", "x'61'", "FALSE"])
        return literal(self.pick((INTEGERS, REALS, TEXTS)[kind - 3]))

    def value(self, depth: int = 3, aggregated: bool = False) -> str:
        """An expression; where `aggregated`, its columns are in aggregates."""
        if aggregated and self.chance(0.35):
            return self.aggregate(depth)
        if depth <= 0 or self.chance(0.12):
            bare = aggregated or not self.scopes or self.chance(0.35)
            return self.constant() if bare else self.column()

        def some() -> str:
            return self.value(depth - 1, aggregated)

        n = self.pick(["", "NOT "])
        kind = self.random.randrange(14)
        if kind < 2:
            return f"({some()} {self.pick(ARITHMETIC)} {some()})"
        if kind < 5:
            return f"{some()} {self.pick(OPERATORS)} {some()}"
        if kind == 5:
            return f"{self.pick(['NOT', '-', '+', '~'])} ({some()})"
        if kind == 6:
            return f"({some()} {n}BETWEEN {some()} AND {some()})"
        if kind == 7:
            members = ", ".join(some() for _ in range(self.random.randint(0, 3)))
            return f"({some()} {n}IN ({members}))"
        if kind == 8:
            return f"({some()} {self.pick(['IS NULL', 'NOTNULL', 'IS TRUE', 'IS NOT FALSE'])})"
        if kind == 9:
            return f"CASE {self.pick(['', some()])} WHEN {some()} THEN {some()} ELSE {some()} END"
        if kind == 10:
            return f"CAST({some()} AS {self.pick(['INTEGER', 'REAL', 'TEXT', 'NUMERIC', 'BLOB'])})"
        if kind == 11:
            pattern = literal(
                self.pick(["a%", "%B%", "_", "%", "é", "a\\%b", "", "[a-c]*", "*[^a]"])
            )
            return f"({some()} {n}{self.pick(['LIKE', 'GLOB'])} {pattern})"
        if kind == 12 and depth > 1 and len(self.scopes) < 3 and not aggregated:
            return self.subquery()
        name, count = self.pick(FUNCTIONS)
        return f"{name}({', '.join(some() for _ in range(count))})"

    def aggregate(self, depth: int) -> str:
        if self.chance(0.1):
            return "count(*)"
        name = self.pick(["count", "sum", "avg", "min", "max", "total"])
        filtered = f" FILTER (WHERE {self.value(1)})" if self.chance(0.15) else ""
        return (
            f"{name}({self.pick(['', '', 'DISTINCT '])}{self.value(min(depth - 1, 1))}){filtered}"
        )

    def subquery(self) -> str:
        alias, table = f"k{len(self.scopes)}", self.pick(["t", "u", "e"])
        self.scopes.append([(alias, table)])
        tail = f"FROM {table} {alias} WHERE {self.value(2)}"
        one = self.value(1)
        name = self.pick(["count", "max", "min", "sum", "avg"])
        self.scopes.pop()
        kind = self.random.randrange(3)
        if kind == 0:
            return f"EXISTS (SELECT 1 {tail})"
        if kind == 1:
            return f"(SELECT {name}({one}) {tail})"
        return f"({self.value(1)} {self.pick(['', 'NOT '])}IN (SELECT {one} {tail}))"

    def select(self, width: int) -> str:
        sources = [(f"z{i}", self.pick(list(COLUMNS))) for i in range(self.random.randint(0, 2))]
        self.scopes = [sources] if sources else []
        tail = ""
        for place, (alias, table) in enumerate(sources):
            source = f"{table} {alias}"
            kind = self.random.randrange(3)
            if place == 0:
                tail = f" FROM {source}"
            elif kind == 0:
                tail += f", {source}"
            elif kind == 1:
                join = self.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
                tail += f" {join} {source} ON {self.column()} = {self.column()}"
            else:
                tail += f" CROSS JOIN {source}"
        if sources and self.chance(0.5):
            tail += f" WHERE {self.value(3)}"
        distinct = self.pick(["", "", "DISTINCT "])
        kind = self.random.random() if sources else 1
        if kind < 0.15:
            outputs = [self.value(2, True) for _ in range(width)]
        elif kind < 0.4:
            keys = [self.column() for _ in range(self.random.randint(1, 2))]
            outputs = [
                self.pick(keys) if self.chance(0.5) else self.value(2, True) for _ in range(width)
            ]
            tail += f" GROUP BY {', '.join(keys)}"
            if self.chance(0.3):
                tail += f" HAVING {self.value(2, True)}"
        else:
            outputs = [self.value(3) for _ in range(width)]
        return f"SELECT {distinct}{', '.join(outputs)}{tail}"

    def query(self) -> str:
        width = self.random.randint(1, 3)
        said = self.select(width)
        if self.chance(0.15):
            said += f" {self.pick(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])} "
            said += self.select(width)
        if self.chance(0.3):
            terms = [f"{i + 1} {self.pick(['', 'DESC', 'NULLS LAST'])}" for i in range(width)]
            said += f" ORDER BY {', '.join(terms)}"
        return said
