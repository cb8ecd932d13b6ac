"""extract_graph: relations read from memories or a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.context import Context
from sqlagent.errors import ProgrammingError
from sqlagent.functions import scalar

if TYPE_CHECKING:
    from sqlagent.graph.rules import Triple


def _scope(memory_id: int | None, document_id: int | None, agent_id: str | None) -> tuple[str, Any]:
    """What is named; ProgrammingError for several things."""
    given = (("memory", memory_id), ("document", document_id), ("agent", agent_id))
    named = [(name, value) for name, value in given if value is not None]
    if len(named) != 1:
        told = " and ".join(f"{name}_id" for name, _ in named) or "none of them"
        raise ProgrammingError(
            f"extract_graph takes one of memory_id, document_id, agent_id, not {told}",
            hint="Such as SELECT extract_graph(agent_id => 'ada')",
            sqlstate="22023",
        )
    return named[0]


def _prepare(
    ctx: Context,
    memory_id: int | None,
    document_id: int | None,
    agent_id: str | None,
) -> dict[Any, list[Triple]]:
    scope = _scope(memory_id, document_id, agent_id)
    if not ctx.settings.get("language_model"):
        return {}
    from sqlagent.graph.extract import read_before, texts
    from sqlagent.graph.model import replies

    with ctx.database.snapshot() as handle:
        found = [t for t in texts(handle, *scope) if not read_before(handle, t)]
    return replies(found, ctx.settings)


@scalar("BIGINT", writes=True, prepare=_prepare)
def extract_graph(
    ctx: Context,
    memory_id: int | None = None,
    document_id: int | None = None,
    agent_id: str | None = None,
) -> int:
    """Reads relations from a memory, a document or all memories of an agent, into the graph.

    Without a model, rules read what English and Chinese sentences say of names ("Ada works at Delta
    and lives in Essen", 王芳住在上海): the relation is called works_at, lives_in, likes, 住在, and
    so on. Guesses, questions and denials are left out. Names that a sentence tells together and no
    rule ties are 'mentioned_with' each other, weight 1/2 for one text, 2/3 for two, 3/4 for three.
    With a language_model, which connect() sets, the model is asked instead; of its reply counts
    only what the text bears out, and where it is bad the rules stand. It is asked once about a text
    that tells something, and not in a transaction of the user's.

    Each relation rests on the memory or chunk that says it (relation_sources), and is true for as
    long as a single memory that it rests on. One that rests on nothing else goes when that is
    deleted or erased, and with it the entities that were made for it. What you stated stays. Read
    again, a text that has not changed changes nothing, and one that has takes back what it no
    longer says.

    Arguments:
      memory_id: a memory; one of the three is named.
      document_id: the chunks of a document.
      agent_id: all memories of an agent that were not forgotten.

    Returns: how many relations rest on what was read.

    Errors: "extract_graph takes one of memory_id, document_id, agent_id, not none of them"; "there
    is no memory 7"; "there is no document 7".

    Cost: about 1 ms of CPU a memory, with no model; one transaction.

    Examples:
      SELECT remember('ada', 'Bob works at Delta and lives in Essen.');
      SELECT extract_graph(agent_id => 'ada');
      SELECT entity, predicate FROM neighbors('Bob');
    """
    from sqlagent.graph.extract import extract

    scope = _scope(memory_id, document_id, agent_id)
    once = bool(ctx.settings.get("language_model"))
    return extract(ctx.writer, *scope, ctx.prepared, once)
