"""What SQLite says exactly as DuckDB does. Everything that is not listed here is not alike.

Each entry was measured on both engines over the types that it is allowed for; the differential
test repeats it. Known to differ, so left out: round, lower and upper (ASCII only), greatest and
least (NULL), casts from text (0 or an error), `->>` without its pass, sums of a mix, json_extract.
"""

from __future__ import annotations

from sqlglot import exp

from sqlagent.functions import functions
from sqlagent.plan.alike_names import (
    AGGREGATES,
    EXACT,
    NUMBERS,
    NUMERIC,
    READ_CALLS,
    SQLITE_CALLS,
    TEXTS,
    TEXTUAL,
    WRITE_CALLS,
    WRITE_CLASSES,
)
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import EXACT_DIGITS, digits, is_decimal, kind
from sqlagent.rewrite.times import COMPARISONS, operands
from sqlagent.types import opaque

_JUDGED = (
    *COMPARISONS, exp.Between, exp.In, exp.Anonymous, exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Mod,
    exp.Literal, exp.DPipe, exp.Cast, exp.TableAlias, exp.Star, exp.Ordered, exp.Min, exp.Max,
    exp.Join, exp.Group, exp.Distinct, exp.Limit, exp.Window, exp.Trim, *NUMERIC, *TEXTUAL,
    exp.Sum, exp.Avg, exp.GroupConcat, exp.Floor, exp.Ceil, exp.Select, exp.Interval,
)  # fmt: skip
_TIMELY = (exp.Extract, exp.Year, exp.Month, exp.Day, exp.TimestampTrunc, exp.DateTrunc)
# Alike wherever they stand: most nodes of any tree are of these, and need no look.
_ALWAYS = frozenset(c for c in EXACT if not issubclass(c, (*_JUDGED, *_TIMELY, exp.Nullif)))

__all__ = ["AGGREGATES", "SQLITE_CALLS", "doubts"]


def doubts(tree: exp.Expr, context: Context, writes: bool) -> list[str]:
    """Why SQLite might not say `tree` as DuckDB does: empty where it does."""
    found: list[str] = []
    for node in tree.walk():
        if type(node) in _ALWAYS:
            continue
        reason = _doubt(node, context, writes)
        if reason is not None:
            found.append(reason)
    return found


def _doubt(node: exp.Expr, context: Context, writes: bool) -> str | None:
    """Why SQLite might say one node otherwise; None where it does not."""
    if isinstance(node, (*COMPARISONS, exp.Between, exp.In)):
        return _comparison(node, context)
    if isinstance(node, exp.Nullif) and not writes:
        return _nullif(node, context)
    if isinstance(node, _TIMELY) and not writes:
        inner = node.expression if isinstance(node, exp.Extract) else node.this
        known = kind(inner, context) not in ("NULL", "BIGINT", "HUGEINT", "DOUBLE", "BOOLEAN")
        return None if known else "a part of what may be no time"
    if isinstance(node, exp.Anonymous):
        return _call(node, writes)
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Neg)):
        return _arithmetic(node, context, writes)
    if isinstance(node, exp.Mod):
        both = {kind(node.this, context), kind(node.expression, context)}
        return None if both <= {"BIGINT", "NULL"} else "% of what may not be integers"
    if isinstance(node, exp.Literal) and not node.is_string and kind(node, context) == "HUGEINT":
        return "an integer of more than 64 bits"
    if isinstance(node, exp.DPipe):
        kinds = {kind(node.this, context), kind(node.expression, context)}
        texts = writes or kinds <= TEXTS | {"BIGINT", "HUGEINT"}
        return None if texts else "|| of what may not be texts"
    if isinstance(node, exp.Cast):
        return _cast(node, context, writes)
    if writes and isinstance(node, WRITE_CLASSES):
        return None
    if isinstance(node, exp.TableAlias):
        derived = isinstance(node.parent, exp.Subquery | exp.Values | exp.Table)
        return "column aliases of a source" if node.columns and derived else None
    if isinstance(node, exp.Star):
        return "* EXCLUDE or REPLACE" if any(node.args.values()) else None
    if isinstance(node, (exp.Ordered, exp.Min, exp.Max)) and opaque(kind(node.this, context)):
        return f"an order of {kind(node.this, context)} values"
    if isinstance(node, (exp.Join, exp.Group, exp.Distinct, exp.Limit, exp.Window)):
        return _clause(node, context)
    if isinstance(node, exp.Trim):
        return "trim of given characters" if node.args.get("expression") else None
    if isinstance(node, NUMERIC):
        inner = kind(node.this, context)
        if isinstance(node, exp.Abs) and _is_near(inner):
            return None
        return None if inner in NUMBERS else f"{node.key}() of what may be no number"
    if isinstance(node, TEXTUAL):
        inner = kind(node.this, context)
        return None if inner in TEXTS and len(node.args) <= 4 else f"{node.key}() of no text"
    if isinstance(node, (exp.Sum, exp.Avg, exp.Min, exp.Max, exp.GroupConcat)):
        return _aggregate(node, context)
    if isinstance(node, (exp.Floor, exp.Ceil)):
        return None if kind(node.this, context) == "DOUBLE" else f"{node.key}() of no DOUBLE"
    if isinstance(node, exp.Interval):
        beside = isinstance(node.parent, (exp.Add, exp.Sub)) and node.parent.expression is node
        return None if beside else "an INTERVAL that is added to no time"
    if type(node) in EXACT:
        return _select(node) if isinstance(node, exp.Select) else None
    return f"{_spelled(node)} is DuckDB's"


