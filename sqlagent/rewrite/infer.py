"""The logical type of an expression, where the catalog tells it; None where it does not."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from sqlagent.rewrite.context import Context
from sqlagent.types import logical

_BOOLEAN = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between, exp.Exists,
    exp.And, exp.Or, exp.Not, exp.Like, exp.ILike, exp.Boolean, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Glob, exp.Match, exp.Escape,
)  # fmt: skip
_FIXED = {
    "VARCHAR": (exp.DPipe, exp.Trim, exp.Replace, exp.Substring, exp.Lower, exp.Upper, exp.Concat,
                exp.GroupConcat, exp.JSONExtractScalar),
    "DOUBLE": (exp.Exp, exp.Ln, exp.Sqrt, exp.Pow, exp.Avg, exp.Sin, exp.Cos, exp.PercentRank,
               exp.CumeDist),
    "BIGINT": (exp.Count, exp.Length, exp.StrPosition, exp.RowNumber, exp.Rank, exp.DenseRank,
               exp.Ntile, exp.Extract, exp.Year, exp.Month, exp.Day, exp.Sign),
    "TIMESTAMP": (exp.CurrentTimestamp, exp.TimestampTrunc, exp.DateTrunc),
    "DATE": (exp.CurrentDate,),
    "INTERVAL": (exp.Interval,),
}  # fmt: skip
_BY_CLASS: dict[type, str] = {cls: name for name, classes in _FIXED.items() for cls in classes}
_SQ = {
    "sq_strftime": "VARCHAR", "sq_date": "DATE", "sq_datetime": "TIMESTAMP", "sq_time": "TIME",
    "sq_julianday": "DOUBLE", "sq_unixepoch": "BIGINT", "sq_blob": "BLOB", "sq_total": "DOUBLE",
    "now": "TIMESTAMP", "get_current_timestamp": "TIMESTAMP", "sq_printf": "VARCHAR",
    "json_valid": "BOOLEAN", "json_array_length": "BIGINT", "last_insert_rowid": "BIGINT",
    "changes": "BIGINT", "julian": "DOUBLE",
}  # fmt: skip
_SAME = (exp.Paren, exp.Min, exp.Max, exp.Filter, exp.Window, exp.Alias, exp.Lag,
         exp.Lead, exp.FirstValue, exp.LastValue, exp.Nullif, exp.Distinct)  # fmt: skip
INTEGERS = frozenset(("BIGINT", "HUGEINT"))
EXACT_DIGITS = 15  # decimal digits that a float64, which SQLite keeps, tells apart


def kind(node: exp.Expr | None, context: Context) -> str | None:
    """The logical type of `node`; 'NULL' for NULL itself."""
    if isinstance(node, exp.Column):
        found = context.names.column(node)
        return found.type if found else "BIGINT" if node.name.lower() == "rowid" else None
    if isinstance(node, exp.Literal):
        return _literal(node)
    if isinstance(node, exp.Null):
        return "NULL"
    if isinstance(node, _BOOLEAN):
        return "BOOLEAN"
    if isinstance(node, exp.DPipe) and any(
        is_null(s) or kind(s, context) == "NULL" for s in (node.this, node.expression)
    ):
        return "NULL"  # DuckDB folds it before it looks at types
    if isinstance(node, (exp.Abs, exp.Neg)):
        given = kind(node.this, context)
        if is_decimal(given):
            return "NULL" if is_null(node.this) else given
        return "BIGINT" if given == "NULL" else given
    if isinstance(node, _SAME):
        return kind(node.this, context)
    if isinstance(node, exp.Cast):
        return logical(node.to.sql("duckdb"))
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Mod)):
        return _arithmetic(node, kind(node.this, context), kind(node.expression, context))
    if isinstance(node, (exp.Div, exp.IntDiv)):
        whole = isinstance(node, exp.IntDiv) or node.args.get("typed")
        both = {kind(node.this, context), kind(node.expression, context)}
        if whole and both <= INTEGERS:
            return "HUGEINT" if "HUGEINT" in both else "BIGINT"
        return "DOUBLE"
    if isinstance(node, (exp.Floor, exp.Ceil)):
        return None if is_decimal(kind(node.this, context)) else "DOUBLE"
    if isinstance(node, exp.Coalesce):
        return _common([node.this, *node.expressions], context)
    if isinstance(node, exp.Case):
        return _common(
            [i.args["true"] for i in node.args["ifs"]] + [node.args.get("default")], context
        )
    if isinstance(node, exp.If):
        return _common([node.args["true"], node.args.get("false")], context)
    if isinstance(node, exp.Sum):
        return _sum(kind(node.this, context))
    if isinstance(node, exp.Subquery):
        inner = outputs(node.this, context)
        return inner[0][1] if inner is not None and len(inner) == 1 else None
    if isinstance(node, exp.Anonymous):
        if node.name.lower() == "sq_unixepoch" and any(
            a.name.lower() in ("subsec", "subsecond") for a in node.expressions
        ):
            return "DOUBLE"
        return _call(node.name.lower())
    return _BY_CLASS.get(type(node)) if node is not None else None


def _literal(node: exp.Literal) -> str:
    """DuckDB gives a number with a point an exact decimal type."""
    if node.is_string:
        return "VARCHAR"
    text = node.name.lower()
    if "e" in text and not text.startswith("0x"):
        return "DOUBLE"
    if "." not in text:
        number = int(text, 0) if text.startswith("0x") else int(text.replace("_", ""))
        return "BIGINT" if number < 1 << 63 else "HUGEINT" if number < 1 << 127 else "DOUBLE"
    whole, _, part = text.partition(".")
    return f"DECIMAL({len(whole + part)},{len(part)})" if len(whole + part) < 39 else "DOUBLE"


# DuckDB folds these to NULL where an argument is one.
_STRICT = (exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.Div, exp.IntDiv, exp.Length, exp.Substring,
           exp.Trim, exp.Replace, exp.Lower, exp.Upper, exp.Floor, exp.Ceil)  # fmt: skip


def is_null(node: Any) -> bool:
    """Whether an expression is NULL whatever the row, as its text says."""
    while isinstance(node, (exp.Cast, exp.Paren)):
        node = node.this
    if isinstance(node, (*_STRICT, exp.DPipe, exp.Abs, exp.Neg)):
        return any(map(is_null, node.args.values()))
    return isinstance(node, exp.Null)


def is_decimal(found: str | None) -> bool:
    """Whether a type is a decimal one."""
    return found is not None and found.startswith("DECIMAL")


def digits(found: str) -> tuple[int, int]:
    """The precision and scale of a decimal type."""
    precision, _, scale = found[8:-1].partition(",")
    return int(precision or 18), int(scale or 0)


def _arithmetic(node: exp.Expr, left: str | None, right: str | None) -> str | None:
    """The type of a sum, difference or product."""
    both = {left, right} - {"NULL"}
    if not both:
        return "BIGINT"
    if "NULL" in (left, right) and (both == {"INTERVAL"} or all(map(is_decimal, both))):
        return "NULL"
    if "NULL" in (left, right) and "TIMESTAMP" in both:
        return "TIMESTAMP"
    if both <= INTEGERS:
        return "HUGEINT" if "HUGEINT" in both else "BIGINT"
    if "DOUBLE" in both and all(k in ("DOUBLE", *INTEGERS) or is_decimal(k) for k in both):
        return "DOUBLE"
    if "INTERVAL" in both and both & {"TIMESTAMP", "DATE"}:
        return "TIMESTAMP"
    if both == {"DATE", "BIGINT"}:
        return "DATE"
    if both == {"DATE"} and "NULL" in (left, right):
        return "BIGINT" if left == "NULL" else "DATE"
    if both == {"DATE"} and isinstance(node, exp.Sub):
        return "BIGINT"
    if both == {"TIMESTAMP"} and isinstance(node, exp.Sub):
        return "INTERVAL"
    return None


def common(kinds: set[str | None]) -> str | None:
    """The type that values of several types get where they meet: in CASE, UNION, coalesce().

    >>> common({"BIGINT", "DOUBLE"}), common({"DATE", "TIMESTAMP"}), common({"NULL"})
    ('DOUBLE', 'TIMESTAMP', 'NULL')
    """
    some = kinds - {"NULL"}
    if not some:
        return "NULL"
    if len(some) == 1:
        return next(iter(some))
    if some <= INTEGERS:
        return "HUGEINT"
    if all(map(is_decimal, some)):
        sizes = [digits(k) for k in some if k is not None]
        scale = max(s for _, s in sizes)
        precision = max(p - s for p, s in sizes) + scale
        return f"DECIMAL({precision},{scale})" if precision < 39 else None
    if "DOUBLE" in some and all(k in ("DOUBLE", *INTEGERS) or is_decimal(k) for k in some):
        return "DOUBLE"
    return "TIMESTAMP" if some == {"DATE", "TIMESTAMP"} else None


def _common(nodes: list[exp.Expr | None], context: Context) -> str | None:
    """The common type of several values."""
    return common({kind(n, context) for n in nodes if n is not None})


def outputs(tree: exp.Expr | None, context: Context) -> list[tuple[str, str | None]] | None:
    """The columns of a SELECT, set operation or VALUES: (name, type); None where a * hides them."""
    if isinstance(tree, exp.Subquery):
        return outputs(tree.this, context)
    if isinstance(tree, exp.SetOperation):
        left, right = outputs(tree.left, context), outputs(tree.right, context)
        if left is None or right is None or len(left) != len(right):
            return None
        return [(n, common({a, b})) for (n, a), (_, b) in zip(left, right, strict=True)]
    if isinstance(tree, exp.Values):
        rows = [list(r.expressions) for r in tree.expressions if isinstance(r, exp.Tuple)]
        if not rows or any(len(r) != len(rows[0]) for r in rows):
            return None
        return [
            (f"col{i}", _common(list(c), context)) for i, c in enumerate(zip(*rows, strict=True))
        ]
    if not isinstance(tree, exp.Select):
        return None
    found: list[tuple[str, str | None]] = []
    for output in tree.expressions:
        if isinstance(output, exp.Star) or (isinstance(output, exp.Column) and output.is_star):
            columns = _star(tree, output, context)
            if columns is None:
                return None
            found += columns
        else:
            found.append((output.alias_or_name, kind(output, context)))
    return found


def _star(
    tree: exp.Select, output: exp.Expr, context: Context
) -> list[tuple[str, str | None]] | None:
    """The columns of `*` or `t.*`, where every source is known and no USING merges columns."""
    star = output if isinstance(output, exp.Star) else output.this
    if any(star.args.values()):  # EXCLUDE, REPLACE, RENAME
        return None
    wanted = output.table.lower() if isinstance(output, exp.Column) else ""
    joins = tree.args.get("joins") or []
    if not wanted and any(j.args.get("using") or j.method == "NATURAL" for j in joins):
        return None
    start = tree.args.get("from_")
    nodes = ([start.this] if start else []) + [j.this for j in joins]
    found: list[tuple[str, str | None]] = []
    for node in nodes:
        alias = node.alias_or_name.lower()
        if not alias and isinstance(node, exp.Table):
            alias = node.this.name.lower()
        if wanted and alias != wanted:
            continue
        columns = context.names.source(alias)
        if columns is None:
            return None
        found += [(c.name, c.type) for c in columns]
    return found


def _sum(inner: str | None) -> str | None:
    """A sum is wider than what is summed."""
    if inner in ("BIGINT", "HUGEINT", "BOOLEAN", "NULL"):
        return "HUGEINT"
    if inner is not None and inner.startswith("DECIMAL("):
        return f"DECIMAL(38,{digits(inner)[1]})"
    return "DOUBLE" if inner == "DOUBLE" else None


def _call(name: str) -> str | None:
    """The type that a function by name returns."""
    if name in _SQ:
        return _SQ[name]
    from sqlagent.functions import functions

    function = functions().get(name)
    return function.returns if function is not None and function.kind != "table" else None
