"""The port: HTTP/1.1 with one path, /quack, to which clients POST their messages."""

from __future__ import annotations

import socket
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from sqlagent.errors import Error
from sqlagent.serve.limits import TooManyConnections, Visit
from sqlagent.serve.quack import wire
from sqlagent.serve.quack.port import Http
from sqlagent.serve.users import AuthenticationError

if TYPE_CHECKING:
    from sqlagent.serve.quack.session import Session
    from sqlagent.serve.quack.shadow import Shadow
    from sqlagent.serve.server import Server
    from sqlagent.serve.users import Principal

IDLE_MIN_S = 60.0  # one that is idle for so long may have to make place
IDLE_S = 3600.0  # a session of which nobody has heard for so long is closed
IDLE_WRITING_S = 60.0  # or for so long with an open transaction, which other writers wait for
SWEEP_S = 2.0
SHADOWS_MAX = 16


class QuackListener:
    """A port that listens until it is closed."""

    def __init__(self, server: Server, host: str, port: int) -> None:
        self.server = server
        self.sessions: dict[str, Session] = {}
        self._visits: dict[str, Visit] = {}
        self._shadows: OrderedDict[Principal, Shadow] = OrderedDict()
        self._lock = threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._http = Http((host, port), self, family)
        name, own = self._http.server_address[:2]
        self.port = int(own)
        self.address = f"[{host}]:{own}" if ":" in host else f"{name!s}:{own}"
        self._closed = threading.Event()
        for work in (lambda: self._http.serve_forever(0.5), self._sweep):
            threading.Thread(target=work, name="sqlagent-quack", daemon=True).start()

    def answer(self, data: bytes, peer: str) -> bytes:
        """The answer to the bytes of a message. Never raises for what they say."""
        try:
            message = wire.read(data)
            if message.type == wire.CONNECT:
                return self._connect(message, peer)
            session = self.sessions.get(message.session)
            if session is None:
                return wire.failed("Invalid connection id")
            if message.type == wire.DISCONNECT:
                self._end(session)
                return wire.success()
            return session.answer(message)
        except Error as error:
            return wire.failed(str(error))
        except Exception as error:  # ours, and no reason to leave a client without an answer
            return wire.failed(f"internal error: {type(error).__name__}: {error}")

    def session_of(self, head: bytes) -> Session | None:
        """The session that the beginning of a message is for; None: of none."""
        try:
            return self.sessions.get(wire.head(head).session)
        except wire.Malformed:
            return None

    def close(self, grace_s: float = 0.0) -> None:
        """Stop listening, let statements that run go on for so long, then end every session."""
        self._closed.set()
        self._http.shutdown()
        self._http.server_close()
        end = time.monotonic() + grace_s
        while time.monotonic() < end and any(s.busy for s in list(self.sessions.values())):
            time.sleep(0.02)
        for session in list(self.sessions.values()):
            self._end(session)
        for shadow in self._shadows.values():
            shadow.close()

    # Sessions -----------------------------------------------------------------------------------

    def _connect(self, message: wire.Message, peer: str) -> bytes:
        low, high = message.fields.get(4, 1), message.fields.get(5, 1)
        if low > wire.VERSION or high < wire.VERSION:
            return wire.failed(
                f"Unsupported Quack version - server only supports version {wire.VERSION} of quack"
            )
        time.sleep(self.server.failures.delay(peer))
        visit = self._admitted(peer)
        try:
            session = self._session(message.fields.get(1, ""), peer, visit)
        except BaseException:
            visit.leave()
            raise
        self._visits[session.id] = visit
        self.sessions[session.id] = session
        return wire.connected(session.id, *_platform())

    def _admitted(self, peer: str) -> Visit:
        """A place for a client; where there is none, that of the session idle for longest."""
        try:
            return self.server.admit(peer)
        except TooManyConnections:
            idle = max(list(self.sessions.values()), key=lambda s: s.idle_s, default=None)
            if idle is None or idle.idle_s < IDLE_MIN_S:
                raise
            self._end(idle)
            return self.server.admit(peer)

    def _session(self, token: str, peer: str, visit: Visit) -> Session:
        """A session for who has the token `name:password`. Raises AuthenticationError."""
        from sqlagent.serve.quack.session import Session
        from sqlagent.serve.quack.shadow import Shadow

        try:
            principal = self.server.users.token(token)
        except AuthenticationError:
            self.server.failures.failed(peer)
            raise AuthenticationError(
                "Authentication failed", hint="The TOKEN is 'name:password'."
            ) from None
        self.server.failures.succeeded(peer)
        visit.login(principal)
        with self._lock:
            shadow = self._shadows.pop(principal, None) or Shadow(self.server.name)
            self._shadows[principal] = shadow
            if len(self._shadows) > SHADOWS_MAX:  # who still uses it makes it anew
                self._shadows.popitem(last=False)[1].close()
        return Session(self.server.connect(principal), shadow)

    def _end(self, session: Session) -> None:
        if self.sessions.pop(session.id, None) is not None:
            self._visits.pop(session.id).leave()
            session.close()

    def _sweep(self) -> None:
        """Close the sessions of clients that went without a word, and the sockets of those that
        send without an end; interrupt what nobody waits for any more."""
        while not self._closed.wait(SWEEP_S):
            for session in list(self.sessions.values()):
                writing = session.connection.in_transaction
                if session.idle_s > (IDLE_WRITING_S if writing else IDLE_S):
                    self._end(session)
            for handler in list(self._http.handlers):
                handler.look()


def _platform() -> tuple[str, str]:
    """The version of DuckDB whose protocol this is, and our platform as DuckDB calls it."""
    import platform
    from importlib.metadata import version

    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"v{version('duckdb')}", f"{platform.system().lower()}_{machine}"
