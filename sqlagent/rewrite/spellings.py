"""The same functions in SQLite's and DuckDB's spellings: said in the words of the engine."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.parse.words import names
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import kind
from sqlagent.rewrite.moments import Moment, duck, lite, moment, of_arguments

# Format letters that mean the same in both; SQLite's others, and DuckDB's words for them.
_ALIKE = frozenset("YmdHMSjw%")
_DUCK_FORMAT = {"f": "%S.%g", "F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M"}
_PARTS = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M"}
_PART_CLASSES: dict[type, str] = {exp.Year: "year", exp.Month: "month", exp.Day: "day"}
# Names that SQLite takes as they are and DuckDB, somewhere in a statement, only in quotes.
_RESERVED = names(
    "analyse analyze anti any array asc asof asymmetric at authorization binary both by collation "
    "column concurrently cross desc describe do end fetch for freeze full generated glob grant "
    "ilike initially inner lambda lateral leading left like natural offset only outer overlaps "
    "pivot pivot_longer pivot_wider placing positional qualify right semi show similar some "
    "summarize symmetric tablesample trailing unpack unpivot variadic verbose window with"
)
ROWIDS = frozenset(("rowid", "oid", "_rowid_"))
# SQLite's functions that DuckDB has only in other words.
_SAID = names("total date datetime time julianday unixepoch")
_MOMENTS = (
    exp.CurrentTimestamp, exp.CurrentDate, exp.Add, exp.Sub, exp.TimestampTrunc, exp.DateTrunc,
    exp.Cast,
)  # fmt: skip


def spellings(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every function in the spelling of the engine; `changed` where the text no longer stands."""
    for node in list(tree.walk()):
        new = _new(node, context)
        if new is None or new == node:
            continue
        if not _only_renamed(node, new) or context.dialect != context.engine:
            context.changed = True
        if node is tree:
            tree = new
        else:
            node.replace(new)
    return tree


def _only_renamed(node: exp.Expr, new: exp.Expr) -> bool:
    """Whether a function just gets back the name that it has in the text."""
    calls = isinstance(node, exp.Anonymous) and isinstance(new, exp.Anonymous)
    return calls and new.name == node.name[3:] and new.expressions == node.expressions


def _new(node: exp.Expr, context: Context) -> exp.Expr | None:
    """What a node becomes; None where it stays."""
    if isinstance(node, exp.Anonymous):
        return _call(node, context)
    if context.engine != "sqlite":
        if isinstance(node, exp.CurrentTimestamp):
            return duck(Moment(None), context)
        if isinstance(node, exp.If) and not isinstance(node.parent, exp.Case):
            context.changed = True  # iif() is said as CASE
        if isinstance(node, exp.Column) and node.name.lower() in ROWIDS:
            return _rowid(node, context)
        if isinstance(node, exp.Identifier) and node.this.lower() in _RESERVED:
            context.changed = context.changed or not node.quoted
            node.set("quoted", True)
        return None
    if isinstance(node, exp.Extract) or type(node) in _PART_CLASSES:
        return _part(node, context)
    if isinstance(node, _MOMENTS) and kind(node, context) in ("TIMESTAMP", "DATE"):
        found = moment(node, context)
        if found is None:
            context.doubts.append("time arithmetic that only DuckDB has")
            return None
        text = lite(found, context)
        if kind(node, context) == "DATE":
            return exp.Anonymous(this="date", expressions=[text])
        return text
    return None


def _rowid(node: exp.Column, context: Context) -> exp.Expr | None:
    """DuckDB's columns of a table have the key under its own name, and no other row ids."""
    if not context.names.by_alias or context.names.column(node) is not None:
        return None
    key = context.names.rowid(node)
    if key is None or key.lower() in ROWIDS:
        context.doubts.append(f"{node.name} is SQLite's")
        return None
    return exp.column(exp.to_identifier(key, quoted=True), table=node.args.get("table"))


