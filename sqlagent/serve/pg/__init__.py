"""PostgreSQL's protocol, version 3.0: `start(server, host, port)` listens.

listener.py ─▶ startup.py ─▶ session.py ─▶ simple.py · extended.py ─▶ execute.py
(loop, workers)   (TLS, SCRAM)             (messages)                    │
                                          verbs.py · cursors.py · prepared.py · copying.py
                                          describe.py (nothing is run) · encode.py, columnar.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlagent.serve.pg.listener import Listener
    from sqlagent.serve.server import Server


def start(server: Server, host: str, port: int) -> Listener:
    """Listen for clients of PostgreSQL's protocol; a host with a leading slash is a folder."""
    from sqlagent.serve.pg.listener import Listener

    return Listener(server, host, port)
