"""Versions of long states: in little space, each as it was saved, whoever wrote it."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent import migrate
from sqlagent.states import compact, read, store
from sqlagent.states.cut import PART_MAX, PART_MIN, Kept, cut, matching
from sqlagent.states.remove import remove

Shell = Callable[[object, str], str]
LETTERS = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
LOOSE = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def one(con: sqlagent.Connection, sql: str, *values: Any) -> Any:
    row = con.execute(sql, values).fetchone()
    return None if row is None else row[0]


def save(con: sqlagent.Connection, agent: str, value: Any, **more: Any) -> int:
    text = json.dumps(value, ensure_ascii=False, **more)
    return int(one(con, "SELECT save_state(?, ?)", agent, text))


def large(rng: random.Random, keys: int = 120, size: int = 300) -> dict[str, str]:
    return {f"key{n}": "".join(rng.choices(LETTERS, k=size)) for n in range(keys)}


# Cutting and matching -----------------------------------------------------------------------------

PIECES = st.lists(
    st.sampled_from(
        [
            "a" * 450 + ",",
            "b" * 500 + ",",
            "中文" * 100,
            "x,",
            "é" * 300,
            "q" * 5000,
            "😀" * 150,
            "{",
        ]
    ),
    max_size=12,
)


@given(PIECES, PIECES)
@settings(max_examples=400, deadline=None)
def test_what_is_kept_and_what_is_new_make_the_new_text(old: list[str], new: list[str]) -> None:
    before, after = "".join(old).encode(), "".join(new).encode()
    parts = cut(before)
    assert b"".join(parts) == before
    for part in parts:
        assert part.decode() and len(part) <= PART_MAX
    assert all(len(part) >= PART_MIN for part in parts[:-1])
    sizes = list(map(len, parts))
    starts = [0, *accumulate(sizes)]
    made = b""
    for piece in matching(before, sizes, after):
        if isinstance(piece, Kept):
            assert piece.first < piece.last
            made += before[starts[piece.first] : starts[piece.last]]
        else:
            assert piece.start < piece.end and after[piece.start : piece.end].decode()
            made += after[piece.start : piece.end]
    assert made == after


def test_a_changed_value_is_one_part() -> None:
    rng = random.Random(1)
    state = {f"key{n}": "".join(rng.choices(LETTERS, k=1000)) for n in range(200)}
    old = json.dumps(state).encode()
    for change in (
        {"key77": "z" * 1000},
        {"key0": "short"},
        {"key199": "y" * 2000},
        {"more": "x" * 900},
    ):
        new = json.dumps({**state, **change}).encode()
        parts = cut(old)
        fresh = [p for p in matching(old, list(map(len, parts)), new) if not isinstance(p, Kept)]
        assert len(fresh) <= 2 and sum(p.end - p.start for p in fresh) < 3300, change


def test_what_moved_is_found_again() -> None:
    rng = random.Random(2)
    elements = ["".join(rng.choices(LETTERS, k=700)) for _ in range(60)]
    old = json.dumps(elements).encode()
    sizes = list(map(len, cut(old)))
    for new in (elements[5:], ["new" * 100, *elements], [*elements[:30], *elements[40:]]):
        text = json.dumps(new).encode()
        fresh = sum(p.end - p.start for p in matching(old, sizes, text) if not isinstance(p, Kept))
        assert fresh < 4000


# Versions -----------------------------------------------------------------------------------------

VALUES = st.sampled_from(
    ["", "x", "a" * 900, "汉" * 400, "😀é" * 200, 1, None, True, 1.5, [1, 2], {"n": {}}]
)
EDITS = st.lists(
    st.tuples(st.sampled_from(["set", "drop", "first", "all"]), st.integers(0, 40), VALUES),
    min_size=1, max_size=8,
)  # fmt: skip


@given(EDITS, st.booleans())
@LOOSE
def test_every_version_comes_back_to_the_byte(
    words: sqlagent.Connection, edits: list[tuple[str, int, Any]], ascii: bool
) -> None:
    words.execute("BEGIN")
    try:
        state: dict[str, Any] = {f"k{n}": f"值{n} " * 60 for n in range(40)}
        saved = []
        for what, n, value in edits:
            if what == "set":
                state[f"k{n}"] = value
            elif what == "drop":
                state.pop(f"k{n}", None)
            elif what == "first":
                state = {f"new{n}": value, **state}
            else:
                state = {"all": value}
            text = json.dumps(state, ensure_ascii=ascii)
            words.execute("SELECT save_state('eddie', ?)", (text,))
            saved.append(text)
        found = (
            "SELECT data, checksum FROM state_versions WHERE agent_id = 'eddie' ORDER BY version"
        )
        sums = [hashlib.sha256(text.encode()).hexdigest() for text in saved]
        assert words.execute(found).fetchall() == list(zip(saved, sums, strict=True))
        history = words.execute("SELECT data FROM state_history('eddie')").fetchall()
        assert [data for (data,) in history] == saved
        assert one(words, "SELECT data FROM states WHERE agent_id = 'eddie'") == saved[-1]
    finally:
        words.execute("ROLLBACK")


def test_versions_take_little_space(words: sqlagent.Connection) -> None:
    rng = random.Random(4)
    state = large(rng, 300, 1000)
    for _ in range(200):
        state[f"key{rng.randrange(300)}"] = "".join(rng.choices(LETTERS, k=1000))
        save(words, "ada", state)
    words.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    size = Path(words.database.path).stat().st_size
    assert size < 2_000_000 + 200 * 4096
    parts, texts = words.execute(
        "SELECT count(*), sum(length(text)) FROM sqlagent_state_parts"
    ).fetchone()
    assert parts <= 510 and texts < 540_000
    assert json.loads(one(words, "SELECT data FROM states")) == state


def test_a_growing_list_makes_no_short_parts(words: sqlagent.Connection) -> None:
    turns: list[dict[str, Any]] = []
    for n in range(300):
        turns.append({"turn": n, "text": f"第{n}句 " * 5})
        save(words, "ada", turns)
    assert json.loads(one(words, "SELECT data FROM states")) == turns
    kept = one(words, "SELECT blocks FROM sqlagent_state_versions ORDER BY version DESC LIMIT 1")
    counts = words.execute(
        "SELECT json_array_length(parts) FROM sqlagent_state_blocks"
        " WHERE block_id IN (SELECT value FROM json_each(?))", (kept,),
    ).fetchall()  # fmt: skip
    assert (
        sum(n for (n,) in counts) <= len(json.dumps(turns, ensure_ascii=False).encode()) // 400 + 1
    )


def test_plain_sqlite_reads_every_version(words: sqlagent.Connection, shell: Shell) -> None:
    rng = random.Random(5)
    state: dict[str, Any] = large(rng) | {"名": "值" * 500}
    sums = []
    for n in range(12):
        state[f"key{n * 9}"] = f"新{n}" * 100
        save(words, "ada", state)
        sums.append(hashlib.sha256(json.dumps(state, ensure_ascii=False).encode()).hexdigest())
    path = words.database.path
    assert shell(path, "SELECT group_concat(checksum) FROM state_versions;") == ",".join(sums)
    for version, wanted in enumerate(sums, 1):
        text = shell(path, f"SELECT data FROM state_versions WHERE version = {version};")
        assert hashlib.sha256(text.encode()).hexdigest() == wanted
    assert shell(path, "SELECT count(*) || max(version) FROM state_versions;") == "1212"
    plan = shell(path, "EXPLAIN QUERY PLAN SELECT count(*), max(version) FROM state_versions;")
    assert "parts" not in plan and "blocks" not in plan


@pytest.mark.parametrize("route", ["auto", "sqlite", "duckdb"])
def test_the_view_on_every_route(words: sqlagent.Connection, route: str) -> None:
    rng = random.Random(6)
    state = large(rng)
    texts = []
    for n in range(6):
        state[f"key{n}"] = f"中{n}"
        save(words, "ada", state)
        texts.append(json.dumps(state, ensure_ascii=False))
        if n == 2:
            words.execute(f"SET route = '{route}'")
            words.execute("SELECT max(length(data)) FROM state_versions").fetchall()
    found = words.execute("SELECT version, data FROM state_versions ORDER BY version").fetchall()
    assert found == list(enumerate(texts, 1))
    sql = "SELECT v.data->>'$.key3' FROM state_versions v JOIN states s USING (agent_id, version)"
    assert words.execute(sql).fetchall() == [("中3",)]
    assert words.execute("SELECT count(*), max(version) FROM state_versions").fetchall() == [(6, 6)]
    for sql in (
        "UPDATE state_versions SET data = '{}'",
        "DELETE FROM state_versions",
        "INSERT INTO state_versions (agent_id, version, data) VALUES ('x', 1, '1')",
    ):
        with pytest.raises(sqlagent.IntegrityError, match="state_versions is read-only"):
            words.execute(sql)


def test_duckdb_alone_can_read_it_too(words: sqlagent.Connection) -> None:
    state = large(random.Random(7))
    save(words, "ada", state)
    save(words, "ada", {"short": 1})
    words.execute("CREATE VIEW mine AS SELECT version, data FROM state_versions")
    sql = "SELECT list(data ORDER BY version) FROM mine"
    assert list(map(json.loads, one(words, sql))) == [state, {"short": 1}]


def test_long_and_short_in_turns(words: sqlagent.Connection) -> None:
    rng = random.Random(8)
    saved: list[Any] = []
    for n in range(12):
        saved.append({"n": n} if n % 3 == 2 else large(rng) if n % 3 else {"list": ["x" * 900] * 9})
        assert save(words, "ada", saved[-1]) == n + 1
    found = words.execute("SELECT data FROM state_history('ada')").fetchall()
    assert [json.loads(data) for (data,) in found] == saved


# Times --------------------------------------------------------------------------------------------


def test_state_at_among_many_versions_and_gaps(words: sqlagent.Connection) -> None:
    first = "INSERT INTO states (data, created_at, agent_id) VALUES (?, ?, 'ada')"
    for n in range(60):
        sql = "UPDATE states SET data = ?, created_at = ?" if n else first
        words.execute(sql, (str(n), f"2026-01-01 00:{n:02}:00"))
    with words.database.read() as handle:
        handle.execute("PRAGMA query_only = OFF")
        handle.execute("INSERT INTO sqlagent_meta VALUES ('erasing', '1')")
        handle.execute("DELETE FROM state_versions WHERE version BETWEEN 20 AND 29")
        handle.execute("DELETE FROM sqlagent_meta WHERE name = 'erasing'")
        handle.execute("PRAGMA query_only = ON")
    for n in range(60):
        wanted = 18 if 19 <= n <= 28 else n
        for seconds in ("00", "30"):
            at = f"2026-01-01 00:{n:02}:{seconds}"
            assert one(words, "SELECT data FROM state_at('ada', ?)", at) == str(wanted)
    assert one(words, "SELECT data FROM state_at('ada', '2025-12-31')") is None


@given(st.lists(st.integers(1, 28), min_size=1, max_size=12), st.integers(1, 28))
@LOOSE
def test_state_at_where_times_go_back(
    words: sqlagent.Connection, days: list[int], when: int
) -> None:
    words.execute("BEGIN")
    try:
        for n, day in enumerate(days):
            at = f"2026-01-{day:02}"
            if n == 0:
                words.execute(
                    "INSERT INTO states (agent_id, data, created_at) VALUES ('bea', '0', ?)", (at,)
                )
            else:
                words.execute(
                    "UPDATE states SET data = ?, created_at = ? WHERE agent_id = 'bea'",
                    (str(n), at),
                )
        wanted = max((n for n, day in enumerate(days) if day <= when), default=None)
        got = one(words, "SELECT data FROM state_at('bea', ?)", f"2026-01-{when:02}")
        # A time that is given again is not told from one that is left out: it is now, then.
        if all(a != b for a, b in pairwise(days)):
            assert got == (None if wanted is None else str(wanted))
    finally:
        words.execute("ROLLBACK")


# Other clients ------------------------------------------------------------------------------------


def test_what_another_client_wrote_whole_is_cut(
    words: sqlagent.Connection, shell: Shell, problems: Callable[..., Any]
) -> None:
    rng = random.Random(9)
    state = large(rng)
    path = words.database.path
    texts = []
    for n in range(9):
        state[f"key{n}"] = "y" * 300
        texts.append(json.dumps(state))
        if n == 0:
            shell(path, f"INSERT INTO states (agent_id, data) VALUES ('ada', '{texts[-1]}');")
        else:
            shell(path, f"UPDATE states SET data = '{texts[-1]}' WHERE agent_id = 'ada';")
    whole = "SELECT count(*) FROM sqlagent_state_versions WHERE blocks IS NULL"
    assert one(words, whole) == 9
    found = "SELECT data FROM state_versions ORDER BY version"
    assert [d for (d,) in words.execute(found).fetchall()] == texts
    assert [r[1] for r in words.execute("CALL sync()").fetchall() if r[0] == "states"] == [9]
    assert one(words, whole) == 0
    assert [d for (d,) in words.execute(found).fetchall()] == texts
    assert one(words, "SELECT sum(length(text)) FROM sqlagent_state_parts") < 2 * len(texts[0])
    assert [r[1] for r in words.execute("CALL sync()").fetchall() if r[0] == "states"] == [0]
    # The next of ours cuts the one before it, and shares its parts.
    shell(path, f"UPDATE states SET data = '{texts[0]}' WHERE agent_id = 'ada';")
    before = one(words, "SELECT count(*) FROM sqlagent_state_parts")
    state["key99"] = "n" * 300
    save(words, "ada", state)
    assert one(words, whole) == 0
    assert one(words, "SELECT count(*) FROM sqlagent_state_parts") <= before + 25
    assert one(words, "SELECT data FROM state_versions WHERE version = 10") == texts[0]
    assert problems(words) == []


def test_a_replaced_and_a_deleted_row_go_on(words: sqlagent.Connection, shell: Shell) -> None:
    state = large(random.Random(10))
    save(words, "ada", state)
    path = words.database.path
    shell(path, "DELETE FROM states WHERE agent_id = 'ada';")
    assert save(words, "ada", {**state, "n": 1}) == 2
    shell(path, "REPLACE INTO states (agent_id, data) VALUES ('ada', '[3]');")
    assert save(words, "ada", {**state, "n": 4}) == 4
    shell(path, "UPDATE states SET agent_id = 'bob' WHERE agent_id = 'ada';")
    assert save(words, "bob", {**state, "n": 5}) == 2
    assert save(words, "ada", {**state, "n": 6}) == 5
    found = words.execute("SELECT data FROM state_history('ada')").fetchall()
    assert [json.loads(d) if d == "[3]" else json.loads(d).get("n") for (d,) in found] == [
        None, 1, [3], 4, 6,
    ]  # fmt: skip


def test_a_file_of_a_former_version(fresh_db: Path, problems: Callable[..., Any]) -> None:
    state = large(random.Random(11))
    raw = apsw.Connection(str(fresh_db))
    raw.execute("PRAGMA journal_mode = WAL").fetchall()
    for migration in migrate.known():
        if migration.version < 11:
            migrate.run(raw, migration)
    raw.execute("INSERT INTO states (agent_id, data) VALUES ('ada', ?)", (json.dumps(state),))
    raw.execute("UPDATE states SET data = ?", (json.dumps({**state, "n": 2}),))
    raw.execute("UPDATE states SET data = '{}', created_at = '2020-01-01'")
    raw.execute("CREATE VIEW mine AS SELECT version, length(data) AS n FROM state_versions")
    raw.execute("INSERT INTO snapshots (agent_id, name) VALUES ('ada', 'old')")
    raw.execute("INSERT INTO snapshot_versions SELECT 1, version_id FROM state_versions LIMIT 1")
    before = raw.execute("SELECT * FROM state_versions").fetchall()
    raw.close()
    con = sqlagent.connect(fresh_db)
    with con.database.read() as handle:
        assert handle.execute("SELECT * FROM state_versions").fetchall() == before
    assert con.execute("SELECT version FROM mine ORDER BY n DESC").fetchall() == [(2,), (1,), (3,)]
    assert one(con, "SELECT data FROM state_at('ada', '2020-06-01')") == "{}"
    assert one(con, "SELECT restore('ada', 'old')") == 1
    assert json.loads(one(con, "SELECT data FROM states")) == state
    con.execute("CALL sync()").fetchall()
    assert one(con, "SELECT count(*) FROM sqlagent_state_versions WHERE blocks IS NOT NULL") == 3
    assert [json.loads(d) for (d,) in con.execute("SELECT data FROM state_history('ada')")] == [
        state, {**state, "n": 2}, {}, state,
    ]  # fmt: skip
    assert problems(con) == []
    con.close()


# Damage -------------------------------------------------------------------------------------------


@pytest.fixture
def damaged(words: sqlagent.Connection) -> Iterator[sqlagent.Connection]:
    """Three versions of a state, of which the second has a part with another letter."""
    state = large(random.Random(12))
    for n in (1, 2, 3):
        save(words, "ada", {**state, "n": f"{n}" * 900})
    raw = words.database.open()
    raw.execute("PRAGMA query_only = OFF")
    raw.execute("UPDATE sqlagent_state_parts SET text = replace(text, '22222', '22322')")
    raw.close()
    yield words


def test_a_damaged_version_is_named_and_harms_no_other(damaged: sqlagent.Connection) -> None:
    said = "version 2 of the state context of agent ada is damaged"
    with pytest.raises(sqlagent.InternalError, match=said) as caught:
        damaged.execute("SELECT data FROM state_history('ada')").fetchall()
    assert caught.value.sqlstate == "XX001" and "check()" in (caught.value.hint or "")
    with pytest.raises(sqlagent.InternalError, match=said):
        damaged.execute("SELECT * FROM state_diff('ada', 1, 2)").fetchall()
    assert len(damaged.execute("SELECT version FROM state_history('ada')").fetchall()) == 3
    for number in (1, 3):
        with damaged.database.read() as handle:
            version = read.numbered(handle, read.Key("ada", "context", None), number)
            assert version is not None and read.text(handle, version)
    wrong = [r for r in damaged.execute("CALL check()").fetchall() if not r[1]]
    assert [r[0] for r in wrong] == ["versions of states that are damaged"]
    assert wrong[0][2] == "version 2 of state context of agent ada"


def test_nothing_is_built_on_a_damaged_version(
    words: sqlagent.Connection, problems: Callable[..., Any]
) -> None:
    state = large(random.Random(13))
    save(words, "ada", state)
    words.execute("SELECT snapshot('ada', 'good')")
    raw = words.database.open()
    raw.execute("PRAGMA query_only = OFF")
    raw.execute("DELETE FROM sqlagent_state_parts WHERE part_id = 3")
    raw.close()
    for sql in ("SELECT restore('ada', 'good')", "SELECT fork('ada', 'eve')"):
        with pytest.raises(sqlagent.InternalError, match="version 1 of the state context"):
            words.execute(sql)
    assert one(words, "SELECT count(*) FROM state_versions") == 1
    assert one(words, "SELECT count(*) FROM agents") == 1


# Removing -----------------------------------------------------------------------------------------


def test_an_agents_states_are_removed_with_the_parts_of_nobody_else(
    words: sqlagent.Connection, problems: Callable[..., Any]
) -> None:
    rng = random.Random(14)
    state = large(rng)
    for n in range(4):
        save(words, "ada", {**state, "n": f"{n}" * 700})
    words.execute("SELECT snapshot('ada', 'good')")
    words.execute("SELECT fork('ada', 'eve')")
    save(words, "eve", {**state, "e": "e" * 700})
    words.execute("SELECT fork('eve', 'young')")
    save(words, "other", large(rng))
    write = words.database.write
    tables = "parts blocks versions links shares"

    def left() -> list[int]:
        return [one(words, f"SELECT count(*) FROM sqlagent_state_{t}") for t in tables.split()]

    before = left()
    assert write(lambda handle: remove(handle, "ada")) == 4
    assert left()[0] == before[0] - 3 and problems(words) == []  # what was 0, 1 and 2 is gone
    assert json.loads(one(words, "SELECT data FROM states WHERE agent_id = 'young'"))["e"][0] == "e"
    history = words.execute("SELECT data FROM state_history('eve')").fetchall()
    assert [sorted(json.loads(d))[0] for (d,) in history] == ["key0", "e"]
    for agent in ("eve", "young", "other"):
        write(lambda handle, agent=agent: remove(handle, agent))
        assert problems(words) == []
    assert left() == [0, 0, 0, 0, 0]
    assert (
        one(words, "SELECT count(*) FROM states")
        == one(words, "SELECT count(*) FROM snapshots")
        == 0
    )
    assert one(words, "SELECT count(*) FROM sqlagent_meta WHERE name IN ('erasing', 'saving')") == 0


def test_erase_leaves_nothing_of_an_agents_states(words: sqlagent.Connection) -> None:
    state = large(random.Random(15)) | {"secret": "xyzzyplugh" * 200}
    save(words, "ada", state)
    save(words, "ada", {**state, "n": 1})
    words.execute("SELECT fork('ada', 'eve')")
    save(words, "eve", large(random.Random(16)))
    words.execute("SELECT erase(agent_id => 'ada')")
    words.execute("SELECT erase(agent_id => 'eve')")
    assert one(words, "SELECT count(*) FROM sqlagent_state_parts") == 0
    for path in Path(words.database.path).parent.rglob("*"):
        assert path.is_dir() or b"xyzzyplugh" not in path.read_bytes(), path


# Many writers, and crashes ------------------------------------------------------------------------

COUNTER = """
import json, sys
import sqlagent
con = sqlagent.connect(sys.argv[1])
done = 0
while done < int(sys.argv[2]):
    version, data = con.execute("SELECT version, data FROM states").fetchone()
    state = json.loads(data)
    state["n"] += 1
    state["by"] = sys.argv[3] * 500
    try:
        con.execute("SELECT save_state('ada', ?, if_version => ?)", (json.dumps(state), version))
        done += 1
    except sqlagent.IntegrityError as error:
        assert "the newest version is" in str(error)
