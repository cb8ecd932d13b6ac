"""Intervals: months, days and microseconds, as PostgreSQL has them."""

from __future__ import annotations

import datetime
import re
from typing import Any

from sqlagent.errors import DataError

DAY_US = 86_400_000_000
_UNITS = {
    "y": ("m", 12), "yr": ("m", 12), "year": ("m", 12), "mon": ("m", 1), "month": ("m", 1),
    "decade": ("m", 120), "century": ("m", 1200), "w": ("d", 7), "week": ("d", 7), "d": ("d", 1),
    "day": ("d", 1), "h": ("u", 3_600_000_000), "hr": ("u", 3_600_000_000),
    "hour": ("u", 3_600_000_000), "m": ("u", 60_000_000), "min": ("u", 60_000_000),
    "minute": ("u", 60_000_000), "s": ("u", 1_000_000), "sec": ("u", 1_000_000),
    "second": ("u", 1_000_000), "ms": ("u", 1000), "millisecond": ("u", 1000),
    "us": ("u", 1), "microsecond": ("u", 1),
}  # fmt: skip
_PART = re.compile(
    r"\s*(?:(?P<sign>[+-])?(?P<h>\d+):(?P<m>\d\d)(?::(?P<s>\d\d)(?P<f>\.\d+)?)?"
    r"|(?P<n>[+-]?\d+(?:\.\d+)?)\s*(?P<unit>[a-z]+))",
    re.I,
)
_ISO = re.compile(
    r"P(?:(-?[\d.]+)Y)?(?:(-?[\d.]+)M)?(?:(-?[\d.]+)W)?(?:(-?[\d.]+)D)?"
    r"(?:T(?:(-?[\d.]+)H)?(?:(-?[\d.]+)M)?(?:(-?[\d.]+)S)?)?",
    re.I,
)


def interval_parts(value: Any) -> tuple[int, int, int]:
    """Months, days and microseconds of an interval as the engines give one."""
    if isinstance(value, datetime.timedelta):
        return 0, value.days, value.seconds * 1_000_000 + value.microseconds
    months = getattr(value, "months", None)  # Arrow's month_day_nano
    if months is not None:
        return int(months), int(value.days), int(value.nanoseconds) // 1000
    if isinstance(value, str):
        return parts_of(value)
    raise DataError(f"{value!r:.60} is no interval", sqlstate="22007")


def parts_of(text: str) -> tuple[int, int, int]:
    """Months, days and microseconds of a text, PostgreSQL's or ISO 8601's.

    >>> parts_of("1 year 2 mons -3 days 04:05:06.5"), parts_of("P1DT2H")
    ((14, -3, 14706500000), (0, 1, 7200000000))
    """
    said = text.strip()
    iso = _ISO.fullmatch(said)
    if iso is not None and len(said) > 1:
        years, months, weeks, days, hours, minutes, seconds = (float(g or 0) for g in iso.groups())
        return (
            int(12 * years + months), int(7 * weeks + days),
            round(3.6e9 * hours + 6e7 * minutes + 1e6 * seconds),
        )  # fmt: skip
    total = {"m": 0, "d": 0, "u": 0}
    ago = said.lower().endswith(" ago")
    said = said[:-4] if ago else said
    at = 1 if said.startswith("@") else 0
    if not said[at:].strip():
        raise _wrong(text)
    while at < len(said):
        found = _PART.match(said, at)
        if found is None:
            if not said[at:].strip():
                break
            raise _wrong(text)
        at = found.end()
        if found["h"] is not None:
            clock = (int(found["h"]) * 3600 + int(found["m"]) * 60 + int(found["s"] or 0)) * 10**6
            clock += round(float(found["f"] or 0) * 1e6)
            total["u"] += -clock if found["sign"] == "-" else clock
            continue
        word = found["unit"].lower()
        unit = _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))
        if unit is None:
            raise _wrong(text)
        number = float(found["n"])
        part = number * unit[1]
        total[unit[0]] += int(part) if unit[0] != "u" else round(part)
        if unit[0] == "d":  # a fraction goes down to hours
            total["u"] += round((part - int(part)) * DAY_US)
        elif unit[0] == "m":
            total["d"] += round((part - int(part)) * 30)
    sign = -1 if ago else 1
    return sign * total["m"], sign * total["d"], sign * total["u"]


def _wrong(text: str) -> DataError:
    return DataError(f'invalid input syntax for type interval: "{text}"', sqlstate="22007")


def parse_interval(text: str) -> datetime.timedelta:
    """A text as the engine takes an interval; months are 30 days."""
    months, days, micros = parts_of(text)
    return datetime.timedelta(days=30 * months + days, microseconds=micros)


def spoken(months: int, days: int, micros: int) -> str:
    """IntervalStyle postgres.

    >>> spoken(14, 3, 14706500000), spoken(0, 0, 0), spoken(0, -1, -1000000)
    ('1 year 2 mons 3 days 04:05:06.5', '00:00:00', '-1 days -00:00:01')
    """
    years, left = int(months / 12), months - 12 * int(months / 12)
    parts = [
        f"{n} {word}{'s' if n != 1 else ''}"
        for n, word in ((years, "year"), (left, "mon"), (days, "day"))
        if n
    ]
    if micros or not parts:
        seconds, fraction = divmod(abs(micros), 1_000_000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        clock += f".{fraction:06}".rstrip("0") if fraction else ""
        parts.append(("-" if micros < 0 else "+" if min(months, days) < 0 < micros else "") + clock)
    return " ".join(parts)
