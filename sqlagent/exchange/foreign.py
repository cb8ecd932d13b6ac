"""Files of others: which kind they are, and their SQLite files, read through APSW alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from sqlagent.engines.sqlite_errors import translate
from sqlagent.errors import DataError

MAGIC = b"SQLite format 3\0"
KINDS = ("mem0", "langgraph", "chroma", "letta", "markdown")
# The tables by which a SQLite file is known.
TABLES = {
    "chroma": {"embeddings", "embedding_metadata", "segments"},
    "langgraph": {"checkpoints", "writes"},
    "mem0": {"history"},
}


@contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    """A SQLite file of somebody else's, to read."""
    try:
        uri = f"file:{quote(str(path.resolve()))}?mode=ro"
        con = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY)
        try:
            con.set_busy_timeout(5000)
            yield con
        finally:
            con.close()
    except apsw.Error as error:
        raise translate(error) from None


def tables(path: Path) -> set[str]:
    """The tables of a SQLite file; none for any other."""
    with path.open("rb") as file:
        if file.read(16) != MAGIC:
            return set()
    with opened(path) as con:
        return {name for (name,) in con.execute("SELECT name FROM sqlite_master")}


def recognise(path: Path) -> str | None:
    """The kind of a file or folder; None where it is none of them."""
    if path.is_dir():
        if (path / "chroma.sqlite3").is_file():
            return "chroma"
        return "markdown" if next(path.rglob("*.md"), None) else None
    if path.suffix.lower() in (".md", ".markdown"):
        return "markdown"
    names = tables(path)
    for kind, wanted in TABLES.items():
        if wanted <= names:
            return kind
    if names:
        return "langgraph" if {"store", "store_migrations"} <= names else None
    if path.suffix.lower() not in (".af", ".json", ".jsonl", ".ndjson"):
        return None
    found = parsed(path)
    first = found[0] if isinstance(found, list) and found else found
    if isinstance(first, dict):
        if "core_memory" in first or {"agents", "blocks"} <= first.keys():
            return "letta"
        if {"results", "memory", "payload", "data"} & first.keys():
            return "mem0"
    return None


def parsed(path: Path) -> Any:
    """A JSON file, or one of a JSON value a line as a list. Raises DataError for any other."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        return json.loads(text)
    except ValueError as error:
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            raise DataError(f'"{path.name}" is no JSON: {error}') from None
