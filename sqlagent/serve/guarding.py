"""The writer's guard: what a user of some agents writes is checked row by row, in the engine.

Temporary triggers on the writer's connection call `sqlagent_mine(agent_id)` for each row that is
inserted, changed or deleted, by a statement or within a function of ours. It asks the gate of the
connection that writes at that moment; for everybody else it is true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.parse.lexer import quote_name
from sqlagent.serve.rights import PrivilegeError, own_names

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog
    from sqlagent.engines.sqlite import Handle

PREFIX = "sqlagent_mine_"
# The engine's notes, which it makes of a row that was checked already.
_NOTES = ("sqlagent_", "memory_fingerprints", "memory_guards", "recall_")


def ensure(handle: Handle, catalog: Catalog) -> None:
    """Make the triggers on a writer's connection that it has not got yet."""
    if not handle.guarded:
        handle.guarded = True
        handle.create_scalar_function("sqlagent_mine", _mine(handle), 1)
    have = {
        str(name)
        for (name,) in handle.execute(
            "SELECT name FROM temp.sqlite_schema WHERE type = 'trigger' AND name GLOB ?",
            (PREFIX + "*",),
        )
    }
    for table in catalog.tables.values():
        name = table.name.lower()
        if table.kind != "table" or table.column("agent_id") is None:
            continue
        if name in own_names() and name.startswith(_NOTES):
            continue
        for event, rows in (("INSERT", ("NEW",)), ("UPDATE", ("OLD", "NEW")), ("DELETE", ("OLD",))):
            trigger = f"{PREFIX}{event.lower()}_{name}"
            if trigger not in have:
                calls = ", ".join(f"sqlagent_mine({row}.agent_id)" for row in rows)
                handle.execute(
                    f"CREATE TEMP TRIGGER {quote_name(trigger)} BEFORE {event} ON "
                    f"main.{quote_name(table.name)} BEGIN SELECT {calls}; END"
                )


def _mine(handle: Handle) -> Any:
    """The function that the triggers call: it raises for a row that is not the writing user's."""

    def mine(agent: Any) -> int:
        rights = handle.acting
        if rights is not None and agent not in rights.agents:
            raise PrivilegeError(f"permission denied for rows of agent {agent!r:.80}")
        return 1

    return mine
