"""The gate: every statement of a user from outside passes it where its text becomes a plan.

`connect(path, principal)` gives a connection whose `gate` the engine asks; without a principal, the
file's owner, there is none. In order: the first word, the calls, the rows of agents, the plan by
the catalog of what the user sees, the kind of plan, and last what the engines themselves read in
the texts that they are to run (`sqlagent.serve.judge`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlagent
from sqlagent.errors import Error, NotSupportedError, OperationalError, ProgrammingError
from sqlagent.parse.lexer import Token, lex, quote, statements
from sqlagent.parse.parameters import edited
from sqlagent.plan.plans import (
    Call,
    Calls,
    ColumnsWrite,
    Define,
    Duck,
    Explain,
    Fill,
    Lite,
    Materialize,
    Merge,
    Plan,
    Redefine,
    Rehearsal,
    Script,
    SequenceChange,
    Setting,
    Transaction,
    Typed,
    WriteTable,
    WritingWith,
)  # fmt: skip
from sqlagent.plan.writing_with import writing_with
from sqlagent.run.calls import RunCalls
from sqlagent.run.lite import LiteWrite
from sqlagent.run.place import STATEMENTS
from sqlagent.serve import calling, judge
from sqlagent.serve.allowed import DEFINES, READS, SETTABLE, WRITES
from sqlagent.serve.limits import LimitError
from sqlagent.serve.rights import PrivilegeError, Rights

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog
    from sqlagent.connection import Connection, Runner
    from sqlagent.cursor import Cursor
    from sqlagent.engines.writer import Handle
    from sqlagent.functions import Function
    from sqlagent.serve.limits import Visit
    from sqlagent.serve.users import Principal

__all__ = ["Gate", "PrivilegeError", "connect"]
Protected = Callable[[str], str | None]
_SCHEMA = ("sqlite_master", "sqlite_schema")
_VERBS = {**dict.fromkeys(READS, "read"), **dict.fromkeys(WRITES, "write")}


def connect(path: str, principal: Principal | None, **settings: Any) -> Connection:
    """A connection to the file for a user who has logged in; None is its owner.

    A statement that the user may not run raises PrivilegeError (SQLSTATE 42501).
    """
    connection = sqlagent.connect(path, **settings)
    connection.principal = principal
    if principal is not None:
        connection.gate = Gate(principal)
        connection.settings = Bounded(connection.settings, connection.gate)
    return connection


class Bounded(dict[str, Any]):
    """The settings of a user's session: no time limit beyond the one that is set for the user."""

    def __init__(self, settings: Mapping[str, Any], gate: Gate) -> None:
        super().__init__(settings)
        self._gate = gate

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if key == "statement_timeout_ms" and (most := self._gate.timeout_ms_max):
            return min(value or most, most)
        return value


