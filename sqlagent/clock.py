"""Time: the one place where the clock is read, in the file's form."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> str:
    """The time now in UTC as the file keeps it: `YYYY-MM-DD HH:MM:SS.SSS`."""
    seconds = time.time()
    millis = int(seconds * 1000) % 1000
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)) + f".{millis:03d}"


class Exact(datetime):
    """A time whose microseconds are kept: a client of PostgreSQL's reads back what it wrote."""


def exact(value: datetime) -> datetime:
    """The time as one whose microseconds are kept, where it has any."""
    if not value.microsecond % 1000:
        return value
    return Exact(
        value.year, value.month, value.day, value.hour, value.minute, value.second,
        value.microsecond, value.tzinfo,
    )  # fmt: skip


def text(value: datetime) -> str:
    """A datetime as the file keeps it; one without a zone is UTC.

    >>> text(datetime(2024, 5, 6, 7, 8, 9, 123456))
    '2024-05-06 07:08:09.123'
    >>> text(exact(datetime(2024, 5, 6, 7, 8, 9, 123456)))
    '2024-05-06 07:08:09.123456'
    """
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat(" ", "microseconds" if isinstance(value, Exact) else "milliseconds")
