"""PostgreSQL's statements in the words of the planner: definitions, names and maintenance.

`statement(sql, tokens, catalog)` is asked first under dialect 'postgres'. Queries are left to
`rewrite.postgres`; what has no meaning here is refused, what needs nothing done does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlagent.plan.plans import Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlagent.catalog import Catalog
    from sqlagent.parse.lexer import Token

    Step = Callable[[str, list[Token], Catalog], "Script | Edits | None"]


class Edits(NamedTuple):
    """Edits (start, end, text) of the user's text, after which it is a statement of ours; unless
    `again`, when it is still one of PostgreSQL's."""

    edits: tuple[tuple[int, int, str], ...]
    again: bool = False

    def place(self, position: int) -> int:
        """The user's offset for one in the edited text."""
        shift = 0
        for start, end, text in sorted(self.edits):
            if start + shift + len(text) > position:
                return min(position - shift, start) if start + shift <= position else (
                    position - shift
                )  # fmt: skip
            shift += len(text) - (end - start)
        return position - shift


def statement(sql: str, tokens: list[Token], catalog: Catalog) -> Script | Edits | None:
    """What a statement of PostgreSQL's becomes; None where it is one of ours as it is."""
    from sqlagent.plan.postgres import (
        assigning,
        definitions,
        inserting,
        names,
        numbering,
        outputs,
        returning,
        tables,
    )

    called = numbering.calls(tokens, catalog)
    if called:
        return Edits(tuple(called), True)
    qualified = names.edits(tokens, catalog)
    if qualified:
        return Edits(tuple(qualified), True)
    named = outputs.edits(tokens)
    if named:
        return Edits(tuple(named), True)
    word = tokens[0].upper
    if word in ("INSERT", "UPDATE", "DELETE", "WITH") and (
        starred := returning.stars(sql, tokens, catalog)
    ):
        return Edits(tuple(starred), True)
    if word == "INSERT":
        bare = inserting.bare(tokens)
        if bare:
            return Edits(tuple(bare), True)
        numbered = numbering.filled(tokens, catalog) if catalog.sequences else []
        if numbered:
            return Edits(tuple(numbered), True)
        columns = inserting.columns(tokens, catalog)
        if columns and catalog.sequences:
            return Edits(tuple(columns), True)
        said = columns + assigning.edits(sql, tokens, catalog)
        return Edits(tuple(said)) if said else None
    if word in ("WITH", "UPDATE"):
        said = assigning.edits(sql, tokens, catalog)
        return Edits(tuple(said)) if said else None
    if word in ("SELECT", "DELETE", "VALUES", "EXPLAIN"):
        return None
    steps: dict[str, Step] = {
        "CREATE": tables.created, "ALTER": definitions.altered, "DROP": definitions.dropped,
        "TRUNCATE": definitions.truncated, "COMMENT": definitions.commented,
        "LOCK": definitions.nothing, "VACUUM": definitions.nothing, "ANALYZE": definitions.nothing,
        "ANALYSE": definitions.nothing, "CLUSTER": definitions.nothing,
        "REINDEX": definitions.nothing, "CHECKPOINT": definitions.nothing,
        "GRANT": definitions.granted, "REVOKE": definitions.granted,
    }  # fmt: skip
    step = steps.get(word)
    return step(sql, tokens, catalog) if step is not None else None
