"""The logical type of an expression, where the catalog tells it; None where it does not."""

from __future__ import annotations

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
               exp.Ntile, exp.IntDiv, exp.Extract, exp.Year, exp.Month, exp.Day),
    "TIMESTAMP": (exp.CurrentTimestamp, exp.TimestampTrunc),
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
_SAME = (exp.Paren, exp.Min, exp.Max, exp.Abs, exp.Neg, exp.Filter, exp.Window, exp.Alias, exp.Lag,
         exp.Lead, exp.FirstValue, exp.LastValue, exp.Floor, exp.Ceil, exp.Nullif)  # fmt: skip


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
    if isinstance(node, _SAME):
        return kind(node.this, context)
    if isinstance(node, exp.Cast):
        return logical(node.to.sql("duckdb"))
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Mod)):
        return _arithmetic(node, kind(node.this, context), kind(node.expression, context))
    if isinstance(node, exp.Div):
        both = (kind(node.this, context), kind(node.expression, context))
        return "BIGINT" if node.args.get("typed") and both == ("BIGINT", "BIGINT") else "DOUBLE"
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
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select):
        inner = node.this.expressions
        return kind(inner[0], context) if len(inner) == 1 else None
    if isinstance(node, exp.Anonymous):
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
        return "BIGINT"
    whole, _, part = text.partition(".")
    return f"DECIMAL({len(whole.lstrip('0') + part) or 1},{len(part)})"


def _arithmetic(node: exp.Expr, left: str | None, right: str | None) -> str | None:
    """The type of a sum, difference or product."""
    both = {left, right}
    if both == {"BIGINT"}:
        return "BIGINT"
    if "DOUBLE" in both and both <= {"DOUBLE", "BIGINT"} | {
        x for x in both if x and x[:7] == "DECIMAL"
    }:
        return "DOUBLE"
    if "INTERVAL" in both and both & {"TIMESTAMP", "DATE"}:
        return "TIMESTAMP"
    if both == {"DATE", "BIGINT"}:
        return "DATE"
    return None


def _common(nodes: list[exp.Expr | None], context: Context) -> str | None:
    """The type that all of several values have."""
    kinds = {kind(n, context) for n in nodes if n is not None} - {"NULL"}
    if kinds == {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    return kinds.pop() if len(kinds) == 1 else None


def _sum(inner: str | None) -> str | None:
    """A sum is wider than what is summed."""
    if inner == "BIGINT":
        return "HUGEINT"
    if inner is not None and inner.startswith("DECIMAL("):
        return f"DECIMAL(38,{inner[8:-1].split(',')[1]})"
    return "DOUBLE" if inner == "DOUBLE" else None


def _call(name: str) -> str | None:
    """The type that a function by name returns."""
    if name in _SQ:
        return _SQ[name]
    from sqlagent.functions import functions

    function = functions().get(name)
    return function.returns if function is not None and function.kind != "table" else None
