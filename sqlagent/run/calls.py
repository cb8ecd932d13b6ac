"""Functions of ours that write: `SELECT remember(…)`, once or for each row of a read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlagent.context import Context
from sqlagent.engines.sqlite import Database, Handle
from sqlagent.errors import InterfaceError, ProgrammingError
from sqlagent.plan.plans import Argument, Calls, Plan
from sqlagent.run.writing import failed, outdated, writing

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor
    from sqlagent.functions import Function


PLAIN = (str, int, float, type(None))


class RunCalls:
    """`SELECT remember(…)`: bodies of ours that write, in one transaction of the writer."""

    def __init__(self, database: Database, plan: Calls, text: str) -> None:
        from sqlagent.functions import functions, invoke

        self.database = database
        self.plan = plan
        self.text = text
        self.invoke = invoke
        known = functions()
        self.bodies = [known[o.function] if o.function else None for o in plan.outputs]
        self.prepares = any(body is not None and body.prepare is not None for body in self.bodies)
        self.columns = [
            (o.name, body.returns if body else kind)
            for o, body, kind in zip(
                plan.outputs, self.bodies, plan.types or [None] * len(self.bodies), strict=True
            )
        ]
        from sqlagent.run import make

        self.source = None if plan.source is None else make(database, Plan(text, plan.source))

        self.alone = next((b.name for b in self.bodies if b is not None and b.after), None)
        self.ready = None
        if self.source is None and len(self.bodies) == 1 and not (self.prepares or self.alone):
            self.ready = _ready(self.bodies[0], plan.outputs[0].arguments)

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        unbounded = not connection.slowly and connection.gate is None
        if self.ready is not None and unbounded and connection.autocommit:
            try:
                value = self.quick(connection, self.ready(parameters))
            except BaseException as error:
                raise failed(connection, error, self.text) from None
            self.give(cursor, [(value,)])
            return
        if self.alone is not None and connection.txn is not None:
            raise ProgrammingError(
                f"{self.alone}() cannot run in a transaction",
                hint="Run it by itself, after COMMIT.",
                sqlstate="25001",
            )
        if self.source is None:
            inputs: list[Any] = [()]
        else:
            from sqlagent.cursor import Cursor as Read

            if outdated(connection):  # now: the read would run the whole statement anew, and write
                connection._run(cursor, self.text, parameters)
                return
            read = Read(connection)
            self.source(connection, read, parameters)
            inputs = read.fetchall()

        ready = self.prepared(connection, inputs, parameters) if self.prepares else None

        def work(handle: Handle) -> list[tuple[Any, ...]]:
            context = context_of(self.database, connection, handle)
            if ready is None:
                return [self.row(context, row, parameters) for row in inputs]
            found = zip(inputs, ready, strict=True)
            return [self.row(context, row, parameters, one) for row, one in found]

        alone = self.alone is not None
        rows = writing(connection, work, self.text, several=True, alone=alone)
        if alone:
            rows = [self.finished(connection, row) for row in rows]
        self.give(cursor, rows)

    def give(self, cursor: Cursor, rows: list[tuple[Any, ...]]) -> None:
        """Hand the rows to the cursor."""
        if self.plan.silent:
            return
        cursor._columns = self.columns
        cursor._iter = iter(rows)
        cursor.rowcount = len(rows)

    def quick(self, connection: Connection, values: list[Any] | None) -> Any:
        """One call that commits by itself, with nothing to bound or to ask first: as `writing`, in
        fewer steps, which count beside a commit of some hundred microseconds."""
        body = self.bodies[0]
        if values is None or body is None or body.call is None:
            return None
        if body.statement is not None and (lone := body.statement(*values)) is not None:
            value = self.database.write_one(lone[0], lone[1], connection)
            if value is not None:
                return value
        return self.called(connection, body.call, values)

    def called(self, connection: Connection, call: Callable[..., Any], values: list[Any]) -> Any:
        """The value of a body in a transaction of its own."""
        running = connection.running

        def work(handle: Handle) -> Any:
            number = id(handle)
            running[number] = handle
            try:
                return call(context_of(self.database, connection, handle), *values)
            finally:
                running.pop(number, None)

        return self.database.write(work, connection.timeout, connection)

    def finished(self, connection: Connection, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """The values of a row after the commit."""
        return tuple(
            value if body is None or body.after is None else body.after(connection, value)
            for body, value in zip(self.bodies, row, strict=True)
        )

    def row(
        self,
        context: Context,
        row: tuple[Any, ...],
        parameters: Any,
        prepared: list[Any] | None = None,
    ) -> tuple[Any, ...]:
        out = []
        for number, (output, body) in enumerate(zip(self.plan.outputs, self.bodies, strict=True)):
            values = [value_of(a, row, parameters) for a in output.arguments]
            gate = context.writer.owner.gate
            if gate is not None and body is not None:
                gate.called(context.writer.owner, body, values)
            if prepared is not None:
                context.prepared = prepared[number]
            out.append(values[0] if body is None else self.invoke(body, context, values))
        return tuple(out)

    def prepared(
        self, connection: Connection, inputs: list[Any], parameters: Any
    ) -> list[list[Any]] | None:
        """What the bodies' `prepare` give for each row, while the writer is free; None in a
        transaction, whose own writes a reader would not see."""
        if connection.txn is not None or not connection.autocommit:
            return None
        context = Context(self.database, connection.settings, None)
        if connection.gate is not None:
            for row in inputs:
                for output, body in zip(self.plan.outputs, self.bodies, strict=True):
                    if body is not None:
                        values = [value_of(a, row, parameters) for a in output.arguments]
                        connection.gate.called(connection, body, values)
        return [
            [
                None
                if body is None or body.prepare is None
                else self.invoke(
                    body,
                    context,
                    [value_of(a, row, parameters) for a in output.arguments],
                    body.prepare,
                )
                for output, body in zip(self.plan.outputs, self.bodies, strict=True)
            ]
            for row in inputs
        ]


def _ready(
    body: Function | None, arguments: tuple[Argument, ...]
) -> Callable[[Any], list[Any] | None] | None:
    """What `invoke` hands to a body, given the parameters of a statement; None where a required
    value is. What is known ahead is done once: most arguments of a long function are left out."""
    from sqlagent.functions import CHECKS, REQUIRED

    if body is None or body.call is None:
        return None
    defaults, given = [], []
    for number, (parameter, argument) in enumerate(zip(body.parameters, arguments, strict=True)):
        absent = argument.slot is None and (argument.value is None or argument.value is REQUIRED)
        name, kind, default = parameter
        defaults.append(default)
        if not absent or default is REQUIRED:
            given.append((number, argument, CHECKS.get(kind), name, default is REQUIRED))

    def ready(parameters: Any) -> list[Any] | None:
        values = defaults.copy()
        for number, argument, check, name, required in given:
            value = value_of(argument, (), parameters)
            if value is not None and value is not REQUIRED:
                values[number] = value if check is None else check(value, name)
            elif required:
                return None
        return values

    return ready


def context_of(database: Database, connection: Connection, handle: Handle) -> Context:
    """What a body that writes is handed: the writer, which knows our functions."""
    if not handle.functions_ready:
        from sqlagent.engines.sqlite_functions import ensure

        ensure(handle, database)
    handle.owner = connection
    return Context(database, connection.settings, handle)


def value_of(argument: Argument, row: tuple[Any, ...], parameters: Any) -> Any:
    """An argument's value: a column of the source row, a parameter, or a constant."""
    if argument.column is not None:
        return row[argument.column]
    if argument.slot is not None:
        try:
            value = parameters[argument.slot]
            if type(value) in PLAIN:
                return value
            # numpy's scalars as Python's; its arrays are vectors
            return value.item() if type(value).__module__ == "numpy" and not value.shape else value
        except (IndexError, KeyError, TypeError):
            raise InterfaceError(
                f"no value was given for parameter {argument.slot!r}", sqlstate="07001"
            ) from None
    return argument.value
