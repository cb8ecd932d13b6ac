"""Calls of our functions by users: whose agents, memories and conditions they name.

A constant is checked when the statement is planned, a parameter when it is run. What is computed
for each row becomes NULL for an agent that is not the user's, and then there are no rows.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import Error, ProgrammingError
from sqlagent.functions import REQUIRED, Function, bind, functions
from sqlagent.parse.lexer import Token, is_name, lex, unquote
from sqlagent.parse.parameters import Numbering
from sqlagent.serve.allowed import DUCKDB, SQLITE
from sqlagent.serve.rights import (
    AGENT_PARAMETERS,
    MEMORY_PARAMETERS,
    OPERATION_PARAMETERS,
    SESSION_PARAMETERS,
    PrivilegeError,
    Rights,
)

if TYPE_CHECKING:
    from sqlagent.connection import Connection

_WORDS = frozenset((
    "and", "or", "not", "in", "between", "like", "ilike", "is", "null", "case", "when", "then",
    "else", "end", "cast", "try_cast", "exists", "any", "all", "escape", "glob", "decimal",
    "numeric", "varchar", "char", "values",
))  # fmt: skip


class Check(NamedTuple):
    """What is to be checked when the statement runs: the value of a parameter, or a constant."""

    kind: str  # agent, memory, operation, session or condition
    slot: int | str | None
    value: Any = None


class Argument(NamedTuple):
    """The tokens of one argument; `name` is None for a positional one."""

    name: str | None
    tokens: list[Token]


def checked(
    sql: str, tokens: list[Token], rights: Rights
) -> tuple[list[tuple[int, int, str]], list[Check]]:
    """Edits of the calls in a statement, and what is to be checked when it runs.

    Raises PrivilegeError for what is not the user's, by name.
    """
    known = functions()
    edits: list[tuple[int, int, str]] = []
    checks: list[Check] = []
    numbering: Numbering | None = None
    for place, token in enumerate(tokens[:-1]):
        following = tokens[place + 1]
        function = known.get(token.name.lower()) if is_name(token) else None
        if function is None or following.text != "(":
            continue
        if function.writes and not (rights.principal.writes or rights.calls(function)):
            raise PrivilegeError(
                f'user "{rights.principal.name}" may only read', sql=sql, position=token.start
            )
        if not rights.calls(function):
            raise PrivilegeError(
                f"permission denied for function {function.name}()", sql=sql, position=token.start
            )
        numbering = numbering or Numbering(sql, tokens)
        given = arguments(tokens, place + 1)
        try:
            named = {a.name: a for a in given if a.name is not None}
            positional = [a for a in given if a.name is None]
            values = bind(function, list(positional), dict(named))
        except Error:
            continue  # the planner says what is wrong with it
        found = zip(function.parameters, values, strict=True)
        for parameter, argument in found:
            if argument is not REQUIRED:
                _argument(sql, function, parameter.name, argument, rights, numbering, edits, checks)
    return edits, checks


def arguments(tokens: list[Token], place: int) -> list[Argument]:
    """The arguments between the parenthesis at `place` and its other half."""
    found: list[Argument] = []
    depth, start, at = 0, place + 1, place
    while at < len(tokens):
        text = tokens[at].text
        depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
        if (depth == 1 and text == ",") or not depth:
            part = tokens[start:at]
            if part:
                name = None
                if len(part) > 2 and part[1].text in ("=>", ":="):
                    name, part = part[0].name.lower(), part[2:]
                found.append(Argument(name, part))
            start = at + 1
            if not depth:
                break
        at += 1
    return found


def _argument(
    sql: str,
    function: Function,
    name: str,
    argument: Argument,
    rights: Rights,
    numbering: Numbering,
    edits: list[tuple[int, int, str]],
    checks: list[Check],
) -> None:
    kind = _kind(name, rights, function)
    if kind is None:
        return
    tokens = argument.tokens
    only = tokens[0] if len(tokens) == 1 else None
    if only is not None and only.upper == "NULL":
        return
    if only is not None and only.kind == "param":
        checks.append(Check(kind, numbering.slot(only)))
    elif only is not None and only.kind in ("string", "number"):
        value = unquote(only) if only.kind == "string" else only.text
        if kind in ("agent", "condition"):
            check_value(kind, value, rights)
        else:
            checks.append(Check(kind, None, value))
    elif function.writes:
        return  # each value is checked as the function is called
    elif kind == "agent":
        start, end = tokens[0].start, tokens[-1].start + len(tokens[-1].text)
        text = sql[start:end]
        mine = f"CASE WHEN ({text}) IN ({rights.agent_list}) THEN ({text}) END"
        edits.append((start, end, mine))
    else:
        raise PrivilegeError(
            f"{name} of {function.name}() must be a constant or a parameter here",
            sql=sql, position=tokens[0].start if tokens else None,
        )  # fmt: skip


def _kind(name: str, rights: Rights, function: Function | None = None) -> str | None:
    """What an argument of that name is checked as; None: not at all."""
    if name == "filter":
        return "condition"
    if rights.agents is None:
        return None
    if name in AGENT_PARAMETERS:
        return "agent"
    if name in MEMORY_PARAMETERS:
        return "memory"
    if name in SESSION_PARAMETERS and function is not None and not (
        {p.name for p in function.parameters} & AGENT_PARAMETERS
    ):  # fmt: skip
        return "session"
    return "operation" if name in OPERATION_PARAMETERS else None


def check_value(
    kind: str, value: Any, rights: Rights, connection: Connection | None = None
) -> None:
    """Raise PrivilegeError for an agent, memory or operation that is not the user's, or for a
    condition that calls what users may not."""
    if value is None:
        return
    if kind == "condition":
        if isinstance(value, str):
            check_condition(value)
        return
    if kind == "agent":
        if value not in (rights.agents or ()):
            raise PrivilegeError(f"permission denied for agent {value!r:.80}")
        return
    assert connection is not None
    table, key = {
        "memory": ("memories", "memory_id"), "session": ("sessions", "session_id"),
        "operation": ("sqlagent_operations", "operation_id"),
    }[kind]  # fmt: skip
    with connection.database.read() as handle:
        reader = connection.txn or handle
        row = reader.execute(f"SELECT agent_id FROM {table} WHERE {key} = ?", (value,)).fetchone()
    if row is None or row[0] not in (rights.agents or ()):
        raise ProgrammingError(f"there is no {kind} {value!r:.80}", sqlstate="42704")


def check_condition(text: str) -> None:
    """Raise PrivilegeError where a condition in a text calls what users may not."""
    known = functions()
    tokens = lex(text)
    for token, following in itertools.pairwise(tokens):
        if following.text != "(" or not is_name(token):
            continue
        name = token.name.lower()
        function = known.get(name)
        pure = function is not None and not function.writes and function.kind != "table"
        if not (pure or name in _WORDS or name in DUCKDB or name in SQLITE):
            raise PrivilegeError(f"permission denied for function {name}()")


def check_call(
    function: Function, values: list[Any], rights: Rights, connection: Connection
) -> None:
    """The same of a function that writes, with the values that it is called with."""
    if not rights.calls(function):
        raise PrivilegeError(f"permission denied for function {function.name}()")
    principal = rights.principal
    if function.name == "alter_user" and (principal.role != "admin" or rights.limited):
        name, _, *others = values
        if name != principal.name or any(v is not None and v is not REQUIRED for v in others):
            raise PrivilegeError(f'user "{principal.name}" may change a password, and but his own')
        return
    if rights.agents is None:
        return
    agents = 0
    for parameter, value in zip(function.parameters, values, strict=True):
        kind = _kind(parameter.name, rights, function)
        if kind is not None and value is not REQUIRED and value is not None:
            check_value(kind, value, rights, connection)
            agents += kind != "condition"
    named = {p.name for p in function.parameters}
    if not agents and named & (AGENT_PARAMETERS | MEMORY_PARAMETERS | SESSION_PARAMETERS):
        raise PrivilegeError(f"{function.name}() is of all agents unless one is named")
