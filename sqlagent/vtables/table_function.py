"""A table function of ours as an eponymous SQLite virtual table.

Its columns are the function's, then one hidden column for each parameter, under a name of its own
since SQLite refuses one name for an argument and a column. BestIndex refuses a plan in which a
required argument is not usable yet, which is what makes lateral joins (`FROM t, recall(t.agent_id,
'x')`) come out in the right order. Rows come best first, and LIMIT is left to SQLite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import apsw

from sqlagent.errors import ProgrammingError
from sqlagent.functions import LEFT_OUT, REQUIRED, Function, Later, invoke

Call = Callable[[list[Any]], Iterator[tuple[Any, ...]]]


class Module:
    """The SQLite module of one table function on one connection."""

    def __init__(self, function: Function, context: Callable[[], Any]) -> None:
        self.function = function
        self.context = context

    def Create(self, connection: Any, module: str, database: str, table: str, *args: str) -> Any:
        columns = [f'"{name}" {kind}' for name, kind in self.function.columns]
        hidden = [f'"@{p.name}" HIDDEN' for p in self.function.parameters]
        return f"CREATE TABLE x({', '.join(columns + hidden)})", Table(self)

    Connect = Create


class Table:
    """The virtual table; it holds nothing."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.first = len(module.function.columns)

    def BestIndexObject(self, index: Any) -> bool:
        parameters = self.module.function.parameters
        used: list[int] = []
        for at in range(index.nConstraint):
            column = index.get_aConstraint_iColumn(at) - self.first
            if column < 0 or index.get_aConstraint_op(at) != apsw.SQLITE_INDEX_CONSTRAINT_EQ:
                continue
            if not index.get_aConstraint_usable(at):
                return False
            used.append(column)
            index.set_aConstraintUsage_argvIndex(at, len(used))
            index.set_aConstraintUsage_omit(at, True)
        missing = [p.name for n, p in enumerate(parameters) if p.required and n not in used]
        if missing:
            raise ProgrammingError(
                f"{self.module.function.name} needs its argument {', '.join(missing)}",
                hint=f"It is {self.module.function.signature}",
            )
        index.idxStr = ",".join(map(str, used))
        index.estimatedCost = 1000.0
        index.estimatedRows = 10
        return True

    def Open(self) -> Scan:
        return Scan(self.module)

    def Disconnect(self) -> None:
        pass

    Destroy = Disconnect


class Scan:
    """One call: the rows that the function's body gives."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.rows: Iterator[tuple[Any, ...]] = iter(())
        self.row: tuple[Any, ...] | None = None
        self.number = 0
        self.width = len(module.function.columns)
        self.values: list[Any] = []

    def Filter(self, number: int, name: str | None, arguments: tuple[Any, ...]) -> None:
        function = self.module.function
        values: list[Any] = [REQUIRED] * len(function.parameters)
        for at, value in zip((name or "").split(",") if name else (), arguments, strict=True):
            values[int(at)] = value
        self.values = values
        given = [REQUIRED if value == LEFT_OUT else value for value in values]
        self.rows = iter(invoke(function, self.module.context(), given) or ())
        self.number = -1
        self.Next()

    def Eof(self) -> bool:
        return self.row is None

    def Next(self) -> None:
        self.row = next(self.rows, None)
        self.number += 1

    def Column(self, at: int) -> Any:
        if at < 0:
            return self.number
        if at < self.width:
            assert self.row is not None  # SQLite asks only before Eof
            value = self.row[at]
            return value.make() if type(value) is Later else value
        value = self.values[at - self.width]
        return None if value is REQUIRED else value

    def Rowid(self) -> int:
        return self.number

    def Close(self) -> None:
        self.rows = iter(())


def register(handle: Any, function: Function, context: Callable[[], Any]) -> None:
    """Give a connection the table function."""
    handle.create_module(
        function.name,
        Module(function, context),
        use_bestindex_object=True,
        eponymous=True,
        eponymous_only=True,
        iVersion=1,  # from 3 on, APSW gives each module one of 33 slots that a process has
        read_only=True,
    )
