"""Adding 10,000 memories at once, embeddings aside: by INSERT, by remember(), beside a peer."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import apsw

import sqlagent
from benchmarks.bench import Bench
from benchmarks.data import text
from benchmarks.measure import cpu_of

INSERT = "INSERT INTO memories (agent_id, content) VALUES (?, ?)"
CHINESE = "{}在{}买了一张去{}的车票，还和同事讨论了下个季度的计划"
REACH = 10_000


def run(bench: Bench) -> None:
    """CPU of one whole load into a file that has as many of them; the median of some."""
    count, rounds = bench.size(10_000, 500), bench.size(5, 2)
    texts = [text(n) for n in range(count * (rounds + 2))]
    chinese = [CHINESE.format(t, n, t[:4]) for n, t in enumerate(texts)]

    def ours(what: str, load: Load, source: list[str] = texts, reach: int | None = REACH) -> None:
        con = sqlagent.connect(bench.folder / f"{what}.db", embedding_model="none")
        con.execute("CREATE TABLE staged (agent TEXT, content TEXT)")
        spans = []
        for at in range(rounds + 1):
            part = source[at * count : (at + 1) * count]
            con.execute("DELETE FROM staged")
            con.executemany("INSERT INTO staged VALUES ('ada', ?)", [(t,) for t in part])
            file = bench.folder / f"{what}.parquet"
            con.execute(f"COPY staged TO '{file}' (FORMAT parquet)")
            spans.append(cpu_of(lambda part=part, file=file: load(con, part, file)))  # type: ignore[misc]  # bound at once
        kept = con.execute("SELECT count(*) FROM memories").fetchall()[0][0]
        bench.check(f"{what}: all are there", kept == count * (rounds + 1), kept)
        rate = count / median(spans[1:])  # the first one loads what the process needs
        bench.report(
            what, rate, "/s", reach=reach, at_least=True, beside=beside if peer else "", peer=peer
        )
        con.close()

    whole, each = langgraph(bench, texts[:count])
    beside, peer = "LangGraph's SqliteStore, batch(100)", whole
    ours("INSERT, executemany", executemany)
    ours("INSERT ... SELECT", select)
    ours("COPY memories FROM parquet", copy)
    beside, peer = "LangGraph's SqliteStore, put()", each
    ours("SELECT remember(...) FROM staged", remember)
    ours("the same, of 40 characters of Chinese", remember, chinese, None)
    beside, peer = "raw apsw, a row and FTS5", raw(bench, texts[:count])
    ours("INSERT, executemany, again", executemany)


Load = Callable[[sqlagent.Connection, list[str], Path], Any]


def executemany(con: sqlagent.Connection, part: list[str], _: Path) -> None:
    con.executemany(INSERT, [("ada", t) for t in part])


def select(con: sqlagent.Connection, part: list[str], _: Path) -> None:
    con.execute("INSERT INTO memories (agent_id, content) SELECT agent, content FROM staged")


def copy(con: sqlagent.Connection, part: list[str], file: Path) -> None:
    con.execute(f"COPY memories (agent_id, content) FROM '{file}'")


def remember(con: sqlagent.Connection, part: list[str], _: Path) -> None:
    con.execute("SELECT remember(agent, content) FROM staged").fetchall()


def raw(bench: Bench, texts: list[str]) -> float:
    """Rows a second of CPU into a table and its full text, by hand, in one transaction."""
    con = apsw.Connection(str(bench.folder / "raw.db"))
    con.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").fetchall()
    con.execute("CREATE TABLE memories (id INTEGER PRIMARY KEY, agent TEXT, content TEXT)")
    con.execute("CREATE VIRTUAL TABLE words USING fts5 (content)")

    def load() -> None:
        with con:
            for content in texts:
                con.execute("INSERT INTO memories (agent, content) VALUES ('ada', ?)", (content,))
                con.execute("INSERT INTO words VALUES (?)", (content,))

    return len(texts) / cpu_of(load)


def langgraph(bench: Bench, texts: list[str]) -> tuple[float | None, float | None]:
    """The same in LangGraph's store on SQLite, in batches and one by one; without full text."""
    module = bench.peer("langgraph.store.sqlite", "langgraph-checkpoint-sqlite")
    if module is None:
        return None, None
    operation = importlib.import_module("langgraph.store.base").PutOp
    connection = sqlite3.connect(
        bench.folder / "langgraph.db", check_same_thread=False, isolation_level=None
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    store = module.SqliteStore(connection)
    store.setup()
    place = ("ada", "memories")
    writes = [operation(place, str(n), {"content": t}) for n, t in enumerate(texts)]
    few = texts[: len(texts) // 5]

    def batches() -> None:
        for at in range(0, len(writes), 100):
            store.batch(writes[at : at + 100])

    def puts() -> None:
        for n, content in enumerate(few):
            store.put(place, f"one {n}", {"content": content})

    rates = len(texts) / cpu_of(batches), len(few) / cpu_of(puts)
    for key in ("7", "one 7"):
        found = store.get(place, key)
        bench.check("LangGraph's store has it", found.value["content"] == texts[7])
    return rates
