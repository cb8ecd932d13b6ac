"""The change log as its readers see it, and the triggers that feed it for a user's tables.

A row of `sqlagent_change_log` says "look at this rowid again" (`pk`), or, with `pk` NULL, "read the
whole table again". It may say so needlessly, but never forgets: the triggers are plain SQL of
SQLite 3.40, so whichever client writes feeds it, INSERT OR REPLACE included.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import NotSupportedError

if TYPE_CHECKING:
    import apsw

    from sqlagent.engines.sqlite import Database

LOG = "sqlagent_change_log"
# The last number that was given: those of versions of states are of the same sequence, and a
# version with a `state_id` is an entry. The log is a view of both, which max() would read whole.
NEWEST = """
SELECT ifnull(max(seq), 0) FROM (
  SELECT max(seq) AS seq FROM sqlagent_change_entries
  UNION ALL SELECT max(version_id) FROM sqlagent_state_versions) AS ends"""
MARK = "/* sqlagent columns 1 */"  # in the body of every trigger made here: what we may replace
PLAIN_COLLATIONS = ("BINARY", "NOCASE", "RTRIM")


class Span(NamedTuple):
    """The log's first and last `seq` (0, 0 where it is empty); versions are never trimmed."""

    low: int
    high: int


def quoted(name: str) -> str:
    """An identifier in double quotes: the one place where a name becomes SQL text."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def rows(connection: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
    """All rows of a query, as tuples."""
    return list(connection.execute(sql, values))


def number(connection: apsw.Connection, pragma: str) -> int:
    """The value of a PRAGMA that is one number."""
    return int(rows(connection, f"PRAGMA {pragma}")[0][0])


def span(connection: apsw.Connection) -> Span | None:
    """First and last entry, or None where the file has no log."""
    known = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'view' AND name = ?", (LOG,)
    ).get
    if not known:
        return None
    # Look-ups at the ends of the b-trees; min and max in one SELECT would read all of one.
    low, high = connection.execute(
        f"SELECT (SELECT min(seq) FROM sqlagent_change_entries), ({NEWEST})"
    ).get
    return Span(low or 0, high or 0)


def newest(database: Database) -> int:
    """The last number that was given, of what is committed."""
    with database.read() as handle:
        return int(handle.execute(NEWEST).get)


def entries(connection: apsw.Connection, since: int) -> dict[str, tuple[int, bool]]:
    """What changed after entry `since`: lower-case table → (entries, whether one names no row)."""
    found: dict[str, tuple[int, bool]] = {}
    for name, count, keyed in connection.execute(
        "SELECT tbl, count(*), count(pk) FROM sqlagent_change_entries WHERE seq > ?1 GROUP BY tbl"
        " UNION ALL SELECT 'states', count(*), count(*) FROM sqlagent_state_versions"
        " WHERE version_id > ?1 AND state_id IS NOT NULL",
        (since,),
    ):
        before, vague = found.get(name.lower(), (0, False))
        if before + count:
            found[name.lower()] = (before + count, vague or keyed < count)
    return found


def fingerprint(connection: apsw.Connection, seq: int) -> str | None:
    """What tells the entry at `seq` from one of another file's history; None where it is gone."""
    row = connection.execute(
        "SELECT tbl, pk, op, at FROM sqlagent_change_entries WHERE seq = ?1"
        " UNION ALL SELECT agent_id, state_type, version, created_at"
        " FROM sqlagent_state_versions WHERE version_id = ?1",
        (seq,),
    ).fetchone()
    return None if row is None else repr(row)


def rowid_name(columns: list[str]) -> str | None:
    """The word that still means the rowid in a table of these columns, or None."""
    taken = {c.lower() for c in columns}
    return next((w for w in ("rowid", "_rowid_", "oid") if w not in taken), None)


def triggers(connection: apsw.Connection, table: str) -> dict[str, str]:
    """The triggers that `table` needs: name → text. Raises NotSupportedError where it is none."""
    row = connection.execute(
        "SELECT name, type, wr FROM pragma_table_list(?) WHERE schema = 'main'", (table,)
    ).fetchone()
    if row is None or row[1] != "table":
        raise NotSupportedError(f'"{table}" is not a table of the file, so it has no change log')
    name, _, without_rowid = row
    info = rows(connection, "SELECT * FROM pragma_table_xinfo(?)", (name,))
    rowid = None if without_rowid else rowid_name([c[1] for c in info])
    made = {}

    def make(event: str, body: list[str]) -> None:
        label = f"sqlagent_log_{name}_{event.lower().replace(' ', '_')}".replace("_after_", "_")
        made[label] = (
            f"CREATE TRIGGER {quoted(label)} {event} ON {quoted(name)} BEGIN {MARK} "
            f"{' '.join(body)} END"
        )

    def entry(pk: str, op: str) -> str:
        return f"INSERT INTO {LOG} (tbl, pk, op) VALUES ({literal(name)}, {pk}, '{op}');"

    new, old = (f"{row}.{rowid}" if rowid else "NULL" for row in ("NEW", "OLD"))
    make("AFTER INSERT", [entry(new, "i")])
    moved = f"INSERT INTO {LOG} (tbl, pk, op) SELECT {literal(name)}, {new}, 'u'"
    make("AFTER UPDATE", [entry(old, "u"), *([f"{moved} WHERE {new} <> {old};"] if rowid else [])])
    make("AFTER DELETE", [entry(old, "d")])
    if rowid:
        columns = {c[1]: c for c in info}
        if replaced := _replaced(connection, name, rowid, columns):
            make("BEFORE INSERT", replaced)
            itself = f" AND {rowid} IS NOT {old}"
            make("BEFORE UPDATE", _replaced(connection, name, rowid, columns, itself))
    return made


