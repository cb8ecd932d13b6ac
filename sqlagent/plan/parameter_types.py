"""The type of each parameter of a statement, from what it meets: nothing is run.

A parameter beside a column has the column's type; in `CAST`, the cast's; in VALUES of an INSERT,
that of the column it goes into; as an argument of a function of ours, the argument's. The module as
a whole is imported lazily: it imports sqlglot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from sqlagent.catalog import Catalog, Column, Table
from sqlagent.errors import Error
from sqlagent.functions import functions
from sqlagent.parse.lexer import lex, statements
from sqlagent.parse.parameters import Numbering
from sqlagent.parse.tree import parse
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.expand import own_names
from sqlagent.rewrite.infer import kind as inferred
from sqlagent.types import is_zoned, logical

_BESIDE = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Add,
    exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.IntDiv, exp.Is,
)  # fmt: skip
_TEXTS = (
    exp.Like, exp.ILike, exp.SimilarTo, exp.RegexpLike, exp.RegexpILike, exp.DPipe, exp.Lower,
    exp.Upper, exp.Trim, exp.Concat, exp.Length, exp.Replace, exp.Glob, exp.Match,
)  # fmt: skip
# What functions of the engine take, where an argument may be no text.
_ENGINE: dict[str, tuple[str | None, ...]] = {
    "generate_series": ("BIGINT", "BIGINT", "BIGINT"), "left": ("VARCHAR", "BIGINT"),
    "sq_generate_series": ("BIGINT", "BIGINT", "BIGINT"), "right": ("VARCHAR", "BIGINT"),
    "repeat": ("VARCHAR", "BIGINT"), "lpad": ("VARCHAR", "BIGINT", "VARCHAR"),
    "rpad": ("VARCHAR", "BIGINT", "VARCHAR"), "split_part": ("VARCHAR", "VARCHAR", "BIGINT"),
    "pg_to_timestamp": ("DOUBLE",), "to_timestamp": ("DOUBLE",),
}  # fmt: skip
_NUMBERED = {"start": "BIGINT", "length": "BIGINT", "times": "BIGINT", "decimals": "BIGINT"}
_BOOLEANS = (exp.And, exp.Or, exp.Not, exp.Where, exp.Having)


def parameter_types(
    sql: str, catalog: Catalog, settings: Mapping[str, Any]
) -> dict[int | str, str | None]:
    """The logical type of each parameter, by its slot: an index from 0, or a name. None: unknown.

    A statement that cannot be parsed has parameters of unknown types: planning says what is wrong.
    """
    tokens = statements(lex(sql))[0]
    numbering = Numbering(sql, tokens)
    found: dict[int | str, str | None] = dict.fromkeys(numbering.slots)
    if not found:
        return found
    dialect = str(settings.get("dialect", "duckdb"))
    try:
        tree, _ = parse(sql, tokens, numbering, dialect, own_names(catalog.definitions))
        context = Context(catalog, dialect, sql, tokens)
        context.names.read(tree)
        for node in tree.find_all(exp.Placeholder):
            slot = numbering.slots[int(node.name[1:]) - 1]
            met = _met(node, tree, context)
            if met not in (None, "NULL", "ANY") and found[slot] is None:
                found[slot] = met
    except Error:
        pass
    return found


def _met(node: exp.Expr, tree: exp.Expr, context: Context) -> str | None:
    """What the place of a parameter says of its type."""
    child, parent = node, node.parent
    while isinstance(parent, exp.Paren | exp.Neg | exp.Alias) and parent is not tree:
        child, parent = parent, parent.parent
    if isinstance(parent, exp.Cast):
        from sqlagent.plan.pg_types import cast_type

        exact = cast_type(parent.to) if context.dialect == "postgres" else None
        return exact or logical(parent.to.sql("duckdb"))
    if isinstance(parent, exp.Any | exp.All):
        comparison = parent.parent
        other = _other(comparison, parent) if comparison is not None else None
        inner = kind(other, context) if other is not None else None
        return f"{inner}[]" if inner not in (None, "NULL") else None
    if isinstance(parent, exp.EQ) and (assigned := _assigned(parent, child, context)):
        return assigned
    if isinstance(parent, _BESIDE):
        return _beside(parent, child, context)
    if isinstance(parent, exp.In):
        return kind(parent.this, context) if child is not parent.this else None
    if isinstance(parent, exp.Between):
        if child is not parent.this:
            return kind(parent.this, context)
        return kind(parent.args.get("low"), context)
    if isinstance(parent, exp.Limit | exp.Offset | exp.Fetch):
        return "BIGINT"
    if isinstance(parent, exp.Tuple) and isinstance(parent.parent, exp.Values):
        return _inserted(parent.parent, parent.expressions, child, context)
    if isinstance(parent, exp.Tuple) and isinstance(parent.parent, exp.In):
        return kind(parent.parent.this, context)
    if isinstance(parent, exp.Select) and isinstance(parent.parent, exp.Insert):
        return _inserted(parent, parent.expressions, child, context)
    if isinstance(parent, exp.Kwarg | exp.PropertyEQ) and isinstance(parent.parent, exp.Anonymous):
        return _argument(parent.parent, parent.this.name, None)
    if isinstance(parent, exp.Anonymous):
        place = next((i for i, e in enumerate(parent.expressions) if e is child), None)
        return _argument(parent, None, place)
    if isinstance(parent, exp.Coalesce | exp.Nullif | exp.Greatest | exp.Least):
        return _among(parent, child, context)
    if isinstance(parent, exp.If) and isinstance(parent.parent, exp.Case):
        case = parent.parent
        if child is parent.this:
            return kind(case.this, context) if case.this is not None else "BOOLEAN"
        return _first([i.args["true"] for i in case.args["ifs"]] + [case.args.get("default")],
                      child, context)  # fmt: skip
    if isinstance(parent, exp.Case):
        ifs = parent.args["ifs"]
        if child is parent.this:
            return _first([i.this for i in ifs], child, context)
        return _first([i.args["true"] for i in ifs], child, context)
    if isinstance(parent, exp.Substring | exp.Repeat | exp.Round) and child.arg_key in _NUMBERED:
        return _NUMBERED[child.arg_key]
    if isinstance(parent, exp.Left | exp.Right):
        return "BIGINT" if child.arg_key == "expression" else "VARCHAR"
    if isinstance(parent, exp.GenerateSeries):
        found = _first([parent.args.get(k) for k in ("start", "end")], child, context)
        return "INTERVAL" if child.arg_key == "step" and found != "BIGINT" else found or "BIGINT"
    if isinstance(parent, _TEXTS):
        return "VARCHAR"
    return "BOOLEAN" if isinstance(parent, _BOOLEANS) else None


def _declared(column: Column, context: Context) -> str | None:
    """A column's type: PostgreSQL's own where what the column declares is one."""
    if context.dialect == "postgres" and column.type == "TIMESTAMP" and is_zoned(column.declared):
        return "timestamptz"
    declared = (column.declared or "").strip().lower()
    if context.dialect == "postgres" and column.type == "JSON" and declared.startswith("jsonb"):
        return "jsonb"
    return column.type


def kind(node: exp.Expr | None, context: Context) -> str | None:
    """The type of what a parameter stands beside: PostgreSQL's where a declaration says more."""
    if context.dialect != "postgres":
        return inferred(node, context)
    if isinstance(node, exp.Column):
        column = context.names.column(node)
        if column is not None:
            return _declared(column, context)
        if node.name.lower() == "ctid":
            return "tid"
    found = inferred(node, context)
    if found in ("TIMESTAMP", "JSON"):
        from sqlagent.plan.pg_types import type_of

        exact = type_of(node, context)
        if isinstance(exact, Column):
            return _declared(exact, context)
        return exact if exact in ("timestamptz", "jsonb") else found
    return found


