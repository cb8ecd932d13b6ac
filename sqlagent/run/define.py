"""Running a Define plan: what users define is tried, then kept, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.catalog import Catalog, Column, Definition
from sqlagent.engines import definitions
from sqlagent.engines.sqlite import Database, Handle
from sqlagent.errors import Error, ProgrammingError
from sqlagent.migrate import known, own_names, refuse_own
from sqlagent.plan.plans import Define, Plan
from sqlagent.run.writing import writing

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor

# Of a probe, the errors that no argument could mend: an unknown function, table or column.
_FATAL = ("42883", "42P01", "42703")


class RunDefine:
    """The runner of CREATE and DROP of definitions."""

    def __init__(self, database: Database, plan: Define, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        plan = self.plan
        columns = self.probed(connection)
        made = [shown(d, columns) if d.kind == "view" else d for d in plan.definitions]
        for d in made:
            refuse_name(d)
        for sql in plan.sql:
            try:
                refuse_own(sql)
            except ProgrammingError as error:
                error.sql = None  # a statement of ours, not the user's
                raise
        if plan.temporary:
            keep(connection, made, plan.replace)
            return

        def work(handle: Handle) -> None:
            for name, kinds in plan.drop:
                definitions.undefine(handle, name, kinds)
            for sql in plan.sql:
                handle.execute(sql)
            for definition in made:
                try:
                    definitions.define(handle, definition, replace=True)
                except apsw.ConstraintError as error:
                    raise ProgrammingError(
                        f'the {definition.kind} "{definition.name}" cannot be kept: {error}'
                    ) from None

        for name, kinds in plan.drop:
            if any(d.kind in kinds for d in connection.temporary.get(name.lower(), ())):
                forget(connection, name, kinds)
                return
        writing(connection, work, self.text, several=True)
        connection.schema_changed()

    def probed(self, connection: Connection) -> tuple[Column, ...]:
        """Run the probe: its columns. Raises for what could never work."""
        if self.plan.probe is None:
            return ()
        from sqlagent.cursor import Cursor
        from sqlagent.run import make

        own = Cursor(connection)
        is_view = any(d.kind == "view" for d in self.plan.definitions)
        try:
            make(self.database, Plan(self.text, self.plan.probe))(connection, own, ())
            own.fetchall()
        except Error as error:
            if is_view or error.sqlstate in _FATAL:
                error.sql, error.position = self.text, error.position
                raise
            return ()
        return tuple(Column(str(name), kind) for name, kind in own._columns or ())


def shown(definition: Definition, columns: tuple[Column, ...]) -> Definition:
    """A view with the columns that its probe found, under the names that it gives them."""
    given = definition.columns
    if given and len(given) != len(columns):
        raise ProgrammingError(
            f'the view "{definition.name}" has {len(given)} names for {len(columns)} columns',
            sqlstate="42611",
        )
    if given:
        columns = tuple(c._replace(name=g.name) for c, g in zip(columns, given, strict=True))
    return definition._replace(columns=columns)


def refuse_name(definition: Definition) -> None:
    """Refuse a relation under a name that is ours."""
    name = definition.name.lower()
    if definition.kind in definitions.KINDS and (
        name.startswith(("sqlagent_", "sqlite_")) or name in own_names(known())
    ):
        raise ProgrammingError(
            f'"{definition.name}" is a name of sqlagent itself', sqlstate="42939"
        )


def keep(connection: Connection, made: list[Definition], replace: bool) -> None:
    """Temporary definitions are the connection's, and hide those of the file."""
    for definition in made:
        name = definition.name.lower()
        there = [d.parameters for d in connection.temporary.get(name, ())]
        if definition.parameters in there and not replace:
            raise ProgrammingError(
                f'the temporary {definition.kind} "{definition.name}" exists', sqlstate="42710"
            )
        rest = [
            d for d in connection.temporary.get(name, ())
            if (d.kind, d.parameters) != (definition.kind, definition.parameters)
        ]  # fmt: skip
        connection.temporary[name] = (*rest, definition)
    connection.plans.clear()


def forget(connection: Connection, name: str, kinds: tuple[str, ...]) -> None:
    """Drop temporary definitions; what they hid is back."""
    rest = tuple(d for d in connection.temporary[name.lower()] if d.kind not in kinds)
    connection.temporary.pop(name.lower())
    if rest:
        connection.temporary[name.lower()] = rest
    connection.plans.clear()


def overlaid(catalog: Catalog, connection: Connection) -> Catalog:
    """The catalog with what is temporary over what the file has."""
    merged = dict(catalog.definitions)
    for name, several in connection.temporary.items():
        kinds = {d.kind for d in several}
        merged[name] = (*(d for d in merged.get(name, ()) if d.kind not in kinds), *several)
    tables = catalog.tables | definitions.relations(connection.temporary)
    return catalog._replace(definitions=merged, tables=tables)
