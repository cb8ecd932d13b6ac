"""The life of a memory: tiers, policies, forgetting; whole or not at all, and undone whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from faults import KINDS, survey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent import migrate

LOOSE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
EVERYTHING = (
    "SELECT memory_id, tier, importance, pinned, stability_days, archived_at, superseded_by, "
    "valid_to, access_count, massed, difficulty FROM memories ORDER BY memory_id"
)


def working(con: sqlagent.Connection, count: int, **more: Any) -> None:
    names = "".join(f", {n}" for n in more)
    con.execute(
        f"INSERT INTO memories (agent_id, content, tier, importance{names}) "
        f"SELECT 'ada', '工作记忆 ' || i, 'working', i / 100.0{', ?' * len(more)} "
        f"FROM range({count}) t(i)",
        tuple(more.values()),
    )


def left(con: sqlagent.Connection, where: str = "tier = 'working'") -> list[str]:
    sql = f"SELECT content FROM memories WHERE archived_at IS NULL AND {where} ORDER BY memory_id"
    return [content for (content,) in con.execute(sql).fetchall()]


def test_a_session_keeps_so_many_working_memories(words: sqlagent.Connection) -> None:
    words.execute("INSERT INTO sessions (session_id, agent_id) VALUES ('s1', 'ada')")
    working(words, 8, session_id="s1")
    working(words, 3, session_id="s2")
    assert words.execute("SELECT apply_policies('ada')").fetchone() == (0,)
    words.execute("SET working_memory_limit = 5")
    assert words.execute("SELECT apply_policies('ada', dry_run => true)").fetchone() == (3,)
    assert words.execute("SELECT apply_policies('ada')").fetchone() == (3,)
    kept = left(words, "tier = 'working' AND session_id = 's1'")
    assert kept == [f"工作记忆 {i}" for i in range(3, 8)]  # the strongest
    assert len(left(words)) == 8
    assert words.execute("SELECT apply_policies('ada')").fetchone() == (0,)
    words.execute("SELECT undo(max(operation_id)) FROM sqlagent_operations")
    assert len(left(words)) == 11
    words.execute("SET working_memory_limit = 0")
    assert words.execute("SELECT apply_policies('ada')").fetchone() == (0,)


def test_remember_keeps_to_the_limit_too(words: sqlagent.Connection) -> None:
    words.execute("SET working_memory_limit = 3")
    said = "SELECT remember('ada', ?, tier => 'working', session_id => '会话', importance => ?)"
    for number in range(6):
        words.execute(said, (f"第 {number} 句", 0.9 if number == 1 else 0.2))
    assert left(words) == ["第 3 句", "第 4 句", "第 5 句"]  # the latest, however unimportant
    assert left(words, "tier = 'short_term'") == ["第 1 句"]
    words.execute(said, ("第 3 句", 0.2))  # used again: another goes before it
    words.execute(said, ("第 6 句", 0.2))
    assert left(words) == ["第 3 句", "第 5 句", "第 6 句"]


def test_beyond_the_limit_what_matters_goes_on(words: sqlagent.Connection) -> None:
    working(words, 3)
    words.execute("UPDATE memories SET access_count = 1 WHERE content = '工作记忆 0'")
    words.execute("UPDATE memories SET pinned = true WHERE content = '工作记忆 1'")
    words.execute("SET working_memory_limit = 1")
    words.execute("SELECT apply_policies('ada')")
    rows = words.execute("SELECT tier, archived_at IS NULL FROM memories ORDER BY memory_id")
    # The pinned one is the first to stay, the used one goes on, the third goes. Of no session, the
    # pinned one is then promoted by the policy of maintenance.
    assert rows.fetchall() == [("short_term", True), ("long_term", True), ("working", False)]


def test_an_open_session_is_left_alone_by_maintenance(words: sqlagent.Connection) -> None:
    words.execute("INSERT INTO sessions (session_id, agent_id) VALUES ('s1', 'ada')")
    words.execute(
        "INSERT INTO memories (agent_id, content, tier, session_id, importance, created_at) VALUES "
        "('ada', 'a', 'working', 's1', 0.95, '2020-01-01'), "
        "('ada', 'b', 'working', 's1', 0.0, '2020-01-01')"
    )
    assert words.execute("SELECT apply_policies('ada')").fetchone() == (0,)
    assert words.execute("SELECT forget('ada')").fetchone() == (0,)


def test_sync_sees_to_ended_sessions_and_to_all_where_it_is_asked(
    words: sqlagent.Connection, shell: Callable[[object, str], str]
) -> None:
    words.execute("INSERT INTO sessions (session_id, agent_id) VALUES ('s1', 'ada')")
    working(words, 3, session_id="s1")
    words.execute("INSERT INTO memories (agent_id, content, importance) VALUES ('bob', '要', 1)")
    assert "sessions" not in dict(r[:2] for r in words.execute("CALL sync()").fetchall())
    shell(
        words.database.path, "UPDATE sessions SET ended_at = strftime('%Y-%m-%d %H:%M:%f','now');"
    )
    done = dict(r[:2] for r in words.execute("CALL sync()").fetchall())
    assert done["sessions"] == 3 and "maintenance" not in done
    assert left(words) == [] and left(words, "tier = 'short_term'") == ["要"]
    words.execute("SET maintenance = on")
    done = dict(r[:2] for r in words.execute("CALL sync()").fetchall())
    assert done["maintenance"] == 1 and "sessions" not in done
    assert left(words, "tier = 'long_term'") == ["要"]


def test_a_policy_that_is_wrong_keeps_nothing_but_itself_from_sync(
    words: sqlagent.Connection,
) -> None:
    words.execute("SET maintenance = on")
    words.execute("INSERT INTO documents (content) VALUES ('A page about lamps')")
    words.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'x')")
    words.execute(
        "INSERT INTO memory_policies (name, event, action, condition) "
        "VALUES ('mine', 'maintenance', 'archive', 'nonsense')"
    )
    with pytest.raises(
        sqlagent.ProgrammingError, match=r'policy "mine".*unknown column "nonsense"'
    ):
        words.execute("CALL sync()")
    assert words.execute("SELECT count(*) FROM chunks").fetchone() == (1,)


def test_the_default_policies_do_what_their_names_say(words: sqlagent.Connection) -> None:
    words.execute(
        "INSERT INTO memories (memory_id, agent_id, content, tier, importance, access_count, "
        "stability_days, created_at, last_access_at, expires_at) VALUES "
        "(1, 'ada', 'expired', 'long_term', 1.0, 9, 3, '2024-01-01', NULL, '2024-02-01'), "
        "(2, 'ada', '重要', 'short_term', 0.95, 0, 3, '2024-01-01', NULL, NULL), "
        "(3, 'ada', 'used', 'short_term', 0.4, 5, 40, '2024-01-01', "
        "  strftime('%Y-%m-%d %H:%M:%f', 'now', '-20 days'), NULL), "
        "(4, 'ada', 'faded', 'long_term', 0.2, 5, 3, '2023-01-01', '2023-02-01', NULL), "
        "(5, 'ada', 'never used', 'short_term', 0.1, 0, 3, '2023-01-01', NULL, NULL), "
        "(6, 'ada', 'fresh', 'short_term', 0.1, 0, 3, "
        "  strftime('%Y-%m-%d %H:%M:%f', 'now'), NULL, NULL)"
    )
    before = words.execute(EVERYTHING).fetchall()
    assert words.execute("SELECT apply_policies('ada')").fetchone() == (5,)
    rows = words.execute("SELECT memory_id, tier, archived_at IS NULL FROM memories ORDER BY 1")
    assert rows.fetchall() == [
        (1, "long_term", False), (2, "long_term", True), (3, "long_term", True),
        (4, "short_term", True), (5, "short_term", False), (6, "short_term", True),
    ]  # fmt: skip
    assert words.execute("SELECT apply_policies('ada')").fetchone() == (0,)  # one step at a time
    assert words.execute("SELECT undo(max(operation_id)) FROM sqlagent_operations").fetchone() == (
        5,
    )
    assert words.execute(EVERYTHING).fetchall() == before


def test_what_a_live_memory_rests_on_is_not_archived_by_a_policy(
    words: sqlagent.Connection,
) -> None:
    working(words, 2, session_id="s1")
    words.execute(
        "INSERT INTO memories (agent_id, content) VALUES ('ada', 'learnt from the first')"
    )
    words.execute("INSERT INTO memory_sources (memory_id, source_memory_id) VALUES (3, 1)")
    words.execute("SELECT end_session('s1')")
    assert left(words, "true") == ["工作记忆 0", "learnt from the first"]
    assert left(words) == []  # its session is over: it went on
    reasons = dict(
        words.execute("SELECT memory_id, reason FROM sqlagent_operation_rows").fetchall()
    )
    assert reasons[1].startswith("pinned, or a live memory rests on it")
    assert reasons[2].startswith("the rest of a session goes: strength 0.")
    words.execute("DELETE FROM memory_policies")
    words.execute(
        "INSERT INTO memory_policies (name, event, action) VALUES ('all', 'maintenance', 'archive')"
    )
    # Both go at once: the second is what the first would have stayed for.
    assert words.execute("SELECT apply_policies('ada')").fetchone() == (2,)


FLAGS = st.sampled_from(
    ("", "pinned", "fresh", "strong", "archived", "superseded", "over", "to come")
)


@given(st.lists(FLAGS, min_size=1, max_size=9), st.sets(st.tuples(*[st.integers(1, 9)] * 2)))
@LOOSE
def test_forget_takes_what_it_may_and_nothing_else(
    words: sqlagent.Connection, flags: list[str], sources: set[tuple[int, int]]
) -> None:
    """Against the rule said in Python: what is weak and old goes, unless something that lives and
    stays was made from it, at any remove; sources may go round in circles."""
    for table in ("memory_sources", "memories", "sqlagent_operations", "sqlagent_operation_rows"):
        words.execute(f"DELETE FROM {table}")
    for number, flag in enumerate(flags, 1):
        words.execute(
            "INSERT INTO memories (memory_id, agent_id, content, pinned, importance, created_at, "
            "archived_at, superseded_by, valid_to, valid_from) VALUES (?, 'ada', ?, ?, ?, ?, ?, "
            "NULL, ?, ?)",
            (number, f"第 {number}", flag == "pinned", 1.0 if flag == "strong" else 0.01,
             "2099-01-01" if flag == "fresh" else "2026-01-01",
             "2026-02-01" if flag == "archived" else None,
             "2026-02-01" if flag == "over" else None,
             "2099-01-01" if flag == "to come" else None),
        )  # fmt: skip
    for number, flag in enumerate(flags, 1):
        if flag == "superseded":
            words.execute("UPDATE memories SET superseded_by = 1 WHERE memory_id = ?", (number,))
    made = {(a, b) for a, b in sources if a != b and max(a, b) <= len(flags)}
    for derived, source in made:
        words.execute(
            "INSERT INTO memory_sources (memory_id, source_memory_id) VALUES (?, ?)",
            (derived, source),
        )
    weak = {n for n, flag in enumerate(flags, 1) if flag == ""}
    living = {
        n for n, f in enumerate(flags, 1) if f in ("", "pinned", "fresh", "strong", "to come")
    }
    kept = living - weak
    reached = set(kept)
    while more := {b for a, b in made if a in reached} - reached:
        reached |= more
    before = words.execute(EVERYTHING).fetchall()
    assert words.execute("SELECT forget('ada', min_strength => 0.05)").fetchone() == (
        len(weak - reached),
    )
    gone = words.execute("SELECT memory_id FROM memories WHERE archived_at > '2026-03-01'")
    assert {n for (n,) in gone.fetchall()} == weak - reached
    assert words.execute("SELECT unforget('ada')").fetchone() == (len(weak - reached),)
    assert words.execute(EVERYTHING).fetchall() == before


def test_plan_shows_what_forget_would_do_and_why(words: sqlagent.Connection) -> None:
    words.execute(
        "INSERT INTO memories (agent_id, content, importance, created_at) "
        "VALUES ('ada', '旧事', 0.05, '2020-01-01')"
    )
    rows = words.execute("PLAN SELECT forget('ada')").fetchall()
    assert len(rows) == 1 and "旧事" in rows[0]
    assert any(str(value).startswith("strength 0.0") for value in rows[0])
    assert words.execute("SELECT count(*) FROM sqlagent_operations").fetchone() == (0,)


def test_forget_within_a_transaction_is_taken_back_with_it(words: sqlagent.Connection) -> None:
    words.execute(
        "INSERT INTO memories (agent_id, content, importance, created_at) "
        "SELECT 'ada', 'm' || i, 0.05, '2020-01-01' FROM range(20) t(i)"
    )
    words.execute("BEGIN")
    assert words.execute("SELECT forget('ada')").fetchone() == (20,)
    assert left(words, "true") == []
    words.execute("ROLLBACK")
    assert len(left(words, "true")) == 20
    assert words.execute("SELECT unforget('ada')").fetchone() == (0,)


FORGET = """
import sqlagent, sys
con = sqlagent.connect(sys.argv[1], embedding_model="none")
print("ready", flush=True)
sys.stdin.readline()
print(con.execute("SELECT forget('ada')").fetchone()[0], flush=True)
"""


def aged(path: Path, count: int) -> None:
    with sqlagent.connect(path, embedding_model="none") as con:
        con.execute(
            "INSERT INTO memories (agent_id, content, importance, created_at) "
            f"SELECT 'ada', '旧事 ' || i, 0.05, '2020-01-01' FROM range({count}) t(i)"
        )


def test_two_processes_that_forget_at_once_forget_each_once(fresh_db: Path) -> None:
    aged(fresh_db, 2000)
    argv = [sys.executable, "-c", FORGET, str(fresh_db)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(argv, **pipes) for _ in range(2)]
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    found = []
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        found.append(int(process.communicate(timeout=60)[0]))
    assert sorted(found) == [0, 2000]
    with sqlagent.connect(fresh_db, embedding_model="none") as con:
        assert con.execute("SELECT count(*) FROM sqlagent_operations").fetchone() == (1,)
        assert con.execute("SELECT unforget('ada')").fetchone() == (2000,)


PREPARE = [
    "INSERT INTO memories (agent_id, content, importance, tier, created_at) SELECT 'ada', "
    "'旧事 ' || i, 0.05, CASE WHEN i % 2 = 0 THEN 'short_term' ELSE 'long_term' END, '2020-01-01' "
    "FROM range(30) t(i)",
    "INSERT INTO memories (agent_id, content, importance, created_at) "
    "VALUES ('bob', 'gone before', 0.05, '2020-01-01')",
    "SELECT forget('bob')",
    "INSERT INTO sessions (session_id, agent_id) VALUES ('s1', 'eve')",
    # Of old, since the strength of what was said just now is another a moment later.
    "INSERT INTO memories (agent_id, content, importance, tier, session_id, created_at) "
    "SELECT 'eve', 'said ' || i, i / 10.0, 'working', 's1', '2020-01-01' FROM range(10) t(i)",
]
OPERATIONS = {
    "forget": "SELECT forget('ada')",
    "unforget": "SELECT unforget('bob')",
    "policies": "SELECT apply_policies('ada')",
    "session": "SELECT end_session('s1')",
    "reinforce": "SELECT reinforce(memory_id, grade => 1, at => '2026-01-01') FROM memories",
    "pin": "SELECT pin(1)",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prepared") / "agent.db"
    con = sqlagent.connect(path, embedding_model="none")
    for statement in PREPARE:
        con.execute(statement)
    con.close()
    return path


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_whole_or_not_there(name: str, prepared: Path, tmp_path: Path) -> None:
    assert survey(prepared, [OPERATIONS[name]], tmp_path, step=7) > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_with_every_fault(name: str, kind: str, prepared: Path, tmp_path: Path) -> None:
    points = survey(prepared, [OPERATIONS[name]], tmp_path, kinds=[kind])
    print(f"{name}, {kind}: {points} points")
    assert points > 2


def test_a_file_of_before_has_its_memories_as_strong_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = apsw.Connection(str(path))
    for m in migrate.known():
        if m.version < 7:
            old.execute(migrate.TABLE)
            old.execute(m.sql).fetchall()
            values = (m.version, m.name, m.checksum)
            old.execute(
                "INSERT INTO sqlagent_migrations (version, name, checksum) VALUES (?, ?, ?)", values
            )
    old.execute(
        "INSERT INTO memories (agent_id, content, access_count, last_access_at, created_at) VALUES "
        "('ada', '旧', 5, '2026-01-01', '2025-01-01'), ('ada', 'b', 0, NULL, '2025-01-01')"
    )
    before = old.execute("SELECT strength FROM memory_strength").fetchall()
    old.close()
    with sqlagent.connect(path, embedding_model="none") as con:
        after = con.execute("SELECT strength FROM memory_strength").fetchall()
        assert [a for (a,) in after] == pytest.approx([b for (b,) in before], abs=1e-6)
        columns = "SELECT DISTINCT difficulty, massed, lapsed_at FROM memories"
        assert con.execute(columns).fetchall() == [(2.1181, 0.0, None)]


def test_a_condition_may_use_a_column_of_the_users_own(
    words: sqlagent.Connection, shell: Callable[[object, str], str]
) -> None:
    path = words.database.path
    words.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', '好'), ('ada', 'b')")
    words.execute("DELETE FROM memory_policies")
    words.execute(
        "INSERT INTO memory_policies (name, event, action, condition) "
        "VALUES ('sad', 'maintenance', 'archive', 'mood = ''sad''')"
    )
    for _ in range(2):
        with pytest.raises(sqlagent.ProgrammingError, match='unknown column "mood"'):
            words.execute("SELECT apply_policies('ada')")
    shell(path, "ALTER TABLE memories ADD COLUMN mood TEXT;")
    words.execute("UPDATE memories SET mood = 'sad' WHERE content = 'b'")
    assert words.execute("SELECT apply_policies('ada', dry_run => true)").fetchone() == (1,)
    shell(path, "ALTER TABLE memories RENAME COLUMN mood TO temper;")
    with pytest.raises(sqlagent.ProgrammingError, match='unknown column "mood"'):
        words.execute("SELECT apply_policies('ada')")
    assert left(words, "true") == ["好", "b"]
