"""Logical types: one system over SQLite's storage classes and DuckDB's types.

A logical type is DuckDB's spelling of it in upper case: BIGINT, DOUBLE, VARCHAR, BLOB, BOOLEAN,
TIMESTAMP, DATE, TIME, DECIMAL(p,s), JSON, UUID, INTERVAL, FLOAT[n]. In the file, TIMESTAMP is text
`YYYY-MM-DD HH:MM:SS.SSS` in UTC, DATE is text, BOOLEAN 0/1, DECIMAL a number or text, FLOAT[n]
float32 little-endian bytes, JSON text.
"""

from __future__ import annotations

import re
from functools import lru_cache

_BY_WORD = (
    ("TIMESTAMP", "TIMESTAMP"),
    ("DATETIME", "TIMESTAMP"),
    ("DATE", "DATE"),
    ("TIME", "TIME"),
    ("BOOL", "BOOLEAN"),
    ("DECIMAL", "DECIMAL"),
    ("NUMERIC", "DECIMAL"),
    ("JSON", "JSON"),
    ("UUID", "UUID"),
    ("INTERVAL", "INTERVAL"),
    ("INT", "BIGINT"),
    ("CHAR", "VARCHAR"),
    ("CLOB", "VARCHAR"),
    ("TEXT", "VARCHAR"),
    ("STRING", "VARCHAR"),
    ("BLOB", "BLOB"),
    ("BYTEA", "BLOB"),
    ("REAL", "DOUBLE"),
    ("FLOA", "DOUBLE"),
    ("DOUB", "DOUBLE"),
)


_FRACTION = re.compile(r"\s*timestamp(?:tz)?\s*\((\d)\)", re.I)


def fraction(declared: str | None) -> int:
    """The digits of a second that a time is declared with; -1 where it says none.

    >>> fraction("timestamp(3)"), fraction("timestamp")
    (3, -1)
    """
    found = _FRACTION.match(declared or "")
    return int(found[1]) if found is not None else -1


@lru_cache(maxsize=1000)
def logical(declared: str | None) -> str | None:
    """The logical type of a column declared so in the file; None where nothing is declared.

    >>> logical("integer"), logical("varchar(20)"), logical("DECIMAL(15,2)"), logical("FLOAT[384]")
    ('BIGINT', 'VARCHAR', 'DECIMAL(15,2)', 'FLOAT[384]')
    """
    if not declared:
        return None
    if "[" in declared or declared[:6].upper() == "STRUCT":
        return _nested(declared.strip().strip('"'))
    text = declared.upper().replace(" ", "").removeprefix('"').removesuffix('"')
    if text.endswith("TEXT") and text[:4] in ("JSON", "UUID", "DECI", "NUME"):
        text = text.removesuffix("TEXT")  # whose affinity leaves a text alone
    for word, name in _BY_WORD:
        if text.startswith(word) or (
            name in ("BIGINT", "VARCHAR", "DOUBLE", "BLOB") and word in text
        ):
            if name == "DECIMAL":
                return text.replace("NUMERIC", "DECIMAL") if "(" in text else "DOUBLE"
            return name
    return None


def _nested(declared: str) -> str:
    """A list or structure with the logical types of its parts; a vector keeps its own.

    >>> logical("INT[]"), logical("struct(a int, b text)[]"), logical("FLOAT[3]")
    ('BIGINT[]', 'STRUCT(a BIGINT, b VARCHAR)[]', 'FLOAT[3]')
    """
    text = declared.strip()
    if text.endswith("]"):
        inner, size = text[: text.rindex("[")], text[text.rindex("[") :]
        if inner.strip().upper() in ("FLOAT", "FLOAT4", "REAL"):
            return f"FLOAT{size}".replace(" ", "")
        return f"{_nested(inner)}{size}".replace(" ]", "]")
    if text[:6].upper() == "STRUCT":
        parts = ", ".join(f"{name} {part}" for name, part in fields(text))
        return f"STRUCT({parts})"
    return (None if "[" in text else logical(text)) or "VARCHAR"


def fields(kind: str) -> list[tuple[str, str]]:
    """The names and types of a structure's parts.

    >>> fields("STRUCT(a BIGINT, b STRUCT(c VARCHAR))")
    [('a', 'BIGINT'), ('b', 'STRUCT(c VARCHAR)')]
    """
    text = kind[kind.index("(") + 1 : kind.rindex(")")]
    parts, depth, start = [], 0, 0
    for place, char in enumerate(text + ","):
        depth += (char in "([") - (char in ")]")
        if char == "," and not depth:
            parts.append(text[start:place].strip())
            start = place + 1
    found = []
    for part in parts:
        name, _, declared = part.partition(" ")
        found.append((name.strip('"'), _nested(declared)))
    return found


