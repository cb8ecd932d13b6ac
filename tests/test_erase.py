"""erase(): what goes, what stays, and that no byte of any file has it afterwards.

The files are looked at by other processes: a descriptor that is closed here drops SQLite's locks.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sqlagent
from sqlagent.migrate import copy_before

EN, ZH, OLD, MIXED = "zebrawort", "龘霸藏宝", "quagmarsh", "flim鱻flam"
VECTOR = [0.123456789, -7.654321, 3.14159274, 2.71828183]
SECRETS = [w.encode() for w in (EN, ZH, OLD, MIXED)] + [struct.pack("<4f", *VECTOR)]
SECRETS += [json.dumps(w).strip('"').encode() for w in (ZH, MIXED)]
SECRETS += ["龘".encode(), "霸".encode(), "鱻".encode()]  # as words of the full text

SCAN = """
import os, sys
path, words = sys.argv[1], [bytes.fromhex(w) for w in sys.argv[2:]]
top, name = os.path.split(path)
for place, _, names in os.walk(top):
    for n in names:
        with open(os.path.join(place, n), 'rb') as file:
            data = file.read()
        for w in words:
            if w in data:
                print(os.path.relpath(os.path.join(place, n), top), w.hex())
"""
Run = Callable[..., str]


def found(elsewhere: Run, path: Path, words: list[bytes] = SECRETS) -> list[str]:
    """'file word' for each secret that is in a file, in the folder of `path` and below."""
    return elsewhere(SCAN, path, *(w.hex() for w in words)).splitlines()


def receipt(con: sqlagent.Connection, sql: str, *values: Any) -> dict[str, Any]:
    (text,) = con.execute(f"SELECT erase({sql})", values).fetchone()
    told: dict[str, Any] = json.loads(text)
    return told


def one(con: sqlagent.Connection, sql: str, *values: Any) -> Any:
    row = con.execute(sql, values).fetchone()
    return None if row is None else row[0]


def fill(con: sqlagent.Connection) -> None:
    """Secrets of ada, bob's memories, in everything that keeps a text; and what is eve's."""
    for i in range(40):
        con.execute(
            "SELECT remember('ada', ?, user_id => 'bob', session_id => 's1')",
            (f"The {EN} number {i} is in locker {i}, {ZH}在第{i}号",),
        )
        con.execute("SELECT remember('eve', ?)", (f"The way to {i} is long, 路很长",))
    con.execute(
        "SELECT remember('ada', ?, user_id => 'bob', embedding => ?)", (f"{MIXED} it is", VECTOR)
    )
    con.execute(f"INSERT INTO memories (agent_id, user_id, content) VALUES ('ada','bob','{OLD}')")
    con.execute(f"UPDATE memories SET content = 'new' WHERE content = '{OLD}'")
    con.execute("UPDATE memories SET metadata = ? WHERE memory_id = 1", (f'{{"a": "{MIXED}"}}',))
    con.execute("INSERT INTO sessions (session_id, agent_id, metadata) VALUES ('s1', 'ada', ?)",
                (f'{{"of": "{EN}"}}',))  # fmt: skip
    con.execute("SELECT save_state('ada', ?)", (f'{{"step": "{EN} {ZH}"}}',))
    con.execute("SELECT snapshot('ada', 'first')")
    con.execute("SELECT save_state('ada', ?)", (f'{{"step": "{MIXED}"}}',))
    con.execute("SELECT save_state('eve', '{\"step\": 1}')")
    con.execute(
        "INSERT INTO entities (entity_id, name) VALUES (1, ?), (2, 'locker'), (3, 'north')", (EN,)
    )
    con.execute("INSERT INTO relations (subject_id, predicate, object_id, memory_id) "
                "VALUES (1, 'is in', 2, 1), (2, 'is in', 3, NULL)")  # fmt: skip
    con.execute("INSERT INTO sqlagent_operations (agent_id, operation, detail) "
                "VALUES ('ada', 'test', ?)", (f'{{"said": "{EN}"}}',))  # fmt: skip
    con.execute("INSERT INTO sqlagent_operation_rows VALUES (1, 1, 'test', ?, NULL, NULL)", (ZH,))
    con.execute(
        "INSERT INTO sqlagent_import_rejects (source, reason, table_name, content) "
        "SELECT 'x.csv', 'bad', 'memories', json_object('content', content) "
        "FROM memories WHERE memory_id = 1"
    )


def use(con: sqlagent.Connection) -> None:
    """Make all that is derived: columns on disk, kept results, statistics, indexes."""
    con.execute("CREATE MATERIALIZED VIEW said AS SELECT user_id, max(content) AS last, "
                "count(*) AS n FROM memories GROUP BY user_id")  # fmt: skip
    con.execute("SET route = 'duckdb'")
    for sql in (
        f"SELECT count(*) FROM memories WHERE content LIKE '%{EN}%'",
        "SELECT content, count(*) FROM memories GROUP BY content ORDER BY 1",
        "SELECT data FROM state_versions",
        "SELECT * FROM said",
    ):
        con.execute(sql).fetchall()
    con.execute("SET route = 'auto'")
    con.execute("SET dialect = 'sqlite'")  # where a word in double quotes is a text
    con.execute(f'SELECT count(*) FROM memories WHERE content = "{MIXED}"').fetchall()
    con.execute("SET dialect = 'duckdb'")
    con.execute("SELECT * FROM recall('ada', ?)", (EN,)).fetchall()
    con.execute("SELECT * FROM recall('eve', 'long')").fetchall()
    con.execute("ANALYZE")
    con.execute("CALL sync()").fetchall()


@pytest.fixture
def full(fresh_db: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An open connection to a file with secrets everywhere."""
    import sqlagent.sync.making as making

    monkeypatch.setattr(making, "ROWS_MIN", 1)
    con = sqlagent.connect(fresh_db, embedding_model="none", timeout=5)
    fill(con)
    use(con)
    yield con
    con.close()


