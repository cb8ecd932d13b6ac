"""What a SQL function is: one definition a file in `udfs/`, registered on every engine.

A file `udfs/NAME.py` defines a Python function NAME under `@scalar(...)` or `@table(...)`; its
Python signature is its SQL declaration and its docstring its reference entry. A file
`udfs/NAME.sql` holds `CREATE MACRO NAME(arg, arg := default) AS expression` after a comment that
is its reference: it is inlined into the statement before routing, so it runs at native speed on
either engine.

NULL in, NULL out: a scalar whose required argument is NULL is NULL and its body does not run; a
table function whose required argument is NULL has no rows. An optional argument that is NULL has
its default.
"""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sqlagent import clock
from sqlagent.errors import DataError, ProgrammingError
from sqlagent.values import json_text, vector_bytes

REQUIRED = object()
# An optional argument of a table function that is left out, on SQLite. It hands arguments over as
# `hidden column = value`, and compares again itself what lies beyond the sixteenth condition: no
# NULL is equal to anything, so the call would have no rows.
LEFT_OUT = b"\0left out"
LEFT_OUT_SQL = f"x'{LEFT_OUT.hex()}'"
LEFT_OUT_FROM = 8  # parameters; a function with fewer leaves room for eight conditions

# Annotations of function bodies for the logical types that Python has no class of its own for.
Vector = typing.Annotated[bytes, "FLOAT[]"]  # float32 little-endian bytes
# The same of numbers; bytes as they come, in whatever form the collection has (see elements.py).
Stored = typing.Annotated[bytes, "FLOAT[*]"]
Json = typing.Annotated[str, "JSON"]
Stamp = typing.Annotated[str, "TIMESTAMP"]  # as the file keeps it


class Later(NamedTuple):
    """A value in a row of a table function that is made only where the statement reads it."""

    make: Callable[[], Any]


class Parameter(NamedTuple):
    """An argument of a function: its SQL name, logical type and default."""

    name: str
    type: str
    default: Any = REQUIRED

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


class Function(NamedTuple):
    """A function of ours. `kind` is 'scalar', 'table' or 'macro' (an SQL expression, see
    `body_sql`).

    `call(context, *arguments)` is the body, with every parameter in order; `writes` says that it
    is a statement of the writer, `waits` that it takes as long as it takes, with no connection;
    `columns` are a table function's (name, logical type). `prepare(context, *arguments)` is run
    before the writer is taken, where the statement is its own transaction.
    `after(connection, value)` gives the value in place of the body's once the transaction is
    committed: such a function cannot run in a transaction of the user's. `within_writes`: one that
    writes may also stand among the values of a statement that SQLite writes with.
    `statement(*arguments)` is the one statement of SQLite (its text and values) that does what the
    body does and gives its value; None where it takes more. A call that commits by itself is that
    statement, without BEGIN and COMMIT; where it gives no row it did nothing, and the body runs.
    """

    name: str
    kind: str
    parameters: tuple[Parameter, ...]
    returns: str
    doc: str
    call: Callable[..., Any] | None = None
    columns: tuple[tuple[str, str], ...] = ()
    body_sql: str | None = None
    writes: bool = False
    deterministic: bool = True
    prepare: Callable[..., Any] | None = None
    after: Callable[[Any, Any], Any] | None = None
    statement: Callable[..., tuple[str, tuple[Any, ...]] | None] | None = None
    waits: bool = False
    within_writes: bool = False

    @property
    def apart(self) -> bool:
        """Whether it runs by itself, never within a read: it writes, or waits and holds nothing."""
        return self.writes or self.waits

    @property
    def signature(self) -> str:
        """`name(a, b => default)`, as a user types it."""
        parts = [
            p.name if p.required else f"{p.name} => {sql_literal(p.default)}"
            for p in self.parameters
        ]
        return f"{self.name}({', '.join(parts)})"


