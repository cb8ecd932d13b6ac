"""CALL: sync(), rebuild(what), check(), apply_advice(), consolidate(…).

Each gives rows: what was done or found.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlagent.engines.sqlite import Database, Handle, translate
from sqlagent.errors import ProgrammingError, nearest
from sqlagent.functions import functions, invoke
from sqlagent.plan.plans import Call
from sqlagent.run.calls import value_of

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor
    from sqlagent.engines.lance import Lance

Rows = list[tuple[Any, ...]]
AUTO_INDEXES = 3  # made by one sync() under `SET auto_index = on`
DONE = [("what", "VARCHAR"), ("done", "BIGINT"), ("milliseconds", "DOUBLE")]
FOUND = [("name", "VARCHAR"), ("ok", "BOOLEAN"), ("detail", "VARCHAR")]


class RunCall:
    """The runner of a CALL."""

    def __init__(self, database: Database, plan: Call, text: str) -> None:
        self.database = database
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        name = self.plan.name.lower()
        function = functions().get(name)
        if name not in CALLS and function is not None:
            words = "SELECT * FROM" if function.kind == "table" else "SELECT"
            called = self.text.lstrip()[len("CALL") :]
            connection._run(cursor, f"{words} {called}", parameters)
            return
        if name not in CALLS:
            raise ProgrammingError(
                f'unknown procedure "{self.plan.name}"',
                hint=nearest(name, CALLS)
                or f"There are {', '.join(CALLS)}, and every function of sqlagent_functions.",
                sqlstate="42883",
            )
        body, columns, wanted = CALLS[name]
        values = [value_of(a, (), parameters) for a in self.plan.arguments]
        if len(values) != wanted:
            raise ProgrammingError(f"{name} takes {wanted} arguments, {len(values)} were given")
        if connection.txn is not None:
            raise ProgrammingError(f"CALL {name}() cannot run in a transaction", sqlstate="25001")
        try:
            rows = body(connection, *values)
        except Exception as error:
            raise translate(error) from None
        cursor._columns, cursor._iter = columns, iter(rows)


def timed(what: str, work: Callable[[], int]) -> tuple[Any, ...]:
    """A row of what was done, and how long it took."""
    start = time.perf_counter()
    done = work()
    return what, done, round(1000 * (time.perf_counter() - start), 3)


def sync(connection: Connection) -> Rows:
    """Bring everything derived up to now: chunks, embeddings, Lance datasets, columns."""
    database = connection.database
    rows = []
    if not database.read_only:
        rows += erased(connection)
        from sqlagent.sync.documents import chunk_pending

        def chunked() -> int:
            total = 0
            while count := database.write(chunk_pending):
                total += count
                connection.report("chunks", total)
            return total

        rows.append(timed("chunks", chunked))

        def fingerprinted() -> int:
            from sqlagent.memory.fingerprints import fill_open

            near = connection.settings["remember_duplicates"] == "near"
            total = 0
            while count := database.write(partial(fill_open, near=near)):
                total += count
                connection.report("fingerprints", total)
            return total

        rows.append(timed("fingerprints", fingerprinted))

        def embedded() -> int:
            from sqlagent.sync.embed import embed_pending

            return embed_pending(
                database,
                connection.settings,
                lambda: connection.closed,
                lambda n: connection.report("embeddings", n),
            )

        rows.append(timed("embeddings", embedded))
        rows += judged(connection)
        rows.append(timed("feedback", lambda: reinforced(connection)))
        rows.append(timed("states", lambda: cut(database)))
    datasets = lances(database)
    if datasets is not None and connection.settings["vector_engine"] != "memory":
        rows.append(timed("lance", datasets.sync))
    if "experience" in database.services:
        database.services["experience"].flush()
        if connection.settings["auto_index"] == "on" and not database.read_only:
            rows += applied(connection, AUTO_INDEXES)
    if "columns" in database.services:
        rows.append(timed("columns", lambda: int(bool(database.services["columns"].sync()))))
    from sqlagent.portal import wanted

    if not database.read_only and wanted(database.path, database.folder, connection.settings):
        from sqlagent.portal.refresh import refresh

        rows.append(timed("portal", lambda: int(refresh(connection))))
    if not database.read_only:  # last: a policy that is wrong keeps nothing else from its end
        from sqlagent.memory.tiers import due

        rows += [timed(what, work) for what, work in due(database, connection.settings)]
    return rows


def reinforced(connection: Connection) -> int:
    """Strengthen what feedback says was of use, and learn the weights of recall from it."""
    with connection.database.read() as handle:
        if handle.execute("SELECT 1 FROM recall_feedback LIMIT 1").fetchone() is None:
            return 0
    from sqlagent.context import Context
    from sqlagent.search.feedback import feedback

    return feedback(connection.database).sync(
        Context(connection.database, connection.settings, None)
    )


def erased(connection: Connection) -> Rows:
    """Finish the erasures of which something is pending; a row where there were some."""
    from sqlagent.run.writing import limited
    from sqlagent.sync.scrub import pending, scrub

    def finished() -> int:
        run = scrub(database, connection.timeout, lambda handle: limited(connection, handle))
        return int(not run.left)

    database = connection.database
    with database.read() as handle:
        if not pending(handle):
            return []
    return [timed("erasures", finished)]


def judged(connection: Connection) -> Rows:
    """Judge the new memories that contradict others, where a policy asks for it."""
    from sqlagent.context import Context
    from sqlagent.memory import judging

    database = connection.database
    with database.read() as handle:
        if not judging.asked_for(handle):
            return []

    def some(handle: Handle) -> tuple[int, int]:
        return judging.catch_up(Context(database, connection.settings, handle), judging.BATCH)

    def work() -> int:
        total, read = 0, judging.BATCH
        while read >= judging.BATCH:
            decided, read = database.write(some)
            total += decided
        return total

    return [timed("contradictions", work)]


def cut(database: Database) -> int:
    """Bring versions of states that another client wrote whole into little space; how many."""
    from sqlagent.states.compact import Done, cut_pending

    total, after = 0, 0
    while True:

        def work(handle: Handle, after: int = after) -> Done:
            return cut_pending(handle, after)

        done: Done = database.write(work)
        total += done.cut
        if done.after is None:
            return total
        after = done.after


def apply_advice(connection: Connection) -> Rows:
    """Create the indexes that advise() would have created: one row each."""
    return applied(connection, None)


def applied(connection: Connection, most: int | None) -> Rows:
    """Create what is advised, `most` so many of them."""
    from sqlagent.run.advice import advise

    database = connection.database
    wanted = [a for a in advise(database, connection.settings) if a.action == "create"]
    rows = []
    for one in wanted[:most]:

        def work(handle: Handle, sql: str = one.statement) -> int:
            handle.execute(sql).fetchall()
            return 1

        rows.append(timed(one.statement, lambda work=work: database.write(work)))  # type: ignore[misc]  # bound at once
    if rows:
        connection.schema_changed()
    return rows


def lances(database: Database) -> Lance | None:
    """The file's Lance datasets, where it has a folder of them; lancedb is not imported yet."""
    if database.folder is None:
        return None
    with database.read() as handle:
        wanted = handle.execute(
            "SELECT 1 FROM sqlagent_vector_indexes WHERE kind IN ('ivf_pq', 'hnsw_sq')"
        ).fetchone()
    if wanted is None and not os.path.isdir(os.path.join(database.folder, "lance")):
        return None
    from sqlagent.engines.lance import lance

    return lance(database)


