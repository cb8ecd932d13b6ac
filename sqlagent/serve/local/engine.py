"""The process: takes the file's lock, listens, greets clients, and ends when it is idle."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import struct
import threading
import time
from typing import Any, Final

from sqlagent import __version__
from sqlagent.errors import Error, OperationalError
from sqlagent.serve import gate
from sqlagent.serve.local import wire
from sqlagent.serve.local.session import Session, failure
from sqlagent.serve.local.surface import packed, surface

IDLE_S: Final = 300.0
LOCK_S: Final = 15.0  # how long another engine of the file may take to end, or to begin
GREETING_S: Final = 10.0  # within which a client has to say who it is
CLIENTS_MAX: Final = 200
TICK_S: Final = 1.0
READ_ONLY, ANY_VERSION = 1, 2  # bits of a greeting


class Engine:
    """Serves one file on one socket until it has been idle for so many seconds."""

    def __init__(self, path: str, place: str, idle_s: float = IDLE_S) -> None:
        self.path, self.place, self.idle_s = os.path.realpath(path), place, idle_s
        self.sessions: dict[int, tuple[Session, socket.socket]] = {}
        self.guard = threading.Lock()
        self.clients = 0
        self.last = time.monotonic()
        self.retired = self.stopped = self.ended = False
        self.lock_fd = -1
        self.inode: tuple[int, int] = (0, 0)
        self.woken, self.wake = socket.socketpair()
        self.listener: socket.socket | None = None
        self.keeping: Any = None  # a connection that keeps the file's indexes while clients change

    # Beginning ------------------------------------------------------------------------------------

    def begin(self) -> bool:
        """Open the file and listen; False where another engine of the file does. Raises Error."""
        if not self._take_lock():
            return False
        if listens(self.place):
            raise OperationalError(f"something else listens at {self.place}")
        self.keeping = gate.connect(self.path, None)
        seen = os.stat(self.path)
        self.inode = seen.st_dev, seen.st_ino
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.place)  # of an engine that was killed
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listener.bind(self.place)
        except OSError as error:
            raise OperationalError(f"cannot listen at {self.place}: {error}") from None
        finally:
            os.umask(before)
        listener.listen(128)
        self.listener = listener
        return True

    def _take_lock(self) -> bool:
        """Be the one engine of the file; False where another is there and listens."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self.lock_fd = os.open(self.place + ".lock", flags, 0o600)
        end = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(self.lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if listens(self.place):
                    return False
            if time.monotonic() > end:
                raise OperationalError(
                    f"another engine of {self.path} neither answers nor ends",
                    hint=f"See {self.place}.log",
                )
            time.sleep(0.02)

    # Serving --------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until idle, retired with nobody left, or stopped."""
        listener = self.listener
        assert listener is not None
        poller = select.poll()
        poller.register(listener, select.POLLIN)
        poller.register(self.woken, select.POLLIN)
        while not self.stopped:
            for fd, _ in poller.poll(int(1000 * TICK_S)):
                if fd == self.woken.fileno():
                    self.woken.recv(4096)
                elif not self.retired:
                    with contextlib.suppress(OSError):
                        self._admit(listener.accept()[0])
            self._look_after()
            if self.retired and self.listener is not None:
                poller.unregister(listener)
                self._give_up_place()
            with self.guard:
                idle = not self.clients and (
                    self.retired or time.monotonic() - self.last > self.idle_s
                )
            if idle:
                break
        self.ended = True

    def _admit(self, client: socket.socket) -> None:
        """A thread for a client of the same user; others, and too many, are turned away."""
        if peer_user(client) != os.geteuid():
            client.close()
            return
        with self.guard:
            self.clients += 1
        threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _look_after(self) -> None:
        """End the work of clients that are gone; retire where the file is another."""
        with self.guard:
            busy = [(s, c) for s, c in self.sessions.values() if s.busy]
        for session, client in busy:
            if gone(client):
                session.connection.interrupt()
        if not self.retired and not self._same_file():
            self.retired = True

    def _same_file(self) -> bool:
        try:
            seen = os.stat(self.path)
        except OSError:
            return False
        return (seen.st_dev, seen.st_ino) == self.inode

    def _give_up_place(self) -> None:
        """Let another engine take over; who is connected stays."""
        assert self.listener is not None
        with contextlib.suppress(OSError):
            os.unlink(self.place)
        self.listener.close()
        self.listener = None
        os.close(self.lock_fd)
        self.lock_fd = -1

    def stop(self, *_: object) -> None:
        """End now; for a signal."""
        self.stopped = True
        with contextlib.suppress(OSError):
            self.wake.send(b"\0")

    def close(self) -> None:
        """End: no more clients, then those that there are, then the file."""
        if self.listener is not None:
            self._give_up_place()
        with self.guard:
            left = list(self.sessions.values())
        for session, client in left:
            session.connection.interrupt()
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + 5.0
        while self.clients and time.monotonic() < end:
            time.sleep(0.01)
        if self.keeping is not None:
            self.keeping.close()
        for one in (self.woken, self.wake):
            one.close()

    # One client -----------------------------------------------------------------------------------

    def _serve(self, client: socket.socket) -> None:
        session: Session | None = None
        try:
            client.settimeout(GREETING_S)
            session = self._greeted(client)
            client.settimeout(None)
            while session is not None:
                frame = wire.receive(client)
                if frame is None:
                    break
                reply = session.answer(frame)
                if reply is not None:
                    client.sendall(wire.framed(reply))
        except Error as error:
            with contextlib.suppress(OSError):
                client.sendall(wire.framed(failure(error)))
        except OSError:
            pass  # the client is gone
        finally:
            with self.guard:
                self.sessions.pop(id(client), None)
            client.close()
            if session is not None:
                with contextlib.suppress(Error):
                    session.close()
            with self.guard:
                self.clients -= 1
                self.last = time.monotonic()
            with contextlib.suppress(OSError):
                self.wake.send(b"\0")

    def _greeted(self, client: socket.socket) -> Session | None:
        """A session for a client that has said who it is; None where that was all."""
        frame = wire.receive(client, wire.FIRST_FRAME_MAX)
        if frame is None:
            return None
        reader = wire.Reader(frame)
        kind = reader.number(1)
        if kind == ord("I"):
            self._interrupt(reader.number(8))
            return None
        if kind != ord("H") or reader.text() != "sqlagent":
            raise wire.ProtocolError("a client's first frame says that it is sqlagent's")
        protocol, flags = reader.number(2), reader.number(1)
        inode, version = (reader.number(8), reader.number(8)), reader.text()
        reader.end()
        if self.retired or (inode != self.inode and not self._same_file()):
            self._retire(client)
            return None
        if version != __version__ and not flags & ANY_VERSION:
            self._retire(client)  # it was installed anew: an engine of that version is started
            return None
        if protocol != wire.PROTOCOL:
            raise OperationalError(
                f"the extension is of sqlagent {version:.40}, the engine of {__version__}: they do "
                "not understand each other",
                hint="Load the extension that `sqlagent extension` names.",
            )
        if inode != self.inode:
            raise OperationalError(f"this engine's file is {self.path}, the client's another")
        with self.guard:
            if self.clients > CLIENTS_MAX:
                raise OperationalError(f"{CLIENTS_MAX} clients are connected", sqlstate="53300")
        read_only = bool(flags & READ_ONLY)
        session = Session(gate.connect(self.path, None, read_only=read_only))
        key = int.from_bytes(os.urandom(8), "little")
        with self.guard:
            self.sessions[id(client)] = session, client
            session.key = key
        welcome = b"W" + struct.pack("<Q", key) + packed(surface(read_only))
        client.sendall(wire.framed(welcome))
        return session

    def _retire(self, client: socket.socket) -> None:
        """Tell a client to start another engine, once there is room for it."""
        self.retired = True
        with contextlib.suppress(OSError):
            self.wake.send(b"\0")
        client.sendall(wire.framed(b"Z"))

    def _interrupt(self, key: int) -> None:
        with self.guard:
            found = [s for s, _ in self.sessions.values() if s.key == key and s.busy]
        for session in found:
            session.connection.interrupt()


def peer_user(client: socket.socket) -> int:
    """The id of the user at the other end.

    Where the system does not say, the folder of the socket has to do: only its user can reach it.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return os.geteuid()
    size = struct.calcsize("3i")
    found = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", found)[1])


def gone(client: socket.socket) -> bool:
    """Whether the other end has closed."""
    poller = select.poll()
    poller.register(client, getattr(select, "POLLRDHUP", select.POLLHUP) | select.POLLHUP)
    return bool(poller.poll(0))


def listens(place: str) -> bool:
    """Whether somebody answers there."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.connect(place)
        return True
    except OSError:
        return False
    finally:
        probe.close()
