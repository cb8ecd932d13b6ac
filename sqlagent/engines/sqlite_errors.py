"""APSW's exceptions as ours."""

from __future__ import annotations

import re

import apsw

from sqlagent.errors import (
    BusyError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    InterruptedError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

_CLASSES: dict[str, tuple[type[Error], str | None, str | None]] = {
    "BusyError": (BusyError, None, "Another process or transaction holds the write lock."),
    "LockedError": (BusyError, None, None),
    "ConstraintError": (IntegrityError, None, None),
    "MismatchError": (DataError, "42804", None),
    "TooBigError": (DataError, "54000", None),
    "RangeError": (InterfaceError, "07001", None),
    "BindingsError": (InterfaceError, "07001", None),
    "FullError": (OperationalError, "53100", "Nothing of it was written. Free some space."),
    "ReadOnlyError": (OperationalError, "25006", None),
    "CantOpenError": (OperationalError, "58P01", None),
    "PermissionsError": (OperationalError, "42501", None),
    "IOError": (OperationalError, "58030", None),
    "NoMemError": (OperationalError, "53200", None),
    "InterruptError": (InterruptedError, None, None),
    "CorruptError": (
        InternalError,
        "XX001",
        "Run `sqlagent check` on the file; what can be read still can.",
    ),
    "NotADBError": (OperationalError, "58P01", "It is not a SQLite file, or it is encrypted."),
    "SchemaChangeError": (OperationalError, None, None),
}
_SYSTEM = ("IOError", "CantOpenError")  # SQLite's message does not say which call failed
_CONSTRAINTS = {
    apsw.SQLITE_CONSTRAINT_UNIQUE: "23505",
    apsw.SQLITE_CONSTRAINT_PRIMARYKEY: "23505",
    apsw.SQLITE_CONSTRAINT_ROWID: "23505",
    apsw.SQLITE_CONSTRAINT_NOTNULL: "23502",
    apsw.SQLITE_CONSTRAINT_CHECK: "23514",
    apsw.SQLITE_CONSTRAINT_FOREIGNKEY: "23503",
    apsw.SQLITE_CONSTRAINT_TRIGGER: "23514",
    apsw.SQLITE_CONSTRAINT_DATATYPE: "42804",
}
# What the pass `checked` lets SQLite say instead of another value than DuckDB's, and its own word.
_INEXACT = re.compile(r"bad JSON path: 'sqlagent: (.*)'$|(integer overflow)$")
_STATES = (
    (r"no such table: (?:main\.)?(.+)", 'unknown table "{0}"', "42P01"),
    (r"no such column: (.+?)( - should this.*)?$", 'unknown column "{0}"', "42703"),
    (r"no such function: (.+)", 'unknown function "{0}"', "42883"),
    (r"no such savepoint: (.+)", 'unknown savepoint "{0}"', "3B001"),
    (r"table (.+) already exists", 'table "{0}" already exists', "42P07"),
    (r"table (\S+) has no column named (.+)", 'table "{0}" has no column "{1}"', "42703"),
)


def inexact(error: BaseException) -> bool:
    """Whether SQLite stopped at a row that it cannot say as DuckDB does."""
    return isinstance(error, apsw.SQLError) and _INEXACT.search(str(error)) is not None


def translate(error: BaseException, sql: str | None = None) -> BaseException:
    """Our error for an APSW exception; ours, and Python's that are not about the database, stay."""
    if isinstance(error, Error) or not isinstance(
        error, apsw.Error | TypeError | ValueError | OverflowError
    ):
        return error
    name = type(error).__name__
    text = str(error)
    message = text.split(": ", 1)[1] if text.startswith(name + ":") else text
    if not isinstance(error, apsw.Error):
        return DataError(message, sql=sql)
    if name == "BindingsError":
        found = re.search(r"uses (\d+) and there are (\d+)", message)
        if found:
            message = "the statement has {} parameters, {} values were given".format(
                *found.groups()
            )
    if name == "ConstraintError":
        code = getattr(error, "extendedresult", 0)
        return IntegrityError(message, sql=sql, sqlstate=_CONSTRAINTS.get(code, "23000"))
    if name == "SQLError" and (found := _INEXACT.search(message)):
        return not_exact(found[1] or "integer out of range", sql)
    if name in _CLASSES:
        cls, state, hint = _CLASSES[name]
        if cls is InterruptedError:
            message = "the statement was interrupted"
        detail = _code(error) if name in _SYSTEM else None
        return cls(message, sql=sql, hint=hint, detail=detail, sqlstate=state)
    position = getattr(error, "error_offset", -1)
    if sql is not None and position is not None and position >= 0:
        position = len(sql.encode()[:position].decode(errors="ignore"))
    else:
        position = None
    for pattern, form, state in _STATES:
        found = re.match(pattern, message)
        if found:
            return ProgrammingError(
                form.format(*found.groups()), sql=sql, position=position, sqlstate=state
            )
    if name in ("SQLError", "ExecutionCompleteError", "IncompleteExecutionError"):
        return ProgrammingError(message, sql=sql, position=position)
    return OperationalError(message, sql=sql)


def _code(error: apsw.Error) -> str | None:
    """The name of SQLite's extended code, such as SQLITE_IOERR_SHORT_READ; None: it has none."""
    found = apsw.mapping_extended_result_codes.get(getattr(error, "extendedresult", 0))
    return found if isinstance(found, str) else None


def not_exact(what: str, sql: str | None) -> Error:
    """The error for a row that SQLite cannot say, where DuckDB is not asked."""
    if what == "division by zero":
        return DataError(what, sql=sql, sqlstate="22012")
    if what == "integer out of range":
        return DataError(what, sql=sql, sqlstate="22003")
    return NotSupportedError(
        f"SQLite cannot say {what} as DuckDB does", hint="SET route = 'auto'", sql=sql
    )
