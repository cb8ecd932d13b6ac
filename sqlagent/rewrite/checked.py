"""Where SQLite would give another value than DuckDB, it is made to stop with an error instead.

SQLite turns an integer that overflows into a real, and has NULL for NaN, for a division by zero and
for a root of a negative number. Each such computation is wrapped in a test of its result; a row that
fails it ends the statement with SQLite's error for a JSON path that is none, which carries our
message. The runner then asks DuckDB, which says the row as it is, or fails as it does.
"""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import INTEGERS, kind

MARK = "sqlagent: "
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Neg)
_PARTIAL = (exp.Ln, exp.Sqrt, exp.Pow, exp.Sin, exp.Cos)
_INT64 = 1 << 63


def checked(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every computation that the engines may say differently, with a test of its result."""
    if context.dialect == "sqlite" or (context.writes and not _writes(tree)):
        return tree  # a view's text is kept for every client, as it is written
    found = [(n, _test(n, context)) for n in tree.walk() if not isinstance(n, exp.Select)]
    for node, test in reversed([f for f in found if f[1] is not None]):
        context.checked = context.changed = True
        new = exp.Case(
            ifs=[exp.If(this=test, true=_error(node, context))], default=_enclosed(node.copy())
        )
        node.replace(exp.Paren(this=new))
    return tree


def _writes(tree: exp.Expr) -> bool:
    return isinstance(tree, (exp.Insert, exp.Update, exp.Delete))


def _test(node: exp.Expr, context: Context) -> exp.Expr | None:
    """What is true of a row that SQLite says wrongly; None for a node that needs no test."""
    if isinstance(node, (exp.Div, exp.IntDiv)):
        divisor = _bare(node.expression)
        if isinstance(divisor, exp.Literal) and not divisor.is_string and float(divisor.name):
            return None
        if kind(node, context) in INTEGERS:
            return _by_zero(node) if context.dialect == "postgres" else _is_real(node)
        return _lost(node, [node.this, node.expression])
    if isinstance(node, _PARTIAL):
        sides = [node.this, *([node.expression] if node.args.get("expression") else [])]
        return _lost(node, sides)
    if isinstance(node, (exp.Lower, exp.Upper)):
        return _beyond_ascii(node.this)
    if isinstance(node, _ARITHMETIC) and not _inside(node, context):
        return _arithmetic(node, context)
    if isinstance(node, (exp.Sum, exp.Avg)):
        context.checked = True  # SQLite's own error for a sum that overflows
        return _of_sum(node, context)
    if isinstance(node, exp.Abs):
        context.checked = True
    return None


def _arithmetic(node: exp.Expr, context: Context) -> exp.Expr | None:
    """The test of a whole tree of sums and products."""
    found = kind(node, context)
    if found in INTEGERS:
        return None if _bound(node) < _INT64 else _is_real(node)
    leaves = [n for n in _leaves(node) if not isinstance(n, exp.Literal)]
    zero = any(isinstance(n, exp.Literal) and not float(n.name) for n in _leaves(node))
    if found != "DOUBLE" or (len(leaves) < 2 and not zero):
        return None  # one operand and constants: an infinity at most, which both engines have
    return _lost(node, leaves)


def _of_sum(node: exp.Expr, context: Context) -> exp.Expr | None:
    """Infinities of both signs add up to NaN: no sum, of some values."""
    inner = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    if kind(inner, context) != "DOUBLE" or isinstance(node.parent, (exp.Window, exp.Filter)):
        return None
    count = exp.Count(this=inner.copy())
    some = exp.GT(this=count, expression=exp.Literal.number(0))
    return exp.And(this=_is_null(node), expression=some)


def _inside(node: exp.Expr, context: Context) -> bool:
    """Whether a node is a part of a larger tree of the same arithmetic."""
    parent = node.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    if not isinstance(parent, _ARITHMETIC):
        return False
    return (kind(parent, context) in INTEGERS) == (kind(node, context) in INTEGERS)


def _leaves(node: exp.Expr) -> list[exp.Expr]:
    """What a tree of arithmetic computes with."""
    if isinstance(node, exp.Paren):
        return _leaves(node.this)
    if isinstance(node, exp.Neg):
        return _leaves(node.this)
    if isinstance(node, _ARITHMETIC):
        return _leaves(node.this) + _leaves(node.expression)
    return [node]


def _bound(node: exp.Expr) -> int:
    """How large an integer tree can become; 2^63 where nothing says so."""
    if isinstance(node, (exp.Paren, exp.Neg)):
        return _bound(node.this)
    if isinstance(node, (exp.Add, exp.Sub)):
        return _bound(node.this) + _bound(node.expression)
    if isinstance(node, exp.Mul):
        return _bound(node.this) * _bound(node.expression)
    if isinstance(node, exp.Literal) and node.name.isdigit():
        return int(node.name)
    if isinstance(node, (exp.Length, exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank)):
        return 1 << 40  # no file has more
    return _INT64


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _is_real(node: exp.Expr) -> exp.Expr:
    """An integer that has become a real has overflowed."""
    call = exp.Anonymous(this="typeof", expressions=[_enclosed(node.copy())])
    return exp.EQ(this=call, expression=exp.Literal.string("real"))


def _by_zero(node: exp.Expr) -> exp.Expr:
    return exp.EQ(this=_enclosed(node.expression.copy()), expression=exp.Literal.number(0))


def _is_null(node: exp.Expr) -> exp.Expr:
    return exp.Is(this=_enclosed(node.copy()), expression=exp.Null())


def _lost(node: exp.Expr, operands: list[exp.Expr]) -> exp.Expr:
    """No result, of operands that are all there: DuckDB has NaN, an infinity or an error."""
    test = _is_null(node)
    for operand in operands:
        if not isinstance(operand, exp.Literal):
            test = exp.And(this=test, expression=exp.Not(this=_is_null(operand)))
    return test


def _beyond_ascii(node: exp.Expr) -> exp.Expr:
    """A text of which SQLite's lower() and upper() know only the ASCII letters."""
    size = exp.Anonymous(this="octet_length", expressions=[node.copy()])
    return exp.NEQ(this=size, expression=exp.Anonymous(this="length", expressions=[node.copy()]))


def _enclosed(node: exp.Expr) -> exp.Expr:
    return exp.Paren(this=node) if isinstance(node, (exp.Binary, exp.Unary)) else node


def _error(node: exp.Expr, context: Context) -> exp.Expr:
    """An expression that fails with our message."""
    message = f"{node.key}() of this value"
    if isinstance(node, (exp.Div, exp.IntDiv)):
        message = "division by zero" if context.dialect == "postgres" else "a division by zero"
    elif isinstance(node, _ARITHMETIC):
        message = "integer out of range" if kind(node, context) in INTEGERS else "NaN"
    text = exp.Literal.string(MARK + message)
    return exp.Anonymous(this="json_extract", expressions=[exp.Literal.string("0"), text])
