"""Trees as text: parameters numbered as the engine wants them, and the types of what comes out."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.parse.parameters import Numbering
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import outputs


def say(
    tree: exp.Expr, engine: str, numbering: Numbering
) -> tuple[str, tuple[int | str, ...] | None]:
    """The text for one engine, and the user's slot of each of its parameters."""
    used = sorted({int(node.name[1:]) for node in tree.find_all(exp.Placeholder)})
    mark = "?" if engine == "sqlite" else "$"
    for node in list(tree.find_all(exp.Placeholder)):
        place = used.index(int(node.name[1:])) + 1
        node.replace(exp.Var(this=f"{mark}{place}"))
    text = tree.sql(engine, normalize_functions=False)
    return text, tuple(numbering.slots[n - 1] for n in used)


def types(tree: exp.Expr, context: Context) -> tuple[str | None, ...] | None:
    """The logical type of each result column where it is known; None where a `*` hides them.

    A bare NULL is an integer, as in DuckDB.
    """
    found = outputs(tree, context)
    if found is None:
        return None
    return tuple("BIGINT" if k == "NULL" else None if k == "ANY" else k for _, k in found)
