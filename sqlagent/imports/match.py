"""Which column of a file goes into which of the table, and how the table may grow for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from sqlagent.catalog import Table
from sqlagent.errors import NotSupportedError, ProgrammingError, nearest
from sqlagent.imports.fit import WIDER, family, typed
from sqlagent.migrate import known, own_names
from sqlagent.run.duck import TYPES
from sqlagent.sync.log import quoted

if TYPE_CHECKING:
    from sqlagent.imports.source import Source
    from sqlagent.plan.plans import Import


class Pair(NamedTuple):
    """A column of the file (`source`, of DuckDB type `read`), and of the table (`column`, `kind`).

    `new` is to be added to the table, `wider` to be declared anew as `kind`.
    """

    source: str
    read: str
    column: str
    kind: str
    new: bool = False
    wider: bool = False


def match(plan: Import, source: Source, table: Table | None) -> list[Pair]:
    """The pairs, in the file's order. Raises ProgrammingError where a column has no place."""
    if table is None:
        return [Pair(n, read, n, declared(seems), True) for n, read, seems in source.columns]
    there = {c.name.lower(): c for c in table.columns}
    if plan.columns:
        unknown = [c for c in plan.columns if c.lower() not in there]
        if unknown:
            raise _unknown(plan, unknown[0], table)
        if len(plan.columns) != len(source.columns):
            raise ProgrammingError(
                f"the file has {len(source.columns)} columns, {len(plan.columns)} are named",
                sqlstate="42601",
            )
        names: list[str | None] = [there[c.lower()].name for c in plan.columns]
    elif not source.header and not plan.options.get("by_name"):
        if len(source.columns) != len(table.columns):
            raise ProgrammingError(
                f'the file has no header and {len(source.columns)} columns, table "{table.name}" '
                f"has {len(table.columns)}",
                hint=f"Name the columns that it has: COPY {table.name} (…) FROM …",
                sqlstate="42601",
            )
        names = [c.name for c in table.columns]
    else:
        names = [
            there[n.lower()].name if n.lower() in there else None for n, _, _ in source.columns
        ]
    pairs = []
    for (name, read, seems), column in zip(source.columns, names, strict=True):
        if column is None:
            if not plan.options.get("evolve"):
                raise _unknown(plan, name, table)
            pairs.append(Pair(name, read, name, declared(seems), True))
        else:
            kind = there[column.lower()].type or declared(seems)
            pairs.append(Pair(name, read, column, kind))
    return pairs


def _unknown(plan: Import, name: str, table: Table) -> ProgrammingError:
    close = nearest(name, [c.name for c in table.columns])
    evolve = f"{close + ' ' if close else ''}EVOLVE adds it: COPY {table.name} FROM … (EVOLVE)"
    return ProgrammingError(
        f'table "{table.name}" has no column "{name}"', hint=evolve, sqlstate="42703"
    )


def declared(kind: str) -> str:
    """A type of DuckDB as a column of the file declares it."""
    if kind.endswith("[]") or kind.startswith(("STRUCT", "MAP", "UNION", "JSON")):
        return "JSON"
    if re.fullmatch(r"(FLOAT|DOUBLE)\[\d+\]", kind):
        return kind.replace("DOUBLE", "FLOAT")
    kind = TYPES.get(kind, kind)
    return {"INTEGER": "BIGINT", "SMALLINT": "BIGINT", "TINYINT": "BIGINT"}.get(kind, kind)


def widened(cursor: duckdb.DuckDBPyConnection, pairs: list[Pair]) -> list[Pair]:
    """The pairs with the narrowest types that hold every value of the file."""
    found = []
    for pair in pairs:
        fits = [pair.kind, *WIDER.get(family(pair.kind), ())]
        kind = next((k for k in fits if not _misfits(cursor, pair, k)), pair.kind)
        found.append(pair._replace(kind=kind, wider=kind != pair.kind and not pair.new))
    return found


def _misfits(cursor: duckdb.DuckDBPyConnection, pair: Pair, kind: str) -> bool:
    value = typed(pair.source, pair.read, kind)
    return bool(
        cursor.execute(
            f"SELECT 1 FROM stage WHERE {quoted(pair.source)} IS NOT NULL AND {value} IS NULL "
            "LIMIT 1"
        ).fetchall()
    )


def check_may_grow(pairs: list[Pair], table: Table | None) -> None:
    """Raise NotSupportedError where one of our own tables would change its columns."""
    changed = [p for p in pairs if p.new or p.wider]
    if changed and table is not None and table.name.lower() in own_names(known()):
        raise NotSupportedError(
            f'"{table.name}" is a table of the engine: column "{changed[0].column}" cannot be '
            f"{'added' if changed[0].new else 'widened'}"
        )
