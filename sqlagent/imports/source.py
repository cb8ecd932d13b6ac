"""A file as records: read once into a temporary table `stage` of DuckDB.

`stage` has `sqlagent n` (the record's number from 1), `sqlagent file`, and a column for each of the
file's, as text where the file is text. What is no record at all (too many columns, no JSON) is in
`Source.broken`.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from sqlagent.engines.duck_errors import translate
from sqlagent.errors import DataError, OperationalError, ProgrammingError
from sqlagent.plan.importing import CSV_OPTIONS
from sqlagent.sync.log import literal, quoted

if TYPE_CHECKING:
    from sqlagent.plan.plans import Import

_ENDS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".json": "json",
    ".ndjson": "ndjson", ".jsonl": "ndjson",
}  # fmt: skip
OBJECT_MAX = 64 << 20  # bytes of one JSON object
FILE = '"sqlagent file"'
LINE_MAX = 2 << 20  # of one line of JSON: the CSV reader takes sixteen times as much memory


class Broken(NamedTuple):
    """A piece of a file that is no record: its line from 1, the text, and why."""

    file: str
    line: int
    text: str
    reason: str


class Source(NamedTuple):
    """What was read: columns as (name, type of DuckDB, type that its values seem to have)."""

    columns: list[tuple[str, str, str]]
    broken: list[Broken]
    header: bool


def files_of(path: str) -> list[str]:
    """The files that a path or glob names. Raises OperationalError where there is none."""
    found = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else [path]
    if glob.has_magic(path) and os.path.exists(path):
        found = [path]
    missing = [f for f in found if not os.path.isfile(f)]
    if missing or not found:
        what = f'"{missing[0]}" is a folder' if missing and os.path.isdir(missing[0]) else None
        raise OperationalError(
            what or (f'there is no file "{path}"' if not glob.has_magic(path)
                     else f'no file matches "{path}"'),
            hint="A pattern such as 'folder/*.csv' names the files of a folder." if what else None,
            sqlstate="58P01",
        )  # fmt: skip
    return found


def format_of(files: Sequence[str], plan: Import) -> str:
    """csv, parquet, json or ndjson: as the option says, or the file's name."""
    if "format" in plan.options:
        return str(plan.options["format"])
    name = files[0].lower()
    for packed in (".gz", ".zst"):
        name = name.removesuffix(packed)
    kind = _ENDS.get(os.path.splitext(name)[1])
    if kind is None:
        raise ProgrammingError(
            f'the format of "{os.path.basename(files[0])}" cannot be told by its name',
            hint="COPY … FROM '…' (FORMAT csv | parquet | json | ndjson)", sqlstate="22023",
        )  # fmt: skip
    return kind


def read(cursor: duckdb.DuckDBPyConnection, files: list[str], plan: Import) -> Source:
    """Fill `stage`. Raises DataError, OperationalError with what the reader says."""
    kind = format_of(files, plan)
    csv_only = sorted(set(plan.options) & set(CSV_OPTIONS))
    if csv_only and kind != "csv":
        raise ProgrammingError(
            f"{csv_only[0].upper()} is an option of CSV files, not of {kind}", sqlstate="22023"
        )
    try:
        return {"csv": _csv, "parquet": _parquet, "json": _json, "ndjson": _lines}[kind](
            cursor, files, plan
        )
    except duckdb.Error as error:
        found = translate(error, "")
        raise DataError(
            f'"{os.path.basename(files[0])}" cannot be read: {found}', sqlstate="22P04"
        ) from None


def _listed(files: list[str]) -> str:
    return "[" + ", ".join(map(literal, files)) + "]"


def _stage(cursor: duckdb.DuckDBPyConnection, columns: str, reader: str) -> None:
    cursor.execute(
        f'CREATE TEMP TABLE stage AS SELECT row_number() OVER () AS "sqlagent n", {columns} '
        f"FROM {reader}"
    )


