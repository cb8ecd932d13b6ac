"""Vectors: a list of numbers is a float32 little-endian blob in the file, FLOAT[n] in DuckDB."""

from __future__ import annotations

import sys
from array import array

from sqlglot import exp

from sqlagent.rewrite.context import Context


def vectors(tree: exp.Expr, context: Context) -> exp.Expr:
    """On SQLite a constant list, `[1.0, 2.0]` or `[1, 2]::FLOAT[2]`, becomes a blob literal."""
    if context.engine != "sqlite":
        return tree
    for node in list(tree.find_all(exp.Array)):
        numbers = constant(node)
        place = node.parent
        if numbers is None:
            context.doubts.append("a list of what is not constant")
            continue
        target = place if isinstance(place, exp.Cast) else node
        if not _is_vector(target):
            context.doubts.append("a list that is no vector")
            continue
        packed = array("f", numbers)
        if sys.byteorder == "big":
            packed.byteswap()
        new = exp.HexString(this=packed.tobytes().hex())
        if target is tree:
            return new
        target.replace(new)
        context.changed = True
    return tree


def _is_vector(node: exp.Expr) -> bool:
    """Whether a list is given to a function of ours, or is a value that is written."""
    from sqlagent.functions import functions

    outer = node.parent
    if isinstance(outer, exp.Anonymous):
        return outer.name.lower() in functions()
    writes = node.find_ancestor(exp.Insert, exp.Update, exp.Select)
    return isinstance(writes, (exp.Insert, exp.Update)) and isinstance(
        outer, (exp.Tuple, exp.EQ, exp.Paren)
    )


def constant(node: exp.Array) -> list[float] | None:
    """The numbers of a list literal; None where an element is anything else."""
    numbers = []
    for element in node.expressions:
        sign = 1.0
        if isinstance(element, exp.Neg):
            sign, element = -1.0, element.this
        if not isinstance(element, exp.Literal) or element.is_string:
            return None
        numbers.append(sign * float(element.name))
    return numbers or None
