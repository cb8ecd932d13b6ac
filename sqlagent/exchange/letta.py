"""Letta's agent file (.af, JSON): its blocks and its messages, of the form of 2025 or the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlagent.agents import text_of
from sqlagent.errors import DataError
from sqlagent.exchange.foreign import parsed
from sqlagent.exchange.records import Memory, Record, Said, State, when

SPEAKERS = ("user", "assistant")


def read(path: Path, agent: str | None) -> Iterator[Record]:
    """Of each agent: its blocks as the state 'working_memory' and as pinned memories, its messages
    as the items of a session, what was said as memories."""
    found = parsed(path)
    if not isinstance(found, Mapping):
        raise DataError(f'"{path.name}" is no agent file of Letta: it is no object')
    agents = found.get("agents")
    if agents is None:
        blocks = found.get("core_memory")
        if not isinstance(blocks, list):
            raise DataError(f'"{path.name}" is no agent file of Letta: it has no agents')
        yield from _agent(found, blocks, agent)
        return
    blocks = {b.get("id"): b for b in found.get("blocks") or [] if isinstance(b, Mapping)}
    for one in agents:
        own = [blocks[i] for i in one.get("block_ids") or [] if i in blocks]
        own += [b for b in one.get("memory_blocks") or [] if isinstance(b, Mapping)]
        yield from _agent(one, own, agent if len(agents) == 1 else None)


def _agent(one: Mapping[str, Any], blocks: list[Any], agent: str | None) -> Iterator[Record]:
    name = agent or str(one.get("name") or one.get("id") or "letta")
    values = {str(b.get("label") or b.get("id")): b.get("value") or "" for b in blocks}
    if values:
        yield State(name, "working_memory", values)
    for label, value in values.items():
        if value.strip():
            yield Memory(
                name, value.strip(), f"letta:{name}/{label}", pinned=True, importance=0.8,
                metadata={"label": label},
            )  # fmt: skip
    about = {k: one[k] for k in ("description", "system", "agent_type", "tags") if one.get(k)}
    if about:
        yield State(name, "context", about)
    session = f"letta:{name}"
    for number, message in enumerate(one.get("messages") or []):
        role, text = message.get("role"), text_of(message.get("content", message.get("text")))
        item: dict[str, Any] = {"role": role, "content": text or ""}
        for extra in ("tool_calls", "tool_call_id", "tool_returns", "name", "id"):
            if message.get(extra):
                item[extra] = message[extra]
        created = when(message.get("created_at"))
        yield Said(session, name, item, created)
        if role in SPEAKERS and text and text.strip():
            yield Memory(
                name, text, f"{session}/{message.get('id') or number}", "episodic", "short_term",
                speaker=role, session_id=session, created_at=created,
            )  # fmt: skip
