"""Errors: one shallow tree, each class also its DB-API 2.0 class.

In PostgreSQL's manner: a message in lower case without a full stop that says what was wanted and
what came, an optional detail, a hint that says what to do, and a caret under the place in the
statement.
"""

from __future__ import annotations

import re


class Warning(Exception):  # the name is PEP 249's
    """Important notices, such as data truncated while inserting."""


class Error(Exception):
    """The base of all errors of this package.

    `message`, `detail`, `hint` are text or None; `position` is a 0-based character offset into
    `sql`; `sqlstate` is the five-character SQLSTATE code of PostgreSQL.
    """

    sqlstate = "XX000"

    def __init__(
        self,
        message: str = "",
        *,
        detail: str | None = None,
        hint: str | None = None,
        sql: str | None = None,
        position: int | None = None,
        sqlstate: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.sql = sql
        self.position = position
        if sqlstate is not None:
            self.sqlstate = sqlstate

    def __str__(self) -> str:
        lines = [self.message]
        if self.sql is not None and self.position is not None:
            lines += caret(self.sql, self.position)
        if self.detail:
            lines.append(f"detail: {self.detail}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


def caret(sql: str, position: int, width: int = 100) -> list[str]:
    """The line of `sql` that holds `position`, and a line with a caret under the place."""
    position = max(0, min(position, len(sql)))
    number = sql.count("\n", 0, position) + 1
    start = sql.rfind("\n", 0, position) + 1
    end = sql.find("\n", position)
    line = sql[start : len(sql) if end < 0 else end]
    column = position - start
    if column > width - 20:  # show the part of a long line that matters
        cut = column - (width - 40)
        line, column = "…" + line[cut:], column - cut + 1
    line = line[:width].expandtabs(1)
    prefix = f"LINE {number}: "
    return [prefix + line, " " * (len(prefix) + display_width(line[:column])) + "^"]


def hidden(text: str) -> str:
    """A text with the passwords of its connection strings blotted out, each place as it was."""
    text = re.sub(r"(://[^:/@\s']*:)([^@\s']*)(?=@)", _blot, text)
    return re.sub(r"(?i)(password\s*=\s*)([^\s'\"]+)", _blot, text)


def _blot(match: re.Match[str]) -> str:
    return match[1] + "*" * len(match[2])


def display_width(text: str) -> int:
    """Columns that text takes on a terminal: two for a wide (CJK) character."""
    return sum(2 if ord(c) >= 0x1100 and _wide(ord(c)) else 1 for c in text)


def _wide(code: int) -> bool:
    return (
        code <= 0x115F
        or 0x2E80 <= code <= 0xA4CF
        or 0xAC00 <= code <= 0xD7A3
        or 0xF900 <= code <= 0xFAFF
        or 0xFE30 <= code <= 0xFE6F
        or 0xFF00 <= code <= 0xFF60
        or 0x1F300 <= code <= 0x1FAFF
        or 0x20000 <= code <= 0x3FFFD
    )


def nearest(name: str, known: object) -> str | None:
    """A hint with the nearest known name, for a typo; None where none is near."""
    import difflib

    names = [str(k) for k in known]  # type: ignore[attr-defined]  # any iterable of names
    found = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return f'Did you mean "{found[0]}"?' if found else None


class InterfaceError(Error):
    """The interface was used wrongly: a closed connection, a wrong number of parameters."""

    sqlstate = "08003"


class DatabaseError(Error):
    """Anything that the database refuses."""


class DataError(DatabaseError):
    """A value that cannot be: out of range, of the wrong dimensions, not JSON."""

    sqlstate = "22000"


class OperationalError(DatabaseError):
    """The database could not do it now: locked, full, read-only, interrupted, timed out."""

    sqlstate = "58000"


class IntegrityError(DatabaseError):
    """A constraint does not hold: unique, check, foreign key, not null."""

    sqlstate = "23000"


class InternalError(DatabaseError):
    """The database found itself in a state that it cannot explain, such as a corrupt file."""


class ProgrammingError(DatabaseError):
    """The statement is wrong: syntax, an unknown name, wrong arguments."""

    sqlstate = "42601"


class NotSupportedError(DatabaseError):
    """What was asked cannot be said on any engine here; the message says why."""

    sqlstate = "0A000"


class BusyError(OperationalError):
    """Another writer held the file for longer than the timeout."""

    sqlstate = "55P03"


class InterruptedError(OperationalError):
    """The statement was interrupted, or ran into its time limit."""

    sqlstate = "57014"


class MigrationError(DatabaseError):
    """The file's schema cannot be brought to this version; the file is as it was."""

    sqlstate = "55000"
