"""currval: the number that this connection was given last."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True, within_writes=True, deterministic=False)
def currval(ctx: Context, sequence: str) -> int:
    """Gives the number that nextval() gave this connection last, of a sequence.

    An INSERT that PostgreSQL's dialect filled from the sequence counts; one that SQLite numbered by
    itself does not: use RETURNING. It may also stand in the values of an INSERT or UPDATE.

    Arguments:
      sequence: its name, as nextval() takes it.

    Returns: the number. NULL where sequence is NULL.

    Errors: 'relation "s" does not exist'; 'currval of sequence "s" is not yet defined in this
      session' (55000).

    Cost: a look-up.

    Examples:
      CREATE SEQUENCE IF NOT EXISTS order_numbers;
      SELECT nextval('order_numbers');
      SELECT currval('order_numbers');
    """
    from sqlagent.engines import sequences

    return sequences.current_value(ctx.writer, ctx.writer.owner, sequence)