def _spelled(node: exp.Expr) -> str:
    """A node as the user knows it."""
    return f"{node.sql_name().lower()}()" if isinstance(node, exp.Func) else node.key


def _select(node: exp.Expr) -> str | None:
    """The clauses of SELECT that only DuckDB has."""
    for word in ("qualify", "sample", "laterals", "pivots", "match", "cluster", "sort", "hint"):
        if node.args.get(word):
            return f"{word.upper()} is DuckDB's"
    return None


def _comparison(node: exp.Expr, context: Context) -> str | None:
    """Engines convert types differently before they compare."""
    if isinstance(node, exp.In) and (node.args.get("unnest") or node.args.get("field")):
        return "IN over a list"
    assigns = isinstance(node.parent, (exp.Update, exp.OnConflict))
    if assigns and node.arg_key == "expressions":
        return None
    kinds = {kind(side, context) for side in operands(node)} - {None, "NULL"}
    if any(map(opaque, kinds)):
        return f"a comparison of {' and '.join(sorted(map(str, kinds)))}"
    if kinds & {"TIMESTAMP", "DATE"}:
        return None  # the pass for times sees to them
    if any(map(is_decimal, kinds)):
        # The nearest float64 tells decimals apart up to that many digits, and keeps their order.
        near = all(k in ("BIGINT", "DOUBLE") or _is_near(k) for k in kinds)
        return None if near else "a comparison of decimals"
    if "BOOLEAN" in kinds and len(kinds) > 1:
        return "a comparison of a truth value with another"
    json = any(isinstance(side.unnest(), exp.JSONExtract) for side in operands(node))
    if json and kinds & {"BIGINT", "DOUBLE", "HUGEINT", "BOOLEAN"}:
        return "a comparison of JSON with another type"  # SQLite's -> gives a text, not a number
    if kinds & {"VARCHAR", "JSON", "UUID"} and kinds & {"BIGINT", "DOUBLE", "HUGEINT"}:
        sides = operands(node)
        literal = [s for s in sides if isinstance(s, exp.Literal) and s.is_string]
        numbers = all(
            kind(s, context) in ("BIGINT", "DOUBLE") or (s in literal and _is_number(s.name))
            for s in sides
        )
        # A column's numeric affinity makes a number of the literal, as DuckDB does.
        if not (numbers and any(isinstance(s, exp.Column) for s in sides)):
            return "a comparison of a text with a number"
    return None


def _nullif(node: exp.Nullif, context: Context) -> str | None:
    """nullif() compares as `=` does, and gives the first of one type."""
    kinds = {kind(side, context) for side in operands(node)} - {None, "NULL"}
    if len(kinds) > 1 and kinds & {"TIMESTAMP", "DATE"}:
        return f"nullif() of {' and '.join(sorted(map(str, kinds)))}"
    return _comparison(node, context)


def _is_near(found: str | None) -> bool:
    """Whether a type is a decimal that a float64 tells from its neighbours."""
    return found is not None and is_decimal(found) and digits(found)[0] <= EXACT_DIGITS


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _arithmetic(node: exp.Expr, context: Context, writes: bool) -> str | None:
    """Numbers are alike but for decimals, texts and times."""
    sides = [node.this] if isinstance(node, exp.Neg) else [node.this, node.expression]
    kinds = [kind(s, context) for s in sides]
    if "INTERVAL" in kinds:
        timely = {"TIMESTAMP", "DATE"} & {*kinds}
        return None if timely else "arithmetic of an interval with what may be no time"
    days = node.expression if kinds == ["DATE", "BIGINT"] else None
    if isinstance(days, exp.Literal):
        return None
    if "TIMESTAMP" in kinds or "DATE" in kinds:
        return "arithmetic with times"
    if isinstance(node, exp.Neg) or writes:
        return None
    decimals = [k for k in kinds if k is not None and k.startswith("DECIMAL")]
    if decimals and "DOUBLE" not in kinds:
        return "arithmetic with decimals"
    return None if set(kinds) <= NUMBERS | set(decimals) else "arithmetic with what is no number"


