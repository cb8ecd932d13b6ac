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
_YEARS = re.compile(r"\s*(?P<sign>[+-]?)(?P<y>\d+)-(?P<m>\d+)(?=\s|$)\s*")
_DAYS = re.compile(r"^\s*([+-]?\d+)\s+([+-]?\d+:\d\d)")


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
    >>> parts_of("1-2"), parts_of("3 4:05:06")
    ((14, 0, 0), (0, 3, 14706000000))
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
    standard = _YEARS.match(said)  # SQL's own: years-months, then days before a clock
    if standard is not None:
        size = 12 * int(standard["y"]) + int(standard["m"])
        total["m"] = -size if standard["sign"] == "-" else size
        said = said[standard.end() :]
    said = _DAYS.sub(r"\1 days \2", said)
    if standard is not None and not said.strip():
        return total["m"], 0, 0
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


def spoken_iso(months: int, days: int, micros: int) -> str:
    """IntervalStyle iso_8601.

    >>> spoken_iso(14, 3, 14706500000), spoken_iso(0, -1, 0), spoken_iso(0, 0, 0)
    ('P1Y2M3DT4H5M6.5S', 'P-1D', 'PT0S')
    """
    years, left, hours, minutes, seconds = _fields(months, micros)
    text = "".join(f"{n}{u}" for n, u in ((years, "Y"), (left, "M"), (days, "D")) if n)
    clock = "".join(f"{n}{u}" for n, u in ((hours, "H"), (minutes, "M")) if n)
    clock += f"{_short(seconds)}S" if seconds else ""
    return "P" + text + (f"T{clock}" if clock else "") if text or clock else "PT0S"


def spoken_verbose(months: int, days: int, micros: int) -> str:
    """IntervalStyle postgres_verbose: the sign of the first part is that of the whole.

    >>> spoken_verbose(14, 3, 14706500000), spoken_verbose(0, -1, 3600000000)
    ('@ 1 year 2 mons 3 days 4 hours 5 mins 6.5 secs', '@ 1 day -1 hours ago')
    """
    years, left, hours, minutes, seconds = _fields(months, micros)
    units = ("year", "mon", "day", "hour", "min", "sec")
    parts = [
        p for p in zip((years, left, days, hours, minutes, seconds), units, strict=True) if p[0]
    ]
    ago = bool(parts) and parts[0][0] < 0
    said = []
    for number, unit in parts:
        number = -number if ago else number
        said.append(f"{_short(number)} {unit}{'' if number == 1 else 's'}")
    return f"@ {' '.join(said) or '0'}{' ago' if ago else ''}"


def spoken_standard(months: int, days: int, micros: int) -> str:
    """IntervalStyle sql_standard.

    >>> spoken_standard(14, 0, 0), spoken_standard(0, 3, 14706500000)
    ('1-2', '3 4:05:06.5')
    """
    values = (months, days, micros)
    if not any(values):
        return "0"
    mixed = min(values) < 0 < max(values) or bool(months and (days or micros))
    years, left, hours, minutes, seconds = (abs(n) for n in _fields(months, micros))
    point = f"{seconds:09.6f}".rstrip("0").rstrip(".") if seconds % 1 else f"{int(seconds):02}"
    clock = f"{hours}:{minutes:02}:{point}"
    if mixed:
        one, two, three = ("-" if v < 0 else "+" for v in values)
        return f"{one}{years}-{left} {two}{abs(days)} {three}{clock}"
    sign = "-" if min(values) < 0 else ""
    if months:
        return f"{sign}{years}-{left}"
    return f"{sign}{abs(days)} {clock}" if days else sign + clock


def _fields(months: int, micros: int) -> tuple[int, int, int, int, float]:
    """Years, months, hours, minutes and seconds, each with the sign of what it is of."""
    sign = -1 if micros < 0 else 1
    seconds, fraction = divmod(abs(micros), 1_000_000)
    years = int(months / 12)
    return (
        years, months - 12 * years, sign * (seconds // 3600), sign * (seconds // 60 % 60),
        sign * (seconds % 60 + fraction / 1e6),
    )  # fmt: skip


def _short(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".") if number % 1 else str(int(number))


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
