"""SQLite's own logic tests through us, beside native SQLite: same rows under dialect 'sqlite'?

    python -m benchmarks.sqllogic --folder DIR [--routes auto,sqlite,duckdb] [--every N] [NAME…]

runs the `.test` files of DIR (those whose name holds one of NAME). Every record runs on a native
connection and on each route of ours; rows are compared value for value, types too, in order where
the record says `nosort`, and an error must be an error on both. On DuckDB a statement may be
refused; the part that is accepted is told. `--every N` runs each Nth query alone.

As a figure, `python -m benchmarks sqllogic`, it runs a made-up file of the same kind.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw

import sqlagent
from benchmarks.bench import Bench

ROUTES = ("auto", "sqlite", "duckdb")


class Record(NamedTuple):
    """One record: `kind` is statement or query, `sort` nosort, rowsort or valuesort."""

    line: int
    kind: str
    sql: str
    sort: str


class Score:
    """What became of the records of a file on one route."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.cpu_s = self.native_s = 0.0
        self.wrong: list[str] = []
        self.refused: Counter[str] = Counter()

    def add(self, other: Score) -> None:
        """Take in another's counts."""
        self.count += other.count
        self.cpu_s += other.cpu_s
        self.native_s += other.native_s
        self.refused += other.refused

    @property
    def accepted(self) -> float:
        """The share of the queries that were not refused."""
        return 1 - self.count["refused"] / max(1, self.count["queries"])

    @property
    def right(self) -> float:
        """The share of the accepted records that agree with native SQLite."""
        ran = self.count["queries"] - self.count["refused"] + self.count["statements"]
        return 1 - self.count["wrong"] / max(1, ran)


def records(text: str) -> Iterator[Record]:
    """The records that SQLite is to run."""
    lines = text.splitlines()
    at, skipped = 0, False
    while at < len(lines):
        line, number = lines[at].partition("#")[0].split(), at + 1
        at += 1
        if not line:
            continue
        if line[0] in ("skipif", "onlyif"):
            skipped = skipped or (line[1] == "sqlite") == (line[0] == "skipif")
            continue
        if line[0] in ("statement", "query"):
            start = at
            while at < len(lines) and lines[at].strip() not in ("", "----"):
                at += 1
            sql = "\n".join(lines[start:at])
            while at < len(lines) and lines[at].strip():
                at += 1
            if not skipped and sql:
                sort = line[2] if line[0] == "query" and len(line) > 2 else "nosort"
                yield Record(number, line[0], sql, sort)
        elif line[0] == "halt" and not skipped:
            return
        skipped = False


def run_file(path: Path, routes: list[str], folder: Path, every: int) -> dict[str, Score]:
    """The records of one file on a native connection and on each route."""
    scores = {route: Score() for route in routes}
    native = apsw.Connection(str(folder / f"{path.stem}.native.db"))
    native.execute("PRAGMA journal_mode = off; PRAGMA synchronous = off").fetchall()
    ours = {}
    for route in routes:
        ours[route] = sqlagent.connect(
            folder / f"{path.stem}.{route}.db", dialect="sqlite", route=route, synchronous="normal"
        )
    queries = 0
    for record in records(path.read_text(encoding="utf-8")):
        if record.kind == "query":
            queries += 1
            if queries % every:
                continue
        start = time.process_time()
        wanted = outcome(native, record)
        native_s = time.process_time() - start
        for route, connection in ours.items():
            score = scores[route]
            start = time.process_time()
            found = outcome(connection, record)
            score.cpu_s += time.process_time() - start
            score.native_s += native_s
            judge(score, record, wanted, found)
    for connection in ours.values():
        connection.close()
    native.close()
    return scores


def outcome(connection: Any, record: Record) -> Any:
    """The rows of a record, sorted as it says; an exception where it fails."""
    try:
        done = connection.execute(record.sql)
        rows = done.fetchall() if record.kind == "query" else []
    except (sqlagent.Error, apsw.Error) as error:
        return error
    if record.sort != "nosort":
        rows.sort(
            key=lambda row: [(value is not None, type(value).__name__, value) for value in row]
        )
    return rows


def judge(score: Score, record: Record, wanted: Any, found: Any) -> None:
    """Count a record: right, wrong or refused."""
    query = record.kind == "query"
    score.count["queries" if query else "statements"] += 1
    if isinstance(found, sqlagent.NotSupportedError) and not isinstance(wanted, Exception):
        if query:
            score.count["refused"] += 1
            detail = f" [{found.detail}]" if found.detail else ""
            score.refused[f"{found.message}{detail}"] += 1
            return
    elif isinstance(wanted, Exception) or isinstance(found, Exception):
        if isinstance(wanted, Exception) and isinstance(found, Exception):
            return
    elif not query or same(wanted, found):
        return
    score.count["wrong"] += 1
    score.wrong.append(
        f"line {record.line}: {record.sql}\n  native {shown(wanted)}\n  ours   {shown(found)}"
    )


def same(wanted: list[tuple[Any, ...]], found: list[tuple[Any, ...]]) -> bool:
    """Whether two results have the same rows, with the same types; reals to twelve digits."""
    return len(wanted) == len(found) and all(
        len(a) == len(b) and all(map(alike, a, b)) for a, b in zip(wanted, found, strict=True)
    )


def alike(wanted: Any, found: Any) -> bool:
    """Whether two values are the same."""
    if type(wanted) is not type(found):
        return False
    if isinstance(wanted, float):
        return wanted == found or math.isclose(wanted, found, rel_tol=1e-12)
    return bool(wanted == found)


