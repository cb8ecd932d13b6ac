"""What each engine is sent, why, and what it will use: the steps of a plan as plain data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.engines.sqlite import Database, translate
from sqlagent.plan.plans import (
    Calls,
    ColumnsWrite,
    Define,
    Duck,
    Fill,
    Lite,
    Materialize,
    Merge,
    Native,
    Remote,
    WriteTable,
)
from sqlagent.run.explain.indexes import indexes
from sqlagent.values import pick, stored_all

if TYPE_CHECKING:
    from sqlagent.connection import Connection

Step = dict[str, Any]


def steps(
    database: Database, connection: Connection, run: Any, parameters: Any, text: str
) -> list[Step]:
    """The steps of a plan, the last to run first."""
    if isinstance(run, Lite):
        return [lite(database, connection, run, parameters, text)]
    if isinstance(run, Duck):
        return duck(database, connection, run, parameters)
    if isinstance(run, Native):
        found = steps(database, connection, run.read, parameters, text)
        found[0] |= {"does": "write", "source": run.target, "why": run.why}
        return found
    if isinstance(run, Remote):
        return remote(connection, run, parameters, text)
    if isinstance(run, Calls):
        names = [o.function for o in run.outputs if o.function]
        step: Step = {"engine": "sqlite", "does": "write", "functions": names}
        step["why"] = run.why or "functions that write run in a transaction of the writer"
        source = steps(database, connection, run.source, parameters, text) if run.source else []
        return [step, *source]
    if isinstance(run, WriteTable):
        step = {"engine": "sqlite", "does": "write", "functions": [run.call.function]}
        return [step | {"why": run.why}]
    if isinstance(run, Fill):
        step = {"engine": "sqlite", "does": "write", "table": run.table}
        step["why"] = "its rows come from DuckDB"
        step["sql"] = run.create or run.insert
        return [step, *steps(database, connection, run.source, parameters, text)]
    if isinstance(run, ColumnsWrite):
        step = {"engine": "duckdb", "does": "write", "why": run.why, "sql": run.sql}
        return [step | {"tables": list(run.tables)}]
    if isinstance(run, Merge):
        texts = [sql for sql, _ in run.stage] + list(run.apply)
        return [{"engine": "sqlite", "does": "write", "why": run.why, "sql": "; ".join(texts)}]
    if isinstance(run, Define):
        return [{"engine": "sqlite", "does": "write", "why": run.why, "sql": list(run.sql)}]
    if isinstance(run, Materialize):
        view = run.view
        step = {"engine": "sqlite", "does": f"{run.verb} materialised view", "name": run.name}
        step["why"] = "the definition is kept in the file, the rows by DuckDB"
        if view is None:
            return [step]
        kept: Step = {"engine": "duckdb", "does": "keep", "sql": view.sql, "how": view.how}
        kept |= {"why": view.why or "changes of its table can be added to it"}
        return [step, kept | {"tables": list(view.tables)}]
    return [{"engine": "sqlagent", "does": type(run).__name__.lower(), "why": ""}]


def remote(connection: Connection, run: Remote, parameters: Any, text: str) -> list[Step]:
    """What another agent's file runs by itself."""
    from sqlagent.run import plan_of
    from sqlagent.run.attached import source_of

    inner: Connection = source_of(connection, run.source).connection
    found = steps(inner.database, inner, plan_of(inner, run.sql).run, parameters, text)
    return [step | {"source": run.source} for step in found]


def lite(database: Database, connection: Connection, run: Lite, parameters: Any, text: str) -> Step:
    """A statement of SQLite, with its query plan and the indexes in it."""
    step: Step = {"engine": "sqlite", "does": "write" if run.writes else "read"}
    step |= {"why": run.why, "source": run.source, "tables": list(run.tables)}
    step["sql"] = run.sql.strip()
    if run.functions:
        step["functions"] = called(run.sql)
        if not run.source:
            values = stored_all(pick(run.parameters, parameters)) if parameters else ()
            step["search"] = indexes(database, connection, run.sql, values)
    plan = [] if run.ddl else query_plan(database, connection, run, parameters, text)
    used = [re.search(r"USING (?:COVERING )?INDEX (\S+)", line) for _, _, line in plan]
    step["indexes"] = list(dict.fromkeys(m[1] for m in used if m))
    step["plan"] = _tree(plan, 0)
    return step


def called(sql: str) -> list[str]:
    """The functions of ours that a text calls."""
    from sqlagent.functions import functions
    from sqlagent.parse.lexer import lex

    known = functions()
    return list(dict.fromkeys(t.name.lower() for t in lex(sql) if t.name.lower() in known))


