"""Rows as a response, a batch at a time: JSON, JSON lines, CSV, or an Arrow stream."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from sqlagent.cursor import Cursor
from sqlagent.errors import NotSupportedError
from sqlagent.formats.cells import Column, columns_of, json_text
from sqlagent.formats.writers import distinct, write_csv

BATCH = 1000
ARROW_BATCH = 65_536
MEDIA = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
}


def wanted(given: object, accept: str) -> str:
    """The format that a request asks for: by name, or else by its Accept header."""
    if given is not None:
        if given not in MEDIA:
            raise NotSupportedError(f"format is one of {', '.join(MEDIA)}, not {given!r}")
        return str(given)
    for item in accept.lower().split(","):
        kind = item.split(";")[0].strip()
        for name, media in MEDIA.items():
            if kind == media.split(";")[0]:
                return name
    return "json"


def pieces(cursor: Cursor, form: str) -> Iterator[bytes]:
    """The body of a response, in pieces; the first holds as much as the first rows."""
    if form == "arrow":
        return _arrow(cursor)
    writer: Callable[[list[Column], Iterator[Any]], Iterator[str]]
    writer = {"json": _json, "jsonl": _lines, "csv": _csv}[form]
    texts = writer(columns_of(cursor.description), iter(cursor))
    return (text.encode("utf-8", "surrogatepass") for text in texts)


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _json(columns: list[Column], rows: Iterator[Any]) -> Iterator[str]:
    head = [{"name": c.name, "type": c.type_name} for c in columns]
    types = [c.type_name for c in columns]
    text = f'{{"columns": {json.dumps(head, ensure_ascii=False)}, "rows": ['
    count = 0
    for batch in _batches(rows):
        shown = [
            "[" + ", ".join(json_text(v, t) for v, t in zip(row, types, strict=True)) + "]"
            for row in batch
        ]
        yield text + (",\n" if count else "\n") + ",\n".join(shown)
        text = ""
        count += len(batch)
    yield f'{text}], "row_count": {count}}}\n'


def _lines(columns: list[Column], rows: Iterator[Any]) -> Iterator[str]:
    names = [json.dumps(name, ensure_ascii=False) for name in distinct(columns)]
    types = [c.type_name for c in columns]
    some = False

    def line(row: tuple[Any, ...]) -> str:
        fields = zip(names, row, types, strict=True)
        return "{" + ", ".join(f"{n}: {json_text(v, t)}" for n, v, t in fields) + "}\n"

    for batch in _batches(rows):
        some = True
        yield "".join(map(line, batch))
    if not some:
        yield ""


def _csv(columns: list[Column], rows: Iterator[Any]) -> Iterator[str]:
    headers = True
    for batch in _batches(rows):
        out = io.StringIO()
        write_csv(columns, batch, out, headers)
        headers = False
        yield out.getvalue()
    if headers:
        out = io.StringIO()
        write_csv(columns, [], out)
        yield out.getvalue()


def _arrow(cursor: Cursor) -> Iterator[bytes]:
    import pyarrow as pa

    table = cursor.arrow()
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        for batch in table.to_batches(max_chunksize=ARROW_BATCH):
            stream.write_batch(batch)
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()
