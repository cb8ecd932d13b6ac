"""Cutting the versions that another client wrote whole, or that are of a former time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlagent.states import read, store
from sqlagent.states.tree import Tree

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

BATCH = 64  # versions of one transaction, at the most
BATCH_BYTES = 16 << 20
PENDING = f"""
SELECT {read.FIELDS} FROM sqlagent_state_versions
WHERE length(CAST(data AS BLOB)) > 4096 AND version_id > ? ORDER BY version_id LIMIT {BATCH}
"""


class Done(NamedTuple):
    """How many versions were cut, and the version_id to go on after; None at the end."""

    cut: int
    after: int | None


def cut_pending(handle: Handle, after: int = 0) -> Done:
    """Cut some versions that are long and whole, inside the caller's transaction.

    A damaged one stays as it is: what is left of it is not touched.
    """
    rows = handle.execute(PENDING, (after,)).fetchall()
    count, size = 0, 0
    before: dict[tuple[read.Key, int], tuple[bytes, Tree]] = {}
    for row in rows:
        version = read.Version(*row)
        known = before.pop((version.key, version.version - 1), None)
        found = store.tree(handle, version, known=known)
        after = version.version_id
        if found[0]:
            before = {(version.key, version.version): found}
            count += 1
            size += len(found[0])
        if size > BATCH_BYTES:
            return Done(count, after)
    return Done(count, after if len(rows) == BATCH else None)
