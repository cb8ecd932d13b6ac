"""Changes of states, memories and sessions as notifications: what `watch` waits for, for LISTEN.

A change is told on the channel `states` and on one that is called as its agent, with a payload of
JSON: `{"agent_id": "ada", "table": "states", "key": "7", "op": "insert", "seq": 12, "at": "…"}`.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from sqlagent.serve.pg.hub import STATES, Hub
from sqlagent.states.watch import VERSION, Posts
from sqlagent.sync.log import NEWEST

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database
    from sqlagent.serve.pg.session import Session

ENTRIES = """
SELECT seq, tbl, pk, op, at, scope FROM sqlagent_change_log
WHERE seq > ?1 AND seq <= ?2 AND tbl IN ('states', 'memories', 'sessions') AND scope IS NOT NULL
ORDER BY seq LIMIT 10000
"""
SLEEP_S = 30.0
OPS = {"i": "insert", "u": "update", "d": "delete"}


class Watch:
    """A thread that tells a hub of changes, from now on until it is closed."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self.database = database
        self.hub = hub
        self._posts = Posts(database)
        self._post = self._posts.take()
        self._seen = self._number(NEWEST)
        self._closed = False
        database.waiting.add(self._post.waker)
        self._thread = threading.Thread(target=self._run, name="pg-watch", daemon=True)
        self._thread.start()

    def _number(self, sql: str) -> int:
        return int(self._post.handle.execute(sql).fetchall()[0][0])

    def _run(self) -> None:
        known = -1
        while not self._closed:
            version = self._number(VERSION)
            if version != known:
                known = version
                self._tell()
            self._post.waker.wait(SLEEP_S)
        self.database.waiting.discard(self._post.waker)
        self._post.handle.close()
        self._post.waker.close()

    def _tell(self) -> None:
        """What was committed since the last time."""
        newest = self._number(NEWEST)
        while self._seen < newest:
            rows = self._post.handle.execute(ENTRIES, (self._seen, newest)).fetchall()
            channels = self.hub.listening()
            for seq, table, key, op, at, agent in rows:
                payload = json.dumps(
                    {"agent_id": agent, "table": table, "key": str(key), "op": OPS.get(op, op),
                     "seq": seq, "at": at},
                    ensure_ascii=False,
                )  # fmt: skip

                def may(session: Session, agent: Any = agent, table: str = table) -> bool:
                    return _may(session, str(agent), table)

                for channel in {STATES, str(agent)} & channels:
                    self.hub.send(0, channel, payload, may)
            self._seen = int(rows[-1][0]) if len(rows) == 10_000 else newest

    def close(self) -> None:
        """End it."""
        self._closed = True
        self._post.waker.set()
        self._thread.join(5)


def _may(session: Session, agent: str, table: str) -> bool:
    """Whether a session's user may know of a change."""
    principal = session.connection.principal
    if principal is None:
        return True
    agents = principal.agents
    return (agents is None or agent in agents) and principal.may("select", table)
