"""What a chunk is a part of: its section, its document, the chunks beside it.

A section is the run of chunks under one heading; where a document has no headings, it is all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.context import Context
from sqlagent.errors import DataError, ProgrammingError

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle
    from sqlagent.search.chunks import Found

CHUNK = "SELECT document_id, ordinal, heading FROM chunks WHERE chunk_id = ?"
# From the first chunk after another heading before it, to the last before another one after it.
SPAN = """
SELECT min(ordinal), max(ordinal), min(position), max(position + length(content))
FROM chunks WHERE document_id = ?1
  AND ordinal > ifnull((SELECT max(ordinal) FROM chunks
    WHERE document_id = ?1 AND ordinal < ?2 AND heading IS NOT ?3), -1)
  AND ordinal < ifnull((SELECT min(ordinal) FROM chunks
    WHERE document_id = ?1 AND ordinal > ?2 AND heading IS NOT ?3), 9223372036854775807)
"""
# substr() would read from the start of the text at each call.
DOCUMENT = "SELECT content, uri, title, collection FROM documents WHERE document_id = ?"
BESIDE = """
SELECT chunk_id, document_id, ordinal, position, content, heading, overlap_prev, overlap_next
FROM chunks WHERE document_id = ? AND ordinal BETWEEN ? AND ? ORDER BY ordinal
"""


class Section(NamedTuple):
    """Where a section lies: its chunks (both ends included) and its characters (half open)."""

    first: int
    last: int
    start: int
    end: int


def section(handle: Handle, document_id: int, ordinal: int, heading: str | None) -> Section:
    """The section of a chunk."""
    return Section(*handle.execute(SPAN, (document_id, ordinal, heading)).fetchone())


def chunk_of(handle: Handle, chunk_id: int) -> tuple[int, int, str | None]:
    """(document_id, ordinal, heading). Raises ProgrammingError where there is none."""
    row = handle.execute(CHUNK, (chunk_id,)).fetchone()
    if row is None:
        old = handle.execute("SELECT 1 FROM chunk_versions WHERE chunk_id = ?", (chunk_id,))
        hint = "Its document was changed: chunk_at() has it" if old.fetchone() else None
        raise ProgrammingError(f"there is no chunk {chunk_id}", hint=hint, sqlstate="02000")
    return row[0], row[1], row[2]


def parent(context: Context, chunk_id: int) -> Iterator[tuple[Any, ...]]:
    """The row of `parent_of`."""
    with context.reading() as handle:
        document_id, ordinal, heading = chunk_of(handle, chunk_id)
        span = section(handle, document_id, ordinal, heading)
        content, uri, title, collection = handle.execute(DOCUMENT, (document_id,)).fetchone()
    text = content[span.start : span.end]
    yield document_id, uri, title, collection, heading, span.start, text, span.first, span.last


def beside(context: Context, chunk_id: int, before: int, after: int) -> Iterator[tuple[Any, ...]]:
    """The rows of `chunk_context`. Raises DataError for a negative number."""
    for name, value in (("before", before), ("after", after)):
        if value < 0:
            raise DataError(f"{name} is a whole number from 0, not {value}")
    with context.reading() as handle:
        document_id, ordinal, _ = chunk_of(handle, chunk_id)
        most = min(after, 1 << 40)
        rows = handle.execute(BESIDE, (document_id, ordinal - before, ordinal + most)).fetchall()
    for row in rows:
        yield (*row, row[0] == chunk_id)


def expanded(context: Context, found: Iterable[Found], into: str) -> Iterator[Found]:
    """The sections or documents of chunks, each at the place of its best chunk."""
    texts: dict[int, str] = {}
    seen: set[tuple[int, int]] = set()
    with context.reading() as handle:
        for one in found:
            if one.document_id not in texts:
                row = handle.execute(DOCUMENT, (one.document_id,)).fetchone()
                texts = {one.document_id: row[0], **dict(list(texts.items())[:8])}
            text = texts[one.document_id]
            start, end = 0, len(text)
            if into == "section":
                _, _, start, end = section(handle, one.document_id, one.ordinal, one.heading)
            if (one.document_id, start) in seen:
                continue
            seen.add((one.document_id, start))
            yield one._replace(content=text[start:end], position=start)