class Gate:
    """What one user's statements may do, on one connection."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.rights = Rights(principal)
        self.timeout_ms_most = 0  # the server's own limits, beside the user's
        self.rows_most = 0
        self.trusted = principal.trusted
        self.visit: Visit | None = None  # the place that the connection takes, where it is to end
        self._shut = False
        self._renewed = 0  # how often; a plan that was begun before the last time is not kept
        self._begun = 0
        self._checks: dict[str, list[calling.Check]] = {}  # of the text that was planned last

    # Life ---------------------------------------------------------------------------------------

    @property
    def timeout_ms_max(self) -> int:
        """How long a statement may run, in ms; 0 is no limit."""
        return _least(self.timeout_ms_most, self.principal.statement_timeout_ms)

    @property
    def rows_max(self) -> int:
        """How many rows a result may have; 0 is no limit."""
        return _least(self.rows_most, self.principal.rows_max)

    def renew(self, principal: Principal) -> None:
        """The user's rights are others from the next statement on."""
        self.principal = principal
        self.rights = Rights(principal)
        self._renewed += 1

    def shut(self) -> None:
        """The user is gone: no statement is let through any more."""
        self._shut = True

    def ended(self) -> None:
        """The connection is closed."""
        if self.visit is not None:
            self.visit.leave()

    # Planning -----------------------------------------------------------------------------------

    def plan(
        self,
        connection: Connection,
        sql: str,
        catalog: Catalog,
        settings: Mapping[str, Any],
        protected: Protected,
    ) -> Plan:
        """The plan of a text, where its user may run it. Raises PrivilegeError."""
        if self._shut:
            raise OperationalError(
                f'the user "{self.principal.name}" may no longer log in', sqlstate="57P01"
            )
        self._checks, self._begun = {}, self._renewed
        parts = statements(lex(sql))
        if len(parts) > 1 or not parts:  # a script's parts come by themselves; else an error
            from sqlagent.plan import plan

            made = plan(sql, self.rights.catalog(catalog), settings, protected)
            self.check(connection, catalog, made.run)
            return made
        tokens = parts[0]
        self._verb(tokens[0], sql)
        seen = self.rights.catalog(catalog)
        if [t.upper for t in tokens] == ["SHOW", "TABLES"] and self.rights.limited:
            return Plan(sql, _names(seen))
        if tokens[0].upper == "WITH" and (several := writing_with(sql, tokens)) is not None:
            self.check(connection, catalog, several)
            return Plan(sql, several)
        edits, checks = calling.checked(sql, tokens, self.rights)
        made = self._planned(sql, tokens, edits, seen, catalog, settings, protected)
        self.check(connection, catalog, made.run)
        self._checks = {sql: checks} if checks else {}
        return made._replace(sql=sql)

    def _planned(
        self,
        sql: str,
        tokens: list[Token],
        edits: list[tuple[int, int, str]],
        seen: Catalog,
        whole: Catalog,
        settings: Mapping[str, Any],
        protected: Protected,
    ) -> Plan:
        """The plan of a statement over what the user sees."""
        from sqlagent.plan import plan

        if self._through_views(tokens, seen, whole):
            settings = {**settings, "route": "sqlite"}
        listed = any(t.name.lower() == "sqlagent_functions" for t in tokens)
        if self.rights.agents is None and not listed:
            made = plan(edited(sql, edits), seen, settings, protected)
            if isinstance(made.run, Typed):
                made = plan(edited(sql, edits), seen, {**settings, "route": "sqlite"}, protected)
            return made
        return self._of_agents(sql, edits, seen, settings, protected)

    def _of_agents(
        self,
        sql: str,
        edits: list[tuple[int, int, str]],
        seen: Catalog,
        settings: Mapping[str, Any],
        protected: Protected,
    ) -> Plan:
        """The plan of a statement over the rows of the user's agents."""
        from sqlagent.plan import plan
        from sqlagent.serve import narrow

        text = edited(sql, edits)
        if any(t.upper == "GRAPH_TABLE" for t in lex(text)):
            from sqlagent.plan.graph_table import graph_tables

            text = graph_tables(text)
        tokens = statements(lex(text))[0]
        if tokens[0].upper not in narrow.TREES:
            return plan(text, seen, settings, protected)
        dialect = str(settings.get("dialect", "duckdb"))
        inner = tokens
        while inner[0].upper in ("EXPLAIN", "PLAN", "ANALYZE"):
            inner = inner[1:]

        def cut(barrier: bool) -> str:
            head = " " * inner[0].start
            body = head + text[inner[0].start :]
            made = narrow.narrowed(body, inner, seen, self.rights, dialect, barrier)
            return text[: inner[0].start] + made.sql[inner[0].start :]

        quiet = {**settings, "route": "sqlite"}
        try:
            if narrow.is_quiet(inner) and settings.get("route", "auto") != "duckdb":
                try:
                    return plan(cut(False), seen, quiet, protected)
                except NotSupportedError:
                    pass
            made = plan(cut(True), seen, settings, protected)
            if isinstance(made.run, Typed):
                made = plan(cut(True), seen, quiet, protected)
            return made
        except Error as error:
            if error.sql is not None and error.sql != sql:
                error.sql, error.position = sql, None  # it speaks of a text that nobody wrote
            raise

    def _through_views(self, tokens: list[Token], seen: Catalog, whole: Catalog) -> bool:
        """Whether a view is named that shows what the user does not see, or not whole: on SQLite
        alone is a view read by its name."""
        if not self.rights.limited:
            return False
        for token in tokens:
            name = token.name.lower()
            table = seen.tables.get(name) if token.kind in ("word", "quoted") else None
            if table is not None and table.kind == "view" and (
                self.rights.agents is not None or not judge.reads(whole, name) <= set(seen.tables)
            ):  # fmt: skip
                return True
        return False

    def _verb(self, token: Token, sql: str) -> None:
        """Raise PrivilegeError by the first word."""
        word = token.upper
        kind = _VERBS.get(word, "define" if word in DEFINES else "")
        principal = self.principal
        if token.text == "(" or kind == "read":
            return
        if kind == "write":
            if not principal.writes:
                raise self._reader()
        elif kind == "define":
            if word == "ALTER" and _alters_user(sql):
                return  # the call that it becomes is judged: a password of one's own
            if principal.role != "admin" or self.rights.limited:
                raise PrivilegeError(
                    f'user "{principal.name}" may not change the schema',
                    detail="that is for admins, of every table and agent",
                )
            if word == "VACUUM" and any(t.upper == "INTO" for t in lex(sql)):
                raise PrivilegeError("VACUUM INTO writes a file of the server")
        elif word and word.lower() not in STATEMENTS:
            raise ProgrammingError(
                f'syntax error at or near "{token.text}"', sql=sql, position=token.start
            )
        elif word:
            raise PrivilegeError(
                f"{word} is not for users of the server", sql=sql, position=token.start
            )

    def _reader(self) -> PrivilegeError:
        return PrivilegeError(
            f'user "{self.principal.name}" may only read',
            hint=f"An admin may say ALTER USER {self.principal.name} ROLE writer",
        )

    # Plans --------------------------------------------------------------------------------------

    def check(self, connection: Connection, whole: Catalog, run: Any) -> None:
        """Raise PrivilegeError for a plan that the user may not run. What is not known here is not
        run: a new kind of plan has to be let in."""
        if isinstance(run, Transaction | Script):
            return
        if isinstance(run, Setting):
            self._setting(run)
        elif isinstance(run, Explain | Rehearsal):
            self.check(connection, whole, run.plan)
        elif isinstance(run, WritingWith):  # each part is planned, and judged, where it runs
            if not self.principal.writes:
                raise self._reader()
        elif isinstance(run, Lite):
            self._lite(connection, whole, run)
        elif isinstance(run, Duck):
            self._duck(connection, run)
            for other in (run.lite, run.across):
                if other is not None:
                    self._lite(connection, whole, other)
        elif isinstance(run, Calls):
            for output in run.outputs:
                if output.function:
                    self._function(output.function)
            if run.source is not None:
                self.check(connection, whole, run.source)
        elif isinstance(run, WriteTable):
            self._function(str(run.call.function))
        elif isinstance(run, Fill):
            self._write(run.table)
            self.check(connection, whole, run.source)
            if run.target:
                raise PrivilegeError("other databases are not for users of the server")
            if run.create is not None:
                self._define()
            else:
                text = run.insert if run.returning is None else run.returning.sql
                self._text(connection, whole, text, native=False)
        elif isinstance(run, Merge):
            self._write(run.table)
            for text, _ in run.stage:
                self._staged(connection, whole, text)
        elif isinstance(run, ColumnsWrite):
            self._columns(run)
        elif isinstance(run, Define | Materialize | Redefine | SequenceChange):
            self._define()
            if isinstance(run, Define) and run.probe is not None:
                self.check(connection, whole, run.probe)
        elif isinstance(run, Call):
            self._call(run)
        else:
            raise PrivilegeError("this statement is not for users of the server")

    def _lite(self, connection: Connection, whole: Catalog, run: Lite) -> None:
        if run.source:
            raise PrivilegeError("other databases are not for users of the server")
        if run.writes and not self.principal.writes:
            raise self._reader()
        if run.ddl:
            self._define()
        ddl = run.ddl or lex(run.sql)[0].upper in DEFINES
        self._text(connection, whole, run.sql, native=run.native, ddl=ddl)

    def _text(
        self, connection: Connection, whole: Catalog, sql: str, *, native: bool, ddl: bool = False
    ) -> None:
        judge.check_sqlite(connection, self.rights, whole, sql, native, ddl)

    def _duck(self, connection: Connection, run: Duck) -> None:
        if run.files or run.natives:
            raise PrivilegeError("files of the server are not for its users")
        if any(feed.source for feed in run.feeds):
            raise PrivilegeError("other databases are not for users of the server")
        seen = self.rights.catalog(self._whole(connection))
        feeds = {f.name for f in run.feeds} | {v.name for v in run.views}
        for feed in run.feeds:
            if not self.rights.may("select", feed.table):
                raise PrivilegeError(f'permission denied for table "{feed.table}"')
        judge.check_duckdb(connection, self.rights, seen, run.sql, feeds)

    def _staged(self, connection: Connection, whole: Catalog, text: str) -> None:
        """A statement that puts rows of a MERGE into a temporary table of the writer's."""
        del connection
        for token in lex(text):
            table = whole.tables.get(token.name.lower())
            if token.kind in ("word", "quoted") and table is not None and (
                not self.rights.sees(table, whole)
            ):  # fmt: skip
                raise PrivilegeError(f'permission denied for table "{table.name}"')

    def _columns(self, run: ColumnsWrite) -> None:
        if run.files:
            raise PrivilegeError("files of the server are not for its users")
        if run.verb == "create":
            self._define()
        self._write(run.table)
        for name in run.tables:
            if not self.rights.may("select", name):
                raise PrivilegeError(f'permission denied for table "{name}"')
        from sqlagent.serve.judge_tree import check_calls

        check_calls(self.rights, run.sql)

    def _function(self, name: str) -> None:
        from sqlagent.functions import functions

        function = functions()[name]
        if function.writes and not (self.principal.writes or self.rights.calls(function)):
            raise self._reader()
        if not self.rights.calls(function):
            raise PrivilegeError(f"permission denied for function {name}()")

    def _write(self, table: str) -> None:
        if not self.principal.writes:
            raise self._reader()
        for privilege in ("insert",):
            if table and not self.rights.may(privilege, table):
                raise PrivilegeError(f'permission denied for table "{table}"')

    def _define(self) -> None:
        if self.principal.role != "admin" or self.rights.limited:
            raise PrivilegeError(f'user "{self.principal.name}" may not change the schema')

    def _call(self, run: Call) -> None:
        from sqlagent.functions import functions

        if run.name in functions():
            self._function(run.name)
            if self.rights.agents is not None:
                raise PrivilegeError(f"SELECT {run.name}(…) is what users of some agents call")
        elif run.name not in ("sync", "check") and self.principal.role != "admin":
            raise PrivilegeError(f"CALL {run.name}() is for admins")
        elif run.name != "sync" and self.rights.limited:
            raise PrivilegeError(f"CALL {run.name}() is of all tables and agents")

    def _setting(self, run: Setting) -> None:
        if run.verb == "set" and str(run.name) not in SETTABLE and (
            str(run.name) != "statement_timeout"
        ):  # fmt: skip
            raise PrivilegeError(f'the setting "{run.name}" is not for users of the server')

    def _whole(self, connection: Connection) -> Catalog:
        from sqlagent.engines import schema

        if connection.txn is not None:
            return schema.read_catalog(connection.txn)
        return schema.catalog(connection.database)

    # Running ------------------------------------------------------------------------------------

    def runner(self, connection: Connection, sql: str, runner: Runner) -> Runner:
        """What runs a text that was just planned: with what is to be checked of its parameters."""
        if self._begun != self._renewed:  # the rights changed meanwhile: the plan is not kept
            connection.planned_by = -1
        checks = self._checks.pop(sql, None)
        if not checks and (not self.rows_max or isinstance(runner, LiteWrite)):
            return runner
        return Checked(self, runner, checks or [])

    def called(self, connection: Connection, function: Function, values: list[Any]) -> None:
        """Raise PrivilegeError for a call of a function that writes, with these values."""
        calling.check_call(function, values, self.rights, connection)

    def enter(self, connection: Connection, handle: Handle) -> None:
        """A statement of the user's begins on a connection: the writer's is to be guarded."""
        if self.rights.agents is None or handle is not connection.database._writer:
            return
        from sqlagent.serve import guarding

        guarding.ensure(handle, self._whole(connection))
        handle.acting = self.rights

    def leave(self, handle: Handle) -> None:
        """It ends."""
        if self.rights.agents is not None:
            handle.acting = None


