"""Bind the arguments of our functions: `f(a, k => 10)`, `f(a, k := 10)` become positional.

An optional argument that is left out becomes NULL, which means its default at run time; a macro's
becomes its default's value.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from sqlglot import exp

from sqlagent.errors import DataError, ProgrammingError
from sqlagent.functions import REQUIRED, Function, bind, functions, sql_literal
from sqlagent.parse.lexer import quote
from sqlagent.rewrite.context import Context

# Functions of the engines whose names are near ones of ours: no typos.
_THEIRS = frozenset(("date_diff", "match", "unbin"))


def arguments(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every call of a function of ours with one argument for each of its parameters."""
    known = functions()
    _bare(tree, known, context)
    for node in list(tree.find_all(exp.Anonymous)):
        function = known.get(node.name.lower())
        if function is None:
            _typo(node.name, known, context)
            continue
        _place(function, node, context)
        context.functions.add(function.name)
        node.set("this", function.name)
        before = list(node.expressions)
        node.set("expressions", bound(function, before, context))
        _check(function, node.expressions, context)
        if [type(b) for b in before] != [type(a) for a in node.expressions]:
            context.changed = True
    return tree


def _place(function: Function, node: exp.Anonymous, context: Context) -> None:
    """Raise where a table function stands as a value, or another as a table.

    A table function gets its name as its alias, which SQLite gives it and DuckDB does not.
    """
    outer = node.parent
    source = isinstance(outer, (exp.Table, exp.Lateral)) and outer.this is node
    if source and function.kind == "table":
        if isinstance(outer, exp.Table) and not outer.alias:
            outer.set("alias", exp.TableAlias(this=exp.to_identifier(function.name)))
            context.changed = True
        return
    if source or function.kind == "table":
        is_what = "a table function" if function.kind == "table" else "a scalar function"
        start = "SELECT * FROM " if function.kind == "table" else "SELECT "
        raise ProgrammingError(
            f"{function.name} is {is_what}, not a {'table' if source else 'value'}",
            hint=f"It is called as {start}{function.signature}",
            sql=context.sql, position=context.position(node.name), sqlstate="42809",
        )  # fmt: skip


def _check(function: Function, given: list[exp.Expr], context: Context) -> None:
    """Raise DataError for a constant that cannot be: a text in a vector, or for a macro's number.

    Bodies in Python check what they are given; an engine would speak of casts and operators.
    """
    for parameter, value in zip(function.parameters, given, strict=True):
        if parameter.type == "FLOAT[]" and isinstance(value, exp.Array):
            wrong = next((e for e in value.expressions if not _may_be_number(e)), None)
            what = "{} is a list of numbers, and {} is not one"
        elif parameter.type == "DOUBLE" and function.kind == "macro":
            wrong = None if _may_be_number(value) else value
            what = "{} is a number, not {}"
        else:
            continue
        if wrong is not None:
            shown = repr(wrong.name) if isinstance(wrong, exp.Literal) else wrong.sql("duckdb")
            raise DataError(
                what.format(parameter.name, shown), sql=context.sql,
                position=context.position(quote(wrong.name)) or context.position(function.name),
            )  # fmt: skip


def _may_be_number(node: exp.Expr) -> bool:
    """False for a constant that is none; an expression may be one."""
    text = isinstance(node, exp.Literal) and node.is_string
    return not text and not isinstance(node, (exp.Boolean, exp.Array, exp.Struct))


def _typo(name: str, known: dict[str, Function], context: Context) -> None:
    """Raise for a name that is nearly one of ours; the engines know their own functions."""
    lowered = name.lower()
    if len(lowered) < 5 or lowered in _THEIRS or lowered.startswith(("sq_", "list_", "array_")):
        return
    near = get_close_matches(lowered, known, n=1, cutoff=0.8)
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
        if name not in context.catalog.tables and not any(p.required for p in function.parameters):
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
    """Put an argument with the positional or the named ones."""
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
    """A left out argument: NULL, or a macro's default itself, which no body fills in."""
    default = function.parameters[index].default
    if function.kind != "macro" or default is None:
        return exp.Null()
    if isinstance(default, str):
        return exp.Literal.string(default)
    return exp.Literal.number(sql_literal(default))
