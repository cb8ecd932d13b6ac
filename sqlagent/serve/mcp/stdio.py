"""MCP over standard input and output: a client starts the process, and ends it.

Whoever can start it owns the file; what a model says through it passes the gate all the same, so
that no text reaches the machine's files, other databases or settings.
"""

from __future__ import annotations

from typing import Any

import sqlagent
from sqlagent.serve.gate import connect
from sqlagent.serve.mcp.answers import Limits
from sqlagent.serve.mcp.server import Desk, build
from sqlagent.serve.pool import Pool
from sqlagent.serve.users import Principal

ROLES = {"read": "reader", "add": "writer", "write": "admin"}


def run(
    path: str, *, access: str, agent: str | None, rows: int, characters: int, seconds: float
) -> int:
    """Serve until standard input ends; the exit status.

    `access` is 'read', 'add' (memories and states too) or 'write' (any statement).
    """
    timeout_ms = round(seconds * 1000)
    owner = sqlagent.connect(path)  # made, migrated, and kept open: the indexes stay warm

    def opened(key: Any) -> sqlagent.Connection:
        _, writes = key
        principal = Principal("mcp", ROLES[access] if writes else "reader")
        return connect(path, principal, statement_timeout_ms=timeout_ms)

    pool = Pool(opened)
    limits = Limits(rows, characters)
    desk = Desk(pool, lambda _: None, limits)
    server = build(desk, version=sqlagent.__version__, access=access, agent=agent)
    try:
        server.run("stdio")
    finally:
        pool.close()
        owner.close()
    return 0
