"""Logical types as quack sends them: DuckDB's `LogicalType`, serialized.

What DuckDB has and the wire could not carry from Arrow (BIT, ENUM, UNION, TIME WITH TIME ZONE, …)
goes as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlagent.serve.quack.wire import END, listed, put, text, unsigned
from sqlagent.types import fields

# DuckDB's LogicalTypeId, and numpy's type of a value in a vector.
PLAIN = {
    "BOOLEAN": (10, "?"), "TINYINT": (11, "i1"), "SMALLINT": (12, "<i2"), "INTEGER": (13, "<i4"),
    "BIGINT": (14, "<i8"), "DATE": (15, "<i4"), "TIME": (16, "<i8"), "TIMESTAMP_S": (17, "<i8"),
    "TIMESTAMP_MS": (18, "<i8"), "TIMESTAMP": (19, "<i8"), "TIMESTAMP_NS": (20, "<i8"),
    "FLOAT": (22, "<f4"), "DOUBLE": (23, "<f8"), "VARCHAR": (25, ""), "BLOB": (26, ""),
    "INTERVAL": (27, "V16"), "UTINYINT": (28, "u1"), "USMALLINT": (29, "<u2"),
    "UINTEGER": (30, "<u4"), "UBIGINT": (31, "<u8"), "TIMESTAMP WITH TIME ZONE": (32, "<i8"),
    "HUGEINT": (50, "V16"), "UUID": (54, "V16"), "JSON": (25, ""),
}  # fmt: skip
DECIMAL, STRUCT, LIST, MAP, ARRAY = 21, 100, 101, 102, 108
# DuckDB's ExtraTypeInfoType.
GENERIC_INFO, DECIMAL_INFO, LIST_INFO, STRUCT_INFO, ARRAY_INFO = 1, 2, 4, 5, 9


@dataclass(frozen=True)
class Kind:
    """A type: `id` is DuckDB's, `name` its spelling, `stored` numpy's type of a value ('' for
    texts, blobs and what has parts), `parts` the types within, by name where they have one."""

    id: int
    name: str
    stored: str = ""
    parts: tuple[tuple[str, Kind], ...] = ()
    size: int = 0  # of an array
    scale: int = 0  # of a decimal, whose width is `size`

    def encoded(self) -> bytes:
        """The type as a client reads it."""
        info = b""
        if self.name == "JSON":
            info = put(100, unsigned(GENERIC_INFO)) + put(101, text("JSON"))
        elif self.id == DECIMAL:
            info = put(100, unsigned(DECIMAL_INFO))
            info += put(200, unsigned(self.size)) + put(201, unsigned(self.scale))
        elif self.id in (LIST, MAP):
            info = put(100, unsigned(LIST_INFO)) + put(200, self.parts[0][1].encoded())
        elif self.id == ARRAY:
            info = put(100, unsigned(ARRAY_INFO)) + put(200, self.parts[0][1].encoded())
            info += put(201, unsigned(self.size))
        elif self.id == STRUCT:
            children = (put(0, text(n)) + put(1, k.encoded()) + END for n, k in self.parts)
            info = put(100, unsigned(STRUCT_INFO)) + put(200, listed(children))
        own = put(101, b"\x01" + info + END) if info else b""
        return put(100, unsigned(self.id)) + own + END


VARCHAR = Kind(25, "VARCHAR")
BIGINT = Kind(14, "BIGINT", "<i8")
BOOLEAN = Kind(10, "BOOLEAN", "?")


def kind_of(logical: str | None) -> Kind:
    """The type of a column; text for one that the wire does not carry.

    >>> kind_of("STRUCT(a BIGINT, b FLOAT[3])").parts[1][1].size
    3
    """
    name = (logical or "VARCHAR").strip()
    if name in PLAIN:
        number, stored = PLAIN[name]
        return Kind(number, name, stored)
    if name == '"NULL"':
        return Kind(13, "INTEGER", "<i4")
    if name.endswith("]"):
        inner, size = name[: name.rindex("[")], name[name.rindex("[") + 1 : -1]
        part = ("", kind_of(inner))
        return Kind(ARRAY, name, "", (part,), int(size)) if size else Kind(LIST, name, "", (part,))
    if found := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name):
        width = int(found[1])
        stored = next((t for most, t in _DECIMALS if width <= most), "V16")
        return Kind(DECIMAL, name, stored, (), width, int(found[2]))
    if name.startswith("STRUCT(") and name.endswith(")"):
        return Kind(STRUCT, name, "", tuple((n, kind_of(t)) for n, t in fields(name)))
    if name.startswith("MAP(") and name.endswith(")"):
        (_, key), (_, value) = fields(f"STRUCT(key {_halves(name)[0]}, value {_halves(name)[1]})")
        entry = Kind(STRUCT, "", "", (("key", kind_of(key)), ("value", kind_of(value))))
        return Kind(MAP, name, "", (("", entry),))
    return VARCHAR


_DECIMALS = ((4, "<i2"), (9, "<i4"), (18, "<i8"))


def _halves(name: str) -> tuple[str, str]:
    """The two types of a MAP."""
    depth, inner = 0, name[4:-1]
    for place, char in enumerate(inner):
        depth += (char in "([") - (char in ")]")
        if char == "," and not depth:
            return inner[:place].strip(), inner[place + 1 :].strip()
    return inner, "VARCHAR"