def query_plan(
    database: Database, connection: Connection, run: Lite, parameters: Any, text: str
) -> list[tuple[int, int, str]]:
    """SQLite's own query plan: (number, that of the parent, what it does)."""
    if run.source:
        database = connection.sources[run.source].database
    own = connection.held(run.source) if run.source else connection.txn
    handle = own or database.checkout()
    try:
        if handle.native is not run.native:
            handle.speak(run.native)
        if run.functions:
            from sqlagent.engines.sqlite_functions import ensure

            ensure(handle, database)
        values = stored_all(pick(run.parameters, parameters)) if parameters else ()
        sql = "EXPLAIN QUERY PLAN " + run.sql
        try:
            rows = handle.execute(sql, values).fetchall()
        except apsw.BindingsError as error:  # explained without values: any will do
            wanted = re.search(r"uses (\d+)", str(error))
            if wanted is None:
                raise
            rows = handle.execute(sql, (None,) * int(wanted[1])).fetchall()
        return [(int(r[0]), int(r[1]), str(r[3])) for r in rows]
    except Exception as error:
        raise translate(error, text) from None
    finally:
        if handle is not own:
            database.give_back(handle)


def _tree(rows: list[tuple[int, int, str]], parent: int) -> list[Step]:
    return [
        {"operator": line, "children": _tree(rows, number)}
        for number, above, line in rows if above == parent
    ]  # fmt: skip


def duck(database: Database, connection: Connection, run: Duck, parameters: Any) -> list[Step]:
    """A read of DuckDB, and where its rows come from."""
    step: Step = {"engine": "duckdb", "does": "read", "why": run.why}
    step |= {"tables": list(run.tables), "files": [str(f) for f in run.files]}
    step["sources"] = list(run.natives)
    step["views"] = [_view(database, v) for v in run.views]
    step |= {"sql": run.sql, "result": result_of(database, connection, run, parameters)}
    values = stored_all(pick(run.parameters, parameters)) if parameters else ()
    step["search"] = indexes(database, connection, run.sql, values)
    operators = _operators(database, connection, run, parameters)
    if operators:
        step["operators"] = operators
    from sqlagent.run.feed_steps import across_step, steps_of

    found = [step]
    if run.across is not None and connection.txn is None:
        found.insert(0, across_step(run))
    found += steps_of(run.feeds)
    if run.tables:
        fed: Step = {"engine": "sqlite", "does": "feed"}
        fed["why"] = "the columns of these tables follow their rows in the file"
        fed |= {"tables": list(run.tables), "columns": _columns(database, run)}
        found.append(fed)
    return found


def _view(database: Database, view: Any) -> str:
    """How a materialised view is kept, and whether its rows are there."""
    service = database.services.get("columns")
    held = {n.lower(): (how, rows) for n, how, rows in service.replicas.views()} if service else {}
    how, rows = held.get(view.name.lower(), (view.how, None))
    why = f": {view.why}" if how == "whole" and view.why else ""
    kept = {"rows": "kept row by row", "groups": "kept group by group"}.get(how, "computed whole")
    there = "not there yet" if rows is None else f"{rows:,} rows"
    return f"{view.name} ({kept}{why}; {there})"


def _columns(database: Database, run: Duck) -> list[str]:
    """Whether the columns of each table are there, and how far the log is ahead of them."""
    service = database.services.get("columns")
    found = service.replicas.progress(run.tables) if service is not None else {}
    lines = []
    for table in run.tables:
        if table not in found:
            lines.append(f"{table}: not built yet")
            continue
        rows, behind = found[table]
        state = "fresh" if behind == 0 else f"{behind:,} log entries behind"
        lines.append(f"{table}: {rows:,} rows, {state}")
    return lines


def result_of(database: Database, connection: Connection, run: Duck, parameters: Any) -> str:
    """Whether the result is kept, would be, or why it is not."""
    from sqlagent.run.kept import key_of, reason

    why = reason(run)
    if not connection.settings["result_cache"]:
        why = "SET result_cache = off"
    elif connection.txn is not None:
        why = "in a transaction"
    if why is not None:
        return f"not kept: {why}"
    service = database.services.get("results")
    try:
        key = key_of(connection, run, parameters)
    except (KeyError, IndexError, TypeError):
        key = None
    if service is not None and key is not None and service.has(key):
        return "cached"
    return "not cached"


def _operators(
    database: Database, connection: Connection, run: Duck, parameters: Any
) -> list[Step]:
    """DuckDB's plan, where all that it reads is there already: EXPLAIN builds nothing."""
    service = database.services.get("columns")
    if service is None or connection.txn is not None or run.feeds or run.natives:
        return []
    if not set(run.tables) <= set(service.replicas.names()):
        return []
    from sqlagent.run.explain.operators import estimated

    wanted = max((int(n) for n in re.findall(r"\$(\d+)", run.sql)), default=0)
    try:
        values = list(pick(run.parameters, parameters)) if wanted and parameters else []
    except Exception:  # too few, or of the wrong kind: running it would say so
        values = []
    if len(values) != wanted:
        return []  # a NULL in place of a value would have another plan
    text = service.plan_json(run, values)
    return estimated(text) if text else []
