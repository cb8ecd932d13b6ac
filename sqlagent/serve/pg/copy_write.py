"""Rows as COPY writes them, in the formats text and csv: each row is a message of its own."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlagent.serve.pg import values_text
from sqlagent.serve.pg.copy_options import Copy
from sqlagent.serve.pg.messages import Column
from sqlagent.serve.pg.outcome import Outcome

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session

_ESCAPES = {
    "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
}  # fmt: skip


def escaper(delimiter: str) -> Callable[[str], str]:
    """What makes a text fit for the text format."""
    table = str.maketrans(_ESCAPES | {delimiter: "\\" + delimiter} if delimiter != "\t"
                          else _ESCAPES)  # fmt: skip
    return lambda text: text.translate(table)


def quoter(copy: Copy, forced: bool, alone: bool) -> Callable[[str], str]:
    """What makes a text fit for csv; `alone`: it is the only column, where `\\.` would end all."""
    marks = re.compile("[" + re.escape(copy.delimiter + copy.quote) + "\r\n]|^ | $")
    quote, escape, null = copy.quote, copy.escape, copy.null

    def said(text: str) -> str:
        if forced or text == null or (alone and text == "\\.") or marks.search(text):
            if escape != quote:
                text = text.replace(escape, escape * 2)
            return quote + text.replace(quote, escape + quote) + quote
        return text

    return said


def lines(
    copy: Copy, columns: Sequence[Column], outcome: Outcome, session: Session
) -> Iterator[bytes]:
    """The messages, many joined; counts what was sent in `outcome.sent`."""
    writers = [values_text.writer(c.type, session.zone) for c in columns]
    if copy.form == "csv":
        forced = copy.force_quote
        each = [
            quoter(copy, forced is None or c.name.lower() in forced, len(columns) == 1)
            for c in columns
        ]
    else:
        each = [escaper(copy.delimiter)] * len(columns)
    codec = copy.encoding or session.codec
    delimiter, null = copy.delimiter, copy.null
    pairs = list(zip(writers, each, strict=True))
    pack = struct.Struct("!cI").pack

    def message(parts: list[str]) -> bytes:
        data = (delimiter.join(parts) + "\n").encode(codec)
        return pack(b"d", len(data) + 4) + data

    if copy.header:
        yield message([e(c.name) for e, c in zip(each, columns, strict=True)])
    for chunk in outcome.chunks():
        session.check_cancelled()
        rows: Any = chunk if isinstance(chunk, list) else _tuples(chunk)
        done = [
            message([
                null if v is None else e(w(v)) for v, (w, e) in zip(row, pairs, strict=True)
            ])
            for row in rows
        ]  # fmt: skip
        outcome.sent += len(done)
        yield b"".join(done)


def _tuples(table: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of a table of Arrow."""
    return zip(*(column.to_pylist() for column in table.columns), strict=True)
