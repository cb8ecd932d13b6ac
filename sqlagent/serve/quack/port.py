"""The HTTP that carries quack: one path, to which clients POST their messages."""

from __future__ import annotations

import http.server
import socket
import socketserver
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlagent.serve.quack.server import QuackListener
    from sqlagent.serve.quack.session import Session

PATH = "/quack"
MIME = "application/vnd.duckdb"
KEEP_ALIVE_S = 75.0  # how long a client's socket may be silent
SOCKETS_MAX = 512
REQUEST_S = 60.0  # how long a request may take to arrive
STRANGER_B = 1 << 16  # and how large it may be of who has not logged in
HEAD_B = 512  # in which a message says whose it is
HELLO = b"This is sqlagent's port for DuckDB clients: ATTACH 'quack:HOST:PORT' AS r (TOKEN '...')\n"


def gone(own: socket.socket) -> bool:
    """Whether the other end of a socket is closed; nothing is read."""
    try:
        # The class's own recv: an SSL socket knows no flags.
        return socket.socket.recv(own, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class Http(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], listener: QuackListener, family: int) -> None:
        self.listener = listener
        self.address_family = family
        self.handlers: set[_Handler] = set()
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
    server: Http
    arriving: float | None = None  # since when a request does
    session: Session | None = None  # whose message is being answered

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.listener.server.limits.login_s or KEEP_ALIVE_S)
        self.server.handlers.add(self)

    def finish(self) -> None:
        self.server.handlers.discard(self)
        super().finish()

    def handle_one_request(self) -> None:
        try:
            if not self.rfile.peek(1):  # type: ignore[attr-defined]  # it is a BufferedReader
                self.close_connection = True
                return
        except OSError:
            self.close_connection = True
            return
        self.arriving = time.monotonic()
        super().handle_one_request()
        self.arriving = None

    def look(self) -> None:
        """For the thread that sweeps: is somebody there, and does something come?"""
        try:
            if self.arriving is not None and time.monotonic() - self.arriving > REQUEST_S:
                self.connection.shutdown(socket.SHUT_RDWR)
            session = self.session
            if session is not None and gone(self.connection):
                session.interrupt()
        except OSError:
            pass  # it was closed meanwhile

    def do_POST(self) -> None:
        listener = self.server.listener
        text = self.headers.get("Content-Length", "")
        if self.path.rstrip("/") != PATH:
            self._send(404, b"", "text/plain")
            return
        if not text.isdecimal():
            self._send(411, b"", "text/plain")
            return
        size, most = int(text), listener.server.limits.message_bytes
        data = self.rfile.read(HEAD_B if size > HEAD_B else size) if size <= most else b""
        session = listener.session_of(data)
        if size > (STRANGER_B if session is None else most):
            self._send(413, b"", "text/plain")
            return
        data += self.rfile.read(size - len(data))
        if len(data) < size:
            self.close_connection = True
            return
        self.arriving, self.session = None, session
        try:
            answer = listener.answer(data, str(self.client_address[0]))
        finally:
            self.session = None
        self.connection.settimeout(KEEP_ALIVE_S)
        self._send(200, answer, MIME)

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
