"""Another agent's file: its tables as of any SQLite file, and its functions, run on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlagent import migrate
from sqlagent.catalog import Column, Table
from sqlagent.engines.sqlite import translate
from sqlagent.errors import MigrationError
from sqlagent.functions import functions
from sqlagent.sources import Rows
from sqlagent.sources.sqlite import SqliteSource
from sqlagent.sync.columns import quoted

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.plan.plans import Feed


class AgentSource(SqliteSource):
    """An agent's file; `connection` is the one that its functions run on."""

    kind = "agent"

    def __init__(
        self, connection: Connection, name: str, path: str, *, read_only: bool = False
    ) -> None:
        self._settings = {k: v for k, v in connection.settings.items() if k != "synchronous"}
        self._inner: Connection | None = None
        super().__init__(connection, name, path, read_only=read_only)
        try:
            with self.database.read() as handle:
                if not migrate.applied(handle) or migrate.pending(handle, migrate.known()):
                    raise MigrationError(
                        f'"{path}" is no agent\'s file of this version',
                        hint="Open it once with sqlagent, which brings it to this version, or "
                        "ATTACH it (TYPE sqlite) for its tables alone.",
                    )
        except BaseException as error:
            self.close()
            raise translate(error) from None

    @property
    def connection(self) -> Connection:
        """A connection to it, made at the first use."""
        if self._inner is None:
            from sqlagent.connection import connect

            self._inner = connect(
                self.path, read_only=self.database.read_only, timeout=self.database.timeout,
                **self._settings,
            )  # fmt: skip
        return self._inner

    def table(self, name: str) -> Table | None:
        """A table, or a call of a table function: `recall('ada', 'tea')`."""
        function = functions().get(name.partition("(")[0].lower()) if name.endswith(")") else None
        if function is None:
            return super().table(name)
        return Table(name, "virtual", tuple(Column(n, t) for n, t in function.columns), None)

    def read(
        self,
        feed: Feed,
        values: Sequence[Any],
        keys: list[Any] | None,
        *,
        connection: Connection,
        snapshot: Any,
    ) -> Rows:
        if not feed.table.endswith(")"):
            return super().read(
                feed, values, keys, connection=connection, snapshot=snapshot
            )  # fmt: skip
        from sqlagent.arrow import table_of

        listed = ", ".join(map(quoted, feed.columns))
        found = self.connection.execute(f"SELECT {listed} FROM {feed.table}")
        return Rows(table_of(found._described() or (), found.fetchall()))

    def hold(self, connection: Connection) -> Any:
        from sqlagent.run.remote import HeldAgent

        return HeldAgent(connection, self)

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()
        super().close()
