"""Trees as text: parameters numbered as the engine wants them, and the types of what comes out."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.catalog import Catalog
from sqlagent.parse.parameters import Numbering
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import kind


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


def types(tree: exp.Expr, context: Context, catalog: Catalog) -> tuple[str | None, ...] | None:
    """The logical type of each result column where it is known; None where a `*` hides them."""
    while isinstance(tree, (exp.SetOperation, exp.Subquery)):
        tree = tree.this
    if not isinstance(tree, exp.Select):
        return None
    found: list[str | None] = []
    for output in tree.expressions:
        if isinstance(output, exp.Star) or (isinstance(output, exp.Column) and output.is_star):
            columns = _star(tree, output, context)
            if columns is None:
                return None
            found += columns
        else:
            known = kind(output, context)
            found.append(None if known in ("NULL", "ANY") else known)
    return tuple(found)


def _star(tree: exp.Select, output: exp.Expr, context: Context) -> list[str | None] | None:
    """The types of `*` or `t.*`, where every source is known and no USING merges columns."""
    wanted = output.table.lower() if isinstance(output, exp.Column) else ""
    joins = tree.args.get("joins") or []
    if not wanted and any(j.args.get("using") or j.method == "NATURAL" for j in joins):
        return None
    start = tree.args.get("from_")
    nodes = ([start.this] if start else []) + [j.this for j in joins]
    found: list[str | None] = []
    for node in nodes:
        alias = node.alias_or_name.lower()
        if not alias and isinstance(node, exp.Table):
            alias = node.this.name.lower()
        if wanted and alias != wanted:
            continue
        sources = context.names.by_alias.get(alias) or [None]
        if sources[0] is None or len(sources) > 1:
            return None
        found += [c.type for c in sources[0]]
    return found
