"""A save is its own entry of the change log: one sequence of both, without a gap or a number twice,
whoever writes, and whatever is erased, trimmed or brought up from a former version."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent import migrate
from sqlagent.sync import log

LONG = '{"text": "' + "数据 " * 3000 + '"}'
ENTRIES = "SELECT seq, tbl, pk, op, scope FROM sqlagent_change_log WHERE seq > ? ORDER BY seq"
WATCH = "SELECT seq FROM watch(?, since => ?, timeout_ms => 0)"


def one(con: sqlagent.Connection, sql: str, *values: Any) -> Any:
    return con.execute(sql, values).fetchone()[0]


def written(con: sqlagent.Connection) -> int:
    """How many entries there are that are no versions."""
    return int(one(con, "SELECT count(*) FROM sqlagent_change_entries"))


def test_a_save_writes_no_other_entry(words: sqlagent.Connection) -> None:
    words.execute("SELECT save_state('ada', '[0]')")
    before, mark = written(words), log.newest(words.database)
    for n in range(1, 6):
        words.execute("SELECT save_state('ada', ?)", (f"[{n}]",))
    assert written(words) == before
    state = one(words, "SELECT state_id FROM states")
    assert words.execute(ENTRIES, (mark,)).fetchall() == [
        (mark + n, "states", state, "u", "ada") for n in range(1, 6)
    ]
    ids = words.execute("SELECT version_id FROM state_versions WHERE version > 1").fetchall()
    assert sorted(i for (i,) in ids) == [mark + n for n in range(1, 6)]
    times = "SELECT version_id, created_at FROM state_versions WHERE version > 1"
    logged = "SELECT seq, at FROM sqlagent_change_log WHERE seq > ?"
    assert words.execute(logged, (mark,)).fetchall() == words.execute(times).fetchall()


def test_a_foreign_client_saves_in_the_same_sequence(
    words: sqlagent.Connection, shell: Callable[[object, str], str]
) -> None:
    words.execute("SELECT save_state('ada', '[0]')")
    words.execute("SELECT remember('ada', 'The parcel is here')")
    mark = log.newest(words.database)
    shell(words.database.path, "UPDATE states SET data = '[1]'")
    shell(words.database.path, "UPDATE states SET data = '[2]', version = version + 1,"
          " created_at = strftime('%Y-%m-%d %H:%M:%f', 'now')")  # fmt: skip
    shell(words.database.path, "UPDATE states SET checksum = NULL, metadata = metadata")
    shell(words.database.path, "UPDATE states SET checksum = 'x'")
    found = words.execute(ENTRIES, (mark,)).fetchall()
    numbers = [row[0] for row in found]
    assert numbers == sorted(set(numbers)) and {row[1:] for row in found} == {
        ("states", 1, "u", "ada")
    }
    # Three of them made versions, and the last none: it is written down.
    versions = {i for (i,) in words.execute("SELECT version_id FROM state_versions")}
    assert len(versions & set(numbers)) == 3 and numbers[-1] not in versions
    assert one(words, "SELECT count(*) FROM state_versions") == 4


WRITES = {
    "save": "SELECT save_state('ada', '[1]')",
    "session": "SELECT save_state('ada', '[2]', session_id => 's')",
    "long": f"SELECT save_state('ada', '{LONG}')",
    "longer": "SELECT save_state('ada', '{LONG}', 'task_state')".replace("{LONG}", LONG + " "),
    "eve": "SELECT save_state('eve', '[3]')",
    "memory": "INSERT INTO memories (agent_id, content) VALUES ('ada', 'x')",
    "edit": "UPDATE states SET data = '[4]' WHERE agent_id = 'ada'",
    "mark": "UPDATE states SET checksum = 'y'",
    "replace": "INSERT OR REPLACE INTO states (agent_id, data) VALUES ('ada', '[5]')",
    "upsert": "INSERT INTO states (agent_id, data) VALUES ('eve', '[6]')"
    " ON CONFLICT DO UPDATE SET data = '[7]'",
    "move": "UPDATE OR REPLACE states SET agent_id = 'eve' WHERE agent_id = 'ada'",
    "renumber": "UPDATE OR REPLACE states SET state_id = state_id + 1",
    "delete": "DELETE FROM states WHERE agent_id = 'ada'",
    "delete memories": "DELETE FROM memories",
    "rollback": "",
}
STATES = "SELECT state_id, agent_id, version, checksum, data FROM states"


@given(steps=st.lists(st.sampled_from(sorted(WRITES)), max_size=12), recursive=st.booleans())
@settings(max_examples=60)
def test_whatever_is_written_the_log_names_it_in_order(steps: list[str], recursive: bool) -> None:
    with sqlagent.connect(":memory:", embedding_model="none") as con:
        writer = con.database.hold_bare()
        writer.execute(f"PRAGMA recursive_triggers = {int(recursive)}").fetchall()
        con.database.let_go()
        known: list[int] = []
        watched: dict[str, list[int]] = {"ada": [], "eve": []}
        for step in steps:
            mark = log.newest(con.database)
            before = {row[0]: row for row in con.execute(STATES)}
            if step == "rollback":
                con.begin()
                con.execute(WRITES["save"])
                con.rollback()
                assert log.newest(con.database) == mark
                continue
            if WRITES[step].startswith("SELECT"):
                con.execute(WRITES[step])
            else:  # as a client that is not ours
                con.database.hold_bare().execute(WRITES[step]).fetchall()
                con.database.let_go()
            after = {row[0]: row for row in con.execute(STATES)}
            rows = con.execute(ENTRIES, (mark,)).fetchall()
            changed = {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}
            assert changed <= {pk for _, tbl, pk, _, _ in rows if tbl == "states"}, step
            known += [row[0] for row in rows]
            for agent, seen in watched.items():
                new = [n for (n,) in con.execute(WATCH, (agent, seen[-1] if seen else 0))]
                assert new == [row[0] for row in rows if row[4] == agent]
                seen += new
        assert known == sorted(set(known))  # each once, in their order
        assert known == [row[0] for row in con.execute(ENTRIES, (0,))]
        assert one(con, "SELECT count(*) = count(DISTINCT version_id) FROM state_versions")
        for agent, seen in watched.items():
            assert seen == [n for (n,) in con.execute(WATCH, (agent, 0))]


def test_a_number_is_not_given_again_after_an_erasure(words: sqlagent.Connection) -> None:
    words.execute("SELECT save_state('ada', '[0]')")
    words.execute("SELECT save_state('eve', '[0]')")
    words.execute("SELECT save_state('eve', '[1]')")
    words.execute("DELETE FROM states WHERE agent_id = 'eve'")
    newest = log.newest(words.database)
    words.execute("SELECT erase('eve')")
    assert log.newest(words.database) >= newest
    mark = log.newest(words.database)
    words.execute("SELECT save_state('ada', '[1]')")
    assert [row[1:] for row in words.execute(ENTRIES, (mark,))] == [("states", 1, "u", "ada")]
    assert not any("eve" in map(str, row) for row in words.execute(ENTRIES, (0,)))


def test_history_that_goes_by_hand_leaves_its_number(words: sqlagent.Connection) -> None:
    words.execute("SELECT save_state('ada', '[0]')")
    words.execute("SELECT save_state('ada', '[1]')")
    newest = log.newest(words.database)
    writer = words.database.hold()
    writer.execute("INSERT INTO sqlagent_meta VALUES ('erasing', '1')")
    writer.execute("DELETE FROM sqlagent_state_versions WHERE version_id = ?", (newest,))
    writer.execute("DELETE FROM sqlagent_meta WHERE name = 'erasing'")
    writer.execute("COMMIT")
    words.database.let_go()
    assert log.newest(words.database) > newest


def test_the_log_trims_itself_between_saves(words: sqlagent.Connection) -> None:
    """Numbers that versions have are no multiples of anything to be waited for."""
    writer = words.database.hold_bare()
    try:
        writer.execute(
            "INSERT INTO sqlagent_change_entries (seq, tbl, pk, op)"
            " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 2 FROM n WHERE i < 200999)"
            " SELECT i, 'x', i, 'u' FROM n"
        )
        ends = "SELECT min(seq), max(seq), count(*) FROM sqlagent_change_entries"
        assert writer.execute(ends).fetchall() == [(1, 200_999, 100_500)]
        writer.execute(
            "INSERT INTO sqlagent_change_entries (seq, tbl, op) VALUES (201001, 'x', 'u')"
        )
        assert writer.execute(ends).fetchall() == [(1003, 201_001, 100_000)]
    finally:
        words.database.let_go()


def test_columns_of_states_follow_saves(words: sqlagent.Connection) -> None:
    words.execute("SELECT save_state('ada', '[0]')")
    words.execute("SET route = 'duckdb'")
    newest = "SELECT version, data FROM states ORDER BY agent_id"
    assert words.execute(newest).fetchall() == [(1, "[0]")]
    for n in range(1, 4):
        words.execute("SELECT save_state('ada', ?)", (f"[{n}]",))
        assert words.execute(newest).fetchall() == [(n + 1, f"[{n}]")]
    words.execute("SELECT save_state('bob', '[9]')")
    words.execute("BEGIN")
    words.execute("SELECT save_state('ada', '[4]')")
    assert words.execute(newest).fetchall() == [(5, "[4]"), (1, "[9]")]
    words.execute("ROLLBACK")
    assert words.execute(newest).fetchall() == [(4, "[3]"), (1, "[9]")]


def former(path: Path, *statements: str) -> None:
    """A file as 0.4.0 made it, at migration 22, with some writes of that time."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = wal").fetchall()
    for migration in migrate.known()[:22]:
        migrate.run(connection, migration)
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


