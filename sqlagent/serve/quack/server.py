"""The port: HTTP/1.1 with one path, /quack, to which clients POST their messages."""

from __future__ import annotations

import http.server
import socket
import socketserver
import ssl
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error
from sqlagent.serve.quack import wire
from sqlagent.serve.users import AuthenticationError

if TYPE_CHECKING:
    from sqlagent.serve.limits import Visit
    from sqlagent.serve.quack.session import Session
    from sqlagent.serve.quack.shadow import Shadow
    from sqlagent.serve.server import Server
    from sqlagent.serve.users import Principal

PATH = "/quack"
MIME = "application/vnd.duckdb"
KEEP_ALIVE_S = 75.0  # how long a client's socket may be silent
SOCKETS_MAX = 512
IDLE_S = 3600.0  # a session of which nobody has heard for so long is closed
IDLE_WRITING_S = 60.0  # or for so long with an open transaction, which other writers wait for
SWEEP_S = 5.0
SHADOWS_MAX = 64
HELLO = b"This is sqlagent's port for DuckDB clients: ATTACH 'quack:HOST:PORT' AS r (TOKEN '...')\n"


class QuackListener:
    """A port that listens until it is closed."""

    def __init__(self, server: Server, host: str, port: int) -> None:
        self.server = server
        self.sessions: dict[str, Session] = {}
        self._visits: dict[str, Visit] = {}
        self._shadows: OrderedDict[Principal, Shadow] = OrderedDict()
        self._lock = threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._http = _Http((host, port), self, family)
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
        visit = self.server.admit(peer)
        try:
            session = self._session(message.fields.get(1, ""), peer, visit)
        except BaseException:
            visit.leave()
            raise
        self._visits[session.id] = visit
        self.sessions[session.id] = session
        return wire.connected(session.id, *_platform())

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
        """Close the sessions of clients that went without a word."""
        while not self._closed.wait(SWEEP_S):
            for session in list(self.sessions.values()):
                writing = session.connection.in_transaction
                if session.idle_s > (IDLE_WRITING_S if writing else IDLE_S):
                    self._end(session)


def _platform() -> tuple[str, str]:
    """The version of DuckDB whose protocol this is, and our platform as DuckDB calls it."""
    import platform
    from importlib.metadata import version

    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"v{version('duckdb')}", f"{platform.system().lower()}_{machine}"


class _Http(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], listener: QuackListener, family: int) -> None:
        self.listener = listener
        self.address_family = family
        self._free = threading.BoundedSemaphore(SOCKETS_MAX)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Without a look-up of the host's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)  # a client tries again
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            request.settimeout(KEEP_ALIVE_S)
            tls: ssl.SSLContext | None = self.listener.server.tls
            if tls is not None:
                request = tls.wrap_socket(request, server_side=True)
            super().process_request_thread(request, client_address)
        except OSError:  # a handshake that failed, ssl.SSLError among them
            self.shutdown_request(request)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # the answer's head and body go together
    timeout = KEEP_ALIVE_S
    server: _Http

    def do_POST(self) -> None:
        listener = self.server.listener
        size = self.headers.get("Content-Length", "")
        most = listener.server.limits.message_bytes
        if self.path.rstrip("/") != PATH:
            self._send(404, b"", "text/plain")
        elif not size.isdecimal():
            self._send(411, b"", "text/plain")
        elif int(size) > most:
            self._send(413, b"", "text/plain")
        else:
            data = self.rfile.read(int(size))
            if len(data) == int(size):
                self._send(200, listener.answer(data, str(self.client_address[0])), MIME)

    def do_GET(self) -> None:
        self._send(200, HELLO, "text/plain")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status >= 400:  # what follows may be the body that was not read
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: statements may hold what is nobody's business."""
