"""What sources share whose rows DuckDB reads by itself, so that none is ever fed to it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from sqlagent.errors import InternalError
from sqlagent.sources import Rows

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.plan.plans import Feed


class NeverFed:
    """The feeding half of a `Source` that has no feeds; which commit it is at is not known."""

    name: str

    def snapshot(self, connection: Connection) -> AbstractContextManager[Any]:
        return nullcontext()

    def read(
        self,
        feed: Feed,
        values: Sequence[Any],
        keys: list[Any] | None,
        *,
        connection: Connection,
        snapshot: Any,
    ) -> Rows:
        raise InternalError(f'"{self.name}" is read by DuckDB: it is never fed')

    def token(self) -> Any:
        return None