def _replaced(
    connection: apsw.Connection,
    table: str,
    rowid: str,
    columns: dict[str, tuple[object, ...]],
    but: str = "",
) -> list[str]:
    """Statements that log the rows which a REPLACE would remove, `but` some, one a UNIQUE index.

    A plain client's REPLACE fires no delete trigger, so the rows are logged before they go.
    """
    found = []
    for _, index, unique, _, partial in rows(
        connection, "SELECT * FROM pragma_index_list(?)", (table,)
    ):
        if not unique:
            continue
        # Rows that agree in some of the index's columns include those that agree in all of it, so
        # an expression and an own collation are left out.
        keys = [
            (n, c)
            for n, c in rows(
                connection, "SELECT name, coll FROM pragma_index_xinfo(?) WHERE key", (index,)
            )
            if n is not None and c.upper() in PLAIN_COLLATIONS
        ]
        into = f"INSERT INTO {LOG} (tbl, pk, op) SELECT {literal(table)}, "
        same = [f"{quoted(n)} COLLATE {c} = NEW.{quoted(n)}" for n, c in keys]
        if partial and same:
            # The index's own condition, so that SQLite may look the rows up in it.
            same += _condition(connection, index)
        if not same:  # nothing can be said in a trigger: read the whole table again
            found.append(f"{into}NULL, 'd';")
            continue
        found.append(f"{into}{rowid}, 'd' FROM {quoted(table)} WHERE {' AND '.join(same)}{but};")
        # REPLACE puts the default where NULL is not allowed, after this trigger has run.
        fills = [n for n, _ in keys if columns[n][3] and columns[n][4] is not None]
        if fills:
            missing = " OR ".join(f"NEW.{quoted(n)} IS NULL" for n in fills)
            found.append(f"{into}NULL, 'd' WHERE {missing};")
    return found


def _condition(connection: apsw.Connection, index: str) -> list[str]:
    """The WHERE of a partial index as it was written: what follows its columns' parenthesis."""
    ((sql,),) = rows(
        connection, "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (index,)
    )
    # Quoted pieces and comments are passed over whole.
    pieces = re.finditer(
        r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^]]*\]|--[^\n]*|/\*.*?\*/|[()]|\w+""",
        sql,
        re.S,
    )
    depth = 0
    for piece in pieces:
        depth += {"(": 1, ")": -1}.get(piece[0], 0)
        if depth == 0 and piece[0].upper() == "WHERE":
            return [f"({sql[piece.end() :].rstrip().rstrip(';')}\n)"]
    return []


def _present(connection: apsw.Connection, table: str) -> dict[str, str]:
    return dict(
        rows(
            connection,
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            " AND tbl_name = ? COLLATE NOCASE",
            (table,),
        )
    )


def installed(connection: apsw.Connection, table: str) -> bool:
    """Whether every change of `table` is logged, whoever writes it.

    Triggers of a migration are taken as they are; ours must be those that the table needs today,
    since a UNIQUE index or a new name since then would let changes slip by.
    """
    present = _present(connection, table)
    others = [s.upper() for s in present.values() if LOG in s.lower() and MARK not in s]
    others = [s for s in others if literal(table).upper() in s]
    events = ("INSERT", "UPDATE", "DELETE")
    if all(any(f" {e} " in " ".join(s.split("BEGIN")[0].split()) for s in others) for e in events):
        return True
    return {n: s for n, s in present.items() if MARK in s} == triggers(connection, table)


def install(connection: apsw.Connection, table: str) -> None:
    """Make the triggers of `table`, inside the caller's write transaction.

    Logs that the table must be read whole: nobody knows what changed before.
    """
    wanted = triggers(connection, table)
    for name, text in _present(connection, table).items():
        if MARK in text or name in wanted:
            connection.execute(f"DROP TRIGGER {quoted(name)}")
    for text in wanted.values():
        connection.execute(text)
    connection.execute(f"INSERT INTO {LOG} (tbl, pk, op) VALUES (?, NULL, 'd')", (table,))
