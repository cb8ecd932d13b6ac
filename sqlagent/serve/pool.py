"""Connections that wait for the next request of the same user: a plan that was made is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from sqlagent.connection import Connection
from sqlagent.errors import Error

IDLE_MAX = 4  # a user


class Pool:
    """Connections by who asks. `take` is for any thread; each is with one at a time."""

    def __init__(self, connect: Callable[[Hashable], Connection]) -> None:
        self._connect = connect
        self._idle: dict[Hashable, deque[tuple[Connection, dict[str, object]]]] = {}
        self._closed = False

    @contextmanager
    def take(self, who: Hashable) -> Iterator[Connection]:
        """A connection for one request: nothing of the request before is left in it."""
        idle = self._idle.setdefault(who, deque())
        try:
            connection, settings = idle.pop()
        except IndexError:
            connection = self._connect(who)
            settings = dict(connection.settings)
        try:
            yield connection
        finally:
            self._give_back(idle, connection, settings)

    def _give_back(
        self,
        idle: deque[tuple[Connection, dict[str, object]]],
        connection: Connection,
        settings: dict[str, object],
    ) -> None:
        try:
            connection.rollback()
        except Error:
            connection.close()
            return
        changed = connection.settings != settings or connection.sources or connection.temporary
        if changed or self._closed or len(idle) >= IDLE_MAX:
            connection.close()
        else:
            idle.append((connection, settings))

    def close(self) -> None:
        """Close what is idle now, and the rest when it comes back."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop()[0].close()