"""


def test_two_processes_count_by_if_version(
    words: sqlagent.Connection, child: Callable[..., subprocess.Popen[str]]
) -> None:
    save(words, "ada", {"n": 0, "text": "x" * 9000})
    processes = [child(COUNTER, words.database.path, 15, name) for name in "ab"]
    for process in processes:
        assert process.wait(50) == 0, process.stderr and process.stderr.read()
    assert json.loads(one(words, "SELECT data FROM states"))["n"] == 30
    found = words.execute("SELECT version, data FROM state_history('ada')").fetchall()
    assert [(v, json.loads(d)["n"]) for v, d in found] == [(n + 1, n) for n in range(31)]


SAVER = """
import json, os, random, sys
import sqlagent
con = sqlagent.connect(sys.argv[1], embedding_model='none')
rng = random.Random(int(sys.argv[2]))
rows = con.execute("SELECT data FROM states WHERE agent_id = 'ada'").fetchone()
state = json.loads(rows[0])
os.write(1, b'ready\\n')
while True:
    state[f'key{rng.randrange(120)}'] = ''.join(rng.choices('abc汉', k=rng.choice([5, 300, 900])))
    text = json.dumps(state, ensure_ascii=False)
    if rng.random() < 0.3:
        con.execute("UPDATE states SET data = ? WHERE agent_id = 'ada'", (text,))
        version = con.execute("SELECT version FROM states WHERE agent_id = 'ada'").fetchone()[0]
    else:
        version = con.execute("SELECT save_state('ada', ?)", (text,)).fetchone()[0]
    import hashlib
    os.write(1, f'{version} {hashlib.sha256(text.encode()).hexdigest()}\\n'.encode())
    if rng.random() < 0.3:
        con.execute('CALL sync()').fetchall()
