"""The runner of COPY vectors FROM …: straight from Parquet, by way of records for other formats."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlagent import clock
from sqlagent.catalog import Table
from sqlagent.errors import DataError, ProgrammingError
from sqlagent.imports import match, rules, source
from sqlagent.imports.fit import kept, typed
from sqlagent.imports.match import Pair
from sqlagent.imports.run import BATCH, HINT, REJECT, RunImport
from sqlagent.imports.vectors import Loader, split
from sqlagent.run.writing import writing
from sqlagent.sync.log import literal, quoted
from sqlagent.values import pick

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from sqlagent.catalog import Catalog
    from sqlagent.connection import Connection
    from sqlagent.engines.sqlite import Handle

GIVEN = "a table of Arrow"  # what stands for a file's name in messages
_STAGED = ("check", "key", "evolve", "create")  # options whose rules look at all records first
_NUMBERS = re.compile(r"(FLOAT|DOUBLE|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BOOLEAN)\[\d*\]")


class RunVectors(RunImport):
    """COPY into `vectors`. A record is refused for the reasons that put_vector() has."""

    collects = True
    table_given: Any = None  # a table of Arrow that is a parameter

    def path(self, parameters: Any) -> str:
        """The path or pattern; GIVEN where a parameter is the table itself, of Arrow."""
        if self.plan.slot is not None:
            (given,) = pick((self.plan.slot,), parameters)
            if type(given).__module__.startswith("pyarrow"):
                self.table_given = given
                return GIVEN
        return super().path(parameters)

    def files(self, path: str) -> list[str]:
        """The files, none of which is live here."""
        return [GIVEN] if path == GIVEN else super().files(path)

    def bring(
        self,
        connection: Connection,
        own: duckdb.DuckDBPyConnection,
        files: list[str],
        catalog: Catalog,
        table: Table | None,
    ) -> tuple[int, int]:
        """Read, check, write: (records in, records rejected)."""
        assert table is not None  # it is the engine's own
        connection.report(f"reading {os.path.basename(files[0])}", 0)
        given = self.table_given
        arrow = given is not None or files[0].endswith((".arrow", ".feather"))
        if arrow and set(_STAGED) & set(self.plan.options):
            raise ProgrammingError(
                f"{', '.join(o.upper() for o in _STAGED)} are for files that are not Arrow",
                sqlstate="22023",
            )
        if arrow:
            reader = given if given is not None else opened(files[0])
            read = source.Source([(n, "Arrow", "Arrow") for n in reader.schema.names], [], True)
            pairs = match.match(self.plan, read, table)
            record = None
        elif source.format_of(files, self.plan) == "parquet" and not set(_STAGED) & set(
            self.plan.options
        ):
            sql = f"read_parquet([{', '.join(map(literal, files))}], union_by_name = true)"
            read = source.Source(
                [(n, kind, kind) for n, kind in source.columns(own, sql)], [], True
            )
            pairs = match.match(self.plan, read, table)
            record = None
        else:
            read, pairs = self.stage(own, files, catalog, table, connection)
            record = rules.RECORDS
        self.complete(pairs)
        name = f"{clock.now()} {os.urandom(4).hex()}"

        def work(handle: Handle) -> tuple[int, int]:
            staged = 0
            if record is not None:
                self.stop_at(own, read, len(read.broken))
                staged = self.keep(own, handle, read, pairs)
            refused: list[tuple[Any, ...]] = []

            def refuse(n: int, reason: str, column: str | None, text: str) -> None:
                whose = file_of(n)
                if not self.rejecting:
                    raise DataError(
                        f"record {n} of {os.path.basename(whose)}: {reason}",
                        detail="nothing was imported", hint=HINT, sqlstate="22P04",
                    )  # fmt: skip
                limit = self.plan.options.get("max_rejects")
                if limit is not None and len(refused) + staged >= limit:
                    raise DataError(
                        f"more records are rejected than MAX_REJECTS {limit}: {reason}",
                        sqlstate="22P04",
                    )
                rule = "constraint" if column is None else "type"
                value = None if column in (None, "vector") else json.loads(text).get(column)
                refused.append((whose, reason, name, "vectors", n, column, value, rule, text))

            numbered: list[tuple[int, str]] = []  # the first record of each file

            def file_of(n: int) -> str:
                if record is not None and len(files) > 1:
                    return str(self.plan.path)
                return next((f for start, f in reversed(numbered) if start <= n), files[0])

            columns = [p.column.lower() for p in pairs]
            collection = self.plan.options.get("collection")
            loader = Loader(handle, columns, collection, refuse)
            first = 1
            for file in files if record is None else files[:1]:
                numbered.append((first, file))
                batches = (
                    arrow_batches(given if given is not None else opened(file), pairs)
                    if arrow
                    else self.batches(own, pairs, file, record)
                )
                for batch in batches:
                    numbers: Any = range(first, first + batch.num_rows)
                    if record is not None:
                        numbers = batch.column("sqlagent n").to_pylist()
                    loader.load(batch, numbers)
                    first += batch.num_rows
                    connection.report("vectors", loader.done)
            handle.executemany(REJECT, refused)
            return loader.done, len(refused) + staged

        done: tuple[int, int] = writing(connection, work, self.text, several=True)
        return done

    def stage(
        self,
        own: duckdb.DuckDBPyConnection,
        files: list[str],
        catalog: Catalog,
        table: Table,
        connection: Connection,
    ) -> tuple[source.Source, list[Pair]]:
        """All records in a table of DuckDB, with those that a rule keeps out named."""
        read = source.read(own, files, self.plan)
        pairs = match.match(self.plan, read, table)
        match.check_may_grow(pairs, table)
        self.rules(connection, own, catalog, pairs, table)
        return read, pairs

    def complete(self, pairs: list[Pair]) -> None:
        """Raise ProgrammingError where the file lacks what every vector needs."""
        there = {p.column.lower() for p in pairs}
        given = "collection" in self.plan.options
        if given and "collection" in there:
            raise ProgrammingError(
                'the file has a column "collection": COLLECTION cannot name another',
                sqlstate="42601",
            )
        for wanted in ("id", "vector", *(() if given else ("collection",))):
            if wanted not in there:
                hint = "COPY vectors FROM … (COLLECTION 'name') puts all into one collection."
                raise ProgrammingError(
                    f'the file has no column "{wanted}" for the vectors',
                    hint=hint if wanted == "collection" else None, sqlstate="42703",
                )  # fmt: skip

    def batches(
        self, own: duckdb.DuckDBPyConnection, pairs: list[Pair], file: str, record: str | None
    ) -> Iterator[pa.RecordBatch]:
        """The records of a file, or those of the stage that no rule keeps out, as Arrow."""
        if record is None:
            shown = ", ".join(f"{value(p)} AS {quoted(p.column.lower())}" for p in pairs)
            sql = f"SELECT {shown} FROM read_parquet({literal(file)})"
        else:
            shown = ", ".join(
                f"{kept(quoted(p.column), p.kind)} AS {quoted(p.column.lower())}" for p in pairs
            )
            sql = (
                f'SELECT "sqlagent n", {shown} FROM "{record}" '
                'WHERE "sqlagent n" NOT IN (SELECT n FROM rejects) ORDER BY "sqlagent n"'
            )
        yield from split(own.execute(sql).to_arrow_reader(BATCH), BATCH)


def value(pair: Pair) -> str:
    """A column of a file as SQLite is to have it; its own checks say what cannot be."""
    name, column = quoted(pair.source), pair.column.lower()
    if column == "vector":
        if pair.read == "BLOB" or _NUMBERS.fullmatch(pair.read):
            return name
        return f"TRY_CAST(TRY_CAST({name} AS JSON) AS DOUBLE[])"
    if column == "metadata" and pair.read in ("VARCHAR", "JSON"):
        return f"CAST({name} AS VARCHAR)"
    return kept(typed(pair.source, pair.read, pair.kind), pair.kind)


def opened(file: str) -> Any:
    """A file of Arrow's, opened. Raises DataError for one that is none."""
    import pyarrow as pa

    try:
        return pa.ipc.open_file(pa.memory_map(file))
    except pa.ArrowInvalid:
        pass
    try:
        return pa.ipc.open_stream(pa.memory_map(file))
    except pa.ArrowInvalid as error:
        raise DataError(
            f'"{os.path.basename(file)}" cannot be read: {error}', sqlstate="22P04"
        ) from None


def arrow_batches(reader: Any, pairs: list[Pair]) -> Iterator[pa.RecordBatch]:
    """The batches of a table, a reader or a file of Arrow, under the names of the table."""
    import pyarrow as pa

    if isinstance(reader, pa.Table):
        found: Any = reader.to_batches()
    elif isinstance(reader, pa.RecordBatch):
        found = [reader]
    elif hasattr(reader, "num_record_batches"):
        found = (reader.get_batch(n) for n in range(reader.num_record_batches))
    else:
        found = reader
    names = [p.column.lower() for p in pairs]
    for batch in split(found, BATCH):
        yield batch.select([p.source for p in pairs]).rename_columns(names)
