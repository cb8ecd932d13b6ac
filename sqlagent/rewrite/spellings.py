"""The same functions in SQLite's and DuckDB's spellings: said in the words of the engine."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.parse.words import names
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.formats import ALIKE, formatted, letters
from sqlagent.rewrite.infer import kind
from sqlagent.rewrite.modifiers import julian
from sqlagent.rewrite.moments import Moment, duck, lite, moment, of_arguments

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
_SAID = names("total date datetime time julianday unixepoch strftime")
# Scalars of SQLite's own that DuckDB calls, each as `sqlite_` and its name.
SQLITE_ONLY = names(
    "char quote soundex timediff unistr unistr_quote randomblob zeroblob likely unlikely "
    "likelihood sqlite_version sqlite_source_id json_array_insert json_error_position json_insert "
    "json_patch json_remove json_replace json_set"
)
_MOMENTS = (
    exp.CurrentTimestamp, exp.CurrentDate, exp.Add, exp.Sub, exp.TimestampTrunc, exp.DateTrunc,
    exp.Cast,
)  # fmt: skip

# The classes that `_new` looks at, for each engine: no other is visited.
_SAID_DUCKDB: tuple[type[exp.Expr], ...] = (
    exp.Anonymous, exp.CurrentTimestamp, exp.Is, exp.Glob, exp.RegexpLike, exp.If, exp.Column,
    exp.Identifier,
)  # fmt: skip
_SAID_SQLITE: tuple[type[exp.Expr], ...] = (exp.Anonymous, exp.Extract, *_PART_CLASSES, *_MOMENTS)


def spellings(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every function in the spelling of the engine; `changed` where the text no longer stands."""
    for _ in range(8):  # a call within a call becomes visible once the outer one is said
        tree, again = _round(tree, context)
        if not again:
            return tree
    if context.engine == "sqlite":
        context.doubts.append("times nested too deeply")
    return tree


def _round(tree: exp.Expr, context: Context) -> tuple[exp.Expr, bool]:
    """One walk over the tree; whether what it put in may hold more to say."""
    again = False
    said = _SAID_SQLITE if context.engine == "sqlite" else _SAID_DUCKDB
    for node in list(tree.find_all(*said)):
        new = _new(node, context)
        if new is None or new == node:
            continue
        if not _only_renamed(node, new) or context.dialect != context.engine:
            context.changed = True
        if node is tree:
            tree = new
        else:
            node.replace(new)
        again = again or any(n.name[:3] == "sq_" for n in new.find_all(exp.Anonymous))
        again = again or (context.engine == "sqlite" and _unsaid(new, context))
    return tree, again


def _unsaid(new: exp.Expr, context: Context) -> bool:
    """Whether times stand within what was put in: their places in the walk are gone."""
    inner = new.find_all(*_MOMENTS, exp.Extract, *_PART_CLASSES)
    return any(
        not isinstance(n, _MOMENTS) or kind(n, context) in ("TIMESTAMP", "DATE") for n in inner
    )


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
        if isinstance(node, exp.Is) and not isinstance(node.expression, (exp.Null, exp.Boolean)):
            if isinstance(node.expression, exp.Var | exp.JSON):
                return None
            return exp.NullSafeEQ(this=node.this.copy(), expression=node.expression.copy())
        if isinstance(node, exp.Glob) and "[^" in node.expression.name:
            # SQLite's class of other characters; DuckDB's is [!…].
            arguments = [node.expression.copy(), node.this.copy()]
            return exp.Anonymous(this="sqlite_glob", expressions=arguments)
        if isinstance(node, exp.RegexpLike):
            context.changed = True  # `a REGEXP b` is regexp_matches(a, b)
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
        outer = node.parent
        inner = isinstance(outer, exp.Anonymous) and (
            outer.name[:3] == "sq_" or outer.name == "epoch_us"
        )
        found = None if inner else moment(node, context)
        if found is None:
            return None
        return lite(found, context) if context.engine == "sqlite" else duck(found, context)
    if context.engine != "sqlite" and name in SQLITE_ONLY:
        return _of_sqlite(name, node.expressions, context)
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
    if word in ("printf", "format"):
        return _printf(word, arguments, context)
    if context.engine != "sqlite" and word in SQLITE_ONLY:
        return _of_sqlite(word, arguments, context)
    if context.engine == "sqlite" or word not in _SAID:
        return exp.Anonymous(this=word, expressions=[a.copy() for a in arguments])
    if word == "total":
        real = exp.cast(arguments[0].copy(), "DOUBLE")
        return exp.Coalesce(
            this=exp.Sum(this=real), expressions=[exp.cast(exp.Literal.number(0), "DOUBLE")]
        )
    found = _native(arguments, context)
    here = duck(found, context) if found is not None else None
    if here is None:
        return _typed(word, _of_sqlite(word, arguments, context), arguments)
    return _duck_time(word, here, arguments)


def _native(arguments: list[exp.Expr], context: Context) -> Moment | None:
    """The moment of a time function's arguments where DuckDB's own functions give the same.

    SQLite gives NULL for a text that is no time, which a cast of DuckDB's would refuse.
    """
    found = of_arguments(arguments, context)
    if found is None or found.base is None or isinstance(found.base, exp.Literal):
        return found
    return found if kind(found.base, context) in ("TIMESTAMP", "DATE") else None


