"""The SELECT of a view that is kept as a definition, with the columns that it shows."""

from __future__ import annotations

from functools import lru_cache

from sqlglot import exp

from sqlagent.catalog import Column, Definition
from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import Token, lex
from sqlagent.parse.macro import renamed
from sqlagent.parse.parameters import Numbering
from sqlagent.parse.tree import parse


def select_of(definition: Definition, own: frozenset[str]) -> exp.Expr:
    """The view's query; copy it before it is changed. Raises ProgrammingError."""
    return _made(definition.sql, definition.dialect, definition.columns, own)


@lru_cache(maxsize=256)
def _made(sql: str, dialect: str, columns: tuple[Column, ...], own: frozenset[str]) -> exp.Expr:
    tokens = lex(sql)
    start = body_start(tokens)
    tree, _ = parse(
        " " * tokens[start].start + sql[tokens[start].start :],
        tokens[start:], Numbering(sql, tokens[start:]), dialect, own,
    )  # fmt: skip
    if not isinstance(tree, exp.Query):
        raise ProgrammingError("expected a SELECT", sql=sql, position=tokens[start].start)
    names = [c.name for c in columns]
    if tokens[start - 2].text == ")" and names:  # CREATE VIEW v (a, b): not what the SELECT says
        return renamed(tree, names)
    return shown(tree, names)


def body_start(tokens: list[Token]) -> int:
    """The place of the token behind the AS of a definition."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.upper == "AS" and place + 1 < len(tokens):
            return place + 1
    raise ProgrammingError("expected AS SELECT at the end")


def shown(tree: exp.Expr, names: list[str]) -> exp.Expr:
    """The query with exactly the columns that the view had when it was made."""
    while isinstance(tree, exp.Subquery) and not tree.alias and isinstance(tree.this, exp.Query):
        tree = tree.this
    if not names:
        return tree
    star = isinstance(tree, exp.Select) and any(e.is_star for e in tree.expressions)
    if isinstance(tree, exp.Select) and not star:
        if [e.alias_or_name for e in tree.expressions] == names:
            return tree
        return renamed(tree, names)
    if not star or len({n.lower() for n in names}) < len(names):
        outputs = tree.selects if isinstance(tree, exp.Query) else []
        same = star or [e.alias_or_name for e in outputs] == names
        return tree if same else renamed(tree, names)
    outer = exp.select(*(exp.column(n, quoted=True) for n in names))
    return outer.from_(exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier("v"))))
