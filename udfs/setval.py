"""setval: where a sequence goes on."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True, within_writes=True, deterministic=False)
def setval(ctx: Context, sequence: str, value: int, is_called: bool = True) -> int:
    """Sets the number that a sequence gave last.

    Arguments:
      sequence: its name, as nextval() takes it.
      value: the number, within the sequence's bounds.
      is_called: true (the default): the next is the one after it; false: the next is itself.

    Returns: the value. NULL where sequence or value is NULL.

    Errors: 'relation "s" does not exist'; 'setval: value 0 is out of bounds for sequence "s"
      (1..9223372036854775807)' (22003).

    Cost: one row.

    Examples:
      CREATE SEQUENCE IF NOT EXISTS order_numbers;
      SELECT setval('order_numbers', 100);
      SELECT setval('order_numbers', 100, is_called => false);
    """
    from sqlagent.engines import sequences

    return sequences.set_value(ctx.database, ctx.writer, sequence, value, is_called)