def eve(con: sqlagent.Connection) -> list[Any]:
    """All that is eve's."""
    return [
        con.execute("SELECT * FROM memories WHERE agent_id = 'eve' ORDER BY 1").fetchall(),
        con.execute("SELECT * FROM states WHERE agent_id = 'eve'").fetchall(),
        con.execute("SELECT * FROM state_versions WHERE agent_id = 'eve'").fetchall(),
        con.execute("SELECT content FROM recall('eve', 'way 7', k => 1)").fetchall(),
    ]


def terms(con: sqlagent.Connection, table: str) -> set[str]:
    """The words of a full-text table."""
    handle = con.database.open(write=True)
    handle.execute(f"CREATE VIRTUAL TABLE temp.words USING fts5vocab('main', '{table}', 'row')")
    words = {row[0] for row in handle.execute("SELECT term FROM temp.words")}
    handle.close()
    return words


# What goes ----------------------------------------------------------------------------------------


def test_the_scan_finds_what_is_there(full: sqlagent.Connection, elsewhere: Run) -> None:
    path = Path(full.database.path)
    there = {line.split()[1] for line in found(elsewhere, path)}
    assert {w.hex() for w in SECRETS[:5]} <= there
    assert any(Path(f"{path}.d", "columns").iterdir())
    assert one(full, "SELECT count(*) FROM sqlite_stat4 WHERE tbl = 'memories'") > 0


def test_an_agent_is_gone_from_every_byte(
    full: sqlagent.Connection, elsewhere: Run, problems: Any
) -> None:
    path, before = Path(full.database.path), eve(full)
    told = receipt(full, "agent_id => 'ada'")
    assert found(elsewhere, path) == []
    left = {p.name for p in Path(f"{path}.d").rglob("*") if p.is_file()}
    assert left == {"portal.lock", "erase.lock"}
    assert {"zebrawort", "flim", "龘", "quagmarsh"}.isdisjoint(terms(full, "memories_fts"))
    assert told["pending"] == [] and told["finished_at"] is not None
    assert told["rows"]["memories"] == 42 and told["rows"]["sqlagent_state_versions"] == 2
    assert told["total"] == sum(told["rows"].values())
    assert eve(full) == before
    assert full.execute("SELECT name FROM entities").fetchall() == [("locker",), ("north",)]
    assert full.execute("SELECT user_id, n FROM said").fetchall() == [(None, 40)]
    assert full.execute("SELECT * FROM recall('ada', 'zebrawort')").fetchall() == []
    assert one(full, "SELECT count(*) FROM agents WHERE agent_id = 'ada'") == 0
    full.execute("SELECT remember('ada', 'a new beginning')")
    assert one(full, "SELECT content FROM recall('ada', 'beginning')") == "a new beginning"
    full.execute("SELECT content, count(*) FROM memories GROUP BY content").fetchall()
    full.execute("CALL sync()").fetchall()  # columns on disk again, without what is gone
    assert found(elsewhere, path) == [] and problems(full) == []
    full.close()
    assert found(elsewhere, path) == []


def test_the_name_of_an_agent_is_gone_too(words: sqlagent.Connection, elsewhere: Run) -> None:
    name = "agent-of-m.muster@example.com"
    words.execute("SELECT remember(?, 'something')", (name,))
    words.execute("SELECT save_state(?, '{}')", (name,))
    words.execute("SELECT * FROM recall(?, 'something')", (name,)).fetchall()
    told = receipt(words, "agent_id => ?", name)
    assert told["id"] == name  # to the caller, who knows it
    assert found(elsewhere, Path(words.database.path), [name.encode()]) == []
    subject, salt = words.execute("SELECT subject, salt FROM sqlagent_erasures").fetchone()
    assert subject == hashlib.sha256(f"{salt}\0{name}".encode()).hexdigest()


