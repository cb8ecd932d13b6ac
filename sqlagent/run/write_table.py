"""Table functions that write: the function first, with the writer; then the read over its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlagent.context import Context
from sqlagent.engines.sqlite import Database, Handle
from sqlagent.errors import ProgrammingError
from sqlagent.functions import Function, functions, invoke, sql_literal
from sqlagent.parse.lexer import lex
from sqlagent.plan.plans import Argument, WriteTable
from sqlagent.run.calls import context_of, value_of
from sqlagent.run.writing import writing
from sqlagent.sync.log import quoted
from sqlagent.values import row_converter

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor


class RunWriteTable:
    """`SELECT … FROM merge_states(…) …`."""

    def __init__(self, database: Database, plan: WriteTable, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text
        self.body = functions()[plan.call.function or ""]
        self.picked = picked(self.body, plan.before, plan.after)

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        values = [value_of(a, (), parameters) for a in self.plan.call.arguments]
        if connection.gate is not None:
            connection.gate.called(connection, self.body, values)
        given = [value_of(Argument(slot=s), (), parameters) for s in self.plan.slots]
        if self.body.waits:
            shown = self.read(connection, self.waited(connection, values), given)
            cursor._columns, cursor._iter = shown._columns, iter(shown.fetchall())
            return
        self.read(connection, [], given)  # where it cannot be read, nothing is written

        def work(handle: Handle) -> list[tuple[Any, ...]]:
            found = invoke(self.body, context_of(self.database, connection, handle), values)
            return [] if found is None else list(found)

        own = connection.txn is None
        if own:
            connection.begin()
        try:
            rows = writing(connection, work, self.text, several=True)
            shown = self.read(connection, rows, given)
            cursor._columns, cursor._iter = shown._columns, iter(shown.fetchall())
        except BaseException:
            if own:
                connection.rollback()
            raise
        if own and connection.autocommit:
            connection.commit()

    def waited(self, connection: Connection, values: list[Any]) -> list[tuple[Any, ...]]:
        """The rows of a function that waits: no transaction is open meanwhile."""
        if connection.txn is not None:
            raise ProgrammingError(
                f"{self.body.name}() cannot wait in a transaction: nobody could commit",
                hint="COMMIT first.", sqlstate="25001",
            )  # fmt: skip
        context = Context(self.database, connection.settings, None, connection)
        return list(invoke(self.body, context, values) or ())

    def read(
        self, connection: Connection, rows: Sequence[tuple[Any, ...]], parameters: list[Any]
    ) -> Cursor:
        """The SELECT over these rows; a route is for tables of the file, and these are of none."""
        from sqlagent.cursor import Cursor
        from sqlagent.run import make, plan_of

        shown = Cursor(connection)
        if self.picked is not None:
            shown._columns = [self.body.columns[at] for at in self.picked]
            convert = row_converter([kind for _, kind in shown._columns])
            some: Iterator[Any] = (tuple(row[at] for at in self.picked or ()) for row in rows)
            shown._iter = some if convert is None else map(convert, some)
            return shown
        lite = connection.settings["dialect"] == "sqlite"
        text = self.plan.before + relation(self.body, rows, lite) + self.plan.after
        make(self.database, plan_of(connection, text, route="auto"))(connection, shown, parameters)
        return shown


# What a body gives as the cursor does, but for a converter.
_AS_THEY_ARE = {"BIGINT", "VARCHAR", "JSON", "TIMESTAMP"}


def picked(function: Function, before: str, after: str) -> list[int] | None:
    """Which columns a SELECT picks, where it is of some of them by name and nothing else."""
    head, tail = lex(before), lex(after)
    names = [name for name, _ in function.columns]
    if tail and not (len(tail) == 2 and tail[0].upper == "AS"):
        return None
    if len(head) < 3 or head[0].upper != "SELECT" or head[-1].upper != "FROM":
        return None
    if not _AS_THEY_ARE.issuperset(kind for _, kind in function.columns):
        return None
    words = [token.text for token in head[1:-1]]
    if words == ["*"]:
        return list(range(len(names)))
    if len(words) % 2 == 0 or any(word != "," for word in words[1::2]):
        return None
    return [names.index(w) for w in words[::2]] if set(words[::2]) <= set(names) else None


def relation(function: Function, rows: Sequence[tuple[Any, ...]], lite: bool = False) -> str:
    """Rows of a function as a relation in SQL, under its names and, but in SQLite's own dialect
    (`lite`), in its types."""
    columns = function.columns
    some = rows or [(None,) * len(columns)]
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in some)
    never = "" if rows else " WHERE false"
    if lite:
        names = [f"column{n} AS {quoted(name)}" for n, (name, _) in enumerate(columns, 1)]
        return f"(SELECT {', '.join(names)} FROM (VALUES {values}){never})"
    names = [f"CAST(c{n} AS {kind}) AS {quoted(name)}" for n, (name, kind) in enumerate(columns)]
    places = ", ".join(f"c{n}" for n in range(len(columns)))
    return f"(SELECT {', '.join(names)} FROM (VALUES {values}) AS v ({places}){never})"


def literal(value: Any) -> str:
    """A value of a row as SQL text."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, bool | int | float | str | type(None)):
        return sql_literal(value)
    return sql_literal(str(value))
