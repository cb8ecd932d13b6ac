"""kill -9 at any moment: what was acknowledged is there, the file is whole, everything agrees."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sqlagent

CHILD = """
import os, sys
import sqlagent
con = sqlagent.connect(sys.argv[1], embedding_model=sys.argv[3])
run, n = sys.argv[2], 0
def say(*what):
    os.write(1, (' '.join(map(str, what)) + '\\n').encode())
say('ready')
while True:
    n += 1
    word = f'token{run}x{n}'
    (ident,) = con.execute("SELECT remember('ada', ?)", (f'{word} was written',)).fetchone()
    say('memory', ident, word)
    data = '{"run": %s, "n": %d}' % (run, n)
    (version,) = con.execute("SELECT save_state('ada', ?)", (data,)).fetchone()
    say('state', version, data.replace(' ', ''))
    con.execute('INSERT INTO ledger (note) VALUES (?)', (word,))
    say('row', word)
    if n % 3 == 0:
        text = f'{word} opens it. ' + 'A sentence of the document. ' * 60 + f'{word}end closes it.'
        (ident,) = con.execute("SELECT index_document(?, uri => 'd.md')", (text,)).fetchone()
        say('document', ident, word)
    if n % 4 == 0:
        con.execute("SELECT put_vector('p', ?, ?)", (word, [1.0, n, int(run)]))
        say('vector', word)
    if n % 5 == 0:
        con.execute('BEGIN')
        con.execute("INSERT INTO ledger (note) VALUES ('half')")
        con.execute("INSERT INTO ledger (note) VALUES ('other half')")
        con.execute('COMMIT')
    if n % 6 == 0:
        con.execute('DELETE FROM memories WHERE memory_id % 5 = 0 AND agent_id = ?', ('bob',))
        con.execute("INSERT INTO memories (agent_id, content) VALUES ('bob', ?)", (word,))
        con.execute('CALL sync()').fetchall()
    if n % 7 == 0:
        con.execute('SELECT kind, count(*) FROM memories GROUP BY kind').fetchall()
        con.execute('SELECT count(DISTINCT note) FROM ledger').fetchall()
        con.execute("SELECT memory_id FROM recall('ada', ?)", (word,)).fetchall()
