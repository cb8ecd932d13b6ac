"""The server: what every protocol is given, and what it gives back.

A protocol is a module with `start(server, host, port) -> Listener`; a host that begins with a slash
is the folder of a unix socket. It calls, for each client:

    visit = server.admit(address)                      # 53300 where there are too many
    time.sleep(server.failures.delay(address))         # or asyncio's; after wrong passwords
    principal = server.users.password(name, password)  # or .scram(name), then .principal(name)
    visit.login(principal)
    connection = server.connect(principal, dialect="postgres")
    … ; connection.close(); visit.leave()

and bounds what it reads by `server.limits`.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

import sqlagent
from sqlagent.errors import Error
from sqlagent.serve import gate
from sqlagent.serve.limits import Admission, Failures, Limits, Visit
from sqlagent.serve.users import (
    AuthenticationError,
    Authenticator,
    OneAccount,
    Principal,
    authenticator,
)

if TYPE_CHECKING:
    from sqlagent.connection import Connection

EVERY_S = 1.0  # how often another process's changes of users are looked for
AT_MOST_S = 0.05


class Listener(Protocol):
    """What a protocol's `start` returns: it listens already."""

    address: str  # as a user would type it: 127.0.0.1:5432, or the path of a socket

    def close(self, grace_s: float = 0.0) -> None:
        """Stop listening, let running statements go on for `grace_s`, then end every client."""


class Server:
    """One file that is served: its users, limits and certificate.

    `name` is the database's name over the wire. `owner` is the owner's connection: no gate.
    """

    def __init__(
        self,
        path: str,
        *,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        account: tuple[str, str] | None = None,
        certificate: bytes | None = None,
    ) -> None:
        self.path = path
        self.name = os.path.splitext(os.path.basename(path))[0] or "agent"
        self.limits = limits or Limits()
        self.tls = tls
        self.certificate = certificate  # DER: channel binding hashes it
        self.owner: Connection = sqlagent.connect(path)
        self.users: Authenticator = (
            authenticator(self.owner) if account is None else Authenticator(OneAccount(*account))
        )
        self.failures = Failures()
        self.admission = Admission(self.limits)
        self._watch = Watch(self.owner, self.users) if account is None else None

    def admit(self, address: str = "") -> Visit:
        """A place for a client that has just connected. Raises TooManyConnections (53300)."""
        return self.admission.enter(address)

    def peer(self, uid: int, name: str) -> Principal | None:
        """The user of a unix socket whose other end has this uid, without a password.

        Whoever runs as the server does could open the file itself, and is an admin of it; for any
        other None, and a password is asked for.
        """
        return Principal(name, "admin", trusted=True) if uid == os.getuid() else None

    def login(self, name: str, password: str, address: str = "") -> Connection:
        """A connection for a name and a password, counted until it is closed: for a protocol with a
        thread a client. Wrong ones are answered late. Raises AuthenticationError.
        """
        visit = self.admit(address)
        try:
            time.sleep(self.failures.delay(address))
            try:
                principal = self.users.password(name, password)
            except AuthenticationError:
                self.failures.failed(address)
                raise
            self.failures.succeeded(address)
            visit.login(principal)
            connection = self.connect(principal)
        except BaseException:
            visit.leave()
            raise
        connection.gate.visit = visit
        return connection

    def connect(self, principal: Principal | None, **settings: Any) -> Connection:
        """A connection for a user, behind the gate, within the server's and the user's limits."""
        bounds = [self.limits.statement_timeout_ms]
        if principal is not None:
            bounds.append(principal.statement_timeout_ms)
        bound = min((b for b in bounds if b), default=0)
        if bound:
            settings.setdefault("statement_timeout_ms", bound)
        connection = gate.connect(self.path, principal, **settings)
        if connection.gate is not None:
            connection.gate.timeout_ms_most = self.limits.statement_timeout_ms
            connection.gate.rows_most = self.limits.rows
            connection.gate.trusted = principal is not None and principal.trusted
        return connection

    def close(self) -> None:
        """Close the owner's connection; listeners are closed before."""
        if self._watch is not None:
            self._watch.close()
        self.owner.close()


class Watch:
    """Carries changes of users and grants into the sessions that are open.

    A commit of this process is seen at once, that of another within a second.
    """

    def __init__(self, owner: Connection, users: Authenticator) -> None:
        self._owner = owner
        self._users = users
        self._ending = False
        self._commits = threading.Event()
        self._known = self._state()
        self._thread = threading.Thread(target=self._run, name="sqlagent-users", daemon=True)
        owner.database.waiting.add(self._commits)
        self._thread.start()

    def _state(self) -> list[tuple[Any, ...]]:
        with self._owner.database.read() as handle:
            return list(handle.execute(_USERS_STATE).fetchall())

    def _run(self) -> None:
        while not self._ending:
            self._commits.wait(EVERY_S)
            if self._ending:
                return
            self._commits.clear()
            try:
                self.look()
            except Error:
                if self._owner.closed:
                    return
            time.sleep(AT_MOST_S)  # many commits a second are looked at together

    def look(self) -> None:
        """Renew every session, where users or grants are others than before."""
        state = self._state()
        if state == self._known:
            return
        self._known = state
        for connection in list(self._owner.database.connections):
            if connection.gate is None or connection.closed:
                continue
            principal = connection.principal
            now = self._users.accounts.principal(principal.name)
            if now == principal or connection.gate.trusted:
                continue
            if now is None:
                connection.gate.shut()
                connection.interrupt()
            else:
                connection.principal = now
                connection.gate.renew(now)
            connection.plans.clear()

    def close(self) -> None:
        """End the thread."""
        self._ending = True
        self._owner.database.waiting.discard(self._commits)
        self._commits.set()
        self._thread.join(2.0)


_USERS_STATE = """
SELECT 'user', name, role, can_log_in, every_table, every_agent, connections_max,
  statement_timeout_ms, rows_max FROM sqlagent_users
UNION ALL SELECT 'grant', user_name, kind, object, privilege, 0, 0, 0, 0 FROM sqlagent_grants
ORDER BY 1, 2, 3, 4, 5
"""
