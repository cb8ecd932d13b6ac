"""Removing the states of an agent for good, with their versions, and the parts of nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

ERASING = "SELECT 1 FROM sqlagent_meta WHERE name = 'erasing'"
RELATIVES = """
SELECT DISTINCT o.agent_id FROM sqlagent_state_shares s
  JOIN sqlagent_state_shares o ON o.family = s.family
WHERE s.agent_id = ?1 AND o.agent_id <> ?1
"""
BLOCKS = """
SELECT DISTINCT b.value FROM sqlagent_state_versions v CROSS JOIN json_each(v.blocks) b
WHERE v.agent_id = ?
"""
PARTS = """
SELECT e.value FROM sqlagent_state_blocks k CROSS JOIN json_each(k.parts) e WHERE k.block_id = ?
"""
LINKS = """
DELETE FROM sqlagent_state_links
WHERE agent_id = ?1
  OR from_version_id IN (SELECT version_id FROM sqlagent_state_versions WHERE agent_id = ?1)
"""
SNAPSHOT_VERSIONS = """
DELETE FROM snapshot_versions
WHERE snapshot_id IN (SELECT snapshot_id FROM snapshots WHERE agent_id = ?1)
  OR version_id IN (SELECT version_id FROM sqlagent_state_versions WHERE agent_id = ?1)
"""


def remove(handle: Handle, agent_id: str) -> int:
    """Delete all states of an agent: rows, versions, snapshots, and parts that no other agent has.

    Inside the caller's transaction, with the writer; returns how many versions there were. Agents
    that were forked from it keep theirs.
    """
    blocks, parts = exclusive(handle, agent_id)
    marked = handle.execute(ERASING).fetchone() is not None
    if not marked:
        handle.execute("INSERT INTO sqlagent_meta VALUES ('erasing', '1')")
    handle.execute(SNAPSHOT_VERSIONS, (agent_id,))
    handle.execute("DELETE FROM snapshots WHERE agent_id = ?", (agent_id,))
    handle.execute(LINKS, (agent_id,))
    handle.execute("DELETE FROM states WHERE agent_id = ?", (agent_id,))
    handle.execute("DELETE FROM sqlagent_state_versions WHERE agent_id = ?", (agent_id,))
    count = int(handle.changes())
    handle.execute("DELETE FROM sqlagent_state_shares WHERE agent_id = ?", (agent_id,))
    _delete(handle, "DELETE FROM sqlagent_state_blocks WHERE block_id = ?", blocks)
    _delete(handle, "DELETE FROM sqlagent_state_parts WHERE part_id = ?", parts)
    if not marked:
        handle.execute("DELETE FROM sqlagent_meta WHERE name = 'erasing'")
    return count


def exclusive(handle: Handle, agent_id: str) -> tuple[set[int], set[int]]:
    """The blocks and parts that the versions of an agent are made of, and of no other agent's."""
    mine = _blocks(handle, [agent_id])
    relatives = [row[0] for row in handle.execute(RELATIVES, (agent_id,))]
    theirs = _blocks(handle, relatives) if mine else set()
    gone = mine - theirs
    parts = _parts(handle, gone)
    if parts and theirs:
        parts -= _parts(handle, theirs)
    return gone, parts


def _blocks(handle: Handle, agents: Iterable[str]) -> set[int]:
    return {row[0] for agent in agents for row in handle.execute(BLOCKS, (agent,))}


def _parts(handle: Handle, blocks: set[int]) -> set[int]:
    return {row[0] for block in blocks for row in handle.execute(PARTS, (block,))}


def _delete(handle: Handle, sql: str, ids: set[int]) -> None:
    handle.executemany(sql, ((number,) for number in sorted(ids)))