def rebuild(connection: Connection, what: Any) -> Rows:
    """Make one derived thing anew from the tables."""
    database = connection.database
    kinds = {"text": rebuild_text, "vectors": rebuild_vectors, "columns": rebuild_columns}
    if what not in kinds:
        raise ProgrammingError(f"rebuild takes one of {', '.join(kinds)}, not {what!r}")
    if "scopes" in database.services:
        database.services["scopes"].forget()
    return [timed(str(what), lambda: kinds[what](connection))]


def rebuild_text(connection: Connection) -> int:
    """The full-text tables, from the texts."""
    from sqlagent.fulltext import space

    def work(handle: Any) -> int:
        total = 0
        for table, key in (("memories", "memory_id"), ("chunks", "chunk_id")):
            handle.execute(f"DROP TABLE {table}_fts")
            handle.execute(
                f"CREATE VIRTUAL TABLE {table}_fts USING fts5 "
                "(content, tokenize = 'porter unicode61')"
            )
            rows = handle.execute(f"SELECT {key}, content FROM {table}").fetchall()
            handle.executemany(
                f"INSERT INTO {table}_fts (rowid, content) VALUES (?, ?)",
                ((key, space(content)) for key, content in rows),
            )
            total += len(rows)
        return total

    return int(connection.database.write(work))


