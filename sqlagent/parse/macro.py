"""The trees of a macro: its body and defaults. Imports sqlglot; kept by the text they are made of.

A body is read with spaces in place of what stands before it, so an error's place is that of the
definition's text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sqlglot import exp

from sqlagent.errors import ProgrammingError
from sqlagent.functions import REQUIRED, Function, Parameter
from sqlagent.parse.definitions import Header, Overload, header, spelled
from sqlagent.parse.lexer import Token, lex, unquote
from sqlagent.parse.parameters import Numbering
from sqlagent.parse.tree import parse

_LEAD = "SELECT "


class Default:
    """A default that was not given, shown as it is written."""

    def __init__(self, tree: exp.Expr, text: str) -> None:
        self.tree = tree
        self.text = text

    def __str__(self) -> str:
        return self.text


class Macro(NamedTuple):
    """`body` is an expression, or a query for a table; `function` its signature, for binding;
    `types` what each parameter is declared as."""

    name: str
    table: bool
    function: Function
    types: tuple[str | None, ...]
    body: exp.Expr
    sql: str


@lru_cache(maxsize=512)
def macro(sql: str, dialect: str, own: frozenset[str]) -> Macro:
    """The macro that a CREATE statement with one overload defines; raises ProgrammingError.

    `own` are the lower-case names of the users' macros.
    """
    head = header(sql, lex(sql))
    # Within the body its own name is that of the built-in one.
    return made(sql, head, head.overloads[0], dialect, own - {head.name.name.lower()})


def made(sql: str, head: Header, overload: Overload, dialect: str, own: frozenset[str]) -> Macro:
    """One overload as trees. Raises ProgrammingError with the place in `sql`."""
    parameters = []
    for p in overload.parameters:
        default: object = REQUIRED
        if p.default:
            tree = _expression(sql, p.default, dialect, own)
            if tree.find(exp.Column, exp.Query) is not None:
                raise ProgrammingError(
                    f'the default of "{p.name}" cannot name columns',
                    sql=sql, position=p.default[0].start, sqlstate="42P13",
                )  # fmt: skip
            default = Default(tree, spelled(sql, p.default))
        parameters.append(Parameter(p.name.lower(), p.type or "ANY", default))
    name = head.name.name.lower()
    function = Function(name, "macro", tuple(parameters), overload.returns or "ANY", "")
    body = _body(sql, overload, dialect, own)
    _same(body, function, sql)
    return Macro(
        name, overload.table, function, tuple(p.type for p in overload.parameters), body, sql
    )


def _body(sql: str, overload: Overload, dialect: str, own: frozenset[str]) -> exp.Expr:
    """The body, with PostgreSQL's declared types and `$1` as the names that they stand for."""
    if overload.quoted:
        token = overload.body[0]
        inner = unquote(token)
        if inner in token.text:
            inner = " " * (token.start + token.text.index(inner)) + inner
        tokens = lex(inner)
        if tokens and tokens[-1].text == ";":
            tokens.pop()
        if not tokens:
            raise ProgrammingError("the body is empty", sql=sql, position=token.start)
        found = next((t for t in tokens if t.text == ";"), None)
        if found is not None:
            raise ProgrammingError(
                "expected one statement in the body, not several", sql=sql, position=found.start
            )
        tree = _query(inner, tokens, sql, overload, dialect, own)
    elif overload.table:
        tree = _query(sql, list(overload.body), sql, overload, dialect, own)
    else:
        tree = _expression(sql, overload.body, dialect, own, overload)
    if overload.table:
        return _shown(tree, overload)
    if isinstance(tree, exp.Query):
        tree = exp.Subquery(this=tree)
    if overload.strict and overload.parameters:
        nulls: exp.Expr = exp.or_(*(
            exp.Is(this=exp.column(p.name, quoted=True), expression=exp.Null())
            for p in overload.parameters
        ))  # fmt: skip
        tree = exp.Case(ifs=[exp.If(this=nulls, true=exp.Null())], default=tree)
    if overload.returns is not None:
        tree = exp.cast(tree, overload.returns, dialect="postgres")
    return tree


def _query(
    text: str, tokens: list[Token], sql: str, overload: Overload, dialect: str, own: frozenset[str]
) -> exp.Expr:
    """A SELECT; PostgreSQL's scalar body `SELECT expression` is the expression."""
    numbering = Numbering(text, tokens)
    tree = _read(text, tokens, sql, numbering, dialect, own)
    while isinstance(tree, exp.Subquery) and not tree.alias:
        tree = tree.this
    if not isinstance(tree, exp.Query):
        raise ProgrammingError(
            "expected a SELECT as the body", sql=sql, position=tokens[0].start, sqlstate="42P13"
        )
    _places(tree, numbering, overload, sql)
    if overload.table or not isinstance(tree, exp.Select):
        return tree
    if len(tree.expressions) != 1:
        raise ProgrammingError(
            f"a function that returns a value has one output, not {len(tree.expressions)}",
            sql=sql, position=tokens[0].start, sqlstate="42P13",
        )  # fmt: skip
    if any(v for k, v in tree.args.items() if k not in ("expressions", "kind")):
        return tree if tree.args.get("limit") else tree.limit(1)
    found: exp.Expr = tree.expressions[0].unalias().copy()
    return found


