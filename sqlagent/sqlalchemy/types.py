"""Types: how each of ours is one of SQLAlchemy's, and those that SQLAlchemy does not have."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import types

NAMES: dict[str, type[types.TypeEngine[Any]]] = {
    "BIGINT": types.BIGINT,
    "BIT": types.VARCHAR,
    "BLOB": types.BLOB,
    "BOOL": types.BOOLEAN,
    "BOOLEAN": types.BOOLEAN,
    "BYTEA": types.BLOB,
    "CHAR": types.CHAR,
    "CLOB": types.CLOB,
    "DATE": types.DATE,
    "DATETIME": types.DATETIME,
    "DECIMAL": types.DECIMAL,
    "DOUBLE": types.DOUBLE,
    "DOUBLE PRECISION": types.DOUBLE_PRECISION,
    "FLOAT": types.FLOAT,
    "FLOAT4": types.FLOAT,
    "FLOAT8": types.DOUBLE,
    "HUGEINT": types.NUMERIC,
    "INT": types.INTEGER,
    "INTEGER": types.INTEGER,
    "INTERVAL": types.Interval,
    "JSON": types.JSON,
    "JSON TEXT": types.JSON,
    "NUMERIC": types.NUMERIC,
    "REAL": types.REAL,
    "SMALLINT": types.SMALLINT,
    "TEXT": types.TEXT,
    "TIME": types.TIME,
    "TIMESTAMP": types.TIMESTAMP,
    "TINYINT": types.SMALLINT,
    "UBIGINT": types.NUMERIC,
    "UHUGEINT": types.NUMERIC,
    "UINTEGER": types.BIGINT,
    "USMALLINT": types.INTEGER,
    "UTINYINT": types.SMALLINT,
    "UUID": types.UUID,
    "VARBINARY": types.BLOB,
    "VARCHAR": types.VARCHAR,
}


class Exact(types.Numeric[Any]):
    """A number that SQLAlchemy wants as a Decimal, also where an expression gives a float."""

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """What makes a value of a result the type's own."""
        if not self.asdecimal:
            return lambda value: float(value) if isinstance(value, Decimal) else value
        digits = self._effective_decimal_return_scale

        def exact(value: Any) -> Any:
            if value is None or isinstance(value, Decimal):
                return value
            return Decimal(f"{value:.{digits}f}") if isinstance(value, float) else Decimal(value)

        return exact


class Day(types.Date):
    """A date; a time given for one is its day."""

    def bind_processor(self, dialect: Any) -> Callable[[Any], Any]:
        """What makes a parameter of a value."""
        return lambda value: value.date() if isinstance(value, datetime.datetime) else value


class Vector(types.UserDefinedType[list[float]]):
    """A vector of `dimensions` 32-bit floats, FLOAT[n]; a value is a list of numbers."""

    cache_ok = True

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def get_col_spec(self, **_: Any) -> str:
        """The type as CREATE TABLE says it."""
        return f"FLOAT[{self.dimensions}]"

    @property
    def python_type(self) -> type[Any]:
        """What a value is in Python."""
        return list

    def literal_processor(self, dialect: Any) -> Callable[[Any], str]:
        """How a value stands in a statement's text."""
        return lambda value: "[" + ", ".join(repr(float(x)) for x in value) + "]"


class Nested(types.UserDefinedType[Any]):
    """A list, map or struct of DuckDB's, by its text: Nested("VARCHAR[]")."""

    cache_ok = True

    def __init__(self, text: str) -> None:
        self.text = text

    def get_col_spec(self, **_: Any) -> str:
        """The type as CREATE TABLE says it."""
        return self.text


def named(text: str) -> types.TypeEngine[Any]:
    """The type that a column declares; NullType where it declares none that is known."""
    upper = text.strip().upper()
    if upper.endswith(" TEXT") and upper.startswith(("DECIMAL", "NUMERIC", "UUID")):
        upper = upper.removesuffix(" TEXT")  # which the file adds, so that SQLite keeps every digit
    vector = re.fullmatch(r"(?:FLOAT|REAL|FLOAT4)\[(\d+)\]", upper)
    if vector is not None:
        return Vector(int(vector[1]))
    if "[" in upper or upper.startswith(("STRUCT", "MAP", "UNION")):
        return Nested(text.strip())
    found = re.fullmatch(r"([A-Z][A-Z0-9_ ]*?)\s*(?:\(([^)]*)\))?", upper)
    if found is None:
        return types.NullType()
    name, arguments = found[1], [int(n) for n in re.findall(r"\d+", found[2] or "")]
    kind = NAMES.get(name) or _by_affinity(name)
    if kind is types.NUMERIC and name != "NUMERIC" and not arguments:
        return types.NUMERIC(38 if "HUGE" in name else 20, 0)
    if arguments and not issubclass(kind, types.INTEGER | types.SMALLINT | types.TIMESTAMP):
        try:
            return kind(*arguments)
        except TypeError:  # one that takes no arguments
            pass
    return kind()


def _by_affinity(name: str) -> type[types.TypeEngine[Any]]:
    """What SQLite takes a name of any other kind for (https://sqlite.org/datatype3.html)."""
    if "INT" in name:
        return types.INTEGER
    if "CHAR" in name or "CLOB" in name or "TEXT" in name:
        return types.TEXT
    if "BLOB" in name:
        return types.BLOB
    if "REAL" in name or "FLOA" in name or "DOUB" in name:
        return types.REAL
    if name.startswith("TIMESTAMP"):
        return types.TIMESTAMP
    return types.NullType
