"""Records into the file, with the writer, inside its transaction: what is there already stays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlagent import agents, clock
from sqlagent.elements import Space, one_encoded, space_of
from sqlagent.errors import DataError, ProgrammingError
from sqlagent.exchange import records as r
from sqlagent.memory.entry import New, insert
from sqlagent.states import store
from sqlagent.states.read import Key

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

KNOWN = "SELECT memory_id FROM memories WHERE agent_id = ? AND source = ?"
SOURCES = "SELECT source, memory_id FROM memories WHERE agent_id = ? AND source LIKE ? || ':%'"
STATE = """
SELECT data FROM states WHERE agent_id = ? AND state_type = ? AND session_id IS NULL
"""
COLLECTION = """
INSERT INTO collections (collection, dimensions, metric) SELECT ?1, ?2, ?3
WHERE NOT EXISTS (SELECT 1 FROM collections WHERE collection = ?1)
"""
VECTOR = """
INSERT INTO vectors (collection, id, vector, metadata) VALUES (?, ?, ?, ?)
ON CONFLICT (collection, id) DO UPDATE SET vector = excluded.vector, metadata = excluded.metadata
WHERE vector <> excluded.vector OR metadata IS NOT excluded.metadata
"""
DOCUMENT = """
INSERT INTO documents (content, uri, title, collection, metadata) SELECT ?1, ?2, ?3, ?4, ?5
WHERE NOT EXISTS (SELECT 1 FROM documents WHERE collection = ?4 AND uri = ?2)
"""
SAID = """
INSERT INTO session_items (session_id, agent_id, kind, role, content, item, created_at)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ifnull(?7, strftime('%Y-%m-%d %H:%M:%f', 'now'))
WHERE NOT EXISTS (SELECT 1 FROM session_items WHERE session_id = ?1 AND item = ?6
  AND (?7 IS NULL OR created_at = ?7))
"""
ITEM = """
INSERT INTO langgraph_items (namespace, key, value, created_at, updated_at)
VALUES (?1, ?2, ?3, ifnull(?4, strftime('%Y-%m-%d %H:%M:%f', 'now')),
  ifnull(?5, strftime('%Y-%m-%d %H:%M:%f', 'now')))
ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value,
  updated_at = excluded.updated_at WHERE excluded.updated_at > updated_at
"""


def found(path: str, kind: str | None, agent: str | None) -> tuple[str, list[r.Record]]:
    """(kind, records) of a file or folder. Raises DataError for what cannot be read."""
    from importlib import import_module

    from sqlagent.exchange.foreign import KINDS, recognise

    place = Path(path).expanduser()
    if not place.exists():
        raise DataError(f'no such file or folder: "{path}"', sqlstate="58P01")
    known = kind.lower() if kind else recognise(place)
    if known is None:
        raise DataError(
            f'"{place.name}" is not known as anybody\'s',
            hint=f"Say what it is: kind => one of {', '.join(KINDS)}",
        )
    if known not in KINDS:
        raise ProgrammingError(f"kind is one of {', '.join(KINDS)}, not {kind!r}", sqlstate="22023")
    module = import_module(f"sqlagent.exchange.{known}")
    return known, list(module.read(place, agent))


def bring(handle: Handle, records: Iterable[r.Record]) -> dict[str, int]:
    """Write records; how many rows came into which table."""
    done: Counter[str] = Counter()
    memories = [record for record in records if isinstance(record, r.Memory)]
    _memories(handle, memories, done)
    for record in records:
        if isinstance(record, r.Vector):
            _vector(handle, record, done)
        elif isinstance(record, r.Document):
            _run(handle, done, "documents", DOCUMENT, (record.content, record.uri, record.title,
                 record.collection, _json(record.metadata)))  # fmt: skip
        elif isinstance(record, r.State):
            _state(handle, record, done)
        elif isinstance(record, r.Said):
            handle.execute(agents.AGENT, (record.agent_id,))
            handle.execute(agents.SESSION, (record.session_id, record.agent_id))
            values = (record.session_id, record.agent_id, *agents.columns(dict(record.item)))
            _run(handle, done, "session_items", SAID, (*values, record.created_at))
        elif isinstance(record, r.Kept):
            _run(handle, done, "langgraph_items", ITEM, tuple(record))
        elif isinstance(record, r.Thread):
            record.put(handle)
            done["langgraph"] += 1
    return dict(done)


def _memories(handle: Handle, memories: list[r.Memory], done: Counter[str]) -> None:
    """Memories that are not there yet, the newer of a chain before the older."""
    known: dict[tuple[str, str], int] = {}
    for agent, kind in {(m.agent_id, m.source.partition(":")[0]) for m in memories}:
        rows = handle.execute(SOURCES, (agent, kind)).fetchall()
        known |= {(agent, source): memory_id for source, memory_id in rows}
    now = clock.now()
    for m in reversed(memories):
        if (m.agent_id, m.source) in known:
            continue
        new = New(m.agent_id, m.content, m.kind, m.importance, 0.0, m.tier, m.speaker,
                  m.session_id, m.user_id, m.source, m.created_at or now, None,
                  _json(m.metadata))  # fmt: skip
        memory_id = insert(handle, new, None)
        known[m.agent_id, m.source] = memory_id
        done["memories"] += 1
        newer = known.get((m.agent_id, m.superseded_by)) if m.superseded_by else None
        if m.pinned or m.valid_to or newer:
            handle.execute(
                "UPDATE memories SET pinned = ?, valid_to = ?, superseded_by = ? "
                "WHERE memory_id = ?", (m.pinned, m.valid_to, newer, memory_id),
            )  # fmt: skip
        handle.execute(agents.AGENT, (m.agent_id,))


def _vector(handle: Handle, record: r.Vector, done: Counter[str]) -> None:
    dimensions = len(record.data) // 4
    handle.execute(COLLECTION, (record.collection, dimensions, record.metric))
    space = space_of(handle, record.collection) or Space(dimensions)
    try:
        data = one_encoded(space, record.data)
    except DataError as error:
        raise DataError(
            error.message, detail=f"vector {record.id} of collection {record.collection}"
        ) from None
    values = (record.collection, record.id, data, _json(record.metadata))
    _run(handle, done, "vectors", VECTOR, values)


def _state(handle: Handle, record: r.State, done: Counter[str]) -> None:
    data = json.dumps(record.data, ensure_ascii=False)
    row = handle.execute(STATE, (record.agent_id, record.state_type)).fetchone()
    if row is None or json.loads(row[0]) != json.loads(data):
        store.save(handle, Key(record.agent_id, record.state_type, None), data, None)
        done["states"] += 1


def _run(handle: Handle, done: Counter[str], table: str, sql: str, values: tuple[Any, ...]) -> None:
    handle.execute(sql, values)
    done[table] += handle.changes()


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)