def test_a_user_is_gone_from_every_agent(full: sqlagent.Connection, elsewhere: Run) -> None:
    path = Path(full.database.path)
    full.execute("SELECT remember('eve', ?, user_id => 'bob')", (f"eve knows bob's {EN}",))
    full.execute("SELECT remember('eve', ?, user_id => 'carl')", ("carl is here",))
    told = receipt(full, "user_id => 'bob'")
    assert told["rows"]["memories"] == 43
    # The states are the agent's, not the user's.
    assert {line.split()[0] for line in found(elsewhere, path)} == {"agent.db"}
    full.execute("DELETE FROM sessions")
    receipt(full, "agent_id => 'ada'")
    assert found(elsewhere, path) == []
    assert one(full, "SELECT count(*) FROM memories WHERE user_id = 'carl'") == 1


def test_a_memory_is_gone_from_every_byte(words: sqlagent.Connection, elsewhere: Run) -> None:
    path = Path(words.database.path)
    ids = [
        one(words, "SELECT remember('ada', ?, embedding => ?)", f"{EN} {i} {w}", VECTOR)
        for i, w in enumerate([ZH, OLD, MIXED])
    ]
    words.execute("UPDATE memories SET content = 'short' WHERE memory_id = ?", (ids[1],))
    words.execute("SELECT remember('ada', 'stays', embedding => [1, 2, 3, 4])")
    for i in ids:
        told = receipt(words, "memory_id => ?", i)
        assert told["rows"]["memories"] == 1
        assert told["rows"].get("memory_vectors", 0) == (i != ids[1])
    assert found(elsewhere, path) == []
    assert words.execute("SELECT content FROM recall('ada', 'stays')").fetchall() == [("stays",)]


def test_a_document_is_gone_from_every_byte(
    words: sqlagent.Connection, elsewhere: Run, problems: Any
) -> None:
    path = Path(words.database.path)
    text = f"# {MIXED}\n\n" + f"The {EN} grows in the north. {ZH}在北方。 " * 40
    ident = one(words, "SELECT index_document(?, uri => ?)", f"{OLD} was here", f"{OLD}.md")
    words.execute("SELECT index_document(?, uri => ?)", (text, f"{OLD}.md"))
    other = one(words, "SELECT index_document('The ferry leaves.', uri => 'f.md')")
    distilled = one(words, "SELECT remember('ada', ?)", f"The {EN} grows")
    words.execute(
        "INSERT INTO memory_sources (memory_id, document_id, position, length) VALUES (?, ?, 3, 9)",
        (distilled, ident),
    )
    words.execute("SELECT * FROM search(?)", (EN,)).fetchall()
    told = receipt(words, "document_id => ?", ident)
    assert told["rows"]["documents"] == 1 and told["rows"]["chunks"] > 1
    assert told["rows"]["memories"] == 1 and told["rows"]["memory_sources"] == 1
    assert found(elsewhere, path) == [] and problems(words) == []
    assert words.execute("SELECT document_id FROM documents").fetchall() == [(other,)]
    assert one(words, "SELECT content FROM search('ferry')") == "The ferry leaves."


