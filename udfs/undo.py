"""undo: take an operation on memories back."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT", writes=True)
def undo(ctx: Context, operation_id: int) -> int:
    """Undoes an operation on memories whole: what supersede, forget, consolidate and policies did.

    A column is put back where it still holds what the operation put there; what was changed since
    stays. A memory that the operation made is archived. What was erased cannot come back.

    Arguments:
      operation_id: one of sqlagent_operations.

    Returns: how many memories were put back or archived.

    Errors: "there is no operation 7", "operation 7 (forget) was undone at …".

    Examples:
      SELECT undo(operation_id) FROM sqlagent_operations
      WHERE agent_id = 'ada' AND operation = 'forget' AND undone_at IS NULL;
    """
    from sqlagent.memory import operations

    return operations.undo(ctx.writer, operation_id)
