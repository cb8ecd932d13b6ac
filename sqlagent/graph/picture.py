"""A picture of the graph: what is drawn of it, and the forms that other programs draw.

SVG is drawn here (`svg.py`); Mermaid is what Markdown viewers draw, DOT what Graphviz does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import DataError, nearest
from sqlagent.graph import walk
from sqlagent.graph.edges import Choice, whole
from sqlagent.graph.entities import IN, find

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

FORMATS = ("svg", "mermaid", "dot")
MOST = 500  # relations: beyond, nobody sees anything
HEAVIEST = """
SELECT s.name, r.predicate, o.name, r.weight
FROM relations r JOIN entities s ON s.entity_id = r.subject_id
  JOIN entities o ON o.entity_id = r.object_id
WHERE (r.valid_from IS NULL OR r.valid_from <= ?1) AND (r.valid_to IS NULL OR r.valid_to > ?1)
  AND (?2 IS NULL OR r.predicate = ?2)
ORDER BY r.weight DESC, r.relation_id LIMIT ?3
"""
COUNT = """
SELECT count(*) FROM relations r WHERE (r.valid_from IS NULL OR r.valid_from <= ?1)
  AND (r.valid_to IS NULL OR r.valid_to > ?1) AND (?2 IS NULL OR r.predicate = ?2)
"""
KINDS = f"SELECT name, kind FROM entities WHERE name {IN}"


class Line(NamedTuple):
    """Relations of one entity to another, by their numbers: their predicates, and the heaviest."""

    start: int
    end: int
    predicates: tuple[str, ...]
    weight: float


class Picture(NamedTuple):
    """What is drawn: names and kinds of the entities, the lines among them, and what was left."""

    names: list[str]
    kinds: list[str | None]
    lines: list[Line]
    centre: str | None
    shown: int
    known: int  # relations that there are to draw

    def degrees(self) -> list[int]:
        """How many lines meet at each entity."""
        found = [0] * len(self.names)
        for line in self.lines:
            found[line.start] += 1
            found[line.end] += 1
        return found


def drawn(handle: Handle, entity: str | None, depth: int, choice: Choice, most: int) -> Picture:
    """What is drawn around an entity, the nearest first; of the whole graph the heaviest.

    Raises DataError, and ProgrammingError for an entity that is not there.
    """
    whole(depth, "depth")
    if not 1 <= most <= MOST:
        raise DataError(f"most is a whole number from 1 to {MOST}, not {most}")
    rows: list[tuple[Any, ...]]
    if entity is None:
        ((known,),) = handle.execute(COUNT, (choice.at, choice.predicate))
        rows = list(handle.execute(HEAVIEST, (choice.at, choice.predicate, most)))
    else:
        near = walk.subgraph(handle, find(handle, entity), depth, choice)
        known, rows = len(near), [row[1:5] for row in near[:most]]
    numbers: dict[str, int] = {} if entity is None else {entity: 0}
    merged: dict[tuple[int, int], list[tuple[float, str]]] = {}
    for subject, predicate, target, weight in rows:
        ends = tuple(numbers.setdefault(name, len(numbers)) for name in (subject, target))
        merged.setdefault((ends[0], ends[1]), []).append((weight, predicate))
    lines = [
        Line(start, end, tuple(p for _, p in sorted(said, key=lambda s: -s[0])), max(said)[0])
        for (start, end), said in merged.items()
    ]
    names = list(numbers)
    kinds = dict(handle.execute(KINDS, (json.dumps(names),)))
    return Picture(names, [kinds.get(n) for n in names], lines, entity, len(rows), known)


def written(picture: Picture, format: str) -> str:
    """The text of a picture. Raises DataError for a format that there is not."""
    if format == "svg":
        from sqlagent.graph.svg import svg

        return svg(picture)
    if format == "mermaid":
        return "\n".join(_mermaid(picture)) + "\n"
    if format == "dot":
        return "\n".join(_dot(picture)) + "\n"
    raise DataError(
        f"format is one of {', '.join(FORMATS)}, not {format!r:.60}", hint=nearest(format, FORMATS)
    )


def _mermaid(picture: Picture) -> Iterable[str]:
    yield "graph LR"
    for number, name in enumerate(picture.names):
        yield f'  n{number}(["{_named(name)}"])'
    for line in picture.lines:
        yield f'  n{line.start} -- "{_named(", ".join(line.predicates))}" --> n{line.end}'


def _named(text: str) -> str:
    """A text within Mermaid's quotes, where the marks of Markdown and HTML are texts too."""
    plain = " ".join(text.split())
    return "".join(c if c.isalnum() or c in " ,.-_:" else f"#{ord(c)};" for c in plain)


def _dot(picture: Picture) -> Iterable[str]:
    yield "digraph {"
    yield "  rankdir=LR; node [shape=box, style=rounded];"
    for number, name in enumerate(picture.names):
        yield f"  n{number} [label={_quoted(name)}];"
    for line in picture.lines:
        label = _quoted(", ".join(line.predicates))
        yield f"  n{line.start} -> n{line.end} [label={label}];"
    yield "}"


def _quoted(text: str) -> str:
    plain = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
