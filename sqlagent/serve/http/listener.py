"""The listener: uvicorn on a thread of its own, with an event loop of its own."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from sqlagent.serve.http.app import App

if TYPE_CHECKING:
    from sqlagent.serve.server import Server

START_S = 30.0


class HttpListener:
    """A server that listens already. `address` is its URL."""

    def __init__(self, server: Server, host: str, port: int) -> None:
        self.app = App(server)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=1024)
        place = self._socket.getsockname()
        shown = f"[{place[0]}]" if ":" in place[0] else place[0]
        self.address = f"{'https' if server.tls else 'http'}://{shown}:{place[1]}"
        context = server.tls
        config = uvicorn.Config(
            self.app,
            log_config=None,
            access_log=False,
            lifespan="on",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=max(1, round(server.limits.grace_s)),
            h11_max_incomplete_event_size=64 << 10,
            ssl_context_factory=None if context is None else lambda *_: context,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="sqlagent-http", daemon=True)
        self._thread.start()
        if not self.app.ready.wait(START_S):
            raise OSError(f"HTTP did not start within {START_S:g} s")

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def close(self, grace_s: float = 0.0) -> None:
        """Stop listening, let running statements go on for `grace_s`, then end every client."""
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_s))
        self.app.ending.set()
        self._server.should_exit = True
        self._thread.join(grace_s + 5.0)
        if self._thread.is_alive():
            self._server.force_exit = True
            self.app.interrupt()
            self._thread.join(5.0)
        self._socket.close()
        self.app.close()