def _other(parent: exp.Expr, child: exp.Expr) -> exp.Expr | None:
    other: exp.Expr | None = parent.args.get("expression")
    return parent.this if other is child else other


def _beside(parent: exp.Expr, child: exp.Expr, context: Context) -> str | None:
    """The type of the other side; what a time is added to or taken from may be an interval."""
    other = _other(parent, child)
    found = kind(other, context) if other is not None else None
    if isinstance(parent, exp.Mul | exp.Div) and found == "INTERVAL":
        return "DOUBLE"
    if isinstance(parent, exp.Add | exp.Sub) and found in (
        "TIMESTAMP", "timestamptz", "DATE", "TIME"
    ):  # fmt: skip
        return "INTERVAL" if child is parent.args.get("expression") else None
    if found is not None and found.startswith("DECIMAL("):
        return "DECIMAL"  # any scale may be compared with it
    return "NUMERIC" if found == "HUGEINT" else found


def _among(parent: exp.Expr, child: exp.Expr, context: Context) -> str | None:
    nodes = [parent.this, *parent.expressions, parent.args.get("expression")]
    return _first(nodes, child, context)


def _first(nodes: list[exp.Expr | None], child: exp.Expr, context: Context) -> str | None:
    """The first type that is known among the others."""
    for node in nodes:
        if node is not None and node is not child:
            found = kind(node, context)
            if found not in (None, "NULL"):
                return found
    return None


def _target(node: exp.Expr | None, context: Context) -> Table | None:
    """The table that a write names."""
    while node is not None and not isinstance(node, exp.Table):
        node = node.this
    return context.catalog.find(node.name, node.db, node.catalog) if node is not None else None


def _assigned(parent: exp.EQ, child: exp.Expr, context: Context) -> str | None:
    """The column of `SET column = $1`."""
    above = parent.parent
    if isinstance(above, exp.OnConflict):
        above = above.parent
    if not isinstance(above, exp.Update | exp.Insert) or child is parent.this:
        return None
    table = _target(above.this, context)
    column = table.column(parent.this.name) if table is not None else None
    return _declared(column, context) if column is not None else None


def _inserted(
    source: exp.Expr, row: list[exp.Expr], child: exp.Expr, context: Context
) -> str | None:
    """The column that a value of an INSERT goes into."""
    above = source.parent
    while isinstance(above, exp.Subquery | exp.Alias):
        above = above.parent
    if not isinstance(above, exp.Insert):
        return None
    table = _target(above.this, context)
    place = next((i for i, value in enumerate(row) if _holds(value, child)), None)
    if table is None or place is None:
        return None
    if isinstance(above.this, exp.Schema):
        names = [c.name for c in above.this.expressions]
        column = table.column(names[place]) if place < len(names) else None
    else:
        column = table.columns[place] if place < len(table.columns) else None
    return _declared(column, context) if column is not None else None


def _holds(value: exp.Expr, child: exp.Expr) -> bool:
    while isinstance(value, exp.Paren | exp.Alias):
        if value is child:
            return True
        value = value.this
    return value is child


def _argument(call: exp.Anonymous, name: str | None, place: int | None) -> str | None:
    """The type of an argument of a function of ours."""
    function = functions().get(call.name.lower())
    if function is None:
        kinds = _ENGINE.get(call.name.lower(), ()) if place is not None else ()
        return kinds[place] if place is not None and place < len(kinds) else None
    if name is not None:
        return next((p.type for p in function.parameters if p.name == name.lower()), None)
    if place is not None and place < len(function.parameters):
        return function.parameters[place].type
    return None
