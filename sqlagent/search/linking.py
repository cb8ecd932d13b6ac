"""The graph in recall() and search(): what it ties to the best rows, and over which way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.graph.linked import Way

SOME = """
SELECT EXISTS (SELECT 1 FROM relation_sources WHERE {column} IS NOT NULL)
  OR {links} AND EXISTS (SELECT 1 FROM memory_links)
"""


class Linking:
    """What an index asks with its best rows; `ways` then holds how each one tied is reached.

    Of an agent's memories, or of chunks where no agent is named; `at` is when relations have to be
    true.
    """

    def __init__(self, context: Context, agent_id: str | None, at: str) -> None:
        self.context, self.agent_id, self.at = context, agent_id, at
        self.ways: dict[int, Way] = {}

    def __call__(self, ids: list[int], shares: list[float]) -> dict[int, float]:
        from sqlagent.graph.linked import Seed, linked

        seeds = [Seed(*pair) for pair in zip(ids, shares, strict=True)]
        with self.context.reading() as handle:
            self.ways = linked(handle, seeds, self.at, self.agent_id)
        return {one: way.value for one, way in self.ways.items()}

    def said(self, ids: list[int]) -> dict[int, str]:
        """The way to each of these that is tied, in words."""
        from sqlagent.graph.linked import told

        ways = {one: self.ways[one] for one in ids if one in self.ways}
        with self.context.reading() as handle:
            return told(handle, ways, "chunk" if self.agent_id is None else "memory")


def linking(context: Context, agent_id: str | None, at: str, wanted: bool) -> Linking | None:
    """None where the graph is not wanted, or there is none."""
    if not wanted:
        return None
    column, links = ("chunk_id", "false") if agent_id is None else ("memory_id", "true")
    with context.reading() as handle:
        some = handle.execute(SOME.format(column=column, links=links)).fetchone()[0]
    return Linking(context, agent_id, at) if some else None
