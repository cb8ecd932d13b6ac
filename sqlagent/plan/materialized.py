"""Materialised views: their statements, and what a plan that reads one carries of it.

A view is kept incrementally where its SELECT reads one table and filters, projects or groups it
with count, sum, avg, min and max; any other is computed whole again once what it reads has changed.
Both are analysed here, from the text that DuckDB is sent. (sqlglot is imported on first use.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlagent.catalog import Catalog, Definition, Table
from sqlagent.errors import Error, NotSupportedError, ProgrammingError, nearest
from sqlagent.parse.lexer import Token, is_name, lex
from sqlagent.plan.plans import Duck, Materialize, Materialized
from sqlagent.plan.steady import unsteady

if TYPE_CHECKING:
    from sqlglot import exp

Protected = Callable[[str], str | None]
KIND = "materialized"  # in the catalog
WORDS = ("OR", "REPLACE", "TEMP", "TEMPORARY")


def statement(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Materialize | None:
    """The plan of CREATE, DROP and REFRESH MATERIALIZED VIEW; None for anything else."""
    verb = tokens[0].upper
    place = 1
    while verb == "CREATE" and place < len(tokens) and tokens[place].upper in WORDS:
        place += 1
    words = [t.upper for t in tokens[place : place + 2]]
    if words != ["MATERIALIZED", "VIEW"]:
        _no_view(sql, tokens, catalog)
        return None
    given = [t.upper for t in tokens[1:place]]
    if "TEMP" in given or "TEMPORARY" in given:
        raise NotSupportedError(
            "a materialised view is kept in the file: it cannot be temporary",
            sql=sql, position=tokens[1].start,
        )  # fmt: skip
    place += 2
    condition = _condition(tokens, place)
    place += len(condition)
    if place >= len(tokens) or not is_name(tokens[place]):
        raise _expected(sql, tokens, place, "the name of a view")
    name = tokens[place].name
    if verb == "CREATE":
        return _create(
            sql, tokens, place, name, "REPLACE" in given, bool(condition), catalog, settings,
            protected,
        )  # fmt: skip
    if place + 1 < len(tokens):
        raise _expected(sql, tokens, place + 1, "nothing more")
    known = _definition(catalog, name)
    if known is None and not condition:
        names = [n for n, t in catalog.tables.items() if t.kind == KIND]
        raise ProgrammingError(
            f'materialised view "{name}" does not exist', hint=nearest(name, names),
            sql=sql, position=tokens[place].start, sqlstate="42P01",
        )  # fmt: skip
    view = None
    if verb == "REFRESH" and known is not None:
        view = of(known, catalog, protected)
    return Materialize(verb.lower(), name, known, view)


def _no_view(sql: str, tokens: list[Token], catalog: Catalog) -> None:
    """Raise where a statement would change a materialised view as if it were something else."""
    verb = tokens[0].upper
    place = 2 + len(_condition(tokens, 2))
    if verb not in ("DROP", "ALTER"):
        opener = {"UPDATE": "UPDATE", "DELETE": "FROM"}.get(verb, "INTO")
        place = 1 + next((i for i, t in enumerate(tokens) if t.upper == opener), len(tokens))
    elif tokens[1:] and tokens[1].upper not in ("VIEW", "TABLE"):
        return
    if place >= len(tokens):
        return
    table = catalog.tables.get(tokens[place].name.lower())
    if table is not None and table.kind == KIND:
        raise ProgrammingError(
            f'"{table.name}" is a materialised view',
            hint=f"DROP MATERIALIZED VIEW {table.name}" if verb in ("DROP", "ALTER")
            else "Its rows follow those of its tables.",
            sql=sql, position=tokens[place].start, sqlstate="42809",
        )  # fmt: skip


def _condition(tokens: list[Token], place: int) -> list[Token]:
    """IF [NOT] EXISTS."""
    words = [t.upper for t in tokens[place : place + 3]]
    count = 3 if words == ["IF", "NOT", "EXISTS"] else 2 if words[:2] == ["IF", "EXISTS"] else 0
    return tokens[place : place + count]


def _expected(sql: str, tokens: list[Token], place: int, what: str) -> ProgrammingError:
    if place < len(tokens):
        found = f'expected {what}, not "{tokens[place].text}"'
        return ProgrammingError(found, sql=sql, position=tokens[place].start)
    end = tokens[-1].start + len(tokens[-1].text)
    return ProgrammingError(f"expected {what} at the end", sql=sql, position=end)


def _definition(catalog: Catalog, name: str) -> Definition | None:
    several = catalog.definitions.get(name.lower(), ())
    return next((d for d in several if d.kind == "materialized view"), None)


def _create(
    sql: str,
    tokens: list[Token],
    place: int,
    name: str,
    replace: bool,
    unless: bool,
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Materialize:
    """CREATE: what stands in the way of the name, then the SELECT."""
    taken = catalog.table(name)
    if taken is not None and (taken.kind != KIND or not (replace or unless)):
        what = {"view": "view", "query": "view", KIND: "materialised view"}.get(taken.kind, "table")
        raise ProgrammingError(
            f'there is a {what} "{taken.name}" already',
            hint="CREATE OR REPLACE replaces it." if taken.kind == KIND else None,
            sql=sql, position=tokens[place].start, sqlstate="42P07",
        )  # fmt: skip
    if name.lower().startswith(("sqlagent_", "sqlite_")):
        raise ProgrammingError(
            f'names that start with "{name[:9].lower()}" are taken',
            sql=sql, position=tokens[place].start,
        )  # fmt: skip
    if taken is not None and unless:
        return Materialize("create", name, _definition(catalog, name), None, unless=True)
    dialect = str(settings.get("dialect", "duckdb"))
    definition = Definition(name, "materialized view", sql.strip().rstrip(";").rstrip(), dialect)
    view = analysed(definition, sql, tokens, catalog, protected)
    if name.lower() in _all_views(view):
        raise ProgrammingError(
            f'the view "{name}" would read itself', sql=sql, position=tokens[place].start
        )
    return Materialize("create", name, definition, view, replace, unless)


def _all_views(view: Materialized) -> set[str]:
    return {n for v in view.views for n in (v.name.lower(), *_all_views(v))}


def of(definition: Definition, catalog: Catalog, protected: Protected) -> Materialized:
    """The view that a definition of the file is; an error in it names the view."""
    try:
        tokens = lex(definition.sql)
        return analysed(definition, definition.sql, tokens, catalog, protected)
    except RecursionError:
        raise ProgrammingError(f'the materialised view "{definition.name}" reads itself') from None
    except Error as error:
        raise ProgrammingError(
            f'the materialised view "{definition.name}" cannot be read: {error.message}',
            detail=error.detail,
            hint="What it reads was changed. DROP MATERIALIZED VIEW, or CREATE OR REPLACE it",
        ) from None


def analysed(
    definition: Definition, sql: str, tokens: list[Token], catalog: Catalog, protected: Protected
) -> Materialized:
    """Plan the SELECT of a definition for DuckDB, and see how its rows can be kept."""
    from sqlagent.plan.keeping import kept
    from sqlagent.plan.route import route

    start, names = _body(sql, tokens)
    text = " " * tokens[start].start + sql[tokens[start].start :]
    settings = {"dialect": definition.dialect, "route": "duckdb"}
    plan = route(text, tokens[start:], catalog, settings, protected)
    reason = None
    if not isinstance(plan, Duck):
        reason = "its SELECT cannot run on DuckDB"
    elif plan.parameters:
        reason = "it has parameters"
    elif plan.files or plan.natives or plan.feeds:
        reason = "it reads what is not in the file, whose changes nothing logs"
    elif plan.functions or (found := unsteady(plan.sql)) is not None:
        what = "functions of ours" if plan.functions else found
        reason = f"it holds {what}: its rows could differ from those of its query"
    if reason is not None:
        raise NotSupportedError(
            f"this SELECT cannot be a materialised view: {reason}", hint="CREATE VIEW is not kept",
            sql=sql, position=tokens[start].start,
        )  # fmt: skip
    assert isinstance(plan, Duck)
    shown = tuple((c.name, c.type or "VARCHAR") for c in definition.columns)
    view = Materialized(
        definition.name, plan.sql, plan.tables, shown or tuple((n, "") for n in names),
        views=plan.views, version=catalog.version,
    )  # fmt: skip
    return kept(view, catalog)


def _body(sql: str, tokens: list[Token]) -> tuple[int, list[str]]:
    """Where the SELECT begins, and the names that stand before it for its columns."""
    place = next((i for i, t in enumerate(tokens) if t.upper == "VIEW"), 0) + 1
    place += len(_condition(tokens, place)) + 1
    names = []
    if place < len(tokens) and tokens[place].text == "(":
        while place < len(tokens) and tokens[place].text != ")":
            if is_name(tokens[place]):
                names.append(tokens[place].name)
            place += 1
        place += 1
    if place >= len(tokens) or tokens[place].upper != "AS":
        raise _expected(sql, tokens, place, "AS and a SELECT")
    if place + 1 >= len(tokens):
        raise _expected(sql, tokens, place + 1, "a SELECT")
    return place + 1, names


def has(tables: list[str], catalog: Catalog) -> bool:
    """Whether one of the tables is a materialised view."""
    return any((t := catalog.tables.get(n)) is not None and t.kind == KIND for n in tables)


def split(
    tables: list[str], catalog: Catalog, protected: Protected
) -> tuple[tuple[str, ...], tuple[Materialized, ...]]:
    """Among what a statement reads: the tables whose columns are needed, and the views."""
    found: dict[str, None] = {}
    views = []
    for name in tables:
        definition = _definition(catalog, name)
        table: Table | None = catalog.tables.get(name)
        if definition is None or table is None or table.kind != KIND:
            found[name] = None
            continue
        view = of(definition, catalog, protected)
        views.append(view)
        found |= dict.fromkeys(view.tables)
    return tuple(found), tuple(views)


def expanded(tree: exp.Expr, catalog: Catalog) -> exp.Expr:
    """A copy of `tree` in which each materialised view is its SELECT, as SQLite is to read it."""
    from sqlglot import exp

    from sqlagent.parse.parameters import Numbering
    from sqlagent.parse.tree import parse

    tree = tree.copy()
    ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
    for _ in range(16):
        found = [
            (n, d) for n in tree.find_all(exp.Table)
            if isinstance(n.this, exp.Identifier) and n.name.lower() not in ctes
            and (d := _definition(catalog, n.name)) is not None
        ]  # fmt: skip
        if not found:
            break
        for node, definition in found:
            tokens = lex(definition.sql)
            start, _ = _body(definition.sql, tokens)
            sql = " " * tokens[start].start + definition.sql[tokens[start].start :]
            body = tokens[start:]
            inner, _ = parse(sql, body, Numbering(sql, body), definition.dialect)
            alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name))
            new = exp.Subquery(this=_named(inner, definition), alias=alias.copy())
            new.set("joins", node.args.get("joins"))
            node.replace(new)
    return tree


def foreign(tree: exp.Expr, catalog: Catalog, dialect: str) -> list[str]:
    """Why SQLite cannot be sent the SELECT of a view: it means something else in this dialect."""
    from sqlglot import exp

    definitions = (_definition(catalog, n.name) for n in tree.find_all(exp.Table))
    return [
        f"the materialised view {d.name} was made under SET dialect = '{d.dialect}'"
        for d in definitions if d is not None and d.dialect != dialect
    ]  # fmt: skip


def _named(inner: exp.Expr, definition: Definition) -> exp.Expr:
    """A SELECT whose columns have the view's names, which engines would choose differently."""
    from sqlglot import exp

    names = [c.name for c in definition.columns]
    if isinstance(inner, exp.Select) and len(inner.expressions) == len(names):
        for place, output in enumerate(list(inner.expressions)):
            if isinstance(output, exp.Star) or (isinstance(output, exp.Column) and output.is_star):
                break
            if output.alias_or_name != names[place]:
                bare = output.this if isinstance(output, exp.Alias) else output
                output.replace(exp.alias_(bare.copy(), names[place], quoted=True))
    return inner
