"""watch: wait for the next change of an agent."""

from __future__ import annotations

from typing import Any

from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.functions import table

TIMEOUT_MAX_MS = 3_600_000


@table(
    "seq BIGINT", "tbl VARCHAR", "pk BIGINT", "op VARCHAR", "at TIMESTAMP",
    waits=True,
)  # fmt: skip
def watch(
    ctx: Context, agent_id: str, since: int | None = None, timeout_ms: int = 1000
) -> list[tuple[Any, ...]]:
    """Waits until a state, a memory or a session of an agent changes, whoever changes it, and
    returns what did: the entries of the change log.

    To miss nothing, go on from the highest seq that it gave, or from the highest of
    sqlagent_change_log when you began.

    Arguments:
      agent_id: whose changes.
      since: a seq: entries after it count, also those that are there already; from now on by
        default.
      timeout_ms: how long to wait, 0..3600000; 0 looks once.

    Returns: seq, tbl ('states', 'memories' or 'sessions'), pk (its row), op ('i' inserted, 'u'
    updated, 'd' deleted: it says "look at this row again", and may say so needlessly) and at, in
    their order. No rows where nothing came in time. The log keeps its newest 200,000 entries.

    Errors: "watch() cannot wait in a transaction", and an InterruptedError where the statement is
      interrupted or runs into statement_timeout_ms.

    Cost: next to nothing while it waits: no lock, no snapshot, no connection of the pool. It hears
      of a commit of this process at once, of another's some milliseconds after.

    Examples:
      SELECT tbl, pk, op FROM watch('ada', since => 0);
    """
    if not 0 <= timeout_ms <= TIMEOUT_MAX_MS:
        raise DataError(f"timeout_ms is 0..{TIMEOUT_MAX_MS}, not {timeout_ms}")
    from sqlagent.states.watch import Wait

    connection = ctx.connection
    assert connection is not None  # the planner runs what waits by itself
    limit = ctx.settings["statement_timeout_ms"]
    wait = Wait(ctx.database, lambda: connection.closed)
    connection.running[id(wait)] = wait
    try:
        return wait(agent_id, since, timeout_ms / 1000, limit / 1000 if limit else None)
    finally:
        connection.running.pop(id(wait), None)
