"""reinforce: a memory was of use."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import Stamp, scalar


@scalar("BIGINT", writes=True)
def reinforce(ctx: Context, memory_id: int, grade: int = 3, at: Stamp | None = None) -> int:
    """Says that a memory was recalled and used: it lasts longer from now on.

    Stability and difficulty change as FSRS-6 has it, with its published parameters: a use that
    comes when the memory has begun to fade makes it last much longer, a second one on the same day
    hardly. In the count of uses that strength is made of, one that comes t after another counts as
    t / (t + 1 hour), so ten in a minute are little more than one.

    Arguments:
      memory_id: which memory.
      grade: 1 again (recalled in vain: it was of no use), 2 hard, 3 good (the default), 4 easy.
        With 1 the memory lapses: its stability falls and no use is counted. With the others its
        strength never falls.
      at: when that was; now by default.

    Returns: the memory_id. NULL where memory_id is NULL.

    Errors: "there is no memory 7"; "grade is 1 (again), 2 (hard), 3 (good) or 4 (easy), not 5".

    Cost: one row read and written.

    Source: FSRS-6, https://github.com/open-spaced-repetition/fsrs4anki/wiki/The-Algorithm

    Examples:
      SELECT reinforce(memory_id) FROM memories WHERE agent_id = 'ada';
      SELECT reinforce(memory_id, grade => 4) FROM memories WHERE agent_id = 'ada';
    """
    from sqlagent.memory.strength import use

    use(ctx.writer, memory_id, grade, at)
    return memory_id
