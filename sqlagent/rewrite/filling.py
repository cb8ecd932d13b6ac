"""Arguments in the place of a body's parameters, so that no name means something else than where
it was written.

A caller's column that comes to stand in a subquery of the body is qualified with its table; a table
alias of the body that the caller uses too gets another name; so does a CTE that bears the name of a
table which a body reads.
"""

from __future__ import annotations

import itertools

from sqlglot import exp

from sqlagent.errors import ProgrammingError
from sqlagent.parse.macro import labelled
from sqlagent.rewrite.context import Context

_LEAVES = (
    exp.Column, exp.Literal, exp.Placeholder, exp.Null, exp.Boolean, exp.Paren, exp.Subquery,
    exp.Func,
)  # fmt: skip
_ORDINALS = (exp.Ordered, exp.Group, exp.Order)
_numbers = itertools.count(1)
FILE = "sqlagent file"  # of a source in a body: a table of the file, no CTE of the caller


def put_in(
    body: exp.Expr, given: dict[str, exp.Expr], call: exp.Expr, context: Context
) -> exp.Expr:
    """The body with an argument in the place of each parameter's name."""
    root: exp.Expr = exp.Paren(this=body)  # so that the body itself can be replaced
    open_names = any(v.find(exp.Column, exp.Table) is not None for v in given.values())
    if open_names:
        _free_aliases(root, given)
    sources = {n.alias_or_name.lower() for n in root.find_all(exp.Table, exp.Subquery)}
    for column in list(root.find_all(exp.Column)):
        qualifier = column.table.lower()
        if qualifier in given and qualifier not in sources:  # a field of a struct
            struct = exp.Paren(this=given[qualifier].copy())
            column.replace(exp.Dot(this=struct, expression=column.this.copy()))
            continue
        if qualifier or column.name.lower() not in given:
            continue
        value = given[column.name.lower()].copy()
        if column.find_ancestor(exp.Query) is not None and open_names:
            for inner in list(value.find_all(exp.Column)):
                if not inner.table and inner.find_ancestor(exp.Query) is None:
                    _qualify(inner, column, call, context)
        _replace(column, value)
    found: exp.Expr = root.this
    found.pop()
    return found


def _replace(column: exp.Column, value: exp.Expr) -> None:
    """One parameter by its value; a number must not become an ordinal, nor an output nameless."""
    outer = column.parent
    if isinstance(value, exp.Literal) and not value.is_string and isinstance(outer, _ORDINALS):
        value = exp.Paren(this=exp.Add(this=value, expression=exp.Literal.number(0)))
    elif not isinstance(value, _LEAVES) or isinstance(value, exp.Binary):  # AND is a Func
        value = exp.Paren(this=value)
    if isinstance(outer, exp.Select) and column.arg_key == "expressions":
        value = labelled(value, column.name)
    column.replace(value)


def _free_aliases(body: exp.Expr, given: dict[str, exp.Expr]) -> None:
    """Rename the body's table aliases and CTEs that the arguments name too."""
    named = {c.table.lower() for v in given.values() for c in v.find_all(exp.Column) if c.table}
    tables = {t.name.lower() for v in given.values() for t in v.find_all(exp.Table)}
    for cte in list(body.find_all(exp.CTE)):
        if cte.alias_or_name.lower() in tables:
            rename_cte(body, cte.alias_or_name)
    for source in list(body.find_all(exp.Table, exp.Subquery, exp.Lateral)):
        old = source.alias_or_name
        if not old or old.lower() not in named:
            continue
        new = exp.to_identifier(f"{old} {next(_numbers)}", quoted=True)
        alias = source.args.get("alias") or exp.TableAlias()
        alias.set("this", new)
        source.set("alias", alias)
        for column in body.find_all(exp.Column):
            if column.table.lower() == old.lower():
                column.set("table", new.copy())


def rename_cte(tree: exp.Expr, name: str) -> None:
    """Give a CTE of `tree` another name, where its sources go on with the old one as alias."""
    lowered = name.lower()
    new = exp.to_identifier(f"{name} {next(_numbers)}", quoted=True)
    for cte in tree.find_all(exp.CTE):
        if cte.alias_or_name.lower() == lowered:
            cte.args["alias"].set("this", new.copy())
    for node in tree.find_all(exp.Table):
        if node.name.lower() == lowered and not node.db and not node.meta.get(FILE):
            if not node.alias:
                node.set("alias", exp.TableAlias(this=node.this.copy()))
            node.set("this", new.copy())


def free_file_names(tree: exp.Expr, body: exp.Expr) -> exp.Expr:
    """Before `body` goes into `tree`: no CTE of the tree has the name of a table that it reads."""
    inner = {c.alias_or_name.lower() for c in body.find_all(exp.CTE)}
    names = set()
    for node in body.find_all(exp.Table):
        if isinstance(node.this, exp.Identifier) and not node.db:
            lowered = node.name.lower()
            if lowered not in inner:
                node.meta[FILE] = True
                names.add(lowered)
    for cte in list(tree.find_all(exp.CTE)):
        if cte.alias_or_name.lower() in names:
            rename_cte(tree, cte.alias_or_name)
    return tree


def _qualify(inner: exp.Column, site: exp.Column, call: exp.Expr, context: Context) -> None:
    """Say whose column an argument is, where a subquery of the body might have one of that name."""
    name = inner.name.lower()
    scope = call.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Insert)
    while scope is not None:
        mine, unknown = [], []
        for source in _sources(scope):
            columns = _columns(source, context)
            if columns is None:
                unknown.append(source)
            elif name in columns:
                mine.append(source)
        fits = mine or unknown
        if len(fits) == 1 and not (mine and unknown) and fits[0].alias_or_name:
            inner.set("table", exp.to_identifier(fits[0].alias_or_name, quoted=True))
            return
        if fits:
            break
        scope = scope.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Insert)
    query = site.find_ancestor(exp.Query)
    while query is not None:
        for source in _sources(query):
            columns = _columns(source, context)
            if columns is None or name in columns:
                raise ProgrammingError(
                    f'whose column is "{inner.name}"? A subquery of the definition has one too',
                    hint=f"Qualify it: t.{inner.name}",
                    sql=context.sql, position=context.position(inner.name), sqlstate="42702",
                )  # fmt: skip
        query = query.find_ancestor(exp.Query)


def _sources(scope: exp.Expr) -> list[exp.Expr]:
    """The sources that a SELECT or a write has in its own FROM."""
    start = scope.args.get("from_")
    found = [start.this] if start is not None else []
    found += [j.this for j in scope.args.get("joins") or []]
    found += list(scope.args.get("laterals") or [])
    if not isinstance(scope, exp.Query):
        target = scope.this.this if isinstance(scope.this, exp.Schema) else scope.this
        found.append(target)
    for source in list(found):
        found += [j.this for j in source.args.get("joins") or []]
    return [s for s in found if isinstance(s, exp.Expr)]


def _columns(source: exp.Expr, context: Context) -> set[str] | None:
    """The lower-case columns of a source of the file; None where they are not known."""
    if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
        return None
    root = source.root()
    ctes = {c.alias_or_name.lower() for c in root.find_all(exp.CTE)}
    if source.name.lower() in ctes and not source.meta.get(FILE):
        return None
    table = context.catalog.table(source.name)
    if table is None:
        return None
    return {c.name.lower() for c in table.columns} | {"rowid"}
