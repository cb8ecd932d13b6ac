"""DuckDB's remote protocol, quack: any DuckDB client ATTACHes the file, or sends it statements.

The server speaks the protocol itself and holds no DuckDB for it: a client's text is a statement of
this engine, planned, checked and run as every other. `wire` is the encoding of messages, `kinds`
that of types, `vectors` that of columns, `session` what a client's messages do, `shadow` what it
sees of the catalog, `server` the HTTP that carries it all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlagent.serve.quack.server import QuackListener
    from sqlagent.serve.server import Server


def start(server: Server, host: str, port: int) -> QuackListener:
    """Listen for DuckDB clients; `sqlagent.serve.command` calls it."""
    from sqlagent.serve.quack.server import QuackListener

    return QuackListener(server, host, port)
