"""Sequences in the file: what nextval() and its kin do with the writer.

A number is given once. What a transaction took and undid is not given again by this process either,
as PostgreSQL would not; by another process it may be, since the file forgot it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import apsw

from sqlagent.engines.definitions import bump
from sqlagent.errors import DataError, ProgrammingError
from sqlagent.parse.lexer import lex, quote_name

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.engines.sqlite import Database
    from sqlagent.engines.writer import Handle

_COLUMNS = (
    "name, data_type, start_value, min_value, max_value, increment_by, cycles, cache_size, "
    "last_value, is_called, owner_table, owner_column"
)
# The last number that this process gave, by file and lower-case name.
_given: WeakKeyDictionary[Database, dict[str, int]] = WeakKeyDictionary()
_lock = threading.Lock()


class Sequence(NamedTuple):
    """A sequence as the file keeps it; see migration 0024."""

    name: str
    data_type: str = "bigint"
    start_value: int = 1
    min_value: int = 1
    max_value: int = 9223372036854775807
    increment_by: int = 1
    cycles: int = 0
    cache_size: int = 1
    last_value: int = 1
    is_called: int = 0
    owner_table: str | None = None
    owner_column: str | None = None


def named(text: str) -> str:
    """The name that a text such as `public."S"` names: not quoted it is in lower case."""
    tokens = [t for t in lex(text) if t.text != "."]
    if not tokens or len(tokens) > 3:
        raise ProgrammingError(f'invalid name syntax: "{text}"', sqlstate="42602")
    last = tokens[-1]
    return last.name if last.kind == "quoted" else last.name.lower()


def kept(handle: Handle) -> list[Sequence]:
    """The sequences that the file keeps, by name; none in a file of a version that had none."""
    try:
        return [
            Sequence(*row)
            for row in handle.execute(f"SELECT {_COLUMNS} FROM sqlagent_sequences ORDER BY name")
        ]
    except apsw.SQLError:
        return []


def _of_key(handle: Handle, table: str, column: str) -> Sequence:
    """The sequence that an INTEGER PRIMARY KEY is: SQLite gives the next after the greatest."""
    text = f"SELECT max({quote_name(column)}) FROM {quote_name(table)}"
    ((last,),) = handle.execute(text).fetchall()
    low = min(1, last or 1)
    return Sequence(
        f"{table}_{column}_seq", min_value=low, last_value=last or 1,
        is_called=int(last is not None), owner_table=table, owner_column=column,
    )  # fmt: skip


def find(handle: Handle, name: str) -> Sequence | None:
    """A sequence by its name: one of the file's, or that of a numbered key."""
    row = handle.execute(
        f"SELECT {_COLUMNS} FROM sqlagent_sequences WHERE name = ?", (name,)
    ).fetchone()
    if row is not None:
        return Sequence(*row)
    if not name.lower().endswith("_seq"):
        return None
    rows = handle.execute(
        "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c "
        "WHERE t.schema = 'main' AND t.type = 'table' AND NOT t.wr AND c.pk = 1 "
        "AND upper(c.type) = 'INTEGER' AND lower(t.name || '_' || c.name || '_seq') = lower(?) "
        "AND (SELECT count(*) FROM pragma_table_info(t.name) AS o WHERE o.pk) = 1", (name,),
    ).fetchall()  # fmt: skip
    return _of_key(handle, str(rows[0][0]), str(rows[0][1])) if rows else None


def columns(handle: Handle) -> dict[tuple[str, str], str]:
    """The columns that sequences fill: lower-case table and column → the sequence's name."""
    try:
        rows = handle.execute(
            "SELECT lower(table_name), lower(column_name), sequence FROM sqlagent_sequence_columns"
        ).fetchall()
    except apsw.SQLError:
        return {}
    return {(str(table), str(column)): str(name) for table, column, name in rows}


def _seen(handle: Handle, text: str, privilege: str) -> Sequence:
    """A sequence that the user may use: one that goes with a table as that table is the user's."""
    name = named(text)
    found = find(handle, name)
    gate = handle.owner.gate if handle.owner is not None else None
    if found is not None and gate is not None and found.owner_table is not None:
        from sqlagent.engines import schema

        whole = schema.seen_by(handle.owner.database, handle, handle.owner.redefined)
        table = whole.tables.get(found.owner_table.lower())
        if table is not None and not gate.rights.sees(table, whole):
            found = None
        elif not gate.rights.may(privilege, found.owner_table):
            raise ProgrammingError(
                f'permission denied for sequence "{found.name}"', sqlstate="42501"
            )
    if found is None:
        raise ProgrammingError(f'relation "{name}" does not exist', sqlstate="42P01")
    return found


def _kept(handle: Handle, text: str) -> Sequence:
    """A sequence to be used now: that of a numbered key is kept from now on, and fills its
    column."""
    found = _seen(handle, text, "insert")
    known = handle.execute(
        "SELECT 1 FROM sqlagent_sequences WHERE name = ?", (found.name,)
    ).fetchall()
    if not known:
        keep(handle, found)
        fill(handle, str(found.owner_table), str(found.owner_column), found.name)
        if handle.owner is not None:  # plans that were made do not fill it
            handle.owner.redefined = handle.owner.txn is not None
            handle.owner.plans.clear()
            handle.owner.database.known_catalog = None
    return found


