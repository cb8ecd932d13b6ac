"""The session as the catalogs see it: what `current_setting`, `pg_stat_activity` … answer from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent import config

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session


class Asked:
    """What `catalog.session.Session` describes, of a session of the protocol."""

    def __init__(self, session: Session, address: str | None, port: int | None) -> None:
        self._session = session
        self.pid = session.pid
        self.address = address or None
        self.port = port
        self.started = session.started.timestamp()

    def get(self, name: str) -> str | None:
        """The value of a setting, of PostgreSQL's or of the engine's."""
        found = self._session.settings.get(name)
        key = config.ALIASES.get(name.lower(), name.lower())
        if found is None and key in config.SETTINGS:
            return config.shown(self._session.connection.settings[key])
        return found

    def set(self, name: str, value: str, local: bool) -> str:
        """SET or SET LOCAL."""
        return self._session.settings.set(name, value, local and self._session.transactions.open)

    def all(self) -> dict[str, str]:
        """Every setting and its value."""
        return dict(self._session.settings.values)

    def notify(self, channel: str, payload: str) -> None:
        """NOTIFY."""
        transactions = self._session.transactions
        if transactions.open:
            transactions.notices.append((channel, payload))
        else:
            self._session.publish([], [(channel, payload)])

    def cancel(self, pid: int, terminate: bool) -> bool:
        """Cancel another session's statement, or end the session: one's own, or any for an
        admin."""
        shared = self._session.shared
        client = shared.client(pid)
        if client is None or client.session is None:
            return False
        principal = self._session.connection.principal
        other = client.session.connection.principal
        admin = principal is None or principal.role == "admin"
        if not admin and (other is None or other.name != principal.name):
            from sqlagent.errors import ProgrammingError

            raise ProgrammingError(
                "permission denied to cancel the statement of another user", sqlstate="42501"
            )
        if terminate:
            shared.terminate(client)
        else:
            client.session.cancel()
        return True

    def activity(self) -> list[dict[str, Any]]:
        """The rows of pg_stat_activity: all sessions for an admin, else the user's own."""
        principal = self._session.connection.principal
        admin = principal is None or principal.role == "admin"
        rows = []
        for client in self._session.shared.clients():
            session = client.session
            if session is None or not (admin or session.user == self._session.user):
                continue
            status = session.transactions.status
            state = "active" if session.busy else {
                "I": "idle", "T": "idle in transaction", "E": "idle in transaction (aborted)",
            }[status]  # fmt: skip
            rows.append({
                "pid": session.pid, "usename": session.user, "state": state,
                "datname": session.server.name, "backend_type": "client backend",
                "application_name": session.settings["application_name"],
                "client_addr": client.address or None, "backend_start": session.started,
            })  # fmt: skip
        return rows
