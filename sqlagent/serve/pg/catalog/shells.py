"""The relations of pg_catalog and information_schema: their columns, and rows that never change.

`static/relations.csv` has every relation of PostgreSQL 15 with its columns and their types;
`static/pg_*.csv` the rows of those that describe PostgreSQL itself. All facts, no code.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files
from json import dumps
from typing import Any, NamedTuple

from sqlagent.parse.lexer import quote, quote_name

# DuckDB's type that carries one of PostgreSQL's; the outputs get theirs back in `kinds`.
_CARRIERS = {
    "oid": "UINTEGER", "regproc": "UINTEGER", "regtype": "UINTEGER", "xid": "UINTEGER",
    "smallint": "SMALLINT", "integer": "INTEGER", "bigint": "BIGINT", "boolean": "BOOLEAN",
    "real": "FLOAT", "double_precision": "DOUBLE", "int2vector": "SMALLINT[]",
    "oidvector": "UINTEGER[]", "interval": "INTERVAL", "bytea": "BLOB", "numeric": "DOUBLE",
    "timestamp_with_time_zone": "TIMESTAMPTZ",
}  # fmt: skip
_SHORT = {
    "smallint": "int2", "integer": "int4", "bigint": "int8", "boolean": "bool", "real": "float4",
    "double_precision": "float8", "timestamp_with_time_zone": "timestamptz",
    "character_varying": "varchar",
}  # fmt: skip
STATIC = (
    "pg_am", "pg_cast", "pg_collation", "pg_language", "pg_opclass", "pg_operator", "pg_type",
)  # fmt: skip


class Attribute(NamedTuple):
    """A column of a system relation: `kind` is PostgreSQL's type, as pg_type names it."""

    name: str
    kind: str
    carrier: str
    not_null: bool


class Relation(NamedTuple):
    """A system relation; `stored` is its name in the store: `information_schema.` stays in it."""

    schema: str
    name: str
    oid: int
    relkind: str
    columns: tuple[Attribute, ...]

    @property
    def stored(self) -> str:
        return self.name if self.schema == "pg_catalog" else f"{self.schema}.{self.name}"


@lru_cache(maxsize=1)
def relations() -> dict[str, Relation]:
    """Every system relation by the name that it is stored under."""
    found = {}
    text = files(__package__).joinpath("static/relations.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        columns = []
        for part in row["columns"].split(","):
            name, _, kind = part.partition(" ")
            kind, not_null = kind.removesuffix("!"), kind.endswith("!")
            inner = kind.removesuffix("[]")
            carrier = _CARRIERS.get(inner, "VARCHAR") + kind[len(inner) :]
            short = _SHORT.get(inner, inner).strip('"') + kind[len(inner) :]
            columns.append(Attribute(name, short, carrier, not_null))
        relation = Relation(
            row["schema"], row["name"], int(row["oid"]), row["kind"], tuple(columns)
        )
        found[relation.stored] = relation
    return found


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The relations of pg_catalog, which a statement may name without their schema."""
    return frozenset(r.name for r in relations().values() if r.schema == "pg_catalog")


@lru_cache(maxsize=1)
def attributes() -> dict[str, tuple[str, ...]]:
    """Of each column name in pg_catalog the types that columns of that name have."""
    found: dict[str, set[str]] = {}
    for relation in relations().values():
        for column in relation.columns:
            found.setdefault(column.name, set()).add(column.kind)
    return {name: tuple(sorted(kinds)) for name, kinds in found.items()}


def empty(relation: Relation) -> str:
    """DuckDB's CREATE VIEW of a relation that has no rows here: a table would take memory for each
    column."""
    columns = ", ".join(
        f"CAST(NULL AS {c.carrier}) AS {quote_name(c.name)}" for c in relation.columns
    )
    return f"CREATE VIEW {quote_name(relation.stored)} AS SELECT {columns} WHERE false"


def create(relation: Relation, *, temporary: bool = False) -> str:
    """DuckDB's CREATE TABLE of a relation, empty; a temporary one stands before the other."""
    columns = ", ".join(f"{quote_name(c.name)} {c.carrier}" for c in relation.columns)
    return f"CREATE {'TEMP ' if temporary else ''}TABLE {quote_name(relation.stored)} ({columns})"


@lru_cache(maxsize=32)
def rows(name: str) -> list[dict[str, str]]:
    """The static rows of a relation, as texts; NULL is not among them."""
    path = files(__package__).joinpath(f"static/{name}.csv")
    return [
        {k: v for k, v in row.items() if v != r"\N"}
        for row in csv.DictReader(path.read_text("utf-8").splitlines())
    ]


def insert(relation: Relation, found: Any, *, texts: bool = False) -> str:
    """The INSERT of rows, each a dictionary by the relation's columns.

    `texts`: the values are texts, as in the static files; vectors have blanks, lists braces. The
    rows are in the text, as JSON: a parameter would make DuckDB import numpy and pandas, which is
    100 MB and a second.
    """
    shape = {c.name: "VARCHAR" if texts else c.carrier for c in relation.columns}
    parts = [_read(f"r.{quote_name(c.name)}", c) if texts else f"r.{quote_name(c.name)}"
             for c in relation.columns]  # fmt: skip
    return (
        f"INSERT INTO {quote_name(relation.stored)} SELECT {', '.join(parts)} "
        f"FROM (SELECT unnest(from_json({quote(dumps(found))}, {quote(dumps([shape]))})) AS r)"
    )


def _read(text: str, column: Attribute) -> str:
    if column.kind in ("int2vector", "oidvector"):
        return f"string_split({text}, ' ')::{column.carrier}"
    if column.kind.endswith("[]"):
        return f"string_split(trim({text}, '{{}}'), ',')::{column.carrier}"
    return f"CAST({text} AS {column.carrier})"
