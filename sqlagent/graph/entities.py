"""Entities by name; who names one that is not there is told the nearest names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from sqlagent.errors import DataError, ProgrammingError, nearest
from sqlagent.graph.limit import end_of

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

IN = "IN (SELECT value FROM json_each(?))"
NEAR_MAX = 2000  # names that are compared for a hint
# What may be a slip of the name: nearly as long, with the same first or last character.
NEAR = """
SELECT name FROM entities WHERE abs(length(name) - length(?1)) <= 2
  AND (lower(substr(name, 1, 1)) = lower(substr(?1, 1, 1))
    OR lower(substr(name, -1)) = lower(substr(?1, -1)))
ORDER BY lower(name) = lower(?1) DESC LIMIT ?2
"""
NAME_CHARACTERS_MAX = 1000


@contextmanager
def reading(context: Context) -> Iterator[Handle]:
    """A handle whose statements all see one commit: the statement's own, or a snapshot.

    What walks with it ends when the statement is out of time.
    """
    with ExitStack() as stack:
        handle = context.handle or stack.enter_context(context.database.snapshot())
        handle.ends = end_of(context)
        try:
            yield handle
        finally:
            handle.ends = None


def checked(name: str, argument: str) -> str:
    """A name that an entity or a predicate may have; DataError for a blank or endless one."""
    if not name.strip():
        raise DataError(f"{argument} is a name, not {name!r}")
    if len(name) > NAME_CHARACTERS_MAX:
        raise DataError(
            f"{argument} is a name of at most {NAME_CHARACTERS_MAX} characters, not {len(name)}"
        )
    return name


def find(handle: Handle, name: str) -> int:
    """The id of the entity of that name; ProgrammingError with the nearest name where none is."""
    row = handle.execute("SELECT entity_id FROM entities WHERE name = ?", (name,)).fetchone()
    if row is not None:
        return int(row[0])
    known = [r[0] for r in handle.execute(NEAR, (name, NEAR_MAX))]
    same = [n for n in known if n.lower() == name.lower()]
    hint = f'Did you mean "{same[0]}"?' if same else nearest(name, known)
    raise ProgrammingError(
        f'unknown entity "{name:.80}"',
        hint=hint or "SELECT name FROM entities lists them.",
        sqlstate="02000",
    )


def names(handle: Handle, ids: Iterable[int]) -> dict[int, str]:
    """Id → name, of those that there are."""
    listed = json.dumps(list(ids))
    return dict(handle.execute(f"SELECT entity_id, name FROM entities WHERE entity_id {IN}",
                               (listed,)))  # fmt: skip
