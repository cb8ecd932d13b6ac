"""Erasing for good: which rows go, in one transaction, and the receipt of it.

The bytes are the business of `sqlagent.sync.scrub`, after the commit. What belongs to an agent, a
user, a memory or a document is found by the columns of our own tables, whatever migration made
them: `memory_id`, `agent_id`, and so on; what needs more than that is said in `sqlagent.memory.
erasing`.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from sqlagent import clock, migrate
from sqlagent.errors import ProgrammingError
from sqlagent.memory import erasing
from sqlagent.memory.erasing import Chosen
from sqlagent.sync.leftovers import copies
from sqlagent.sync.log import quoted
from sqlagent.sync.scrub import STEPS, scrub

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.engines.sqlite import Database, Handle

# Columns of our tables that name what a row belongs to. A row goes with any of them.
MEMORY = ("memory_id", "source_memory_id", "related_id", "other_id", "other_memory_id")
DOCUMENT = ("document_id",)
CHUNK = ("chunk_id",)
# Of these more is to be said than a column can; or they are no rows of anybody.
BY_HAND = {
    "memories", "documents", "chunks", "agents", "sessions", "states", "snapshots",
    "snapshot_versions", "sqlagent_state_versions", "sqlagent_state_shares", "relations",
    "sqlagent_operations", "sqlagent_operation_rows", "sqlagent_erasures",
    "sqlagent_import_rejects",
}  # fmt: skip
RECORD = """
INSERT INTO sqlagent_erasures (scope, subject, salt, counts, hash, copies, log_seq, pending,
  erased_at)
VALUES (?, ?, ?, ?, ?, ?, (SELECT ifnull(max(seq), 0) FROM sqlagent_change_entries), ?, ?)
"""


def erase(handle: Handle, scope: str, value: Any, with_copies: bool) -> dict[str, Any]:
    """Delete the rows of a scope, and write the receipt down; the receipt, not yet finished.

    Raises ProgrammingError where there is nothing of that name.
    """
    found = erasing.chosen(handle, scope, value)
    if found is None:
        raise ProgrammingError(
            f"there is nothing of {scope} {value!r} to erase" if isinstance(value, str)
            else f"there is no {scope} {value}",
            sqlstate="02000",
        )  # fmt: skip
    keys = delete(handle, found)
    counts = {table: len(rows) for table, rows in sorted(keys.items()) if rows}
    salt, now = os.urandom(16).hex(), clock.now()
    subject = hashed(salt, str(value))
    digest = digest_of(keys)
    steps = [s for s in STEPS if s != "copies" or with_copies]
    for table in counts:  # who has columns of it reads them anew, and drops what it had
        handle.execute(
            "INSERT INTO sqlagent_change_log (tbl, pk, op) VALUES (?, NULL, 'd')", (table,)
        )
    handle.execute(
        RECORD,
        (scope, subject, salt, json.dumps(counts), digest, with_copies, json.dumps(steps), now),
    )
    return {
        "erasure_id": int(handle.last_insert_rowid()),
        "scope": scope,
        "id": value,
        "subject": subject,
        "salt": salt,
        "erased_at": now,
        "rows": counts,
        "total": sum(counts.values()),
        "hash": digest,
    }


def hashed(salt: str, value: str) -> str:
    """The salted hash of an id: SHA-256 of the salt, a NUL and the id."""
    return hashlib.sha256(f"{salt}\0{value}".encode()).hexdigest()


def digest_of(keys: dict[str, list[Any]]) -> str:
    """SHA-256 of the sorted lines `table/key` of all rows that went."""
    lines = sorted(f"{table}/{key}" for table, rows in keys.items() for key in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def finish(connection: Connection, receipt: str) -> str:
    """After the commit: rid the files of it, and say in the receipt what was done and is left."""
    from sqlagent.memory.guards import SERVICE
    from sqlagent.run.writing import limited

    database = connection.database
    if SERVICE in database.services:  # what recall returned lately is known by its text
        database.services[SERVICE].close()
    told = json.loads(receipt)
    run = scrub(database, connection.timeout, lambda handle: limited(connection, handle))
    told["files"] = run.files
    told["pending"] = [f"{step}: {why}" for step, why in run.left.items()]
    told["finished_at"] = over(database, told["erasure_id"])
    told["copies"] = [os.path.basename(path) for path in copies(database)]
    return json.dumps(told, ensure_ascii=False)


def over(database: Database, erasure_id: int) -> Any:
    """When an erasure was over; None where something is pending."""
    with database.read() as handle:
        row = handle.execute(
            "SELECT finished_at FROM sqlagent_erasures WHERE erasure_id = ?", (erasure_id,)
        ).fetchone()
    return None if row is None else row[0]


# Rows -------------------------------------------------------------------------------------------


def delete(handle: Handle, found: Chosen) -> dict[str, list[Any]]:
    """Delete all that belongs to what was chosen: table → keys of its rows."""
    keys: dict[str, list[Any]] = {}

    def gone(table: str, where: str, *values: Any, read: bool = False) -> None:
        key, source = key_of(handle, table), quoted(table)
        sql = f"DELETE FROM {source} WHERE {where} RETURNING {key}"
        if read:
            sql = f"SELECT {key} FROM {source} WHERE {where}"
        rows = [r[0] for r in handle.execute(sql, values).fetchall()]
        keys.setdefault(table, []).extend(rows)

    erasing.before(handle, found, gone)
    for table, columns in own_tables(handle).items():
        for names, values in (
            (MEMORY, erasing.listed(found.memories)),
            (DOCUMENT, erasing.listed(found.documents)),
            (CHUNK, erasing.listed(found.chunks)),
            (("agent_id",), json.dumps([found.agent] if found.agent is not None else [])),
            (("user_id",), json.dumps([found.user] if found.user is not None else [])),
            (("session_id",), json.dumps(found.sessions)),
        ):
            for name in names:
                if name in columns and values != "[]":
                    gone(table, f"{quoted(name)} IN (SELECT value FROM json_each(?))", values)
    erasing.after(handle, found, gone)
    return keys


def key_of(handle: Handle, table: str) -> str:
    """What tells the rows of a table apart, as an SQL expression: the rowid, or its key."""
    (without_rowid,) = handle.execute(
        "SELECT wr FROM pragma_table_list(?) WHERE schema = 'main'", (table,)
    ).fetchone()
    if not without_rowid:
        return "rowid"
    keys = handle.execute("SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", (table,))
    return " || '/' || ".join(quoted(name) for (name,) in keys)


def own_tables(handle: Handle) -> dict[str, set[str]]:
    """The tables of the migrations whose rows may belong to somebody: name → columns."""
    ours = migrate.own_names(migrate.known())
    found = {}
    for (name,) in handle.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
    ).fetchall():
        if name.lower() in ours and name.lower() not in BY_HAND:
            info = handle.execute("SELECT name FROM pragma_table_info(?)", (name,))
            found[name] = {column for (column,) in info}
    return found
