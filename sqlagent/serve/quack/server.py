"""The port: HTTP/1.1 with one path, /quack, to which clients POST their messages."""

from __future__ import annotations

import http.server
import socket
import socketserver
import ssl
import threading
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error
from sqlagent.serve.quack import wire

if TYPE_CHECKING:
    from sqlagent.serve.quack.session import Session
    from sqlagent.serve.quack.shadow import Shadow

PATH = "/quack"
MIME = "application/vnd.duckdb"
KEEP_ALIVE_S = 75.0  # how long a client's socket may be silent
SOCKETS_MAX = 512
IDLE_S = 3600.0  # a session of which nobody has heard for so long is closed
IDLE_WRITING_S = 60.0  # or for so long with an open transaction, which other writers wait for
SWEEP_S = 5.0
HELLO = b"This is sqlagent's port for DuckDB clients: ATTACH 'quack:HOST:PORT' AS r (TOKEN '...')\n"


class Listener:
    """A port that listens until it is closed."""

    def __init__(self, server: Any, host: str, port: int) -> None:
        self.server = server
        self.sessions: dict[str, Session] = {}
        self._shadows: dict[str, Shadow] = {}
        self._lock = threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._http = _Http((host, port), self, family)
        self.address: tuple[str, int] = self._http.server_address[:2]
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.5,), daemon=True),
            threading.Thread(target=self._sweep, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

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

    def close(self) -> None:
        """Stop listening, interrupt what runs, roll back what is open."""
        self._closed.set()
        self._http.shutdown()
        self._http.server_close()
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
        name, _, password = message.fields.get(1, "").partition(":")
        connection = self.server.login(name, password, peer)
        from sqlagent.serve.quack.session import Session
        from sqlagent.serve.quack.shadow import Shadow

        try:
            with self._lock:
                shadow = self._shadows.setdefault(name, Shadow(self.server.path))
            session = Session(connection, shadow)
        except BaseException:
            connection.close()
            raise
        self.sessions[session.id] = session
        return wire.connected(session.id, *_platform())

    def _end(self, session: Session) -> None:
        if self.sessions.pop(session.id, None) is not None:
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

    def __init__(self, address: tuple[str, int], listener: Listener, family: int) -> None:
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
        most = listener.server.message_bytes_max
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


def start(server: Any, host: str, port: int) -> Listener:
    """Listen for DuckDB clients. Raises OperationalError where the port cannot be had."""
    from sqlagent.errors import OperationalError

    try:
        return Listener(server, host, port)
    except OSError as error:
        raise OperationalError(f"cannot listen on {host}:{port}: {error.strerror}") from None
