"""Running a WITH that writes: its parts in turn, in one transaction.

What a part returns becomes a temporary table of the writer's for those after it. All parts see what
was there before the statement began (`sqlagent.run.before`), and a row is changed by one part only:
the first. A part that SQLite cannot say is said again with the rows in its text, for DuckDB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.catalog import Column, Table
from sqlagent.errors import Error, NotSupportedError
from sqlagent.parse.lexer import lex, quote_name, statements
from sqlagent.parse.parameters import Numbering
from sqlagent.plan.named import output_names, spread
from sqlagent.plan.plans import WritingWith
from sqlagent.run.before import Before, watchable
from sqlagent.run.lite import LiteWrite
from sqlagent.run.parts import Reads, Said, named_in, said
from sqlagent.run.writing import fail, writing
from sqlagent.types import logical
from sqlagent.values import pick, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlagent.connection import Connection, Runner
    from sqlagent.cursor import Cursor
    from sqlagent.engines.sqlite import Database, Handle
    from sqlagent.parse.writing_with import Part

RETURNED = "sqlagent_returned_"  # the names of what parts return, with their numbers
OLD, TOUCHED = "sqlagent_old_", "sqlagent_touched_"
_SAVEPOINT = '"sqlagent with"'
_DECLARED = {"JSON": "JSON TEXT", "UUID": "UUID TEXT", "HUGEINT": "BIGINT"}
Rows = list[tuple[Any, ...]]


class RunWritingWith:
    """The runner of a WITH that writes."""

    repeats = True

    def __init__(self, database: Database, plan: WritingWith, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text
        self.made: dict[Any, tuple[Said, Runner]] = {}  # parts that were planned, by what they read
        self.made_by = -1

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        own = connection.txn is None
        if own:
            connection.begin()
        try:
            if not own:
                writing(connection, lambda h: h.execute(f"SAVEPOINT {_SAVEPOINT}"), None)
            if self.made_by != self.database.generation:
                self.made.clear()
                self.made_by = self.database.generation
            self._count(parameters)
            once = Once(self, connection, parameters)
            try:
                once.run(cursor)
            finally:
                once.end()
        except BaseException as error:
            self._undo(connection, own)
            if isinstance(error, Error) and error.sql != self.text:
                error.sql, error.position = self.text, None  # it speaks of a part
            raise
        if not own:
            connection.txn.execute(f"RELEASE {_SAVEPOINT}")
        elif connection.autocommit:
            connection.commit()

    def _count(self, parameters: Any) -> None:
        """Raise where there are not as many parameters as the statement has."""
        numbering = Numbering(self.text, statements(lex(self.text))[0])
        pick(tuple(numbering.slots), parameters)

    def _undo(self, connection: Connection, own: bool) -> None:
        if own:
            connection.rollback()
            return
        if connection.txn is not None and connection.txn.in_transaction:
            connection.txn.execute(f"ROLLBACK TO {_SAVEPOINT}")
            connection.txn.execute(f"RELEASE {_SAVEPOINT}")
        fail(connection)


class Once:
    """One run of it."""

    def __init__(self, runner: RunWritingWith, connection: Connection, parameters: Any) -> None:
        self.runner = runner
        self.connection = connection
        self.parameters = parameters
        self.handle: Handle = connection.txn
        # Columns and rows of what is returned or was there before, by the name of its table.
        self.rows: dict[str, tuple[tuple[Column, ...], Rows]] = {}
        self.kept: dict[str, int] = {}  # how many rows were noted of a table when it was kept
        self.names: dict[str, str] = {}  # of the parts, lower case, to those of their tables
        self.before = Before({})

    def run(self, cursor: Cursor) -> None:
        """The parts one after the other; the rows are the last one's."""
        *queries, main = self.runner.plan.parts
        self._watch()
        for number, part in enumerate(queries, 1):
            if part.writes:
                columns, rows = self._returned(number, part)
                if part.returning:
                    name = f"{RETURNED}{number}"
                    self.names[part.name.lower()] = name
                    self._keep(name, columns, rows, "returned")
                else:
                    self.names[part.name.lower()] = ""
        self.before.stop(self.handle)
        self._part(0, main, lambda made, values: self._last(made, values, cursor))

    def end(self) -> None:
        """Take away what the parts had in common."""
        self.connection.returned.clear()
        self.before.stop(self.handle)
        if self.handle.in_transaction:
            for name in self.rows:
                self.handle.execute(f"DROP TABLE IF EXISTS temp.{quote_name(name)}")

    def _watch(self) -> None:
        """Note what changes of the tables that later parts name; what cannot be noted is read now,
        as a view that is over a table which is written."""
        from sqlagent.engines import schema

        connection, plan = self.connection, self.runner.plan
        catalog = schema.seen_by(self.runner.database, self.handle, connection.redefined)
        first = next(n for n, p in enumerate(plan.parts) if p.writes)
        named = set[str]().union(*(named_in(plan, p) for p in plan.parts[first + 1 :]))
        own = {p.name.lower() for p in plan.parts}
        goals = {p.target.lower() for p in plan.parts if p.writes}
        watched: dict[str, Table] = {}
        for name in sorted(named - own):
            name = connection.temporary_tables.get(name, name).lower()
            table = catalog.tables.get(name)
            if table is None:
                continue
            if watchable(self.handle, table):
                watched[name] = table
            elif self._reads(catalog, table) & goals and (
                table.kind in ("view", "query")
                or sum(name in named_in(plan, p) for p in plan.parts) > 1
            ):
                columns, rows = self._read(f"SELECT * FROM {quote_name(table.name)}")
                self._keep(f"{OLD}{name}", columns, rows, "before")
                self.names[name] = f"{OLD}{name}"
        self.before = Before(watched)
        self.before.start(self.handle)

    def _reads(self, catalog: Any, table: Table) -> set[str]:
        """The tables that a view is over; of a table itself."""
        if table.kind not in ("view", "query", "materialized"):
            return {table.name.lower()}
        found, todo = set[str](), [table]
        while todo:
            view = todo.pop()
            text = view.sql or "".join(
                d.sql for d in catalog.definitions.get(view.name.lower(), ())
            )
            for token in lex(text):
                other = catalog.tables.get(token.name.lower())
                if other is not None and other.name.lower() not in found:
                    found.add(other.name.lower())
                    todo.append(other)
        return found

    # Parts --------------------------------------------------------------------------------------

    def _returned(self, number: int, part: Part) -> tuple[tuple[Column, ...], Rows]:
        """Run a part that writes: what it returns."""
        found: list[tuple[list[Any], Rows]] = []
        self._part(number, part, lambda made, values: found.append(self._rows(made, values)))
        columns, rows = found[0]
        given = spread(self._output_names(part), len(columns))
        names = [new or str(old) for new, (old, _) in zip(given, columns, strict=True)]
        if part.columns:
            if len(part.columns) > len(names):
                raise NotSupportedError(
                    f'WITH query "{part.name}" has {len(names)} columns available but '
                    f"{len(part.columns)} columns specified", sqlstate="42P10",
                )  # fmt: skip
            names[: len(part.columns)] = part.columns
        kinds = [kind for _, kind in columns]
        return tuple(Column(n, k) for n, k in zip(_distinct(names), kinds, strict=True)), rows

    def _output_names(self, part: Part) -> Any:
        if not part.returning:
            return None
        tokens = list(part.returning)
        text = self.runner.text[tokens[0].start : tokens[-1].start + len(tokens[-1].text)]
        tokens = statements(lex(f"SELECT {text}"))[0]
        if self.connection.settings["dialect"] == "postgres":
            from sqlagent.plan.pg_names import pg_names

            return pg_names(tokens)
        return output_names(f"SELECT {text}", tokens)

    def _part(self, number: int, part: Part, run: Callable[[Runner, Any], None]) -> None:
        """Plan a part, if that was not done before, and run it."""
        runner, connection = self.runner, self.connection
        changed = sorted(self.before.changed() & named_in(runner.plan, part))
        self._old(changed)
        reads = Reads(
            self.names, {n: self.before.tables[n] for n in changed}, self.rows,
            connection.temporary_tables, OLD, TOUCHED,
        )  # fmt: skip
        kinds = tuple((name, t.columns) for name, t in connection.returned.items())
        key = (number, tuple(changed), tuple(sorted(self.names.items())), kinds)
        known = runner.made.get(key)
        if known is None:
            dialect = str(connection.settings["dialect"])
            text = said(runner.text, runner.plan, part, reads, dialect, False)
            try:
                known = self._planned(text, "sqlite")
            except NotSupportedError:
                if connection.settings["route"] == "sqlite":
                    raise
                text = said(runner.text, runner.plan, part, reads, dialect, True)
                known = self._planned(text, "auto")
            if not text.inline and not connection.redefined:
                runner.made[key] = known
        text, made = known
        run(made, self.parameters if text.slots is None else _picked(text, self.parameters))

    def _planned(self, text: Said, route: str) -> tuple[Said, Runner]:
        from sqlagent.run import make, plan_of

        connection = self.connection
        planned = plan_of(connection, text.sql, route=route)
        runner = make(self.runner.database, planned)
        if connection.gate is not None:
            runner = connection.gate.runner(connection, text.sql, runner)
        return text, runner

    def _rows(self, made: Any, values: Any) -> tuple[list[Any], Rows]:
        """The columns and rows of a part, as the file keeps them."""
        from sqlagent.cursor import Cursor

        connection = self.connection
        inner = made
        check = getattr(made, "_check", None)
        if check is not None:  # the gate's
            inner = made._runner
        if isinstance(inner, LiteWrite):
            if check is not None:
                check(connection, values)

            def work(handle: Handle) -> Rows:
                inner.prepare(connection, handle)
                rows = list(inner.start(handle, values))
                inner.chunk(handle)
                return rows

            rows = writing(connection, work, None)
            # Not by the first row: a column without a type holds any.
            columns = inner.columns or []
            if any(kind is None for _, kind in columns):
                columns = inner.inferred(connection, columns)
            return columns, rows
        cursor = Cursor(connection)
        made(connection, cursor, values)
        columns = list(cursor._described() or ()) if cursor._iter is not None else []
        rows = [tuple(map(stored, row)) for row in cursor.fetchall()] if columns else []
        return columns, rows

    def _read(self, sql: str) -> tuple[tuple[Column, ...], Rows]:
        """All rows of a table or view, as the user sees it."""
        columns, rows = self._rows(self._planned(Said(sql, (), False), "auto")[1], ())
        return tuple(Column(str(name), kind) for name, kind in columns), rows

    def _last(self, made: Runner, values: Any, cursor: Cursor) -> None:
        made(self.connection, cursor, values)
        if cursor._iter is not None:
            cursor._columns = cursor._described()
            cursor._iter = iter(cursor.fetchall())
            cursor._table = cursor._batches = None

    # What parts have in common ------------------------------------------------------------------

    def _keep(
        self, name: str, columns: tuple[Column, ...], rows: Iterable[tuple[Any, ...]], kind: str
    ) -> None:
        """Rows as a temporary table of the writer's, which the planner knows until the end."""
        kept = list(rows)
        declared = ", ".join(f"{quote_name(c.name)} {_declared(c)}" for c in columns)
        marks = ", ".join("?" * len(columns))
        self.handle.execute(f"CREATE TEMP TABLE {quote_name(name)} ({declared})")
        self.handle.executemany(f"INSERT INTO temp.{quote_name(name)} VALUES ({marks})", kept)
        shown = tuple(Column(c.name, logical(_declared(c)) or c.type) for c in columns)
        self.rows[name] = shown, kept
        self.connection.returned[name] = Table(name, kind, shown)

    def _old(self, names: list[str]) -> None:
        """Keep what has changed of tables that a part reads."""
        for name in names:
            table, many = self.before.tables[name], len(self.before.rows[name])
            if self.kept.get(name) == many:
                continue
            for place, columns, rows in (
                (f"{OLD}{name}", table.columns, self.before.old(name)),
                (f"{TOUCHED}{name}", (Column("touched", "BIGINT"),), self.before.touched(name)),
            ):
                self.handle.execute(f"DROP TABLE IF EXISTS temp.{quote_name(place)}")
                self._keep(place, columns, rows, "before")
            self.kept[name] = many


def _picked(text: Said, parameters: Any) -> tuple[Any, ...]:
    """The parameters of a part."""
    values = parameters if isinstance(parameters, list | tuple) else tuple(parameters)
    return tuple(values[slot] for slot in text.slots or () if isinstance(slot, int))


def _declared(column: Column) -> str:
    """How a column is declared, so that it has the affinity and the type of what it is of."""
    if column.declared is not None:
        return column.declared
    kind = column.type or ""  # without one, it leaves every value as it is
    return _DECLARED.get(kind, kind)


def _distinct(names: list[str]) -> list[str]:
    """Names of columns, of which no two are alike."""
    found: list[str] = []
    for name in names:
        new, number = name, 1
        while new.lower() in {f.lower() for f in found}:
            new, number = f"{name}_{number}", number + 1
        found.append(new)
    return found
