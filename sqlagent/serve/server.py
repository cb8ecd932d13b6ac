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
from typing import TYPE_CHECKING, Any, Protocol

import sqlagent
from sqlagent.serve import gate
from sqlagent.serve.limits import Admission, Failures, Limits, Visit
from sqlagent.serve.users import (
    Authenticator,
    OneAccount,
    Principal,
    authenticator,
)

if TYPE_CHECKING:
    from sqlagent.connection import Connection


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

    def admit(self, address: str = "") -> Visit:
        """A place for a client that has just connected. Raises TooManyConnections (53300)."""
        return self.admission.enter(address)

    def peer(self, uid: int, name: str) -> Principal | None:
        """The user of a unix socket whose other end has this uid, without a password.

        Whoever runs as the server does could open the file itself, and is an admin of it; for any
        other None, and a password is asked for.
        """
        return Principal(name, "admin") if uid == os.getuid() else None

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
            connection.gate.timeout_ms_max = bound
            connection.gate.users = self.users
        return connection

    def close(self) -> None:
        """Close the owner's connection; listeners are closed before."""
        self.owner.close()
