"""PostgreSQL's types on the wire: which of them a logical type of ours is, and its OID and size.

OIDs are those of PostgreSQL's pg_type.dat, which every driver has built in. A column's type may be
one of our logical types (`sqlagent.types`) or PostgreSQL's own name of a type (`oid`, `name`,
`int2vector`, `oid[]`): the catalogue's relations use these.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class PgType(NamedTuple):
    """A type: `size` is pg_type.typlen (-1: of any length); `codec` names what encodes its values;
    `element` is the type of an array's elements, None for what is no array."""

    oid: int
    name: str
    size: int
    codec: str
    element: PgType | None = None


def _base(oid: int, name: str, size: int, codec: str | None = None) -> PgType:
    return PgType(oid, name, size, codec or name)


BOOL = _base(16, "bool", 1)
BYTEA = _base(17, "bytea", -1)
CHAR = _base(18, "char", 1)
NAME = _base(19, "name", 64, "text")
INT8 = _base(20, "int8", 8)
INT2 = _base(21, "int2", 2)
INT2VECTOR = PgType(22, "int2vector", -1, "vector", INT2)
INT4 = _base(23, "int4", 4)
REGPROC = _base(24, "regproc", 4, "oid")
TEXT = _base(25, "text", -1)
OID = _base(26, "oid", 4)
TID = _base(27, "tid", 6)
XID = _base(28, "xid", 4, "oid")
CID = _base(29, "cid", 4, "oid")
OIDVECTOR = PgType(30, "oidvector", -1, "vector", OID)
JSON = _base(114, "json", -1)
XML = _base(142, "xml", -1, "text")
PG_NODE_TREE = _base(194, "pg_node_tree", -1, "text")
FLOAT4 = _base(700, "float4", 4)
FLOAT8 = _base(701, "float8", 8)
UNKNOWN = _base(705, "unknown", -2, "text")
ACLITEM = _base(1033, "aclitem", 12, "text")
BPCHAR = _base(1042, "bpchar", -1, "text")
VARCHAR = _base(1043, "varchar", -1, "text")
DATE = _base(1082, "date", 4)
TIME = _base(1083, "time", 8)
TIMESTAMP = _base(1114, "timestamp", 8)
TIMESTAMPTZ = _base(1184, "timestamptz", 8)
INTERVAL = _base(1186, "interval", 16)
TIMETZ = _base(1266, "timetz", 12)
NUMERIC = _base(1700, "numeric", -1)
# What a bare `numeric` is to the engine (`rewrite.plain_numeric`); on the wire without its zeros.
PLAIN_NUMERIC = "DECIMAL(38,10)"
NUMERIC_PLAIN = _base(1700, "numeric", -1, "numeric_plain")
RECORD = _base(2249, "record", -1, "text")
CSTRING = _base(2275, "cstring", -2, "text")
ANYARRAY = _base(2277, "anyarray", -1, "text")
REGCLASS = _base(2205, "regclass", 4, "oid")
REGTYPE = _base(2206, "regtype", 4, "oid")
REGNAMESPACE = _base(4089, "regnamespace", 4, "oid")
VOID = _base(2278, "void", 4, "text")
UUID = _base(2950, "uuid", 16)
JSONB = _base(3802, "jsonb", -1)

_SCALARS: tuple[PgType, ...] = (
    BOOL, BYTEA, CHAR, NAME, INT8, INT2, INT2VECTOR, INT4, REGPROC, TEXT, OID, TID, XID, CID,
    OIDVECTOR, JSON, XML, PG_NODE_TREE, FLOAT4, FLOAT8, UNKNOWN, ACLITEM, BPCHAR, VARCHAR, DATE,
    TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, TIMETZ, NUMERIC, RECORD, CSTRING, ANYARRAY, REGCLASS,
    REGTYPE, REGNAMESPACE, VOID, UUID, JSONB,
)  # fmt: skip
_ARRAY_OIDS = {
    BOOL: 1000, BYTEA: 1001, CHAR: 1002, NAME: 1003, INT2: 1005, INT2VECTOR: 1006, INT4: 1007,
    REGPROC: 1008, TEXT: 1009, TID: 1010, XID: 1011, CID: 1012, OIDVECTOR: 1013, XML: 143,
    BPCHAR: 1014, VARCHAR: 1015, INT8: 1016, FLOAT4: 1021, FLOAT8: 1022, OID: 1028, ACLITEM:
    1034, TIMESTAMP: 1115, DATE: 1182, TIME: 1183, TIMESTAMPTZ: 1185, INTERVAL: 1187, TIMETZ:
    1270, RECORD: 2287, CSTRING: 1263, REGNAMESPACE: 4090, NUMERIC: 1231, JSON: 199, UUID: 2951,
    JSONB: 3807, REGCLASS: 2210, REGTYPE: 2211,
}  # fmt: skip
ARRAYS = {
    base: PgType(oid, f"_{base.name}", -1, "array", base) for base, oid in _ARRAY_OIDS.items()
}
_OTHERS = {  # of the catalogs alone, with the OID of their arrays
    "inet": (869, 1041), "cidr": (650, 651), "macaddr": (829, 1040), "money": (790, 791),
    "bit": (1560, 1561), "varbit": (1562, 1563), "refcursor": (1790, 2201),
    "regprocedure": (2202, 2207), "regoper": (2203, 2208), "regoperator": (2204, 2209),
    "regrole": (4096, 4097), "regcollation": (4191, 4192), "regconfig": (3734, 3735),
    "regdictionary": (3769, 3770), "xid8": (5069, 271), "pg_lsn": (3220, 3221),
}  # fmt: skip
for _name, (_oid, _array) in _OTHERS.items():
    _made = _base(_oid, _name, 4 if _name.startswith("reg") else -1,
                  "oid" if _name.startswith("reg") else "text")  # fmt: skip
    _SCALARS += (_made,)
    ARRAYS[_made] = PgType(_array, f"_{_name}", -1, "array", _made)