def test_vectors_that_were_deleted_are_gone_from_their_codes(
    fresh_db: Path, elsewhere: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    numpy = pytest.importorskip("numpy")
    import sqlagent.search.codes as codes

    monkeypatch.setattr(codes, "CODES_FROM", 1_000)
    monkeypatch.setattr(codes, "SCANNED_BYTES", 0)
    con = sqlagent.connect(fresh_db, embedding_model="none")
    rows = numpy.random.default_rng(5).standard_normal((2_000, 64)).astype("<f4")
    con.executemany(
        "SELECT put_vector('p', ?, ?)", [(str(i), row.tobytes()) for i, row in enumerate(rows)]
    )
    asked = rows[7].tolist()
    first = con.execute("SELECT id FROM knn('p', ?, k => 5)", (asked,)).fetchall()
    assert [p.suffix for p in Path(f"{fresh_db}.d", "vectors").iterdir()] == [".codes"]
    con.execute("SELECT remember('ada', 'x')")
    told = receipt(con, "agent_id => 'ada'")
    assert any(name.endswith(".codes") for name in told["files"])
    assert list(Path(f"{fresh_db}.d", "vectors").iterdir()) == []
    assert con.execute("SELECT id FROM knn('p', ?, k => 5)", (asked,)).fetchall() == first
    con.close()


@pytest.mark.slow
def test_old_versions_of_a_lance_dataset_are_gone(fresh_db: Path, elsewhere: Run) -> None:
    pytest.importorskip("lancedb")
    con = sqlagent.connect(fresh_db, embedding_model="none", vector_engine="lance")
    con.execute("SELECT put_vector('p', 'secret', ?, metadata => ?)", (VECTOR, f'{{"a": "{EN}"}}'))
    for i in range(20):
        con.execute("SELECT put_vector('p', ?, ?)", (f"{i}", [float(i), 1.0, 2.0, 3.0]))
    con.execute("SELECT id FROM knn('p', ?)", (VECTOR,)).fetchall()
    con.execute("DELETE FROM vectors WHERE id = 'secret'")
    near = con.execute("SELECT id FROM knn('p', ?)", (VECTOR,)).fetchall()
    con.execute("SELECT remember('ada', 'x')")
    secrets = [SECRETS[0], SECRETS[4]]
    assert any("lance" in line for line in found(elsewhere, fresh_db, secrets))
    receipt(con, "agent_id => 'ada'")
    assert found(elsewhere, fresh_db, secrets) == []
    assert con.execute("SELECT id FROM knn('p', ?)", (VECTOR,)).fetchall() == near
    con.close()


# What goes with it, and what does not -------------------------------------------------------------


def test_what_was_made_from_it_goes_with_it(words: sqlagent.Connection) -> None:
    for i in range(1, 8):
        words.execute("SELECT remember('ada', ?)", (f"thing {i}",))
    words.execute(
        "INSERT INTO memory_sources (memory_id, source_memory_id) VALUES (2, 1), (3, 2), (3, 4), "
        "(5, 4)"
    )
    words.execute(
        "INSERT INTO memory_links (memory_id, related_id, relation) "
        "VALUES (6, 1, 'duplicate_of'), (7, 1, 'related')"
    )
    told = receipt(words, "memory_id => 1")
    assert {"memories": 4, "memory_links": 2, "memory_sources": 3}.items() <= told["rows"].items()
    assert words.execute("SELECT memory_id FROM memories").fetchall() == [(4,), (5,), (7,)]


def test_the_same_text_of_the_same_user_goes_with_it(words: sqlagent.Connection) -> None:
    words.execute(
        "INSERT INTO memories (agent_id, user_id, content, session_id) VALUES "
        "('ada', 'bob', '密码是一二三', 'a'), ('ada', 'bob', '密码是一二三', 'b'), "
        "('ada', 'eve', '密码是一二三', 'c'), ('max', 'bob', '密码是一二三', 'd')"
    )
    assert receipt(words, "memory_id => 1")["rows"]["memories"] == 2
    assert words.execute("SELECT memory_id FROM memories").fetchall() == [(3,), (4,)]


@pytest.mark.parametrize("gone, successor", [(2, 3), (3, None)])
def test_what_it_superseded_does_not_come_back(
    words: sqlagent.Connection, gone: int, successor: int | None
) -> None:
    words.execute(
        "INSERT INTO memories (memory_id, agent_id, content, valid_from) VALUES "
        "(3, 'ada', 'lives in Rome', '2024-03-01'), (2, 'ada', 'lives in Bern', '2024-02-01'), "
        "(1, 'ada', 'lives in Paris', '2024-01-01')"
    )
    words.execute("UPDATE memories SET superseded_by = memory_id + 1 WHERE memory_id < 3")
    receipt(words, "memory_id => ?", gone)
    left = 1 if gone == 2 else 2
    row = words.execute(
        "SELECT superseded_by, CAST(valid_to AS VARCHAR) FROM memories WHERE memory_id = ?", (left,)
    ).fetchone()
    assert row == (successor, f"2024-0{gone}-01 00:00:00")
    live = words.execute("SELECT content FROM recall('ada', 'lives')").fetchall()
    assert live == ([("lives in Rome",)] if gone == 2 else [])


def test_after_a_life_of_consolidating_superseding_and_forgetting(
    words: sqlagent.Connection, elsewhere: Run, problems: Any
) -> None:
    path = Path(words.database.path)
    for n, day in enumerate(("Monday", "Tuesday", "Wednesday", "Thursday"), 1):
        words.execute(
            "SELECT remember('ada', ?, user_id => 'bob', session_id => ?, created_at => ?)",
            (f"Bob fed the {EN} before breakfast on {day}", day, f"2024-01-0{n}"),
        )
        words.execute(
            "SELECT remember('ada', ?, user_id => 'bob', session_id => ?)",
            (f"The {OLD} in Kyoto is deep, {ZH}{'!' * n}", f"k{n}"),
        )
    assert one(words, "SELECT consolidate('ada')") > 0
    distilled = one(words, "SELECT count(*) FROM memories WHERE kind = 'semantic'")
    merged = one(words, "SELECT count(*) FROM memory_links WHERE relation = 'duplicate_of'")
    assert distilled > 0 or merged > 0
    (last,) = words.execute(
        "SELECT max(memory_id) FROM memories WHERE archived_at IS NULL AND superseded_by IS NULL"
    ).fetchone()
    words.execute("SELECT supersede(?, ?)", (last, f"It is a {MIXED}"))
    words.execute("SELECT forget('ada', retention_days => 100, min_strength => 1.0)")
    words.execute("SELECT remember('ada', 'Carl is well', user_id => 'carl')")
    words.execute("SELECT * FROM recall('ada', ?)", (OLD,)).fetchall()
    receipt(words, "user_id => 'bob'")
    assert words.execute("SELECT content FROM memories").fetchall() == [("Carl is well",)]
    assert found(elsewhere, path) == [] and problems(words) == []
    assert one(words, "SELECT count(*) FROM sqlagent_operation_rows") == 0
    assert one(words, "SELECT unforget('ada')") == 0


def test_an_operation_can_still_be_undone(words: sqlagent.Connection) -> None:
    from sqlagent.memory import operations

    for i in range(1, 4):
        words.execute("SELECT remember('ada', ?)", (f"thing {i}",))

    def work(handle: Any) -> None:
        number = operations.begin(handle, "ada", "test", said="thing 2", threshold=0.5)
        operations.change(handle, number, "superseded", [1], {"superseded_by": 2}, "as thing 2")
        operations.change(handle, number, "archived", [2, 3], {"tier": "long_term"}, "as thing 2")

    words.database.write(work)
    receipt(words, "memory_id => 2")
    assert words.execute("SELECT detail FROM sqlagent_operations").fetchall() == [
        ('{"threshold": 0.5}',)
    ]
    rows = words.execute("SELECT memory_id, reason FROM sqlagent_operation_rows").fetchall()
    assert rows == [(1, None), (3, None)]
    assert one(words, "SELECT undo(1)") == 2
    assert words.execute("SELECT tier FROM memories WHERE memory_id = 3").fetchone() == (
        "short_term",
    )


def test_a_records_that_an_import_did_not_take(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', '密码是\"一二三四五\"')")
    words.execute(
        "INSERT INTO sqlagent_import_rejects (source, reason, content) VALUES "
        "('x', 'bad', json_object('a', 'so: 密码是\"一二三四五\"!')), "
        "('x', 'bad', json_object('agent_id', 'ada')), ('x', 'bad', json_object('a', 'ada is'))"
    )
    assert receipt(words, "memory_id => 1")["rows"]["sqlagent_import_rejects"] == 1
    assert receipt(words, "agent_id => 'ada'")["rows"]["sqlagent_import_rejects"] == 1
    assert words.execute("SELECT reject_id FROM sqlagent_import_rejects").fetchall() == [(3,)]


def test_what_was_asked_when_it_was_judged_goes_with_it(words: sqlagent.Connection) -> None:
    for text in ("the code is 4711", "the door is red", "the sky is grey"):
        words.execute("SELECT remember('ada', ?)", (text,))
    words.execute(
        "INSERT INTO recall_feedback (agent_id, query, memory_id, useful) VALUES "
        "('ada', 'is it 4711?', 1, 1), ('ada', 'is it 4711?', 2, 0), ('ada', 'the sky', 3, 1)"
    )
    assert receipt(words, "memory_id => 1")["rows"]["recall_feedback"] == 2
    assert words.execute("SELECT query FROM recall_feedback").fetchall() == [("the sky",)]


# The receipt --------------------------------------------------------------------------------------


def test_the_receipt_has_nothing_of_the_content(full: sqlagent.Connection) -> None:
    told = receipt(full, "agent_id => 'ada'")
    row = full.execute("SELECT * FROM sqlagent_erasures").fetchone()
    for text in (json.dumps(told, ensure_ascii=False), str(row)):
        assert not any(w in text for w in (EN, ZH, OLD, MIXED, "locker", "first", "s1"))
    assert set(told) == {
        "erasure_id", "scope", "id", "subject", "salt", "erased_at", "rows", "total", "hash",
        "files", "pending", "finished_at", "copies",
    }  # fmt: skip
    assert told["files"][:2] == ["agent.db", "agent.db-wal"]


def test_the_hash_says_which_rows_went(words: sqlagent.Connection) -> None:
    for i in range(3):
        words.execute("SELECT remember('ada', ?, embedding => [1, 2])", (f"thing {i}",))
    told = receipt(words, "memory_id => 2")
    assert {"memories", "memory_vectors"} <= told["rows"].keys()
    lines = "\n".join(sorted(f"{table}/2" for table in told["rows"]))
    assert told["hash"] == hashlib.sha256(lines.encode()).hexdigest()


def test_rows_of_a_query_are_erased_one_by_one(words: sqlagent.Connection) -> None:
    for i in range(4):
        words.execute("SELECT remember('ada', ?)", (f"thing {i}",))
    rows = words.execute(
        "SELECT memory_id, erase(memory_id => memory_id) FROM memories WHERE memory_id < 3"
    ).fetchall()
    assert [r[0] for r in rows] == [1, 2]
    assert all(json.loads(r[1])["pending"] == [] for r in rows)
    assert one(words, "SELECT count(*) FROM memories") == 2


def test_copies_from_before_an_upgrade(words: sqlagent.Connection) -> None:
    path = Path(words.database.path)
    words.execute("SELECT remember('ada', 'one')")
    words.execute("SELECT remember('ada', 'two')")
    copy = Path(copy_before(str(path), 12))
    assert receipt(words, "memory_id => 1")["copies"] == [copy.name]
    assert copy.exists()
    told = receipt(words, "memory_id => 2, copies => true")
    assert told["copies"] == [] and copy.name in told["files"] and not copy.exists()


# Errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("", "not none of them"),
        ("agent_id => 'ada', user_id => 'bob'", "not agent_id and user_id"),
        ("memory_id => 99", "there is no memory 99"),
        ("document_id => -1", "there is no document -1"),
        ("agent_id => 'nobody'", "there is nothing of agent 'nobody' to erase"),
        ("user_id => ''", "there is nothing of user '' to erase"),
        ("memory_id => NULL", "not none of them"),
        ("memory_id => 'x'", "memory_id is a whole number"),
        ("session_id => 's'", 'no argument "session_id"'),
    ],
)
def test_what_cannot_be_erased(words: sqlagent.Connection, arguments: str, message: str) -> None:
    words.execute("SELECT remember('ada', 'stays', user_id => 'bob')")
    with pytest.raises(sqlagent.Error, match=message):
        words.execute(f"SELECT erase({arguments})")
    assert one(words, "SELECT count(*) FROM memories") == 1
    assert one(words, "SELECT count(*) FROM sqlagent_erasures") == 0


