"""Does auto find the better engine: a mixed workload under each route, shape by shape."""

from __future__ import annotations

import random
import time
from statistics import median
from typing import Any

import sqlagent
from benchmarks.bench import Bench
from benchmarks.measure import cpu

SHAPES = {
    "a point": "SELECT v, s FROM big WHERE id = ?",
    "an indexed range": "SELECT count(*), sum(v) FROM big WHERE k BETWEEN ? AND ? + 200",
    "a small aggregate": "SELECT g, count(*), max(w) FROM small GROUP BY g ORDER BY g",
    "a middling aggregate": "SELECT g, avg(v) FROM middle WHERE id <> ? GROUP BY g ORDER BY g",
    "a large aggregate": "SELECT g, count(*), avg(v) FROM big WHERE id <> ? GROUP BY g ORDER BY g",
    "a large sum": "SELECT count(*), sum(v) FROM big WHERE g <> ?",
    "a join": "SELECT s.name, count(*) AS n FROM big b JOIN small s ON s.g = b.g WHERE b.k > ? "
    "GROUP BY s.name ORDER BY s.name",
    "a text filter": "SELECT count(*) FROM big WHERE s LIKE '%77%' AND k <> ?",
    "a top ten": "SELECT id, v FROM big WHERE k <> ? ORDER BY v DESC, id LIMIT 10",
    "many rows": "SELECT id, v FROM middle WHERE k > ? ORDER BY id",
}
FIRST, RUNS = 20, 60
TURN = 50  # statements of one route before the next has its turn
KEPT = 1000  # rows of an answer that are compared; of a longer one the first
ROUTES = ("auto", "sqlite", "duckdb")
# DuckDB's threads look for more work for a while after a statement: no cost of the next one,
# and only the routes that use DuckDB would pay it.
SETTLE_S = 0.003


def run(bench: Bench) -> None:
    """CPU of runs 21 to 60 of each shape, mixed at random, on three files that are alike."""
    rows = bench.size(1_000_000, 20_000)
    cons = {route: loaded(bench, route, rows) for route in ROUTES}
    took: dict[str, dict[str, list[float]]] = {r: {n: [] for n in SHAPES} for r in ROUTES}
    order = [name for name in SHAPES for _ in range(RUNS)]
    random.Random(7).shuffle(order)
    answers: dict[str, list[list[Any]]] = {route: [] for route in ROUTES}
    # In turns that turn around, so that none has the machine's better or worse minutes.
    for turn, first in enumerate(range(0, len(order), TURN)):
        for route in ROUTES if turn % 2 == 0 else reversed(ROUTES):
            con = cons[route]
            for step in range(first, first + TURN):
                name = order[step]
                sql = SHAPES[name]
                values = (step % 1000 + 1,) * sql.count("?")
                time.sleep(SETTLE_S)
                start = cpu()
                now = con.execute(sql, values).fetchall()
                took[route][name].append(1000 * (cpu() - start))
                answers[route].append(now if len(now) < KEPT else now[:: len(now)])
    for name, *found in zip(order, *answers.values(), strict=True):
        same = all(alike(found[0], other) for other in found[1:])
        bench.check(f"the same answer to {name}", same)
    worst = 0.0
    for name in SHAPES:
        later = {r: sum(took[r][name][FIRST:]) for r in ROUTES}
        usual = {r: median(took[r][name][FIRST:]) for r in ROUTES}
        better = min(("sqlite", "duckdb"), key=lambda r: later[r])
        bench.report(
            f"{name}: total of runs {FIRST + 1} to {RUNS}, times the better",
            later["auto"] / later[better], "x", reach=1.05, beside=f"usual, of {better}",
            peer=usual["auto"] / usual[better],
        )  # fmt: skip
        fixed = max(median(took[r][name]) for r in ("sqlite", "duckdb"))
        worst = max(worst, sum(took["auto"][name]) / sum(max(
            took["sqlite"][name], took["duckdb"][name], key=sum
        )))  # fmt: skip
        over = sorted(took["auto"][name][1:FIRST])[-2] - fixed
        bench.report(f"{name}: the second worst of the first {FIRST}, over the worse", over, "ms")
    bench.report("all runs of the worst shape, times the worse route", worst, "x", reach=1.1)
    for con in cons.values():
        con.close()


def loaded(bench: Bench, route: str, rows: int) -> sqlagent.Connection:
    """A connection to a file with tables of 100 rows to `rows`."""
    con = sqlagent.connect(bench.folder / f"{route}.db", embedding_model="none", route=route)
    con.execute("SET result_cache = off")
    con.execute("CREATE TABLE small (g BIGINT, w DOUBLE, name VARCHAR)")
    con.executemany("INSERT INTO small VALUES (?, ?, ?)", [(i, i / 3, f"g{i}") for i in range(100)])
    for table, count in (("middle", rows // 100), ("big", rows)):
        con.execute(
            f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, k BIGINT, g BIGINT, v DOUBLE, s TEXT)"
        )
        con.executemany(
            f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)",
            [(i, i * 7919 % count, i % 50, i * 0.5, f"name {i % 1000}") for i in range(count)],
        )
        con.execute(f"CREATE INDEX {table}_by_k ON {table} (k)")
    return con


def alike(ours: list[Any], theirs: list[Any]) -> bool:
    """Equal rows but for the last bits of a sum."""

    def rounded(rows: list[Any]) -> list[Any]:
        return [tuple(float(f"{v:.9g}") if isinstance(v, float) else v for v in r) for r in rows]

    return rounded(ours) == rounded(theirs)