"""


def one(con: sqlagent.Connection, sql: str, *values: Any) -> Any:
    row = con.execute(sql, values).fetchone()
    return None if row is None else row[0]


def crash(
    path: Path,
    kills: int,
    child: Callable[..., Any],
    shell: Callable[[object, str], str],
    problems: Callable[..., Any],
    model: str,
) -> None:
    """Kill a writer so often; after each, everything that it said it wrote must be there."""
    rng = random.Random(11)
    con = sqlagent.connect(path, embedding_model="none")
    con.execute("CREATE TABLE ledger (id INTEGER PRIMARY KEY, note TEXT)")
    con.close()
    memories: dict[int, str] = {}
    states: dict[int, str] = {}
    rows: set[str] = set()
    vectors: set[str] = set()
    for run in range(kills):
        process = child(CHILD, path, run, model)
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        # Of four, one is killed while it still imports what it writes with.
        told = process.stdout.readline() if run % 4 else ""
        time.sleep(rng.choice([0.0, 0.01, 0.05]) + rng.random() * 0.25)
        process.kill()
        document = None
        for line in (told + process.stdout.read()).splitlines(keepends=True):
            if not line.endswith("\n"):
                continue
            kind, *rest = line.split()
            if kind == "memory":
                memories[int(rest[0])] = rest[1]
            elif kind == "state":
                states[int(rest[0])] = rest[1]
            elif kind == "row":
                rows.add(rest[0])
            elif kind == "vector":
                vectors.add(rest[0])
            elif kind == "document":
                document = rest[1]
        con = sqlagent.connect(path, embedding_model="none")
        found = con.execute("SELECT memory_id, content FROM memories WHERE agent_id = 'ada'")
        kept = {ident: text.split()[0] for ident, text in found}
        assert {i: w for i, w in memories.items() if kept.get(i) != w} == {}
        history = dict(con.execute("SELECT version, data FROM state_history('ada')").fetchall())
        assert {v for v, d in states.items() if history[v].replace(" ", "") != d} == set()
        notes = [n for (n,) in con.execute("SELECT note FROM ledger")]
        assert rows <= set(notes)
        assert notes.count("half") == notes.count("other half")
        assert one(con, "SELECT sum(1) FROM ledger") == (len(notes) or None)
        assert (
            vectors <= {i for (i,) in con.execute("SELECT id FROM knn('p', [1, 1, 1], k => 99999)")}
            if vectors
            else True
        )
        if memories:
            word = memories[max(memories)]
            assert (
                one(con, "SELECT content FROM recall('ada', ?, k => 1)", word)
                == f"{word} was written"
            )
        if document is not None:  # a later version may have been committed, not acknowledged
            latest = one(con, "SELECT content FROM documents WHERE uri = 'd.md'").split()[0]
            ends = con.execute(
                "SELECT content FROM search(?, k => 1)", (f"{latest}end",)
            ).fetchall()
            assert f"{latest}end" in ends[0][0]
        groups = con.execute("SELECT agent_id, count(*) FROM memories GROUP BY agent_id").fetchall()
        assert dict(groups).get("ada", 0) == len(kept)
        assert problems(con) == []
        con.close()
    assert shell(path, "PRAGMA integrity_check;") == "ok"
    for table in ("memories_fts", "chunks_fts"):
        shell(path, f"INSERT INTO {table} ({table}) VALUES ('integrity-check');")
    assert len(memories) > kills


def test_killed_while_writing(
    fresh_db: Path, child: Callable[..., Any], shell: Any, problems: Any
) -> None:
    crash(fresh_db, 15, child, shell, problems, "none")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["none", "minilm"])
def test_killed_while_writing_often(
    fresh_db: Path, child: Callable[..., Any], shell: Any, problems: Any, model: str
) -> None:
    crash(fresh_db, 100, child, shell, problems, model)


def test_killed_while_a_transaction_was_open(
    words: sqlagent.Connection, child: Callable[..., Any], problems: Any
) -> None:
    process = child(
        "import sys, sqlagent\n"
        "con = sqlagent.connect(sys.argv[1], embedding_model='none')\n"
        "con.execute('BEGIN')\n"
        "con.execute(\"SELECT remember('ada', 'never committed')\")\n"
        "con.execute(\"SELECT save_state('ada', '{}')\")\n"
        "print('open', flush=True)\n"
        "sys.stdin.readline()\n",
        words.database.path,
    )
    assert process.stdout.readline() == "open\n"
    with pytest.raises(sqlagent.BusyError):
        sqlagent.connect(words.database.path, timeout=0.1, read_only=False).database.write(
            lambda handle: None, 0.1
        )
    process.kill()
    process.wait()
    words.execute("SELECT remember('ada', 'committed')")
    assert words.execute("SELECT content FROM memories").fetchall() == [("committed",)]
    assert words.execute("SELECT count(*) FROM states").fetchone() == (0,)
    assert problems(words) == []


def test_killed_while_others_have_the_file_open(
    words: sqlagent.Connection, child: Callable[..., Any], problems: Any
) -> None:
    words.execute("CREATE TABLE ledger (id INTEGER PRIMARY KEY, note TEXT)")
    for run in range(5):
        process = child(CHILD, words.database.path, run, "none")
        assert process.stdout.readline() == "ready\n"
        for n in range(20):
            words.execute("SELECT remember('eve', ?)", (f"{run} {n}",))
        process.kill()
        process.wait()
        assert one(words, "SELECT count(*) FROM memories WHERE agent_id = 'eve'") == 20 * (run + 1)
        assert one(words, "SELECT count(*) FROM recall('eve', '7', k => 99)") == run + 1
    assert problems(words) == []