"""


@pytest.mark.parametrize("kills", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_kill_minus_nine_loses_no_version(
    fresh_db: Path,
    kills: int,
    child: Callable[..., subprocess.Popen[str]],
    problems: Callable[..., Any],
) -> None:
    rng = random.Random(17)
    con = sqlagent.connect(fresh_db, embedding_model="none")
    save(con, "ada", large(rng))
    con.close()
    told: dict[int, str] = {}
    for run in range(kills):
        process = child(SAVER, fresh_db, run)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for _ in range(rng.randrange(1, 25)):
            line = process.stdout.readline().split()
            told[int(line[0])] = line[1]
        process.kill()
        for line in process.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                told[int(line.split()[0])] = line.split()[1]
        con = sqlagent.connect(fresh_db, embedding_model="none")
        found = dict(con.execute("SELECT version, data FROM state_history('ada')").fetchall())
        sums = {v: hashlib.sha256(d.encode()).hexdigest() for v, d in found.items()}
        assert {v: s for v, s in told.items() if sums.get(v) != s} == {}
        assert sorted(found) == list(range(1, max(found) + 1))
        assert one(con, "SELECT version FROM states") == max(found)
        assert problems(con) == []
        con.close()


def test_cutting_goes_on_where_it_stopped(words: sqlagent.Connection) -> None:
    state = large(random.Random(18), 20)
    for n in range(compact.BATCH + 5):
        words.execute("INSERT INTO states (agent_id, data) VALUES (?, ?)",
                      (f"a{n}", json.dumps({**state, "n": n})))  # fmt: skip
    first = words.database.write(compact.cut_pending)
    assert first.cut == compact.BATCH and first.after
    assert words.database.write(lambda h: compact.cut_pending(h, first.after)) == (5, None)
    assert one(words, "SELECT count(*) FROM sqlagent_state_versions WHERE blocks IS NULL") == 0


def test_a_save_that_fails_leaves_nothing(words: sqlagent.Connection) -> None:
    state = json.dumps(large(random.Random(19)))
    with pytest.raises(sqlagent.IntegrityError, match="state_type"):
        words.execute("SELECT save_state('ada', ?, state_type => 'dream')", (state,))
    words.execute("BEGIN")
    with pytest.raises(sqlagent.IntegrityError, match="state_type"):
        words.execute("SELECT save_state('ada', ?, state_type => 'dream')", (state,))
    words.execute("COMMIT")
    for table in ("states", "sqlagent_state_versions", "sqlagent_state_parts", "agents"):
        assert one(words, f"SELECT count(*) FROM {table}") == 0
    assert one(words, "SELECT count(*) FROM sqlagent_meta WHERE name = 'saving'") == 0
    assert store.WHOLE_MAX == 4096  # as in the index of the migration
