"""Loads data files into a table, each in one transaction, matching columns by name."""

from pathlib import Path

from .catalog import columns
from .options import UsageError
from .quote import quote_name, quote_text
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


def load_rows(session: Session, path: Path, table: str, *, empty_first: bool = False) -> int:
    """Inserts the rows of `path`; makes the table from the file's columns if there is none.

    `empty_first` deletes what the table holds, in the same transaction. Returns the number of
    rows. Errors: UsageError when the columns do not fit; sqlagent.Error when the file or a row is
    bad: nothing of the file is in then.
    """
    if not path.is_file():
        raise UsageError("no such file")
    source = f"{reader_of(path)}({quote_text(str(path))})"
    target = quote_name(table)
    with transaction(session):
        if not table_exists(session, table):
            _run(session, f"CREATE TABLE {target} AS SELECT * FROM {source}")
            return int(session.rows(f"SELECT count(*) FROM {target}")[0][0])
        names = _matching(session, source, table)
        if empty_first:
            _run(session, f"DELETE FROM {target}")
        into = ", ".join(quote_name(there) for there, _ in names)
        out_of = ", ".join(quote_name(here) for _, here in names)
        return _run(session, f"INSERT INTO {target} ({into}) SELECT {out_of} FROM {source}")


def _matching(session: Session, source: str, table: str) -> list[tuple[str, str]]:
    """(column of the table, column of the file) for each column of the file."""
    there = {name.lower(): name for name in columns(session, table)}
    with session.cancel:
        cursor = session.connection.execute(f"SELECT * FROM {source} LIMIT 0")
        here = [str(entry[0]) for entry in cursor.description]
    unknown = [name for name in here if name.lower() not in there]
    if unknown:
        raise UsageError(
            f'no column "{unknown[0]}" in table "{table}"',
            f"It has {', '.join(there.values())}. Rename the file's columns, or select from it: "
            f"INSERT INTO {quote_name(table)} (…) SELECT … FROM {source}.",
        )
    return [(there[name.lower()], name) for name in here]


def _run(session: Session, sql: str) -> int:
    with session.cancel:
        cursor = session.connection.execute(sql)
        if cursor.description is not None:
            cursor.fetchall()
        return max(int(cursor.rowcount), 0)
