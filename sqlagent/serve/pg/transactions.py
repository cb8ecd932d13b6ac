"""A session's transactions, as PostgreSQL has them: a block, its failed state, savepoints.

BEGIN takes nothing: at READ COMMITTED each statement sees what is committed when it begins, so
reads run outside of the engine's transactions, and the first write opens one (which then holds the
writer, and whose own writes are seen). At REPEATABLE READ and SERIALIZABLE the first statement
opens one: a reader's snapshot where the block is READ ONLY, else the writer's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, OperationalError, ProgrammingError
from sqlagent.parse.lexer import quote_name

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session

ALLOWED_IN_FAILED = ("commit", "rollback", "rollback_to")


class Transactions:
    """The transaction state of one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.block = False  # BEGIN was said
        self.failed = False
        self.implicit = False  # several statements that were sent together
        self.savepoints: list[tuple[str, Any]] = []  # name, settings to go back to
        self.notices: list[tuple[str, str]] = []  # NOTIFY, until COMMIT
        self.listening: list[tuple[str, str | None]] = []  # LISTEN and UNLISTEN, until COMMIT

    @property
    def status(self) -> str:
        """What ReadyForQuery says: I, T or E."""
        if not self.block:
            return "I"
        return "E" if self.failed else "T"

    @property
    def open(self) -> bool:
        """Whether a transaction lasts beyond the statement."""
        return self.block or self.implicit

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written now."""
        return self.session.settings["transaction_read_only"] == "on"

    def check(self, verb: str) -> None:
        """Raise where the block has failed and this does not end it."""
        if self.failed and verb not in ALLOWED_IN_FAILED:
            raise ProgrammingError(
                "current transaction is aborted, commands ignored until end of transaction block",
                sqlstate="25P02",
            )

    # Beginning and ending ---------------------------------------------------------------------

    def begin(self, modes: dict[str, Any]) -> None:
        """BEGIN; within a block a warning."""
        if self.block:
            self.session.warn("there is already a transaction in progress", "25001")
            self.modes(modes)
            return
        if not self.implicit:
            self._open()
        self.block, self.implicit, self.failed = True, False, False
        self.modes(modes)
        if modes.get("immediate"):
            self.session.connection.begin()

    def start_implicit(self) -> None:
        """Several statements become one transaction."""
        if not self.open:
            self._open()
            self.implicit = True

    def _open(self) -> None:
        settings = self.session.settings
        settings.begin()
        for name in ("isolation", "read_only", "deferrable"):
            settings.set(f"transaction_{name}", settings[f"default_transaction_{name}"], local=True)
        self.session.connection.autocommit = False

    def modes(self, modes: dict[str, Any]) -> None:
        """SET TRANSACTION, or the modes of BEGIN."""
        settings = self.session.settings
        if "isolation" in modes:
            if self.session.connection.txn is not None:
                raise ProgrammingError(
                    "SET TRANSACTION ISOLATION LEVEL must be called before any query",
                    sqlstate="25001",
                )
            settings.set("transaction_isolation", modes["isolation"], local=True)
        if "read_only" in modes:
            if not modes["read_only"] and self.session.connection.snapshot:
                raise ProgrammingError(
                    "transaction read-write mode must be set before any query", sqlstate="25001"
                )
            settings.set("transaction_read_only", "on" if modes["read_only"] else "off", local=True)

    def statement(self, writes: bool, tag: str) -> None:
        """A statement of the engine is about to run: may it, and does it need a snapshot?"""
        read_only = self.read_only if self.open else (
            self.session.settings["default_transaction_read_only"] == "on"
        )  # fmt: skip
        if writes and read_only:
            raise OperationalError(
                f"cannot execute {tag} in a read-only transaction", sqlstate="25006"
            )
        connection = self.session.connection
        level = self.session.settings["transaction_isolation"]
        if (
            self.open and connection.txn is None and level in ("repeatable read", "serializable")
        ):  # fmt: skip
            connection.begin(snapshot=read_only)

    def commit(self, chain: bool = False) -> str:
        """COMMIT; the tag, which is ROLLBACK where the block had failed."""
        if not self.block:
            self.session.warn("there is no transaction in progress", "25P01")
        if self.failed:
            return self.rollback(chain)
        modes = self._chained() if chain else None
        self.end(True)
        if modes is not None:
            self.begin(modes)
        return "COMMIT"

    def rollback(self, chain: bool = False) -> str:
        """ROLLBACK; the tag."""
        if not self.open:
            self.session.warn("there is no transaction in progress", "25P01")
        modes = self._chained() if chain else None
        self.end(False)
        if modes is not None:
            self.begin(modes)
        return "ROLLBACK"

    def _chained(self) -> dict[str, Any]:
        if not self.block:
            raise ProgrammingError(
                "COMMIT AND CHAIN can only be used in transaction blocks", sqlstate="25P01"
            )
        return {"isolation": self.session.settings["transaction_isolation"],
                "read_only": self.read_only}  # fmt: skip

    def end(self, commit: bool) -> None:
        """End the block or what was sent together; where the commit fails all is undone."""
        session = self.session
        connection = session.connection
        done = False
        try:
            if commit:
                session.hold_cursors()
                connection.commit()
                done = True
        finally:
            self.block = self.implicit = self.failed = False
            self.savepoints = []
            try:
                if not done:
                    connection.rollback()
            finally:
                connection.savepoints = []
                connection.autocommit = True
                session.settings.end(done)
                session.close_portals(held=done)
                notices, self.notices = self.notices, []
                listening, self.listening = self.listening, []
        if done:
            session.publish(listening, notices)

    def fail(self) -> None:
        """A statement failed: what was sent together is undone; a block refuses all but its end."""
        if self.implicit:
            try:
                self.end(False)
            except Error:
                pass  # the error that is being told came first
        elif self.block:
            self.failed = True
            self.session.connection.txn_failed = self.session.connection.txn is not None

    # Savepoints -------------------------------------------------------------------------------

    def savepoint(self, name: str) -> None:
        """SAVEPOINT."""
        self._in_block("SAVEPOINT")
        self._run("SAVEPOINT", name)
        self.savepoints.append((name, self.session.settings.mark()))

    def release(self, name: str) -> None:
        """RELEASE."""
        self._in_block("RELEASE SAVEPOINT")
        place = self._place(name)
        self._run("RELEASE", name)
        del self.savepoints[place:]

    def rollback_to(self, name: str) -> None:
        """ROLLBACK TO: also ends the failed state."""
        self._in_block("ROLLBACK TO SAVEPOINT")
        place = self._place(name)
        self._run("ROLLBACK TO", name)
        self.failed = False
        self.session.settings.back(self.savepoints[place][1])
        del self.savepoints[place + 1 :]

    def _run(self, verb: str, name: str) -> None:
        """On the engine's transaction, or kept for the one that the first write opens."""
        from sqlagent.run.session import remember

        connection = self.session.connection
        if connection.txn is not None:
            connection.execute(f"{verb} {quote_name(name)}")
            return
        word = {"SAVEPOINT": "savepoint", "RELEASE": "release", "ROLLBACK TO": "rollback_to"}[verb]
        remember(connection.savepoints, word, quote_name(name))

    def _place(self, name: str) -> int:
        for place in range(len(self.savepoints) - 1, -1, -1):
            if self.savepoints[place][0].lower() == name.lower():
                return place
        raise ProgrammingError(f'savepoint "{name}" does not exist', sqlstate="3B001")

    def _in_block(self, verb: str) -> None:
        if not self.block:
            raise ProgrammingError(
                f"{verb} can only be used in transaction blocks", sqlstate="25P01"
            )