def sql_literal(value: Any) -> str:
    """A default value as SQL text."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


_TYPES = {
    int: "BIGINT", float: "DOUBLE", str: "VARCHAR", bool: "BOOLEAN", bytes: "BLOB", object: "ANY",
}  # fmt: skip


def _type_of(annotation: Any) -> str:
    """The logical type that a Python annotation stands for; `X | None` is X."""
    if isinstance(annotation, str):
        return annotation
    arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
    if typing.get_origin(annotation) is typing.Annotated:
        return str(arguments[1])
    if arguments:
        return _type_of(arguments[0])
    return _TYPES.get(annotation, "ANY")


def _define(body: Callable[..., Any], kind: str, returns: str, **more: Any) -> Function:
    hints = typing.get_type_hints(body, include_extras=True)
    parameters = tuple(
        Parameter(p.name, _type_of(hints[p.name]), REQUIRED if p.default is p.empty else p.default)
        for p in list(inspect.signature(body).parameters.values())[1:]
    )
    return Function(
        body.__name__, kind, parameters, returns, inspect.getdoc(body) or "", body, **more
    )


def scalar(
    returns: str,
    *,
    writes: bool = False,
    deterministic: bool = True,
    prepare: Callable[..., Any] | None = None,
    after: Callable[[Any, Any], Any] | None = None,
    within_writes: bool = False,
    statement: Callable[..., tuple[str, tuple[Any, ...]] | None] | None = None,
) -> Callable[[Callable[..., Any]], Function]:
    """Declare a scalar function; the decorated name becomes its `Function`."""

    def declare(body: Callable[..., Any]) -> Function:
        return _define(
            body,
            "scalar",
            returns,
            writes=writes,
            deterministic=deterministic,
            prepare=prepare,
            after=after,
            within_writes=within_writes,
            statement=statement,
        )

    return declare


def table(
    *columns: str, writes: bool = False, waits: bool = False
) -> Callable[[Callable[..., Any]], Function]:
    """Declare a table function with its columns as 'name TYPE'; its body yields tuples.

    One that `writes` runs once, with the writer, before the SELECT over its rows; so does one that
    `waits`, but with no connection at all.
    """

    def declare(body: Callable[..., Any]) -> Function:
        pairs = tuple((c.split(" ", 1)[0], c.split(" ", 1)[1]) for c in columns)
        return _define(body, "table", "TABLE", columns=pairs, writes=writes, waits=waits)

    return declare


def bind(function: Function, positional: list[Any], named: dict[str, Any]) -> list[Any]:
    """One entry a parameter, in order; REQUIRED where an optional one was not given.

    Raises ProgrammingError for too many arguments, an unknown or repeated name, a missing one.
    """
    names = [p.name for p in function.parameters]
    if len(positional) > len(names):
        raise ProgrammingError(
            f"{function.name} takes at most {len(names)} arguments, {len(positional)} were given",
            hint=f"It is {function.signature}",
        )
    bound: dict[str, Any] = dict(zip(names, positional, strict=False))
    for name, value in named.items():
        key = name.lower()
        if key not in names:
            raise ProgrammingError(
                f'{function.name} has no argument "{name}"', hint=f"It is {function.signature}"
            )
        if key in bound:
            raise ProgrammingError(f'{function.name} got its argument "{name}" twice')
        bound[key] = value
    missing = [p.name for p in function.parameters if p.required and p.name not in bound]
    if missing:
        raise ProgrammingError(
            f"{function.name} needs its argument {', '.join(missing)}",
            hint=f"It is {function.signature}",
        )
    return [bound.get(name, REQUIRED) for name in names]


def invoke(
    function: Function,
    context: Any,
    values: list[Any] | tuple[Any, ...],
    call: Callable[..., Any] | None = None,
) -> Any:
    """Run the body (or `call`) with one value a parameter, checked and in its type.

    REQUIRED and, for an optional parameter, None stand for its default. Returns None without a call
    where a required value is None. Raises DataError for a value that cannot be.
    """
    ready = []
    for (name, kind, default), value in zip(function.parameters, values, strict=True):
        if value is None or value is REQUIRED:
            if default is REQUIRED:
                return None
            ready.append(default)
        else:
            check = CHECKS.get(kind)
            ready.append(value if check is None else check(value, name))
    body = function.call if call is None else call
    assert body is not None  # macros are inlined, never invoked
    return body(context, *ready)


def complete(function: Function, values: tuple[Any, ...]) -> list[Any]:
    """Positional values filled up to one a parameter; ProgrammingError for too few or too many."""
    return bind(function, list(values), {})


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{name} is a whole number, not {value!r}")
    if isinstance(value, float):
        if not value.is_integer():
            raise DataError(f"{name} is a whole number, not {value!r}")
        return int(value)
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not (isinstance(value, int | float) or _is_decimal(value)):
        raise DataError(f"{name} is a number, not {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise DataError(f"{name} is a finite number, not {number}")
    return number


def _is_decimal(value: Any) -> bool:
    return type(value).__name__ == "Decimal"


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{name} is a text, not {value!r:.60}")
    return value


def _boolean(value: Any, name: str) -> bool:
    if value in (0, 1):
        return bool(value)
    raise DataError(f"{name} is true or false, not {value!r:.60}")


def _blob(value: Any, name: str) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise DataError(f"{name} is a BLOB, not {value!r:.60}")


_decode: Callable[[str], Any] | None = None
_scan: Any = None


def _json(value: Any, name: str) -> str:
    global _decode, _scan
    text = value if isinstance(value, str) else json_text(value)
    if _decode is None:  # made once: a decoder costs more than it takes to read a small state
        import json

        decoder = json.JSONDecoder(parse_constant=_no_constant)
        _decode, _scan = decoder.decode, vars(decoder)["scan_once"]
    try:
        # Without the decoder's look for blanks at the ends, which takes as long as a small state.
        if _scan(text, 0)[1] == len(text):
            return text
    except (ValueError, RecursionError, StopIteration):
        pass  # the decoder says what is wrong, and where
    try:
        _decode(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is JSON: {error}", hint="A text needs quotes within.") from None
    return text


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _stamp(value: Any, name: str) -> str:
    import datetime

    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            raise DataError(
                f"{name} is a time, not {value!r:.60}", hint="Such as 2026-01-31 12:00:00"
            ) from None
    if isinstance(value, datetime.datetime):
        return clock.text(value)
    if isinstance(value, datetime.date):
        return clock.text(datetime.datetime(value.year, value.month, value.day))
    raise DataError(f"{name} is a time, not {value!r:.60}")


def as_vector(value: Any, name: str = "vector") -> bytes:
    """A vector as float32 bytes: of bytes, a list of numbers, or their JSON text; all finite."""
    if isinstance(value, str):
        import json

        try:
            value = json.loads(value)
        except ValueError:
            raise DataError(f"{name} is a list of numbers, not {value!r:.60}") from None
    data = bytes(value) if isinstance(value, bytes | bytearray | memoryview) else None
    if data is None:
        if isinstance(value, int | float) or value is None or isinstance(value, dict):
            raise DataError(f"{name} is a list of numbers, not {value!r:.60}")
        data = vector_bytes(value)
    if not data or len(data) % 4:
        raise DataError(f"{name} is float32 values of 4 bytes each, not {len(data)} bytes")
    # float32 values cannot overflow a sum of float64: it is finite where all of them are.
    if not math.isfinite(sum(memoryview(data).cast("f"))):
        raise DataError(f"{name} has a value that is not finite (NaN or infinity)")
    return data


def as_stored(value: Any, name: str = "vector") -> bytes:
    """A vector as float32 bytes; bytes as they are, since only their collection tells the form."""
    if isinstance(value, bytes | bytearray | memoryview) and len(value):
        return bytes(value)
    return as_vector(value, name)


CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "BIGINT": _whole, "DOUBLE": _number, "VARCHAR": _text, "BOOLEAN": _boolean, "BLOB": _blob,
    "JSON": _json, "TIMESTAMP": _stamp, "FLOAT[]": as_vector,
    "FLOAT[*]": as_stored,
}  # fmt: skip


def udfs_folder() -> Path:
    """Where the functions are: `sqlagent.udfs`, as it is installed or mapped."""
    import sqlagent.udfs as package

    return Path(next(iter(package.__path__)))


_loaded: dict[str, Function] = {}


def functions() -> dict[str, Function]:
    """Every function of ours by its lower-case name; read from `udfs/` once a process."""
    if not _loaded:
        import importlib

        found: dict[str, Function] = {}
        for path in sorted(udfs_folder().iterdir()):
            name = path.stem
            if path.suffix == ".sql":
                found[name] = from_sql(name, path.read_text(encoding="utf-8"))
            elif path.suffix == ".py" and not name.startswith("_"):
                found[name] = getattr(importlib.import_module(f"sqlagent.udfs.{name}"), name)
        _loaded.update(found)
    return _loaded


def from_sql(name: str, text: str) -> Function:
    """A macro from its file: comment lines, then `CREATE MACRO name(a, b := 1) AS expression;`."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if not line.startswith("--") and line.strip())
    doc = "\n".join(line[2:].removeprefix(" ") for line in lines[:start] if line.startswith("--"))
    head, _, body = " ".join(lines[start:]).partition(" AS ")
    inside = head[head.index("(") + 1 : head.rindex(")")]
    returns = "DOUBLE"
    parameters = []
    for part in inside.split(","):
        argument, _, default = (x.strip() for x in part.partition(":="))
        parameters.append(Parameter(argument, "DOUBLE", float(default) if default else REQUIRED))
    if not head.upper().startswith("CREATE MACRO") or name not in head:
        raise ProgrammingError(f"udfs/{name}.sql does not define the macro {name}")
    return Function(
        name,
        "macro",
        tuple(parameters),
        returns,
        doc.strip(),
        body_sql=" ".join(body.split()).rstrip(";"),
    )