@pytest.mark.parametrize(
    "statements",
    [
        # more entries than versions, and triggers of a user's table
        ["INSERT INTO states (agent_id, data) VALUES ('ada', '[0]')",
         "UPDATE states SET data = '[1]'", "DELETE FROM states",
         "INSERT INTO states (agent_id, data) VALUES ('ada', '[2]')"],
        # more versions than entries: the log was trimmed, or had no states yet
        ["INSERT INTO states (agent_id, data) VALUES ('ada', '[0]')",
         "INSERT INTO sqlagent_state_versions (version_id, agent_id, state_type, version,"
         " created_at, data) VALUES (5000, 'old', 'context', 1, '2020-01-01 00:00:00.000', '[]')"],
        # nothing at all
        [],
    ],
)  # fmt: skip
def test_a_file_of_0_4_0_goes_on(tmp_path: Path, statements: list[str]) -> None:
    path = tmp_path / "agent.db"
    user = (
        "CREATE TABLE t (n INTEGER PRIMARY KEY)",
        "CREATE TRIGGER own AFTER INSERT ON t BEGIN INSERT INTO sqlagent_change_log (tbl, pk, op)"
        " VALUES ('t', NEW.n, 'i'); END",
        "CREATE VIEW mine AS SELECT seq FROM sqlagent_change_log WHERE tbl = 't'",
        "CREATE VIEW broken AS SELECT gone FROM nowhere",
        "INSERT INTO t VALUES (7)",
    )
    former(path, *statements, *user)
    connection = apsw.Connection(str(path))
    was = connection.execute(ENTRIES, (0,)).fetchall()
    versions = connection.execute("SELECT * FROM state_versions ORDER BY version_id").fetchall()
    connection.close()
    with sqlagent.connect(path, embedding_model="none") as con:
        assert con.execute(ENTRIES, (0,)).fetchall()[: len(was)] == was
        ids = "SELECT version_id FROM state_versions ORDER BY version_id"
        assert [row[0] for row in con.execute(ids)] == [row[0] for row in versions]
        mark = log.newest(con.database)
        assert mark >= max([row[0] for row in was] + [row[0] for row in versions])
        assert len(con.execute(WATCH, ("ada", was[-1][0])).fetchall()) == 0
        con.execute("SELECT save_state('ada', '[3]')")
        con.execute("SELECT save_state('ada', '[4]')")
        con.execute("INSERT INTO t VALUES (8)")
        new = con.execute(ENTRIES, (mark,)).fetchall()
        numbers = [row[0] for row in new]
        assert numbers == sorted(set(numbers)) and new[-1][1:4] == ("t", 8, "i")
        assert con.execute("SELECT count(*) FROM mine").fetchall() == [(2,)]
        texts = con.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%change_entries%'")
        assert {n for (n,) in texts} == {
            "sqlagent_change_entries", "sqlagent_change_log", "sqlagent_change_log_insert",
            "sqlagent_change_log_delete", "sqlagent_change_entries_keep_newest",
            "sqlagent_change_entries_trim_themselves", "sqlagent_state_versions_delete",
            "states_insert", "states_move", "states_version",
        }  # fmt: skip