def columns(cursor: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    """The names and DuckDB's types of what a reader gives."""
    rows = cursor.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return [(str(r[0]), str(r[1])) for r in rows]


def _csv(cursor: duckdb.DuckDBPyConnection, files: list[str], plan: Import) -> Source:
    given: dict[str, Any] = {CSV_OPTIONS[k]: v for k, v in plan.options.items() if k in CSV_OPTIONS}
    if files[0].lower().removesuffix(".gz").endswith(".tsv"):
        given.setdefault("delim", "\t")
    if all(os.path.getsize(f) == 0 for f in files):
        raise DataError(
            f'"{os.path.basename(files[0])}" is empty: it has no header', sqlstate="22P04"
        )
    options = "".join(f", {k} = {_value(v)}" for k, v in given.items())
    listed = _listed(files)
    seems = dict(columns(cursor, f"read_csv({listed}{options}, ignore_errors = true)"))
    text = f"read_csv({listed}{options}, all_varchar = true"
    names = [n for n, _ in columns(cursor, f"{text}, ignore_errors = true)")]
    _stage(
        cursor,
        ", ".join([FILE, *map(quoted, names)]),
        f"{text}, store_rejects = true, rejects_limit = 0, filename = 'sqlagent file')",
    )
    broken = [
        Broken(str(f), int(line), str(content or ""), _plain(str(why)))
        for f, line, content, why in cursor.execute(
            "SELECT any_value(s.file_path), e.line, any_value(e.csv_line), "
            "any_value(e.error_message) FROM reject_errors e JOIN reject_scans s "
            "USING (scan_id, file_id) GROUP BY e.scan_id, e.file_id, e.line ORDER BY 2"
        ).fetchall()
    ]
    header = not all(n == f"column{i}" or n == f"column{i:02d}" for i, n in enumerate(names))
    return Source([(n, "VARCHAR", seems.get(n, "VARCHAR")) for n in names], broken, header)


def _plain(text: str) -> str:
    first = text.strip().split("\n")[0]
    return first[:1].lower() + first[1:]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else literal(str(value))


def _parquet(cursor: duckdb.DuckDBPyConnection, files: list[str], plan: Import) -> Source:
    return _typed(cursor, f"read_parquet({_listed(files)}")


def _json(cursor: duckdb.DuckDBPyConnection, files: list[str], plan: Import) -> Source:
    return _typed(cursor, f"read_json({_listed(files)}, maximum_object_size = {OBJECT_MAX}")


def _typed(cursor: duckdb.DuckDBPyConnection, reader: str) -> Source:
    """A file whose values have types of their own; `reader` is the call, still open."""
    reader += ", union_by_name = true"
    found = columns(cursor, f"{reader})")
    _stage(
        cursor,
        ", ".join([FILE, *(quoted(n) for n, _ in found)]),
        f"{reader}, filename = 'sqlagent file')",
    )
    return Source([(n, kind, kind) for n, kind in found], [], True)


def _lines(cursor: duckdb.DuckDBPyConnection, files: list[str], plan: Import) -> Source:
    """A JSON object a line: read as lines, so that a bad one is a reject and not the end."""
    cursor.execute(
        f"CREATE TEMP TABLE lines AS SELECT row_number() OVER () AS n, {FILE} AS file, line "
        f"FROM read_csv({_listed(files)}, columns = {{'line': 'VARCHAR'}}, auto_detect = false, "
        f"delim = '\x01', header = false, quote = '', escape = '', strict_mode = false, "
        f"max_line_size = {LINE_MAX}, filename = 'sqlagent file') WHERE trim(line) <> ''"
    )
    broken = [
        Broken(str(f), int(n), str(line), "it is no JSON object")
        for n, f, line in cursor.execute(
            "SELECT n, file, line FROM lines "
            "WHERE CASE WHEN json_valid(line) THEN json_type(line) ELSE '' END <> 'OBJECT'"
        ).fetchall()
    ]
    cursor.execute(
        "DELETE FROM lines WHERE CASE WHEN json_valid(line) THEN json_type(line) ELSE '' END "
        "<> 'OBJECT'"
    )
    names = [
        str(name)
        for (name,) in cursor.execute(
            "SELECT name FROM (SELECT n, unnest(json_keys(line)) AS name FROM lines) "
            "GROUP BY name ORDER BY min(n), name"
        ).fetchall()
    ]
    if not names:
        raise DataError(f'"{os.path.basename(files[0])}" has no JSON object', sqlstate="22P04")
    picked = [
        f"json_extract_string(line, {literal(_pointer(name))}) AS {quoted(name)}" for name in names
    ]
    cursor.execute(
        f'CREATE TEMP TABLE stage AS SELECT n AS "sqlagent n", file AS {FILE}, '
        f"{', '.join(picked)} FROM lines"
    )
    cursor.execute("DROP TABLE lines")
    reader = f"read_json({_listed(files)}, format = 'newline_delimited', ignore_errors = true)"
    seems = dict(columns(cursor, reader))
    return Source([(n, "VARCHAR", seems.get(n, "VARCHAR")) for n in names], broken, True)


def _pointer(name: str) -> str:
    """The JSON pointer of a key."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
