"""A scan of a large file through mapped memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

MAPPED = 0x7FFF0000  # bytes: the most that SQLite maps as it is built


@contextmanager
def mapped(handle: Handle) -> Iterator[None]:
    """The file mapped for the length of a scan, which takes half the CPU then.

    Not for single rows: the pages around each of them would count as resident memory.
    """
    handle.execute(f"PRAGMA mmap_size = {MAPPED}").fetchall()
    try:
        yield
    finally:
        handle.execute("PRAGMA mmap_size = 0").fetchall()
