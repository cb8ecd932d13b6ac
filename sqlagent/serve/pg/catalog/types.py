"""The types of PostgreSQL: which one a column of the file has, and how the catalogs carry theirs.

A cursor over the catalogs describes its columns by pg_type's own names (name, oid, char, oid[] …)
where the engine has no logical type for them.
"""

from __future__ import annotations

import re

from sqlagent.catalog import Column
from sqlagent.types import is_struct, is_zoned

# pg_type's oid, of a type and of its array, by the name that the catalogs use.
_NAMED = {
    "bool": (16, 1000), "bytea": (17, 1001), "char": (18, 1002), "name": (19, 1003),
    "int8": (20, 1016), "int2": (21, 1005), "int2vector": (22, 1006), "int4": (23, 1007),
    "regproc": (24, 1008), "text": (25, 1009), "oid": (26, 1028), "tid": (27, 1010),
    "xid": (28, 1011), "cid": (29, 1012), "oidvector": (30, 1013), "json": (114, 199),
    "xml": (142, 143), "pg_node_tree": (194, 0), "float4": (700, 1021), "float8": (701, 1022),
    "unknown": (705, 0), "money": (790, 791), "macaddr": (829, 1040), "inet": (869, 1041),
    "cidr": (650, 651), "aclitem": (1033, 1034), "bpchar": (1042, 1014), "varchar": (1043, 1015),
    "date": (1082, 1182), "time": (1083, 1183), "timestamp": (1114, 1115),
    "timestamptz": (1184, 1185), "interval": (1186, 1187), "timetz": (1266, 1270),
    "bit": (1560, 1561), "varbit": (1562, 1563), "numeric": (1700, 1231),
    "refcursor": (1790, 2201), "regprocedure": (2202, 2207), "regoper": (2203, 2208),
    "regoperator": (2204, 2209), "regclass": (2205, 2210), "regtype": (2206, 2211),
    "record": (2249, 2287), "cstring": (2275, 1263), "anyarray": (2277, 0), "void": (2278, 0),
    "uuid": (2950, 2951), "pg_lsn": (3220, 3221), "jsonb": (3802, 3807),
    "regnamespace": (4089, 4090), "regrole": (4096, 4097), "regcollation": (4191, 4192),
    "xid8": (5069, 271), "regconfig": (3734, 3735), "regdictionary": (3769, 3770),
}  # fmt: skip

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

_LOGICAL = {
    "BIGINT": "int8", "INTEGER": "int4", "SMALLINT": "int2", "TINYINT": "int2", "DOUBLE": "float8",
    "FLOAT": "float4", "VARCHAR": "text", "BLOB": "bytea", "BOOLEAN": "bool", "DATE": "date",
    "TIMESTAMP": "timestamp", "TIME": "time", "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "INTERVAL": "interval", "UUID": "uuid", "JSON": "json", "HUGEINT": "numeric",
    "UBIGINT": "numeric", "UHUGEINT": "numeric", "UINTEGER": "oid", "USMALLINT": "int4",
    "UTINYINT": "int2", "DECIMAL": "numeric", '"NULL"': "text", "NULL": "text",
}  # fmt: skip


def of_logical(kind: str | None) -> tuple[str, int]:
    """The type and its modifier (-1: none) for one of the engine's logical types.

    An array's name ends in []. What PostgreSQL has no type for is JSON where it is a structure, and
    text elsewhere.

    >>> of_logical("DECIMAL(10,2)"), of_logical("FLOAT[384]"), of_logical("BIGINT[][]")
    (('numeric', 655366), ('float4[]', -1), ('int8[]', -1))
    """
    if kind is None:
        return "text", -1
    if kind.endswith("]"):
        inner = of_logical(kind[: kind.rindex("[")])[0].removesuffix("[]")
        return ("json" if inner == "json" and "STRUCT" in kind else f"{inner}[]"), -1
    if is_struct(kind) or kind.startswith(("MAP(", "UNION(")):
        return "json", -1
    if kind.startswith("DECIMAL("):
        width, _, scale = kind[8:-1].partition(",")
        return "numeric", (int(width) << 16 | int(scale or 0)) + 4
    return _LOGICAL.get(kind, "text"), -1


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
    if column.type == "TIMESTAMP" and is_zoned(declared):
        return "timestamptz", -1
    return of_logical(column.type)


def oid_of(name: str) -> int:
    """The oid of a type by its name in pg_type or in SQL, arrays with [] or a leading underscore.

    0 where there is none.

    >>> oid_of("int4"), oid_of("bigint[]"), oid_of("_text"), oid_of("nosuch")
    (23, 1016, 1009, 0)
    """
    text = re.sub(r"\([\d, ]*\)", "", name.strip())
    text = text.removeprefix("pg_catalog.")
    array = text.endswith("[]") or (text.startswith("_") and text[1:] in _NAMED)
    text = text.removesuffix("[]").removeprefix("_") if array else text
    if text != '"char"':
        bare = text.strip('"') if text.startswith('"') else text.lower()
        bare = bare if text.startswith('"') else ALIASES.get(bare, bare)
    else:
        bare = "char"
    if text == "char":  # SQL's char is character(1); only in quotes is it PostgreSQL's own
        bare = "bpchar"
    found = _NAMED.get(bare)
    return 0 if found is None else found[1 if array else 0]


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
