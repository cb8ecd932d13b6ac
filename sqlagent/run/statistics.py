"""How large tables are, and what a read would cost on SQLite and on DuckDB, in milliseconds.

Estimates, for the first runs of a statement alone: measured times take their place
(`sqlagent.run.experience`). The constants are what one core took on in-memory pages; a choice
needs no more than the right order of magnitude.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.parse.lexer import is_name, lex, quote_name

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle

COUNTED = 2000  # rows that are counted; more are estimated
SCAN_US = 0.05  # SQLite: a row of a scan
SEEK_US = 0.3  # a search in an index
FOUND_US = 0.08  # a row that it finds
SORT_US = 0.15  # a row that goes through a temporary b-tree
FAN_OUT = 10  # rows of a search by equality, where sqlite_stat1 does not say: SQLite's own guess
RANGE_SHARE = 0.25  # rows of a search by range
DUCK_MS = 0.6  # DuckDB: a statement
DUCK_US = 0.01  # a row
START_MS = 150.0  # importing and starting DuckDB
TABLE_MS = 5.0  # the first columns of a table: its triggers are a commit
STALE_S = 1.0  # sizes are looked up again after this

_LOOP = re.compile(r"(SCAN|SEARCH) (\S+)")
_INDEX = re.compile(r"USING (?:COVERING )?INDEX (\S+)")


class Statistics:
    """Sizes of the tables of one file."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.build_us = 1.5  # a row that becomes columns; learnt from those that did
        self._sizes: dict[str, tuple[int, float]] = {}
        self._fan_out: dict[str, list[int]] = {}
        self._fan_out_at = -STALE_S

    def replicas(self) -> Any:
        """DuckDB's copies of tables, by lower-case name; none where DuckDB was not needed yet."""
        engine = self.database.services.get("columns")
        return None if engine is None else engine.replicas

    def rows(self, tables: Iterable[str]) -> int:
        """How many rows `tables` (lower-case) have together; a table that is not known counts 0."""
        now = time.monotonic()
        total, unknown = 0, []
        for table in tables:
            found = self._sizes.get(table)
            if found is not None and now - found[1] < STALE_S:
                total += found[0]
            else:
                unknown.append(table)
        if unknown:
            with self.database.read() as handle:
                for table in unknown:
                    rows = table_rows(handle, table)
                    self._sizes[table] = (rows, now)
                    total += rows
        return total

    def unbuilt(self, tables: Sequence[str]) -> list[str]:
        """Which of `tables` have no columns yet."""
        replicas = self.replicas()
        if replicas is None:
            return list(tables)
        have = replicas.names()
        return [t for t in tables if t not in have]

    def build_ms(self, tables: Sequence[str]) -> float:
        """What it would cost to make the columns of those of `tables` that have none."""
        missing = self.unbuilt(tables)
        if not missing:
            return 0.0
        start = START_MS if self.replicas() is None else 0.0
        return start + TABLE_MS * len(missing) + self.build_us * self.rows(missing) / 1000

    def built(self, tables: Sequence[str], milliseconds: float) -> None:
        """Columns of `tables` were made in that time, DuckDB's start left out."""
        rows = self.rows(tables)
        if rows > COUNTED:
            seen = max(0.2, 1000 * (milliseconds - TABLE_MS * len(tables)) / rows)
            self.build_us = min(20.0, (self.build_us + seen) / 2)

    def duck_ms(self, tables: Iterable[str]) -> float:
        """What a read of `tables` would cost on DuckDB, over columns that are there."""
        return DUCK_MS + DUCK_US * self.rows(tables) / 1000

    def lite_ms(self, sql: str, tables: Sequence[str]) -> float:
        """What the read `sql`, in SQLite's words, would cost there; by its query plan."""
        with self.database.read() as handle:
            try:
                plan = explained(handle, sql)
            except (apsw.Error, KeyError):
                return 0.0  # it will say what is wrong when it runs
            self._analysed(handle)
        alias: dict[str, str] = {}

        def size(name: str) -> int:
            if not alias:
                alias.update(aliases(sql, tables))
            table = alias.get(name.lower())
            if table is None:
                return max((self.rows([t]) for t in tables), default=0)
            return self.rows([table])

        return plan_us(plan, size, self._fan_out) / 1000

    def _analysed(self, handle: Handle) -> None:
        """What ANALYZE found, where somebody ran it."""
        now = time.monotonic()
        if now - self._fan_out_at < STALE_S:
            return
        self._fan_out_at = now
        try:
            rows = handle.execute("SELECT idx, stat FROM sqlite_stat1 WHERE idx IS NOT NULL")
            self._fan_out = {
                str(idx): [int(n) for n in str(stat).split() if n.isdigit()] for idx, stat in rows
            }
        except apsw.Error:
            self._fan_out = {}


