"""SQL logic tests: reads `.test` files and runs their records on one route of a connection.

A record is one of these, and ends at an empty line; `#` begins a comment line:

    statement ok                    the statement that follows works
    statement error                 it fails; after `----` a regular expression found in the error
    query TYPES [nosort|rowsort|valuesort] [label]
                                    it gives the rows after `----`, one a line, parted by tabs

TYPES has a letter a column: I whole number, R number, B boolean, T text or what is written as text,
? anything. NULL is NULL, an empty text (empty); tabs, newlines and backslashes are escaped; a time
is `2030-01-31 12:00:00.000`, a BLOB x'00ff'. Numbers agree to nine digits.

Before a record: `skipif NAME`, `onlyif NAME` (a route), `connect NAME` (the connection from here
on), `require model` (the rest needs the embedding model), `restart` (all connections are closed),
`halt`. `__TEST_DIR__` in a statement is the folder of the file.

The corpus of SQLite's own is read too: a value a line, `hash-threshold`, `N values hashing to MD5`,
labels. There a value is converted to the letter's type, so `exact` is False.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import sqlagent

ROUTES = ("auto", "sqlite", "duckdb")
_HASH = re.compile(r"(\d+) values hashing to ([0-9a-f]{32})")


class Record(NamedTuple):
    """One record: `kind` is 'ok', 'error', 'query' or a directive such as 'connect'."""

    line: int
    kind: str
    sql: str
    expected: list[str]
    types: str
    sort: str
    label: str
    skipif: frozenset[str]
    onlyif: frozenset[str]


class Unsupported(Exception):
    """The file needs what is not here."""


def read(text: str) -> list[Record]:
    """The records of a file; ValueError with the line for what is not one."""
    records = []
    skipif: set[str] = set()
    onlyif: set[str] = set()
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line, number = lines[at].rstrip(), at + 1
        at += 1
        if not line or line.startswith("#"):
            continue
        words = line.partition("#")[0].split()
        if words[0] in ("skipif", "onlyif"):
            (skipif if words[0] == "skipif" else onlyif).add(words[1])
            continue
        sql: list[str] = []
        expected: list[str] = []
        kind, types, sort, label = words[0], "", "nosort", ""
        if kind in ("statement", "query"):
            while at < len(lines) and lines[at].rstrip() not in ("", "----"):
                sql.append(lines[at])
                at += 1
            if at < len(lines) and lines[at].rstrip() == "----":
                at += 1
                while at < len(lines) and lines[at].rstrip("\r") != "":
                    expected.append(lines[at].rstrip("\r"))
                    at += 1
            if kind == "statement":
                kind = words[1]
            else:
                types = words[1] if len(words) > 1 else ""
                sort = words[2] if len(words) > 2 else "nosort"
                label = words[3] if len(words) > 3 else ""
            known = kind in ("ok", "error", "query") and sort in ("nosort", "rowsort", "valuesort")
            if not known or not sql:
                raise ValueError(f"line {number}: not a record: {line}")
        elif kind in ("connect", "require", "restart", "halt", "hash-threshold"):
            label = " ".join(words[1:])
        else:
            raise ValueError(f"line {number}: not a record: {line}")
        records.append(
            Record(
                number, kind, "\n".join(sql), expected, types, sort, label,
                frozenset(skipif), frozenset(onlyif),
            )
        )  # fmt: skip
        skipif, onlyif = set(), set()
    return records


class Runner:
    """Runs records on connections to one file, whose `names` are what skipif and onlyif mean."""

    def __init__(
        self,
        path: Path,
        route: str = "auto",
        dialect: str = "duckdb",
        names: frozenset[str] | None = None,
        exact: bool = True,
    ) -> None:
        self.path = path
        self.settings: dict[str, Any] = {"route": route, "dialect": dialect}
        self.names = frozenset([route]) if names is None else names
        self.exact = exact
        self.lenient = route != "auto"  # a forced route may refuse what it cannot say
        self.connections: dict[str, sqlagent.Connection] = {}
        self.current = ""
        self.labels: dict[str, list[str]] = {}
        self.ran = 0
        self.refused: list[str] = []

    def run(self, text: str, name: str = "") -> list[str]:
        """Run all records; what went wrong, a message each. Raises Unsupported for `require`."""
        try:
            return [f"{name}:{wrong}" for wrong in self._each(read(text))]
        finally:
            self.close()

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()

    def _each(self, records: list[Record]) -> Iterator[str]:
        for record in records:
            if record.skipif & self.names or (record.onlyif and not record.onlyif & self.names):
                continue
            if record.kind == "halt":
                return
            if record.kind == "connect":
                self.current = record.label
            elif record.kind == "restart":
                self.close()
            elif record.kind == "require":
                require(record.label)
            elif record.kind != "hash-threshold":
                wrong = self._one(record)
                if wrong is not None:
                    yield f"{record.line}: {wrong}\n{record.sql}"

    def _connection(self) -> sqlagent.Connection:
        if self.current not in self.connections:
            connection = sqlagent.connect(self.path, **self.settings)
            self.connections[self.current] = connection
        return self.connections[self.current]

    def _one(self, record: Record) -> str | None:
        sql = record.sql.replace("__TEST_DIR__", str(self.path.parent))
        self.ran += 1
        try:
            if record.kind == "ok" and not self.exact:
                *first, sql = filter(None, map(str.strip, re.split(r";\s*\n", sql)))
                for part in first:  # SQLite's runner takes several statements in one record
                    self._connection().execute(part)
            cursor = self._connection().execute(sql)
            columns = len(cursor.description or ())
            rows = cursor.fetchall() if cursor.description else []
        except sqlagent.NotSupportedError as error:
            if record.kind != "error" or not _matches(record, error):
                if self.lenient:
                    self.refused.append(f"{record.line}: {error}\n{record.sql}")
                    return None
                return f"refused: {error}"
            return None
        except sqlagent.Error as error:
            if record.kind == "query" and not self.exact and not record.expected:
                return None  # SQLite's corpus expects nothing of a query that fails
            if record.kind != "error":
                return f"failed: {error}"
            return None if _matches(record, error) else f"another error: {error}"
        if record.kind == "error":
            return f"no error, but {rows!r}" if rows else "no error"
        return None if record.kind == "ok" else self._compare(record, rows, columns)

    def _compare(self, record: Record, rows: list[Any], columns: int) -> str | None:
        types = record.types
        if types and len(types) != columns and (self.exact or rows):
            return f"expected {len(types)} columns, not {columns}"
        if self.exact:
            for row in rows:
                for letter, value in zip(types, row, strict=True):
                    if not _IS[letter](value):
                        return f"expected type {letter}, not {value!r}"
        write = show if self.exact else _converted
        table = [[write(v, t) for v, t in zip(row, types, strict=True)] for row in rows]
        if record.sort == "rowsort":
            table.sort()
        values = [value for row in table for value in row]
        if record.sort == "valuesort":
            values.sort()
        if record.label and self.labels.setdefault(record.label, values) != values:
            return f"other rows than the query before it with the label {record.label}"
        expected = record.expected
        hashed = _HASH.fullmatch(expected[0]) if len(expected) == 1 else None
        if hashed is not None:
            text = "".join(value + "\n" for value in values)
            found = f"{len(values)} values hashing to {hashlib.md5(text.encode()).hexdigest()}"
            return None if found == expected[0] else f"expected {expected[0]}, not {found}"
        if len(types) > 1 and not any("\t" in line for line in expected):
            wanted = expected
        else:
            wanted = [value for line in expected for value in line.split("\t")]
        if record.sort == "rowsort" and self.exact:
            width = len(types)
            parts = sorted(wanted[n : n + width] for n in range(0, len(wanted), width))
            wanted = [value for row in parts for value in row]
        if len(wanted) == len(values) and all(map(_same, wanted, values)):
            return None
        got = "\n".join("\t".join(row) for row in table)
        return f"expected\n{chr(10).join(expected)}\nbut got\n{got}\nfrom"


def require(what: str) -> None:
    """Raise Unsupported where the named thing is not here."""
    if what != "model":
        raise Unsupported(f"require {what}")
    from sqlagent.embedding import load

    try:
        load().encode_one("a word")
    except sqlagent.Error as error:
        raise Unsupported(f"no embedding model: {error}") from error


def _matches(record: Record, error: sqlagent.Error) -> bool:
    return not record.expected or bool(re.search("\n".join(record.expected), str(error)))


_IS: dict[str, Callable[[Any], bool]] = {
    "I": lambda v: v is None or (isinstance(v, int) and not isinstance(v, bool)),
    "R": lambda v: v is None or isinstance(v, float | Decimal),
    "B": lambda v: v is None or isinstance(v, bool),
    "T": lambda v: not isinstance(v, bool | int | float | Decimal),
    "?": lambda v: True,
}


def show(value: Any, letter: str = "?") -> str:
    """A value as a `.test` file writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "milliseconds")
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    text = str(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return text.replace("\r", "\\r") or "(empty)"


def _converted(value: Any, letter: str) -> str:
    """A value as SQLite's own runner prints it for the letter."""
    if value is None:
        return "NULL"
    if isinstance(value, str) and letter in "IR":
        found = re.match(r"\s*[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", value)
        value = float(found[0]) if found else 0
    if letter == "I":
        return str(int(value))
    if letter == "R":
        return f"{float(value):.3f}"
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return re.sub(r"[^ -~]", "@", text) or "(empty)"


def _same(expected: str, found: str) -> bool:
    if expected == found:
        return True
    try:
        a, b = float(expected), float(found)
    except ValueError:
        return False
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))
