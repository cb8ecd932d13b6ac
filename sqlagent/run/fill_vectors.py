"""`INSERT INTO vectors … SELECT` whose rows DuckDB makes: in bulk, as COPY does it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlagent.errors import DataError

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.engines.duck_result import DuckResult
    from sqlagent.engines.sqlite import Handle

_INSERT = re.compile(
    r'INSERT INTO "?vectors"? ?\(([\w", ]+)\) ?VALUES ?\((?:\?(?:, )?)+\)', re.IGNORECASE
)
_LISTS = re.compile(r"(FLOAT|DOUBLE|U?(TINY|SMALL|BIG)?INT(EGER)?|BOOLEAN)\[\d*\]")
_PLAIN = ("VARCHAR", "JSON", "BIGINT", "INTEGER")
BATCH = 10_000


def vectors_work(
    insert: str, result: DuckResult, connection: Connection
) -> Callable[[Handle], int] | None:
    """The writer's work, where a statement inserts lists of numbers and nothing else is asked of
    it; None for any other."""
    found = _INSERT.fullmatch(insert.strip())
    if found is None:
        return None
    names = [name.strip().strip('"').lower() for name in found[1].split(",")]
    kinds = dict(zip(names, (kind for _, kind in result.columns), strict=True))
    if not {"collection", "id", "vector"} <= kinds.keys():
        return None
    if not _LISTS.fullmatch(kinds["vector"]):
        return None
    if not all(kind in _PLAIN for name, kind in kinds.items() if name != "vector"):
        return None

    def refuse(n: int, reason: str, column: str | None, text: str) -> None:
        raise DataError(f"row {n}: {reason}", detail="nothing was inserted", sqlstate="22000")

    def work(handle: Handle) -> int:
        from sqlagent.imports.vectors import Loader, split

        loader, first = Loader(handle, names, None, refuse), 1
        for batch in split(result.record_batches(BATCH), BATCH):
            loader.load(batch.rename_columns(names), range(first, first + batch.num_rows))
            first += batch.num_rows
            connection.report("vectors", loader.done)
        return loader.done

    return work
