"""A point in time as a base and steps from it: what both engines' expressions come down to."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from sqlglot import exp

from sqlagent.errors import DataError
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import kind
from sqlagent.rewrite.modifiers import said

FORMAT = "%Y-%m-%d %H:%M:%f"
_FULL = (
    FORMAT,
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%fZ",
    "%Y-%m-%dT%H:%M:%SZ",
)
_UNITS = ("year", "month", "day", "hour", "minute", "second")


class Moment(NamedTuple):
    """`base` is None for now; a step is a modifier of SQLite's as text, or an expression."""

    base: exp.Expr | None
    steps: tuple[str | exp.Expr, ...] = ()

    def then(self, *steps: str | exp.Expr) -> Moment:
        """The moment after further steps."""
        return Moment(self.base, (*self.steps, *steps))


def moment(node: exp.Expr, context: Context) -> Moment | None:
    """What a time expression says; None for one that is no time, such as a number."""
    if isinstance(node, exp.Paren):
        return moment(node.this, context)
    if isinstance(node, exp.Null):
        return Moment(node)
    if isinstance(node, exp.CurrentTimestamp):
        return Moment(None)
    if isinstance(node, exp.CurrentDate):
        return Moment(None, ("start of day",))
    if isinstance(node, (exp.Add, exp.Sub)) and isinstance(node.expression, exp.Interval):
        if kind(node.this, context) == "NULL":
            return None  # DuckDB cannot tell whether a date or a time is meant
        inner, step = (
            moment(node.this, context),
            interval(node.expression, isinstance(node, exp.Sub)),
        )
        return inner.then(*step) if inner and step is not None else None
    if isinstance(node, (exp.Add, exp.Sub)) and kind(node.this, context) == "DATE":
        days = node.expression
        inner = (
            moment(node.this, context) if isinstance(days, exp.Literal) and days.is_int else None
        )
        sign = "-" if isinstance(node, exp.Sub) else "+"
        return inner.then(f"{sign}{days.name} day") if inner else None
    if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast):
        to = kind(node, context)
        inner = moment(node.this, context) if to in ("TIMESTAMP", "DATE") else None
        return inner.then("start of day") if inner and to == "DATE" else inner
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc):
        if kind(node.this, context) == "NULL":
            return None
        unit = node.args["unit"].name.lower()
        inner = moment(node.this, context) if unit in ("year", "month", "day") else None
        return inner.then(f"start of {unit}") if inner else None
    if isinstance(node, exp.Anonymous):
        return _call(node, context)
    if isinstance(node, exp.Literal):
        return Moment(node) if node.is_string else None
    if isinstance(node, exp.Column | exp.Placeholder):
        return Moment(node)
    return Moment(node) if kind(node, context) in ("TIMESTAMP", "DATE") else None


def _call(node: exp.Anonymous, context: Context) -> Moment | None:
    """The moment that a function gives; None for one of something else."""
    name, arguments = node.name.lower(), node.expressions
    if name in ("now", "get_current_timestamp", "current_timestamp") and not arguments:
        return Moment(None)
    if name == "sq_strftime" and arguments and arguments[0].name in _FULL:
        return of_arguments(arguments[1:], context)
    if name in ("sq_datetime", "sq_date"):
        found = of_arguments(arguments, context)
        if found is None or (isinstance(found.base, exp.Literal) and not found.base.is_string):
            return Moment(node)  # SQLite's own function says it
        return found.then("start of day") if name == "sq_date" else found
    return Moment(node) if kind(node, context) in ("TIMESTAMP", "DATE") else None


def of_arguments(arguments: list[exp.Expr], context: Context) -> Moment | None:
    """`(time, modifier, …)` as SQLite's functions take them; no arguments mean now."""
    if not arguments:
        return Moment(None)
    first = arguments[0]
    if isinstance(first, exp.Literal) and first.name.lower() == "now":
        base: Moment | None = Moment(None)
    else:
        base = moment(first, context)
    steps = [a.name if isinstance(a, exp.Literal) else a for a in arguments[1:]]
    return base.then(*steps) if base else None


def interval(node: exp.Interval, negative: bool) -> list[str | exp.Expr] | None:
    """`INTERVAL 7 DAY` and `INTERVAL '1 month 2 days'` as SQLite's modifiers."""
    this, unit = node.this, node.args.get("unit")
    if isinstance(this, exp.Paren):
        this = this.this
    if not isinstance(this, exp.Literal):
        return None
    text = f"{this.name} {unit.name}" if unit is not None else this.name
    steps: list[str | exp.Expr] = []
    for sign, count, word in re.findall(r"([+-]?)\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)", text):
        word = word.lower().rstrip("s")
        count, word = (str(int(count) * 7), "day") if word == "week" else (count, word)
        if word not in _UNITS:
            return None
        steps.append(f"{'-' if (sign == '-') is not negative else '+'}{count} {word}")
        if word in ("month", "year"):
            steps.append("floor")
    return steps or None


def canonical(text: str, context: Context, node: exp.Expr | None = None) -> str:
    """A time in any ISO form as the file keeps it: UTC, `YYYY-MM-DD HH:MM:SS.SSS`.

    Raises DataError for what is no time.
    """
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError:
        at = context.sql.find("'" + text.replace("'", "''") + "'")
        raise DataError(
            f"expected a time such as 2026-01-31 12:00:00, not '{text}'",
            sql=context.sql, position=at if at >= 0 else None, sqlstate="22007",
        ) from None  # fmt: skip
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    spec = "microseconds" if value.microsecond % 1000 else "milliseconds"
    return value.isoformat(" ", spec)


def lite(found: Moment, context: Context) -> exp.Expr:
    """The moment as SQLite's canonical text."""
    base = found.base
    if base is None:
        base = exp.Literal.string("now")
    elif isinstance(base, exp.Literal):
        base = exp.Literal.string(canonical(base.name, context))
        if not found.steps:
            return base
    elif isinstance(base, exp.Column) and not found.steps:
        declared = kind(base, context)
        if declared == "TIMESTAMP" and context.names.canonical(base):
            return base.copy()
    steps = [exp.Literal.string(s) if isinstance(s, str) else s.copy() for s in found.steps]
    arguments = [exp.Literal.string(FORMAT), base.copy(), *steps]
    return exp.Anonymous(this="strftime", expressions=arguments)


def duck(found: Moment, context: Context) -> exp.Expr | None:
    """The moment as a TIMESTAMP of DuckDB; None where only SQLite's own functions say it."""
    base = found.base
    if base is None:
        here: exp.Expr = _micros(exp.Anonymous(this="now", expressions=[]))
    elif isinstance(base, exp.Literal):
        if not base.is_string:
            return None
        here = exp.cast(exp.Literal.string(canonical(base.name, context)), "TIMESTAMP")
    elif (declared := kind(base, context)) in ("TIMESTAMP", "DATE"):
        here = base.copy()
        if declared == "DATE" and found.steps:
            here = exp.cast(here, "TIMESTAMP")
    else:
        # By way of TIMESTAMPTZ, so that an offset in a text counts: its cast to TIMESTAMP drops it.
        here = _micros(exp.Cast(this=base.copy(), to=exp.DataType.build("TIMESTAMPTZ")))
    return said(here, found.steps)


def _micros(node: exp.Expr) -> exp.Expr:
    """A TIMESTAMP WITH TIME ZONE as UTC's TIMESTAMP, whatever the session's zone."""
    inner = exp.Anonymous(this="epoch_us", expressions=[node])
    return exp.Anonymous(this="make_timestamp", expressions=[inner])
