"""DuckDB's exceptions as ours. (duckdb is imported with this module.)"""

from __future__ import annotations

import re
from collections import OrderedDict
from itertools import count

import duckdb

from sqlagent import errors

# The first that matches counts, so subclasses come before their bases.
CLASSES: tuple[tuple[type[BaseException], type[errors.Error], str | None], ...] = (
    (duckdb.InterruptException, errors.InterruptedError, None),
    (duckdb.OutOfMemoryException, errors.OperationalError, "53200"),
    (duckdb.ConversionException, errors.DataError, "22P02"),
    (duckdb.OutOfRangeException, errors.DataError, "22003"),
    (duckdb.TypeMismatchException, errors.DataError, "42804"),
    (duckdb.ConstraintException, errors.IntegrityError, None),
    (duckdb.NotImplementedException, errors.NotSupportedError, None),
    (duckdb.PermissionException, errors.OperationalError, "42501"),
    (duckdb.IOException, errors.OperationalError, "58030"),
    (duckdb.CatalogException, errors.ProgrammingError, "42P01"),
    (duckdb.BinderException, errors.ProgrammingError, "42703"),
    (duckdb.ParserException, errors.ProgrammingError, "42601"),
    (duckdb.SyntaxException, errors.ProgrammingError, "42601"),
    (duckdb.FatalException, errors.InternalError, None),
    (duckdb.InternalException, errors.InternalError, None),
    (duckdb.OperationalError, errors.OperationalError, None),
    (duckdb.DataError, errors.DataError, None),
    (duckdb.IntegrityError, errors.IntegrityError, None),
    (duckdb.NotSupportedError, errors.NotSupportedError, None),
    (duckdb.ProgrammingError, errors.ProgrammingError, None),
    (duckdb.Error, errors.DatabaseError, None),
)
PENDING_MAX = 256

_numbers = count(1)
_pending: OrderedDict[str, BaseException] = OrderedDict()


class Raised(Exception):
    """Stands for an exception of ours on its way through DuckDB, which keeps only the text."""


def remember(error: BaseException) -> Raised:
    """Keep an exception; raise what this returns to DuckDB, and `translate` finds the exception."""
    token = f"sqlagent-error-{next(_numbers)};"
    _pending[token] = error
    while len(_pending) > PENDING_MAX:
        _pending.popitem(last=False)
    return Raised(token)


def translate(error: BaseException, sql: str | None = None) -> BaseException:
    """DuckDB's exception as ours, or the one that a function of ours raised; others as they are."""
    if not isinstance(error, duckdb.Error):
        return error
    text = str(error)
    token = re.search(r"sqlagent-error-\d+;", text)
    if token is not None:
        kept = _pending.pop(token[0], None)
        if kept is not None:
            return kept
    kind, state = next(
        (ours, state) for theirs, ours, state in CLASSES if isinstance(error, theirs)
    )
    message, _, rest = text.partition("\n")
    message = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", message).rstrip(" .!")
    hint = re.search(r"^Did you mean .*$", rest, re.M) or re.search(r"^Candidate.*$", rest, re.M)
    missing = re.match(
        r"(Table|Scalar Function|Table Function) with name (\S+) does not exist", message
    )
    if missing:
        if missing[1] != "Table":
            kind, state = errors.ProgrammingError, "42883"
        what = "table" if missing[1] == "Table" else "function"
        message = f'{what} "{missing[2]}" does not exist'
    if message == "division by zero":  # raised by the text that the rewriter made
        kind, state = errors.DataError, "22012"
    if message[:2] and not message[:2].isupper():
        message = message[:1].lower() + message[1:]
    return kind(
        message or "the statement failed",
        detail="reported by DuckDB",
        hint=hint[0].strip() if hint else None,
        sql=sql,
        position=_position(text, sql),
        sqlstate=state,
    )


def _position(text: str, sql: str | None) -> int | None:
    """Where DuckDB's caret points, as an offset into the statement."""
    shown = re.search(r"^LINE (\d+): (.*)\n( *)\^", text, re.M)
    if shown is None or sql is None:
        return None
    lines = sql.split("\n")
    number = int(shown[1]) - 1
    if number >= len(lines):
        return None
    column = len(shown[3]) - len(f"LINE {shown[1]}: ")
    piece = shown[2].removeprefix("...").removesuffix("...")
    start = lines[number].find(piece)
    if start < 0:
        return None
    skipped = 3 if shown[2].startswith("...") else 0
    return sum(len(line) + 1 for line in lines[:number]) + start + max(0, column - skipped)
