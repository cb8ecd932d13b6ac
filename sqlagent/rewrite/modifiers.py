"""SQLite's time modifiers as DuckDB says them: `'-7 day'`, `'start of month'`, `'weekday 1'`.

What is not said here exactly (a computed modifier, `'+01:30'`, a number as the time) is left to
SQLite's own function, which DuckDB calls as `sqlite_date` and its like.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from sqlglot import exp

_STEP = re.compile(r"^\s*([+-]?)\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+?)s?\s*$", re.I)
_SECONDS = {"day": 86400.0, "hour": 3600.0, "minute": 60.0, "second": 1.0}
_MONTHS = {"month": 1, "year": 12}
_IGNORED = frozenset(("subsec", "subsecond", "floor", "ceiling"))
_LOCAL = frozenset(("utc", "localtime"))


def said(here: exp.Expr, steps: Sequence[str | exp.Expr]) -> exp.Expr | None:
    """The TIMESTAMP `here` after `steps`; None where DuckDB has no exact words for one of them."""
    for at, step in enumerate(steps):
        if not isinstance(step, str):
            return None
        word = " ".join(step.lower().split())
        if word in _IGNORED or (word in _LOCAL and is_utc()):
            continue
        floors = at + 1 < len(steps) and steps[at + 1] == "floor"
        after = _one(here, word, floors)
        if after is None:
            return None
        here = after
    return here


def is_utc() -> bool:
    """Whether this machine's local time is UTC, so that `utc` and `localtime` change nothing."""
    return time.timezone == 0 and not time.daylight


def _one(here: exp.Expr, word: str, floors: bool) -> exp.Expr | None:
    """A moment after one modifier."""
    if word in ("start of day", "start of month", "start of year"):
        return trunc(word[9:], here)
    if re.fullmatch(r"weekday [0-6]", word):
        day = _call("date_part", exp.Literal.string("dow"), here)
        ahead = exp.Paren(this=exp.Sub(this=exp.Literal.number(int(word[8]) + 7), expression=day))
        days = exp.cast(exp.Mod(this=ahead, expression=exp.Literal.number(7)), "INT")
        return exp.Paren(this=exp.Add(this=here, expression=_call("to_days", days)))
    found = _STEP.match(word)
    if found is None:
        return None
    count = float(found[2]) * (-1 if found[1] == "-" else 1)
    if (months := _MONTHS.get(found[3])) is not None:
        return _months(here, int(count) * months, floors) if count == int(count) else None
    if (seconds := _SECONDS.get(found[3])) is None:
        return None
    if count == int(count):
        unit = found[3].lower()
        return exp.Paren(this=exp.Add(this=here, expression=_interval(f"{int(count)} {unit}")))
    # As SQLite does: to the nearest millisecond.
    milliseconds = int(count * 1000.0 * seconds + (0.5 if count >= 0 else -0.5))
    return exp.Paren(this=exp.Add(this=here, expression=_interval(f"{milliseconds} milliseconds")))


def _months(here: exp.Expr, count: int, floors: bool) -> exp.Expr:
    """Months later. 31 January and a month is 3 March in SQLite, 28 February with 'floor'."""
    step = _interval(f"{count} months")
    if floors:
        return exp.Paren(this=exp.Add(this=here, expression=step))
    first = trunc("month", here)
    rest = exp.Paren(this=exp.Sub(this=here.copy(), expression=first.copy()))
    return exp.Paren(this=exp.Add(this=exp.Add(this=first, expression=step), expression=rest))


def trunc(unit: str, here: exp.Expr) -> exp.Expr:
    """The start of a unit of time."""
    return _call("date_trunc", exp.Literal.string(unit), here)


def julian(here: exp.Expr) -> exp.Expr:
    """SQLite's julianday(): whole milliseconds by the length of a day, so the same DOUBLE."""
    micros = exp.Add(
        this=_call("epoch_us", here), expression=exp.Literal.number(210_866_760_000_000_500)
    )
    whole = exp.Anonymous(this="divide", expressions=[micros, exp.Literal.number(1000)])
    return exp.Paren(this=exp.Div(this=whole, expression=exp.Literal.number("86400000e0")))


def _interval(text: str) -> exp.Expr:
    return exp.Cast(this=exp.Literal.string(text), to=exp.DataType.build("INTERVAL"))


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[a.copy() for a in arguments])
