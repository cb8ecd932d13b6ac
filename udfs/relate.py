"""relate: a relation of two entities."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import Stamp, scalar


@scalar("BIGINT", writes=True)
def relate(
    ctx: Context,
    subject: str,
    predicate: str,
    object: str,
    weight: float | None = None,
    source: str | None = None,
    memory_id: int | None = None,
    chunk_id: int | None = None,
    valid_from: Stamp | None = None,
    valid_to: Stamp | None = None,
    subject_kind: str | None = None,
    object_kind: str | None = None,
) -> int:
    """States a relation of two entities, which come into being by their names.

    There is one relation for a subject, predicate and object. Stated again, what is said of it
    takes the place of what was, and what is not said stays; a new valid_from begins a new period,
    which is open where no valid_to is said with it. Plain INSERTs into entities and relations do
    the same.

    Arguments:
      subject: a name, as it is spelled; it may be of any language.
      predicate: what the subject is to the object: a word of your own, such as 'knows'.
      object: a name.
      weight: how strong it is, 1.0 where nothing else is said; higher comes first.
      source: where it comes from, in your words.
      memory_id, chunk_id: what it was learnt from. A relation that rests on nothing else goes with
        it; relation_sources lists all that it rests on.
      valid_from, valid_to: when it was true: from, until before.
      subject_kind, object_kind: what the entities are, such as 'person': labels in GRAPH_TABLE.

    Returns: the relation_id. NULL where subject, predicate or object is NULL.

    Errors: "subject is a name, not ''"; "there is no memory 7"; "there is no chunk 7"; "valid_to is
    after valid_from, which is 2024-01-01 00:00:00.000, not 2023-01-01 00:00:00.000".

    Cost: about 30 us of CPU in a transaction.

    Examples:
      SELECT relate('Ada', 'works_at', 'Delta', valid_from => '2024-03-01');
      SELECT relate('王芳', '认识', 'Ada', weight => 0.5);
    """
    from sqlagent.graph.relate import Relation
    from sqlagent.graph.relate import relate as state

    return state(
        ctx.writer,
        Relation(
            subject, predicate, object, weight, source, memory_id, chunk_id, valid_from, valid_to,
            subject_kind, object_kind,
        ),
    )  # fmt: skip
