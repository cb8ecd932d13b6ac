"""The graph as SVG, one file that any browser shows: no script, nothing fetched, dark and light."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from sqlagent.graph.layout import places

if TYPE_CHECKING:
    from sqlagent.graph.picture import Line, Picture

LENGTH = 130.0  # of a relation, in pixels
WIDER = 1.5  # names are wide: places are drawn out sideways
MARGIN = 70.0
LABEL_MAX = 32  # characters
# Okabe and Ito's colours, which the colour-blind tell apart too, a kind each.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c3a")
PLAIN = "#7b8594"  # of what has no kind, where others have one
STYLE = """
svg { max-width: 100%; height: auto; background: #fff;
  font: 13px system-ui, "Noto Sans CJK SC", "PingFang SC", sans-serif }
.line { fill: none; stroke: #8a94a6 } .head { fill: #8a94a6 }
.name { fill: #1b2430; text-anchor: middle; paint-order: stroke; stroke: #fff; stroke-width: 3px }
.said { fill: #5b6678; text-anchor: middle; font-size: 11px; paint-order: stroke; stroke: #fff;
  stroke-width: 3px }
.entity { stroke: #fff; stroke-width: 2px } .centre { stroke: #1b2430 }
@media (prefers-color-scheme: dark) {
  svg { background: #14181f } .name { fill: #e6eaf0; stroke: #14181f }
  .said { fill: #a4aebe; stroke: #14181f } .entity { stroke: #14181f } .centre { stroke: #e6eaf0 }
}
"""


class Point(tuple[float, float]):
    """A place in pixels."""

    __slots__ = ()

    def toward(self, other: Point, length: float) -> Point:
        """The place so far from here on the way to another."""
        apart = math.dist(self, other) or 1.0
        share = length / apart
        return Point((
            self[0] + (other[0] - self[0]) * share, self[1] + (other[1] - self[1]) * share,
        ))  # fmt: skip


def svg(picture: Picture) -> str:
    """The picture as the text of an SVG file."""
    found = places(len(picture.names), [(line.start, line.end) for line in picture.lines])
    left = min((x for x, _ in found), default=0.0)
    top = min((y for _, y in found), default=0.0)
    points = [
        Point((MARGIN + (x - left) * LENGTH * WIDER, MARGIN + (y - top) * LENGTH)) for x, y in found
    ]
    width = max((p[0] for p in points), default=0.0) + MARGIN
    height = max((p[1] for p in points), default=0.0) + MARGIN
    return "\n".join(_parts(picture, points, max(width, 320.0), height + 24.0)) + "\n"


def _parts(picture: Picture, points: list[Point], width: float, height: float) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img">'
    )
    yield f"<title>{_text(_title(picture))}</title>"
    yield f"<style>{STYLE}</style>"
    yield (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">'
        '<path class="head" d="M0 0L8 4L0 8z"/></marker></defs>'
    )
    degrees = picture.degrees()
    sizes = [7.0 + min(13.0, 2.5 * math.sqrt(degree)) for degree in degrees]
    both = {(line.start, line.end) for line in picture.lines}
    heaviest = max((abs(line.weight) for line in picture.lines), default=1.0) or 1.0
    for line in picture.lines:
        share = abs(line.weight) / heaviest
        yield from _line(picture, line, points, sizes, (line.end, line.start) in both, share)
    kinds = [kind for kind in dict.fromkeys(picture.kinds) if kind is not None]
    colours = {kind: COLOURS[place % len(COLOURS)] for place, kind in enumerate(kinds)}
    plain = PLAIN if kinds else COLOURS[0]
    for number, name in enumerate(picture.names):
        x, y = points[number]
        kind = picture.kinds[number]
        colour = plain if kind is None else colours[kind]
        centre = " centre" if name == picture.centre else ""
        said = name if kind is None else f"{name} ({kind})"
        yield (
            f'<g><title>{_text(said)}</title><circle class="entity{centre}" cx="{x:.1f}" '
            f'cy="{y:.1f}" r="{sizes[number]:.1f}" fill="{colour}"/>'
            f'<text class="name" x="{x:.1f}" y="{y + sizes[number] + 14:.1f}">'
            f"{_text(_short(name))}</text></g>"
        )
    left = MARGIN / 3
    for kind, colour in colours.items():
        label = _short(kind)
        yield f'<circle cx="{left:.0f}" cy="{height - 15:.0f}" r="5" fill="{colour}"/>'
        yield (
            f'<text class="said" style="text-anchor: start" x="{left + 9:.0f}" '
            f'y="{height - 11:.0f}">{_text(label)}</text>'
        )
        left += 24 + 8 * len(label)
    if picture.shown < picture.known:
        yield (
            f'<text class="said" style="text-anchor: end" x="{width - 12:.0f}" '
            f'y="{height - 11:.0f}">{picture.shown:,} of {picture.known:,} relations</text>'
        )
    yield "</svg>"


def _line(
    picture: Picture, line: Line, points: list[Point], sizes: list[float], bent: bool, share: float
) -> Iterator[str]:
    """A line with its head and what it says: bent where there is one back, a loop to itself."""
    start, end = points[line.start], points[line.end]
    said = ", ".join(line.predicates)
    if line.start == line.end:
        (x, y), r = start, sizes[line.start]
        path = (
            f"M{x - r * 0.7:.1f} {y - r * 0.7:.1f}C{x - 34:.1f} {y - 52:.1f} "
            f"{x + 34:.1f} {y - 52:.1f} {x + r * 0.7:.1f} {y - r * 0.7 - 2:.1f}"
        )
        middle = Point((x, y - 46))
    else:
        half = start.toward(end, math.dist(start, end) / 2)
        side = 22.0 if bent else 0.0
        apart = math.dist(start, end) or 1.0
        over = Point((
            half[0] - (end[1] - start[1]) / apart * side,
            half[1] + (end[0] - start[0]) / apart * side,
        ))  # fmt: skip
        first = start.toward(over, sizes[line.start] + 1)
        last = end.toward(over, sizes[line.end] + 3)
        path = "M{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}".format(*first, *over, *last)
        middle = Point(((half[0] + over[0]) / 2, (half[1] + over[1]) / 2))
    names = picture.names[line.start], picture.names[line.end]
    tip = f"{names[0]} {said} {names[1]}, weight {line.weight:g}"
    yield (
        f'<g><title>{_text(tip)}</title><path class="line" d="{path}" '
        f'stroke-width="{1 + 2 * share:.1f}" marker-end="url(#head)"/>'
        f'<text class="said" x="{middle[0]:.1f}" y="{middle[1] + 4:.1f}">{_text(_short(said))}'
        "</text></g>"
    )


def _title(picture: Picture) -> str:
    around = "" if picture.centre is None else f" around {picture.centre}"
    entities = f"{len(picture.names):,} entit{'y' if len(picture.names) == 1 else 'ies'}"
    return f"{entities}, {picture.shown:,} relation{'' if picture.shown == 1 else 's'}{around}"


def _short(text: str) -> str:
    return text if len(text) <= LABEL_MAX else f"{text[: LABEL_MAX - 1]}…"


def _text(text: str) -> str:
    """Escaped, without the characters that XML cannot hold."""
    kept = (c if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff" else " "
            for c in text)  # fmt: skip
    return escape("".join(kept))