def is_list(kind: str | None) -> bool:
    """Whether a type is a list, and no vector."""
    return kind is not None and kind.endswith("]") and not kind.startswith("FLOAT[")


def is_struct(kind: str | None) -> bool:
    """Whether a type is a structure."""
    return kind is not None and kind.startswith("STRUCT(") and not kind.endswith("]")


def is_zoned(declared: str | None) -> bool:
    """Whether a column is declared with PostgreSQL's time with a zone, of whatever precision.

    >>> is_zoned("timestamptz"), is_zoned("TIMESTAMP(3) WITH TIME ZONE"), is_zoned("timestamp")
    (True, True, False)
    """
    said = re.sub(r"\s*\(\s*\d+\s*\)", "", (declared or "").lower())
    return said.split() in (["timestamptz"], ["timestamp", "with", "time", "zone"])


def opaque(kind: str | None) -> bool:
    """Whether SQLite keeps values of a type in a form that it can neither order nor compare."""
    if kind is None:
        return False
    if kind.startswith("DECIMAL("):
        return int(kind[8:-1].split(",")[0]) > 15  # past what a float64 tells apart
    return is_list(kind) or is_struct(kind) or kind == "INTERVAL"


_WIDENED = {
    "INTEGER": "BIGINT", "SMALLINT": "BIGINT", "TINYINT": "BIGINT", "UINTEGER": "BIGINT",
    "USMALLINT": "BIGINT", "UTINYINT": "BIGINT", "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP", '"NULL"': "BIGINT",
}  # fmt: skip


def widened(kind: str) -> str:
    """The type of a result for one of DuckDB's: whole numbers are 64 bits wide, as in the file.

    >>> widened("INTEGER"), widened("HUGEINT"), widened("VARCHAR")
    ('BIGINT', 'HUGEINT', 'VARCHAR')
    """
    if "[" in kind or kind.startswith("STRUCT"):
        kind = re.sub(r'"(\w+)" ', r"\1 ", kind)  # a name that is a keyword there
        return re.sub(r"\b(INTEGER|SMALLINT|TINYINT)(?=[\[\],)])", "BIGINT", kind)
    return _WIDENED.get(kind, kind)


def affinity(declared: str | None) -> str:
    """The affinity that SQLite gives a column declared so; BLOB where nothing is declared.

    >>> affinity("varchar(20)"), affinity("FLOATING POINT"), affinity("DECIMAL(15,2)"), affinity("")
    ('TEXT', 'INTEGER', 'NUMERIC', 'BLOB')
    """
    text = (declared or "BLOB").upper()
    if "INT" in text:
        return "INTEGER"
    if "CHAR" in text or "CLOB" in text or "TEXT" in text:
        return "TEXT"
    if "BLOB" in text:
        return "BLOB"
    return "REAL" if "REAL" in text or "FLOA" in text or "DOUB" in text else "NUMERIC"


class TypeCode(str):
    """A column's type in `Cursor.description`: its name, equal to the PEP 249 group it is of.

    >>> code = TypeCode("BIGINT")
    >>> code == NUMBER, code == DATETIME, code == "BIGINT"
    (True, False, True)
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TypeGroup):
            return other == self
        return str.__eq__(self, other) if isinstance(other, str) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


class TypeGroup:
    """A PEP 249 type object: equal to every type code of its group."""

    __slots__ = ("name", "words")

    def __init__(self, name: str, *words: str) -> None:
        self.name = name
        self.words = words

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TypeGroup):
            return self is other
        return isinstance(other, str) and str(other).split("(")[0] in self.words

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"sqlagent.{self.name}"


STRING = TypeGroup("STRING", "VARCHAR", "JSON", "UUID", "ENUM")
BINARY = TypeGroup("BINARY", "BLOB")
NUMBER = TypeGroup(
    "NUMBER", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "UBIGINT", "DOUBLE", "FLOAT",
    "DECIMAL", "BOOLEAN",
)  # fmt: skip
DATETIME = TypeGroup(
    "DATETIME", "TIMESTAMP", "DATE", "TIME", "TIMESTAMP WITH TIME ZONE", "INTERVAL"
)
ROWID = TypeGroup("ROWID", "BIGINT")
