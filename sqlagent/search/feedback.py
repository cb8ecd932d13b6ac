"""What recall_feedback says: memories that were of use are reinforced, weights are learnt.

Both happen when an agent is asked next, or at CALL sync(): a plain client only inserts its rows. An
agent with few judgements uses what was learnt from those on all agents.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

from sqlagent import clock
from sqlagent.errors import BusyError

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Database, Handle
    from sqlagent.index import Weights

EVERY = ""  # the agent_id of the weights for every agent without its own
ENOUGH, ENOUGH_QUESTIONS = 20, 5  # judgements, and questions that they are on
GROWN = 1.5  # times as many judgements as were learnt from: learn again
QUESTIONS_MAX = 200  # the newest; each is asked a few times, about 2 ms of CPU
AGENTS_MAX = 8  # whose memories are searched for the weights of every agent
WAIT_S = 0.05  # a reader does not wait for another's transaction

NEW = """
SELECT feedback_id, memory_id, created_at FROM recall_feedback
WHERE useful = 1 AND reinforced_at IS NULL AND memory_id IN (SELECT memory_id FROM memories)
ORDER BY feedback_id LIMIT 1000
"""
COUNTED = """
SELECT count(*), count(DISTINCT query) FROM recall_feedback WHERE agent_id = ?
"""
COUNTED_ALL = "SELECT count(*), count(DISTINCT agent_id || char(0) || query) FROM recall_feedback"
# The newest judgement on a memory counts.
JUDGED = """
SELECT agent_id, query, memory_id, useful, max(feedback_id) AS place FROM recall_feedback
WHERE {where} GROUP BY agent_id, query, memory_id ORDER BY place DESC LIMIT 5000
"""
KEEP = """
INSERT INTO recall_weights (agent_id, part, weight, judgements) VALUES (?, ?, ?, ?)
ON CONFLICT (agent_id, part) DO UPDATE SET weight = excluded.weight,
  judgements = excluded.judgements, learned_at = excluded.learned_at
WHERE judgements > 0
"""
AGENTS = "SELECT DISTINCT agent_id FROM recall_feedback"
LEARNT = "SELECT max(judgements) FROM recall_weights WHERE agent_id = ?"


class Feedback:
    """What this process has seen of a file's feedback."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lock = threading.Lock()
        self.reinforced = 0  # the newest feedback that has strengthened its memory
        self.due: dict[str, int] = {}  # by agent, the feedback_id at which there may be enough

    def catch_up(self, context: Context, agent_id: str) -> bool:
        """Reinforce and learn what is new for an agent; whether there are new weights.

        Does nothing where the file cannot be written now, or inside a transaction of its own.
        """
        database, own = self.database, context.handle
        if database.read_only or database.memory:
            return False
        if own is not None and own is database._writer:
            return False
        with context.reading() as handle:
            newest = handle.execute("SELECT max(feedback_id) FROM recall_feedback").fetchone()[0]
        if newest is None or (newest == self.reinforced and newest < self.due.get(agent_id, 0)):
            return False
        if not self.lock.acquire(False):  # another thread is at it
            return False
        try:
            changed = False
            if newest >= self.due.get(agent_id, 0):
                changed, missing = learn_for(context, agent_id, WAIT_S)
                self.due[agent_id] = newest + missing
            if newest != self.reinforced:
                while database.write(reinforce, WAIT_S):
                    pass
                self.reinforced = newest
            return changed
        except BusyError:
            return False  # the next question comes by again
        finally:
            self.lock.release()

    def sync(self, context: Context) -> int:
        """Reinforce and learn all that is new; how many memories were reinforced."""
        with self.lock:
            with self.database.read() as handle:
                agents = [r[0] for r in handle.execute(AGENTS)]
            for agent_id in agents:
                learn_for(context, agent_id)
            done = 0
            while count := self.database.write(reinforce):
                done += count
            return done

    def close(self) -> None:
        self.due.clear()


