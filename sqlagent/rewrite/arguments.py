"""Bind the arguments of our functions: `f(a, k => 10)` and `f(a, k := 10)` become complete and positional.

An optional argument that is left out becomes NULL, which means its default at run time; a macro's
becomes its default's value.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from sqlagent.errors import ProgrammingError
from sqlagent.functions import REQUIRED, Function, bind, functions, sql_literal
from sqlagent.rewrite.context import Context


def arguments(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every call of a function of ours with one argument for each of its parameters."""
    known = functions()
    for node in list(tree.find_all(exp.Anonymous)):
        function = known.get(node.name.lower())
        if function is None:
            continue
        context.functions.add(function.name)
        node.set("this", function.name)
        before = list(node.expressions)
        node.set("expressions", bound(function, before, context))
        if [type(b) for b in before] != [type(a) for a in node.expressions]:
            context.changed = True
    return tree


def bound(function: Function, given: list[exp.Expr], context: Context) -> list[exp.Expr]:
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for argument in given:
        if isinstance(argument, (exp.Kwarg, exp.PropertyEQ)):
            name = argument.this.name
            if name.lower() in named:
                raise _located(ProgrammingError(
                    f'{function.name} got its argument "{name}" twice'), function, context)  # fmt: skip
            named[name.lower()] = argument.expression
        elif named:
            raise _located(ProgrammingError(
                f"{function.name}: a positional argument cannot follow a named one"),
                function, context)  # fmt: skip
        else:
            positional.append(argument)
    try:
        found = bind(function, positional, named)
    except ProgrammingError as error:
        raise _located(error, function, context) from None
    return [
        _default(function, i) if value is REQUIRED else value for i, value in enumerate(found)
    ]


def _default(function: Function, index: int) -> exp.Expr:
    default = function.parameters[index].default
    if function.kind != "macro" or default is None:
        return exp.Null()
    if isinstance(default, str):
        return exp.Literal.string(default)
    return exp.Literal.number(sql_literal(default))


def _located(error: ProgrammingError, function: Function, context: Context) -> ProgrammingError:
    error.sql, error.position = context.sql, context.position(function.name)
    return error
