"""What the catalogs ask of the session that serves a connection: its settings, its number, …

The protocol gives its own; a connection without one has a `Session`.
"""

from __future__ import annotations

import datetime
import os
from typing import TYPE_CHECKING, Any

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.serve.pg.settings import SERVER_VERSION, Settings

if TYPE_CHECKING:
    from sqlagent.connection import Connection

VERSION = SERVER_VERSION


class Session:
    """The session of a connection that nothing serves: its settings are those of a fresh one."""

    address: str | None = None  # of the client
    user = ""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.started = datetime.datetime.now(datetime.UTC)
        self.settings = Settings(lambda name, value: None)
        self.owner = self
        self.in_block = True

    def tell(self, channel: str, payload: str) -> None:
        """NOTIFY."""
        raise NotSupportedError("nobody listens to a connection that is not served")

    def cancel_other(self, pid: int, terminate: bool) -> bool:
        """Cancel the statement of another session, or end it; whether there was one."""
        return False

    def activity(self) -> list[dict[str, Any]]:
        """The rows of pg_stat_activity."""
        return [{"pid": self.pid, "state": "active", "backend_type": "client backend"}]


class Served:
    """The session of the protocol, as the catalogs ask it."""

    def __init__(self, served: Any) -> None:
        self._served = served
        self.pid, self.started, self.user = served.pid, served.started, served.user
        self.settings = served.settings
        self.owner = served
        self.in_block = bool(served.transactions.block)
        found = next((c for c in served.shared.clients() if c.session is served), None)
        self.address = None if found is None or found.local else str(found.address)

    def tell(self, channel: str, payload: str) -> None:
        """NOTIFY, which is sent at COMMIT."""
        if self._served.transactions.open:
            self._served.transactions.notices.append((channel, payload))
        else:
            self._served.publish([], [(channel, payload)])

    def cancel_other(self, pid: int, terminate: bool) -> bool:
        """Cancel the statement of another session of the same user, or of any for an admin."""
        for client in self._served.shared.clients():
            other = client.session
            if client.pid != pid or other is None:
                continue
            principal = self._served.connection.principal
            if principal is not None and principal.role != "admin" and other.user != self.user:
                raise ProgrammingError(
                    "must be a member of the role whose query is being canceled", sqlstate="42501"
                )
            if terminate:
                self._served.shared.terminate(client)
            else:
                other.cancel()
            return True
        return False

    def activity(self) -> list[dict[str, Any]]:
        """The rows of pg_stat_activity: of a user's own sessions, of all for an admin."""
        principal = self._served.connection.principal
        every = principal is None or principal.role == "admin"
        found = []
        for client in self._served.shared.clients():
            other = client.session
            if other is None or not (every or other.user == self.user):
                continue
            block = other.transactions.block
            found.append({
                "pid": client.pid, "usename": other.user,
                "application_name": other.settings["application_name"],
                "client_addr": None if client.local else str(client.address),
                "backend_start": other.started.isoformat(),
                "state": "active" if other.busy else
                "idle in transaction" if block else "idle",
                "backend_type": "client backend",
            })  # fmt: skip
        return found


def session(connection: Connection) -> Any:
    """The session that serves a connection; one of its own where none does."""
    served = connection.session
    if served is None:
        served = connection.session = Session()
    return Served(served) if hasattr(served, "shared") else served


def shown(connection: Connection) -> dict[str, tuple[str, str]]:
    """Every setting: (value, pg_settings.vartype)."""
    found = {}
    for name, value in session(connection).settings.values.items():
        text = str(value)
        kind = "bool" if text in ("on", "off") else "integer" if text.isdigit() else "string"
        found[name] = (text, kind)
    return found
