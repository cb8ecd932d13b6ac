"""What a definition must be before it is kept: readable, not recursive, and a read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError

from sqlagent.catalog import Catalog, Definition
from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.functions import functions
from sqlagent.parse.definitions import Header, Overload
from sqlagent.parse.lexer import lex
from sqlagent.parse.macro import Macro, labelled, macro, made
from sqlagent.parse.words import READ_FUNCTIONS, WRITE_FUNCTIONS
from sqlagent.plan.plans import Duck, Lite
from sqlagent.plan.sources import Protected
from sqlagent.rewrite.expand import BUILT_IN, own_names
from sqlagent.rewrite.filling import put_in

_MACROS = ("macro", "table macro")


def is_built_in(name: str) -> bool:
    """Whether an engine or we have a function of this name already."""
    return (
        name in functions()
        or name in READ_FUNCTIONS | WRITE_FUNCTIONS
        or name.upper() in exp.FUNCTION_BY_NAME
    )


def check_macro(
    sql: str,
    head: Header,
    overload: Overload,
    dialect: str,
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> tuple[Definition, Lite | Duck | None]:
    """The definition of one overload, and a read without rows that tries it.

    Raises ProgrammingError with the place in `sql` for a body that could never work.
    """
    name = head.name.name.lower()
    others = dict(catalog.definitions)
    rest = tuple(d for d in others.pop(name, ()) if d.kind not in _MACROS)
    if rest:
        others[name] = rest
    found = made(sql, head, overload, dialect, own_names(catalog.definitions) - {name})
    written = writes(found.body)
    if written is not None:
        raise NotSupportedError(
            f"{written}() writes, and a macro only reads", sql=sql, position=_last(sql, written),
            hint=f"SELECT {written}(…) FROM … writes a row of each",
        )  # fmt: skip
    cycle(sql, name, found.body, catalog, head.name.start)
    if not overload.table:
        _names(sql, found)
    definition = Definition(head.name.name, head.kind, sql, dialect, len(overload.parameters))
    probe = _probe(sql, found, catalog._replace(definitions=others), settings, protected)
    return definition, probe


def writes(tree: exp.Expr) -> str | None:
    """A function of ours in a tree that writes, if there is one."""
    known = functions()
    return next(
        (
            n.name for n in tree.find_all(exp.Anonymous)
            if (f := known.get(n.name.lower())) is not None and f.apart
        ),
        None,
    )  # fmt: skip


def cycle(sql: str, name: str, body: exp.Expr, catalog: Catalog, position: int) -> None:
    """Raise where `name` would be reached from its own body: by a macro or a view that names it."""
    seen: dict[str, str | None] = {}
    todo: list[tuple[str, str | None]] = [(n, None) for n in uses(body) if n != name]
    while todo:
        used, by = todo.pop()
        if used in seen:
            continue
        seen[used] = by
        if used == name:
            chain = [name]
            while by is not None:
                chain.append(by)
                by = seen[by]
            path = " → ".join([name, *reversed(chain)])
            raise ProgrammingError(
                f'"{name}" would be defined by itself: {path}', sql=sql, position=position,
                sqlstate="42P19",
            )  # fmt: skip
        for tree in _bodies(used, catalog):
            todo += [(n, used) for n in uses(tree) if n != used]


def uses(tree: exp.Expr) -> set[str]:
    """The lower-case names of functions and tables that a tree names."""
    found = {n.name.lower() for n in tree.find_all(exp.Anonymous)}
    return found | {
        t.name.lower() for t in tree.find_all(exp.Table) if isinstance(t.this, exp.Identifier)
    }


def _bodies(name: str, catalog: Catalog) -> list[exp.Expr]:
    """The bodies of what bears a name: macros and views, SQLite's too."""
    from sqlagent.parse.tree import parse_definition
    from sqlagent.parse.view import body_start, select_of

    own = own_names(catalog.definitions)
    found: list[exp.Expr] = []
    try:
        for d in catalog.definitions.get(name, ()):
            if d.kind in _MACROS:
                found.append(macro(d.sql, d.dialect, own).body)
            elif d.kind != "columns":
                found.append(select_of(d, own))
        table = catalog.tables.get(name)
        if table is not None and table.kind == "view" and table.sql:
            tokens = lex(table.sql)
            found.append(parse_definition(table.sql, tokens[body_start(tokens) :]))
    except (SqlglotError, ProgrammingError):
        pass  # what cannot be read is refused when it is used
    return found


def _names(sql: str, found: Macro) -> None:
    """Raise for a column outside of any SELECT that is no parameter: it would be the caller's."""
    known = {p.name for p in found.function.parameters}
    for column in found.body.find_all(exp.Column):
        if column.find_ancestor(exp.Query, exp.Lambda) is not None:
            continue
        name = (column.table or column.name).lower()
        if name not in known and not any(n in known for n in (column.name.lower(),)):
            raise ProgrammingError(
                f'unknown name "{column.sql("duckdb")}" in the body of {found.name}',
                hint=f"Its parameters are {', '.join(sorted(known)) or 'none'}.",
                sql=sql, position=_last(sql, column.name), sqlstate="42703",
            )  # fmt: skip


def _probe(
    sql: str, found: Macro, catalog: Catalog, settings: Mapping[str, Any], protected: Protected
) -> Lite | Duck | None:
    """A read of no rows that has the body in it, with NULL for the parameters; None where only
    values could tell."""
    from sqlagent.plan.route import Router

    body = found.body.copy()
    for call in body.find_all(exp.Anonymous):
        if call.name.lower() == found.name:
            call.meta[BUILT_IN] = True
    router = Router(sql, lex(sql), catalog, {**settings, "route": "auto"}, protected)
    router.own = False
    nulls: dict[str, exp.Expr] = {
        p.name: exp.cast(exp.Null(), t, dialect="duckdb") if t else exp.Null()
        for p, t in zip(found.function.parameters, found.types, strict=True)
    }
    filled = put_in(body, nulls, exp.Anonymous(this=found.name), router.context())
    query = filled if found.table else exp.select(labelled(filled, "value"))
    outer = exp.select("*").from_(exp.Subquery(
        this=query, alias=exp.TableAlias(this=exp.to_identifier("probe"))
    )).limit(0)  # fmt: skip
    try:
        plan = router.of(outer)
    except NotSupportedError:
        return None
    except ProgrammingError:
        raise
    return plan if isinstance(plan, Lite | Duck) else None


def _last(sql: str, name: str) -> int | None:
    """Where a name stands last: in the body, behind the parameters."""
    found = [t.start for t in lex(sql) if t.name.lower() == name.lower()]
    return found[-1] if found else None
