"""`COPY documents FROM 'folder/**/*.md'`: each file a document, where it is no file of rows."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlagent import clock
from sqlagent.documents.folder import Source, source_of
from sqlagent.documents.rows import data_suffix, holds_documents
from sqlagent.errors import NotSupportedError, OperationalError

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor
    from sqlagent.plan.plans import Import

OPTIONS = frozenset(("collection", "encoding", "on_error"))
COLUMNS = [
    ("imported", "BIGINT"), ("rejected", "BIGINT"), ("seconds", "DOUBLE"),
    ("unchanged", "BIGINT"), ("vanished", "BIGINT"),
]  # fmt: skip
REJECT = (
    "INSERT INTO sqlagent_import_rejects (source, reason, import_id, table_name, rule, value) "
    "VALUES (?, ?, ?, 'documents', ?, ?)"
)


def meant(plan: Import, path: str) -> bool:
    """Whether files become documents: into `documents`, a folder, or files that hold no rows of it.

    A data file holds rows where its records have a `content`, else it is a document itself. With
    columns, or an option that only rows have, the files are of rows.
    """
    if plan.table.lower() != "documents" or plan.columns or set(plan.options) - OPTIONS:
        return False
    if os.path.isdir(path):
        return True
    if glob.has_magic(path) and not os.path.exists(path):
        # `**/*.csv` may be rows; a pattern that also names other files is documents.
        found = (Path(match) for match in glob.iglob(path, recursive=True))
        return any(each.is_dir() or not _rows(each) for each in found)
    return not _rows(Path(path))


def _rows(path: Path) -> bool:
    try:
        return holds_documents(path)
    except OSError:
        return bool(data_suffix(path))  # whose reader says what is wrong


def bring(connection: Connection, cursor: Cursor, plan: Import, path: str) -> None:
    """Read and index the files; the cursor's row says how many. Each batch of files is one
    transaction, or all of them within the one that is open."""
    from sqlagent.documents.load import Load

    start = time.perf_counter()
    source = _source(connection, path)
    name = f"{clock.now()} {os.urandom(4).hex()}"
    bad: list[tuple[str, str]] = []

    def execute(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        ran = connection.execute(sql, list(values))
        return list(ran.fetchall()) if ran.description is not None else []

    load = Load(
        execute,
        lambda: bool(connection.in_transaction or not connection.autocommit),
        plan.options.get("collection"),
        encoding=plan.options.get("encoding"),
    )

    def reject(what: str, reason: str) -> None:
        bad.append((what, reason))

    def done(uri: str) -> None:
        connection.report(f"documents: {uri}", load.indexed)

    gone: list[str] = []
    try:
        load.add(source, reject, done)
        gone = load.vanished(source)
    finally:
        for what, reason in bad:
            execute(REJECT, [what, reason, name, None, None])
        for uri in gone:
            where = str(source.base / uri)
            old = "DELETE FROM sqlagent_import_rejects WHERE rule = 'vanished' AND source = ?"
            execute(old, [where])
            reason = "the file is no longer there; its document is"
            execute(REJECT, [where, reason, name, "vanished", uri])
    seconds = round(time.perf_counter() - start, 3)
    cursor._columns = COLUMNS
    cursor._iter = iter([(load.indexed, load.rejected, seconds, load.unchanged, len(gone))])
    cursor.rowcount = load.indexed


def _source(connection: Connection, path: str) -> Source:
    """What is meant by a path. Raises OperationalError where there is nothing, NotSupportedError
    where a file is live here."""
    if not glob.has_magic(path) and not os.path.exists(path):
        raise OperationalError(f'there is no file or folder "{path}"')
    source = source_of(path)
    if not source.files:
        raise OperationalError(
            f'nothing matches "{path}"' if glob.has_magic(path)
            else f'"{path}" has no files that can be read as documents'
        )  # fmt: skip
    for file, _ in source.files:
        live = connection.database.protected(str(file))
        if live is not None:
            raise NotSupportedError(f'"{os.path.basename(live)}" is open here: it is no document')
    return source