def feedback(database: Database) -> Feedback:
    """The file's feedback, made on first use."""
    found: Any = database.services.get("feedback")
    if found is None:
        with database.lock:
            found = database.services.setdefault("feedback", Feedback(database))
    return found  # type: ignore[no-any-return]  # services hold whatever hangs on a file


def reinforce(handle: Handle) -> int:
    """Strengthen the memories that new feedback says were of use; how many rows said so."""
    from sqlagent.memory.strength import use

    rows = handle.execute(NEW).fetchall()
    now = clock.now()
    for feedback_id, memory_id, created_at in rows:
        use(handle, memory_id, at=min(created_at, now))
        handle.execute(
            "UPDATE recall_feedback SET reinforced_at = ? WHERE feedback_id = ?",
            (now, feedback_id),
        )
    return len(rows)


def learn_for(context: Context, agent_id: str, wait_s: float | None = None) -> tuple[bool, int]:
    """Learn the weights that this agent uses, where there is enough new feedback.

    Whether there are new ones; and how many more judgements there must at least be for the next.
    """
    if context.settings.get("recall_learning", "on") == "off":
        return False, 0
    missing = []
    for scope in (agent_id, EVERY):
        with context.database.read() as handle:
            sql, values = (COUNTED, (scope,)) if scope else (COUNTED_ALL, ())
            count, questions = handle.execute(sql, values).fetchone()
            learnt = handle.execute(LEARNT, (scope,)).fetchone()[0] or 0
        wanted = max(ENOUGH, math.ceil(GROWN * learnt))
        lacking = max(wanted - count, ENOUGH_QUESTIONS - questions)
        if lacking <= 0:
            keep(context, scope, count, wait_s)
            return True, 1
        missing.append(lacking)
        if learnt:
            break  # the agent has enough of its own
    return False, min(missing)


def keep(context: Context, scope: str, count: int, wait_s: float | None) -> None:
    """Learn the weights of a scope, and keep them in the file."""
    where, values = ("agent_id = ?", (scope,)) if scope else ("true", ())
    with context.database.read() as handle:
        rows = handle.execute(JUDGED.format(where=where), values).fetchall()
    weights = learnt_from(context, rows)
    kept = [(scope, part, weight, count) for part, weight in weights.items()]
    context.database.write(lambda handle: handle.executemany(KEEP, kept), wait_s)


def learnt_from(context: Context, rows: list[Any]) -> dict[str, float | None]:
    """The weight of each part from (agent_id, query, memory_id, useful); None for the setting's."""
    from sqlagent.search.ask import ask, memory_weights, vectors_of
    from sqlagent.search.learning import Question, asked_again, learn
    from sqlagent.search.linking import linking
    from sqlagent.search.parts import PARTS

    judged: dict[tuple[str, str], tuple[set[int], set[int]]] = {}
    for agent_id, query, memory_id, useful, _ in rows:
        agents = {a for a, _ in judged}
        if agent_id not in agents and len(agents) == AGENTS_MAX:
            continue
        if (agent_id, query) not in judged and len(judged) == QUESTIONS_MAX:
            continue
        judged.setdefault((agent_id, query), (set(), set()))[0 if useful else 1].add(memory_id)
    base = memory_weights(context)
    now = context.now()
    questions = []
    for (agent_id, query), (useful, useless) in judged.items():
        if not useful:
            continue
        asked = ask(context, "memories", agent_id, query)
        fetch = vectors_of(context, "memory_vectors", "memory_id", asked.key.dimensions)
        linked = linking(context, agent_id, now, base.graph > 0.0)
        search = asked_again(asked, query, fetch, linked)
        questions.append(Question(query, frozenset(useful), frozenset(useless), search))
    found: Weights | None = learn(questions, base, PARTS)
    if found is None:
        return dict.fromkeys(PARTS)
    return {part: float(getattr(found, part)) for part in PARTS}
