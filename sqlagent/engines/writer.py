"""The writer of a file: one connection, group commit, and users' transactions.

Whoever finds the writer free leads: it runs all that waits in one transaction, commits once, and
wakes the others (leader and followers), so a lone client pays no hand-over and a hundred share one
fsync. A user's transaction holds the writer until it ends.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.engines.sqlite_errors import translate
from sqlagent.errors import BusyError, Error, InterruptedError, OperationalError

if TYPE_CHECKING:
    from sqlagent.connection import Connection

BATCH_MAX = 256
STEP_S = 0.05  # how long a wait for a transaction goes on before it looks whether it is to end


class Handle(apsw.Connection):
    """An APSW connection with what we keep beside it."""

    if TYPE_CHECKING:

        def execute(self, *arguments: Any, **named: Any) -> Any: ...
        def executemany(self, *arguments: Any, **named: Any) -> Any: ...

    functions_ready = False
    native = False  # speaks as SQLite does by itself: see `speak`
    owner: Any = None
    acting: Any = None  # the rights of a user from outside, while he writes
    guarded = False  # it has the function that checks them
    seen = 0  # SQLite's data_version when the schema was last looked at
    ends: float | None = None  # when the walk through the graph that it reads for is out of time

    def speak(self, native: bool) -> None:
        """Read what follows as SQLite does by itself (`native`), or as our other dialects do.

        By itself its LIKE ignores the case of ASCII, and a "name" that no column has is a string.
        The pragma makes it prepare again every statement that it knows.
        """
        self.config(apsw.SQLITE_DBCONFIG_DQS_DML, int(native))
        self.config(apsw.SQLITE_DBCONFIG_DQS_DDL, int(native))
        self.execute(f"PRAGMA case_sensitive_like = {'OFF' if native else 'ON'}")
        self.native = native


class Ticket:
    """A piece of work that waits for the writer."""

    __slots__ = ("done", "error", "finished", "result", "timeout", "work")

    def __init__(self, work: Callable[[Handle], Any], timeout: float) -> None:
        self.work = work
        self.timeout = timeout
        self.done = threading.Lock()
        self.done.acquire()
        self.finished = False
        self.result: Any = None
        self.error: BaseException | None = None


class Wait:
    """A wait for the writer: `Connection.interrupt` ends it, and the statement's time limit.

    `owner` is the connection that waits, None where nobody could end it.
    """

    def __init__(self, timeout: float, owner: Any) -> None:
        limit = owner.settings["statement_timeout_ms"] / 1000 if owner is not None else 0
        self.limited = bool(limit) and limit < timeout
        self.timeout = limit if self.limited else timeout
        self.stopped = False
        self.wake: Callable[[], None] | None = None
        self._owner = owner
        if owner is not None:
            owner.running[id(self)] = self

    def interrupt(self) -> None:
        """End it; called by another thread."""
        self.stopped = True
        if self.wake is not None:
            try:
                self.wake()
            except RuntimeError:  # it is awake
                pass

    def end(self) -> None:
        """It is over."""
        if self._owner is not None:
            self._owner.running.pop(id(self), None)

    def error(self) -> Error:
        """Why it was in vain."""
        if self.stopped:
            return InterruptedError("interrupted")
        if self.limited:
            return InterruptedError("canceling statement due to statement timeout")
        return BusyError(
            f"the writer was busy for {self.timeout:g} s",
            hint="Another connection of this process holds a transaction open.",
        )


class BusyWait:
    """A busy handler that waits in short, growing, uneven steps until the timeout.

    `owner` is the connection that is to write, None for several at once. Whoever sets it takes it
    away again: a connection that is dropped in its transaction must not be kept.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.since = 0.0
        self.owner: Any = None
        self.wait: Wait | None = None

    def __call__(self, tries: int) -> bool:
        now = time.monotonic()
        if tries == 0:
            self.since = now
            self.over()
            self.wait = Wait(self.timeout, self.owner)
        wait = self.wait
        if wait is None or wait.stopped or now - self.since > wait.timeout:
            return False
        step = min(0.02, 0.0002 * 2 ** min(tries, 7))
        time.sleep(step * (0.5 + (hash((now, tries)) & 1023) / 1024))
        return True

    def over(self, error: BaseException | None = None) -> BaseException | None:
        """What waited goes on, or failed with `error`; the error to be raised."""
        wait, self.wait = self.wait, None
        if wait is None:
            return error
        wait.end()
        busy = isinstance(error, apsw.BusyError)
        return wait.error() if busy and (wait.stopped or wait.limited) else error


