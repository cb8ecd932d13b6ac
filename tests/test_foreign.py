"""Any client may write the file: Debian's sqlite3 (3.40) and Python's, always in another process.

What they insert, replace, update and delete is recalled, searched and counted by our next one.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sqlagent

Shell = Callable[[object, str], str]
SETTINGS = ["", "PRAGMA foreign_keys = ON;", "PRAGMA recursive_triggers = ON;"]


def contents(con: sqlagent.Connection, agent: str, query: str, k: int = 10) -> list[str]:
    sql = "SELECT content FROM recall(?, ?, k => ?)"
    return [text for (text,) in con.execute(sql, (agent, query, k))]


def one(con: sqlagent.Connection, sql: str, *values: Any) -> Any:
    row = con.execute(sql, values).fetchone()
    return None if row is None else row[0]


@pytest.fixture
def sound(
    words: sqlagent.Connection, shell: Shell, problems: Callable[..., Any]
) -> Iterator[sqlagent.Connection]:
    """A connection whose file must be whole, by us and by 3.40, at the end of the test."""
    words.execute("SELECT remember('ada', 'something to be counted')")
    words.execute("SELECT agent_id, count(*) FROM memories GROUP BY agent_id").fetchall()
    words.execute("SELECT * FROM recall('ada', 'counted')").fetchall()
    yield words
    path = words.database.path
    assert shell(path, "PRAGMA integrity_check;") == "ok"
    for table in ("memories_fts", "chunks_fts"):
        shell(path, f"INSERT INTO {table} ({table}) VALUES ('integrity-check');")
    assert problems(words) == []
    for table in ("memories", "documents", "chunks", "vectors", "states"):
        count = f"SELECT count(*) FROM {table}"
        truth = int(shell(path, count))
        assert words.execute(count).fetchone() == (truth,), table
        assert words.execute(f"SELECT sum(1) FROM {table}").fetchone() == (truth or None,), table


def test_memories_and_documents_in_two_languages(con: sqlagent.Connection, shell: Shell) -> None:
    path = con.database.path
    first = one(con, "SELECT remember('ada', 'The boiler was repaired by Mr Quimby')")
    gone = one(con, "SELECT remember('ada', 'Her umbrella is violet')")
    changed = one(con, "SELECT remember('ada', 'The courier arrives on Tuesday')")
    assert contents(con, "ada", "Quimby boiler")[0] == "The boiler was repaired by Mr Quimby"
    shell(path, f"""
        INSERT INTO memories (agent_id, content)
          VALUES ('ada', 'The zeppelin ticket costs ninety euros');
        INSERT INTO memories (agent_id, content) VALUES ('ada', '客户王芳喜欢喝龙井茶');
        INSERT INTO memories (agent_id, content, importance, kind)
          VALUES ('bob', 'Bob plays the marimba', 0.9, 'semantic');
        INSERT OR REPLACE INTO memories (memory_id, agent_id, content)
          VALUES ({first}, 'ada', 'The furnace was replaced by Ms Okonkwo');
        UPDATE memories SET content = 'The courier arrives on Friday' WHERE memory_id = {changed};
        DELETE FROM memories WHERE memory_id = {gone};
        INSERT INTO documents (uri, title, content, collection) VALUES ('foreign/en.md', 'Ferry',
          'The night ferry to Skagen leaves at eleven. Bring a passport.', 'papers');
        INSERT INTO documents (uri, title, content, collection) VALUES ('foreign/zh.md', '茶园',
          '杭州的茶园在春天开放。游客可以参加采茶活动。', 'papers');
    """)  # fmt: skip
    assert "The zeppelin ticket costs ninety euros" in contents(con, "ada", "zeppelin ticket", 3)
    assert contents(con, "ada", "龙井茶", 3)[0] == "客户王芳喜欢喝龙井茶"
    assert contents(con, "ada", "Okonkwo furnace", 1) == ["The furnace was replaced by Ms Okonkwo"]
    every = " ".join(contents(con, "ada", "Quimby boiler umbrella violet Tuesday", 50))
    assert not any(w in every for w in ("Quimby", "umbrella", "Tuesday"))
    lexical = con.execute("SELECT lexical FROM recall('ada', 'Quimby', k => 50)").fetchall()
    assert not any(score for (score,) in lexical)
    assert "The courier arrives on Friday" in contents(con, "ada", "courier Friday", 3)
    assert "Bob plays the marimba" not in contents(con, "ada", "marimba", 50)
    con.execute("CALL sync()").fetchall()
    assert "The zeppelin ticket costs ninety euros" in contents(
        con, "ada", "how much is the airship fare", 2
    )
    find = "SELECT content, uri FROM search(?, k => 1, collection => 'papers')"
    assert (
        con.execute(find, ("when does the boat to Skagen leave",)).fetchone()[1] == "foreign/en.md"
    )
    assert con.execute(find, ("采茶",)).fetchone()[1] == "foreign/zh.md"
    groups = con.execute("SELECT agent_id, count(*) FROM memories GROUP BY agent_id").fetchall()
    assert sorted(groups) == [("ada", 4), ("bob", 1)]


def test_many_rows_and_deletes_and_a_vacuum(
    sound: sqlagent.Connection, shell: Shell, elsewhere: Callable[..., str]
) -> None:
    path = sound.database.path
    elsewhere(
        "import sqlite3, sys\n"
        "con = sqlite3.connect(sys.argv[1])\n"
        "con.executemany(\"INSERT INTO memories (agent_id, content) VALUES ('bulk', ?)\","
        " [(f'bulk note {i}',) for i in range(3000)])\n"
        "con.commit()",
        path,
    )
    count = "SELECT count(*) FROM memories WHERE agent_id = 'bulk'"
    assert one(sound, count) == 3000
    assert len(contents(sound, "bulk", "note", 9999)) == 3000
    shell(path, "DELETE FROM memories WHERE agent_id = 'bulk' AND memory_id % 2 = 0; VACUUM;")
    assert one(sound, count) == 1500
    assert len(contents(sound, "bulk", "note", 9999)) == 1500


@pytest.mark.parametrize("pragma", SETTINGS)
def test_replace_a_memory(sound: sqlagent.Connection, shell: Shell, pragma: str) -> None:
    path = sound.database.path
    old = one(sound, "SELECT remember('ada', 'The gate is red', embedding => ?)", [1.0, 0.0, 0.0])
    shell(path, f"""{pragma}
        INSERT OR REPLACE INTO memories (memory_id, agent_id, content)
          VALUES ({old}, 'bob', '门是蓝色的');
        REPLACE INTO memories (memory_id, agent_id, content)
          VALUES ({old}, 'bob', 'The gate is blue');
    """)  # fmt: skip
    assert contents(sound, "ada", "gate") == []
    assert contents(sound, "bob", "gate") == ["The gate is blue"]
    assert one(sound, "SELECT count(*) FROM memory_vectors") == 0


@pytest.mark.parametrize("pragma", SETTINGS)
def test_replace_a_state(sound: sqlagent.Connection, shell: Shell, pragma: str) -> None:
    path = sound.database.path
    sound.execute("""SELECT save_state('ada', '{"n": 1}')""")
    shell(
        path,
        f"""{pragma}
        INSERT OR REPLACE INTO states (agent_id, data) VALUES ('ada', '{{"n": 2}}');
        UPDATE states SET data = '{{"n": 3}}' WHERE agent_id = 'ada';
        INSERT INTO states (agent_id, data, state_type) VALUES ('eve', '{{"n": 1}}', 'task_state');
    """,
    )
    newest = "SELECT version, data->>'$.n' FROM states WHERE agent_id = 'ada'"
    assert sound.execute(newest).fetchall() == [(3, "3")]
    assert one(sound, """SELECT save_state('ada', '{"n": 4}')""") == 4
    history = "SELECT version, parent_version, data FROM state_history('ada')"
    assert sound.execute(history).fetchall() == [
        (n, n - 1 or None, f'{{"n": {n}}}') for n in range(1, 5)
    ]
    assert one(sound, "SELECT version FROM state_history('eve')") == 1
    assert one(sound, "SELECT count(*) FROM agents WHERE agent_id = 'eve'") == 1


@pytest.mark.parametrize("pragma", SETTINGS)
def test_a_states_own_times_versions_and_types(
    sound: sqlagent.Connection, shell: Shell, refused: Shell, pragma: str
) -> None:
    path = sound.database.path
    shell(path, f"""{pragma}
        INSERT INTO states (agent_id, data, created_at)
          VALUES ('ada', '{{}}', '2026-01-01T00:00:00Z');
        INSERT INTO states (agent_id, data, version) VALUES ('bob', '{{}}', 9);
        DELETE FROM states WHERE agent_id = 'bob';
        INSERT INTO states (agent_id, data) VALUES ('bob', '[1]');
        INSERT OR REPLACE INTO states SELECT * FROM states WHERE agent_id = 'bob';
        INSERT OR REPLACE INTO states (agent_id, data, version) VALUES ('bob', '[2]', 1);
        UPDATE states SET agent_id = 'bob', data = '[3]' WHERE agent_id = 'bob';
        INSERT INTO states (agent_id, data) VALUES ('eve', '[1]'), ('joe', '[1]');
        UPDATE states SET agent_id = 'ann' WHERE agent_id = 'eve';
        UPDATE states SET agent_id = 'eve', data = '[2]' WHERE agent_id = 'joe';
        UPDATE states SET session_id = 's1', state_type = 'task_state' WHERE agent_id = 'ann';
        UPDATE OR REPLACE states SET agent_id = 'bob' WHERE agent_id = 'eve';
    """)  # fmt: skip
    for wrong in (
        "INSERT INTO states (agent_id, data) VALUES ('x', 'no json')",
        "INSERT INTO states (agent_id, data, state_type) VALUES ('x', '{}', 'nonsense')",
        "INSERT INTO states (agent_id, data, created_at) VALUES ('x', '{}', 'yesterday-ish')",
        "UPDATE states SET data = '{' WHERE agent_id = 'ada'",
        "UPDATE states SET version = 12 WHERE agent_id = 'ada'",
        "UPDATE state_versions SET data = '1'",
    ):
        assert refused(path, pragma + wrong)
    at = sound.execute("SELECT created_at FROM state_history('ada')").fetchall()
    assert at == [(datetime.datetime(2026, 1, 1),)]
    assert one(sound, "SELECT data FROM state_at('ada', '2026-01-01T00:00:01Z')") == "{}"
    versions = [n for (n,) in sound.execute("SELECT version FROM state_history('bob')")]
    assert versions == [1, 2, 3, 4, 5, 6]
    newest = sound.execute("SELECT version, data FROM states WHERE agent_id = 'bob'").fetchall()
    assert newest == [(6, "[2]")]
    ann = "SELECT session_id, state_type, version FROM states WHERE agent_id = 'ann'"
    assert sound.execute(ann).fetchall() == [("s1", "task_state", 1)]


@pytest.mark.parametrize("pragma", SETTINGS)
def test_replace_a_vector(sound: sqlagent.Connection, shell: Shell, pragma: str) -> None:
    path = sound.database.path
    sound.execute("SELECT put_vector('p', 'a', [1.0, 0.0])")
    sound.execute("SELECT put_vector('p', 'b', [0.0, 1.0])")
    near = "SELECT id FROM knn('p', [1.0, 0.0])"
    assert sound.execute(near).fetchall() == [("a",), ("b",)]
    shell(path, f"""{pragma}
        INSERT OR REPLACE INTO vectors (collection, id, vector)
          VALUES ('p', 'a', x'000000000000803f');
        INSERT INTO vectors (collection, id, vector) VALUES ('p', 'c', x'0000803f00000000');
        INSERT INTO vectors (collection, id, vector) VALUES ('q', 'z', x'0000803f');
        UPDATE vectors SET id = 'bb' WHERE id = 'b';
    """)  # fmt: skip
    assert sound.execute(near).fetchall()[0] == ("c",)
    assert {i for (i,) in sound.execute(near)} == {"a", "bb", "c"}
    assert sound.execute("SELECT id, distance FROM knn('q', [1.0])").fetchall() == [("z", 0.0)]
    vector_id = one(sound, "SELECT vector_id FROM vectors WHERE id = 'c'")
    shell(path, f"""{pragma}
        REPLACE INTO vectors (vector_id, collection, id, vector)
          VALUES ({vector_id}, 'q', 'y', x'0000803f');
        UPDATE OR REPLACE vectors SET id = 'a' WHERE id = 'bb';
        DELETE FROM vectors WHERE id = 'z';
    """)  # fmt: skip
    assert sound.execute(near).fetchall() == [("a",)]
    assert sound.execute("SELECT id FROM knn('q', [1.0])").fetchall() == [("y",)]


def test_a_vector_of_other_dimensions_is_refused(
    sound: sqlagent.Connection, shell: Shell, refused: Shell
) -> None:
    path = sound.database.path
    sound.execute("SELECT put_vector('p', 'a', [1.0, 0.0])")
    shell(path, "INSERT INTO vectors (collection, id, vector) VALUES ('q', 'z', x'0000803f');")
    for wrong in (
        "INSERT INTO vectors (collection, id, vector) VALUES ('p', 'b', x'0000803f')",
        "INSERT OR REPLACE INTO vectors (collection, id, vector) VALUES ('p', 'a', x'0000803f')",
        "INSERT OR IGNORE INTO vectors (collection, id, vector) VALUES ('p', 'b', x'0000803f')",
        "UPDATE vectors SET vector = x'0000803f' WHERE id = 'a'",
        "UPDATE vectors SET collection = 'p' WHERE id = 'z'",
        "INSERT INTO vectors (collection, id, vector) VALUES ('p', 'b', 'text')",
        "INSERT INTO vectors (collection, id, vector) VALUES ('p', 'b', x'00')",
        "INSERT INTO vectors (collection, id, vector) VALUES ('p', 'b', x'')",
    ):
        assert refused(path, wrong), wrong


@pytest.mark.parametrize("pragma", SETTINGS)
def test_replace_a_document(sound: sqlagent.Connection, shell: Shell, pragma: str) -> None:
    path = sound.database.path
    old = one(sound, "SELECT index_document('Mushrooms grow in the cellar.', uri => 'm.md')")
    found = "SELECT content FROM search(?)"
    assert sound.execute(found, ("mushrooms",)).fetchall()
    shell(path, f"""{pragma}
        REPLACE INTO documents (document_id, uri, content)
          VALUES ({old}, 'm.md', 'Snails live in the garden.');
    """)  # fmt: skip
    assert sound.execute(found, ("snails mushrooms",)).fetchall() == [
        ("Snails live in the garden.",)
    ]
    shell(
        path, f"{pragma} UPDATE documents SET content = 'Bees live in the roof.', chunk_size = 99;"
    )
    assert sound.execute(found, ("bees snails",)).fetchall() == [("Bees live in the roof.",)]
    shell(path, f"{pragma} UPDATE documents SET collection = 'other', title = 'Roof';")
    assert sound.execute(
        "SELECT title, content FROM search('bees', collection => 'other')"
    ).fetchall() == [("Roof", "Bees live in the roof.")]
    shell(path, f"{pragma} UPDATE documents SET document_id = 77;")
    assert sound.execute("SELECT document_id FROM search('bees')").fetchall() == [(77,)]
    shell(path, f"{pragma} DELETE FROM documents;")
    assert sound.execute(found, ("bees",)).fetchall() == []
    assert one(sound, "SELECT count(*) FROM chunks") == 0


@pytest.mark.parametrize("pragma", SETTINGS)
def test_replace_on_every_other_table(
    sound: sqlagent.Connection, shell: Shell, pragma: str
) -> None:
    path = sound.database.path
    shell(path, f"""{pragma}
        INSERT INTO agents (agent_id, metadata) VALUES ('eve', '{{"a": 1}}');
        REPLACE INTO agents (agent_id, metadata) VALUES ('eve', '{{"a": 2}}');
        INSERT INTO sessions (session_id, agent_id) VALUES ('s1', 'eve');
        REPLACE INTO sessions (session_id, agent_id) VALUES ('s1', 'ada');
        INSERT INTO collections (collection, dimensions, metric) VALUES ('far', 2, 'l2');
        REPLACE INTO collections (collection, dimensions, metric) VALUES ('far', 3, 'ip');
        INSERT INTO entities (entity_id, name) VALUES (1, 'Ada'), (2, 'Bob');
        REPLACE INTO entities (entity_id, name) VALUES (1, 'Ada L.');
        INSERT INTO relations (subject_id, predicate, object_id) VALUES (1, 'knows', 2);
        REPLACE INTO relations (subject_id, predicate, object_id, weight)
          VALUES (1, 'knows', 2, 0.5);
    """)  # fmt: skip
    queries = {
        "SELECT metadata FROM agents WHERE agent_id = 'eve'": '{"a": 2}',
        "SELECT agent_id FROM sessions": "ada",
        "SELECT metric FROM collections": "ip",
        "SELECT name FROM entities WHERE entity_id = 1": "Ada L.",
        "SELECT weight FROM relations": 0.5,
        "SELECT max(weight) FROM relations": 0.5,
        "SELECT count(*) FROM entities": 2,
    }
    for sql, answer in queries.items():
        assert sound.execute(sql).fetchall() == [(answer,)], sql


ISO = [
    "2026-01-31T12:00:00Z",
    "2026-01-31T12:00:00.000Z",
    "2026-01-31 12:00:00",
    "2026-01-31 12:00",
    "2026-01-31T13:00:00+01:00",
    "2026-01-31 12:00:00.000",
]


@pytest.mark.parametrize("text", ISO)
def test_a_time_in_any_iso_form_is_a_time(
    sound: sqlagent.Connection, shell: Shell, text: str
) -> None:
    shell(
        sound.database.path,
        f"""
        INSERT INTO memories (agent_id, content, created_at, expires_at)
        VALUES ('eve', 'In time', '{text}', '2099-01-01T00:00:00Z');
        UPDATE memories SET valid_from = '{text}' WHERE agent_id = 'eve';
    """,
    )
    noon = datetime.datetime(2026, 1, 31, 12)
    where = "FROM memories WHERE agent_id = 'eve' AND created_at {} TIMESTAMP '2026-01-31 {}'"
    for condition in [("=", "12:00:00"), ("<", "12:00:00.001"), (">", "11:59:59")]:
        sql = where.format(*condition)
        assert sound.execute(f"SELECT created_at, valid_from {sql}").fetchall() == [(noon, noon)]
        assert sound.execute(f"SELECT count(*), max(created_at) {sql}").fetchall() == [(1, noon)]
    assert contents(sound, "eve", "time") == ["In time"]


def test_an_updated_time_expires_or_revives_a_memory(
    sound: sqlagent.Connection, shell: Shell
) -> None:
    path = sound.database.path
    shell(path, "UPDATE memories SET expires_at = '2020-01-01T00:00:00Z';")
    assert contents(sound, "ada", "counted") == []
    shell(path, "UPDATE memories SET expires_at = '2099-01-01T00:00:00+08:00';")
    assert contents(sound, "ada", "counted") == ["something to be counted"]
    shell(path, "UPDATE memories SET archived_at = '2020-01-01T00:00:00Z';")
    assert contents(sound, "ada", "counted") == []
    shell(path, "UPDATE memories SET archived_at = NULL, valid_to = '2020-01-01T00:00Z';")
    assert contents(sound, "ada", "counted") == []


def test_a_memory_moves_to_another_agent_and_number(
    sound: sqlagent.Connection, shell: Shell
) -> None:
    path = sound.database.path
    shell(path, "UPDATE memories SET agent_id = 'bob';")
    assert contents(sound, "ada", "counted") == []
    assert contents(sound, "bob", "counted") == ["something to be counted"]
    shell(path, "UPDATE memories SET memory_id = 4711;")
    assert sound.execute("SELECT memory_id FROM recall('bob', 'counted')").fetchall() == [(4711,)]
    groups = sound.execute("SELECT agent_id, count(*) FROM memories GROUP BY agent_id").fetchall()
    assert groups == [("bob", 1)]


def test_an_update_or_replace_that_removes_another_row(
    sound: sqlagent.Connection, shell: Shell
) -> None:
    sound.execute("SELECT remember('ada', 'the second one')")
    shell(sound.database.path, "UPDATE OR REPLACE memories SET memory_id = 1 WHERE memory_id = 2;")
    assert contents(sound, "ada", "second something counted") == ["the second one"]


@pytest.mark.parametrize(
    "wrong",
    [
        "INSERT INTO memories (agent_id, content) VALUES ('ada', '')",
        "INSERT INTO memories (agent_id, content) VALUES ('', 'x')",
        "INSERT INTO memories (agent_id, content) VALUES (NULL, 'x')",
        "INSERT INTO memories (agent_id, content, importance) VALUES ('a', 'x', 2)",
        "INSERT INTO memories (agent_id, content, importance) VALUES ('a', 'x', 'high')",
        "INSERT INTO memories (agent_id, content, kind) VALUES ('a', 'x', 'nonsense')",
        "INSERT INTO memories (agent_id, content, created_at) VALUES ('a', 'x', 'soon')",
        "INSERT INTO memories (agent_id, content, metadata) VALUES ('a', 'x', '{')",
        "INSERT INTO memories (agent_id, content) VALUES ('a', x'00ff')",
        "UPDATE chunks SET content = 'forged'",
        "DELETE FROM sqlagent_change_log",
    ],
)
def test_what_would_not_be_found_again_is_refused(
    sound: sqlagent.Connection, refused: Shell, wrong: str
) -> None:
    sound.execute("SELECT index_document('One chunk.')")
    assert refused(sound.database.path, wrong)


def test_every_table_and_view_is_readable(sound: sqlagent.Connection, shell: Shell) -> None:
    path = sound.database.path
    names = shell(path, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view');")
    assert len(names.splitlines()) > 25
    for name in names.splitlines():
        shell(path, f'SELECT * FROM "{name}" LIMIT 3;')
    assert shell(path, "SELECT strength BETWEEN 0 AND 1 FROM memory_strength;") == "1"


def test_a_dump_restores_to_the_same(
    sound: sqlagent.Connection, shell: Shell, tmp_path: Path
) -> None:
    sound.execute(
        "SELECT index_document('The ferry leaves at noon. 渡轮中午出发。', uri => 'f.md')"
    )
    sound.execute("SELECT put_vector('p', 'a', [1.0, 0.5])")
    sound.execute("""SELECT save_state('ada', '{"n": "é龙''x"}')""")
    queries = [
        "SELECT content FROM recall('ada', 'counted')",
        "SELECT content, uri FROM search('渡轮')",
        "SELECT id, distance FROM knn('p', [1.0, 0.0])",
        "SELECT version, data FROM states",
        "SELECT agent_id, count(*) FROM memories GROUP BY agent_id",
    ]
    truth = [sound.execute(sql).fetchall() for sql in queries]
    path = sound.database.path
    # 3.40 writes virtual tables into a dump through writable_schema, as its .dump says itself.
    shell(tmp_path / "dumped.db", shell(path, ".dump"))
    shell(path, f".backup '{tmp_path / 'backup.db'}'")
    shell(path, f"VACUUM INTO '{tmp_path / 'vacuumed.db'}';")
    for name in ("dumped.db", "backup.db", "vacuumed.db"):
        other = sqlagent.connect(tmp_path / name, embedding_model="none")
        assert other.messages == []
        assert [other.execute(sql).fetchall() for sql in queries] == truth, name
        assert [r for r in other.execute("CALL check()").fetchall() if not r[1]] == []
        other.close()


def test_a_backup_restored_over_the_open_file(
    sound: sqlagent.Connection, shell: Shell, tmp_path: Path
) -> None:
    path = sound.database.path
    shell(path, f".backup '{tmp_path / 'backup.db'}'")
    sound.execute("SELECT remember('ada', 'after the backup')")
    assert contents(sound, "ada", "backup")[0] == "after the backup"
    shell(path, f".restore '{tmp_path / 'backup.db'}'")
    assert contents(sound, "ada", "backup counted") == ["something to be counted"]
    assert one(sound, "SELECT count(*) FROM memories GROUP BY agent_id") == 1
    sound.execute("SELECT remember('ada', 'another path was taken')")
    assert set(contents(sound, "ada", "counted path")) == {
        "something to be counted", "another path was taken",
    }  # fmt: skip
    assert one(sound, "SELECT count(*) FROM memories GROUP BY agent_id") == 2


def test_a_foreign_transaction_is_seen_whole_or_not_at_all(
    sound: sqlagent.Connection, child: Callable[..., Any]
) -> None:
    process = child(
        "import sqlite3, sys\n"
        "con = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "con.execute('BEGIN IMMEDIATE')\n"
        "con.execute(\"INSERT INTO memories (agent_id, content) VALUES ('eve', 'halfway')\")\n"
        "print('halfway', flush=True)\n"
        "sys.stdin.readline()\n"
        "con.execute('COMMIT')\n"
        "print('done', flush=True)\n",
        sound.database.path,
    )
    assert process.stdout.readline() == "halfway\n"
    count = "SELECT count(*) FROM memories WHERE agent_id = 'eve'"
    assert one(sound, count) == 0 and contents(sound, "eve", "halfway") == []
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
    assert one(sound, count) == 1 and contents(sound, "eve", "halfway") == ["halfway"]


def test_a_table_and_columns_of_a_foreign_client(sound: sqlagent.Connection, shell: Shell) -> None:
    path = sound.database.path
    shell(
        path,
        "CREATE TABLE bills (id INTEGER PRIMARY KEY, sum DOUBLE); INSERT INTO bills VALUES (1, 5);",
    )
    assert sound.execute("SELECT * FROM bills").fetchall() == [(1, 5.0)]
    assert one(sound, "SELECT sum(sum) FROM bills") == 5.0
    shell(
        path,
        "ALTER TABLE bills ADD COLUMN note TEXT DEFAULT 'x'; INSERT INTO bills VALUES (2, 7, 'y');",
    )
    assert sound.execute("SELECT * FROM bills ORDER BY id").fetchall() == [
        (1, 5.0, "x"),
        (2, 7.0, "y"),
    ]
    grouped = "SELECT note, sum(sum) FROM bills GROUP BY note ORDER BY note"
    assert sound.execute(grouped).fetchall() == [
        ("x", 5.0), ("y", 7.0),
    ]  # fmt: skip
    shell(path, "DROP TABLE bills;")
    with pytest.raises(sqlagent.ProgrammingError, match="bills"):
        sound.execute("SELECT * FROM bills")
    with pytest.raises(sqlagent.ProgrammingError, match="bills"):
        sound.execute("SELECT sum(sum) FROM bills")
