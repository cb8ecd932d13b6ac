"""Values on their way into columns of lists, structures, intervals and long decimals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlagent.catalog import Column
from sqlagent.errors import DataError
from sqlagent.nested import kept
from sqlagent.types import is_list, is_struct, opaque

if TYPE_CHECKING:
    from sqlagent.plan.route import Router

Stores = tuple[tuple[int, str, str], ...]


def stores(router: Router, tree: exp.Expr) -> Stores:
    """Constants written into such columns become the file's forms; what parameters go there.

    Raises DataError for a constant that does not fit.
    """
    found: list[tuple[int, str, str]] = []
    for value, column in list(_targets(router, tree)):
        kind = column.type or ""
        if isinstance(value, exp.Placeholder):
            found.append((int(value.name[1:]), kind, column.name))
        elif (text := _constant(router, value, kind, column.name)) is not None:
            value.replace(exp.Literal.string(text))
    used = sorted({int(node.name[1:]) for node in tree.find_all(exp.Placeholder)})
    return tuple((used.index(n), kind, name) for n, kind, name in found)


def _targets(router: Router, tree: exp.Expr) -> list[tuple[exp.Expr, Column]]:
    """The values that a write gives, each with its column, where that is of such a type."""
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    table = router.catalog.table(target.name) if isinstance(target, exp.Table) else None
    if table is None or not any(opaque(c.type) for c in table.columns):
        return []
    pairs: list[tuple[exp.Expr, Column | None]] = []
    values = tree.args.get("expression")
    if isinstance(tree, exp.Insert) and isinstance(values, exp.Values):
        names = [c.name for c in tree.this.expressions] if isinstance(tree.this, exp.Schema) else []
        columns = [table.column(n) for n in names] or list(table.columns)
        for row in values.expressions:
            pairs += zip(row.expressions, columns, strict=False)
    assigned: list[exp.Expr] = list(tree.expressions) if isinstance(tree, exp.Update) else []
    conflict = tree.args.get("conflict")
    if conflict is not None:
        assigned += [e for e in conflict.expressions if isinstance(e, exp.EQ)]
    pairs += [(e.expression, table.column(e.this.name)) for e in assigned if isinstance(e, exp.EQ)]
    return [(v, c) for v, c in pairs if c is not None and opaque(c.type)]


def _constant(router: Router, node: exp.Expr, kind: str, column: str) -> str | None:
    """A constant as the file keeps it; None for what stays as it is."""
    if isinstance(node, exp.Cast):
        node = node.this
    if isinstance(node, exp.Interval) and kind == "INTERVAL":
        unit = node.args.get("unit")
        return f"{node.this.name}{' ' + unit.name.lower() if unit is not None else ''}"
    if isinstance(node, exp.Literal) and kind.startswith("DECIMAL"):
        return str(node.name)
    if not (is_list(kind) or is_struct(kind)) or isinstance(node, exp.Null):
        return None
    text = node.name if isinstance(node, exp.Literal) and node.is_string else None
    try:
        return kept(text if text is not None else json.dumps(_value(node)), kind, column)
    except DataError as error:
        error.sql, error.position = router.sql, _position(router, node)
        raise


def _position(router: Router, node: exp.Expr) -> int | None:
    """Where the first constant of a value stands in the user's text."""
    for literal in node.find_all(exp.Literal):
        at = router.sql.find(literal.sql("duckdb"))
        return at if at >= 0 else None
    return None


def _value(node: exp.Expr) -> Any:
    """A constant list or structure as a Python value."""
    if isinstance(node, exp.Array):
        return [_value(e) for e in node.expressions]
    if isinstance(node, exp.Struct):
        return {
            e.this.name: _value(e.expression) for e in node.expressions
            if isinstance(e, exp.PropertyEQ)
        }  # fmt: skip
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Cast):
        return _value(node.this)
    if isinstance(node, exp.Neg):
        return -_value(node.this)
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else json.loads(node.name)
    raise DataError(
        "a list or structure that is written must be constant", hint="Give it as a parameter."
    )