class Writer:
    """The writing half of a `Database`, which opens the connection (`writer`)."""

    if TYPE_CHECKING:

        def writer(self) -> Handle: ...
        def check_open(self) -> None: ...

        waiting: set[Any]

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.held = False  # a user's transaction has the writer
        self._busy = BusyWait(timeout)
        self._writer: Handle | None = None
        self._writing = threading.Lock()
        self._queue: deque[Ticket] = deque()

    def write(
        self, work: Callable[[Handle], Any], timeout: float | None = None, owner: Any = None
    ) -> Any:
        """Run `work(connection)` in a durable transaction, alone or with others; its result.

        An error in it undoes what it did and is raised here; the others of its batch are not
        touched. `owner` is the connection whose interrupt() and time limit end the wait.
        """
        timeout = self.timeout if timeout is None else timeout
        if not self._queue and self._writing.acquire(blocking=False):  # nobody shares the commit
            try:
                return self._alone(work, timeout, owner)
            finally:
                self._writing.release()
                self._wake_next()
        ticket = Ticket(work, timeout)
        wait = Wait(timeout, owner)
        wait.wake = ticket.done.release
        self._queue.append(ticket)
        try:
            return self._wait(ticket, wait)
        finally:
            wait.end()

    def _wait(self, ticket: Ticket, wait: Wait) -> Any:
        """Wait until somebody has run a ticket, or lead; its result."""
        deadline = time.monotonic() + wait.timeout
        while not ticket.finished:
            if self._writing.acquire(blocking=False):
                try:
                    if not ticket.finished:
                        self._lead()
                finally:
                    self._writing.release()
                    self._wake_next()
                continue
            try:
                woken = ticket.done.acquire(timeout=max(0.0, deadline - time.monotonic()))
            except BaseException:  # Ctrl-C: what no leader has taken yet is not run
                self._withdraw(ticket)
                raise
            if not woken or (wait.stopped and not ticket.finished):
                if not self._withdraw(ticket):
                    if not ticket.finished:
                        ticket.done.acquire()  # a leader has it: its outcome is near
                    continue
                raise wait.error()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def write_one(self, sql: str, values: tuple[Any, ...], connection: Connection) -> Any:
        """Run one statement that commits by itself, where nobody else writes just now; its value,
        or None where it gave no row or was not run.

        It spares BEGIN and COMMIT, and SQLite the copies of pages with which it undoes a statement
        within a transaction.
        """
        if self._queue or not self._writing.acquire(False):
            return None  # who waits shares a commit
        running, number, busy = connection.running, 0, self._busy
        try:
            writer = self._writer or self.writer()
            if not writer.functions_ready:
                return None  # the body's own way makes them known to it
            busy.timeout, busy.owner = connection.timeout, connection
            writer.owner, number = connection, id(writer)
            running[number] = writer
            value = writer.execute(sql, values).get
            if busy.wait is not None:
                busy.over()
        except BaseException as error:
            raise translate(busy.over(error) or error) from None
        finally:
            running.pop(number, None)
            busy.owner = None
            self._writing.release()
            if self._queue:
                self._wake_next()
        if value is not None and self.waiting:
            self.tell()
        return value

    def _withdraw(self, ticket: Ticket) -> bool:
        try:
            self._queue.remove(ticket)
        except ValueError:
            return False
        return True

    def _wake_next(self) -> None:
        """Wake the first that waits: it leads next, unless somebody was faster."""
        if not self._queue:
            return
        try:
            self._queue[0].done.release()
        except (IndexError, RuntimeError):  # it is gone, or awake already
            pass

    def _alone(self, work: Callable[[Handle], Any], timeout: float, owner: Any) -> Any:
        """Run one piece of work as a transaction."""
        try:
            writer = self._writer or self.writer()
            self._begin(writer, timeout, owner)
            result = work(writer)
            writer.execute("COMMIT")
        except BaseException as error:
            if self._writer is not None and self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise translate(error) from None
        self.tell()
        return result

    def _begin(self, writer: Handle, timeout: float, owner: Any) -> None:
        """Begin the writer's transaction, once no other process is in one."""
        busy = self._busy
        busy.timeout, busy.owner = timeout, owner
        try:
            writer.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            raise busy.over(error) or error from None
        finally:
            busy.owner = None
        if busy.wait is not None:
            busy.over()

    def _lead(self) -> None:
        """Run what waits as one transaction."""
        batch: list[Ticket] = []
        try:
            while self._queue and len(batch) < BATCH_MAX:
                batch.append(self._queue.popleft())
        except IndexError:  # the last one was withdrawn just now
            pass
        if not batch:
            return
        failure: BaseException | None = None
        ran: list[Ticket] = []
        try:
            writer = self.writer()
            self._begin(writer, max(ticket.timeout for ticket in batch), None)
            alone = len(batch) == 1
            for ticket in batch:
                if not alone:
                    writer.execute("SAVEPOINT one")
                try:
                    ticket.result = ticket.work(writer)
                    ran.append(ticket)
                except BaseException as error:
                    ticket.error = error
                    ran.append(ticket)
                    if alone:
                        raise
                    if not writer.in_transaction:  # an interrupt, a full disk: all is undone
                        batch = self._put_back(batch, ran)
                        raise
                    writer.execute("ROLLBACK TO one")
                if not alone:
                    writer.execute("RELEASE one")
            writer.execute("COMMIT")
            self.tell()
        except BaseException as error:
            failure = error
            if self._writer is not None and self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        for ticket in batch:
            if failure is not None and ticket.error is None:
                ticket.result, ticket.error = None, self._lost(failure)
            elif ticket.error is not None:
                ticket.error = translate(ticket.error)
            ticket.finished = True
            try:
                ticket.done.release()
            except RuntimeError:  # the leader's own, or woken already
                pass

    def tell(self) -> None:
        """Wake who waits for commits."""
        if self.waiting:
            for waker in tuple(self.waiting):
                waker.set()

    def _put_back(self, batch: list[Ticket], ran: list[Ticket]) -> list[Ticket]:
        """What had not run yet waits on; what had is lost, and says so. Returns the latter."""
        self._queue.extendleft(t for t in reversed(batch) if t not in ran)
        for ticket in ran:
            if ticket.error is None:
                ticket.error = OperationalError(
                    "the write was undone: another that shared its commit was stopped",
                    hint="Run it again.", sqlstate="40001",
                )  # fmt: skip
        return ran

    @staticmethod
    def _lost(failure: BaseException) -> BaseException:
        error = translate(failure)
        if isinstance(error, Error):  # each waiter raises its own
            return type(error)(
                error.message, detail=error.detail, hint=error.hint, sqlstate=error.sqlstate
            )
        return error

    def hold(self, timeout: float | None = None, owner: Any = None) -> Handle:
        """Take the writer for a transaction of several statements, and begin it.

        `owner` is the connection whose interrupt() and time limit end the wait.
        """
        wait = self.timeout if timeout is None else timeout
        self._take(wait, owner)
        try:
            writer = self.writer()
            self._begin(writer, wait, owner)
            self.held = True
            return writer
        except BaseException as error:
            self._writing.release()
            self._wake_next()
            raise translate(error) from None

    def _take(self, timeout: float, owner: Any) -> None:
        """Wait until the writer is free, in steps, since the owner may be interrupted meanwhile."""
        if self._writing.acquire(blocking=False):
            return
        wait = Wait(timeout, owner)
        end = time.monotonic() + wait.timeout
        try:
            while True:
                left = max(0.0, end - time.monotonic())
                if self._writing.acquire(timeout=min(left, STEP_S)):
                    return
                if wait.stopped or left <= STEP_S:
                    raise wait.error()
        finally:
            wait.end()

    def hold_bare(self, timeout: float | None = None, owner: Any = None) -> Handle:
        """Take the writer without beginning a transaction; `let_go` gives it back."""
        wait = self.timeout if timeout is None else timeout
        self._take(wait, owner)
        try:
            self._busy.timeout, self._busy.owner = wait, owner
            return self.writer()
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Give the writer back after COMMIT or ROLLBACK."""
        self.held = False
        self._busy.owner = None
        self._writing.release()
        self._wake_next()
        self.tell()