def _cast(node: exp.Expr, context: Context, writes: bool) -> str | None:
    """Only casts that cannot fail and round alike."""
    if isinstance(node, exp.TryCast):
        return "TRY_CAST is DuckDB's"
    to, given = kind(node, context), kind(node.this, context)
    if to == "BIGINT" and not writes and not node.args["to"].is_type("bigint"):
        return f"CAST to {node.args['to'].sql('duckdb')}, whose range is smaller"
    if (
        to in ("TIMESTAMP", "DATE")
        or to == given
        or given == "NULL"
        or isinstance(node.this, exp.Array)
    ):
        return None
    alike = {"VARCHAR": ("BIGINT", "HUGEINT", "JSON", "UUID"), "BIGINT": ("BOOLEAN",),
             "DOUBLE": ("BIGINT", "HUGEINT", "BOOLEAN")}  # fmt: skip
    if to == "DOUBLE" and _is_near(given):
        return None
    if given in alike.get(to or "", ()):
        return None
    if (writes and to in ("VARCHAR", "DOUBLE", "BLOB")) or (writes and given != "DOUBLE"):
        return None
    return f"CAST to {node.args['to'].sql('duckdb')}"


def _clause(node: exp.Expr, context: Context) -> str | None:
    """Forms of joins and groups that only DuckDB has."""
    if isinstance(node, exp.Join):
        word = node.method or (node.kind if node.kind in ("SEMI", "ANTI", "POSITIONAL") else "")
        if node.side in ("RIGHT", "FULL") and _after_comma(node):
            return f"{node.side} JOIN after a comma"  # which binds as tightly there as JOIN
        return f"{word} JOIN" if word and word != "NATURAL" else None
    if isinstance(node, exp.Group):
        if any(opaque(kind(e, context)) for e in node.expressions):
            return "GROUP BY of values that SQLite cannot compare"
        words = [k for k, v in node.args.items() if v and k != "expressions"]
        odd = any(isinstance(e, (exp.Rollup, exp.Cube, exp.GroupingSets)) for e in node.expressions)
        ordinal = any(isinstance(e, exp.Literal) for e in node.expressions)
        return "GROUP BY ALL, ROLLUP or CUBE" if words or (odd and not ordinal) else None
    if isinstance(node, exp.Distinct):
        outputs = node.parent.expressions if isinstance(node.parent, exp.Select) else []
        if any(opaque(kind(e, context)) for e in [*outputs, *node.expressions]):
            return "DISTINCT of values that SQLite cannot compare"
        many = isinstance(node.parent, exp.Count) and len(node.expressions) > 1
        return "DISTINCT ON" if node.args.get("on") or many else None
    if isinstance(node, exp.Limit):
        return "LIMIT n PERCENT" if node.args.get("limit_options") else None
    return None


def _after_comma(node: exp.Join) -> bool:
    """Whether a join follows a comma in its FROM."""
    joins: list[exp.Join] = node.parent.args.get("joins") or [] if node.parent else []
    before = joins[: joins.index(node)] if node in joins else joins
    return any(not (j.side or j.kind or j.method or j.args.get("on") or j.args.get("using"))
               for j in before)  # fmt: skip


def _aggregate(node: exp.Expr, context: Context) -> str | None:
    """Aggregates are alike over numbers, and min and max over anything."""
    inner = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    given = kind(inner, context)
    if isinstance(node, (exp.Min, exp.Max)):
        more = node.args.get("expressions") or node.args.get("count")
        return f"{node.key}() of several arguments" if more else None
    if isinstance(node, exp.GroupConcat):
        plain = given in ("VARCHAR", "BIGINT") and not isinstance(inner, exp.Order)
        return None if plain else "group_concat() of what may be no text"
    numeric = given in ("BIGINT", "DOUBLE", None) or bool(given and given.startswith("DECIMAL("))
    return None if numeric else f"{node.key}() of what may be no number"


def _call(node: exp.Anonymous, writes: bool) -> str | None:
    """Functions that sqlglot has no class for."""
    name = node.name.lower()
    if isinstance(node.parent, exp.Table):
        return None  # a source, which `sources` has judged
    if name in READ_CALLS or name in SQLITE_CALLS or name in functions():
        return None
    return None if writes and name in WRITE_CALLS else f"{name.removeprefix('sq_')}() is DuckDB's"
