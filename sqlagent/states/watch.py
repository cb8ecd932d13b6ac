"""Waiting for the next change of an agent: asleep (see `wake`) until something was written, then
asking SQLite's data_version, which costs microseconds and holds nothing, whether it was a commit.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import InterfaceError, InterruptedError
from sqlagent.states.wake import Told, Written, waker
from sqlagent.sync.log import NEWEST

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle

REST_S = 0.002  # after a commit that was of others: many in a row cost no more than some looks
# The plus: by the numbers, which are few, and not by the agent, whose versions are many.
ENTRIES = """
SELECT seq, tbl, pk, op, at FROM sqlagent_change_log
WHERE seq > ?1 AND seq <= ?2 AND +scope = ?3 AND tbl IN ('states', 'memories', 'sessions')
ORDER BY seq
"""
POSTS_MAX = 16  # kept
VERSION = "PRAGMA data_version"


class Post(NamedTuple):
    """Where one waits: what it sleeps on, and a reader of its own, since the pool is for others."""

    waker: Told | Written
    handle: Handle


class Posts:
    """The posts of a file that nobody waits at now; to make one costs more than a statement."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.free: deque[Post] = deque()

    def take(self) -> Post:
        """A post for one who waits."""
        try:
            return self.free.pop()
        except IndexError:
            pass
        database = self.database
        database.check_open()
        handle = database.open()
        try:
            handle.execute(VERSION).fetchall()  # there is a log to be watched now
            return Post(waker(None if database.memory else database.path), handle)
        except BaseException:
            handle.close()
            raise

    def give_back(self, post: Post) -> None:
        """The wait is over."""
        self.free.append(post)
        if self.database.closed or len(self.free) > POSTS_MAX:
            self.close(0 if self.database.closed else POSTS_MAX)

    def close(self, keep: int = 0) -> None:
        """Close all that are free, but some."""
        while len(self.free) > keep:
            post = self.free.pop()
            post.waker.close()
            post.handle.close()


class Wait:
    """One call that waits. `interrupt` ends it from another thread, with an InterruptedError."""

    def __init__(self, database: Database, ended: Callable[[], bool]) -> None:
        self.database = database
        self.ended = ended
        self.interrupted = False
        self.waker: Told | Written = Told()

    def interrupt(self) -> None:
        """End it: it raises an InterruptedError."""
        self.interrupted = True
        self.waker.set()

    def __call__(
        self, agent_id: str, since: int | None, timeout_s: float, limit_s: float | None = None
    ) -> list[tuple[Any, ...]]:
        """The entries of the change log about an agent past `since` (past now where it is None), as
        soon as there are any; none after `timeout_s`.

        Raises InterruptedError after `limit_s`, and InterfaceError where the connection is closed.
        """
        begun = time.monotonic()
        posts = self.database.services.setdefault("posts", Posts(self.database))
        post = posts.take()
        self.waker, handle = post
        try:
            self.database.waiting.add(self.waker)
            seen = _number(handle, NEWEST) if since is None else since
            known, told = -1, True
            while True:
                version = _number(handle, VERSION)
                passed = time.monotonic() - begun
                if told or version != known:
                    known = version
                    newest = _number(handle, NEWEST)
                    found = handle.execute(ENTRIES, (seen, newest, agent_id)).fetchall()
                    if found:
                        return [tuple(row) for row in found]
                    seen = max(seen, newest)
                    if passed + REST_S < timeout_s:
                        time.sleep(REST_S)
                self._check(passed, limit_s)
                if passed >= timeout_s:
                    return []
                told = self.waker.wait(min(timeout_s, limit_s or timeout_s) - passed)
        finally:
            self.database.waiting.discard(self.waker)
            self.waker = Told()  # an interrupt that comes late wakes nobody else
            posts.give_back(post)

    def _check(self, passed: float, limit_s: float | None) -> None:
        """Raise where the wait is to end."""
        if self.interrupted:
            raise InterruptedError("the statement was interrupted")
        if limit_s is not None and passed >= limit_s:
            raise InterruptedError(f"the statement ran for longer than {limit_s * 1000:g} ms")
        if self.ended() or self.database.closed:
            raise InterfaceError("the connection is closed")


def _number(handle: Handle, sql: str) -> int:
    return int(handle.execute(sql).fetchall()[0][0])
