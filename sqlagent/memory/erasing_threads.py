"""What goes with an agent or a user of what agent frameworks keep: whole threads of LangGraph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

TABLES = ("langgraph_writes", "langgraph_values", "langgraph_checkpoints")
THREADS = "SELECT thread_id FROM langgraph_checkpoints WHERE {} = ?"
OWNERS = {"agent": ("langgraph_checkpoints", "session_items"), "user": ("langgraph_checkpoints",)}


def known(handle: Handle, scope: str, value: Any) -> bool:
    """Whether there is anything of an agent or a user here."""
    return any(
        handle.execute(f"SELECT 1 FROM {table} WHERE {scope}_id = ? LIMIT 1", (value,)).fetchone()
        for table in OWNERS[scope]
    )


def threads(handle: Handle, scope: str, value: Any, gone: Callable[..., None]) -> None:
    """Delete the threads of an agent or a user, with all that is in them."""
    names = [r[0] for r in handle.execute(THREADS.format(f"{scope}_id"), (value,))]
    if names:
        import json

        for table in TABLES:
            gone(table, "thread_id IN (SELECT value FROM json_each(?))", json.dumps(names))
