"""Inline functions whose body is an SQL expression: they run at native speed on either engine."""

from __future__ import annotations

from sqlglot import exp, parse_one

from sqlagent.errors import DataError
from sqlagent.functions import functions
from sqlagent.rewrite.context import Context

_LEAVES = (exp.Column, exp.Literal, exp.Placeholder, exp.Null, exp.Boolean, exp.Paren)


def macros(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every call of a macro as its body, parenthesised, with the arguments in place of its names.

    The innermost call goes first, so that a macro may be an argument of another, and a body may
    call one; a macro that calls itself is refused by its definition.
    """
    known = functions()
    for _ in range(16):
        calls = [
            n for n in tree.find_all(exp.Anonymous)
            if (f := known.get(n.name.lower())) is not None and f.kind == "macro"
        ]  # fmt: skip
        if not calls:
            return tree
        if not context.names.by_alias:
            context.names.read(tree)
        for node in reversed(calls):
            function = known[node.name.lower()]
            values = dict(zip((p.name for p in function.parameters), node.expressions, strict=True))
            _check(values, context)
            body = exp.Paren(this=parse_one(function.body_sql or "NULL", dialect="duckdb"))
            for literal in list(body.find_all(exp.Literal)):
                _double(literal)
            for column in list(body.find_all(exp.Column)):
                value = values.get(column.name.lower())
                if value is not None and not column.table:
                    copy = value.copy()
                    if isinstance(copy, exp.Literal):
                        _double(copy)
                    column.replace(copy if isinstance(copy, _LEAVES) else exp.Paren(this=copy))
            tree = _put(tree, node, body)
            context.functions.discard(function.name)
            context.changed = True
    return tree


def _check(values: dict[str, exp.Expr], context: Context) -> None:
    """Raise DataError for a column that is no number: an engine would name operators, not it."""
    for name, value in values.items():
        known = context.names.column(value) if isinstance(value, exp.Column) else None
        if known is not None and known.type in ("VARCHAR", "BLOB", "JSON", "UUID", "TIMESTAMP"):
            raise DataError(
                f'{name} is a number, not "{known.name}", which is {known.type}',
                sql=context.sql, position=context.position(value.name),
            )  # fmt: skip


def _double(node: exp.Literal) -> None:
    """`0.1` as `0.1e0`: a DOUBLE in both engines, where DuckDB would make it an exact decimal."""
    if not node.is_string and "." in node.name and "e" not in node.name.lower():
        node.set("this", node.name + "e0")


def _put(tree: exp.Expr, node: exp.Expr, new: exp.Expr) -> exp.Expr:
    """Replace a call by its body; an output keeps the name of the call."""
    if node is tree:
        return new
    outer = node.parent
    if isinstance(outer, (exp.Select,)) and node.arg_key == "expressions":
        # An output that has no alias keeps the name that the call gives it.
        new = exp.alias_(new, node.name)
    node.replace(new)
    return tree
