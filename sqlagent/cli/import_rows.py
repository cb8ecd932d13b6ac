"""Loads data files into a table by COPY, each in one transaction, matching columns by name."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlagent.formats.quote import quote_name, quote_text

from .options import UsageError
from .session import Session
from .transaction import transaction

_READERS = {
    ".csv": "read_csv_auto",
    ".tsv": "read_csv_auto",
    ".parquet": "read_parquet",
    ".json": "read_json_auto",
    ".jsonl": "read_json_auto",
    ".ndjson": "read_json_auto",
}
_PACKED = (".gz", ".zst")


def reader_of(path: Path) -> str | None:
    """The SQL function that reads a file of this name, None when none does."""
    name = path.name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return _READERS.get(Path(name).suffix)


def table_exists(session: Session, table: str) -> bool:
    """Whether there is a table or view of this name."""
    sql = (
        "SELECT name FROM sqlite_master WHERE lower(name) = lower(?) AND type IN ('table', 'view')"
    )
    return bool(session.rows(sql, [table]))


class Rules(NamedTuple):
    """What a record must meet, and what becomes of one that does not: COPY's options."""

    checks: Sequence[str] = ()
    key: str | None = None
    reject: bool = False
    max_rejects: int | None = None
    evolve: bool = False
    collection: str | None = None  # of all vectors of the file

    def options(self) -> str:
        """As COPY takes them."""
        said = ["CREATE", "BY_NAME"]
        said += [f"CHECK {quote_text(check)}" for check in self.checks]
        said += [f"KEY {quote_text(self.key)}"] if self.key else []
        said += ["ON_ERROR reject"] if self.reject else []
        said += [f"MAX_REJECTS {self.max_rejects}"] if self.max_rejects is not None else []
        said += ["EVOLVE"] if self.evolve else []
        said += [f"COLLECTION {quote_text(self.collection)}"] if self.collection is not None else []
        return ", ".join(said)


def load_rows(
    session: Session, path: Path, table: str, rules: Rules, *, empty_first: bool = False
) -> tuple[int, int]:
    """Copies the records of `path`; makes the table of the file's columns if there is none.

    `empty_first` deletes what the table holds, in the same transaction. Returns how many records
    are in and how many were rejected. Errors: UsageError; sqlagent.Error when the file or a record
    is bad: nothing of the file is in then.
    """
    if not path.is_file():
        raise UsageError("no such file")
    target = quote_name(table)
    with transaction(session):
        if empty_first and table_exists(session, table):
            session.rows(f"DELETE FROM {target}")
        text = f"COPY {target} FROM {quote_text(glob.escape(str(path)))} ({rules.options()})"
        imported, rejected, _ = session.rows(text)[0]
    return int(imported), int(rejected)
