"""Where SQLite would give another value than DuckDB, it is made to stop with an error instead.

SQLite turns an integer that overflows into a real, and has NULL for NaN, for a division by zero and
for a root of a negative number. Each such computation is wrapped in a test of its result. A row
that fails it ends the statement with SQLite's error for a JSON path that is none, which carries our
message. The runner then asks DuckDB, which says the row as it is, or fails as it does.
"""

from __future__ import annotations

from sqlglot import exp

from sqlagent.functions import functions
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import INTEGERS, kind

MARK = "sqlagent: "
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Neg)
_PARTIAL = (exp.Ln, exp.Sqrt, exp.Pow, exp.Sin, exp.Cos)
_TESTED = (
    exp.Div, exp.IntDiv, exp.Mod, *_PARTIAL, exp.Lower, exp.Upper, *_ARITHMETIC, exp.Sum, exp.Avg,
    exp.Abs,
)  # fmt: skip
_INT64 = 1 << 63


def checked(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every computation that the engines may say differently, with a test of its result.

    A test is made of the computation as it was before, so that nested ones do not multiply.
    """
    if context.dialect == "sqlite" or (context.writes and not _writes(tree)):
        return tree  # a view's text is kept for every client, as it is written
    found = [(n, t) for n in tree.find_all(*_TESTED) if (t := _test(n, context)) is not None]
    for node, (lost, test) in reversed(found):
        context.checked = context.changed = True
        new = exp.Case(ifs=[exp.If(this=test, true=_error(node, context))])
        if lost:  # only where there is no value, so that a row is computed once
            whole: exp.Expr = exp.Coalesce(
                this=node.copy(), expressions=[_infinite(new, node, context)]
            )
        else:
            new.set("default", _enclosed(node.copy()))
            whole = exp.Paren(this=new)
        node.replace(whole)
    return tree


def _infinite(case: exp.Case, node: exp.Expr, context: Context) -> exp.Expr:
    """In a write, a division by zero is the infinity of its dividend, which SQLite can keep."""
    if not context.writes or not isinstance(node, exp.Div) or context.dialect == "postgres":
        return case
    by_zero = exp.Mul(this=_enclosed(node.this.copy()), expression=exp.Literal.number("9e999"))
    return exp.Case(ifs=[exp.If(this=_is_zero(node.expression), true=by_zero), *case.args["ifs"]])


def _writes(tree: exp.Expr) -> bool:
    return isinstance(tree, (exp.Insert, exp.Update, exp.Delete))


def _test(node: exp.Expr, context: Context) -> tuple[bool, exp.Expr] | None:
    """What is true of a row said wrongly, and whether SQLite then says NULL; None: never."""
    if isinstance(node, (exp.Div, exp.IntDiv)) or (
        isinstance(node, exp.Mod) and context.dialect == "postgres"
    ):
        divisor = _bare(node.expression)
        if isinstance(divisor, exp.Literal) and not divisor.is_string and float(divisor.name):
            return None
        if kind(node, context) in INTEGERS and context.dialect != "postgres":
            return False, _is_real(node)
        return True, _present([node.this, node.expression])
    if isinstance(node, _PARTIAL):
        sides = [node.this, *([node.expression] if node.args.get("expression") else [])]
        return True, _present(sides)
    if isinstance(node, (exp.Lower, exp.Upper)) and not context.writes:
        if _calls(node):
            context.doubts.append(f"{node.key}() of what a function returns")
        return False, _beyond_ascii(node.this)
    if isinstance(node, _ARITHMETIC) and not _inside(node, context):
        return _arithmetic(node, context)
    if isinstance(node, (exp.Sum, exp.Avg)):
        context.checked = True  # SQLite's own error for a sum that overflows
        return _of_sum(node, context)
    if isinstance(node, exp.Abs):
        context.checked = True
    return None


def _calls(node: exp.Expr) -> bool:
    """Whether functions of ours are called, which should not be called twice."""
    known = functions()
    return any(n.name.lower() in known for n in node.find_all(exp.Anonymous))


def _arithmetic(node: exp.Expr, context: Context) -> tuple[bool, exp.Expr] | None:
    """The test of a whole tree of sums and products."""
    found = kind(node, context)
    if found in INTEGERS:
        if all(isinstance(n, exp.Literal) for n in _leaves(node)) and _bound(node) >= 1 << 31:
            context.doubts.append("integers that DuckDB computes in 32 bits")
        return None if _bound(node) < _INT64 or _calls(node) else (False, _is_real(node))
    leaves = [n for n in _leaves(node) if not isinstance(n, exp.Literal)]
    zero = any(isinstance(n, exp.Literal) and not float(n.name) for n in _leaves(node))
    if found != "DOUBLE" or (len(leaves) < 2 and not zero):
        return None  # one operand and constants: an infinity at most, which both engines have
    return True, _present(leaves)


def _of_sum(node: exp.Expr, context: Context) -> tuple[bool, exp.Expr] | None:
    """Infinities of both signs add up to NaN: no sum, of some values."""
    inner = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    if kind(inner, context) != "DOUBLE" or isinstance(node.parent, (exp.Window, exp.Filter)):
        return None
    count = exp.Count(this=inner.copy())
    return True, exp.GT(this=count, expression=exp.Literal.number(0))


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


def _is_zero(node: exp.Expr) -> exp.Expr:
    return exp.EQ(this=_enclosed(node.copy()), expression=exp.Literal.number(0))


def _present(operands: list[exp.Expr]) -> exp.Expr:
    """All operands are there: no result is then DuckDB's NaN, an infinity or an error."""
    tests: list[exp.Expr] = [
        exp.Not(this=exp.Is(this=_enclosed(o.copy()), expression=exp.Null()))
        for o in operands if not isinstance(o, exp.Literal)
    ]  # fmt: skip
    return exp.and_(*tests, copy=False) if tests else exp.Boolean(this=True)


def _beyond_ascii(node: exp.Expr) -> exp.Expr:
    """A text of which SQLite's lower() and upper() know only the ASCII letters."""
    size = exp.Anonymous(this="octet_length", expressions=[node.copy()])
    return exp.NEQ(this=size, expression=exp.Anonymous(this="length", expressions=[node.copy()]))


def _enclosed(node: exp.Expr) -> exp.Expr:
    return exp.Paren(this=node) if isinstance(node, (exp.Binary, exp.Unary)) else node


def _error(node: exp.Expr, context: Context) -> exp.Expr:
    """An expression that fails with our message."""
    message = f"{node.key}() of this value"
    if isinstance(node, (exp.Div, exp.IntDiv, exp.Mod)):
        message = "division by zero" if context.dialect == "postgres" else "a division by zero"
    elif isinstance(node, _ARITHMETIC):
        message = "integer out of range" if kind(node, context) in INTEGERS else "NaN"
    text = exp.Literal.string(MARK + message)
    return exp.Anonymous(this="json_extract", expressions=[exp.Literal.string("0"), text])