def shown(result: Any) -> str:
    """A result as text, cut short."""
    text = f"{type(result).__name__}: {result}" if isinstance(result, Exception) else repr(result)
    return text.replace("\n", " ")[:300]


def run(bench: Bench) -> None:
    """Made-up records like those of SQLite's corpus; the corpus itself is run by its folder."""
    path = bench.folder / "made.test"
    path.write_text(made(bench.size(2000, 200)), encoding="utf-8")
    scores = run_file(path, list(ROUTES), bench.folder, 1)
    for route, score in scores.items():
        bench.check(f"right on {route}", not score.wrong, score.wrong[:3])
        native, ours = 1e6 * score.native_s, 1e6 * score.cpu_s
        count = score.count["queries"]
        bench.report(
            f"CPU a new query, {route}", ours / count, "us", beside="native SQLite",
            peer=native / count,
        )  # fmt: skip
    duck = scores["duckdb"]
    bench.report("accepted on duckdb", 100 * duck.accepted, "%", reach=95, at_least=True)


def made(queries: int) -> str:
    """A file of records: two tables, and SELECTs with operators, aggregates and joins."""
    pick = random.Random(5)
    lines = ["statement ok", "CREATE TABLE t(a INTEGER, b INTEGER, c FLOAT, d TEXT)", ""]
    lines += ["statement ok", "CREATE TABLE u(a INTEGER, b INTEGER)", ""]
    for n in range(30):
        row = (n, pick.randint(-50, 50), pick.choice([0.5, 2.25, -7.0]), f"'{pick.choice('aBcD')}'")
        lines += ["statement ok", f"INSERT INTO t VALUES{row}".replace('"', ""), ""]
        lines += ["statement ok", f"INSERT INTO u VALUES({n % 7}, {pick.choice(['NULL', n])})", ""]

    def number(depth: int = 2) -> str:
        if not depth:
            return pick.choice(["x.a", "x.b", "x.c", str(pick.randint(-9, 99)), "NULL"])
        one, other = number(depth - 1), number(depth - 1)
        forms = [f"({one} {o} {other})" for o in ("+", "-", "*", "/", "%")]
        return pick.choice([*forms, f"- {one}", f"abs({one})", f"nullif({one}, {other})"])

    def test() -> str:
        forms = (
            f"{number(1)} {pick.choice(['<', '>=', '=', '<>'])} {number(1)}",
            f"{number(1)} BETWEEN {number(0)} AND {number(0)}",
            f"x.a IN ({pick.randint(0, 9)}, {pick.randint(0, 30)})", f"{number(1)} IS NULL",
            "x.d LIKE 'B%'", "EXISTS (SELECT 1 FROM u WHERE u.a < x.b)",
            "x.a IN (SELECT b FROM u)",
        )  # fmt: skip
        return pick.choice(["", "NOT "]) + f"({pick.choice(forms)})"

    for n in range(queries):
        tail = f"FROM t AS x WHERE {test()} {pick.choice(['AND', 'OR'])} {test()}"
        forms = (
            f"SELECT {number()}, x.d {tail} ORDER BY x.a", f"SELECT DISTINCT {number(1)} {tail}",
            f"SELECT x.b, count(*), sum(x.a), avg({number(1)}) {tail} GROUP BY x.b",
            f"SELECT max({number(1)}), min(x.d), total(x.b) {tail}",
            f"SELECT x.d, u.b FROM t AS x LEFT JOIN u ON u.a = x.a WHERE {test()}",
            f"SELECT x.a {tail} UNION SELECT b FROM u",
        )  # fmt: skip
        lines += [f"query I {'nosort' if n % 6 == 0 else 'rowsort'}", forms[n % 6], "----", ""]
    return "\n".join(lines)


def main() -> int:
    """Run the files, tell each and the sum; 1 where an answer was wrong."""
    parser = argparse.ArgumentParser("python -m benchmarks.sqllogic")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--folder", type=Path, required=True, help="of .test files")
    parser.add_argument("--routes", default=",".join(ROUTES))
    parser.add_argument("--every", type=int, default=1, help="run every Nth query alone")
    parser.add_argument("--show", type=int, default=3, help="wrong answers shown a file")
    asked = parser.parse_args()
    routes = asked.routes.split(",")
    totals = {route: Score() for route in routes}
    files = [
        p for p in sorted(asked.folder.rglob("*.test"))
        if not asked.names or any(n in str(p) for n in asked.names)
    ]  # fmt: skip
    for path in files:
        with tempfile.TemporaryDirectory(prefix="sqllogic-") as folder:
            scores = run_file(path, routes, Path(folder), asked.every)
        for route, score in scores.items():
            totals[route].add(score)
            tell(str(path.relative_to(asked.folder)), route, score)
            for wrong in score.wrong[: asked.show]:
                print("   ", wrong.replace("\n", "\n    "))
    for route, score in totals.items():
        tell("all", route, score)
        for reason, count in score.refused.most_common(40):
            print(f"    {count:6} refused: {reason}")
    return 1 if any(score.count["wrong"] for score in totals.values()) else 0


def tell(name: str, route: str, score: Score) -> None:
    """One line of a file on a route."""
    count = score.count
    print(
        f"{name:44} {route:7} {count['queries']:7} queries, accepted {100 * score.accepted:7.3f} %,"
        f" wrong {count['wrong']:5} (right {100 * score.right:8.4f} %),"
        f" CPU {score.cpu_s:7.1f} s, {score.cpu_s / max(score.native_s, 1e-9):6.1f} x native",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
