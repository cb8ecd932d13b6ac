"""Whether the changes of a table are logged, and the triggers that make it so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

from sqlagent.errors import Error
from sqlagent.sync import log
from sqlagent.sync.columns import declared

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle

INSTALL_WAIT_MS = 100


class Ready:
    """What is known of the triggers of one file's tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.unlogged: set[str] = set()  # tables whose triggers cannot be made
        self.busy: set[str] = set()  # and those whose triggers cannot be made now

    def ready(self, reader: Handle, name: str, span: log.Span | None) -> bool:
        """Whether a table can be read now: its changes are logged, or cannot be."""
        return not self.loggable(reader, name, span) or log.installed(reader, name)

    def loggable(self, reader: Handle, name: str, span: log.Span | None) -> bool:
        if (
            span is None
            or name in self.unlogged | self.busy
            or name.startswith(("sqlagent_", "sqlite_"))
        ):
            return False
        says = declared(reader, name)
        return says is not None and says[1] == "table"

    def install(self, name: str, schema: int) -> int:
        """Make the triggers of a user's table, or remember that it cannot be, or not now.

        Returns `schema`, the version of the schema that the copies are of, or what it has become.

        On a connection of its own that waits for a moment only: a reader must not queue behind a
        writer's long transaction. Until it succeeds, a change of the file reads the table whole.
        """
        if self._database.read_only:
            self.unlogged.add(name)
            return schema
        writer = self._database.open(write=True)
        try:
            writer.set_busy_timeout(INSTALL_WAIT_MS)
            with writer:  # an outermost `with` begins a transaction
                # Takes the write lock.
                writer.execute("DELETE FROM sqlagent_change_entries WHERE 0")
                before = log.number(writer, "schema_version")
                if not log.installed(writer, name):
                    log.install(writer, name)
                after = log.number(writer, "schema_version")
            known = self._database.known_catalog
            if known is not None and known.version == before:  # triggers are not in the catalog
                self._database.known_catalog = known._replace(version=after)
            if before == schema:  # nobody else changed the schema: no need to look again
                return after
        except apsw.BusyError:
            self.busy.add(name)
        except (Error, apsw.Error):
            self.unlogged.add(name)
        finally:
            writer.close()
        return schema
