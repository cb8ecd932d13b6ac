"""CSV and JSON as documents: lines that can be read, and found, by themselves."""

from __future__ import annotations

import csv
import io
import json

from sqlagent.documents.office import records
from sqlagent.documents.text import Text, Unreadable

_CELL_MAX = 1 << 24  # characters


def delimited(text: str) -> Text:
    """A line for each record: `column: value; column: value`."""
    csv.field_size_limit(_CELL_MAX)
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:20_000], ",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        return Text("", "\n".join(records(csv.reader(io.StringIO(text), dialect))))
    except csv.Error as error:
        raise Unreadable(f"not a CSV file: {error}") from error


def json_text(text: str) -> Text:
    """JSON with a line for each member, as it is where it has lines already; JSON lines too."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [line for line in text.split("\n") if line.strip()]
        try:
            for line in lines:
                json.loads(line)
        except (ValueError, RecursionError):
            raise Unreadable(f"not JSON: {error}") from error
        return Text("", "\n".join(lines))
    title = value.get("title") if isinstance(value, dict) else None
    return Text(
        title if isinstance(title, str) else "", json.dumps(value, ensure_ascii=False, indent=1)
    )
