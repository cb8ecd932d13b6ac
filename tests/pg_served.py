"""A server of the PostgreSQL protocol in this process, for tests with real clients."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlagent.serve import pg
from sqlagent.serve.limits import Limits
from sqlagent.serve.server import Server


class Served:
    """A file that is served: `socket` for the owner without a password, `port` for the user ada,
    whose password is secret."""

    def __init__(self, server: Server, listener: Any, unix: Any, folder: str) -> None:
        self.server = server
        self.listener = listener
        self.unix = unix
        self.folder = folder
        self.port = listener.port
        self.name = server.name

    @property
    def owner(self) -> dict[str, Any]:
        """How psycopg connects as the owner."""
        return {"host": self.folder, "port": 5432, "user": "root", "dbname": self.name}

    @property
    def ada(self) -> dict[str, Any]:
        """How psycopg connects as ada."""
        return {"host": "127.0.0.1", "port": self.port, "user": "ada", "password": "secret",
                "dbname": self.name}  # fmt: skip


@contextmanager
def served(path: Path, *, limits: Limits | None = None, **options: Any) -> Iterator[Served]:
    """Serve a file for the length of a test."""
    server = Server(str(path), limits=limits, account=("ada", "secret"), **options)
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:  # a socket's path is short
        listener = pg.start(server, "127.0.0.1", 0)
        unix = pg.start(server, folder, 5432)
        try:
            yield Served(server, listener, unix, folder)
        finally:
            listener.close(0.5)
            unix.close(0.5)
            server.close()


class Raw:
    """A client that says what it is told to, message by message."""

    def __init__(self, place: Served) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(os.path.join(place.folder, ".s.PGSQL.5432"))
        self.buffer = b""

    def login(self, place: Served, **more: str) -> Raw:
        """Log in as the owner."""
        given = {"user": "root", "database": place.name, **more}
        said = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in given.items()) + b"\0"
        self.sock.sendall(struct.pack("!II", len(said) + 8, 196608) + said)
        self.until(b"Z")
        return self

    def send(self, *messages: tuple[bytes, bytes]) -> None:
        """Send messages in one piece."""
        self.sock.sendall(b"".join(k + struct.pack("!I", len(b) + 4) + b for k, b in messages))

    def message(self) -> tuple[bytes, bytes]:
        """The next message of the server; (b'', b'') where it has closed."""
        while len(self.buffer) < 5 or len(self.buffer) < 1 + int.from_bytes(
            self.buffer[1:5], "big"
        ):
            data = self.sock.recv(65536)
            if not data:
                return b"", b""
            self.buffer += data
        end = 1 + int.from_bytes(self.buffer[1:5], "big")
        kind, body, self.buffer = self.buffer[:1], self.buffer[5:end], self.buffer[end:]
        return kind, body

    def until(self, last: bytes) -> list[tuple[bytes, bytes]]:
        """All messages up to one of a kind, or up to the end."""
        found = []
        while True:
            found.append(self.message())
            if found[-1][0] in (last, b""):
                return found

    def kinds(self, last: bytes = b"Z") -> str:
        """The kinds of the messages up to one."""
        return "".join(k.decode() for k, _ in self.until(last))

    def close(self) -> None:
        self.sock.close()


def error_of(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse."""
    return {p[:1].decode(): p[1:].decode() for p in body.split(b"\0") if p}
