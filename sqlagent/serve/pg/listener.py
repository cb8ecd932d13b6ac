"""Listening, and one loop over all clients that are quiet.

A client belongs to one thread at a time. While it is quiet that is the loop's; once something comes
the loop answers it at once where the statement is known to be a point read (`fast`), and gives the
client to a worker otherwise, who serves it until it is quiet again. So a client that is slow to read
or to write, or whose statement is long, has a thread of its own, and holds up nobody.
"""

from __future__ import annotations

import os
import secrets
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
from sqlagent.serve.pg.hub import Hub
from sqlagent.serve.pg.session import Fatal, Session, Terminated
from sqlagent.serve.pg.startup import Done, start
from sqlagent.serve.pg.wire import Gone, Wire
from sqlagent.serve.pg.workers import Workers

if TYPE_CHECKING:
    from sqlagent.serve.server import Server

LINGER_S = 0.002  # a worker waits so long for the client's next message before it lets it go
LOOK_S = 1.0  # how often clients are looked at that may not be quiet for ever
BACKLOG = 512
SWITCH_S = 0.0005  # a thread that computes gives way to the loop after so long


class Client:
    """A connection. `uid` is the user at the other end of a unix socket."""

    def __init__(self, sock: Any, address: str, visit: Any, uid: int | None, read_max: int) -> None:
        self.sock = sock
        self.fd: int = sock.fileno()
        self.address = address
        self.visit = visit
        self.uid = uid
        self.local = uid is not None
        self.secure = False
        self.wire = Wire(sock, read_max)
        self.session: Session | None = None
        self.pid = self.secret = 0
        self.quiet_since = 0.0
        self.ended = False
        self.killed = False


class Shared:
    """What the sessions of one listener have in common."""

    def __init__(self, server: Server, listener: Listener) -> None:
        self.server = server
        self.descriptions: dict[Any, Any] = {}
        self.hub = Hub(listener.wake, listener.listened)
        self._listener = listener
        self._clients: dict[int, Client] = {}
        self._lock = threading.Lock()
        self._last = os.getpid() & 0xFFFF

    def number(self, client: Client) -> tuple[int, int]:
        """A number for a session, and the secret that cancels it."""
        with self._lock:
            while True:
                self._last = self._last % 0x7FFFFFF0 + 1
                if self._last not in self._clients:
                    break
            client.pid, client.secret = self._last, secrets.randbits(32)
            self._clients[client.pid] = client
            return client.pid, client.secret

    def forget(self, client: Client) -> None:
        """A session has ended."""
        with self._lock:
            self._clients.pop(client.pid, None)

    def cancel(self, pid: int, secret: int) -> None:
        """Cancel what a session runs, for whoever knows its secret."""
        with self._lock:
            client = self._clients.get(pid)
        if (
            client is not None and client.session is not None
            and secrets.compare_digest(client.secret.to_bytes(4, "big"), secret.to_bytes(4, "big"))
        ):  # fmt: skip
            client.session.cancel()

    def clients(self) -> list[Client]:
        """All that have logged in."""
        with self._lock:
            return list(self._clients.values())

    def client(self, pid: int) -> Client | None:
        """The client of a session's number."""
        with self._lock:
            return self._clients.get(pid)

    def terminate(self, client: Client) -> None:
        """End another session."""
        self._listener.terminate(client)

    def log(self, text: str) -> None:
        """What the one who runs the server should know."""
        print(text, file=sys.stderr, flush=True)


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
        self.shared = Shared(server, self)
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
        self._watch: Any = None
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
                and self._fast.answer(client.session)
            ):  # fmt: skip
                if client.wire.send_now():
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
            what, client = self._tasks.popleft()
            if self._quiet.get(client.fd) is client:
                if what == "end":
                    client.ended = True
                self._take(client)
                self._workers.submit(client)

    def _task(self, what: str, client: Client) -> None:
        self._tasks.append((what, client))
        os.eventfd_write(self._wake_fd, 1)

    def wake(self, session: Session) -> None:
        """A session has been notified of something."""
        client = next((c for c in self.shared.clients() if c.session is session), None)
        if client is not None:
            self._task("deliver", client)

    def terminate(self, client: Client) -> None:
        """End a session, as an administrator does."""
        client.killed = True
        if client.session is not None:
            client.session.cancel()
        self._task("deliver", client)

    def listened(self) -> None:
        """Somebody listens: what changes is watched from now on."""
        if self._watch is None:
            from sqlagent.serve.pg.watching import Watch

            with self._lock:
                if self._watch is None:
                    self._watch = Watch(self.server.owner.database, self.shared.hub)

    def _look(self, now: float) -> None:
        """Clients that may not be quiet for so long."""
        for client in list(self._quiet.values()):
            session = client.session
            if session is None:
                continue
            limit = session.quiet_ms()
            if limit and (now - client.quiet_since) * 1000 > limit:
                self._task("end", client)

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
            client = Client(sock, address, visit, uid, self.server.limits.message_bytes)
            with self._lock:
                self._everybody.add(client)
            self._workers.submit(client)

    # Workers ----------------------------------------------------------------------------------

    def _work(self, client: Client) -> None:
        """Serve a client until it is quiet, or gone."""
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
            self._task("deliver", client)

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
        for client in list(self._quiet.values()):
            self._take(client)
            self._workers.submit(client)
        end = time.monotonic() + grace_s
        while time.monotonic() < end and self._everybody:
            time.sleep(0.01)
        with self._lock:
            left = list(self._everybody)
        for client in left:
            if client.session is not None:
                client.session.cancel()
            try:
                client.sock.shutdown(socket.SHUT_RD)
            except OSError:
                pass
        end = time.monotonic() + 2
        while time.monotonic() < end and self._everybody:
            time.sleep(0.01)
        if self._watch is not None:
            self._watch.close()
        self._fast.close()
        self._epoll.close()
        os.close(self._wake_fd)


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
