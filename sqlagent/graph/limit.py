"""When a walk through the graph has to end: interrupted, or out of time.

SQLite asks about the time only while it runs a statement of its own; much of a walk is none.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlagent.errors import InterruptedError

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle


def end_of(context: Context) -> float | None:
    """When a call that begins now is out of time, in seconds of time.monotonic(); None is never."""
    limit = context.settings.get("statement_timeout_ms")
    return time.monotonic() + limit / 1000 if limit else None


def go_on(handle: Handle) -> None:
    """Raise InterruptedError where the statement was interrupted or is out of time."""
    if handle.is_interrupted or (handle.ends is not None and time.monotonic() > handle.ends):
        raise InterruptedError("the statement was interrupted")
