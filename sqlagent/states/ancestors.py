"""The version that two agents' states have in common, from their forks and merges.

The versions of a state stand in a row, each after the one before it; a fork begins a new row
beside an old one, a merge ties two together. So what a version comes from is, of each row,
everything up to some version, and what two have in common as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.states import read
from sqlagent.states.read import Key, Version

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

FROM = """
SELECT f.agent_id, f.state_type, f.session_id, f.version FROM sqlagent_state_links l
  JOIN sqlagent_state_versions v ON v.version_id = l.version_id
  JOIN sqlagent_state_versions f ON f.version_id = l.from_version_id
WHERE l.agent_id = ?1 AND v.state_type = ?2 AND ifnull(v.session_id, '') = ifnull(?3, '')
  AND v.version <= ?4
"""


def reach(handle: Handle, key: Key, version: int) -> dict[Key, int]:
    """What a version comes from: of each state the last version, itself included."""
    found: dict[Key, int] = {}
    waiting = [(key, version)]
    while waiting:
        key, version = waiting.pop()
        if found.get(key, 0) >= version:
            continue
        found[key] = version
        for *origin, number in handle.execute(FROM, (*key, version)):
            waiting.append((Key(*origin), number))
    return found


def common(handle: Handle, one: Version, other: Version) -> Version | None:
    """The newest version that both come from and that no other such version comes from in turn."""
    mine = reach(handle, one.key, one.version)
    theirs = reach(handle, other.key, other.version)
    shared = {key: min(mine[key], theirs[key]) for key in mine.keys() & theirs.keys()}
    best: list[Version] = []
    for key, version in shared.items():
        later = (reach(handle, k, v) for k, v in shared.items() if k != key)
        if not any(behind.get(key, 0) >= version for behind in later):
            found = read.numbered(handle, key, version)
            if found is not None:
                best.append(found)
    return max(best, key=lambda v: (v.created_at, v.version_id), default=None)
