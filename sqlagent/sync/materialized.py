"""The rows of materialised views in DuckDB, moved in the transaction in which their tables move.

A view is *held* while a table of its own has its rows, and its name in `main` stands for that; else
the name stands for its SELECT, which is slower and just as right. So whatever cannot be kept up is
let go, and made again when a statement wants it.

Of a view by groups the table holds each group's keys (`k0` …), its number of rows (`n`), and per
argument what its aggregates need: the number of values (`c0`), their sum (`s0`), average (`v0`),
least (`l0`) and greatest (`h0`). Sums of whole numbers and decimals follow by adding what came and
taking away what went. Groups where that is not exact (a sum of floats, the least value gone) are
computed again, each by itself, so that the rows are those of the query run afresh.
(duckdb is imported with this module.)
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import duckdb

from sqlagent.errors import DataError, Error, ProgrammingError
from sqlagent.plan.plans import Materialized
from sqlagent.sync.columns import quoted

if TYPE_CHECKING:
    from sqlagent.sync.delta import Delta, Replica

IDLE_CHANGES = 200  # changes of its table after which a view that nobody reads is let go
COMPACT_ROWS = 50_000  # rows deleted before the table of a view is made anew
EXACT = 1 << 53  # whole numbers up to it are exact as doubles: so far a quotient is DuckDB's avg
WHOLE = re.compile(r"(TINY|SMALL|BIG|UTINY|USMALL|UBIG|U)?INT(EGER)?$|BOOLEAN$")
DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)$")
KEY = quoted("sqlagent key")
GONE, CAME = "sqlagent_gone", "sqlagent_came"  # temporary tables: rows of a base before and after


class Held:
    """A view whose rows are kept in the table `physical`."""

    def __init__(self, view: Materialized, physical: str) -> None:
        self.view = view
        self.physical = physical
        self.how = view.how
        self.kinds: list[str] = []  # DuckDB's types of the arguments
        self.deleted = 0
        self.rows = 0
        self.unread = 0  # changes since it was last wanted

    def __len__(self) -> int:
        """How many rows its table has; groups that HAVING hides among them."""
        return self.rows

    # Making -------------------------------------------------------------------------------------

    def make(self, cursor: duckdb.DuckDBPyConnection, base: Replica | None) -> None:
        """Compute the rows from what its tables hold, in the caller's transaction."""
        view = self.view
        if self.how != "whole" and base is not None and self._sound(cursor, base):
            cursor.execute(f"CREATE TABLE {self.physical} AS {self._select(base)}")
        else:
            self.how = "whole"
            names = ", ".join(f"o{i}" for i in range(len(view.columns)))
            cursor.execute(
                f"CREATE TABLE {self.physical} AS SELECT * FROM (\n{view.sql}\n) AS t({names})"
            )
        (self.rows,) = cursor.execute(f"SELECT count(*) FROM {self.physical}").fetchone() or (0,)
        self.show(cursor)

    def show(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Let the view's name stand for its rows."""
        view = self.view
        outputs = self._outputs()
        shown = ", ".join(
            f"CAST({o} AS {kind}) AS {quoted(name)}"
            for o, (name, kind) in zip(outputs, view.columns, strict=True)
        )
        having = f" WHERE {view.having}" if view.having is not None and self.how != "whole" else ""
        inner = f"SELECT *{self._named()} FROM {self.physical}"
        cursor.execute(
            f"CREATE OR REPLACE VIEW main.{quoted(view.name)} AS SELECT {shown} FROM ({inner})"
            f"{having}"
        )

    def _sound(self, cursor: duckdb.DuckDBPyConnection, base: Replica) -> bool:
        """Whether the table can tell which rows changed, and DuckDB agrees with the analysis."""
        if not base.logged or base.shape.key is None:
            return False
        view = self.view
        wanted = view.arguments if self.how == "groups" else view.outputs
        picked = ", ".join([*(f"({w})" for w in wanted), "1"])
        try:
            found = cursor.execute(
                f"DESCRIBE SELECT {picked} FROM {base.physical} AS {quoted(_alias(view))}"
            ).fetchall()
        except duckdb.Error:
            return False
        self.kinds = [str(row[1]) for row in found[:-1]]
        return True

    def _outputs(self) -> Iterable[str]:
        if self.how == "groups":
            return self.view.outputs
        return [f"o{i}" for i in range(len(self.view.columns))]

    def _named(self) -> str:
        """The aggregates `a0` … of a view by groups, from what its table holds."""
        if self.how != "groups":
            return ""
        named = []
        for place, (call, argument) in enumerate(self.view.aggregates):
            if call == "count":
                value = "n" if argument is None else f"c{argument}"
            elif call == "sum":
                value = f"CASE WHEN c{argument} > 0 THEN s{argument} END"
            else:
                value = f"{ {'avg': 'v', 'min': 'l', 'max': 'h'}[call] }{argument}"
            named.append(f", {value} AS a{place}")
        return "".join(named)

    def _select(self, base: Replica) -> str:
        """The rows of its table, from all rows of the base."""
        source = f"{base.physical} AS {quoted(_alias(self.view))}"
        if self.how == "rows":
            return f"SELECT {quoted(base.shape.key_name)} AS {KEY}, {self._row(source)}"
        return self._grouped(f"SELECT {self._taken(source)}")

    def _row(self, source: str) -> str:
        """The outputs of a view by rows, and where they come from."""
        outputs = ", ".join(f"({o}) AS o{i}" for i, o in enumerate(self.view.outputs))
        return f"{outputs} FROM {source}{self._where()}"

    def _where(self) -> str:
        return "" if self.view.where is None else f" WHERE {self.view.where}"

    def _taken(self, source: str, extra: str = "") -> str:
        """The keys and arguments of each row of a source that passes the filter."""
        picked = [f"({k}) AS k{i}" for i, k in enumerate(self.view.keys)]
        picked += [f"({a}) AS x{i}" for i, a in enumerate(self.view.arguments)]
        picked.append(f"{extra or '1'} AS sign")
        return f"{', '.join(picked)} FROM {source}{self._where()}"

    def _grouped(self, source: str) -> str:
        """The table's rows, from keys and arguments."""
        parts = [*self._keys(), "count(*) AS n"]
        for letter, i in self._parts():
            call = {"c": "count", "s": "sum", "v": "avg", "l": "min", "h": "max"}[letter]
            parts.append(f"{call}(x{i}) AS {letter}{i}")
        by = f" GROUP BY {', '.join(self._keys())}" if self.view.keys else ""
        return f"SELECT {', '.join(parts)} FROM ({source}){by}"

    def _keys(self) -> list[str]:
        return [f"k{i}" for i in range(len(self.view.keys))]

    def _parts(self) -> list[tuple[str, int]]:
        """The columns that the aggregates need: (letter, argument), in the table's order."""
        wanted: dict[tuple[str, int], None] = {}
        for call, argument in self.view.aggregates:
            if argument is None:
                continue
            for letter in {"count": "c", "sum": "cs", "avg": "csv", "min": "l", "max": "h"}[call]:
                wanted[letter, argument] = None
        return list(wanted)

    # Keeping ------------------------------------------------------------------------------------

    def change(self, cursor: duckdb.DuckDBPyConnection, delta: Delta) -> None:
        """Follow a change of the base, which has moved already: GONE and CAME have its rows."""
        if self.how == "rows":
            self._change_rows(cursor, delta)
        else:
            self._change_groups(cursor, delta)

    def _change_rows(self, cursor: duckdb.DuckDBPyConnection, delta: Delta) -> None:
        gone = 0
        if delta.deletes:
            key = quoted(delta.replica.shape.key_name)
            (gone,) = cursor.execute(
                f"DELETE FROM {self.physical} WHERE {KEY} IN (SELECT {key} FROM {GONE})"
            ).fetchone() or (0,)
        source = f"{CAME} AS {quoted(_alias(self.view))}"
        key = quoted(delta.replica.shape.key_name)
        (came,) = cursor.execute(
            f"INSERT INTO {self.physical} SELECT {key} AS {KEY}, {self._row(source)}"
        ).fetchone() or (0,)
        self.deleted += gone
        self.rows += came - gone

    def _change_groups(self, cursor: duckdb.DuckDBPyConnection, delta: Delta) -> None:
        """Add the changes to the groups that they touch."""
        alias = quoted(_alias(self.view))
        came = f"SELECT {self._taken(f'{CAME} AS {alias}')}"
        changes = came
        if delta.deletes:
            changes += f" UNION ALL SELECT {self._taken(f'{GONE} AS {alias}', '-1')}"
        cursor.execute(f"CREATE TEMP TABLE sqlagent_changes AS {self._summed(changes)}")
        cursor.execute(f"CREATE TEMP TABLE sqlagent_merged AS {self._merged()}")
        (gone,) = cursor.execute(
            f"DELETE FROM {self.physical} AS t USING sqlagent_changes AS d WHERE {self._same('t')}"
        ).fetchone() or (0,)
        names = ", ".join([*self._keys(), "n", *(f"{a}{i}" for a, i in self._parts())])
        there = "n > 0 AND " if self.view.keys else ""
        (came_back,) = cursor.execute(
            f"INSERT INTO {self.physical} SELECT {names} FROM sqlagent_merged WHERE {there}NOT anew"
        ).fetchone() or (0,)
        again = 0
        (doubtful,) = cursor.execute(
            f"SELECT count(*) FROM sqlagent_merged WHERE {there}anew"
        ).fetchone() or (0,)
        if doubtful:  # a scan of the base
            source = f"{delta.replica.physical} AS {alias}"
            anew = f"(SELECT * FROM sqlagent_merged WHERE {there}anew) AS d"
            joined = f"SELECT t.* FROM (SELECT {self._taken(source)}) AS t SEMI JOIN {anew}"
            joined += f" ON {self._same('t')}"
            (again,) = cursor.execute(
                f"INSERT INTO {self.physical} {self._grouped(joined)}"
            ).fetchone() or (0,)
        cursor.execute("DROP TABLE sqlagent_changes")
        cursor.execute("DROP TABLE sqlagent_merged")
        self.deleted += gone
        self.rows += came_back + again - gone

    def _same(self, other: str) -> str:
        """That a row of `other` is of the group of a change."""
        return (
            " AND ".join(f"{other}.{k} IS NOT DISTINCT FROM d.{k}" for k in self._keys()) or "1=1"
        )

    def _summed(self, changes: str) -> str:
        """What came less what went, for each group that either touches."""
        parts = [*self._keys(), "sum(sign)::BIGINT AS n"]
        for letter, i in self._parts():
            if letter == "c":
                parts.append(f"coalesce(sum(sign) FILTER (x{i} IS NOT NULL), 0)::BIGINT AS c{i}")
            elif letter == "s":
                if self._exact(i):
                    value = f"x{i}" if DECIMAL.match(self.kinds[i]) else f"x{i}::HUGEINT"
                    total = f"sum(CASE WHEN sign > 0 THEN {value} ELSE -{value} END)"
                    parts.append(f"coalesce({total}, 0) AS s{i}")
            elif letter in "lh":
                call = "min" if letter == "l" else "max"
                parts.append(f"{call}(x{i}) FILTER (sign > 0) AS {letter}{i}")
                parts.append(f"{call}(x{i}) FILTER (sign < 0) AS {letter}{i}_gone")
        by = f" GROUP BY {', '.join(self._keys())}" if self.view.keys else ""
        return f"SELECT {', '.join(parts)} FROM ({changes}){by}"

    def _exact(self, argument: int) -> bool:
        """Whether a sum can be taken away from without a rounding error."""
        kind = self.kinds[argument]
        return bool(WHOLE.match(kind) or DECIMAL.match(kind))

    def _merged(self) -> str:
        """The groups as they are now; `anew` where only the base can tell."""
        parts = [*(f"d.{k}" for k in self._keys()), "coalesce(t.n, 0) + coalesce(d.n, 0) AS n"]
        anew = ["false"]
        for letter, i in self._parts():
            name = f"{letter}{i}"
            if letter == "c":
                parts.append(f"coalesce(t.{name}, 0) + d.{name} AS {name}")
            elif letter == "s":
                if self._exact(i):
                    parts.append(f"coalesce(t.{name}, 0) + d.{name} AS {name}")
                else:
                    parts.append(f"t.{name} AS {name}")
                    anew.append("true")
            elif letter == "v":
                value, unsure = self._average(i)
                parts.append(f"{value} AS {name}")
                anew.append(unsure)
            else:
                call, beyond = ("least", "<=") if letter == "l" else ("greatest", ">=")
                parts.append(f"{call}(t.{name}, d.{name}) AS {name}")
                anew.append(
                    f"(d.{name}_gone {beyond} t.{name}"
                    f" AND NOT coalesce(d.{name} {beyond} d.{name}_gone, false))"
                )
        parts.append(f"coalesce({' OR '.join(anew)}, false) AS anew")
        return (
            f"SELECT {', '.join(parts)} FROM sqlagent_changes AS d"
            f" LEFT JOIN {self.physical} AS t ON {self._same('t')}"
        )

    def _average(self, i: int) -> tuple[str, str]:
        """An average from the sum and the count, and when that is not DuckDB's own."""
        decimal = DECIMAL.match(self.kinds[i])
        if not self._exact(i) or (decimal and int(decimal[1]) > 18):
            return f"t.v{i}", "true"
        scale = 10 ** int(decimal[2]) if decimal else 1
        total = f"(coalesce(t.s{i}, 0) + d.s{i})"
        if decimal:
            total = f"CAST({total} * {scale} AS HUGEINT)"
        count = f"(coalesce(t.c{i}, 0) + d.c{i})"
        value = f"CASE WHEN {count} > 0 THEN {total}::DOUBLE / ({count} * {scale})::DOUBLE END"
        return value, f"abs({total}) > {EXACT}"


def plain(view: Materialized) -> str:
    """The SELECT of a view, with the view's names and types."""
    shown = ", ".join(
        f"CAST(o{i} AS {kind}) AS {quoted(name)}" for i, (name, kind) in enumerate(view.columns)
    )
    names = ", ".join(f"o{i}" for i in range(len(view.columns)))
    return f"SELECT {shown} FROM (\n{view.sql}\n) AS t({names})"


def _alias(view: Materialized) -> str:
    """A name for the base in the view's expressions, in which no column is qualified."""
    return f"{view.table} of view"


class Views:
    """The materialised views that DuckDB knows of one file."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self.known: dict[str, Materialized] = {}
        self.held: dict[str, Held] = {}
        self._number = 0

    def has(self, views: Iterable[Materialized]) -> bool:
        """Whether the rows of all of these, as they are defined, are held."""
        for view in views:
            held = self.held.get(view.name.lower())
            if held is None or not _alike(held.view, view):
                return False
            held.unread = 0
        return True

    @contextlib.contextmanager
    def moving(self) -> Iterator[None]:
        """What is known is as it was, should the transaction fail."""
        known, held = dict(self.known), dict(self.held)
        numbers = {n: (h.physical, h.rows, h.deleted, h.unread) for n, h in held.items()}
        try:
            yield
        except BaseException:
            self.known, self.held = known, held
            for name, (physical, rows, deleted, unread) in numbers.items():
                one = held[name]
                one.physical, one.rows, one.deleted, one.unread = physical, rows, deleted, unread
            raise

    # Each of these runs in the transaction of the caller ----------------------------------------

    def follow(self, delta: Delta) -> list[Held]:
        """The held views that follow a delta by its rows; those that cannot are let go."""
        found = []
        for name, held in list(self.held.items()):
            if delta.replica.name not in held.view.tables:
                continue
            held.unread += 1
            if held.how == "whole" or held.unread > IDLE_CHANGES:
                self.let_go(name)
            else:
                found.append(held)
        return found

    def want(self, views: Iterable[Materialized], replicas: dict[str, Replica]) -> None:
        """Hold the rows of these views, which may be new, changed, or let go before."""
        for view in views:
            self.want(view.views, replicas)
            name = view.name.lower()
            if self.has([view]):
                continue
            self.let_go(name)
            held = Held(view, self._physical(view))
            try:
                held.make(self._cursor, replicas.get(view.table))
            except duckdb.Error as error:
                raise _unfit(view, error) from None
            self.known[name], self.held[name] = view, held

    def let_go(self, name: str) -> None:
        """Let a view's name stand for its SELECT again."""
        held = self.held.pop(name, None)
        if held is None:
            return
        view = held.view
        try:
            self._cursor.execute(
                f"CREATE OR REPLACE VIEW main.{quoted(view.name)} AS {plain(view)}"
            )
        except duckdb.Error:  # it does not fit its tables any more: the next to want it is told
            self.forget(name)
        self._cursor.execute(f"DROP TABLE IF EXISTS {held.physical}")

    def forget(self, name: str) -> None:
        """Nothing stands for a view's name any more."""
        view = self.known.pop(name, None)
        held = self.held.pop(name, None)
        if view is not None:
            self._cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(view.name)}")
        if held is not None:
            self._cursor.execute(f"DROP TABLE IF EXISTS {held.physical}")

    def over(self, table: str) -> list[str]:
        """The names of the known views that read a table."""
        return [n for n, v in self.known.items() if table in v.tables]

    def worn(self) -> list[Held]:
        """The views whose tables are mostly of rows that are deleted."""
        return [h for h in self.held.values() if h.deleted >= max(COMPACT_ROWS, h.rows)]

    def compact(self) -> None:
        """Make those tables anew."""
        for held in self.worn():
            old, held.physical = held.physical, self._physical(held.view)
            self._cursor.execute(f"CREATE TABLE {held.physical} AS FROM {old}")
            held.show(self._cursor)
            self._cursor.execute(f"DROP TABLE {old}")
            held.deleted = 0

    def _physical(self, view: Materialized) -> str:
        self._number += 1
        return f"columns.{quoted(f'{view.name} view {self._number}')}"


def _alike(one: Materialized, other: Materialized) -> bool:
    """Whether two are the same view: the version of the catalog may differ."""
    return one._replace(version=0, views=()) == other._replace(version=0, views=()) and (
        len(one.views) == len(other.views) and all(map(_alike, one.views, other.views))
    )


def _unfit(view: Materialized, error: duckdb.Error) -> Error:
    """The error for a view whose SELECT DuckDB refuses."""
    from sqlagent.engines.duck_errors import translate

    found = translate(error, view.sql)
    if isinstance(found, DataError):  # a value, for which the SELECT itself would fail
        found.detail = f'It is of a row that the materialised view "{view.name}" reads.'
        return found
    message = getattr(found, "message", str(error))
    return ProgrammingError(
        f'the materialised view "{view.name}" cannot be computed: {message}',
        hint="What it reads may have changed. DROP MATERIALIZED VIEW, or CREATE OR REPLACE it",
    )