def explained(handle: Handle, sql: str) -> list[tuple[Any, ...]]:
    """SQLite's query plan of a statement, whatever its parameters."""
    sql = "EXPLAIN QUERY PLAN " + sql
    try:
        return list(handle.execute(sql, ()))
    except apsw.BindingsError as error:
        wanted = re.search(r"uses (\d+)", str(error))
        return list(handle.execute(sql, (None,) * int(wanted[1] if wanted else 0)))


def table_rows(handle: Handle, table: str) -> int:
    """About how many rows a table has: exact up to COUNTED, in some tens of microseconds."""
    name = quote_name(table)
    try:
        few = handle.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {name} LIMIT {COUNTED + 1})"
        ).fetchall()[0][0]
        if few <= COUNTED:
            return int(few)
        pages, size = handle.execute(
            "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size"
        ).fetchall()[0]
        most = int(pages * size / 12)  # no row is smaller
        try:
            low, high = handle.execute(
                f"SELECT (SELECT min(rowid) FROM {name}), (SELECT max(rowid) FROM {name})"
            ).fetchall()[0]
        except apsw.SQLError:  # a view, or WITHOUT ROWID
            return most
        return min(most, high - low + 1) if isinstance(low, int) else most
    except apsw.Error:
        return 0


def aliases(sql: str, tables: Sequence[str]) -> dict[str, str]:
    """Which table each name in a statement's FROM stands for, in lower case."""
    known = set(tables)
    found = {t: t for t in tables}
    tokens = lex(sql)
    for place, token in enumerate(tokens[:-1]):
        if is_name(token) and (table := token.name.lower()) in known:
            after = tokens[place + 1]
            if after.upper == "AS" and place + 2 < len(tokens):
                after = tokens[place + 2]
            if is_name(after):
                found.setdefault(after.name.lower(), table)
    return found


def plan_us(
    plan: Sequence[tuple[Any, ...]], size: Callable[[str], int], fan_out: dict[str, list[int]]
) -> float:
    """Microseconds of a query plan (rows of EXPLAIN QUERY PLAN); filters are taken to pass all."""
    children: dict[int, list[tuple[int, str]]] = {}
    for node, parent, _, detail in plan:
        children.setdefault(parent, []).append((node, str(detail)))

    def walk(parent: int) -> float:
        rows, total = 1.0, 0.0  # the loops of one level are nested, in their order
        for node, detail in children.get(parent, ()):
            loop = _LOOP.match(detail)
            if loop is None:
                inner = walk(node)
                times = rows if "CORRELATED" in detail else 1.0
                total += times * inner + (rows * SORT_US if "TEMP B-TREE" in detail else 0.0)
            elif loop[1] == "SCAN":
                rows *= max(1, size(loop[2]))
                total += rows * SCAN_US
            else:
                if "AUTOMATIC" in detail:
                    total += size(loop[2]) * SORT_US
                total += rows * SEEK_US
                # A row by its key needs no size, and most reads of few rows are of that kind.
                by_key = "(rowid=?)" in detail
                rows *= 1.0 if by_key else found_by(detail, size(loop[2]), fan_out)
                total += rows * FOUND_US
        return total

    return walk(0)


def found_by(detail: str, size: int, fan_out: dict[str, list[int]]) -> float:
    """How many rows one SEARCH finds."""
    if "(rowid=?)" in detail:
        return 1.0
    equals = detail.count("=?")
    index = _INDEX.search(detail)
    if equals and index is not None:
        known = fan_out.get(index[1], [])
        if len(known) > equals:
            return float(known[equals])
    if equals:
        return float(max(1, min(size, FAN_OUT)))
    return max(1.0, size * RANGE_SHARE)