ARRAYS[NUMERIC_PLAIN] = PgType(1231, "_numeric", -1, "array", NUMERIC_PLAIN)
BY_OID = {t.oid: t for t in (*_SCALARS, *ARRAYS.values())}
BY_NAME = {t.name: t for t in _SCALARS}

_LOGICAL = {
    "BIGINT": INT8, "INTEGER": INT4, "SMALLINT": INT2, "TINYINT": INT2, "UINTEGER": INT8,
    "USMALLINT": INT4, "UTINYINT": INT2, "HUGEINT": NUMERIC, "UHUGEINT": NUMERIC,
    "UBIGINT": NUMERIC, "DOUBLE": FLOAT8, "FLOAT": FLOAT4, "REAL": FLOAT4, "VARCHAR": TEXT,
    "BLOB": BYTEA, "BOOLEAN": BOOL, "TIMESTAMP": TIMESTAMP, "TIMESTAMP_NS": TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": TIMESTAMPTZ, "TIMESTAMPTZ": TIMESTAMPTZ, "DATE": DATE,
    "TIME": TIME, "INTERVAL": INTERVAL, "JSON": JSON, "UUID": UUID, "DECIMAL": NUMERIC,
    "NUMERIC": NUMERIC, "BIT": TEXT, "ANY": TEXT,
}  # fmt: skip
# What a parameter of a type is to the engine, by which a text that meets it is read.
_ENGINE = {
    INT8: "BIGINT", INT4: "BIGINT", INT2: "BIGINT",
    TID: "BIGINT", FLOAT8: "DOUBLE", FLOAT4: "DOUBLE",
    NUMERIC: "DECIMAL", BOOL: "BOOLEAN", BYTEA: "BLOB", TIMESTAMP: "TIMESTAMP",
    TIMESTAMPTZ: "TIMESTAMP", DATE: "DATE", TIME: "TIME", INTERVAL: "INTERVAL", JSON: "JSON",
    JSONB: "JSON", UUID: "UUID",
}  # fmt: skip


@lru_cache(maxsize=1024)
def pg_type(kind: str | None) -> PgType:
    """The type on the wire of a logical type, or of PostgreSQL's own name of one.

    What PostgreSQL has no type for is json (a structure, a map, a list of lists) or text.

    >>> pg_type("BIGINT").name, pg_type("FLOAT[384]").name, pg_type("DECIMAL(10,2)").oid
    ('int8', '_float4', 1700)
    >>> pg_type("oid[]").oid, pg_type("STRUCT(a BIGINT)").name, pg_type(None).name
    (1028, 'json', 'text')
    """
    if kind is None:
        return TEXT
    if kind.endswith("]"):
        inner = pg_type(kind[: kind.rindex("[")])
        return ARRAYS.get(inner, JSON)
    found = _LOGICAL.get(kind) or BY_NAME.get(kind)
    if found is not None:
        return found
    if kind == PLAIN_NUMERIC:
        return NUMERIC_PLAIN
    if kind.startswith(("varchar(", "bpchar(")):
        return BY_NAME[kind.partition("(")[0]]
    if kind.startswith(("DECIMAL(", "NUMERIC(")):
        return NUMERIC
    if kind.startswith(("STRUCT", "MAP", "UNION")):
        return JSON
    return TEXT


def modifier(kind: str | None) -> int:
    """pg_attribute.atttypmod of a logical type; -1 where it has none.

    >>> modifier("DECIMAL(10,2)"), modifier("BIGINT")
    (655366, -1)
    """
    if kind is not None and kind.startswith("DECIMAL(") and kind.endswith(")") and (
        kind != PLAIN_NUMERIC
    ):  # fmt: skip
        precision, _, scale = kind[8:-1].partition(",")
        return (int(precision) << 16 | int(scale or 0)) + 4
    if kind is not None and kind.startswith(("varchar(", "bpchar(")):
        return int(kind.partition("(")[2].rstrip(")")) + 4
    return -1


def logical_of(found: PgType) -> str:
    """The logical type of a parameter of a type of PostgreSQL's."""
    if found.element is not None:
        return _ENGINE.get(found.element, "VARCHAR") + "[]"
    return _ENGINE.get(found, "VARCHAR")
