"""Indexes text files as documents, a batch of files in a transaction."""

from collections.abc import Callable, Iterator
from pathlib import Path

from .session import Session
from .text_files import Text, Unreadable, read_text, walk
from .transaction import transaction

DEFAULT_COLLECTION = "default"
BATCH_FILES = 64
BATCH_CHARACTERS = 1_000_000

Reject = Callable[[str, str], None]


def documents_of(source: str, paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """(file, uri) of every document that a source names.

    `paths` is what the source stands for: a folder, a file, or the matches of a pattern. The uri
    is the path from the folder, or from the folder before the pattern's first wildcard.
    """
    for path in paths:
        if path.is_dir():
            base = path if [path] == paths else _before_wildcard(source)
            yield from ((file, file.relative_to(base).as_posix()) for file in walk(path))
        else:
            base = path.parent if [path] == paths else _before_wildcard(source)
            yield path, path.relative_to(base).as_posix()


def _before_wildcard(source: str) -> Path:
    parts = Path(source).parts
    plain = next((n for n, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    return Path(*parts[:plain])


class Indexer:
    """Adds documents to a collection; counts those that are in, skipped and replaced.

    `existing`: 'skip' leaves a document whose uri is there already, 'replace' indexes it afresh,
    'append' adds another. A number counts only once its batch is committed.
    """

    def __init__(
        self, session: Session, collection: str | None, existing: str, encoding: str | None
    ) -> None:
        self.indexed = 0
        self.skipped = 0
        self._session = session
        self.collection = collection or DEFAULT_COLLECTION
        self._existing = existing
        self._encoding = encoding

    def add(
        self, files: list[tuple[Path, str]], reject: Reject, done: Callable[[str], None]
    ) -> None:
        """Indexes all files; what cannot be read or indexed goes to `reject`.

        `done` is told each uri. Errors: KeyboardInterrupt, with the running batch rolled back.
        """
        waiting = iter(files)
        while batch := self._batch(waiting, reject, done):
            indexed = skipped = 0
            with transaction(self._session):
                for uri, text in batch:
                    fate = self._index(uri, text, reject)
                    indexed += fate == "indexed"
                    skipped += fate == "skipped"
                    done(uri)
            self.indexed += indexed
            self.skipped += skipped

    def _batch(
        self, waiting: Iterator[tuple[Path, str]], reject: Reject, done: Callable[[str], None]
    ) -> list[tuple[str, Text]]:
        """Reads the next files, up to the limits of a batch."""
        batch: list[tuple[str, Text]] = []
        characters = 0
        for path, uri in waiting:
            try:
                text = read_text(path, self._encoding)
            except Unreadable as error:
                reject(str(path), str(error))
                done(uri)
                continue
            batch.append((uri, text))
            characters += len(text.content)
            if len(batch) >= BATCH_FILES or characters >= BATCH_CHARACTERS:
                break
        return batch

    def _index(self, uri: str, text: Text, reject: Reject) -> str:
        """One document; returns 'indexed', 'skipped' or 'rejected'."""
        import sqlagent

        try:
            if self._existing == "skip" and self._old(uri):
                return "skipped"
            sql = "SELECT index_document(?, uri => ?, title => ?, collection => ?)"
            if self._existing == "append":
                sql = "INSERT INTO documents (content, uri, title, collection) VALUES (?, ?, ?, ?)"
            self._session.rows(sql, [text.content, uri, text.title, self.collection])
        except sqlagent.Error as error:
            reject(uri, str(error))
            return "rejected"
        return "indexed"

    def _old(self, uri: str) -> list[int]:
        sql = "SELECT document_id FROM documents WHERE collection = ? AND uri = ?"
        return [row[0] for row in self._session.rows(sql, [self.collection, uri])]
