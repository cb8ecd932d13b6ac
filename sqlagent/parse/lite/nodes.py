"""The tree of a SELECT. `at` is an offset into the statement, for the caret."""

from __future__ import annotations

from typing import Any, NamedTuple

Expr = Any  # one of the expressions below


class Literal(NamedTuple):
    """A constant: an int, a float, a str, bytes or None."""

    value: Any


class Name(NamedTuple):
    """A column; in double quotes it may turn out to be a string."""

    table: str | None
    column: str
    quoted: bool
    at: int


class Param(NamedTuple):
    """A parameter."""

    at: int


class Unary(NamedTuple):
    """`-`, `+`, `~` or NOT."""

    op: str
    operand: Expr


class Binary(NamedTuple):
    """An operator between two values; IS and IS NOT compare NULLs too."""

    op: str
    left: Expr
    right: Expr
    at: int


class Like(NamedTuple):
    """`text LIKE pattern [ESCAPE escape]`, or GLOB."""

    op: str
    text: Expr
    pattern: Expr
    escape: Expr | None
    at: int


class Between(NamedTuple):
    """`value BETWEEN low AND high`."""

    value: Expr
    low: Expr
    high: Expr
    at: int


class In(NamedTuple):
    """`value IN (items)` or, with `query`, of the rows of a SELECT."""

    value: Expr
    items: tuple[Expr, ...]
    query: Query | None
    at: int


class IsNull(NamedTuple):
    """`value IS NULL`, ISNULL."""

    value: Expr


class Case(NamedTuple):
    """CASE [base] WHEN … THEN … [ELSE …] END."""

    base: Expr | None
    whens: tuple[tuple[Expr, Expr], ...]
    default: Expr | None
    at: int


class Cast(NamedTuple):
    """CAST(value AS declared)."""

    value: Expr
    declared: str
    at: int


class Collate(NamedTuple):
    """`value COLLATE name`."""

    value: Expr
    name: str
    at: int


class Over(NamedTuple):
    """A window: its name or its parts; `frame` is the text of ROWS, RANGE or GROUPS …"""

    partition: tuple[Expr, ...]
    order: tuple[Order, ...]
    frame: str


class Call(NamedTuple):
    """A function; `star` for count(*)."""

    name: str
    arguments: tuple[Expr, ...]
    at: int
    star: bool = False
    distinct: bool = False
    order: tuple[Order, ...] = ()
    filter: Expr | None = None
    over: Over | None = None


class Scalar(NamedTuple):
    """`(SELECT …)` as a value, or EXISTS (SELECT …)."""

    query: Query
    exists: bool
    at: int


class Order(NamedTuple):
    """A term of ORDER BY; `nulls` is FIRST, LAST or empty."""

    value: Expr
    down: bool
    nulls: str


class Star(NamedTuple):
    """`*` or `table.*`."""

    table: str | None
    at: int


class Output(NamedTuple):
    """A result column; `text` is how it is written, which SQLite names it by."""

    value: Expr
    alias: str | None
    text: str


class Source(NamedTuple):
    """A table by its name, a subquery, or `inner`: joins in parentheses."""

    name: str
    query: Query | None
    alias: str | None
    inner: tuple[Join, ...]
    at: int


class Join(NamedTuple):
    """How a source is joined to what stands before it: `kind` is INNER, LEFT, RIGHT or FULL."""

    kind: str
    source: Source
    on: Expr | None
    using: tuple[str, ...]
    natural: bool


class Core(NamedTuple):
    """One SELECT without ORDER BY; `rows` are those of VALUES."""

    distinct: bool
    outputs: tuple[Output | Star, ...]
    joins: tuple[Join, ...]
    where: Expr | None
    group: tuple[Expr, ...]
    having: Expr | None
    rows: tuple[tuple[Expr, ...], ...]
    at: int


class Table(NamedTuple):
    """A common table expression."""

    name: str
    columns: tuple[str, ...]
    query: Query
    at: int


class Query(NamedTuple):
    """SELECTs joined by `operators` from left to right, ordered and limited."""

    tables: tuple[Table, ...]
    cores: tuple[Core, ...]
    operators: tuple[str, ...]
    order: tuple[Order, ...]
    limit: Expr | None
    offset: Expr | None
    at: int
