"""Forking an agent: its states as those of a new one, sharing every part with the original."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent import clock
from sqlagent.errors import IntegrityError, ProgrammingError
from sqlagent.states import read, store
from sqlagent.states.read import Key, Version

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

TAKEN = {
    "states": "SELECT 1 FROM sqlagent_state_versions WHERE agent_id = ? LIMIT 1",
    "memories": "SELECT 1 FROM memories WHERE agent_id = ? LIMIT 1",
    "a row in agents": "SELECT 1 FROM agents WHERE agent_id = ?",
}
HELD = """
SELECT state_type, session_id, version FROM states WHERE agent_id = ?
ORDER BY state_type, ifnull(session_id, '')
"""
LINK = """
INSERT INTO sqlagent_state_links (agent_id, version_id, from_version_id) SELECT ?1, ?2, ?3
WHERE NOT EXISTS (SELECT 1 FROM sqlagent_state_links
  WHERE agent_id = ?1 AND version_id = ?2 AND from_version_id = ?3)
"""
FAMILIES = "SELECT family FROM sqlagent_state_shares WHERE agent_id = ?"
SHARE = """
INSERT INTO sqlagent_state_shares (family, agent_id) SELECT ?1, ?2
WHERE NOT EXISTS (SELECT 1 FROM sqlagent_state_shares WHERE family = ?1 AND agent_id = ?2)
"""


def fork(handle: Handle, agent_id: str, new_agent_id: str, as_of: str | None) -> int:
    """Give a new agent the states of another as its first versions; returns how many.

    Raises IntegrityError where the new agent is there already, ProgrammingError where there is
    nothing to fork, InternalError where a version is damaged.
    """
    if new_agent_id == "":
        raise IntegrityError("new_agent_id is a name, not ''", sqlstate="23514")
    for what, sql in TAKEN.items():
        if handle.execute(sql, (new_agent_id,)).fetchone() is not None:
            raise IntegrityError(
                f"agent {new_agent_id} exists already: it has {what}",
                hint="Fork to an agent_id that is new.", sqlstate="23505",
            )  # fmt: skip
    found = versions(handle, agent_id, as_of)
    if not found:
        past = "" if as_of is None else f" as of {as_of}"
        raise ProgrammingError(f"agent {agent_id} has no states{past}", sqlstate="02000")
    now = clock.now()
    for version in found:
        _copy(handle, version, new_agent_id, now)
    families = [row[0] for row in handle.execute(FAMILIES, (agent_id,))]
    for family in families or [found[0].version_id]:
        handle.execute(SHARE, (family, agent_id))
        handle.execute(SHARE, (family, new_agent_id))
    return len(found)


def versions(handle: Handle, agent_id: str, as_of: str | None = None) -> list[Version]:
    """The version of each state that an agent has now, or had at a time."""
    if as_of is not None:
        past = (read.at(handle, key, as_of) for key in list(read.keys(handle, agent_id)))
        return [version for version in past if version is not None]
    rows = handle.execute(HELD, (agent_id,)).fetchall()
    now = (read.numbered(handle, Key(agent_id, kind, session), n) for kind, session, n in rows)
    return [version for version in now if version is not None]


def link(handle: Handle, agent_id: str, version_id: int, from_version_id: int) -> None:
    """Write down that a version of an agent came from another agent's too."""
    handle.execute(LINK, (agent_id, version_id, from_version_id))


def _copy(handle: Handle, version: Version, agent_id: str, now: str) -> None:
    """A version as the first of the same state of a new agent."""
    data = read.text(handle, version)
    if version.blocks is None and store.tree(handle, version)[0]:
        version = read.one(handle, read.KNOWN, (version.version_id,)) or version
    key = Key(agent_id, version.state_type, version.session_id)
    kept = (data, None) if version.blocks is None else ("null", version.blocks)
    version_id = store.add(
        handle, key, 1, version.checksum, now, version.metadata, kept, None
    )  # fmt: skip
    store.insert(handle, key, data, version.metadata, version.checksum, now, 1)
    link(handle, agent_id, version_id, version.version_id)
