"""mem0: what get_all() returns or a vector store exports, as JSON; or its SQLite history."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlagent.errors import DataError
from sqlagent.exchange.foreign import opened, parsed, tables
from sqlagent.exchange.records import Memory, Record, Said, Vector, share, when

HISTORY = """
SELECT memory_id, new_memory, event, created_at, updated_at, is_deleted, actor_id, role
FROM history ORDER BY memory_id, ifnull(updated_at, created_at), rowid
"""
MESSAGES = "SELECT session_scope, role, content, name, created_at FROM messages ORDER BY rowid"
# What has a column here, or says nothing to anybody else.
KNOWN = {
    "id", "memory", "data", "text", "hash", "user_id", "agent_id", "run_id", "created_at",
    "updated_at", "metadata", "score", "payload", "vector", "embedding", "actor_id", "role",
    "importance", "text_lemmatized",
}  # fmt: skip


def read(path: Path, agent: str | None) -> Iterator[Record]:
    """The memories of a file, and the vectors where it has them, in the collection 'mem0'."""
    known = tables(path)
    if known:
        yield from _history(path, known, agent or "mem0")
        return
    found = parsed(path)
    if isinstance(found, Mapping):
        found = found.get("results", found.get("memories", [found]))
    if not isinstance(found, list):
        raise DataError(f'"{path.name}" has no list of memories under "results"')
    for number, entry in enumerate(found):
        if not isinstance(entry, Mapping):
            raise DataError(f'record {number + 1} of "{path.name}" is no object: {entry!r:.60}')
        yield from _entry(entry, number, path, agent)


def _entry(
    entry: Mapping[str, Any], number: int, path: Path, agent: str | None
) -> Iterator[Record]:
    payload = entry.get("payload")
    flat = {**entry, **payload} if isinstance(payload, Mapping) else entry
    text = next((flat[n] for n in ("memory", "data", "text") if flat.get(n)), None)
    if not isinstance(text, str):
        raise DataError(
            f'record {number + 1} of "{path.name}" has no text under "memory" or "data"',
            detail=f"it has {', '.join(map(str, flat)) or 'nothing'}",
        )
    about = flat.get("metadata")
    metadata = dict(about) if isinstance(about, Mapping) else {}
    metadata |= {n: v for n, v in flat.items() if n not in KNOWN and v is not None}
    key = str(flat.get("id") or flat.get("hash") or f"{path.name}/{number}")
    memory = Memory(
        agent or str(flat.get("agent_id") or "mem0"), text, f"mem0:{key}",
        importance=share(flat.get("importance", metadata.get("importance"))),
        speaker=_text(flat.get("actor_id") or flat.get("role")),
        session_id=_text(flat.get("run_id")), user_id=_text(flat.get("user_id")),
        created_at=when(flat.get("created_at")), metadata=metadata or None,
    )  # fmt: skip
    yield memory
    vector = flat.get("vector", flat.get("embedding"))
    if isinstance(vector, list) and vector:
        try:
            data = array("f", vector).tobytes()
        except TypeError:
            raise DataError(f"the vector of {key} is a list of numbers") from None
        yield Vector("mem0", key, data, {"memory": text, "user_id": memory.user_id})


def _history(path: Path, known: set[str], agent: str) -> Iterator[Record]:
    """What each memory said from when to when: the newest stands, the others are superseded."""
    with opened(path) as con:
        versions: dict[str, list[Any]] = {}
        for row in con.execute(HISTORY):
            versions.setdefault(str(row[0]), []).append(row)
        said = con.execute(MESSAGES).fetchall() if "messages" in known else []
    for key, rows in versions.items():
        texts = [r for r in rows if r[1] and str(r[2]).upper() != "DELETE"]
        last = rows[-1]
        deleted = bool(last[5]) or str(last[2]).upper() == "DELETE"
        for place, row in enumerate(texts):
            newer = texts[place + 1] if place + 1 < len(texts) else None
            after = newer if newer is not None else last if deleted else None
            yield Memory(
                agent, row[1], _name(key, place, len(texts)),
                speaker=_text(row[6] or row[7]), created_at=when(row[4] or row[3]),
                valid_to=when(after[4] or after[3]) if after is not None else None,
                superseded_by=_name(key, place + 1, len(texts)) if newer is not None else None,
            )  # fmt: skip
    for scope, role, content, name, created in said:
        item = {"role": role, "content": content} | ({"name": name} if name else {})
        yield Said(f"mem0:{scope or 'messages'}", agent, item, when(created))


def _name(key: str, place: int, count: int) -> str:
    """The source of a version: the newest has the memory's own id."""
    return f"mem0:{key}" if place == count - 1 else f"mem0:{key}@{place + 1}"


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