def keep(handle: Handle, sequence: Sequence) -> None:
    """Write a sequence, new or changed."""
    marks = ", ".join("?" * len(sequence))
    handle.execute(
        f"INSERT OR REPLACE INTO sqlagent_sequences ({_COLUMNS}) VALUES ({marks})", sequence
    )


def forget(handle: Handle, name: str) -> None:
    """Let numbers be given again that this process gave: somebody said so."""
    if handle.owner is not None:
        with _lock:
            _given.get(handle.owner.database, {}).pop(name.lower(), None)


def fill(handle: Handle, table: str, column: str, name: str | None) -> None:
    """Let a sequence fill a column where an INSERT leaves it out; None: none does any more."""
    if name is None:
        handle.execute(
            "DELETE FROM sqlagent_sequence_columns WHERE table_name = ? AND column_name = ?",
            (table, column),
        )
    else:
        handle.execute(
            "INSERT OR REPLACE INTO sqlagent_sequence_columns VALUES (?, ?, ?)",
            (table, column, name),
        )
    bump(handle)


# What the functions do -----------------------------------------------------------------------


def next_value(database: Database, handle: Handle, text: str) -> int:
    """The next number. Raises DataError (2200H) past the last one."""
    found = _kept(handle, text)
    step, last = found.increment_by, found.last_value
    value = last + step if found.is_called else last
    with _lock:
        given = _given.setdefault(database, {})
        known = given.get(found.name.lower())
        if known is not None and found.is_called and (known - value) * step >= 0:
            value = known + step  # one that was taken, and undone with its transaction
    if found.owner_table is not None and step == 1:
        value = max(value, _greatest(handle, found) + 1)
    if value > found.max_value or value < found.min_value:
        if not found.cycles:
            end, most = ("maximum", found.max_value) if step > 0 else ("minimum", found.min_value)
            raise DataError(
                f'nextval: reached {end} value of sequence "{found.name}" ({most})',
                sqlstate="2200H",
            )
        value = found.min_value if step > 0 else found.max_value
    _write(database, handle, found, value, True)
    _remember(handle.owner, found.name, value)
    return value


def _greatest(handle: Handle, found: Sequence) -> int:
    """The greatest number in a key that numbers rows by itself too; else the least that can be."""
    info = handle.execute(f"PRAGMA table_info({quote_name(str(found.owner_table))})").fetchall()
    keys = [c for c in info if c[5]]
    own = [str(c[1]).lower() for c in keys] == [str(found.owner_column).lower()]
    if not own or str(keys[0][2]).upper() != "INTEGER":
        return found.min_value - 1
    text = f"SELECT max({quote_name(str(keys[0][1]))}) FROM {quote_name(str(found.owner_table))}"
    ((most,),) = handle.execute(text).fetchall()
    return found.min_value - 1 if most is None else int(most)


def set_value(database: Database, handle: Handle, text: str, value: int, called: bool) -> int:
    """Set the last number, or with `called` false the next one."""
    found = _kept(handle, text)
    if not found.min_value <= value <= found.max_value:
        raise DataError(
            f'setval: value {value} is out of bounds for sequence "{found.name}" '
            f"({found.min_value}..{found.max_value})",
            sqlstate="22003",
        )
    with _lock:
        _given.setdefault(database, {}).pop(found.name.lower(), None)
    _write(database, handle, found, value, called, given=False)
    if called:
        _remember(handle.owner, found.name, value, last=False)
    return value


def _write(
    database: Database, handle: Handle, found: Sequence, value: int, called: bool,
    given: bool = True,
) -> None:  # fmt: skip
    handle.execute(
        "UPDATE sqlagent_sequences SET last_value = ?, is_called = ? WHERE name = ?",
        (value, int(called), found.name),
    )
    if given:
        with _lock:
            _given.setdefault(database, {})[found.name.lower()] = value


def _remember(connection: Connection | None, name: str, value: int, last: bool = True) -> None:
    if connection is None:
        return
    connection.sequences[name.lower()] = value
    if last:
        connection.sequences[""] = value


def current_value(handle: Handle, connection: Any, text: str) -> int:
    """The number that nextval() gave this connection last."""
    found = _seen(handle, text, "select")
    value = connection.sequences.get(found.name.lower()) if connection is not None else None
    if value is None:
        raise ProgrammingError(
            f'currval of sequence "{found.name}" is not yet defined in this session',
            sqlstate="55000",
        )
    return int(value)


def last_value(connection: Any) -> int:
    """The number that nextval() gave this connection last, of whichever sequence."""
    value = connection.sequences.get("") if connection is not None else None
    if value is None:
        raise ProgrammingError("lastval is not yet defined in this session", sqlstate="55000")
    return int(value)
