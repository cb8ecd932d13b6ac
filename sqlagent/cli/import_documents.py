"""Indexes files as documents, a batch of files in a transaction."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlagent.documents.folder import Source
from sqlagent.documents.load import Load, Reject

from .session import Session


class Indexer(Load):
    """`Load` through the session of the command line: Ctrl-C ends the statement that runs."""

    def __init__(
        self, session: Session, collection: str | None, existing: str, encoding: str | None
    ) -> None:
        def execute(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
            if sql.startswith("ROLLBACK"):  # what Ctrl-C asked for must not be interrupted by it
                session.connection.execute(sql)
                return []
            return [tuple(row) for row in session.rows(sql, list(values))]

        def is_open() -> bool:
            return bool(session.connection.in_transaction)

        super().__init__(execute, is_open, collection, existing or "changed", encoding)

    def add_all(
        self, sources: list[Source], reject: Reject, done: Callable[[str], None]
    ) -> list[str]:
        """The files of all sources; the uris of documents whose files are gone."""
        gone: list[str] = []
        for source in sources:
            self.add(source, reject, done)
            gone += self.vanished(source)
        return sorted(set(gone))
