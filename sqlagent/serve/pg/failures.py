"""Errors and notices as their fields on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.errors import DataError, Error, InternalError
from sqlagent.serve.pg import messages

if TYPE_CHECKING:
    from sqlagent.serve.pg.violations import Violation


def error_fields(error: BaseException, offset: int = 0) -> dict[str, str | int | None]:
    """The fields of an ErrorResponse; `offset` is where the statement begins in the text sent."""
    if not isinstance(error, Error):
        said = f"{type(error).__name__}: {error}"
        if isinstance(error, MemoryError):
            return _head("ERROR", "53200", "out of memory")
        if isinstance(error, UnicodeEncodeError):
            return _head(
                "ERROR", "22P05",
                f"character U+{ord(error.object[error.start]):04X} has no equivalent in encoding "
                f'"{error.encoding}"',
            )  # fmt: skip
        if isinstance(error, ValueError | OverflowError):
            error = DataError(str(error))
        else:
            error = InternalError(said)
    found = _head("ERROR", error.sqlstate, error.message or type(error).__name__)
    found["D"], found["H"] = error.detail, error.hint
    if error.position is not None and error.sql is not None:
        found["P"] = error.position + offset + 1
    found |= _constraint(error)
    where = getattr(error, "where", None)
    if where:
        found["W"] = where
    return found


def _head(severity: str, state: str, message: str) -> dict[str, str | int | None]:
    return {"S": severity, "V": severity, "C": state, "M": message}


def _constraint(error: Error) -> dict[str, str | int | None]:
    """Which table, column and constraint an integrity error is about, where it is known."""
    found: Violation | None = getattr(error, "violation", None)
    if found is None:
        return {}
    said = {"s": "public", "t": found.table, "c": found.column, "n": found.constraint}
    return {k: v for k, v in said.items() if v}


def error(failure: BaseException, offset: int = 0, codec: str = "utf-8") -> bytes:
    """An ErrorResponse."""
    return messages.fields(b"E", error_fields(failure, offset), codec)


def fatal(failure: Error) -> bytes:
    """An ErrorResponse after which the connection ends."""
    found = error_fields(failure)
    return messages.fields(b"E", found | {"S": "FATAL", "V": "FATAL"})


def notice(message: str, state: str = "00000", severity: str = "NOTICE", codec: str = "utf-8",
           hint: str | None = None) -> bytes:  # fmt: skip
    """A NoticeResponse."""
    return messages.fields(b"N", _head(severity, state, message) | {"H": hint}, codec)
