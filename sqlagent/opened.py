"""The file under a saver, a store or a session: a connection of the user's, or one of its own.

Work runs in the transaction that the connection has open, or else durably by itself, where many
threads share one commit. What is asked from an event loop runs in threads, so that the loop goes
on; each of these waits on SQLite or the disk without holding the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sqlagent.connection import Connection, connect
from sqlagent.errors import InterfaceError

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

T = TypeVar("T")
THREADS_MAX = 16  # as many as there are readers: more would wait for each other


class Opened:
    """A file to read from and to write to; closing it closes what it opened itself."""

    def __init__(self, source: Connection | str | os.PathLike[str], **settings: Any) -> None:
        self.own = not isinstance(source, Connection)
        if isinstance(source, Connection):
            if settings:
                raise InterfaceError(
                    "settings are for a path: a connection has its own",
                    hint=f"Give them to connect(): {', '.join(settings)}",
                )
            self.connection = source
        else:
            self.connection = connect(source, **settings)
        self._threads: ThreadPoolExecutor | None = None

    def write(self, work: Callable[[Handle], T]) -> T:
        """Run `work(handle)` in a transaction, all of it or nothing; its result."""
        from sqlagent.run.writing import writing

        self.connection._check()
        result: T = writing(self.connection, work, None, several=True)
        return result

    @contextmanager
    def read(self) -> Iterator[Handle]:
        """A handle whose statements all see the same commit, or the transaction that is open."""
        from sqlagent.engines.sqlite_errors import translate

        connection = self.connection
        connection._check()
        try:
            if connection.txn is not None:
                from sqlagent.run.writing import open_handle

                with connection.txn_lock:
                    if connection.txn is not None:
                        yield open_handle(connection)
                        return
            with connection.database.snapshot() as handle:
                yield handle
        except Exception as error:
            raise translate(error) from None

    async def away(self, work: Callable[[], T]) -> T:
        """Run `work()` in a thread, and wait for it without blocking the event loop."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="sqlagent")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Wait for what runs, and close the connection where it was opened here."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None
        if self.own:
            self.connection.close()
