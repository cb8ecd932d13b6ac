"""consolidate: near-duplicates merged, recurring episodes distilled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.context import Context
from sqlagent.functions import scalar

if TYPE_CHECKING:
    from sqlagent.memory.consolidate.run import Prepared


def _prepare(
    ctx: Context, agent_id: str, dry_run: bool, similarity: float, kind: str | None
) -> Prepared | None:
    from sqlagent.memory.consolidate.run import prepare

    settings = {} if dry_run else ctx.settings  # what is only counted needs no model
    return prepare(ctx.database, settings, agent_id, similarity, kind)


@scalar("BIGINT", writes=True, prepare=_prepare)
def consolidate(
    ctx: Context,
    agent_id: str,
    dry_run: bool = False,
    similarity: float = 0.9,
    kind: str | None = None,
) -> int:
    """Merges an agent's near-duplicates, and distils recurring episodes into semantic memories.

    Near-duplicates are memories of one kind, user, speaker and validity that say the same: their
    words are the same but for case, punctuation and fillers, or one has few words more. A number, a
    name, a negation or any other word in the place of another makes another fact; "I swam this
    morning" is another one each day. The clearest stays and gets the greatest importance and
    stability of all and the sum of their uses; the others are archived, linked to it
    ('duplicate_of' in memory_links) and kept as its sources in memory_sources. A pinned memory is
    not archived, nor one that a live memory was made from.

    Episodes that recur, three or more about the same thing on three days or in three sessions, are
    told by one semantic memory: a sentence that one of them says, without the words for its
    occasion. They stay as they are, and are its sources in memory_sources, each with the place in
    it. New episodes of the same become sources of the same memory. With a language_model, which
    connect() sets, a model phrases it; its reply is checked, and where it is bad the sentence
    stands. It is not asked in a transaction of the user's.

    No content is rewritten, nothing is deleted, and `unconsolidate` takes all of it back. All or
    nothing: one transaction, for which the memories are read before it begins. CALL consolidate(…)
    does it in batches, each one transaction: for large agents, it may be stopped and called again.

    Arguments:
      agent_id: whose memories.
      dry_run: count only; `consolidation_plan` shows what would be done.
      similarity: 0.5..1, the least share of the longer text's words that the shorter has; 1 merges
        what differs in case, punctuation and spaces alone.
      kind: 'episodic', 'semantic' or 'procedural' alone; all by default.

    Returns: how many memories were merged or became a source; 0 where there is nothing to do.

    Errors: "similarity is a number from 0.5 to 1, not 2", "kind is one of …".

    Cost: about 1 s of CPU for an agent of 10,000 memories and 12 s for one of 100,000, of which the
    writer is held for a quarter.

    Examples:
      SELECT consolidate('ada', dry_run => true);
    """
    from sqlagent.memory.consolidate.run import Prepared, at_once, described
    from sqlagent.memory.consolidate.steps import plan

    prepared = ctx.prepared
    if prepared is None:  # in a transaction: as it sees its own writes, and no model is asked
        steps = plan(ctx.writer, agent_id, similarity, kind)
        prepared = Prepared(steps, described(similarity, kind))
    if dry_run:
        return sum(len(step.parts) for step in prepared.steps)
    done = at_once(ctx.writer, agent_id, prepared)
    return done.merged + done.distilled
