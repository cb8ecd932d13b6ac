"""What an importer finds: records, each of which becomes a row or two."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlagent import clock


class Memory(NamedTuple):
    """A memory; `source` ('mem0:<id>') tells it from others that are imported."""

    agent_id: str
    content: str
    source: str
    kind: str = "semantic"
    tier: str = "long_term"
    importance: float = 0.5
    pinned: bool = False
    speaker: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    created_at: str | None = None
    valid_to: str | None = None
    superseded_by: str | None = None  # the source of what replaced it
    metadata: Mapping[str, Any] | None = None


class Vector(NamedTuple):
    """A vector under an id; `metric` is its collection's, where that is new."""

    collection: str
    id: str
    data: bytes  # float32
    metadata: Mapping[str, Any] | None = None
    metric: str = "cosine"


class Document(NamedTuple):
    """A document of a collection."""

    collection: str
    uri: str
    content: str
    title: str | None = None
    metadata: Mapping[str, Any] | None = None


class State(NamedTuple):
    """A state; it is saved where it is not what is there."""

    agent_id: str
    state_type: str
    data: Mapping[str, Any]


class Said(NamedTuple):
    """An item of a session."""

    session_id: str
    agent_id: str
    item: Mapping[str, Any]
    created_at: str | None = None


class Kept(NamedTuple):
    """An item of LangGraph's store."""

    namespace: str
    key: str
    value: str
    created_at: str | None
    updated_at: str | None


class Thread(NamedTuple):
    """A checkpoint of LangGraph's, or the writes of one, ready to be written."""

    put: Any  # put(handle)


Record = Memory | Vector | Document | State | Said | Kept | Thread


def when(value: Any) -> str | None:
    """A time as the file keeps it: of a text, or of seconds since the epoch; None for none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return clock.text(datetime.fromtimestamp(value, UTC))
    if isinstance(value, datetime):
        return clock.text(value)
    try:
        return clock.text(datetime.fromisoformat(str(value).strip()))
    except ValueError:
        return None


def share(value: Any, default: float = 0.5) -> float:
    """An importance from 0 to 1; the default for anything else."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= 1 else default
