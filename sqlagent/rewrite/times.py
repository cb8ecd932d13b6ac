"""Compare times as times, whatever their form: SQLite's as canonical texts, DuckDB's as such."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import kind
from sqlagent.rewrite.moments import Moment, canonical, duck, lite, moment

COMPARISONS = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ,
)  # fmt: skip


_WHOLE = ("TIMESTAMP", "DATE", "NULL")


def times(tree: exp.Expr, context: Context) -> exp.Expr:
    """Both sides of a comparison with a time in one form."""
    if context.engine == "sqlite":
        tree = _nullifs(tree, context)
    for node in list(tree.find_all(*COMPARISONS, exp.Between, exp.In)):
        if isinstance(node.parent, (exp.Update, exp.OnConflict)) and node.arg_key == "expressions":
            continue  # SET a = b assigns
        sides = operands(node)
        kinds = {kind(side, context) for side in sides}
        if ("TIMESTAMP" in kinds or "DATE" in kinds) and any(map(_julian, sides)):
            for side in sides:
                if kind(side, context) in ("TIMESTAMP", "DATE"):
                    day = exp.Anonymous(this="sq_julianday", expressions=[side.copy()])
                    side.replace(day)
                    context.changed = True
        elif "TIMESTAMP" in kinds or "DATE" in kinds:
            for side in sides:
                _normalise(side, "TIMESTAMP" if "TIMESTAMP" in kinds else "DATE", context)
    return tree


def _nullifs(tree: exp.Expr, context: Context) -> exp.Expr:
    """nullif() of times as the comparison that it is: SQLite's would compare their texts."""
    for node in list(tree.find_all(exp.Nullif)):
        kinds = [kind(side, context) for side in operands(node)]
        if "NULL" in kinds or not {"TIMESTAMP", "DATE"} & {*kinds}:
            continue
        equal = exp.EQ(this=node.this.copy(), expression=node.expression.copy())
        new = exp.Case(ifs=[exp.If(this=equal, true=exp.null())], default=node.this.copy())
        context.changed = True
        tree = new if node is tree else tree
        node.replace(new)
    return tree


def _julian(node: exp.Expr) -> bool:
    """Whether an expression counts in julian days, so that a time beside it is meant as one."""
    return any(n.name.lower() == "sq_julianday" for n in node.find_all(exp.Anonymous))


def operands(node: exp.Expr) -> list[exp.Expr]:
    """What a comparison compares."""
    if isinstance(node, exp.Between):
        return [node.this, node.args["low"], node.args["high"]]
    if isinstance(node, exp.In):
        return [node.this, *node.expressions]
    return [node.this, node.expression]


def _normalise(side: exp.Expr, target: str, context: Context) -> None:
    """One side of a comparison as the engine keeps times."""
    if isinstance(side, (exp.Null, exp.Boolean)):
        return
    found = moment(side, context)
    if found is None and context.engine == "duckdb" and kind(side, context) in _WHOLE:
        return  # a time of DuckDB's own, or what it refuses in its own words
    if found is None:
        context.doubts.append("a comparison of a time with what may be none")
        return
    if context.engine == "duckdb" and context.dialect != "sqlite" and _own(side, context):
        return  # as it stands the engine folds it, and can skip what the statistics rule out
    if context.engine == "sqlite":
        new = _date(found, side, context) if target == "DATE" else lite(found, context)
    elif isinstance(side, exp.Literal):
        # DuckDB reads a literal as the column's type; only an offset would be lost.
        text = side.name.strip()
        if len(text) < 11 or not any(c in text[10:] for c in "Zz+-"):
            canonical(text, context)
            return
        new = duck(found, context) or side
    elif (found.base is side and kind(side, context) in ("TIMESTAMP", "DATE")) or (
        isinstance(side, exp.Placeholder) and target == "DATE"
    ):
        return
    else:
        new = duck(found, context) or side
    if new != side:
        side.replace(new)
        context.changed = True


def _own(side: exp.Expr, context: Context) -> bool:
    """Whether a side is DuckDB's own constant: `DATE '…'`, `TIMESTAMP '…'`, ± intervals."""
    while isinstance(side, (exp.Paren, exp.Add, exp.Sub)):
        if not isinstance(side, exp.Paren) and not isinstance(side.expression, exp.Interval):
            return False
        side = side.this
    if not isinstance(side, exp.Cast) or not isinstance(side.this, exp.Literal):
        return False
    text = side.this.name.strip()
    if not side.to.is_type("date", "timestamp") or any(c in text[10:] for c in "Zz+-"):
        return False  # a cast to TIMESTAMP would drop an offset
    canonical(text, context)
    return True


def _date(found: Moment, side: exp.Expr, context: Context) -> exp.Expr:
    """A date as SQLite's text `YYYY-MM-DD`."""
    if isinstance(found.base, exp.Column) and not found.steps:
        return found.base.copy()
    if isinstance(side, exp.Literal):
        return exp.Literal.string(canonical(side.name, context)[:10])
    full = lite(found, context)
    if isinstance(full, exp.Literal):
        return exp.Literal.string(full.name[:10])
    arguments = full.expressions[1:] if isinstance(full, exp.Anonymous) else [full]
    return exp.Anonymous(this="date", expressions=[a.copy() for a in arguments])
