"""The types of PostgreSQL: which one a column of the file has, and how the catalogs carry theirs.

A cursor over the catalogs describes its columns by pg_type's own names (name, oid, char, oid[] …)
where the engine has no logical type for them.
"""

from __future__ import annotations

import re

from sqlagent.catalog import Column
from sqlagent.serve.pg.types import ARRAYS, BY_NAME, modifier, pg_type
from sqlagent.types import fraction, is_zoned

# SQL's names of the same.
ALIASES = {
    "boolean": "bool", "smallint": "int2", "integer": "int4", "int": "int4", "bigint": "int8",
    "real": "float4", "double precision": "float8", "double": "float8", "float": "float8",
    "decimal": "numeric", "character varying": "varchar", "character": "bpchar",
    "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz",
    "time without time zone": "time", "time with time zone": "timetz", '"char"': "char",
    "bit varying": "varbit", "serial": "int4", "bigserial": "int8", "string": "text",
}  # fmt: skip
# What format_type() says of a type, where that is not its name.
FORMATTED = {
    "bool": "boolean", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real",
    "float8": "double precision", "varchar": "character varying", "bpchar": "character",
    "timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone",
    "time": "time without time zone", "timetz": "time with time zone", "char": '"char"',
    "varbit": "bit varying",
}  # fmt: skip


def of_logical(kind: str | None) -> tuple[str, int]:
    """The type and its modifier (-1: none) for one of the engine's logical types.

    An array's name ends in [].

    >>> of_logical("DECIMAL(10,2)"), of_logical("FLOAT[384]"), of_logical("STRUCT(a BIGINT)[]")
    (('numeric', 655366), ('float4[]', -1), ('json[]', -1))
    """
    found = pg_type(kind)
    name = found.name if found.element is None else f"{found.element.name}[]"
    return name, modifier(kind)


def of_column(column: Column) -> tuple[str, int]:
    """The type and its modifier of a column of the file: what it declares, as the wire has it.

    >>> of_column(Column("c", "VARCHAR", declared="varchar(20)"))
    ('varchar', 24)
    """
    declared = (column.declared or "").strip().lower()
    if column.type == "VARCHAR":
        sized = re.fullmatch(r"(?:varchar|character varying)\s*\((\d+)\)", declared)
        if sized:
            return "varchar", int(sized[1]) + 4
        if declared in ("varchar", "character varying"):
            return "varchar", -1
    if column.type == "JSON" and declared.startswith("jsonb"):
        return "jsonb", -1
    if column.type == "TIMESTAMP":
        return "timestamptz" if is_zoned(declared) else "timestamp", fraction(declared)
    return of_logical(column.type)


def oid_of(name: str) -> int:
    """The oid of a type by its name in pg_type or in SQL, arrays with [] or a leading underscore.

    0 where there is none.

    >>> oid_of("int4"), oid_of("bigint[]"), oid_of("_text"), oid_of("nosuch")
    (23, 1016, 1009, 0)
    """
    text = re.sub(r"\([\d, ]*\)", "", name.strip())
    text = text.removeprefix("pg_catalog.")
    array = text.endswith("[]") or (text.startswith("_") and text[1:] in BY_NAME)
    text = text.removesuffix("[]").removeprefix("_") if array else text
    if text != '"char"':
        bare = text.strip('"') if text.startswith('"') else text.lower()
        bare = bare if text.startswith('"') else ALIASES.get(bare, bare)
    else:
        bare = "char"
    if text == "char":  # SQL's char is character(1); only in quotes is it PostgreSQL's own
        bare = "bpchar"
    found = BY_NAME.get(bare)
    if found is None:
        return 0
    if not array:
        return found.oid
    return ARRAYS[found].oid if found in ARRAYS else 0


def label(kind: str) -> str:
    """How a cursor names a type of PostgreSQL: a logical type of the engine where there is one,
    else pg_type's own name.

    >>> label("int4"), label("char"), label("oid[]"), label("text")
    ('INTEGER', 'char', 'oid[]', 'VARCHAR')
    """
    inner, array = (kind[:-2], "[]") if kind.endswith("[]") else (kind, "")
    return _LABELS.get(inner, inner) + array


_LABELS = {
    "bool": "BOOLEAN", "int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "float4": "FLOAT",
    "float8": "DOUBLE", "text": "VARCHAR", "bytea": "BLOB",
    "timestamptz": "TIMESTAMP WITH TIME ZONE", "date": "DATE", "time": "TIME",
    "timestamp": "TIMESTAMP", "interval": "INTERVAL", "numeric": "DECIMAL", "json": "JSON",
    "uuid": "UUID",
}  # fmt: skip