def test_not_in_a_transaction(words: sqlagent.Connection) -> None:
    words.execute("SELECT remember('ada', 'stays')")
    words.execute("BEGIN")
    with pytest.raises(sqlagent.ProgrammingError, match=r"erase\(\) cannot run in a transaction"):
        words.execute("SELECT erase(memory_id => 1)")
    words.execute("COMMIT")
    assert one(words, "SELECT count(*) FROM memories") == 1


def test_without_autocommit_it_commits_by_itself(fresh_db: Path) -> None:
    con = sqlagent.connect(fresh_db, embedding_model="none", autocommit=False)
    con.execute("SELECT remember('ada', 'goes')")
    con.commit()
    assert receipt(con, "memory_id => 1")["pending"] == []
    con.rollback()
    assert one(con, "SELECT count(*) FROM memories") == 0
    con.close()


def test_a_database_in_memory() -> None:
    con = sqlagent.connect(":memory:", embedding_model="none")
    con.execute("SELECT remember('ada', 'goes')")
    told = receipt(con, "agent_id => 'ada'")
    assert told["pending"] == [] and told["finished_at"] is not None
    assert one(con, "SELECT count(*) FROM memories") == 0
    con.close()


# Others -------------------------------------------------------------------------------------------

READER = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1])
con.execute('BEGIN')
print(con.execute('SELECT count(*) FROM memories').fetchone()[0], flush=True)
sys.stdin.readline()
con.execute('ROLLBACK')
print('over', flush=True)
sys.stdin.readline()
"""


def test_a_reader_of_another_process_delays_it(
    fresh_db: Path, child: Callable[..., Any], elsewhere: Run
) -> None:
    con = sqlagent.connect(fresh_db, embedding_model="none", timeout=0.3)
    con.execute("SELECT remember('ada', ?)", (EN,))
    process = child(READER, fresh_db)
    assert process.stdout.readline() == "1\n"
    told = receipt(con, "agent_id => 'ada'")
    assert told["pending"] == ["log: another connection still reads an older state, or writes"]
    assert told["finished_at"] is None
    assert one(con, "SELECT count(*) FROM memories") == 0
    assert one(con, "SELECT pending FROM sqlagent_erasures") == '["log"]'
    assert found(elsewhere, fresh_db) != []
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "over\n"  # it still has the file open
    rows = con.execute("CALL sync()").fetchall()
    assert ("erasures", 1) in [row[:2] for row in rows]
    assert found(elsewhere, fresh_db) == []
    assert one(con, "SELECT finished_at IS NOT NULL FROM sqlagent_erasures")
    con.close()


def test_the_next_connection_goes_on(
    fresh_db: Path, child: Callable[..., Any], elsewhere: Run
) -> None:
    con = sqlagent.connect(fresh_db, embedding_model="none", timeout=0.1)
    con.execute("SELECT remember('ada', ?)", (ZH,))
    process = child(READER, fresh_db)
    process.stdout.readline()
    assert receipt(con, "agent_id => 'ada'")["pending"] != []
    other = sqlagent.connect(fresh_db, embedding_model="none")  # cannot yet, and does not wait
    assert one(other, "SELECT finished_at FROM sqlagent_erasures") is None
    process.kill()
    process.wait()
    third = sqlagent.connect(fresh_db, embedding_model="none")
    assert one(third, "SELECT finished_at IS NOT NULL FROM sqlagent_erasures")
    assert found(elsewhere, fresh_db) == []
    for connection in (con, other, third):
        connection.close()


OTHER = """
import sys, sqlagent, sqlagent.sync.making as making
making.ROWS_MIN = 1
con = sqlagent.connect(sys.argv[1], embedding_model='none')
print(con.execute("SELECT count(*) FROM recall('ada', 'zebrawort')").fetchone()[0])
con.execute("SET route = 'duckdb'")
print(len(con.execute('SELECT DISTINCT content FROM memories').fetchall()), flush=True)
sys.stdin.readline()
con.execute('CALL sync()').fetchall()
print(len(con.execute('SELECT DISTINCT content FROM memories').fetchall()))
con.execute("SET route = 'auto'")
print(con.execute("SELECT count(*) FROM recall('ada', 'zebrawort')").fetchone()[0], flush=True)
sys.stdin.readline()
"""


def test_another_process_with_columns_and_indexes_forgets_too(
    fresh_db: Path, child: Callable[..., Any], elsewhere: Run
) -> None:
    con = sqlagent.connect(fresh_db, embedding_model="none")
    con.execute("SELECT remember('ada', ?)", (f"{EN} {ZH}",))
    con.execute("SELECT remember('eve', 'stays')")
    process = child(OTHER, fresh_db)
    assert [process.stdout.readline() for _ in range(2)] == ["1\n", "2\n"]
    assert receipt(con, "agent_id => 'ada'")["pending"] == []
    process.stdin.write("\n")
    process.stdin.flush()
    assert [process.stdout.readline() for _ in range(2)] == ["1\n", "0\n"]
    assert found(elsewhere, fresh_db) == []
    con.close()


KILLED = """
import sys, sqlagent
con = sqlagent.connect(sys.argv[1], embedding_model='none')
print('ready', flush=True)
con.execute("SELECT erase(agent_id => 'ada')").fetchall()
print('done', flush=True)
sys.stdin.readline()
"""


def killed(
    times: int, full: sqlagent.Connection, child: Callable[..., Any], elsewhere: Run, problems: Any
) -> None:
    import shutil

    path, before = Path(full.database.path), eve(full)
    full.close()
    original = path.parent / "kept"
    original.mkdir()
    shutil.move(path, original / path.name)
    rng = random.Random(3)
    for _ in range(times):
        place = path.parent / "run"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        shutil.copyfile(original / path.name, place / path.name)
        shutil.copytree(f"{path}.d", place / f"{path.name}.d")
        process = child(KILLED, place / path.name)
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        time.sleep(rng.random() * 0.12)
        process.kill()
        process.wait()
        con = sqlagent.connect(place / path.name, embedding_model="none")
        left = one(con, "SELECT count(*) FROM memories WHERE agent_id = 'ada'")
        assert left in (0, 42) and eve(con) == before and problems(con) == []
        if not left:
            assert one(con, "SELECT finished_at IS NOT NULL FROM sqlagent_erasures")
            assert found(elsewhere, place / path.name) == []
        con.close()


def test_killed_while_erasing(
    full: sqlagent.Connection, child: Callable[..., Any], elsewhere: Run, problems: Any
) -> None:
    killed(3, full, child, elsewhere, problems)


@pytest.mark.slow
def test_killed_often_while_erasing(
    full: sqlagent.Connection, child: Callable[..., Any], elsewhere: Run, problems: Any
) -> None:
    killed(60, full, child, elsewhere, problems)


def test_it_waits_for_one_that_is_at_it(words: sqlagent.Connection) -> None:
    from sqlagent.sync.scrub import Scrub

    words.execute("SELECT remember('ada', 'x')")
    first = Scrub(words.database, 0.0)
    with first.alone():
        second = Scrub(words.database, 0.05)
        second.run()
        assert second.left == {"rest": "another process is at it"}
    assert receipt(words, "memory_id => 1")["pending"] == []


def test_a_step_that_fails_holds_up_those_after_it(
    words: sqlagent.Connection, elsewhere: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlagent.sync.scrub import Scrub

    def fails(_: Scrub) -> None:
        raise OSError("the disk failed")

    path = Path(words.database.path)
    words.execute("SELECT remember('ada', ?)", (f"{EN} {ZH}",))
    monkeypatch.setattr(Scrub, "text", fails)
    told = receipt(words, "memory_id => 1")
    assert told["pending"] == [
        "text: the disk failed", "file: it comes after text", "log: it comes after file, text"
    ]  # fmt: skip
    assert told["finished_at"] is None
    monkeypatch.undo()
    assert ("erasures", 1) in [row[:2] for row in words.execute("CALL sync()").fetchall()]
    assert found(elsewhere, path) == []


def test_several_at_once_while_others_write(
    words: sqlagent.Connection, elsewhere: Run, problems: Any
) -> None:
    for i in range(4):
        words.execute("SELECT remember(?, ?)", (f"agent{i}", f"{EN} {i} {ZH}"))
    over, told, failed = threading.Event(), [], []

    def write(agent: str) -> None:
        count = 0
        try:
            while not over.is_set() or count < 5:
                words.execute("SELECT remember(?, ?)", (agent, f"note {count} of {agent}"))
                words.execute("SELECT * FROM recall(?, 'note')", (agent,)).fetchall()
                count += 1
        except sqlagent.Error as error:
            failed.append(error)

    def erase(agent: str) -> None:
        told.append(receipt(words, "agent_id => ?", agent))

    writers = [threading.Thread(target=write, args=(a,)) for a in ("eve", "max")]
    erasers = [threading.Thread(target=erase, args=(f"agent{i}",)) for i in range(4)]
    for thread in (*writers, *erasers):
        thread.start()
    for thread in erasers:
        thread.join()
    over.set()
    for thread in writers:
        thread.join()
    assert failed == [] and len(told) == 4
    assert one(words, "SELECT count(*) FROM sqlagent_erasures WHERE finished_at IS NULL") == 0
    assert found(elsewhere, Path(words.database.path)) == [] and problems(words) == []
    assert one(words, "SELECT count(*) FROM memories WHERE agent_id = 'eve'") >= 5


def test_an_interrupt_leaves_the_rest_for_later(
    words: sqlagent.Connection, elsewhere: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlagent.sync.scrub import Scrub

    words.execute("SELECT remember('ada', ?)", (f"{EN} {ZH}",))

    def stop(run: Scrub) -> None:
        threading.Timer(0.05, words.interrupt).start()
        with run.writer() as handle:
            handle.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                           "SELECT max(i) FROM n").fetchall()  # fmt: skip

    monkeypatch.setattr(Scrub, "file", stop)
    pending = receipt(words, "agent_id => 'ada'")["pending"]
    assert [line.split(":")[0] for line in pending] == ["file", "log"]
    monkeypatch.undo()
    words.execute("CALL sync()").fetchall()
    assert found(elsewhere, Path(words.database.path)) == []


def test_columns_that_are_written_meanwhile_do_not_stay(
    fresh_db: Path, elsewhere: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlagent.sync.making as making
    from sqlagent.sync.snapshot import Snapshots

    monkeypatch.setattr(making, "ROWS_MIN", 1)
    con = sqlagent.connect(fresh_db, embedding_model="none", route="duckdb")
    con.execute("SELECT remember('ada', ?)", (f"{EN} {ZH}",))
    save, told = Snapshots.save, []

    def late(*arguments: Any) -> None:
        if not told:  # the copy is made, and is not in its place yet
            told.append(
                elsewhere(
                    "import sys, sqlagent\n"
                    "con = sqlagent.connect(sys.argv[1], embedding_model='none')\n"
                    "print(con.execute(\"SELECT erase(agent_id => 'ada')\").fetchone()[0])",
                    fresh_db,
                )
            )
        save(*arguments)

    monkeypatch.setattr(Snapshots, "save", late)
    assert one(con, "SELECT max(content) FROM memories") == f"{EN} {ZH}"  # as it was when asked
    assert json.loads(told[0])["pending"] == []
    assert list(Path(f"{fresh_db}.d", "columns").iterdir()) == []
    assert one(con, "SELECT max(content) FROM memories") is None
    assert found(elsewhere, fresh_db) == []
    con.close()


def test_what_another_process_spilled_goes_when_it_has_ended(
    words: sqlagent.Connection, child: Callable[..., Any], elsewhere: Run
) -> None:
    path = Path(words.database.path)
    process = child("import sys; sys.stdin.readline()")
    place = Path(f"{path}.d", "spill", str(process.pid))
    place.mkdir(parents=True)
    (place / "duckdb_temp_storage-0.tmp").write_text(f"{EN} {ZH}", encoding="utf-8")
    words.execute("SELECT remember('ada', ?)", (EN,))
    told = receipt(words, "memory_id => 1")
    assert told["pending"] == [
        f"spill: DuckDB has spilled to disk in process {process.pid}, which still runs"
    ]
    assert [line.split()[0] for line in found(elsewhere, path)] == [
        f"agent.db.d/spill/{process.pid}/duckdb_temp_storage-0.tmp"
    ] * 4
    process.kill()
    process.wait()
    words.execute("CALL sync()").fetchall()
    assert found(elsewhere, path) == [] and not place.exists()
    assert one(words, "SELECT finished_at IS NOT NULL FROM sqlagent_erasures")
