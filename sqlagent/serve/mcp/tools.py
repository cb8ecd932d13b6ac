"""What a model can do with the file. Each tool is SQL on one connection; none judges a statement:
the connection's principal and its limits do.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from sqlagent.connection import Connection
from sqlagent.errors import ProgrammingError
from sqlagent.formats.quote import quote_name
from sqlagent.serve.mcp.answers import Changed, Limits, Rows, records_of, rows_of

SAMPLE_MAX = 20
OURS = (
    "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"
    " UNION ALL SELECT name, kind FROM sqlagent_definitions"
    " WHERE kind IN ('view', 'materialized view', 'columns')"
)
# What a full-text index keeps beside itself.
SHADOWS = ("_fts_data", "_fts_idx", "_fts_content", "_fts_docsize", "_fts_config")
INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql <> ''"
KEYS = 'SELECT "from", "table", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq'
RECALL = "SELECT * FROM recall(?, ?, k => ?, kind => ?, user_id => ?, session_id => ?{budget})"
SEARCH = "SELECT * FROM search(?, k => ?, collection => ?, filter => ?)"
LOAD = """
SELECT state_type, session_id, version, data, metadata, created_at FROM states
WHERE agent_id = ?1 AND (?2 IS NULL OR state_type = ?2) AND (?3 IS NULL OR session_id = ?3)
ORDER BY state_type, session_id
"""


class Table(TypedDict):
    """A table or view."""

    name: str
    type: str


class Described(TypedDict):
    """A table's columns (with type, null, key and default), keys, indexes and first rows."""

    name: str
    columns: list[dict[str, Any]]
    foreign_keys: list[str]
    indexes: list[str]
    sample: Rows | None


class Remembered(TypedDict):
    """The memory that was made, or the older one that it repeats."""

    memory_id: int | None


class Saved(TypedDict):
    """The version of the state that was saved, from 1."""

    version: int | None


def query(
    con: Connection, limits: Limits, sql: str, parameters: Any = None, max_rows: int | None = None
) -> Rows:
    """The rows of a statement that reads."""
    cursor = con.execute(sql, parameters or ())
    if cursor.description is None:
        raise ProgrammingError("the statement returns no rows", hint="Use execute to change data.")
    return rows_of(cursor, limits, max_rows)


def execute(con: Connection, limits: Limits, sql: str, parameters: Any = None) -> Changed:
    """What a statement of any kind did."""
    cursor = con.execute(sql, parameters or ())
    count = cursor.rowcount
    rows = None if cursor.description is None else rows_of(cursor, limits)
    return Changed(rows_changed=None if count < 0 else count, result=rows)


def list_tables(con: Connection, pattern: str | None = None, internal: bool = False) -> list[Table]:
    """The tables and views, by name; the engine's own bookkeeping only where `internal`."""
    found = sorted((str(name), str(kind)) for name, kind in con.execute(OURS).fetchall())
    return [
        Table(name=name, type="table" if kind == "columns" else kind)
        for name, kind in found
        if not name.startswith("sqlite_")
        and not name.endswith(SHADOWS)
        and (internal or not name.startswith("sqlagent_"))
        and (not pattern or pattern.lower() in name.lower())
    ]


def describe_table(con: Connection, limits: Limits, name: str, sample: int = 3) -> Described:
    """A table as one who is to query it wants to know it."""
    quoted = quote_name(name)
    columns = records_of(con.execute(f"DESCRIBE {quoted}"))
    for column in columns:
        column.pop("extra", None)
    keys = con.execute(KEYS, (name,)).fetchall()
    indexes = con.execute(INDEXES, (name,)).fetchall()
    rows = min(max(0, sample), SAMPLE_MAX)
    return Described(
        name=name,
        columns=columns,
        foreign_keys=[f"{own} -> {table}({other or 'its key'})" for own, table, other in keys],
        indexes=[str(sql) for _, sql in indexes],
        sample=rows_of(con.execute(f"SELECT * FROM {quoted} LIMIT {rows:d}"), limits)
        if rows
        else None,
    )


def remember(
    con: Connection,
    agent_id: str,
    content: str,
    kind: str | None = None,
    importance: float | None = None,
    session_id: str | None = None,
    user_id: str | None = None,
    speaker: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Remembered:
    """One memory."""
    given = {
        "kind": kind, "importance": importance, "session_id": session_id, "user_id": user_id,
        "speaker": speaker, "metadata": metadata,
    }  # fmt: skip
    names = [name for name, value in given.items() if value is not None]
    sql = "SELECT remember(?, ?" + "".join(f", {name} => ?" for name in names) + ")"
    row = con.execute(sql, (agent_id, content, *(given[name] for name in names))).fetchone()
    return Remembered(memory_id=row[0] if row else None)


def recall(
    con: Connection,
    limits: Limits,
    agent_id: str,
    query: str,
    k: int = 10,
    kind: str | None = None,
    user_id: str | None = None,
    session_id: str | None = None,
    token_budget: int | None = None,
) -> Rows:
    """The memories of an agent that matter to a question, best first."""
    values: list[Any] = [agent_id, query, k, kind, user_id, session_id]
    budget = ""
    if token_budget is not None:
        budget = ", token_budget => ?"
        values.append(token_budget)
    return rows_of(con.execute(RECALL.format(budget=budget), values), limits)


def search(
    con: Connection,
    limits: Limits,
    query: str,
    k: int = 10,
    collection: str | None = None,
    filter: str | None = None,
) -> Rows:
    """The passages of documents that answer a question, best first."""
    return rows_of(con.execute(SEARCH, (query, k, collection, filter)), limits)


def save_state(
    con: Connection,
    agent_id: str,
    data: Any,
    state_type: str = "context",
    session_id: str | None = None,
    if_version: int | None = None,
) -> Saved:
    """A new version of an agent's state."""
    from sqlagent.values import json_text

    row = con.execute(
        "SELECT save_state(?, ?, state_type => ?, session_id => ?, if_version => ?)",
        (agent_id, json_text(data), state_type, session_id, if_version),
    ).fetchone()
    return Saved(version=row[0] if row else None)


def load_state(
    con: Connection,
    agent_id: str,
    state_type: str | None = None,
    session_id: str | None = None,
    at: str | None = None,
) -> list[dict[str, Any]]:
    """The newest states of an agent, or those of the time `at`."""
    if at is None:
        return records_of(con.execute(LOAD, (agent_id, state_type, session_id)))
    rows = records_of(
        con.execute("SELECT * FROM state_at(?, ?, state_type => ?)", (agent_id, at, state_type))
    )
    return [row for row in rows if session_id is None or row["session_id"] == session_id]
