"""Versions as they were saved: found by key and time, put together, proved by their checksum."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import InternalError
from sqlagent.migrate import sha256

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

HASHED_MAX = 1 << 20  # bytes, hashed without hashlib: as long as its import takes

# Of a version all but its data; `blocks` NULL where it is kept whole.
FIELDS = (
    "version_id, agent_id, session_id, state_type, version, parent_version, snapshot_name,"
    " checksum, created_at, metadata, blocks"
)
WHOLE = "SELECT data FROM sqlagent_state_versions WHERE version_id = ?"
# Joined here: SQLite's own group_concat, which the view has, takes three times as long.
TEXTS = """
SELECT p.text FROM json_each(?) AS b
  CROSS JOIN sqlagent_state_blocks AS k ON k.block_id = b.value
  CROSS JOIN json_each(k.parts) AS e
  CROSS JOIN sqlagent_state_parts AS p ON p.part_id = e.value
ORDER BY b.key, e.key
"""
KEYED = "agent_id = ?1 AND state_type = ?2 AND ifnull(session_id, '') = ifnull(?3, '')"
NEWEST = f"""
SELECT {FIELDS} FROM sqlagent_state_versions WHERE {KEYED} ORDER BY version DESC LIMIT 1
"""
NUMBERED = f"SELECT {FIELDS} FROM sqlagent_state_versions WHERE {KEYED} AND version = ?4"
KNOWN = f"SELECT {FIELDS} FROM sqlagent_state_versions WHERE version_id = ?1"
UNTIL = f"""
SELECT version, created_at FROM sqlagent_state_versions WHERE {KEYED} AND version <= ?4
ORDER BY version DESC LIMIT 1
"""
BACK = f"""
SELECT 1 FROM sqlagent_state_versions WHERE back = 1 AND {KEYED} LIMIT 1
"""
LATEST = f"""
SELECT {FIELDS} FROM sqlagent_state_versions WHERE {KEYED} AND created_at <= ?4
ORDER BY version DESC LIMIT 1
"""
FIRST_TYPE = """
SELECT state_type FROM sqlagent_state_versions WHERE agent_id = ? AND state_type > ?
ORDER BY state_type LIMIT 1
"""
NEXT_SESSION = """
SELECT ifnull(session_id, '') FROM sqlagent_state_versions
WHERE agent_id = ? AND state_type = ? AND ifnull(session_id, '') > ?
ORDER BY ifnull(session_id, '') LIMIT 1
"""
WITHOUT_SESSION = """
SELECT 1 FROM sqlagent_state_versions
WHERE agent_id = ? AND state_type = ? AND ifnull(session_id, '') = '' LIMIT 1
"""


_hashed = 0  # bytes, so far, without hashlib


class Key(NamedTuple):
    """Which state: of whom, of which type, in which session."""

    agent_id: str
    state_type: str
    session_id: str | None


class Version(NamedTuple):
    """A row of `sqlagent_state_versions` without its data."""

    version_id: int
    agent_id: str
    session_id: str | None
    state_type: str
    version: int
    parent_version: int | None
    snapshot_name: str | None
    checksum: str | None
    created_at: str
    metadata: str | None
    blocks: str | None

    @property
    def key(self) -> Key:
        """Which state it is a version of."""
        return Key(self.agent_id, self.state_type, self.session_id)


def digest(data: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal.

    hashlib is some times as fast, but to be imported: it is, once that is worth it, or where
    somebody else did.
    """
    global _hashed
    if _hashed < HASHED_MAX and "hashlib" not in sys.modules:
        _hashed += len(data)
        if _hashed < HASHED_MAX:
            return sha256(data)
    import hashlib

    return hashlib.sha256(data, usedforsecurity=False).hexdigest()


def one(handle: Handle, sql: str, values: tuple[Any, ...]) -> Version | None:
    """The version that a query of FIELDS finds."""
    row = handle.execute(sql, values).fetchone()
    return None if row is None else Version(*row)


def newest(handle: Handle, key: Key) -> Version | None:
    """The last version of a state."""
    return one(handle, NEWEST, key)


def numbered(handle: Handle, key: Key, version: int) -> Version | None:
    """A version of a state by its number."""
    return one(handle, NUMBERED, (*key, version))


def keys(handle: Handle, agent_id: str, state_type: str | None = None) -> Iterator[Key]:
    """Every state of an agent that has versions, by type and session; none is read twice."""
    kind = state_type
    while True:
        if state_type is None:
            row = handle.execute(FIRST_TYPE, (agent_id, kind or "")).fetchone()
            if row is None:
                return
            kind = row[0]
        assert kind is not None
        if handle.execute(WITHOUT_SESSION, (agent_id, kind)).fetchone() is not None:
            yield Key(agent_id, kind, None)
        found = handle.execute(NEXT_SESSION, (agent_id, kind, "")).fetchone()
        while found is not None:
            yield Key(agent_id, kind, found[0])
            found = handle.execute(NEXT_SESSION, (agent_id, kind, found[0])).fetchone()
        if state_type is not None:
            return


def at(handle: Handle, key: Key, when: str) -> Version | None:
    """The highest version of a state that is not younger than `when`.

    Times rise with the versions but where somebody gave one of the past: without such the place is
    found by halving.
    """
    if handle.execute(BACK, key).fetchone() is not None:
        return one(handle, LATEST, (*key, when))
    last = handle.execute(UNTIL, (*key, 2**62)).fetchone()
    if last is None:
        return None
    if last[1] <= when:
        return numbered(handle, key, last[0])
    low, high, found = 0, last[0], None  # what is up to `low` is not too young, `high` is
    while high - low > 1:
        middle = (low + high) // 2
        row = handle.execute(UNTIL, (*key, middle)).fetchone()
        if row is None:
            low = middle
        elif row[1] <= when:
            low, found = middle, row[0]
        else:
            high = row[0]
    return None if found is None else numbered(handle, key, found)


def text(handle: Handle, version: Version) -> str:
    """The data of a version; raises InternalError where it is not what was saved."""
    data = unproved(handle, version)
    if not proved(version, data):
        raise InternalError(
            f"version {version.version} of the state {version.state_type} of agent"
            f" {version.agent_id} is damaged",
            detail=f"its data have not the checksum {version.checksum}",
            hint="Other versions can be read; CALL check() names every damaged one.",
            sqlstate="XX001",
        )
    assert data is not None
    return data


def unproved(handle: Handle, version: Version) -> str | None:
    """The data of a version as the file has it; None where nothing of it is left."""
    if version.blocks is None:
        rows = handle.execute(WHOLE, (version.version_id,))
    else:
        rows = handle.execute(TEXTS, (version.blocks,))
    texts = [row[0] for row in rows]
    if not texts or not all(isinstance(text, str) for text in texts):
        return None
    return "".join(texts)


def proved(version: Version, data: str | None) -> bool:
    """Whether data are those that the version was saved with.

    A client that is not ours may leave the checksum out, or keep something else there.
    """
    if data is None:
        return False
    if version.checksum is None or not re.fullmatch("[0-9a-f]{64}", version.checksum):
        return True
    return digest(data.encode("utf-8", "surrogatepass")) == version.checksum
