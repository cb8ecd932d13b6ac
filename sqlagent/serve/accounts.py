"""Changing users and their grants, on the writer's connection: what the functions of SQL do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.errors import DataError, ProgrammingError, nearest
from sqlagent.serve import scram
from sqlagent.serve.users import PRIVILEGES, ROLES

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

NAME_MAX = 63


def verifier(password: str) -> str:
    """The verifier of a password; one that is a verifier already stays, as in PostgreSQL."""
    if scram.parse(password) is not None:
        return password
    if not password:
        raise DataError("a password is not empty", sqlstate="22023")
    return str(scram.make(password))


def create(handle: Handle, name: str, password: str | None, role: str) -> None:
    """Add a user. Raises ProgrammingError where there is one of that name."""
    check_role(role)
    if not 0 < len(name) <= NAME_MAX or "\0" in name or ":" in name:
        raise DataError(
            f"the name of a user has 1 to {NAME_MAX} characters and no colon, not {name!r:.80}",
            sqlstate="42602",
        )
    if handle.execute("SELECT 1 FROM sqlagent_users WHERE name = ?", (name,)).fetchone():
        raise ProgrammingError(f'the user "{name}" exists', sqlstate="42710")
    handle.execute(
        "INSERT INTO sqlagent_users (name, verifier, role) VALUES (?, ?, ?)",
        (name, None if password is None else verifier(password), role),
    )


def alter(handle: Handle, name: str, changes: dict[str, Any]) -> None:
    """Change columns of a user's row; `changes` of value None stay."""
    known(handle, name)
    if changes.get("role") is not None:
        check_role(changes["role"])
    for column in ("connections_max", "statement_timeout_ms", "rows_max"):
        value = changes.get(column)
        if value is not None and value < 0:
            raise DataError(f"{column} is a whole number from 0, not {value}", sqlstate="22023")
    if changes.get("password") is not None:
        changes["verifier"] = verifier(changes["password"])
    for column in (
        "verifier", "role", "can_log_in", "connections_max", "statement_timeout_ms", "rows_max",
    ):  # fmt: skip
        if changes.get(column) is not None:
            handle.execute(
                f"UPDATE sqlagent_users SET {column} = ? WHERE name = ?", (changes[column], name)
            )


def drop(handle: Handle, name: str) -> None:
    """Remove a user and every grant to it."""
    known(handle, name)
    handle.execute("DELETE FROM sqlagent_users WHERE name = ?", (name,))


def grant_table(handle: Handle, name: str, table: str, privileges: str) -> int:
    """Grant privileges on a table, '*' for every table; how many are new."""
    known(handle, name)
    if table == "*":
        handle.execute(
            "DELETE FROM sqlagent_grants WHERE user_name = ? AND kind = 'table'", (name,)
        )
        handle.execute("UPDATE sqlagent_users SET every_table = 1 WHERE name = ?", (name,))
        return int(handle.changes())
    found = real_name(handle, table)
    counted = "SELECT count(*) FROM sqlagent_grants WHERE user_name = ? AND kind = 'table'"
    before = int(handle.execute(counted, (name,)).fetchall()[0][0])
    handle.executemany(
        "INSERT INTO sqlagent_grants (user_name, kind, object, privilege) VALUES (?, 'table', ?, ?)"
        " ON CONFLICT DO NOTHING",
        [(name, found, p) for p in listed(privileges)],
    )
    return int(handle.execute(counted, (name,)).fetchall()[0][0]) - before


def revoke_table(handle: Handle, name: str, table: str, privileges: str) -> int:
    """Take privileges on a table away, '*' for every table; how many there were.

    What a user was granted on every table cannot be taken away of one: the rest would have to be
    granted, and that is said.
    """
    known(handle, name)
    wanted = listed(privileges)
    marks = ", ".join("?" * len(wanted))
    if table == "*":
        handle.execute("UPDATE sqlagent_users SET every_table = 0 WHERE name = ?", (name,))
        gone = handle.changes()
        handle.execute(
            f"DELETE FROM sqlagent_grants WHERE user_name = ? AND kind = 'table' "
            f"AND privilege IN ({marks})", (name, *wanted),
        )  # fmt: skip
        return int(gone + handle.changes())
    row = handle.execute(
        "SELECT every_table FROM sqlagent_users WHERE name = ?", (name,)
    ).fetchone()
    if row is not None and row[0]:
        raise ProgrammingError(
            f'"{name}" is granted every table: one cannot be taken away',
            hint=f"GRANT what is to stay ON its table TO {name}: from then on there is that alone.",
            sqlstate="0L000",
        )
    handle.execute(
        f"DELETE FROM sqlagent_grants WHERE user_name = ? AND kind = 'table' "
        f"AND object = ? COLLATE NOCASE AND privilege IN ({marks})", (name, table, *wanted),
    )  # fmt: skip
    return int(handle.changes())


