"""draw_graph: a picture of the graph."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import Stamp, scalar


@scalar("VARCHAR")
def draw_graph(
    ctx: Context,
    entity: str | None = None,
    depth: int = 2,
    predicate: str | None = None,
    format: str = "svg",
    most: int = 60,
    as_of: Stamp | None = None,
) -> str:
    """A picture of the graph: what lies around an entity, or the heaviest relations of all.

    Arguments:
      entity: its name; the whole graph by default.
      depth: how many relations away from it, from 0.
      predicate: relations of this predicate alone.
      format: 'svg', which any browser shows; 'mermaid', for Markdown; 'dot', for Graphviz.
      most: so many relations at the most, 1 to 500.
      as_of: relations that were true at that time; now by default.

    Returns: the text of the picture. Entities are larger the more relations they have, a colour
    for each kind; lines are thicker the heavier their relation, and say more under the mouse.
    `sqlagent graph agent.db Ada -o ada.svg` writes it to a file.

    Errors: 'unknown entity "x"' with the nearest name; "format is one of svg, mermaid, dot, not
    'png'"; "most is a whole number from 1 to 500, not 0".

    Cost: about 0.3 s of CPU for 60 relations, 1 s for 500.

    Source: T. Fruchterman, E. Reingold, Graph Drawing by Force-directed Placement, 1991.

    Examples:
      SELECT relate('Ada', 'knows', 'Bob'), relate('Bob', 'likes', 'figs');
      SELECT draw_graph('Ada', format => 'mermaid');
    """
    from sqlagent.graph.edges import chosen
    from sqlagent.graph.entities import reading
    from sqlagent.graph.picture import drawn, written

    choice = chosen(ctx, predicate, "both", as_of)
    with reading(ctx) as handle:
        picture = drawn(handle, entity, depth, choice, most)
    return written(picture, format)
