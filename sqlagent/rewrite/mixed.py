"""Values of several types where they meet: in CASE, coalesce() and set operations.

DuckDB gives them one type; SQLite leaves each as it is, so that an integer must be made a real.
"""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import (
    EXACT_DIGITS,
    INTEGERS,
    common,
    digits,
    is_decimal,
    kind,
    outputs,
)


def mixed(tree: exp.Expr, context: Context) -> exp.Expr:
    """Branches and outputs cast to the type that all of them have together."""
    if context.dialect == "sqlite":
        return tree
    for node in list(tree.find_all(exp.Case, exp.Coalesce, exp.If)):
        if isinstance(node, exp.If) and isinstance(node.parent, exp.Case):
            continue
        _meet(branches(node), context)
    for operation in tree.find_all(exp.SetOperation):
        _united(operation, context)
    return tree


def branches(node: exp.Expr) -> list[exp.Expr]:
    """The values that one of which a CASE, IF or coalesce() gives."""
    if isinstance(node, exp.Coalesce):
        return [node.this, *node.expressions]
    if isinstance(node, exp.Case):
        found = [i.args["true"] for i in node.args["ifs"]]
    else:
        found = [node.args["true"]]
    other = node.args.get("default") or node.args.get("false")
    return found + ([other] if other is not None else [])


def _meet(nodes: list[exp.Expr], context: Context) -> None:
    """Cast values to their common type, or doubt that SQLite can."""
    kinds = [kind(n, context) for n in nodes]
    some = set(kinds) - {"NULL", None}
    if len(some) < 2 or some <= INTEGERS or _near(some):
        return
    if not ("DOUBLE" in some and all(k in ("DOUBLE", *INTEGERS) or is_decimal(k) for k in some)):
        context.doubts.append(
            f"values of the types {' and '.join(sorted(map(str, some)))} together"
        )
        return
    for node, found in zip(nodes, kinds, strict=True):
        if found not in ("DOUBLE", "NULL", None):
            node.replace(exp.cast(node.copy(), "DOUBLE"))
            context.changed = True


def _near(kinds: set[str | None]) -> bool:
    """Whether all are decimals that float64s tell apart: rows get the common scale as they go."""
    found = common(kinds) if all(map(is_decimal, kinds)) else None
    return found is not None and digits(found)[0] <= EXACT_DIGITS


def _united(node: exp.SetOperation, context: Context) -> None:
    """The outputs of both sides in one type."""
    left, right = outputs(node.left, context), outputs(node.right, context)
    if left is None or right is None or len(left) != len(right):
        context.doubts.append("a set operation of columns whose types are not known")
        return
    for place, ((_, a), (_, b)) in enumerate(zip(left, right, strict=True)):
        some = {a, b} - {"NULL", None}
        if len(some) < 2 or some <= INTEGERS or _near(some):
            continue
        reals = "DOUBLE" in some and all(k in ("DOUBLE", *INTEGERS) for k in some)
        sides = [s for s, k in ((node.left, a), (node.right, b)) if k != "DOUBLE"]
        if not reals or not all(_to_real(s, place) for s in sides):
            types = " and ".join(sorted(map(str, some)))
            context.doubts.append(f"a set operation of the types {types}")
            return
        context.changed = True


def _to_real(side: exp.Expr, place: int) -> bool:
    """Cast one output of a SELECT; whether that could be done."""
    if not isinstance(side, exp.Select) or any(e.is_star for e in side.expressions):
        return False
    output = side.expressions[place]
    inner = output.this if isinstance(output, exp.Alias) else output
    new = exp.cast(inner.copy(), "DOUBLE")
    output.replace(
        exp.alias_(new, output.alias_or_name, quoted=True) if output.alias_or_name else new
    )
    return True
