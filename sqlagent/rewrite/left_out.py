"""Arguments that were left out of a call of a table function, as SQLite has to be told of them."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.functions import LEFT_OUT, LEFT_OUT_FROM, functions
from sqlagent.rewrite.context import Context


def left_out(tree: exp.Expr, context: Context) -> exp.Expr:
    """No NULLs at the end, and a marker for those far behind; see functions.LEFT_OUT."""
    known = functions()
    for node in tree.find_all(exp.Anonymous):
        function = known.get(node.name.lower())
        if function is None or function.kind != "table":
            continue
        if len(function.parameters) <= LEFT_OUT_FROM:
            continue
        given = list(node.expressions)
        required = sum(p.required for p in function.parameters)
        while len(given) > required and isinstance(given[-1], exp.Null):
            del given[-1]
        node.set("expressions", [_given(n, value) for n, value in enumerate(given)])
        context.changed = True
    return tree


def _given(place: int, value: exp.Expr) -> exp.Expr:
    marker = exp.HexString(this=LEFT_OUT.hex())
    if place < LEFT_OUT_FROM or isinstance(value, (exp.Literal, exp.HexString)):
        return value
    if isinstance(value, exp.Null):
        return marker
    return exp.func("IFNULL", value.copy(), marker)
