"""What the catalogs ask of the session that serves a connection: its settings, its number, …

The protocol gives its own; a connection without one has the defaults of `Session`.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from sqlagent.errors import ProgrammingError

if TYPE_CHECKING:
    from sqlagent.connection import Connection

VERSION = "15.0"
# What PostgreSQL's tools look for in the settings, where the session knows nothing of it.
DEFAULTS = {
    "server_version": VERSION, "server_version_num": "150000", "server_encoding": "UTF8",
    "client_encoding": "UTF8", "search_path": '"$user", public', "timezone": "UTC",
    "datestyle": "ISO, MDY", "intervalstyle": "postgres", "application_name": "",
    "standard_conforming_strings": "on", "integer_datetimes": "on", "is_superuser": "off",
    "max_identifier_length": "63", "max_index_keys": "32", "block_size": "8192",
    "transaction_isolation": "read committed", "default_transaction_isolation": "read committed",
    "transaction_read_only": "off", "default_transaction_read_only": "off", "bytea_output": "hex",
    "extra_float_digits": "1", "statement_timeout": "0", "lc_collate": "C.UTF-8",
    "lc_ctype": "C.UTF-8", "max_connections": "100", "role": "none", "ssl": "off",
}  # fmt: skip


class Session:
    """What a protocol's session offers; each has a sensible answer for a connection without one."""

    pid: int = 0
    address: str | None = None  # of the client
    port: int | None = None

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.started = time.time()
        self._values = dict(DEFAULTS)
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """The value of a setting in any case; None where there is none of that name."""
        return self._values.get(name.lower())

    def set(self, name: str, value: str, local: bool) -> str:
        """Set it, for the transaction alone where `local`; returns the value as it is kept."""
        with self._lock:
            self._values[name.lower()] = value
        return value

    def all(self) -> dict[str, str]:
        """Every setting and its value."""
        return dict(self._values)

    def notify(self, channel: str, payload: str) -> None:
        """NOTIFY to every session that listens."""
        raise ProgrammingError("nobody listens to a connection of one's own", sqlstate="0A000")

    def cancel(self, pid: int, terminate: bool) -> bool:
        """Cancel the statement of another session, or end it; whether there was one."""
        return False

    def activity(self) -> list[dict[str, Any]]:
        """The rows of pg_stat_activity."""
        return [{"pid": self.pid, "state": "active", "backend_type": "client backend"}]


def session(connection: Connection) -> Any:
    """The session that serves a connection."""
    served = getattr(connection, "session", None)
    if served is None:
        served = connection.session = Session()  # type: ignore[attr-defined]
    return served


def shown(connection: Connection) -> dict[str, tuple[str, str]]:
    """Every setting: (value, pg_settings.vartype)."""
    found = {}
    for name, value in session(connection).all().items():
        text = str(value)
        kind = "bool" if text in ("on", "off") else "integer" if text.isdigit() else "string"
        found[name] = (text, kind)
    return found
