"""Files into documents: batches, each a transaction; what has not changed is not even read again.

A document keeps in its metadata, under `file`, the SHA-256 of the file that it was made of, so an
import that was ended goes on where it was, and a second one takes only what is new or changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlagent.documents.folder import Source
from sqlagent.documents.formats import check_file, read_file
from sqlagent.documents.text import Text, Unreadable
from sqlagent.errors import DataError, IntegrityError

DEFAULT_COLLECTION = "default"
BATCH_FILES = 64
BATCH_CHARACTERS = 1_000_000

Execute = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
Reject = Callable[[str, str], None]

KNOWN = (
    "SELECT document_id, (metadata->>'$.file.sha256') FROM documents "
    "WHERE collection = ? AND uri = ? ORDER BY document_id LIMIT 1"
)
FROM_FOLDER = (
    "SELECT uri FROM documents "
    "WHERE collection = ? AND (metadata->>'$.file.folder') = ? ORDER BY uri"
)
INDEX = "SELECT index_document(?, uri => ?, title => ?, collection => ?, metadata => ?)"
ADD = "INSERT INTO documents (content, uri, title, collection, metadata) VALUES (?, ?, ?, ?, ?)"


class File(NamedTuple):
    """A file that was read: as which document, with what metadata."""

    uri: str
    text: Text
    metadata: str


class Load:
    """Puts files into a collection; counts those that are in, unchanged, and bad.

    `existing`: 'changed' indexes what is new or has changed, 'replace' all of it afresh, 'append'
    adds all of it as further documents. A number counts only once its batch is committed.
    """

    def __init__(
        self,
        execute: Execute,
        is_open: Callable[[], bool],
        collection: str | None,
        existing: str = "changed",
        encoding: str | None = None,
    ) -> None:
        self.indexed = self.unchanged = self.rejected = 0
        self.collection = collection or DEFAULT_COLLECTION
        self._execute, self._is_open = execute, is_open
        self._existing, self._encoding = existing, encoding

    def add(self, source: Source, reject: Reject, done: Callable[[str], None]) -> None:
        """Indexes the files of a source; what cannot be read or indexed goes to `reject`.

        `done` is told each uri. What is raised in a batch leaves it undone, and those before it.
        """
        waiting, folder = iter(source.files), _folder(source.base)
        more = True
        while more:
            batch, seen, more = self._batch(folder, waiting, reject, done)
            indexed = 0
            if batch:
                with self._transaction():
                    for file in batch:
                        indexed += self.put(file, reject)
                        done(file.uri)
            self.indexed += indexed
            self.unchanged += seen

    def vanished(self, source: Source) -> list[str]:
        """The uris of documents that came from the source's folder and whose file is gone."""
        rows = self._execute(FROM_FOLDER, [self.collection, _folder(source.base)])
        return [uri for (uri,) in rows if uri is not None and not (source.base / uri).exists()]

    def put(self, file: File, reject: Reject) -> bool:
        """One document; whether it was indexed."""
        sql = ADD if self._existing == "append" else INDEX
        values = [file.text.content, file.uri, file.text.title, self.collection, file.metadata]
        try:
            self._execute(sql, values)
        except (DataError, IntegrityError) as error:
            self._reject(file.uri, error.message, reject)
            return False
        return True

    def _batch(
        self,
        folder: str,
        waiting: Iterator[tuple[Path, str]],
        reject: Reject,
        done: Callable[[str], None],
    ) -> tuple[list[File], int, bool]:
        """Reads the next files, up to the limits of a batch; how many are unchanged; whether there
        may be more."""
        batch: list[File] = []
        characters = unchanged = 0
        for path, uri in waiting:
            try:
                check_file(path)
                digest = file_hash(path)
                if self._existing == "changed" and self._known(uri) == digest:
                    unchanged += 1
                    done(uri)
                    continue
                text = read_file(path, self._encoding)
            except Unreadable as error:
                self._reject(str(path), str(error), reject)
                done(uri)
                continue
            except OSError as error:
                self._reject(str(path), (error.strerror or "cannot be read").lower(), reject)
                done(uri)
                continue
            batch.append(File(uri, text, metadata_of(path, folder, digest)))
            characters += len(text.content)
            if len(batch) >= BATCH_FILES or characters >= BATCH_CHARACTERS:
                return batch, unchanged, True
        return batch, unchanged, False

    def _reject(self, name: str, reason: str, reject: Reject) -> None:
        self.rejected += 1
        reject(name, reason)

    def _known(self, uri: str) -> str | None:
        """The hash of the file that a document was made of; '' where it was not made of one."""
        rows = self._execute(KNOWN, [self.collection, uri])
        return (rows[0][1] or "") if rows else None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """BEGIN … COMMIT, or a savepoint where a transaction is open."""
        inside = self._is_open()
        self._execute("SAVEPOINT sqlagent_documents" if inside else "BEGIN", [])
        try:
            yield
            self._execute("RELEASE sqlagent_documents" if inside else "COMMIT", [])
        except BaseException:
            if inside:
                self._execute("ROLLBACK TO sqlagent_documents", [])
                self._execute("RELEASE sqlagent_documents", [])
            elif self._is_open():
                self._execute("ROLLBACK", [])
            raise


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def metadata_of(path: Path, folder: str, digest: str) -> str:
    """What is kept of the file beside its text, as JSON."""
    about = {
        "folder": folder, "sha256": digest, "bytes": path.stat().st_size,
        "format": path.suffix.lower().removeprefix(".") or "text",
    }  # fmt: skip
    return json.dumps({"file": about}, ensure_ascii=False)


def _folder(base: Path) -> str:
    return str(base.resolve())
