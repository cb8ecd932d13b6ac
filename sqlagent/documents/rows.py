"""Whether a data file holds rows of `documents`, or is itself a document."""

from __future__ import annotations

import codecs
import gzip
import json
from pathlib import Path

DATA = frozenset((".csv", ".tsv", ".parquet", ".json", ".ndjson", ".jsonl"))
_PACKED = (".gz", ".zst")
_READ = 1 << 20  # bytes of the file's start, at most
_NEEDED = "content"  # the one column that a document cannot do without


def data_suffix(path: Path) -> str:
    """The ending that tells a data file's format, without that of its packing; '' for others."""
    name = path.name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    suffix = Path(name).suffix
    return suffix if suffix in DATA else ""


def holds_documents(path: Path) -> bool:
    """Whether the records of a data file are rows of `documents`: the first has a `content`.

    A Parquet file always is, and one packed so that it cannot be looked into here. Raises OSError.
    """
    suffix = data_suffix(path)
    if suffix and not path.is_file():
        return False
    if not suffix or suffix == ".parquet" or path.name.lower().endswith(".zst"):
        return bool(suffix)
    try:
        text = _start(path)
    except (EOFError, gzip.BadGzipFile, UnicodeDecodeError):
        return False
    names = _header(text, suffix) if suffix in (".csv", ".tsv") else _keys(text)
    return _NEEDED in {name.strip().lower() for name in names}


def _start(path: Path) -> str:
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rb") as stream:
        raw: bytes = stream.read(_READ)
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    name = "utf-16" if wide else "utf-8-sig"
    return codecs.getincrementaldecoder(name)("replace").decode(raw)


def _header(text: str, suffix: str) -> list[str]:
    """The names in a CSV file's first line, by the separator that parts it most."""
    line = text.lstrip("\r\n").split("\n", 1)[0].strip("\r")
    marks = "\t" if suffix == ".tsv" else ",;\t|"
    mark = max(marks, key=line.count)
    return [name.strip().strip("\"'") for name in line.split(mark)]


def _keys(text: str) -> list[str]:
    """The keys of a JSON file's first object: alone, in an array, or of a file of JSON lines."""
    start = text.lstrip()
    if start.startswith("["):
        start = start[1:].lstrip()
    if not start.startswith("{"):
        return []
    try:
        found, _ = json.JSONDecoder().raw_decode(start)
    except (ValueError, RecursionError):
        return _keys_of_part(start)
    return list(found) if isinstance(found, dict) else []


def _keys_of_part(text: str) -> list[str]:
    """The keys of an object that is cut off: those at its first depth."""
    keys: list[str] = []
    depth, at, decoder = 0, 0, json.JSONDecoder(strict=False)
    while at < len(text):
        char = text[at]
        if char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth == 0:
                break
        elif char == '"':
            try:
                value, end = decoder.raw_decode(text, at)
            except ValueError:
                break
            if depth == 1 and text[end : end + 8].lstrip().startswith(":"):
                keys.append(value)
            at = end
            continue
        at += 1
    return keys
