"""Chroma's persistent folder: its SQLite file, and the files of its hnswlib indexes.

A vector is in the log of Chroma's SQLite file (`embeddings_queue`) until its index is written, and
in the index after. An index is read as hnswlib writes it (`saveIndex` in hnswalg.h, with the file
cut in parts by Chroma): header.bin says where in data_level0.bin each element has its vector and
its label, index_metadata.pickle which id has which label.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlagent.errors import DataError
from sqlagent.exchange.foreign import opened, tables
from sqlagent.exchange.records import Document, Record, Vector

COLLECTIONS = "SELECT id, name, dimension FROM collections ORDER BY name"
SEGMENTS = "SELECT id, scope FROM segments WHERE collection = ?"
RECORDS = "SELECT id, embedding_id FROM embeddings WHERE segment_id = ? ORDER BY id"
METADATA = """
SELECT key, string_value, int_value, float_value, bool_value FROM {} WHERE id = ?
"""
QUEUE = """
SELECT operation, id, vector, encoding FROM embeddings_queue
WHERE topic LIKE '%/' || ? AND seq_id > ? ORDER BY seq_id
"""
SPACE = """
SELECT str_value FROM collection_metadata WHERE collection_id = ? AND key = 'hnsw:space'
"""
HEADER = struct.Struct("<i6Q")  # version, level 0, size, count, bytes an element, label, data
DELETE = 3
DOCUMENT = "chroma:document"


def read(path: Path, agent: str | None) -> Iterator[Record]:
    """The records of every collection: a vector each, and a document where it has a text."""
    file = path / "chroma.sqlite3" if path.is_dir() else path
    known = tables(file)
    with opened(file) as con:
        found: list[Any] = con.execute(COLLECTIONS).fetchall()
        for collection, name, dimension in found:
            segments: dict[Any, Any] = {
                scope: id for id, scope in con.execute(SEGMENTS, (collection,))
            }
            vectors = _vectors(con, file.parent, segments.get("VECTOR"), collection)
            metric = _metric(con, collection)
            lists = "embedding_metadata_array" in known
            own: list[Any] = con.execute(RECORDS, (segments.get("METADATA"),)).fetchall()
            for row, key in own:
                about = _metadata(con, row, lists)
                text = about.pop(DOCUMENT, None)
                vector = vectors.get(key)
                if vector is not None and len(vector) == 4 * (dimension or len(vector) // 4):
                    shown = about | ({"document": text} if text else {})
                    yield Vector(name, key, vector, shown or None, metric)
                if text:
                    yield Document(name, f"chroma:{name}/{key}", text, None, about or None)


def _metadata(con: Any, row: int, lists: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, text, whole, number, truth in con.execute(
        METADATA.format("embedding_metadata"), (row,)
    ):
        values = (text, whole, number, None if truth is None else bool(truth))
        found[key] = next((v for v in values if v is not None), None)
    if lists:
        for key, text, whole, number, truth in con.execute(
            METADATA.format("embedding_metadata_array"), (row,)
        ):
            values = (text, whole, number, None if truth is None else bool(truth))
            found.setdefault(key, [])
            if isinstance(found[key], list):
                found[key].append(next((v for v in values if v is not None), None))
    return found


def _metric(con: Any, collection: str) -> str:
    """The collection's metric; Chroma's own default is l2."""
    row = con.execute(SPACE, (collection,)).fetchone()
    if row is not None:
        return _named(row[0])
    columns = {n for (n,) in con.execute("SELECT name FROM pragma_table_info('collections')")}
    for column in ("schema_str", "config_json_str"):
        if column in columns:
            sql = f"SELECT {column} FROM collections WHERE id = ?"
            text = con.execute(sql, (collection,)).fetchone()[0]
            space = _space(json.loads(text)) if text else None
            if space is not None:
                return _named(space)
    return "l2"


def _space(config: Any) -> str | None:
    """Where a configuration says which metric its index of embeddings has."""
    if not isinstance(config, Mapping):
        return None
    own = config.get("keys", {}).get("#embedding") if "keys" in config else None
    if own is not None:
        return _space(own)
    if isinstance(config.get("space"), str):
        return str(config["space"])
    for value in config.values():
        found = _space(value)
        if found is not None:
            return found
    return None


def _named(space: str) -> str:
    return {"cosine": "cosine", "ip": "ip", "l2": "l2"}.get(space, "l2")


def _vectors(con: Any, folder: Path, segment: str | None, collection: str) -> dict[str, bytes]:
    """The vector of each id: what the index has, and what was added since."""
    found: dict[str, bytes] = {}
    seen = 0
    if segment is not None and (folder / segment / "index_metadata.pickle").is_file():
        found = _index(folder / segment)
        row = con.execute("SELECT seq_id FROM max_seq_id WHERE segment_id = ?", (segment,))
        found_seq = row.fetchone()
        if found_seq is not None:
            seen = _number(found_seq[0])
    for operation, key, vector, encoding in con.execute(QUEUE, (collection, seen)):
        if operation == DELETE:
            found.pop(key, None)
        elif vector is not None:
            if str(encoding).upper() != "FLOAT32":
                raise DataError(f"the vector of {key} is {encoding}, not FLOAT32")
            found[key] = vector
    return found


def _number(value: Any) -> int:
    """A sequence number; older versions kept it as bytes."""
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value)


def _index(folder: Path) -> dict[str, bytes]:
    """The vectors of an hnswlib index by id."""
    header = (folder / "header.bin").read_bytes()
    data = (folder / "data_level0.bin").read_bytes()
    if len(header) < HEADER.size:
        raise DataError(f'"{folder.name}/header.bin" is {len(header)} bytes, too few for an index')
    version, start, _, count, size, label_at, data_at = HEADER.unpack_from(header)
    if version != 1 or not 0 < data_at < label_at <= size - 8 or start + count * size > len(data):
        raise DataError(
            f'the index in "{folder.name}" is not as hnswlib writes it',
            detail=f"version {version}, {count} elements of {size} bytes in {len(data)}",
        )
    labels: dict[int, str] = {}
    for key, label in _names(folder / "index_metadata.pickle").items():
        labels[int(label)] = key
    found = {}
    for place in range(start, start + count * size, size):
        (label,) = struct.unpack_from("<Q", data, place + label_at)
        if label in labels:
            found[labels[label]] = data[place + data_at : place + label_at]
    return found


class Plain(pickle.Unpickler):
    """Reads data alone: of the classes, the one that older versions of Chroma wrote, as a shell."""

    class Shell:
        """What takes the attributes of Chroma's PersistentData."""

    def find_class(self, module: str, name: str) -> Any:
        """The class of a name. Raises DataError: nothing that a file names is run."""
        if name == "PersistentData":
            return Plain.Shell
        raise DataError(f"the index names {module}.{name}, which is not run")


def _names(path: Path) -> Mapping[str, int]:
    """Which id has which label."""
    found = Plain(io.BytesIO(path.read_bytes())).load()
    names = found.get("id_to_label") if isinstance(found, dict) else vars(found).get("id_to_label")
    if not isinstance(names, Mapping):
        raise DataError(f'"{path.parent.name}/{path.name}" does not say which id has which label')
    return names