def grant_agent(handle: Handle, name: str, agent: str) -> int:
    """Grant the rows of an agent, '*' for every agent; 1 where that is new."""
    known(handle, name)
    if agent == "*":
        handle.execute(
            "DELETE FROM sqlagent_grants WHERE user_name = ? AND kind = 'agent'", (name,)
        )
        handle.execute("UPDATE sqlagent_users SET every_agent = 1 WHERE name = ?", (name,))
        return 1
    there = handle.execute(
        "SELECT 1 FROM sqlagent_grants WHERE user_name = ? AND kind = 'agent' AND object = ?",
        (name, agent),
    ).fetchone()
    if there is None:
        handle.execute(
            "INSERT INTO sqlagent_grants (user_name, kind, object, privilege) "
            "VALUES (?, 'agent', ?, 'use')", (name, agent),
        )  # fmt: skip
    return int(there is None)


def revoke_agent(handle: Handle, name: str, agent: str) -> int:
    """Take an agent away, '*' for every one: the user then has no agent until the next grant."""
    known(handle, name)
    if agent == "*":
        handle.execute("UPDATE sqlagent_users SET every_agent = 0 WHERE name = ?", (name,))
        gone = handle.changes()
        handle.execute(
            "DELETE FROM sqlagent_grants WHERE user_name = ? AND kind = 'agent'", (name,)
        )
        return int(gone + handle.changes())
    row = handle.execute(
        "SELECT every_agent FROM sqlagent_users WHERE name = ?", (name,)
    ).fetchone()
    if row is not None and row[0]:
        raise ProgrammingError(
            f'"{name}" is granted every agent: one cannot be taken away',
            hint=f"GRANT USE ON AGENT … TO {name}: from then on there are these alone.",
            sqlstate="0L000",
        )
    handle.execute(
        "DELETE FROM sqlagent_grants WHERE user_name = ? AND kind = 'agent' AND object = ?",
        (name, agent),
    )
    return int(handle.changes())


def known(handle: Handle, name: str) -> None:
    """Raise ProgrammingError where there is no user of that name."""
    if handle.execute("SELECT 1 FROM sqlagent_users WHERE name = ?", (name,)).fetchone() is None:
        names = [str(n) for (n,) in handle.execute("SELECT name FROM sqlagent_users")]
        raise ProgrammingError(
            f'there is no user "{name}"', hint=nearest(name, names), sqlstate="42704"
        )


def real_name(handle: Handle, table: str) -> str:
    """A table or view as the file spells it. Raises ProgrammingError where there is none."""
    row = handle.execute(
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = lower(?) "
        "UNION ALL SELECT name FROM sqlagent_definitions WHERE lower(name) = lower(?) "
        "AND kind NOT LIKE '%macro' LIMIT 1",
        (table, table),
    ).fetchone()
    if row is None:
        names = [str(n) for (n,) in handle.execute("SELECT name FROM sqlite_schema")]
        raise ProgrammingError(
            f'unknown table "{table}"', hint=nearest(table, names), sqlstate="42P01"
        )
    return str(row[0])


def check_role(role: str) -> None:
    """Raise DataError for what is no role."""
    if role not in ROLES:
        raise DataError(f"a role is one of {', '.join(ROLES)}, not {role!r:.40}", sqlstate="22023")


def listed(privileges: str) -> list[str]:
    """'select, insert' or 'all' as a list. Raises DataError for what is none."""
    found = [p.strip().lower() for p in privileges.split(",")]
    if found == ["all"]:
        return list(PRIVILEGES)
    wrong = next((p for p in found if p not in PRIVILEGES), None)
    if wrong is not None:
        raise DataError(
            f"a privilege is one of {', '.join(PRIVILEGES)} or all, not {wrong!r:.40}",
            sqlstate="22023",
        )
    return found
