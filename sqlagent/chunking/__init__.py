"""Chunks: a text cut into pieces of a bounded size, at the places where a reader would cut it.

Every way of cutting keeps the same laws: a chunk's `content` is exactly `text[position : position +
len(content)]`; the chunks less their `overlap_prev` are the text again; none is longer than `size`.
White space belongs to the piece before it. All of it takes time linear in the text.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from sqlagent.chunking.code import LINE_SUFFIXES, code
from sqlagent.chunking.markdown import LOOKS_MARKDOWN, markdown
from sqlagent.chunking.pack import pack
from sqlagent.chunking.places import Places
from sqlagent.chunking.prose import prose
from sqlagent.chunking.windows import token_windows, windows
from sqlagent.errors import DataError, nearest

SIZE_MAX = 1_000_000
WAYS = ("chars", "sentences", "markdown", "code", "tokens")


class Chunk(NamedTuple):
    """A piece of a text. `position` and the overlaps count characters (code points)."""

    ordinal: int
    position: int
    content: str
    overlap_prev: int
    overlap_next: int
    heading: str | None


def chunks(text: str, size: int = 512, overlap: int = 50, by: str = "chars") -> list[Chunk]:
    """The chunks of `text`; none for ''.

    `size` (1..1,000,000) bounds a chunk in characters, by 'tokens' in tokens of the embedding
    model. Consecutive chunks share `overlap` characters (tokens), or, where the way cuts at
    sentences or lines, the whole ones that fit in so many. Raises DataError for what cannot be.
    """
    return list(each(text, size, overlap, by))


def each(text: str, size: int, overlap: int, by: str) -> Iterator[Chunk]:
    """As `chunks`, one at a time."""
    if by not in WAYS:
        raise DataError(
            f"by is 'chars', 'sentences', 'markdown', 'code' or 'tokens', not {by!r:.60}",
            hint=nearest(by, WAYS),
        )
    if not 1 <= size <= SIZE_MAX:
        raise DataError(f"size is from 1 to {SIZE_MAX:,}, not {size}")
    if not 0 <= overlap < size:
        raise DataError(
            f"overlap is from 0 and less than the size of {size}, not {overlap}",
            hint="Give both: size => 200, overlap => 20",
        )
    if by == "chars":
        spans = windows(len(text), size, overlap)
    elif by == "tokens":
        spans = token_windows(text, size, overlap)
    else:
        places = {"sentences": prose, "markdown": markdown, "code": code}[by](text, size)
        return numbered(text, pack(text, size, overlap, places), places)
    return numbered(text, spans, None)


def sentences(text: str) -> list[tuple[int, int]]:
    """The sentences of a text as half-open intervals, the white space between them left out; items
    of lists and lines after a blank one are sentences too."""
    level = prose(text, SIZE_MAX).levels[1]
    ends = [*level.ends, len(text)]
    starts = [0, *level.starts]
    found = []
    for start, end in zip(starts, ends, strict=True):
        part = text[start:end]
        if part.strip():
            left = start + len(part) - len(part.lstrip())
            found.append((left, start + len(part.rstrip())))
    return found


def best(text: str, uri: str | None = None) -> str:
    """The way that suits a document: 'code' where its uri ends as that of source code or of records
    in lines does, 'markdown' where it looks like Markdown, else 'sentences'.

    Paragraphs and headings, then sentences, found the most of what fixed windows cut in two.
    """
    if uri is not None and suffix(uri) in LINE_SUFFIXES:
        return "code"
    return "markdown" if LOOKS_MARKDOWN.search(text[:100_000]) else "sentences"


def suffix(uri: str) -> str:
    """The ending of a file's name or of a URL's path, with its dot, in lower case; '' for none."""
    name = re.split(r"[?#]", uri, maxsplit=1)[0] if "://" in uri else uri
    return os.path.splitext(name)[1].lower()


def numbered(text: str, spans: Iterator[tuple[int, int]], places: Places | None) -> Iterator[Chunk]:
    """Chunks of half-open intervals; one is held back until its successor tells the overlap."""
    held: tuple[int, int] | None = None
    shared = ordinal = 0
    for span in spans:
        if held is not None:
            next_shared = held[1] - span[0]
            yield _chunk(text, ordinal, held, shared, next_shared, places)
            shared, ordinal = next_shared, ordinal + 1
        held = span
    if held is not None:
        yield _chunk(text, ordinal, held, shared, 0, places)


def _chunk(
    text: str, ordinal: int, span: tuple[int, int], before: int, after: int, places: Places | None
) -> Chunk:
    heading = None
    if places is not None and places.paths:
        at = bisect_right(places.forced, span[0]) - 1
        heading = places.paths[at] if at >= 0 else None
    return Chunk(ordinal, span[0], text[span[0] : span[1]], before, after, heading or None)
