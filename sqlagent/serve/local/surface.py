"""The functions as the extension declares them, and the statement that a call is run by."""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import Final, NamedTuple

from sqlagent.errors import ProgrammingError
from sqlagent.functions import Function, functions
from sqlagent.parse.lexer import quote_name
from sqlagent.serve.local.wire import text

SCALAR, TABLE = 1, 2
WRITES, DETERMINISTIC, REPEATS = 1, 2, 4
ASK: Final = "sqlagent"  # runs any statement: sqlagent(sql, parameter, …)
# Names of types as SQLite declares them; a vector is a BLOB there.
_TYPES = {
    "BIGINT": "BIGINT", "DOUBLE": "DOUBLE", "VARCHAR": "VARCHAR", "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP", "JSON": "JSON", "BLOB": "BLOB",
}  # fmt: skip
_NUMBERS = ("BIGINT", "DOUBLE", "BOOLEAN")
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
# Calls keep this many texts; each combination of named arguments is one.
TEXTS_MAX = 1000


class Argument(NamedTuple):
    """An argument as the extension names it."""

    name: str
    required: bool


class Shown(NamedTuple):
    """A function as the extension has it: `columns` are (name, type), of a scalar `value` alone."""

    name: str
    signature: str
    is_table: bool
    writes: bool
    deterministic: bool
    arguments: tuple[Argument, ...]
    columns: tuple[tuple[str, str], ...]


def shown(function: Function) -> Shown:
    """A function of ours as the extension has it.

    SQLite refuses one name for an argument and a column: such an argument has a _ at its end.
    """
    is_table = function.kind == "table"
    columns = function.columns if is_table else (("value", function.returns),)
    declared = tuple((name, _TYPES.get(kind, "BLOB" if "FLOAT" in kind else ""))
                     for name, kind in columns)  # fmt: skip
    taken = {name.lower() for name, _ in columns}
    arguments = []
    for parameter in function.parameters:
        name = parameter.name
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        arguments.append(Argument(name, parameter.required))
    steady = function.deterministic and not function.apart
    return Shown(
        function.name, function.signature, is_table, function.writes, steady, tuple(arguments),
        declared,
    )  # fmt: skip


def surface(read_only: bool) -> list[Shown]:
    """All that a client gets; without a way to run any statement where it only reads: a program may
    open a file so to let others ask it, who are not its user."""
    found = [shown(function) for function in functions().values()]
    if not read_only:
        signature = f"{ASK}(sql, parameter, …)"
        arguments = (Argument("sql", True),)
        found.append(Shown(ASK, signature, False, False, False, arguments, (("value", "JSON"),)))
    return found


def packed(found: list[Shown]) -> bytes:
    """The list as `extension/engine.c` reads it."""
    out = [struct.pack("<I", len(found))]
    for one in found:
        flags = WRITES * one.writes | DETERMINISTIC * one.deterministic
        if not one.writes and one.name != ASK:
            flags |= REPEATS
        out.append(struct.pack("<BB", TABLE if one.is_table else SCALAR, flags))
        out += [text(one.name), text(one.signature), struct.pack("<H", len(one.arguments))]
        for argument in one.arguments:
            out += [text(argument.name), struct.pack("<B", argument.required)]
        out.append(struct.pack("<H", len(one.columns)))
        for name, kind in one.columns:
            out += [text(name), text(kind)]
    return b"".join(out)


def numeric(name: str, place: int, value: str) -> int | float | str:
    """A text for an argument that is a number, as SQLite's numeric affinity has it: many clients
    bind whatever they are given as text. What is no number stays as it is."""
    function = functions().get(name)
    if function is None or place >= len(function.parameters):
        return value
    if function.parameters[place].type not in _NUMBERS or not _NUMBER.fullmatch(value):
        return value
    number = float(value)
    return int(value) if value.strip().lstrip("+-").isdecimal() else number


@lru_cache(TEXTS_MAX)
def statement(name: str, places: tuple[int, ...]) -> str:
    """The text of a call with values for the arguments at these places, in this order.

    Raises ProgrammingError where there is no such function or argument.
    """
    function = functions().get(name)
    if function is None:
        raise ProgrammingError(f'unknown function "{name:.80}"', sqlstate="42883")
    written = []
    for at, place in enumerate(places):
        if place == at:
            written.append("?")
        elif place < len(function.parameters):
            written.append(f"{quote_name(function.parameters[place].name)} => ?")
        else:
            raise ProgrammingError(f"{name} has no argument {place}", hint=function.signature)
    call = f"{name}({', '.join(written)})"
    return f"SELECT * FROM {call}" if function.kind == "table" else f"SELECT {call}"