def _expression(
    sql: str,
    tokens: tuple[Token, ...],
    dialect: str,
    own: frozenset[str],
    overload: Overload | None = None,
) -> exp.Expr:
    """An expression: what follows SELECT, alone."""
    start = tokens[0].start
    if tokens[0].upper in ("SELECT", "WITH", "FROM", "VALUES") and overload is not None:
        raise ProgrammingError(
            f'expected an expression, not "{tokens[0].text}"', sql=sql, position=start,
            hint="AS TABLE SELECT … makes a table; a value stands in parentheses: AS (SELECT …)",
        )  # fmt: skip
    end = tokens[-1].start + len(tokens[-1].text)
    text = " " * (start - len(_LEAD)) + _LEAD + sql[start:end]
    lexed = lex(text)
    numbering = Numbering(text, lexed)
    tree = _read(text, lexed, sql, numbering, dialect, own)
    alone = isinstance(tree, exp.Select) and len(tree.expressions) == 1
    more = [k for k, v in tree.args.items() if v and k not in ("expressions", "kind")]
    if not alone or more or isinstance(tree.expressions[0], (exp.Alias, exp.Star)):
        raise ProgrammingError(
            "expected an expression as the body", sql=sql, position=start, sqlstate="42P13"
        )
    _places(tree, numbering, overload, sql)
    found: exp.Expr = tree.expressions[0].copy()  # a root of its own
    return found


def _read(
    text: str,
    tokens: list[Token],
    sql: str,
    numbering: Numbering,
    dialect: str,
    own: frozenset[str],
) -> exp.Expr:
    """The tree of a body; an error shows its place in the definition."""
    try:
        tree = parse(text, tokens, numbering, dialect, own)[0]
        for node in list(tree.find_all(exp.Bracket)):
            _said_as_call(node)
        return tree
    except ProgrammingError as error:
        error.sql = sql
        raise


def _said_as_call(node: exp.Bracket) -> None:
    """`list[n]` as array_extract(list, n): sqlglot counts a constant from 0 or from 1 by what it
    takes the type for, which is another one once an argument stands there."""
    index = node.expressions[0] if len(node.expressions) == 1 else None
    text = isinstance(index, exp.Literal) and index.is_string
    if index is None or text or isinstance(index, exp.Slice) or node.find(exp.Column) is None:
        return
    number = index.this if isinstance(index, exp.Neg) else index
    known = node.this.type is None or node.this.type.this in (
        exp.DataType.Type.UNKNOWN,
        exp.DataType.Type.ARRAY,
    )
    if known and isinstance(number, exp.Literal):
        value = -int(number.name) if number is not index else int(number.name)
        index = exp.Literal.number(value + 1)
    node.replace(exp.Anonymous(this="array_extract", expressions=[node.this, index]))


def _places(tree: exp.Expr, numbering: Numbering, overload: Overload | None, sql: str) -> None:
    """PostgreSQL's `$1` as the parameter's name; any other placeholder has no value here."""
    count = len(overload.parameters) if overload is not None else 0
    for node in list(tree.find_all(exp.Placeholder)):
        slot = numbering.slots[int(node.name[1:]) - 1]
        if overload is None or not isinstance(slot, int) or slot >= count or "$" not in sql:
            raise ProgrammingError(
                "a definition is kept in the file: it cannot have a parameter of the statement",
                sql=sql, position=0, sqlstate="42P02",
            )  # fmt: skip
        node.replace(exp.column(overload.parameters[slot].name, quoted=True))


def _shown(tree: exp.Expr, overload: Overload) -> exp.Expr:
    """A table's query with the columns of RETURNS TABLE."""
    if not overload.columns:
        return tree
    inner = renamed(tree, [name for name, _ in overload.columns])
    outer = exp.select(*(
        exp.alias_(
            exp.cast(exp.column(name, quoted=True), kind, dialect="postgres"), name, quoted=True
        )
        for name, kind in overload.columns
    ))  # fmt: skip
    return outer.from_(exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("r"))))


def labelled(node: exp.Expr, name: str) -> exp.Expr:
    """An output under a name; `exp.alias_` would make a source of a subquery."""
    return exp.Alias(this=node, alias=exp.to_identifier(name, quoted=True))


def renamed(tree: exp.Expr, names: list[str]) -> exp.Expr:
    """A query whose columns have other names, in a way that every engine reads."""
    plain = isinstance(tree, exp.Select) and not any(e.is_star for e in tree.expressions)
    if plain and len(tree.expressions) == len(names):
        tree = tree.copy()
        tree.set("expressions", [
            labelled(e.unalias(), n)
            for e, n in zip(tree.expressions, names, strict=True)
        ])  # fmt: skip
        return tree
    alias = exp.TableAlias(
        this=exp.to_identifier("renamed"),
        columns=[exp.to_identifier(n, quoted=True) for n in names],
    )
    cte = exp.CTE(this=tree.copy(), alias=alias)
    outer = exp.select("*").from_("renamed")
    outer.set("with_", exp.With(expressions=[cte]))
    return outer


def _same(body: exp.Expr, function: Function, sql: str) -> None:
    """Refuse `agent_id = agent_id`: both sides would be the parameter, whatever the column is."""
    names = {p.name for p in function.parameters}
    for node in body.find_all(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE):
        left, right = node.this, node.expression
        if (
            isinstance(left, exp.Column) and isinstance(right, exp.Column)
            and not left.table and not right.table
            and left.name.lower() == right.name.lower() and left.name.lower() in names
        ):  # fmt: skip
            raise ProgrammingError(
                f'"{left.name}" is the parameter on both sides',
                hint=f"Say whose column it is: t.{left.name} = {left.name}",
                sql=sql, position=_place(sql, left.name), sqlstate="42702",
            )  # fmt: skip


def _place(sql: str, name: str) -> int | None:
    """Where a name stands last in a definition: behind its list of parameters."""
    found = [t.start for t in lex(sql) if t.name.lower() == name.lower()]
    return found[-1] if found else None