def rebuild_vectors(connection: Connection) -> int:
    """The model's vectors, by the model that is set; a user's own stay."""
    from sqlagent.sync.embed import embed_pending

    def clear(handle: Any) -> None:
        handle.execute("DELETE FROM memory_vectors WHERE model <> 'user'")
        handle.execute("DELETE FROM chunk_vectors WHERE model <> 'user'")

    database = connection.database
    codes = database.services.get("codes")
    if codes is not None:
        codes.rebuild()
    datasets = lances(database)
    if datasets is not None:
        datasets.rebuild()
    if connection.settings["embedding_model"] == "none":
        return 0
    database.write(clear)
    return embed_pending(
        database,
        connection.settings,
        lambda: connection.closed,
        lambda n: connection.report("embeddings", n),
    )


def rebuild_columns(connection: Connection) -> int:
    """The columns, from the tables that analytics have used; and the portal, when next wanted."""
    from sqlagent.portal.refresh import remove
    from sqlagent.run.duck import engine

    if connection.database.folder is not None:
        remove(connection.database.folder)
    engine(connection.database).rebuild()
    return 1


def check(connection: Connection) -> Rows:
    """Whether the file is whole and everything derived agrees with its rows."""
    from sqlagent.run.check import findings

    with connection.database.snapshot() as handle:
        return list(findings(connection, handle))


def consolidate(connection: Connection, *values: Any) -> Rows:
    """consolidate() in batches, each one transaction: it may be stopped, and called again."""
    from sqlagent.context import Context
    from sqlagent.memory.consolidate.run import in_batches, prepare

    database, done = connection.database, {"merged": 0, "distilled": 0, "skipped": 0}

    def stopped() -> bool:
        return connection.closed

    def told(batch: Any) -> None:
        for name in done:
            done[name] += getattr(batch, name)
        connection.report("consolidate", done["merged"] + done["distilled"])

    def body(_: Any, agent_id: str, dry_run: bool, similarity: float, kind: str | None) -> float:
        settings = {} if dry_run else connection.settings
        ready = prepare(database, settings, agent_id, similarity, kind, stopped)
        planned = time.perf_counter()
        if not dry_run:
            in_batches(database, agent_id, ready, told, stopped)
            return planned
        for step in ready.steps:
            done["merged" if step.action == "merge" else "distilled"] += len(step.parts)
        return planned

    start = time.perf_counter()
    context = Context(database, connection.settings, None)
    planned = invoke(functions()["consolidate"], context, values, body)
    if planned is None:
        return []
    rows: Rows = [("planned", sum(done.values()), round(1000 * (planned - start), 3))]
    took = round(1000 * (time.perf_counter() - planned), 3)
    return rows + [(name, count, took) for name, count in done.items()]


CALLS: dict[str, tuple[Callable[..., Rows], list[tuple[str, str]], int]] = {
    "sync": (sync, DONE, 0),
    "apply_advice": (apply_advice, DONE, 0),
    "rebuild": (rebuild, DONE, 1),
    "check": (check, FOUND, 0),
    "consolidate": (consolidate, DONE, 4),
}
