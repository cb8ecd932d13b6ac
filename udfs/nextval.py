"""nextval: the next number of a sequence."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True, within_writes=True, deterministic=False)
def nextval(ctx: Context, sequence: str) -> int:
    """Gives the next number of a sequence, which nobody else is given.

    A number that a transaction took and undid is not given again by the same process: there are
    gaps, and no duplicates. It may also stand in the values of an INSERT or UPDATE.

    Arguments:
      sequence: its name, 's' or 'public.s'; in double quotes where it is not in lower case. A key
        that numbers its rows (INTEGER PRIMARY KEY, serial) is the sequence 'table_column_seq'.

    Returns: the number. NULL where sequence is NULL.

    Errors: 'relation "s" does not exist'; 'nextval: reached maximum value of sequence "s" (9)'
      (2200H) where it does not CYCLE.

    Cost: one row.

    Examples:
      CREATE SEQUENCE IF NOT EXISTS order_numbers;
      SELECT nextval('order_numbers');
    """
    from sqlagent.engines import sequences

    return sequences.next_value(ctx.database, ctx.writer, sequence)
