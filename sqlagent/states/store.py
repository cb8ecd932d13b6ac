"""How a version is written: what is long in parts that it shares with the version before it.

`save` is a save_state, restore or merge; `tree` gives the parts of any version, cutting one that a
client which is not ours wrote whole. Everything runs with the writer, inside its transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent import clock
from sqlagent.states import read
from sqlagent.states.read import Key, Version
from sqlagent.states.tree import EMPTY, Piece, Tree, grouped, listed
from sqlagent.sync.log import NEWEST

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

WHOLE_MAX = 4096  # bytes: what is not longer is kept whole, as in the index of the migration

# Two statements rather than an upsert, which would check the JSON twice.
NEXT = """
UPDATE states SET data = ?4, metadata = ?5, checksum = ?6,
  created_at = strftime('%Y-%m-%d %H:%M:%f', 'now'), version = version + 1
WHERE agent_id = ?1 AND state_type = ?2 AND ifnull(session_id, '') = ifnull(?3, '')
RETURNING version
"""
FIRST = """
INSERT INTO states (agent_id, state_type, session_id, data, metadata, checksum)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
"""
NUMBER = """
SELECT version FROM states
WHERE agent_id = ?1 AND state_type = ?2 AND ifnull(session_id, '') = ifnull(?3, '')
"""
CURRENT = """
SELECT state_id, version, checksum, data FROM states
WHERE agent_id = ?1 AND state_type = ?2 AND ifnull(session_id, '') = ifnull(?3, '')
"""
REPLACE = """
UPDATE states SET data = ?2, metadata = ?3, checksum = ?4, created_at = ?5, version = ?6
WHERE state_id = ?1
"""
INSERT = """
INSERT INTO states (agent_id, state_type, session_id, data, metadata, checksum, created_at, version)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
AGENT = """
INSERT INTO agents (agent_id) SELECT ?1
WHERE NOT EXISTS (SELECT 1 FROM agents WHERE agent_id = ?1)
"""
VERSION = f"""
INSERT INTO sqlagent_state_versions (version_id, agent_id, state_type, session_id, version,
  parent_version, checksum, created_at, metadata, data, blocks, back)
VALUES (({NEWEST}) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
CUT = "UPDATE sqlagent_state_versions SET data = 'null', blocks = ?2 WHERE version_id = ?1"
BLOCKS = """
SELECT k.block_id, k.parts, k.sizes FROM json_each(?) AS b
  CROSS JOIN sqlagent_state_blocks AS k ON k.block_id = b.value
