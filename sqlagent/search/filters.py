"""The `filter =>` of search() and knn(): an SQL condition as text, over the columns of one
subquery."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, NotSupportedError, ProgrammingError

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.plan.plans import Duck


def allowed(
    context: Context, source: str, column: str, condition: str, values: Any, what: str = "filter"
) -> frozenset[Any]:
    """The `column`s of the rows of `source` for which the condition holds; errors name `what`.

    The condition is one expression of our dialect, parsed by itself: it cannot end the statement,
    add another, or write. Raises ProgrammingError where it is not one.
    """
    return frozenset(
        row[0]
        for row in _run(context, f"SELECT {column} FROM ({source}) WHERE ", condition, values, what)
    )


def _run(context: Context, head: str, condition: str, values: Any, what: str) -> Any:
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(f"SELECT 1 WHERE {condition}\n", dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise ProgrammingError(
            f"{what} is not a condition: {str(error).splitlines()[0]}",
            sql=condition,
            position=0,
            hint="Such as filter => '(metadata->>''$.topic'') = ''tea'''",
        ) from None
    where = tree.args.get("where")
    whole = isinstance(tree, exp.Select) and {k for k, v in tree.args.items() if v} <= {
        "expressions",
        "where",
        "kind",
    }
    if where is None or not whole or tree.find(exp.Query) not in (tree, None):
        raise ProgrammingError(f"{what} is one condition", sql=condition, position=0)
    if len(list(tree.find_all(exp.Query))) > 1:
        raise ProgrammingError(f"{what} cannot contain a query", sql=condition, position=0)
    if tree.find(exp.Placeholder, exp.Parameter):
        raise ProgrammingError(f"{what} cannot contain a parameter", sql=condition, position=0)
    import apsw

    from sqlagent.engines import schema
    from sqlagent.engines.sqlite_errors import inexact, translate
    from sqlagent.plan import plan
    from sqlagent.plan.plans import Duck, Lite

    text = head + where.this.sql(dialect="duckdb")
    settings = {**context.settings, "dialect": "duckdb", "route": "sqlite"}
    with context.reading() as handle:
        catalog = schema.read_catalog(handle)
        protected = context.database.protected
        try:
            try:
                planned = plan(text, catalog, settings, protected).run
            except NotSupportedError:  # such as a cast, which SQLite has a meaning of its own for
                planned = plan(text, catalog, {**settings, "route": "auto"}, protected).run
        except Error as error:
            raise type(error)(error.message, hint=error.hint, sql=condition, position=0) from None
        if isinstance(planned, Duck):
            return _on_duckdb(context, planned, values)
        if not isinstance(planned, Lite) or planned.writes:
            raise ProgrammingError(f"{what} is one condition", sql=condition, position=0)
        if planned.functions:
            from sqlagent.engines.sqlite_functions import ensure

            ensure(handle, context.database)
        try:
            return handle.execute(planned.sql, values).fetchall()
        except apsw.Error as error:
            exact = None
            if inexact(error):  # a row that SQLite cannot say exactly, such as lower('É')
                with contextlib.suppress(Error):  # DuckDB cannot either: SQLite's error stands
                    exact = plan(text, catalog, {**settings, "route": "duckdb"}, protected).run
            if not isinstance(exact, Duck):
                raise translate(error, condition) from None
        return _on_duckdb(context, exact, values)


def _on_duckdb(context: Context, planned: Duck, values: Any) -> list[Any]:
    """The rows by DuckDB, as the statement's transaction sees them."""
    from sqlagent.run.duck import engine
    from sqlagent.values import pick

    duck, own = engine(context.database), context.handle
    bound = list(pick(planned.parameters, values))
    if own is not None and own is context.database._writer and own.in_transaction:
        result = duck.run_private(planned, bound, own)
    else:
        result = duck.run(planned, bound)
    try:
        return list(result.rows())
    finally:
        result.close()
