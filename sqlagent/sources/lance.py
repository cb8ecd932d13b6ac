"""A folder of Lance datasets: each `name.lance` in it is a table, always of its newest version.

(lancedb and pyarrow are imported on first use: lancedb takes seconds.)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlagent.catalog import Column, Table
from sqlagent.errors import OperationalError
from sqlagent.parse.lexer import quote, quote_name
from sqlagent.sources import Rows, Statistics

if TYPE_CHECKING:
    import pyarrow

    from sqlagent.connection import Connection
    from sqlagent.plan.plans import Feed


class LanceSource:
    """A folder under the name `name`; a folder that is a dataset itself is a table of its name."""

    kind = "lance"
    native: str | None = None

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self._one = path.rstrip("/").endswith(".lance")
        self.check()
        import lancedb

        self._db = lancedb.connect(os.path.dirname(path.rstrip("/")) if self._one else path)

    def check(self) -> None:
        """Raise OperationalError where the folder is no longer there."""
        if not os.path.isdir(self.path):
            raise OperationalError(
                f'the folder of "{self.name}" is gone: {self.path}', sqlstate="58P01"
            )

    def tables(self) -> list[str]:
        self.check()
        if self._one:
            return [os.path.basename(self.path.rstrip("/")).removesuffix(".lance")]
        return sorted(n[:-6] for n in os.listdir(self.path) if n.endswith(".lance"))

    def _open(self, name: str) -> Any:
        """A dataset's newest version; None where there is none of that name."""
        found = next((t for t in self.tables() if t.lower() == name.lower()), None)
        if found is None:
            return None
        try:
            return self._db.open_table(found)
        except (ValueError, RuntimeError, OSError) as error:
            raise _translated(self.name, error) from None

    def table(self, name: str) -> Table | None:
        data = self._open(name)
        if data is None:
            return None
        columns = tuple(Column(f.name, logical(f.type), not f.nullable) for f in data.schema)
        return Table(data.name, "table", columns, None)

    def statistics(self, table: str) -> Statistics:
        data = self._open(table)
        return Statistics(None if data is None else data.count_rows())

    @contextmanager
    def snapshot(self, connection: Connection) -> Iterator[dict[str, Any]]:
        """The datasets that a statement has opened: each at one version throughout."""
        self.check()
        yield {}

    def read(
        self,
        feed: Feed,
        values: Sequence[Any],
        keys: list[Any] | None,
        *,
        connection: Connection,
        snapshot: Any,
    ) -> Rows:
        data = snapshot.get(feed.table)
        if data is None:
            data = snapshot[feed.table] = self._open(feed.table)
        if data is None:
            raise OperationalError(f'"{self.name}" has no table "{feed.table}" any more')
        where = [f"({filled(feed.filter, values)})"] if feed.filter else []
        if keys is not None and feed.keys is not None:
            listed = ", ".join(map(_literal, keys)) or "NULL"
            where.append(f"{quote_name(feed.keys.column)} IN ({listed})")
        search = data.search().select(list(feed.columns))
        if where:
            search = search.where(" AND ".join(where))
        if feed.limit is not None:
            search = search.limit(feed.limit)
        try:
            return Rows(search.to_arrow().select(list(feed.columns)))
        except (ValueError, RuntimeError, OSError) as error:
            raise _translated(self.name, error) from None

    def token(self) -> Any:
        """The version of each dataset."""
        return tuple((t, d.version) for t in self.tables() if (d := self._open(t)) is not None)

    def close(self) -> None:
        """Nothing is held between statements."""


def filled(condition: str, values: Sequence[Any]) -> str:
    """A condition with literals for its parameters: Lance binds none."""
    return re.sub(
        r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\?(\d+)",
        lambda m: m[0] if m[1] is None else _literal(values[int(m[1]) - 1]), condition,
    )  # fmt: skip


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else quote(str(value))


def _translated(name: str, error: Exception) -> OperationalError:
    return OperationalError(f'"{name}" cannot be read: {str(error).splitlines()[0]:.200}')


def logical(kind: pyarrow.DataType) -> str | None:
    """An Arrow type as a logical one; None where DuckDB is to say it."""
    import pyarrow as pa

    if pa.types.is_fixed_size_list(kind) and pa.types.is_float32(kind.value_type):
        return f"FLOAT[{kind.list_size}]"
    for matches, name in (
        (pa.types.is_boolean, "BOOLEAN"), (pa.types.is_integer, "BIGINT"),
        (pa.types.is_floating, "DOUBLE"), (pa.types.is_string, "VARCHAR"),
        (pa.types.is_large_string, "VARCHAR"), (pa.types.is_binary, "BLOB"),
        (pa.types.is_large_binary, "BLOB"), (pa.types.is_timestamp, "TIMESTAMP"),
        (pa.types.is_date, "DATE"), (pa.types.is_time, "TIME"),
    ):  # fmt: skip
        if matches(kind):
            return name
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return None