class Checked:
    """A runner with checks of parameters before, and a limit of rows after."""

    def __init__(self, gate: Gate, runner: Runner, checks: list[calling.Check]) -> None:
        self._gate = gate
        self._runner = runner
        self._checks = checks
        self.repeats = getattr(runner, "repeats", isinstance(runner, RunCalls | LiteWrite))

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        self._check(connection, parameters)
        self._runner(connection, cursor, parameters)
        most = self._gate.rows_max
        if most and cursor._iter is not None:
            cursor._iter = _at_most(cursor._iter, most)
            cursor._table = cursor._batches = None  # neither of which counts

    def _check(self, connection: Connection, parameters: Any) -> None:
        for check in self._checks:
            value = check.value
            if check.slot is not None:
                try:
                    value = parameters[check.slot]
                except (KeyError, IndexError, TypeError):
                    continue  # the runner says that it is missing
            calling.check_value(check.kind, value, self._gate.rights, connection)


def _least(one: int, other: int) -> int:
    """The stricter of two limits, of which 0 is none."""
    return min(one or other, other or one)


def _at_most(rows: Any, most: int) -> Any:
    """Rows, with an error in the place of those that are too many."""
    yield from islice(rows, most)
    for _ in rows:
        raise LimitError(
            f"the result has more than {most} rows", hint="Add a LIMIT, or ask for fewer."
        )


def _alters_user(sql: str) -> bool:
    """Whether a statement is ALTER USER."""
    return [t.upper for t in lex(sql)[:2]] in (["ALTER", "USER"], ["ALTER", "ROLE"])


def _names(seen: Catalog) -> Lite:
    """SHOW TABLES, of what the user sees."""
    shown = sorted(t.name for t in seen.tables.values())
    rows = ", ".join(f"({quote(name)})" for name in shown) or "(NULL)"
    sql = f"SELECT column1 AS name FROM (VALUES {rows}) WHERE column1 IS NOT NULL"
    return Lite(sql, types=("VARCHAR",), why="the tables that there are for the user")
