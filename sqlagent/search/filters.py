"""The `filter =>` of search() and knn(), and the conditions of policies: an SQL condition as text,
over the columns of one subquery, planned once for a schema."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, NotSupportedError, ProgrammingError

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.plan.plans import Duck, Lite

SUCH = "Such as filter => '(metadata->>''$.topic'') = ''tea'''"
PLANS_MAX = 256  # conditions that are remembered for a file


def allowed(
    context: Context,
    source: str,
    column: str,
    condition: str,
    values: Any,
    what: str = "filter",
    on_duckdb: Callable[[], Iterable[Any]] | None = None,
) -> frozenset[Any]:
    """The `column`s of the rows of `source` for which the condition holds; errors name `what`.

    A condition that SQLite cannot say is DuckDB's, over columns of the tables, or, where it is
    given, by `on_duckdb`, which gives rows of the column.

    The condition is one expression of our dialect, parsed by itself: it cannot end the statement,
    add another, or write. Raises ProgrammingError where it is not one.
    """
    found = passing(context, source, column, condition, values, what, on_duckdb)
    return frozenset(row[0] for row in found)


def passing(
    context: Context,
    source: str,
    column: str,
    condition: str,
    values: Any,
    what: str = "filter",
    on_duckdb: Callable[[], Iterable[Any]] | None = None,
) -> Any:
    """The same as rows of one value, in no order: a set of many is slow to make."""
    head = f"SELECT {column} FROM ({source}) WHERE "
    return _run(context, head, condition, values, what, on_duckdb)


class Plans:
    """The conditions that a file was asked, planned: a service of the database.

    A plan holds for the catalog that it was made by, which is another object after each change of
    the schema.
    """

    def __init__(self) -> None:
        self.known: dict[Any, tuple[Any, Lite | Duck]] = {}

    def find(self, key: Any, catalog: Any) -> Lite | Duck | None:
        made, plan = self.known.get(key, (None, None))
        return plan if made is catalog else None

    def keep(self, key: Any, catalog: Any, plan: Lite | Duck) -> None:
        if len(self.known) >= PLANS_MAX:
            self.known.clear()
        self.known[key] = catalog, plan

    def close(self) -> None:
        self.known.clear()


def _run(
    context: Context,
    head: str,
    condition: str,
    values: Any,
    what: str,
    elsewhere: Callable[[], Iterable[Any]] | None = None,
) -> Any:
    import apsw

    from sqlagent.engines import schema
    from sqlagent.engines.sqlite_errors import inexact, translate
    from sqlagent.plan import plan
    from sqlagent.plan.plans import Duck

    settings = {**context.settings, "dialect": "duckdb", "route": "sqlite"}
    database = context.database
    plans: Plans = database.services.setdefault("filters", Plans())
    key = head, condition, repr(settings)
    with context.reading() as handle:
        catalog = database.known_catalog
        shared = catalog is not None and catalog.version == schema.version(handle)
        if not shared:  # a transaction's own changes of the schema are nobody else's
            catalog = schema.read_catalog(handle)
        planned = plans.find(key, catalog) if shared else None
        if planned is None:
            text = head + expression(condition, what)
            planned = _plan(text, catalog, settings, database.protected, condition, what)
            if shared:
                plans.keep(key, catalog, planned)
        if isinstance(planned, Duck):
            return _on_duckdb(context, planned, values) if elsewhere is None else elsewhere()
        if planned.functions:
            from sqlagent.engines.sqlite_functions import ensure

            ensure(handle, database)
        try:
            return handle.execute(planned.sql, values).fetchall()
        except apsw.Error as error:
            exact = None
            if inexact(error):  # a row that SQLite cannot say exactly, such as lower('É')
                text, duck = head + expression(condition, what), {**settings, "route": "duckdb"}
                with contextlib.suppress(Error):  # DuckDB cannot either: SQLite's error stands
                    exact = plan(text, catalog, duck, database.protected).run
            if not isinstance(exact, Duck):
                raise translate(error, condition) from None
        return _on_duckdb(context, exact, values) if elsewhere is None else elsewhere()


def expression(text: str, what: str) -> str:
    """The text as one expression of our dialect; ProgrammingError where it is not one."""
    import sqlglot
    from sqlglot import exp

    if not text.strip():
        raise ProgrammingError(f"{what} is empty, not a condition", hint=SUCH)
    try:
        tree = sqlglot.parse_one(f"SELECT 1 WHERE {text}\n", dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise ProgrammingError(
            f"{what} is not a condition: {str(error).splitlines()[0]}",
            sql=text,
            position=0,
            hint=SUCH,
        ) from None
    where = tree.args.get("where")
    whole = isinstance(tree, exp.Select) and {k for k, v in tree.args.items() if v} <= {
        "expressions",
        "where",
        "kind",
    }
    if where is None or not whole or tree.find(exp.Query) not in (tree, None):
        raise ProgrammingError(f"{what} is one condition", sql=text, position=0)
    if len(list(tree.find_all(exp.Query))) > 1:
        raise ProgrammingError(f"{what} cannot contain a query", sql=text, position=0)
    if tree.find(exp.Placeholder, exp.Parameter):
        raise ProgrammingError(f"{what} cannot contain a parameter", sql=text, position=0)
    return str(where.this.sql(dialect="duckdb"))


def _plan(
    text: str, catalog: Any, settings: Any, protected: Any, condition: str, what: str
) -> Lite | Duck:
    """The plan of a read on SQLite, or on DuckDB where SQLite cannot say it."""
    from sqlagent.plan import plan
    from sqlagent.plan.plans import Duck, Lite

    try:
        try:
            planned = plan(text, catalog, settings, protected).run
        except NotSupportedError:  # such as a cast, which SQLite has a meaning of its own for
            planned = plan(text, catalog, {**settings, "route": "auto"}, protected).run
    except Error as error:
        raise type(error)(error.message, hint=error.hint, sql=condition, position=0) from None
    if isinstance(planned, Duck) or (isinstance(planned, Lite) and not planned.writes):
        return planned
    raise ProgrammingError(f"{what} is one condition", sql=condition, position=0)


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