def _of_sqlite(word: str, arguments: list[exp.Expr], context: Context) -> exp.Expr:
    """A call of SQLite's own function from DuckDB."""
    if word in ("likely", "unlikely", "likelihood"):
        return arguments[0].copy()
    given = [
        exp.Anonymous(this="now", expressions=[])
        if word in _SAID and a.name.lower() == "now" and isinstance(a, exp.Literal) else a.copy()
        for a in arguments
    ]  # fmt: skip
    return exp.Anonymous(this=f"sqlite_{word}", expressions=given)


def takes_json(node: exp.Anonymous) -> bool:
    """Whether SQLite's function is given JSON that it knows as such from the function it is of.

    To DuckDB's call of it that would be a text.
    """
    name = node.name.lower().removeprefix("sq_")
    setter = name in SQLITE_ONLY and name.startswith("json")
    return setter and any(_is_json(a) for a in node.expressions[1:])


def _is_json(node: exp.Expr) -> bool:
    made = isinstance(node, (exp.JSONObject, exp.JSONArray, exp.JSONExtract, exp.ParseJSON))
    return made or (
        isinstance(node, exp.Anonymous) and node.name.lower().startswith(("json", "sq_json"))
    )


def _typed(word: str, text: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    """What SQLite's function gives as the type that the same function has on either engine."""
    kinds = {"date": "DATE", "datetime": "TIMESTAMP", "time": "TIME"}
    if word == "unixepoch":
        return text if subsecond(arguments) else exp.cast(text, "BIGINT")
    return exp.cast(text, kinds[word]) if word in kinds else text


def subsecond(arguments: list[exp.Expr]) -> bool:
    """Whether the modifiers of a time function ask for fractions of a second."""
    return any(
        isinstance(a, exp.Literal) and a.name.lower() in ("subsec", "subsecond") for a in arguments
    )


def _duck_time(word: str, here: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    """SQLite's date and time functions by DuckDB's."""
    if word == "julianday":
        return julian(here)
    if word == "unixepoch":
        seconds = exp.Anonymous(this="epoch", expressions=[here])
        if subsecond(arguments):
            return seconds
        return exp.cast(exp.Anonymous(this="floor", expressions=[seconds]), "BIGINT")
    if word == "date":
        return exp.cast(here, "DATE")
    unit = "millisecond" if subsecond(arguments) else "second"
    cut = exp.Anonymous(this="date_trunc", expressions=[exp.Literal.string(unit), here])
    return exp.cast(cut, "TIME" if word == "time" else "TIMESTAMP")


def _printf(word: str, arguments: list[exp.Expr], context: Context) -> exp.Expr | None:
    """printf() is SQLite's on either engine, and so is format() of a text with %; else DuckDB's."""
    form = arguments[0] if arguments else None
    theirs = word == "format" and not (
        isinstance(form, exp.Literal) and "%" in form.name and "{" not in form.name
    )
    if context.engine == "sqlite":
        if theirs and context.dialect != "sqlite" and not context.writes:
            context.doubts.append("format() is DuckDB's")
        return exp.Anonymous(this=word, expressions=[a.copy() for a in arguments])
    if theirs and context.dialect != "sqlite":
        return exp.Anonymous(this="format", expressions=[a.copy() for a in arguments])
    return exp.Anonymous(this="sqlite_printf", expressions=[a.copy() for a in arguments])


def _strftime(arguments: list[exp.Expr], context: Context) -> exp.Expr | None:
    """Either order: `(format, time, modifiers …)` is SQLite's, `(time, format)` DuckDB's."""
    first = arguments[0] if arguments else None
    swapped = len(arguments) == 2 and (
        kind(first, context) in ("TIMESTAMP", "DATE")
        or ("%" in arguments[1].name and "%" not in arguments[0].name)
    )
    form = arguments[1] if swapped else first
    times = [arguments[0]] if swapped else arguments[1:]
    if not isinstance(form, exp.Literal):
        if context.engine == "sqlite" and swapped:
            context.doubts.append("a format that may be DuckDB's")
        name = "strftime" if swapped or context.engine == "sqlite" else "sqlite_strftime"
        return exp.Anonymous(this=name, expressions=[a.copy() for a in arguments])
    found = of_arguments(times, context)
    if swapped and not letters(form.name) <= ALIKE and context.engine == "sqlite":
        context.doubts.append("a format that only DuckDB has")
    if context.engine == "sqlite":
        if found is not None and not isinstance(found.base, exp.Column):
            times = [lite(found, context)]
        return exp.Anonymous(this="strftime", expressions=[form.copy(), *(t.copy() for t in times)])
    if swapped:
        here = duck(found, context) if found is not None else arguments[0].copy()
        given = [here or arguments[0].copy(), form.copy()]
        return exp.Anonymous(this="strftime", expressions=given)
    found = _native(times, context)
    here = duck(found, context) if found is not None else None
    said = formatted(form.name, here) if here is not None else None
    if said is None:
        return _of_sqlite("strftime", [form, *times], context)
    return said
