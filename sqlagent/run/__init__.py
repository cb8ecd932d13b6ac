"""Running a plan: each kind of plan has a runner, a callable that the connection keeps by its text.

`runner(connection, cursor, parameters)` fills the cursor with rows, or with the count of a write.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlagent.catalog import Catalog
from sqlagent.engines import schema
from sqlagent.engines.sqlite import Database
from sqlagent.errors import ProgrammingError
from sqlagent.migrate import refuse_own
from sqlagent.plan.plans import (
    Attach,
    Call,
    Calls,
    ColumnsWrite,
    CopyText,
    Databases,
    Define,
    Detach,
    Duck,
    Explain,
    Import,
    Lite,
    Materialize,
    Merge,
    Native,
    Plan,
    Redefine,
    Rehearsal,
    Remote,
    Script,
    SequenceChange,
    Setting,
    Transaction,
    Typed,
    WriteTable,
    WritingWith,
)  # fmt: skip
from sqlagent.run.attaching import RunAttach, RunDatabases, RunDetach, scanned
from sqlagent.run.calls import RunCalls
from sqlagent.run.lite import LiteRead, LiteWrite
from sqlagent.run.session import RunScript, RunSetting, RunTransaction
from sqlagent.run.writing import outdated
from sqlagent.sources.file import FileSource

if TYPE_CHECKING:
    from sqlagent.connection import Connection, Runner
    from sqlagent.cursor import Cursor


NOT_KEPT = (Setting, Define, Attach, Detach, Databases, Script, Redefine, SequenceChange)


def runner_for(connection: Connection, sql: str) -> tuple[Runner, bool]:
    """What runs a text, and whether it may be kept for the next time."""
    if connection.foreign is not None and (runner := connection.foreign(connection, sql)):
        return runner, False
    planned = plan_of(connection, sql)
    runner = make(connection.database, planned, connection)
    if connection.gate is not None:
        runner = connection.gate.runner(connection, sql, runner)
    return runner, not isinstance(planned.run, NOT_KEPT)


def plan_of(connection: Connection, sql: str, **settings: str | bool) -> Plan:
    """Parse, rewrite and plan a text, against the file's schema as the transaction sees it.

    `settings` take the place of the connection's.
    """
    from sqlagent.plan import plan

    database = connection.database
    catalog: Catalog
    if connection.txn is not None:
        catalog = schema.read_catalog(connection.txn)
    else:
        catalog = schema.catalog(database)
    connection.planned_by = database.generation
    if connection.sources:
        catalog = catalog._replace(sources=connection.sources)
    if connection.temporary:
        from sqlagent.run.define import overlaid

        catalog = overlaid(catalog, connection)
    if connection.temporary_tables:
        own = {n: r for n, r in connection.temporary_tables.items() if r.lower() in catalog.tables}
        catalog = catalog._replace(temporary=own)
    if connection.returned:
        catalog = catalog._replace(tables=catalog.tables | connection.returned)
    catalog = catalog._replace(
        sources=ChainMap({"": FileSource(connection)}, connection.sources),
        scanned=lambda path: scanned(connection, path),
    )
    if connection.gate is not None:  # a user from outside: what he may not do has no plan
        gated: Plan = connection.gate.plan(
            connection, sql, catalog, {**connection.settings, **settings}, database.protected
        )
        return gated
    return plan(sql, catalog, {**connection.settings, **settings}, database.protected)


def make(database: Database, planned: Plan, connection: Connection | None = None) -> Runner:
    """The runner of a plan; for a statement of a `connection`, one that counts and may choose."""
    runner = _make(database, planned)
    if connection is not None and isinstance(planned.run, Lite | Duck):
        from sqlagent.run.offer import offer

        runner = offer(connection, planned, runner)
        if isinstance(planned.run, Duck) and connection.settings["result_cache"]:
            from sqlagent.run.kept import wrapped  # SET plans everything anew

            return wrapped(database, planned.run, runner)
    return runner


def _make(database: Database, planned: Plan) -> Runner:
    run = planned.run
    if isinstance(run, Lite):
        if run.source:
            from sqlagent.run.attached import RunAttached

            return RunAttached(run, planned.sql)
        if run.ddl:
            refuse_own(planned.sql)
        return (
            LiteWrite(database, run, planned.sql)
            if run.writes
            else LiteRead(database, run, planned.sql)
        )
    if isinstance(run, Calls):
        return RunCalls(database, run, planned.sql)
    if isinstance(run, Transaction):
        return RunTransaction(run)
    if isinstance(run, Setting):
        return RunSetting(run)
    if isinstance(run, Script):
        return RunScript(run)
    if isinstance(run, Explain):
        from sqlagent.run.explain import RunExplain

        return RunExplain(database, run, planned.sql)
    if isinstance(run, Materialize):
        from sqlagent.run.materialized import RunMaterialize

        return RunMaterialize(database, run, planned.sql)
    if isinstance(run, Define):
        from sqlagent.run.define import RunDefine

        return RunDefine(database, run, planned.sql)
    if isinstance(run, Merge):
        from sqlagent.run.merge import RunMerge

        return RunMerge(database, run, planned.sql)
    if isinstance(run, ColumnsWrite):
        from sqlagent.run.columns import RunColumns

        return RunColumns(database, run, planned.sql)
    if isinstance(run, CopyText):
        from sqlagent.run.copy_text import RunCopyText

        return RunCopyText(run, planned.sql)
    if isinstance(run, Import):
        from sqlagent.imports.run import runner

        return runner(database, run, planned.sql)
    if isinstance(run, Call):
        from sqlagent.run.procedures import RunCall

        return RunCall(database, run, planned.sql)
    if isinstance(run, WriteTable):
        from sqlagent.run.write_table import RunWriteTable

        return RunWriteTable(database, run, planned.sql)
    if isinstance(run, Rehearsal):
        from sqlagent.run.rehearsal import RunRehearsal

        return RunRehearsal(run, planned.sql)
    if isinstance(run, Attach):
        return RunAttach(run, planned.sql)
    if isinstance(run, Detach):
        return RunDetach(run, planned.sql)
    if isinstance(run, Databases):
        return RunDatabases(run)
    if isinstance(run, Remote):
        from sqlagent.run.remote import RunRemote

        return RunRemote(run, planned.sql)
    if isinstance(run, Native):
        from sqlagent.run.native import RunNative

        return RunNative(database, run, planned.sql)
    if isinstance(run, Typed):
        from sqlagent.run.typed import RunTyped

        return RunTyped(database, run, planned.sql)
    if isinstance(run, SequenceChange):
        from sqlagent.run.sequences import RunSequenceChange

        return RunSequenceChange(run, planned.sql)
    if isinstance(run, Redefine):
        from sqlagent.run.redefine import RunRedefine

        return RunRedefine(run, planned.sql)
    if isinstance(run, WritingWith):
        from sqlagent.run.writing_with import RunWritingWith

        return RunWritingWith(database, run, planned.sql)
    from sqlagent.run.duck import RunDuck, RunFill

    return (
        RunDuck(database, run, planned.sql)
        if isinstance(run, Duck)
        else RunFill(database, run, planned.sql)
    )


def run_many(connection: Connection, cursor: Cursor, sql: str, parameters: Iterable[Any]) -> None:
    """`executemany`: one transaction around the statement with each set of parameters."""
    outdated(connection)  # its plans are then gone
    runner = connection.plans.get(sql) or connection._runner(sql)
    many = getattr(runner, "many", None)
    if many is not None:
        many(connection, cursor, parameters)
        return
    if not getattr(runner, "repeats", isinstance(runner, RunCalls)):
        raise ProgrammingError("executemany is for statements that write")
    own = connection.txn is None
    if own:
        connection.begin()
    count = 0
    try:
        for values in parameters:
            runner(connection, cursor, values)
            count += 1
    except BaseException:
        if own:
            connection.rollback()
        raise
    if own:
        connection.commit()
    cursor._reset()
    cursor.rowcount = count
