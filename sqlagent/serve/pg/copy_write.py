"""Rows as COPY writes them, in the formats text and csv: each row is a message of its own."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlagent.serve.pg import values_text
from sqlagent.serve.pg.copy_options import Copy
from sqlagent.serve.pg.encode import Rows
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
    columns = session.said(tuple(columns))
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
    encoder = Rows(columns, [0] * len(columns), codec, session.zone, b"d")
    special = _special(copy)
    for chunk in outcome.chunks():
        session.check_cancelled()
        for part in [chunk] if isinstance(chunk, list) else chunk.to_batches():
            count = len(part) if isinstance(part, list) else part.num_rows
            outcome.sent += count
            if count >= 64 and codec == "utf-8":
                yield _by_columns(copy, encoder, part, count, each, special)
                continue
            rows: Any = part if isinstance(part, list) else _tuples(part)
            done = [
                message([
                    null if v is None else e(w(v)) for v, (w, e) in zip(row, pairs, strict=True)
                ])
                for row in rows
            ]  # fmt: skip
            yield b"".join(done)


def _special(copy: Copy) -> bytes:
    """The bytes that a value must not have, to go out as it is."""
    if copy.form == "csv":
        return (copy.delimiter + copy.quote + "\r\n \\").encode()
    return ("".join(_ESCAPES) + copy.delimiter).encode()


def _by_columns(
    copy: Copy, encoder: Rows, part: Any, count: int, each: list[Any], special: bytes
) -> bytes:
    """Many rows at once: most columns have nothing to escape."""
    import numpy as np

    from sqlagent.serve.pg.columnar import Block, joined

    table = np.zeros(256, dtype=bool)
    table[list(special)] = True
    forced = copy.force_quote
    blocks = []
    for place, block in enumerate(encoder.columnar.blocks(part)):
        must = forced is None or encoder.columns[place].name.lower() in forced
        if not must and not table[block.data].any() and not _is_null(copy, block, np):
            blocks.append(block)
            continue
        ends = np.cumsum(np.maximum(block.lengths, 0))
        starts = ends - np.maximum(block.lengths, 0)
        raw, said = block.data.tobytes(), each[place]
        parts = [
            b"" if n < 0 else said(raw[s:e].decode()).encode()
            for n, s, e in zip(block.lengths.tolist(), starts.tolist(), ends.tolist(), strict=True)
        ]
        lengths = np.array([len(p) for p in parts], dtype=np.int64)
        lengths[block.lengths < 0] = -1
        blocks.append(Block(lengths, np.frombuffer(b"".join(parts), dtype=np.uint8)))
    return joined(blocks, count, copy.delimiter.encode(), copy.null.encode(), b"d")


def _is_null(copy: Copy, block: Any, np: Any) -> bool:
    """Whether a value may be taken for NULL, by its length: csv quotes such."""
    if copy.form != "csv":
        return False
    return bool((block.lengths == len(copy.null.encode())).any())


def _tuples(batch: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of a batch of Arrow."""
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)
