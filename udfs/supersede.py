"""supersede: a newer fact takes the place of an older one."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import Stamp, scalar


@scalar("BIGINT", writes=True)
def supersede(ctx: Context, memory_id: int, content: str, valid_from: Stamp | None = None) -> int:
    """A newer fact takes the place of an older one; both stay, linked.

    The new memory has the old one's agent, kind, tier, importance, emotion, speaker, user, session
    and metadata, and is pinned where that is. The old one is true until before valid_from, or until
    its own valid_to where that is earlier: recall gives the new one from then on, and
    memories_as_of either, by the time that is asked for. unsupersede undoes all of it.

    Arguments:
      memory_id: the older fact; a pinned one too.
      content: the newer one.
      valid_from: from when on the newer one is true, not before the older one's own valid_from;
        now by default. A later time: until then the older one is recalled.

    Returns: the memory_id of the newer one. NULL where memory_id or content is NULL.

    Errors: "there is no memory 7"; "memory 7 is superseded already, by memory 9"; "memory 7 was
    archived at …"; "valid_from is not before that of memory 7, …, but …".

    Cost: about that of remember.

    Examples:
      SELECT supersede(1, 'The parcel is in locker 18');
    """
    from sqlagent.memory import truth

    return truth.supersede(ctx.writer, memory_id, content, valid_from)
