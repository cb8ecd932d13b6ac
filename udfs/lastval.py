"""lastval: the number that this connection was given last, of any sequence."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True, within_writes=True, deterministic=False)
def lastval(ctx: Context) -> int:
    """Gives the number that nextval() gave this connection last, of whichever sequence.

    Returns: the number.

    Errors: "lastval is not yet defined in this session" (55000).

    Cost: a look-up.

    Examples:
      CREATE SEQUENCE IF NOT EXISTS order_numbers;
      SELECT nextval('order_numbers');
      SELECT lastval();
    """
    from sqlagent.engines import sequences

    return sequences.last_value(ctx.writer.owner)
