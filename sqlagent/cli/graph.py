"""`sqlagent graph FILE [ENTITY]`: a picture of the knowledge graph, as a file."""

import os
from collections.abc import Sequence

from .options import Parser, UsageError, check_file
from .session import Session

ENDINGS = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot"}
EXAMPLES = """\
examples:
  sqlagent graph agent.db
  sqlagent graph agent.db Ada --depth 1 -o ada.svg
  sqlagent graph agent.db -o graph.mmd

Any browser shows .svg; Markdown viewers show .mmd (Mermaid), Graphviz draws .dot.
In SQL: SELECT draw_graph('Ada', depth => 1).
"""
DRAW = (
    "SELECT draw_graph($entity, depth => $depth, predicate => $predicate, format => $format, "
    "most => $most)"
)


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit status. Errors: UsageError, sqlagent.Error."""
    made = Parser(
        prog="sqlagent graph",
        description="Draws the graph: what lies around an entity, or its heaviest relations.",
        epilog=EXAMPLES,
    )
    made.add_argument("file", metavar="FILE", help="the database file")
    made.add_argument("entity", metavar="ENTITY", nargs="?", help="a name; else the whole graph")
    made.add_argument("-o", "--output", metavar="PATH", default="graph.svg",
                      help="where it goes: .svg, .mmd or .dot (graph.svg)")  # fmt: skip
    made.add_argument("--depth", type=int, default=2, metavar="N", help="hops from it (2)")
    made.add_argument("--predicate", metavar="NAME", help="relations of this predicate alone")
    made.add_argument("--most", type=int, default=60, metavar="N", help="relations (60)")
    options = made.parse_args(list(argv))
    form = ENDINGS.get(os.path.splitext(options.output)[1].lower())
    if form is None:
        raise UsageError(f'"{options.output}" does not end in one of {", ".join(ENDINGS)}')
    check_file(options.file, must_exist=True)
    session = Session(options.file)
    try:
        asked = {name: getattr(options, name) for name in ("entity", "depth", "predicate", "most")}
        ((text,),) = session.rows(DRAW, {**asked, "format": form})
    finally:
        session.close()
    try:
        with open(options.output, "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise UsageError(f'cannot write "{options.output}": {error.strerror}') from error
    print(options.output)
    return 0
