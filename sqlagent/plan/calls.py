"""Functions that write: `SELECT remember(…)` becomes a Calls plan, here from tokens alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.parse.lexer import Token, is_name, quote, unquote
from sqlagent.parse.literals import literal
from sqlagent.parse.parameters import Numbering
from sqlagent.parse.plain import TableCall
from sqlagent.plan.plans import Argument, Calls, WriteCall

if TYPE_CHECKING:
    from sqlagent.functions import Function

WHY = "functions that write are run by the writer"


def is_function(name: str) -> Function | None:
    """The function of ours with this name, if there is one."""
    from sqlagent.functions import functions  # lazily: it imports inspect and reads udfs/

    return functions().get(name.lower())


def direct(sql: str, tokens: list[Token]) -> Calls | None:
    """`SELECT f(literals and parameters) [AS name], …` where every f writes; None for any other."""
    if tokens[0].upper != "SELECT" or len(tokens) < 4 or tokens[2].text != "(":
        return None
    numbering = Numbering(sql, tokens)
    outputs: list[WriteCall] = []
    place = 1
    while True:
        if place + 1 >= len(tokens) or not is_name(tokens[place]) or tokens[place + 1].text != "(":
            return None
        head = tokens[place]
        function = is_function(head.name)
        if function is None or not function.writes or function.kind != "scalar":
            return None
        positional, named, end = call_arguments(tokens, place + 2, numbering)
        if end is None:
            return None
        name = function.name
        place = end
        if place < len(tokens) and tokens[place].upper == "AS":
            place += 1
        if place < len(tokens) and is_name(tokens[place]):
            name, place = tokens[place].name, place + 1
        outputs.append(
            WriteCall(name, function.name, bound(function, positional, named, sql, head))
        )
        if place == len(tokens):
            return Calls(tuple(outputs), why=WHY)
        if tokens[place].text != ",":
            return None
        place += 1


def call_arguments(
    tokens: list[Token], place: int, numbering: Numbering
) -> tuple[list[Argument], dict[str, Argument], int | None]:
    """The arguments from `place` to the closing parenthesis, and the place after it.

    The place is None where an argument is anything but a literal or a parameter.
    """
    positional: list[Argument] = []
    named: dict[str, Argument] = {}
    if tokens[place].text == ")":
        return positional, named, place + 1
    while place + 1 < len(tokens):
        name = None
        if is_name(tokens[place]) and tokens[place + 1].text in ("=>", ":="):
            name, place = tokens[place].name.lower(), place + 2
        if place + 1 >= len(tokens):
            break
        token = tokens[place]
        if token.kind == "param":
            argument, end = Argument(slot=numbering.slot(token)), place + 1
        elif is_name(token) and token.upper not in ("TRUE", "FALSE", "NULL"):
            break
        else:
            value, after = literal(tokens, place)
            if after is None:
                break
            argument, end = Argument(value=value), after
        if name is None and named:
            break
        if name is None:
            positional.append(argument)
        elif name in named:
            break
        else:
            named[name] = argument
        if end >= len(tokens):
            break
        if tokens[end].text == ")":
            return positional, named, end + 1
        if tokens[end].text != ",":
            break
        place = end + 1
    return positional, named, None


def bound(
    function: Function, positional: list[Any], named: dict[str, Any], sql: str, head: Token
) -> tuple[Argument, ...]:
    """Every parameter in order; one that was left out is NULL, which means its default."""
    found = bind_at(function, positional, named, sql, head.start)
    return tuple(Argument() if a is None else a for a in found)


def bind_at(
    function: Function, positional: list[Any], named: dict[str, Any], sql: str, position: int
) -> list[Any]:
    """`functions.bind` with None for what was left out; its errors show the place in `sql`."""
    from sqlagent.errors import ProgrammingError
    from sqlagent.functions import REQUIRED, bind

    try:
        found = bind(function, positional, named)
    except ProgrammingError as error:
        error.sql, error.position = sql, position
        raise
    return [None if a is REQUIRED else a for a in found]


def in_place(sql: str, tokens: list[Token], place: int, in_from: bool) -> TableCall | None:
    """A reading call of ours at `place`, its arguments bound to position as edits of the text.

    None for what is not a function of ours, for a macro, and for arguments that are no literals,
    parameters or columns. In an edit's text, NUL n NUL stands for the parameter at offset n.
    """
    head = tokens[place]
    function = is_function(head.name)
    if function is None or function.apart or function.kind != ("table" if in_from else "scalar"):
        return None
    if function.kind == "scalar" and function.returns not in ("BIGINT", "DOUBLE", "VARCHAR"):
        return None
    positional: list[str] = []
    named: dict[str, str] = {}
    at = place + 2
    while at + 1 < len(tokens) and tokens[at].text != ")":
        name = None
        if is_name(tokens[at]) and tokens[at + 1].text in ("=>", ":="):
            name, at = tokens[at].name, at + 2
        first = at
        while at < len(tokens) and tokens[at].text not in (",", ")"):
            at += 1
        argument = _argument(tokens[first:at])
        if argument is None or at >= len(tokens):
            return None
        if name is None:
            positional.append(argument)
        elif name in named:
            return None
        else:
            named[name] = argument
        at += tokens[at].text == ","
    found = bind_at(function, positional, named, sql, head.start)
    texts = ["NULL" if a is None else a for a in found]
    if function.kind == "table":
        texts = given_to_table(function, texts)
    if at >= len(tokens) or tokens[at].text != ")":
        return None
    start, end = head.start, tokens[at].start + 1
    edit = (start, end, f"{function.name}({', '.join(texts)})")
    return TableCall(at + 1, [edit], function.columns if in_from else None)


def given_to_table(function: Function, texts: list[str]) -> list[str]:
    """The arguments of a table function as SQLite has to be told; see functions.LEFT_OUT."""
    from sqlagent.functions import LEFT_OUT_FROM, LEFT_OUT_SQL

    if len(texts) <= LEFT_OUT_FROM:
        return texts
    required = sum(p.required for p in function.parameters)
    while len(texts) > required and texts[-1] == "NULL":
        texts = texts[:-1]
    for place in range(LEFT_OUT_FROM, len(texts)):
        if texts[place] == "NULL":
            texts[place] = LEFT_OUT_SQL
        elif texts[place].startswith("\0"):  # a parameter
            texts[place] = f"ifnull({texts[place]}, {LEFT_OUT_SQL})"
    return texts


def _argument(tokens: list[Token]) -> str | None:
    """One simple argument as SQLite's text."""
    if len(tokens) == 2 and tokens[0].text == "-" and tokens[1].kind == "number":
        return "-" + tokens[1].text
    if len(tokens) != 1:
        return None
    token = tokens[0]
    if token.kind == "param":
        return f"\0{token.start}\0"
    if token.kind in ("number", "blob"):
        return token.text
    if token.kind == "string":
        return quote(unquote(token))
    return token.text.upper() if token.upper in ("TRUE", "FALSE", "NULL") else None
