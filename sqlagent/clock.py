"""Time: the one place where the clock is read, in the file's form."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> str:
    """The time now in UTC as the file keeps it: `YYYY-MM-DD HH:MM:SS.SSS`."""
    seconds = time.time()
    millis = int(seconds * 1000) % 1000
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)) + f".{millis:03d}"


def text(value: datetime) -> str:
    """A datetime as the file keeps it; one without a zone is UTC.

    Microseconds are said where there are any, so that what is read is what was written.

    >>> text(datetime(2024, 5, 6, 7, 8, 9)), text(datetime(2024, 5, 6, 7, 8, 9, 123456))
    ('2024-05-06 07:08:09.000', '2024-05-06 07:08:09.123456')
    """
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat(" ", "microseconds" if value.microsecond % 1000 else "milliseconds")
