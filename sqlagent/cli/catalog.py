"""What the shell knows of a database: its tables, columns and functions, read through SQL."""

import fnmatch
from typing import Any

from sqlagent.formats.quote import quote_name

from .session import Session

# A full-text table keeps its own data in tables of these names beside it.
_SHADOWS = ("_data", "_idx", "_content", "_docsize", "_config")

# What users defined and SQLite does not list.
_TYPES = {"view": "view", "materialized view": "view", "columns": "table"}

FUNCTIONS_SQL = "SELECT name, kind, signature, returns, description FROM sqlagent_functions"


def tables(session: Session, pattern: str = "") -> list[tuple[str, str, str]]:
    """Tables and views that are a user's business, as (name, type, sql), by name.

    `pattern` keeps those whose name contains it, or matches its `*`, `?` and `%`.
    """
    rows = session.rows("SELECT name, type, sql FROM sqlite_master")
    made: list[tuple[str, str, str]] = [(str(n), str(t), str(s or "")) for n, t, s in rows]
    kept = session.rows("SELECT name, kind, sql FROM sqlagent_definitions")
    made += [(str(n), _TYPES[str(k)], str(s)) for n, k, s in kept if k in _TYPES]
    virtual = {name for name, _, sql in made if "virtual table" in sql[:40].lower()}
    shadows = {name + suffix for name in virtual for suffix in _SHADOWS}
    return sorted(
        entry
        for entry in made
        if entry[1] in ("table", "view")
        and not entry[0].startswith("sqlite_")
        and entry[0] not in shadows
        and matches(entry[0], pattern)
    )


def indexes(session: Session) -> list[tuple[str, str, str]]:
    """Indexes that a statement made, as (name, type, sql), by name."""
    rows = session.rows("SELECT name, type, sql FROM sqlite_master")
    return sorted((str(n), "index", str(s)) for n, t, s in rows if t == "index" and s)


def matches(name: str, pattern: str) -> bool:
    """Whether `name` fits a pattern of the shell: a part of it, or wildcards."""
    name, pattern = name.lower(), pattern.lower().replace("%", "*")
    if any(mark in pattern for mark in "*?["):
        return fnmatch.fnmatchcase(name, pattern)
    return pattern in name


def columns(session: Session, table: str) -> list[str]:
    """The names of a table's columns, in order. Errors: sqlagent.Error when there is none."""
    with session.cancel:
        cursor = session.connection.execute(f"SELECT * FROM {quote_name(table)} LIMIT 0")
        return [str(entry[0]) for entry in cursor.description]


class Names:
    """The names that are completed, read when first asked for, and again after `forget`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._age = -1
        self._tables: list[str] = []
        self._columns: dict[str, list[str]] = {}
        self._functions: list[tuple[str, str]] = []

    def tables(self) -> list[str]:
        """Tables and views."""
        self._refresh()
        return self._tables

    def functions(self) -> list[tuple[str, str]]:
        """(name, kind); the kind is scalar, aggregate or table."""
        self._refresh()
        return self._functions

    def columns(self, table: str) -> list[str]:
        """Columns of `table`, none when it does not exist."""
        self._refresh()
        known = {name.lower(): name for name in self._tables}
        name = known.get(table.lower())
        if name is None:
            return []
        if name not in self._columns:
            self._columns[name] = self._quietly(lambda: columns(self._session, name)) or []
        return self._columns[name]

    def _refresh(self) -> None:
        """Reads the names again if a statement ran since: any may have made or dropped a table."""
        if self._age == self._session.statements:
            return
        self._age = self._session.statements
        self._columns = {}
        found = self._quietly(lambda: tables(self._session)) or []
        self._tables = [name for name, _, _ in found]
        rows = self._quietly(lambda: self._session.rows(FUNCTIONS_SQL)) or []
        self._functions = sorted({(str(row[0]), str(row[1])) for row in rows})

    def _quietly(self, read: Any) -> Any:
        """What `read` gives, None when it fails: a list of names is no reason to stop typing."""
        import sqlagent

        try:
            return read()
        except sqlagent.Error:
            return None