SAVER = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
for n in range(100):
    con.execute("UPDATE states SET data = ? WHERE agent_id = 'ada'", (f"[{n}]",))
"""


def test_two_processes_and_a_watcher_count_as_one(words: sqlagent.Connection) -> None:
    """Ours saves and remembers, the other saves: who watches hears of each once, in order."""
    words.execute("SELECT save_state('ada', '[0]')")
    mark = start = log.newest(words.database)
    other = subprocess.Popen([sys.executable, "-c", SAVER, words.database.path])
    heard: list[int] = []
    for n in range(100):
        words.execute("SELECT save_state('ada', ?)", (f"[{n}]",))
        if n % 7 == 0:
            words.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'x')")
        new = [row[0] for row in words.execute(WATCH, ("ada", mark))]
        heard += new
        mark = new[-1]
    assert other.wait() == 0
    heard += [row[0] for row in words.execute(WATCH, ("ada", mark))]
    assert heard == [row[0] for row in words.execute(ENTRIES, (start,))]
    assert heard == sorted(set(heard))
    assert one(words, "SELECT max(version) FROM state_versions") == 201


LARGEST = [
    "max(seq)", "ifnull(max(seq), 0)", "max(l.seq) + 1", "max(seq), count(*)", "max(seq) OVER ()",
    "max(seq) FILTER (WHERE tbl = 'x')", "max(seq + 1)", "min(seq)", "max(seq), min(seq)",
]  # fmt: skip


@pytest.mark.parametrize("route", ["auto", "sqlite", "duckdb"])
def test_the_largest_number_is_found_at_the_ends(words: sqlagent.Connection, route: str) -> None:
    words.execute("SELECT save_state('ada', '[0]')")
    words.execute("SELECT save_state('ada', '[1]')")
    assert one(words, "SELECT max(seq) FROM sqlagent_change_log") == log.newest(words.database)
    words.execute("SET route = 'sqlite'")
    whole = words.execute("SELECT seq FROM sqlagent_change_log").fetchall()
    words.execute(f"SET route = '{route}'")
    numbers = [n for (n,) in whole]
    for shown in LARGEST:
        told = words.execute(f"SELECT {shown} FROM sqlagent_change_log AS l").fetchall()
        kept = "(SELECT * FROM sqlagent_change_log LIMIT 1000)"
        assert told == words.execute(f"SELECT {shown} FROM {kept} AS l").fetchall(), shown
    assert one(words, "SELECT max(seq) FROM sqlagent_change_log") == max(numbers)
    where = "WHERE seq = (SELECT max(seq) FROM sqlagent_change_log)"
    assert one(words, f"SELECT tbl FROM sqlagent_change_log {where}") == "states"
    plan = words.execute("EXPLAIN SELECT max(seq) FROM sqlagent_change_log").fetchall()
    assert any("sqlagent_change_entries" in str(row) for row in plan)
