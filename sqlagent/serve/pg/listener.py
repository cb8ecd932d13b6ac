"""Listening, and one loop over all clients that are quiet.

A client belongs to one thread at a time. While it is quiet that is the loop's; once something comes
the loop answers it at once where the statement is known to be a point read (`fast`), and gives the
client to a worker otherwise, who serves it until it is quiet again. So a client that is slow to
read or to write, or whose statement is long, has a thread of its own, and holds up nobody.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import struct
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, OperationalError
from sqlagent.serve.pg import failures
from sqlagent.serve.pg.fast import Fast
from sqlagent.serve.pg.session import Fatal, Terminated
from sqlagent.serve.pg.shared import Client, shared_of
from sqlagent.serve.pg.startup import Done, start
from sqlagent.serve.pg.wire import Gone
from sqlagent.serve.pg.workers import Workers

if TYPE_CHECKING:
    from sqlagent.serve.server import Server

LINGER_S = 0.002  # a worker waits so long for the client's next message before it lets it go
LOOK_S = 1.0  # how often clients are looked at that may not be quiet for ever
BACKLOG = 512
SWITCH_S = 0.0005  # a thread that computes gives way to the loop after so long


class Listener:
    """Listens on a host and port; a host that begins with a slash is a folder for a unix socket."""

    def __init__(self, server: Server, host: str, port: int) -> None:
        self.server = server
        self._sockets = _listening(host, port)
        first = self._sockets[0].getsockname()
        self.port = port if isinstance(first, str) else first[1]
        shown = f"[{host}]" if ":" in host else host
        self.address = first if isinstance(first, str) else f"{shown}:{self.port}"
        server.owner.database.readers_max = max(
            server.owner.database.readers_max, (server.limits.connections or 1000) + 16
        )
        self.shared = shared_of(server)
        self.shared.enter()
        self._epoll = select.epoll()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake_fd, select.EPOLLIN)
        self._by_fd = {s.fileno(): s for s in self._sockets}
        for fd in self._by_fd:
            self._epoll.register(fd, select.EPOLLIN)
        self._quiet: dict[int, Client] = {}
        self._tasks: deque[tuple[str, Any]] = deque()
        self._everybody: set[Client] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._fast = Fast(server.owner.database)
        self._workers = Workers(self._work, f"pg-{self.port}")
        if sys.getswitchinterval() > SWITCH_S:
            sys.setswitchinterval(SWITCH_S)
        self._thread = threading.Thread(target=self._loop, name=f"pg-loop-{self.port}", daemon=True)
        self._thread.start()

    # The loop ---------------------------------------------------------------------------------

    def _loop(self) -> None:
        looked = time.monotonic()
        while not self._closing:
            for fd, _ in self._epoll.poll(LOOK_S):
                if fd == self._wake_fd:
                    self._do_tasks()
                elif fd in self._by_fd:
                    self._accept(self._by_fd[fd])
                else:
                    self._came(fd)
            now = time.monotonic()
            if now - looked >= LOOK_S:
                looked = now
                self._look(now)

    def _came(self, fd: int) -> None:
        """Something has come from a quiet client."""
        client = self._quiet.get(fd)
        if client is None:
            return
        try:
            if (
                client.session is not None and client.wire.receive()
                and self._fast.answer(client.session) and client.wire.send_now()
            ):  # fmt: skip
                client.quiet_since = time.monotonic()
                return
        except Exception:
            pass  # whoever takes it over meets the same, and knows what to do
        self._take(client)
        self._workers.submit(client)

    def _take(self, client: Client) -> None:
        """It is the loop's no more."""
        self._quiet.pop(client.fd, None)
        try:
            self._epoll.unregister(client.fd)
        except (OSError, ValueError):
            pass

    def _do_tasks(self) -> None:
        try:
            os.eventfd_read(self._wake_fd)
        except BlockingIOError:
            pass
        while self._tasks:
            what, asked = self._tasks.popleft()
            client: Client = asked
            if self._quiet.get(client.fd) is client:
                if what == "end":
                    client.ended = True
                self._take(client)
                self._workers.submit(client)

    def task(self, what: str, client: Client) -> None:
        """Have the loop give a quiet client to a worker, who delivers what has come, or ends it."""
        self._tasks.append((what, client))
        os.eventfd_write(self._wake_fd, 1)

    def _look(self, now: float) -> None:
        """Clients that may not be quiet for so long."""
        for client in list(self._quiet.values()):
            session = client.session
            if session is None:
                continue
            limit = session.quiet_ms()
            if limit and (now - client.quiet_since) * 1000 > limit:
                self.task("end", client)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(64):
            try:
                sock, peer = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # no more descriptors: those who wait will be let in later
                self.shared.log(f"accept: {error}")
                time.sleep(0.05)
                return
            address = peer[0] if isinstance(peer, tuple) else ""
            try:
                visit = self.server.admit(address)
            except Error as error:
                _refuse(sock, error)
                continue
            uid = None
            if sock.family == socket.AF_UNIX:
                raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                uid = struct.unpack("3i", raw)[1]
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            client = Client(self, sock, address, visit, uid)
            with self._lock:
                self._everybody.add(client)
            self._workers.submit(client)

    # Workers ----------------------------------------------------------------------------------

    def _work(self, client: Client) -> None:
        """Serve a client until it is quiet, or gone."""
        self.shared.slots.enter()
        try:
            self._attend(client)
        finally:
            self.shared.slots.leave()

    def _attend(self, client: Client) -> None:
        try:
            if client.session is None:
                client.session = start(client, self.shared)
            if client.ended and not client.killed:
                raise Fatal(client.session.too_quiet())
            if self._serve(client):
                return
        except Fatal as error:
            self._tell(client, error.error)
        except (Gone, Done, Terminated):
            pass
        except Error as error:
            if client.session is not None:  # else it was told
                self._tell(client, error)
        except Exception as error:
            self.shared.log(f"error of a client: {type(error).__name__}: {error}")
        self._end(client)

    def _serve(self, client: Client) -> bool:
        """Answer what comes; True once it is quiet and the loop's again."""
        session, wire = client.session, client.wire
        assert session is not None  # it has logged in
        wire.flush()
        while not (self._closing or client.killed):
            if len(wire.buffer) > wire.at:
                kind, body = wire.message()
                session.handle(kind, body)
            elif not wire.wait(LINGER_S):
                if session.deliver():
                    wire.flush()
                self._quieten(client)
                return True
        raise Fatal(OperationalError(
            "terminating connection due to administrator command", sqlstate="57P01"
        ))  # fmt: skip

    def _quieten(self, client: Client) -> None:
        """Give it to the loop."""
        client.quiet_since = time.monotonic()
        self._quiet[client.fd] = client
        try:
            self._epoll.register(client.fd, select.EPOLLIN)
        except (OSError, ValueError):
            self._quiet.pop(client.fd, None)
            raise Gone from None
        if self._closing or (client.session is not None and client.session.told_more()):
            self.task("deliver", client)

    def _tell(self, client: Client, error: Error) -> None:
        """Why the connection ends, for as long as the client listens."""
        try:
            client.wire.send_s = 1.0
            client.wire.put(failures.fatal(error))
            client.wire.flush()
        except Gone:
            pass

    def _end(self, client: Client) -> None:
        """Close a connection and all that it had."""
        self.shared.forget(client)
        try:
            if client.session is not None:
                client.session.close()
        except Error as error:
            self.shared.log(f"error at the end of session {client.pid}: {error}")
        finally:
            client.wire.close()
            client.visit.leave()
            with self._lock:
                self._everybody.discard(client)

    # Ending -----------------------------------------------------------------------------------

    def close(self, grace_s: float = 0.0) -> None:
        """Stop listening; what runs may go on for `grace_s`, then every client is ended."""
        if self._closing:
            return
        self._closing = True
        os.eventfd_write(self._wake_fd, 1)
        self._thread.join(5)
        for sock in self._sockets:
            name = sock.getsockname()
            sock.close()
            if isinstance(name, str):
                try:
                    os.unlink(name)
                except OSError:
                    pass
        self._await_end(grace_s)
        with self._lock:
            left = list(self._everybody)
        for client in left:
            if client.session is not None:
                client.session.cancel()
            try:
                client.sock.shutdown(socket.SHUT_RD)
            except OSError:
                pass
        self._await_end(2.0)
        self.shared.leave()
        self._fast.close()
        self._epoll.close()
        os.close(self._wake_fd)

    def _await_end(self, most_s: float) -> None:
        """Have workers end who is quiet or becomes it: there is no loop any more to take them."""
        end = time.monotonic() + most_s
        while True:
            for client in list(self._quiet.values()):
                self._take(client)
                self._workers.submit(client)
            if not self._everybody or time.monotonic() >= end:
                return
            time.sleep(0.01)


def _refuse(sock: socket.socket, error: Error) -> None:
    """Tell a client why it is not let in, without waiting for it."""
    try:
        sock.setblocking(False)
        sock.send(failures.fatal(error))
    except OSError:
        pass
    sock.close()


def _listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen. Raises OSError."""
    if host.startswith("/"):
        return [_unix(os.path.join(host, f".s.PGSQL.{port or 5432}"))]
    found = []
    try:
        for family, kind, proto, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            sock = socket.socket(family, kind, proto)
            found.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if port == 0 and len(found) > 1:
                address = (address[0], found[0].getsockname()[1], *address[2:])
            sock.bind(address)
            sock.listen(BACKLOG)
            sock.setblocking(False)
    except OSError:
        for sock in found:
            sock.close()
        raise
    return found


def _unix(path: str) -> socket.socket:
    """A unix socket; one that nobody listens at any more is replaced."""
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
        probe = socket.socket(socket.AF_UNIX)
        try:
            probe.connect(path)
        except OSError:
            os.unlink(path)
        finally:
            probe.close()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
