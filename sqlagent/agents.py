"""Sessions of the OpenAI Agents SDK in an agent's file: `SqlAgentSession`.

>>> from sqlagent.agents import SqlAgentSession
>>> session = SqlAgentSession("chat-1", "agent.db", agent_id="ada")
>>> result = await Runner.run(agent, "Hello", session=session)

Its items are rows of `session_items`, the session one of `sessions`. It implements the SDK's
Session protocol, and needs the SDK only where somebody runs an agent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlagent.connection import Connection
from sqlagent.errors import DataError, InterfaceError
from sqlagent.opened import Opened

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

Item = dict[str, Any]
AGENT = """
INSERT INTO agents (agent_id) SELECT ?1
WHERE NOT EXISTS (SELECT 1 FROM agents WHERE agent_id = ?1)
"""
SESSION = """
INSERT INTO sessions (session_id, agent_id) SELECT ?1, ?2
WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE session_id = ?1)
"""
ADD = """
INSERT INTO session_items (session_id, agent_id, kind, role, content, item)
VALUES (?, ?, ?, ?, ?, ?)
"""
ALL = "SELECT item FROM session_items WHERE session_id = ? ORDER BY item_id"
NEWEST = "SELECT item FROM session_items WHERE session_id = ? ORDER BY item_id DESC LIMIT ?"
POP = """
DELETE FROM session_items WHERE item_id =
  (SELECT max(item_id) FROM session_items WHERE session_id = ?)
RETURNING item
"""
CLEAR = "DELETE FROM session_items WHERE session_id = ?"
# Where an item has its text, by what it is.
TEXTS = ("content", "arguments", "output", "summary", "text", "refusal", "queries", "action")


class SqlAgentSession:
    """One conversation. Sessions of one file may share a connection.

    `source` is a path or an open connection; `agent_id` whose conversation it is.
    `session_settings` are the SDK's (or anything with a `limit`, how many items get_items()
    returns at most). `settings` are connect()'s.
    """

    def __init__(
        self,
        session_id: str,
        source: Connection | str | os.PathLike[str] = ":memory:",
        *,
        agent_id: str = "agent",
        session_settings: Any = None,
        **settings: Any,
    ) -> None:
        for name, value in (("session_id", session_id), ("agent_id", agent_id)):
            if not isinstance(value, str) or not value:
                raise InterfaceError(f"{name} is a text that is not empty, not {value!r}")
        self.session_id = session_id
        self.agent_id = agent_id
        self.session_settings = session_settings
        self.opened = Opened(source, **settings)

    @property
    def connection(self) -> Connection:
        """The connection below, to query what is kept."""
        return self.opened.connection

    async def get_items(self, limit: int | None = None) -> list[Item]:
        """The items in their order; with a limit (or one of the settings) the newest of them."""
        if limit is None:
            limit = _limit(self.session_settings)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
            raise InterfaceError(f"limit is a whole number, not {limit!r}")
        return await self.opened.away(lambda: self._items(limit))

    async def add_items(self, items: Sequence[Any]) -> None:
        """Add items behind those that are there, all of them or none."""
        rows = [(self.session_id, self.agent_id, *columns(item)) for item in items]
        if rows:
            await self.opened.away(
                lambda: self.opened.write(lambda handle: self._add(handle, rows))
            )

    async def pop_item(self) -> Item | None:
        """Remove the newest item and return it; None where there is none."""

        def work(handle: Handle) -> Item | None:
            rows = handle.execute(POP, (self.session_id,)).fetchall()
            return json.loads(rows[0][0]) if rows else None

        return await self.opened.away(lambda: self.opened.write(work))

    async def clear_session(self) -> None:
        """Remove all items; the session stays in `sessions`."""
        await self.opened.away(
            lambda: self.opened.write(lambda handle: handle.execute(CLEAR, (self.session_id,)))
        )

    def close(self) -> None:
        """Close the connection, where it was opened here."""
        self.opened.close()

    def __enter__(self) -> SqlAgentSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _items(self, limit: int | None) -> list[Item]:
        with self.opened.read() as handle:
            if limit is None or limit < 0:  # as LIMIT has it
                rows = handle.execute(ALL, (self.session_id,)).fetchall()
            else:
                rows = handle.execute(NEWEST, (self.session_id, limit)).fetchall()[::-1]
        return [json.loads(item) for (item,) in rows]

    def _add(self, handle: Handle, rows: list[tuple[Any, ...]]) -> None:
        handle.execute(AGENT, (self.agent_id,))
        handle.execute(SESSION, (self.session_id, self.agent_id))
        handle.executemany(ADD, rows)


def columns(item: Any) -> tuple[str, str | None, str | None, str]:
    """(kind, role, content, item) of an item: what can be searched, and all of it as JSON.

    Raises DataError for what is no object of JSON.
    """
    if hasattr(item, "model_dump"):
        item = item.model_dump(exclude_unset=True)
    try:
        text = json.dumps(item, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise DataError(f"an item is an object of JSON: {error}") from None
    if not isinstance(item, dict):
        raise DataError(f"an item is an object of JSON, not {item!r:.60}")
    role, kind = item.get("role"), item.get("type")
    said = next((t for t in map(text_of, map(item.get, TEXTS)) if t), None)
    return (
        kind if isinstance(kind, str) and kind else "message",
        role if isinstance(role, str) else None,
        said,
        text,
    )


def text_of(value: Any) -> str | None:
    """What there is to read in an item's content: a text, or the texts of its parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return next((t for t in map(text_of, map(value.get, TEXTS)) if t), None)
    if isinstance(value, list):
        return "\n".join(t for t in map(text_of, value) if t) or None
    return None


def _limit(settings: Any) -> int | None:
    """The limit of the SDK's settings, or of a dict of them."""
    found = (
        settings.get("limit") if isinstance(settings, dict) else getattr(settings, "limit", None)
    )
    return found if found is None else int(found)
