"""A client's session after it has logged in: its messages, one after the other.

A session is used by one thread at a time. `handle` takes a message; `cancel` and `notify` may be
called by other threads.
"""

from __future__ import annotations

import datetime
import threading
import traceback
from collections import deque
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, InterruptedError, OperationalError, ProgrammingError
from sqlagent.serve.pg import catalog, failures, messages, violations
from sqlagent.serve.pg.messages import READY, ProtocolError
from sqlagent.serve.pg.settings import REPORTED, Settings, codec_of, milliseconds, zone_of
from sqlagent.serve.pg.transactions import Transactions
from sqlagent.serve.pg.types import BYTEA, INTERVAL

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.serve.pg.catalog.objects import Objects
    from sqlagent.serve.pg.messages import Column
    from sqlagent.serve.pg.portals import Portal, Statement
    from sqlagent.serve.pg.wire import Wire
    from sqlagent.serve.server import Server

SYNC, FLUSH, TERMINATE = ord("S"), ord("H"), ord("X")


class Terminated(Exception):
    """The client said good-bye."""


class Session:
    """One client. `shared` is what all sessions of the listener have in common."""

    def __init__(
        self, server: Server, shared: Any, wire: Wire, connection: Connection, pid: int, user: str
    ) -> None:
        self.server = server
        self.shared = shared
        self.wire = wire
        self.connection = connection
        self.pid = pid
        self.user = user
        self.codec = "utf-8"
        self.zone: datetime.tzinfo = datetime.UTC
        self.style = "postgres"  # how intervals are said
        self.bytes_as = "hex"  # how bytes are
        self.objects: tuple[int, Objects] | None = None  # what there is, by version of the schema
        self.settings = Settings(self._changed)
        self.transactions = Transactions(self)
        self.statements: dict[str, Statement] = {}
        self.portals: dict[str, Portal] = {}
        self.skipping = False  # after an error, until Sync
        self.busy = False
        self.cancelled = False
        self.channels: set[str] = set()
        self.started = datetime.datetime.now(datetime.UTC)
        self._arrived: deque[tuple[int, str, str]] = deque()  # notifications
        self._told = False  # whether parameter statuses go out as they change
        self._lock = threading.Lock()
        principal = connection.principal
        own = principal.rows_max if principal is not None else 0
        bounds = [n for n in (own, server.limits.rows) if n]
        self.rows_max = min(bounds, default=0)
        connection.session = self
        catalog.install(connection)

    # Starting ---------------------------------------------------------------------------------

    def greet(self, secret: int) -> None:
        """What follows a log-in: the parameters' values, the key to cancel by, and that it is
        ready."""
        for name in REPORTED:
            self.wire.put(messages.parameter_status(name, self.settings[name]))
        self._told = True
        key = self.pid.to_bytes(4, "big") + secret.to_bytes(4, "big")
        self.wire.put(messages.message(b"K", key))
        self.ready()

    def ready(self) -> None:
        """ReadyForQuery, after the notifications that have come."""
        self.deliver()
        self.wire.put(READY[self.transactions.status])
        self.wire.flush()

    # Messages ---------------------------------------------------------------------------------

    def handle(self, kind: int, body: bytes) -> None:
        """Answer one message. Raises Terminated at the end, wire.Gone without a client."""
        self.busy, self.cancelled = True, False
        try:
            if self.skipping and kind not in (SYNC, TERMINATE):
                return
            self._dispatch(kind, body)
        finally:
            self.busy = False

    def _dispatch(self, kind: int, body: bytes) -> None:
        from sqlagent.serve.pg import extended, simple

        if kind == ord("Q"):
            simple.query(self, body)
            return
        if kind == SYNC:
            extended.sync(self)
            return
        if kind == TERMINATE:
            raise Terminated
        if kind in (ord("d"), ord("c"), ord("f")):
            return  # the rest of a COPY that has failed
        if kind == FLUSH:
            self.wire.flush()
            return
        action = extended.ACTIONS.get(kind)
        try:
            if action is not None:
                action(self, messages.Reader(body))
                return
            if kind == ord("F"):
                raise ProtocolError("the fastpath interface is not here", sqlstate="0A000")
        except Exception as error:
            self.refuse(error)
            if kind == ord("F"):
                self.skipping = False
                self.ready()
            else:
                self.skipping = True
                self.wire.flush()  # a client that sent Flush, not Sync, waits for it
            return
        raise Fatal(ProtocolError(f"invalid frontend message type {kind}"))

    def refuse(self, error: BaseException, offset: int = 0) -> None:
        """Tell of an error, and what it does to the transaction."""
        from sqlagent.serve.pg.wire import Gone

        if isinstance(error, Gone | Terminated | Fatal):
            raise error
        if not isinstance(error, Error | ValueError | OverflowError | MemoryError):
            self.shared.log(f"error in session {self.pid}: {traceback.format_exc()}")
        if isinstance(error, InterruptedError) and self.cancelled:
            error.message = "canceling statement due to user request"
        violations.spoken(error, self)
        self.transactions.fail()
        self.wire.put(failures.error(error, offset, self.codec))

    def check_cancelled(self) -> None:
        """Raise where somebody cancelled what runs."""
        if self.cancelled:
            raise InterruptedError("canceling statement due to user request")

    def warn(
        self, message: str, state: str = "01000", severity: str = "WARNING", hint: str | None = None
    ) -> None:
        """A NoticeResponse, where client_min_messages lets it through."""
        rank = {"debug": 0, "log": 1, "notice": 2, "warning": 3, "error": 4}
        least = self.settings["client_min_messages"]
        if rank[severity.lower()] >= rank.get(least, 0 if least.startswith("debug") else 5):
            self.wire.put(failures.notice(message, state, severity, self.codec, hint))

    # Portals ----------------------------------------------------------------------------------

    def hold_cursors(self) -> None:
        """Before COMMIT: cursors WITH HOLD read what is left."""
        for portal in self.portals.values():
            if portal.hold:
                portal.materialise(self)

    def close_portals(self, held: bool) -> None:
        """The transaction is over: its portals too, but for cursors WITH HOLD that it committed."""
        for name, portal in list(self.portals.items()):
            if not (portal.hold and (held or (portal.finished and portal.kept is not None))):
                portal.close()
                del self.portals[name]

    def portal(self, name: str) -> Portal:
        """The portal or cursor of a name."""
        found = self.portals.get(name)
        if found is None:
            what = "cursor" if name else "portal"
            raise ProgrammingError(f'{what} "{name}" does not exist', sqlstate="34000")
        return found

    # Other threads ----------------------------------------------------------------------------

    def cancel(self) -> None:
        """End what runs; nothing where nothing does."""
        if self.busy:
            self.cancelled = True
            self.connection.interrupt()

    def notify(self, pid: int, channel: str, payload: str) -> None:
        """A notification, to be sent when the client may be told."""
        self._arrived.append((pid, channel, payload))

    def deliver(self) -> bool:
        """Put notifications that have come on the wire; not within a transaction."""
        if self.transactions.block or not self._arrived:
            return False
        while self._arrived:
            pid, channel, payload = self._arrived.popleft()
            self.wire.put(messages.notification(pid, channel, payload, self.codec))
        return True

    def told_more(self) -> bool:
        """Whether notifications wait."""
        return bool(self._arrived) and not self.transactions.block

    def quiet_ms(self) -> int:
        """How long it may be quiet, in milliseconds; 0 is for ever."""
        name = "idle_in_transaction_session_timeout" if self.transactions.block else (
            "idle_session_timeout"
        )  # fmt: skip
        value = self.settings[name]
        return milliseconds(name, value) if value != "0" else 0

    def too_quiet(self) -> Error:
        """Why it is ended when it was quiet for too long."""
        if self.transactions.block:
            return OperationalError(
                "terminating connection due to idle-in-transaction timeout", sqlstate="25P03"
            )
        return OperationalError(
            "terminating connection due to idle-session timeout", sqlstate="57P05"
        )

    def publish(self, listening: list[Any], notices: list[tuple[str, str]]) -> None:
        """What LISTEN and NOTIFY of a transaction did, once it is committed."""
        for verb, channel in listening:
            self.shared.hub.change(self, verb, channel)
        for channel, payload in dict.fromkeys(notices):
            self.shared.hub.send(self.pid, channel, payload)

    # Settings ---------------------------------------------------------------------------------

    def said(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        """Columns whose intervals are said as IntervalStyle has it, and bytes as bytea_output."""
        if (self.style, self.bytes_as) == ("postgres", "hex"):
            return columns
        kinds = {INTERVAL: INTERVAL, BYTEA: BYTEA}
        if self.style != "postgres":
            kinds[INTERVAL] = INTERVAL._replace(codec=self.style)
        if self.bytes_as != "hex":
            kinds[BYTEA] = BYTEA._replace(codec=self.bytes_as)
        return tuple(c._replace(type=kinds.get(c.type, c.type)) for c in columns)

    def _changed(self, name: str, value: str) -> None:
        if name == "client_encoding":
            self.codec = codec_of(value)
        elif name == "TimeZone":
            self.zone = zone_of(value)
        elif name == "IntervalStyle":
            self.style = value
        elif name == "bytea_output":
            self.bytes_as = value
        elif name == "statement_timeout":
            self.connection.execute(
                f"SET statement_timeout_ms = {milliseconds(name, value)}"
            ).close()
        if self._told and name in REPORTED:
            self.wire.put(messages.parameter_status(name, value))

    def close(self) -> None:
        """Give back all that the client had; its open transaction is undone."""
        self.shared.hub.forget(self)
        for portal in list(self.portals.values()):
            portal.close()
        self.portals.clear()
        self.connection.session = None
        self.connection.close()


class Fatal(Exception):
    """An error after which the connection ends."""

    def __init__(self, error: Error) -> None:
        super().__init__(str(error))
        self.error = error