def _part(node: exp.Expr, context: Context) -> exp.Expr | None:
    """A part of a time by strftime(), as a number."""
    unit = _PART_CLASSES.get(type(node)) or node.name.lower()
    found = moment(node.expression if isinstance(node, exp.Extract) else node.this, context)
    if found is None or unit not in _PARTS:
        context.doubts.append(f"the part {unit} of a time")
        return None
    arguments = [exp.Literal.string(_PARTS[unit]), lite(found, context)]
    return exp.cast(exp.Anonymous(this="strftime", expressions=arguments), "BIGINT")


def _call(node: exp.Anonymous, context: Context) -> exp.Expr | None:
    """A function by name in the words of the engine."""
    name = node.name.lower()
    if name in ("now", "get_current_timestamp"):
        found = moment(node, context)
        if found is not None and not isinstance(node.parent, exp.Anonymous):
            return lite(found, context) if context.engine == "sqlite" else duck(found, context)
        return None
    if not name.startswith("sq_"):
        return None
    word, arguments = name[3:], node.expressions
    if word == "blob":
        text = arguments[0].name
        if context.engine == "sqlite":
            return exp.HexString(this=text)
        return exp.Anonymous(this="from_hex", expressions=[exp.Literal.string(text)])
    if word == "strftime":
        return _strftime(arguments, context)
    if context.engine == "sqlite" or word not in _SAID:
        return exp.Anonymous(this=word, expressions=[a.copy() for a in arguments])
    if word == "total":
        real = exp.cast(arguments[0].copy(), "DOUBLE")
        return exp.Coalesce(
            this=exp.Sum(this=real), expressions=[exp.cast(exp.Literal.number(0), "DOUBLE")]
        )
    found = of_arguments(arguments, context)
    if found is None:
        context.doubts.append(f"{word}() of what may be no time")
        return None
    return _duck_time(word, duck(found, context))


def _duck_time(word: str, here: exp.Expr) -> exp.Expr:
    """SQLite's date and time functions by DuckDB's."""
    if word == "julianday":
        # DuckDB's days begin at midnight, SQLite's (and astronomers') at noon.
        julian = exp.Anonymous(this="julian", expressions=[here])
        return exp.Paren(this=exp.Sub(this=julian, expression=exp.Literal.number("5e-1")))
    if word == "unixepoch":
        seconds = exp.Anonymous(
            this="floor", expressions=[exp.Anonymous(this="epoch", expressions=[here])]
        )
        return exp.cast(seconds, "BIGINT")
    if word == "date":
        return exp.cast(here, "DATE")
    second = exp.Anonymous(this="date_trunc", expressions=[exp.Literal.string("second"), here])
    return exp.cast(second, "TIME") if word == "time" else second


def _strftime(arguments: list[exp.Expr], context: Context) -> exp.Expr | None:
    """Either order: `(format, time, modifiers …)` is SQLite's, `(time, format)` DuckDB's."""
    swapped = len(arguments) == 2 and "%" in arguments[1].name and "%" not in arguments[0].name
    form = arguments[1] if swapped else arguments[0] if arguments else None
    if not isinstance(form, exp.Literal):
        context.doubts.append("strftime with a format that is not constant")
        return None
    letters = {a for a, b in zip(form.name[1:], form.name, strict=False) if b == "%"}
    times = [arguments[0]] if swapped else arguments[1:]
    found = of_arguments(times, context)
    if swapped and not letters <= _ALIKE and context.engine == "sqlite":
        context.doubts.append("a format that only DuckDB has")
    if context.engine == "sqlite":
        if found is not None and not isinstance(found.base, exp.Column):
            times = [lite(found, context)]
        return exp.Anonymous(this="strftime", expressions=[form.copy(), *(t.copy() for t in times)])
    if found is None or (not swapped and not letters <= _ALIKE | set(_DUCK_FORMAT)):
        context.doubts.append("a time or a format that only SQLite has")
        return None
    text = form.name
    if not swapped:
        for letter, word in _DUCK_FORMAT.items():
            text = text.replace("%" + letter, word)
    return exp.Anonymous(
        this="strftime", expressions=[duck(found, context), exp.Literal.string(text)]
    )
