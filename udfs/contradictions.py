"""contradictions: pairs of an agent's memories that cannot both hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import table


@table(
    "memory_id BIGINT",
    "other_id BIGINT",
    "content VARCHAR",
    "other_content VARCHAR",
    "subject VARCHAR",
    "attribute VARCHAR",
    "reason VARCHAR",
    "score DOUBLE",
    "status VARCHAR",
)
def contradictions(ctx: Context, agent_id: str) -> Iterator[tuple[Any, ...]]:
    """Pairs of memories about the same subject that cannot both hold, found without a model.

    Rules of grammar, in English and Chinese: one relation with two values ("lives in Paris", "lives
    in Berlin"), one attribute ("my favourite tea is …", 我的生日是…), a number, day or time that
    differs in the same statement, likes and dislikes, a word and its opposite, a statement and its
    denial. They look for what is said to be so now, and leave alone what they are not sure of:
    questions, guesses, wishes, the past, "he" and "she", lists ("likes tea", "likes coffee"), and
    events on different days. Memories of different speakers who say "I" are about different
    subjects.

    What becomes of a new memory that contradicts one is said by rows of memory_policies with the
    event 'contradiction' and the action 'keep' (as without any), 'supersede' (the newer one takes
    the older one's place; undone by unsupersede) or 'ask' (linked, until supersede, supersede_by or
    keep_both decides). A pinned memory is never superseded by a policy, but asked about.

    Arguments:
      agent_id: whose memories; an unknown agent has none.

    Returns: the older one as memory_id, the newer one as other_id; the rule and the values as
    reason; score, how sure the rule is, as an order (1 a denial, 0.7 a preference); status: 'open',
    'asked' and 'kept' of live memories, 'superseded' where such a pair was decided so. No rows
    where agent_id is NULL.

    Cost: grows with the number of memories, some 0.1 ms of CPU each; of more than 20 memories that
    give one thing a value, each is compared with the next.

    Examples:
      SELECT content, other_content, reason FROM contradictions('ada');
      INSERT INTO memory_policies (name, event, action, kind)
      VALUES ('newer facts win', 'contradiction', 'supersede', 'semantic');
    """
    from sqlagent.memory.contradictions import found

    with ctx.reading() as handle:
        yield from list(found(handle, agent_id, ctx.now()))
