"""What the sessions of one server have in common, by whichever listener they came."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from typing import TYPE_CHECKING, Any

from sqlagent.serve.pg.hub import Hub
from sqlagent.serve.pg.wire import Wire
from sqlagent.serve.pg.workers import Slots

if TYPE_CHECKING:
    from sqlagent.serve.pg.listener import Listener
    from sqlagent.serve.pg.session import Session
    from sqlagent.serve.server import Server

AT_ONCE = 4  # workers that compute at once


class Client:
    """A connection. `uid` is the user at the other end of a unix socket."""

    def __init__(
        self, listener: Listener, sock: Any, address: str, visit: Any, uid: int | None
    ) -> None:
        self.listener = listener
        self.sock = sock
        self.fd: int = sock.fileno()
        self.address = address
        self.visit = visit
        self.uid = uid
        self.local = uid is not None
        self.secure = False
        shared = listener.shared
        self.wire = Wire(sock, shared.server.limits.message_bytes, shared.slots)
        self.session: Session | None = None
        self.pid = self.secret = 0
        self.quiet_since = 0.0
        self.ended = False  # it was quiet for too long
        self.killed = False  # another session ended it


class Shared:
    """The sessions of a server: their numbers, the channels, what was found out of statements."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.descriptions: dict[Any, Any] = {}
        self.hub = Hub(self.wake, self.listened)
        self.slots = Slots(AT_ONCE)
        self._listeners = 0
        self._clients: dict[int, Client] = {}
        self._lock = threading.Lock()
        self._last = os.getpid() & 0xFFFF
        self._watch: Any = None

    def enter(self) -> None:
        """A listener begins."""
        with self._lock:
            self._listeners += 1

    def leave(self) -> None:
        """A listener ends; after the last nothing is watched."""
        with self._lock:
            self._listeners -= 1
            watch, self._watch = (
                (None if self._listeners else self._watch),
                (self._watch if self._listeners else None),
            )
        if watch is not None:
            watch.close()

    # Sessions ---------------------------------------------------------------------------------

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
        client = self.client(pid)
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
        """End a session, as an administrator does."""
        client.killed = True
        if client.session is not None:
            client.session.cancel()
        client.listener.task("deliver", client)

    # Channels ---------------------------------------------------------------------------------

    def wake(self, session: Session) -> None:
        """A session has been notified of something."""
        client = self.client(session.pid)
        if client is not None:
            client.listener.task("deliver", client)

    def listened(self) -> None:
        """Somebody listens: what changes is watched from now on."""
        if self._watch is None:
            from sqlagent.serve.pg.watching import Watch

            with self._lock:
                if self._watch is None:
                    self._watch = Watch(self.server.owner.database, self.hub)

    def log(self, text: str) -> None:
        """What the one who runs the server should know."""
        print(text, file=sys.stderr, flush=True)


_making = threading.Lock()


def shared_of(server: Server) -> Shared:
    """What the listeners of a server share."""
    with _making:
        found: Shared | None = getattr(server, "pg_shared", None)
        if found is None:
            found = Shared(server)
            server.pg_shared = found  # type: ignore[attr-defined]  # the protocol's own
        return found
