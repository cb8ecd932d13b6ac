"""HTTP: `POST /sql`, a REST view of the tables, server-sent events, metrics, MCP at `/mcp`.

On Starlette and uvicorn (the extra `[serve]`). A statement runs on a thread, with a connection of
its user's; a client that goes away interrupts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlagent.serve.http.listener import HttpListener
    from sqlagent.serve.server import Server


def start(server: Server, host: str, port: int) -> HttpListener:
    """Listen for HTTP; `sqlagent.serve.command` calls it."""
    from sqlagent.serve.http.listener import HttpListener

    return HttpListener(server, host, port)
