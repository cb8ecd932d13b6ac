"""Inserting what passed, with SQLite as the judge of the table's own constraints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import apsw

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

Row = tuple[Any, ...]  # the record's number, then the values
Refuse = Callable[[Row, str], None]


def load(handle: Handle, insert: str, rows: list[Row], refuse: Refuse) -> int:
    """Insert rows, and say how many went in; one that a constraint refuses goes to `refuse`.

    A batch is tried whole; one that fails is undone and tried by halves, so that a few bad rows
    among many cost a few tries.
    """
    if not rows:
        return 0
    handle.execute("SAVEPOINT batch")
    try:
        for _ in handle.executemany(insert, (row[1:] for row in rows)):
            pass
    except apsw.ConstraintError as error:
        handle.execute("ROLLBACK TO batch")
        handle.execute("RELEASE batch")
        if len(rows) == 1:
            refuse(rows[0], said(error))
            return 0
        middle = len(rows) // 2
        return load(handle, insert, rows[:middle], refuse) + load(
            handle, insert, rows[middle:], refuse
        )
    handle.execute("RELEASE batch")
    return len(rows)


def said(error: apsw.ConstraintError) -> str:
    """SQLite's words, in our manner."""
    text = str(error)
    if text == "FOREIGN KEY constraint failed":
        return "it refers to a row that is not there (FOREIGN KEY)"
    return text[:1].lower() + text[1:] if text[:2] != text[:2].upper() else text
