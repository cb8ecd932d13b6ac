"""Bind the arguments of our functions: `f(a, k => 10)`, `f(a, k := 10)` become positional.

An optional argument that is left out becomes NULL, which means its default at run time; a macro's
becomes its default's value.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from sqlglot import exp

from sqlagent.errors import ProgrammingError
from sqlagent.functions import REQUIRED, Function, bind, functions, sql_literal
from sqlagent.rewrite.context import Context


def arguments(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every call of a function of ours with one argument for each of its parameters."""
    known = functions()
    _bare(tree, known, context)
    for node in list(tree.find_all(exp.Anonymous)):
        function = known.get(node.name.lower())
        if function is None:
            _typo(node.name, known, context)
            continue
        context.functions.add(function.name)
        node.set("this", function.name)
        before = list(node.expressions)
        node.set("expressions", bound(function, before, context))
        if [type(b) for b in before] != [type(a) for a in node.expressions]:
            context.changed = True
    return tree


def _typo(name: str, known: dict[str, Function], context: Context) -> None:
    """Raise for a name that is nearly one of ours; the engines know their own functions."""
    lowered = name.lower()
    if len(lowered) < 5 or lowered.startswith(("sq_", "list_", "array_")):
        return
    near = get_close_matches(lowered, known, n=1, cutoff=0.85)
    if near:
        raise ProgrammingError(
            f'unknown function "{name}"', hint=f'Did you mean "{near[0]}"?',
            sql=context.sql, position=context.position(name), sqlstate="42883",
        )  # fmt: skip


def _bare(tree: exp.Expr, known: dict[str, Function], context: Context) -> None:
    """`FROM sqlagent_settings` calls the table function of that name, which needs no argument."""
    ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
    for node in tree.find_all(exp.Table):
        name = node.name.lower()
        function = known.get(name) if isinstance(node.this, exp.Identifier) else None
        if function is None or function.kind != "table" or name in ctes:
            continue
        if context.catalog.table(name) is None and not any(p.required for p in function.parameters):
            node.set("this", exp.Anonymous(this=function.name, expressions=[]))
            context.changed = True


def bound(function: Function, given: list[exp.Expr], context: Context) -> list[exp.Expr]:
    """One expression a parameter; an error of `functions.bind` shows the place of the call."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    try:
        for argument in given:
            _sort(function, argument, positional, named)
        found = bind(function, positional, named)
    except ProgrammingError as error:
        error.sql, error.position = context.sql, context.position(function.name)
        raise
    return [_default(function, i) if value is REQUIRED else value for i, value in enumerate(found)]


def _sort(
    function: Function, argument: exp.Expr, positional: list[Any], named: dict[str, Any]
) -> None:
    if not isinstance(argument, (exp.Kwarg, exp.PropertyEQ)):
        if named:
            raise ProgrammingError(
                f"{function.name}: a positional argument cannot follow a named one"
            )
        positional.append(argument)
        return
    name = argument.this.name
    if name.lower() in named:
        raise ProgrammingError(f'{function.name} got its argument "{name}" twice')
    named[name.lower()] = argument.expression


def _default(function: Function, index: int) -> exp.Expr:
    default = function.parameters[index].default
    if function.kind != "macro" or default is None:
        return exp.Null()
    if isinstance(default, str):
        return exp.Literal.string(default)
    return exp.Literal.number(sql_literal(default))