ORDER BY b.key
"""
LAST_PART = "SELECT ifnull(max(part_id), 0) FROM sqlagent_state_parts"
LAST_BLOCK = "SELECT ifnull(max(block_id), 0) FROM sqlagent_state_blocks"
NEW_PART = "INSERT INTO sqlagent_state_parts (part_id, text) VALUES (?, ?)"
NEW_BLOCK = "INSERT INTO sqlagent_state_blocks (block_id, bytes, parts, sizes) VALUES (?, ?, ?, ?)"
SAVING = "INSERT OR REPLACE INTO sqlagent_meta VALUES ('saving', '1')"
SAVED = "DELETE FROM sqlagent_meta WHERE name = 'saving'"


def save(
    handle: Handle, key: Key, data: str, metadata: str | None, blocks: str | None = None
) -> int:
    """The next version of a state, in `states` and in the history; returns its number.

    `blocks` are those of a version that has the same data, where there is one.
    """
    encoded = data.encode()
    checksum = read.digest(encoded)
    if len(encoded) <= WHOLE_MAX:
        return save_whole(handle, key, data, metadata, checksum)
    current = handle.execute(CURRENT, key).fetchone()
    last = read.newest(handle, key)
    if current is not None and (last is None or last.version != current[1]):
        # Its number is not that of the newest version: the triggers know what to make of it.
        return save_whole(handle, key, data, metadata, checksum)
    if blocks is None:
        old, known = b"", EMPTY
        if last is not None:
            same = current is not None and current[2] is not None and current[2] == last.checksum
            old, known = tree(handle, last, current[3] if same else None)
        blocks = grown(handle, known, old, encoded)
    now = clock.now()
    number = 1 if last is None else last.version + 1
    add(handle, key, number, checksum, now, metadata, ("null", blocks), last)
    if current is not None:
        handle.execute(REPLACE, (current[0], data, metadata, checksum, now, number))
    else:
        insert(handle, key, data, metadata, checksum, now, number)
    return number


def one(
    agent_id: str, state_type: str, session_id: str | None, data: str, metadata: str | None
) -> tuple[str, tuple[Any, ...]] | None:
    """`save` as one statement, where the state is there already and is kept whole; None where it
    would not be. It gives no row where there is no such state yet."""
    encoded = data.encode()
    if len(encoded) > WHOLE_MAX:
        return None
    return NEXT, (agent_id, state_type, session_id, data, metadata, read.digest(encoded))


def save_whole(handle: Handle, key: Key, data: str, metadata: str | None, checksum: str) -> int:
    """As `save`, by the triggers of `states` alone."""
    values = (*key, data, metadata, checksum)
    saved = handle.execute(NEXT, values).get
    if saved is None:  # the trigger numbers it, after any that were deleted
        handle.execute(FIRST, values)
        saved = handle.execute(NUMBER, key).get
    return int(saved)


def add(
    handle: Handle,
    key: Key,
    number: int,
    checksum: str | None,
    now: str,
    metadata: str | None,
    kept: tuple[str, str | None],
    last: Version | None,
) -> int:
    """A row of the history; `kept` is (data, blocks). Returns its version_id."""
    back = 1 if last is not None and last.created_at > now else None
    parent = None if last is None else last.version
    handle.execute(
        VERSION, (*key, number, parent, checksum, now, metadata, *kept, back)
    )  # fmt: skip
    return int(handle.last_insert_rowid())


def insert(
    handle: Handle, key: Key, data: str, metadata: str | None, checksum: str | None, now: str,
    number: int,
) -> None:  # fmt: skip
    """A row of `states` whose version is in the history already."""
    handle.execute(SAVING)
    handle.execute(INSERT, (*key, data, metadata, checksum, now, number))
    handle.execute(SAVED)
    handle.execute(AGENT, (key.agent_id,))


def tree(
    handle: Handle,
    version: Version,
    data: str | None = None,
    known: tuple[bytes, Tree] | None = None,
) -> tuple[bytes, Tree]:
    """The bytes and parts of a version (`data`, where they are known already); one that is kept
    whole and is long is cut, against the version before it (`known`, where it is). Nothing, where
    it is damaged or short.
    """
    if data is None:
        data = read.unproved(handle, version)
        if data is None or not read.proved(version, data):
            return b"", EMPTY
    encoded = data.encode("utf-8", "surrogatepass")
    if version.blocks is not None:
        return encoded, load(handle, version.blocks)
    if len(encoded) <= WHOLE_MAX:
        return b"", EMPTY
    if known is None:
        before = read.numbered(handle, version.key, version.version - 1)
        fits = before is not None and before.blocks is not None
        known = tree(handle, before) if fits and before is not None else (b"", EMPTY)
    blocks = grown(handle, known[1], known[0], encoded)
    handle.execute(CUT, (version.version_id, blocks))
    return encoded, load(handle, blocks)


def load(handle: Handle, blocks: str) -> Tree:
    """The parts that a version's list of blocks names."""
    import json

    rows = handle.execute(BLOCKS, (blocks,)).fetchall()
    parts: list[list[int]] = json.loads(f"[{','.join(row[1] for row in rows)}]")
    sizes: list[list[int]] = json.loads(f"[{','.join(row[2] for row in rows)}]")
    return Tree(
        [row[0] for row in rows], list(map(len, parts)),
        [p for block in parts for p in block], [s for block in sizes for s in block],
    )  # fmt: skip


def grown(handle: Handle, known: Tree, old: bytes, new: bytes) -> str:
    """Write what `new` has beyond `old`, whose parts are `known`; returns its list of blocks."""
    from sqlagent.states.cut import Kept, cut, matching

    if sum(known.sizes) != len(old):  # a block is gone: what is left of it is no help
        known, old = EMPTY, b""
    next_part = handle.execute(LAST_PART).fetchone()[0] + 1
    fresh: list[tuple[int, str]] = []
    pieces: list[Piece] = []
    for piece in matching(old, known.sizes, new):
        if isinstance(piece, Kept):
            span = slice(piece.first, piece.last)
            pieces.append(Piece(known.parts[span], known.sizes[span], piece.first))
            continue
        texts = cut(new[piece.start : piece.end])
        numbers = list(range(next_part + len(fresh), next_part + len(fresh) + len(texts)))
        fresh += zip(numbers, (t.decode("utf-8", "surrogatepass") for t in texts), strict=True)
        pieces.append(Piece(numbers, list(map(len, texts)), None))
    handle.executemany(NEW_PART, fresh)
    next_block = handle.execute(LAST_BLOCK).fetchone()[0] + 1
    found, rows = [], []
    for block in grouped(known, pieces):
        if isinstance(block, int):
            found.append(known.blocks[block])
            continue
        sizes = [size for _, size in block]
        rows.append((next_block, sum(sizes), listed(part for part, _ in block), listed(sizes)))
        found.append(next_block)
        next_block += 1
    handle.executemany(NEW_BLOCK, rows)
    return listed(found)
