"""What cannot be is a clear error of ours before anything is written; what is large is just so."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sqlagent


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed file with a little of everything."""
    path = tmp_path_factory.mktemp("template") / "agent.db"
    con = sqlagent.connect(path, embedding_model="none")
    con.execute("SELECT remember('ada', 'The lamp is green')")
    con.execute("SELECT index_document('The lamp stands in the hall.', collection => 'papers')")
    con.execute("SELECT put_vector('p', 'a', [1.0, 0.0], metadata => '{\"c\": 1}')")
    con.execute("SELECT save_state('ada', '{}')")
    con.close()
    return path


@pytest.fixture
def filled(template: Path, fresh_db: Path) -> Iterator[sqlagent.Connection]:
    """A little of everything; whatever a test tries, nothing of it may change."""
    shutil.copy(template, fresh_db)
    con = sqlagent.connect(fresh_db, embedding_model="none")
    before = totals(con)
    yield con
    assert totals(con) == before
    assert [r for r in con.execute("CALL check()").fetchall() if not r[1]] == []
    con.close()


def totals(con: sqlagent.Connection) -> list[int]:
    """How many rows each table has, without starting DuckDB for it."""
    names = "memories documents chunks vectors states state_versions agents collections snapshots"
    return [len(con.execute(f"SELECT 1 FROM {n}").fetchall()) for n in names.split()]


WRONG = [
    ("SELECT remember(?, 'x')", (5,), "agent_id is a text, not 5"),
    ("SELECT remember('ada', ?)", (b"x",), "content is a text"),
    ("SELECT remember('ada', ?)", (1.5,), "content is a text"),
    ("SELECT remember('ada', '')", (), "content"),
    ("SELECT remember('', 'x')", (), "agent_id"),
    ("SELECT remember('ada', 'x', importance => 2)", (), "importance"),
    ("SELECT remember('ada', 'x', importance => 'high')", (), "importance is a number"),
    ("SELECT remember('ada', 'x', importance => ?)", (float("nan"),), "importance"),
    ("SELECT remember('ada', 'x', importance => ?)", (float("inf"),), "importance"),
    ("SELECT remember('ada', 'x', emotion => -2)", (), "emotion"),
    ("SELECT remember('ada', 'x', kind => 'poem')", (), "kind"),
    ("SELECT remember('ada', 'x', tier => 'cellar')", (), "tier"),
    ("SELECT remember('ada', 'x', created_at => 'soon')", (), "created_at is a time"),
    ("SELECT remember('ada', 'x', expires_at => '2026-13-45')", (), "expires_at is a time"),
    ("SELECT remember('ada', 'x', metadata => '{')", (), "metadata is JSON"),
    ("SELECT remember('ada', 'x', metadata => 'NaN')", (), "metadata is JSON"),
    ("SELECT remember('ada', 'x', metadata => ?)", ({"a": {1}},), "JSON"),
    ("SELECT remember('ada', 'x', embedding => ?)", ([],), "embedding"),
    ("SELECT remember('ada', 'x', embedding => ?)", ([1.0, float("nan")],), "not finite"),
    ("SELECT remember('ada', 'x', embedding => ?)", ([1.0, float("inf")],), "not finite"),
    ("SELECT remember('ada', 'x', embedding => ?)", ([1e300],), "finite|vector"),
    ("SELECT remember('ada', 'x', embedding => ?)", (["a"],), "vector|embedding"),
    ("SELECT remember('ada', 'x', embedding => ?)", (b"abc",), "3 bytes"),
    ("SELECT remember('ada', 'x', embedding => 'no list')", (), "embedding is a list"),
    ("SELECT remember('ada')", (), "needs its argument content"),
    ("SELECT remember()", (), "needs its argument agent_id, content"),
    ("SELECT remember('ada', 'x', colour => 'red')", (), 'no argument "colour"'),
    ("SELECT remember('ada', 'x', kind => 'episodic', kind => 'semantic')", (), "twice"),
    ("SELECT save_state('ada', 'no json')", (), "data is JSON"),
    ("SELECT save_state('ada', '{\"a\": NaN}')", (), "data is JSON"),
    ("SELECT save_state('ada', ?)", ("[" * 100_000,), "data is JSON"),
    ("SELECT save_state('ada', '{}', state_type => 'mood')", (), "state_type|state"),
    ("SELECT save_state('ada', '{}', if_version => 7)", (), "the newest version is 1, not 7"),
    ("SELECT save_state('ada', '{}', if_version => 'x')", (), "whole number"),
    ("SELECT snapshot('nobody', 'x')", (), "no states"),
    ("SELECT snapshot('ada', '')", (), "name"),
    ("SELECT restore('ada', 'never')", (), 'no snapshot "never"'),
    ("SELECT index_document('x', chunk_size => 0)", (), "chunk_size is from 1"),
    ("SELECT index_document('x', overlap => 512)", (), "overlap is"),
    ("SELECT index_document('x', overlap => -1)", (), "overlap is"),
    ("SELECT index_document('x', chunk_size => 2.5)", (), "whole number"),
    ("SELECT index_document('x', collection => '')", (), "collection"),
    ("SELECT index_document(5)", (), "content is a text"),
    ("SELECT put_vector('p', 'b', [1.0])", (), "expected 2 dimensions, not 1"),
    ("SELECT put_vector('p', 'b', ?)", ([1.0, float("nan")],), "not finite"),
    ("SELECT put_vector('p', 'b', ?)", ([],), "vector"),
    ("SELECT put_vector('p', 'b', 5)", (), "vector is a list of numbers"),
    ("SELECT put_vector('p', '', [1.0, 0.0])", (), "id"),
    ("SELECT put_vector('', 'b', [1.0, 0.0])", (), "collection"),
    ("SELECT * FROM recall('ada', 'x', k => -1)", (), "k is a whole number from 0, not -1"),
    ("SELECT * FROM recall('ada', 'x', k => 2.5)", (), "k is a whole number"),
    ("SELECT * FROM recall('ada', 'x', k => 'ten')", (), "k is a whole number"),
    ("SELECT * FROM recall('ada', 'x', kind => 'poem')", (), "kind is one of"),
    ("SELECT * FROM recall('ada', 'x', as_of => 'soon')", (), "as_of is a time"),
    ("SELECT * FROM recall('ada', 'x', token_budget => -5)", (), "token_budget"),
    ("SELECT * FROM recall('ada', 'x', embedding => [])", (), "embedding"),
    ("SELECT * FROM recall('ada', 5)", (), "query is a text"),
    ("SELECT * FROM recall('ada')", (), "needs its argument query"),
    ("SELECT * FROM recall('ada', 'x', nope => 1)", (), 'no argument "nope"'),
    ("SELECT * FROM search('x', k => -1)", (), "k is a whole number"),
    ("SELECT * FROM search('x', alpha => 2)", (), "alpha is a number from 0 to 1"),
    ("SELECT * FROM search('x', collection => 'paper')", (), 'unknown collection "paper"'),
    ("SELECT * FROM search('x', filter => 'nothing = 1')", (), "nothing"),
    ("SELECT * FROM knn('p', [1.0])", (), "expected 2 dimensions, not 1"),
    ("SELECT * FROM knn('q', [1.0])", (), 'unknown collection "q"'),
    ("SELECT * FROM knn('p', ?)", ([1.0, float("nan")],), "not finite"),
    ("SELECT * FROM knn('p', [1.0, 0.0], k => -1)", (), "k is a whole number"),
    ("SELECT * FROM knn('p', [1.0, 0.0], k => 2.5)", (), "k is a whole number"),
    ("SELECT * FROM state_at('ada', 'soon')", (), "at is a time"),
    ("SELECT cosine_similarity([1.0], [1.0, 2.0])", (), "dimensions"),
    ("SELECT * FROM chunk_text('abc', size => 0)", (), "size is from 1"),
    ("SELECT * FROM chunk_text('abc', size => 3, overlap => 3)", (), "overlap is"),
    ("SELECT * FROM chunk_text('abc', by => 'moon')", (), "moon"),
    ("SELECT embed('x')", (), "no embedding model"),
    ("SELECT checksum(5)", (), "data is a text or a BLOB"),
    ("SELECT ?", (object,), "cannot be a parameter"),
    ("SELECT content FROM memories WHERE memory_id = ?", (2**70,), "int"),
    ("INSERT INTO agents (agent_id) VALUES (?)", (2**70,), "int"),
    ("SELECT content FROM memories WHERE content = ?", ("\ud800",), "surrogate|utf-8"),
    ("SELECT remember('ada', ?)", ("\ud800",), "surrogate|utf-8"),
    ("SELECT save_state('ada', ?)", ('"\ud800"',), "surrogate|utf-8"),
    ("SELECT index_document(?)", ("a \ud800 b",), "surrogate|utf-8"),
    ("SELECT * FROM recall('ada', ?)", ("\udfff",), "surrogate|utf-8"),
    ("SELECT '\ud800'", (), "surrogate|utf-8"),
    ("SET dialect = 'oracle'", (), "dialect is one of"),
    ("SET dialcet = 'duckdb'", (), 'unknown setting "dialcet"'),
    ("SET statement_timeout_ms = -5", (), "whole number from 0"),
    ("CALL snyc()", (), 'unknown procedure "snyc"'),
    ("CALL rebuild('everything')", (), "rebuild takes one of"),
    ("CALL rebuild()", (), "rebuild takes 1"),
]


@pytest.mark.parametrize(("sql", "values", "match"), WRONG, ids=[f"{n}" for n in range(len(WRONG))])
def test_what_cannot_be(filled: sqlagent.Connection, sql: str, values: Any, match: str) -> None:
    for _ in range(2):  # the second time with a plan that was kept
        with pytest.raises(sqlagent.Error, match=match) as caught:
            filled.execute(sql, values).fetchall()
        assert caught.value.message and caught.value.sqlstate != "XX000"
        assert not caught.value.message.endswith(".")


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT * FROM memorys", "memories"),
        ("SELECT contents FROM memories", "content"),
        ("SELECT max(contents) FROM memories", "content"),
        ("SELECT rember('ada', 'x')", "remember"),
        ("SELECT * FROM recal('ada', 'x')", "recall"),
        ("SELECT cosine_similarty([1.0], [1.0])", "cosine_similarity"),
        ("SELECT * FROM search('x', collection => 'paper')", "papers"),
        ("SET embeding_model = 'none'", "embedding_model"),
        ("CALL chekc()", "check"),
        ("INSERT INTO memory (agent_id) VALUES ('x')", "memories"),
        ("UPDATE memories SET contnt = 'x'", "content"),
    ],
)
def test_a_typo_gets_the_nearest_name(filled: sqlagent.Connection, sql: str, hint: str) -> None:
    with pytest.raises(sqlagent.ProgrammingError) as caught:
        filled.execute(sql).fetchall()
    assert hint in (caught.value.hint or ""), str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        " ",
        ";",
        ";;",
        "-- a comment",
        "/* a comment */",
        "\n\t",
        "--",
        "/* open",
        "'open",
        '"open',
    ],
)
def test_what_is_no_statement(filled: sqlagent.Connection, sql: str) -> None:
    with pytest.raises(sqlagent.ProgrammingError):
        filled.execute(sql)


@pytest.mark.parametrize("sql", [None, 5, b"SELECT 1", ("SELECT 1",)])
def test_what_is_no_text(filled: sqlagent.Connection, sql: Any) -> None:
    with pytest.raises(sqlagent.Error):
        filled.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE memories",
        "INSERT INTO agents (agent_id) VALUES ('x'); DELETE FROM memories",
        "SELECT remember('ada', 'x'); DELETE FROM memories",
        "BEGIN; DELETE FROM memories; COMMIT",
        "SELECT count(*) FROM range(3); DROP TABLE memories",
    ],
)
def test_several_statements_are_refused_whole(filled: sqlagent.Connection, sql: str) -> None:
    with pytest.raises(sqlagent.ProgrammingError, match="one statement, not several") as caught:
        filled.execute(sql)
    assert caught.value.position == sql.index(";") + 2
    assert not filled.in_transaction


@pytest.mark.parametrize(
    "sql", ["SELECT 1;", " SELECT 1 ; ", "SELECT 1; -- end", "/* a */ SELECT 1;;"]
)
def test_a_semicolon_at_the_end_is_fine(filled: sqlagent.Connection, sql: str) -> None:
    assert filled.execute(sql).fetchall() == [(1,)]


INJECTIONS = [
    "'; DROP TABLE memories; --",
    "' OR 1=1 --",
    '" OR ""="',
    "x') UNION SELECT * FROM memories --",
    "${7*7}",
    "%s%n",
    "\\'; DELETE FROM memories; --",
    "NEAR(a b) OR * AND NOT ^",
    '"unclosed',
    "(((",
    "content:lamp",
    "*",
    "lamp*",
    "-lamp",
    "$.a.b[",
    "'",
    "\x01\x02",
    "a\nb\r\nc\td",
    "🦄" * 50,
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_text_is_only_text(filled: sqlagent.Connection, text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    reads = [
        ("SELECT count(*) FROM recall(?, ?)", (text, text)),
        ("SELECT count(*) FROM recall('ada', ?, user_id => ?, session_id => ?)", (text,) * 3),
        ("SELECT count(*) FROM search(?, collection => 'papers')", (text,)),
        ("SELECT count(*) FROM state_history(?)", (text,)),
        ("SELECT token_count(?), checksum(?)", (text, text)),
        ("SELECT count(*) FROM chunk_text(?)", (text,)),
        ("SELECT content FROM memories WHERE agent_id = ?", (text,)),
        ("SELECT agent_id, count(*) FROM memories WHERE content = ? GROUP BY 1", (text,)),
        (f"SELECT count(*) FROM recall('ada', {quoted})", ()),
        (f"SELECT content FROM memories WHERE agent_id = {quoted}", ()),
    ]
    for sql, values in reads:
        filled.execute(sql, values).fetchall()
    for sql in (
        "SELECT * FROM search('x', collection => ?)",
        "SELECT * FROM knn(?, [1.0, 0.0])",
        "SELECT * FROM knn('p', [1.0, 0.0], filter => ?)",
        "SELECT restore('ada', ?)",
        "CALL rebuild(?)",
    ):
        with pytest.raises(sqlagent.Error):
            filled.execute(sql, (text,)).fetchall()


def test_text_is_kept_to_the_character(words: sqlagent.Connection) -> None:
    for n, text in enumerate(
        [*INJECTIONS, "NUL \0 in it", "\0", " ", "\ufeffx", "é́", "a" * 100_000]
    ):
        agent = f"agent {text[:40]}{n}"
        (ident,) = words.execute("SELECT remember(?, ?)", (agent, text)).fetchone()
        assert words.execute(
            "SELECT agent_id, content FROM memories WHERE memory_id = ?", (ident,)
        ).fetchall() == [(agent, text)]
        sql = "SELECT max(agent_id), max(content) FROM memories WHERE memory_id = ?"
        assert words.execute(sql, (ident,)).fetchall() == [(agent, text)]
        words.execute("SELECT put_vector(?, ?, [1.0])", (f"c{text[:40]}", text[:40]))
        found = words.execute("SELECT id FROM knn(?, [1.0])", (f"c{text[:40]}",)).fetchall()
        assert found == [(text[:40],)]
        words.execute("SELECT index_document(?, uri => ?)", (text, text[:40]))
    assert [r for r in words.execute("CALL check()").fetchall() if not r[1]] == []


FILTERS = [
    "1 = 1) OR (1 = 1",
    "1; DROP TABLE vectors",
    "id IN (SELECT agent_id FROM memories)",
    "EXISTS (SELECT 1)",
    "1 = 1 UNION SELECT 1",
    "1 = 1 ORDER BY 1",
    "1 = 1 LIMIT 1",
    "1 = 1 -- comment\n) OR (1",
    "remember('ada', 'x') > 0",
    "load_extension('x')",
    "readfile('/etc/passwd') = 'x'",
    "nothing = 1",
    "id =",
    "",
    ")",
    "(SELECT count(*) FROM memories) > 0",
    "id = ?",
    "id = :x",
    "sum(1) > 0",
]


@pytest.mark.parametrize("condition", FILTERS)
def test_a_filter_is_one_condition_and_nothing_else(
    filled: sqlagent.Connection, condition: str
) -> None:
    for sql in (
        "SELECT * FROM knn('p', [1.0, 0.0], filter => ?)",
        "SELECT * FROM within('p', [1.0, 0.0], 9, filter => ?)",
        "SELECT * FROM search('lamp', filter => ?)",
    ):
        with pytest.raises(sqlagent.Error):
            filled.execute(sql, (condition,)).fetchall()


@pytest.mark.parametrize("k", [0, 1, 2, 10**6, 2**31, 2**62, 1.0, 3.0])
def test_every_k_that_is_whole(filled: sqlagent.Connection, k: Any) -> None:
    wanted = min(1, int(k))
    for sql in (
        "SELECT * FROM recall('ada', 'lamp', k => ?)",
        "SELECT * FROM search('lamp', k => ?)",
        "SELECT * FROM knn('p', [1.0, 0.0], k => ?)",
        f"SELECT * FROM recall('ada', 'lamp', k => {k})",
        f"SELECT sum(1) FROM knn('p', [1.0, 0.0], k => {k}) HAVING sum(1) > 0",
    ):
        values = (k,) if "?" in sql else ()
        assert len(filled.execute(sql, values).fetchall()) == wanted, sql


NULLS = [
    "SELECT remember(NULL, 'x')",
    "SELECT remember('ada', NULL)",
    "SELECT save_state(NULL, '{}')",
    "SELECT save_state('ada', NULL)",
    "SELECT index_document(NULL)",
    "SELECT put_vector('p', 'x', NULL)",
    "SELECT put_vector(NULL, 'x', [1.0])",
    "SELECT snapshot(NULL, 'x')",
    "SELECT restore('ada', NULL)",
    "SELECT checksum(NULL)",
    "SELECT token_count(NULL)",
    "SELECT cosine_similarity(NULL, [1.0])",
    "SELECT decayed_importance(NULL, 1, 1)",
    "SELECT retention(NULL, 1)",
]


@pytest.mark.parametrize("sql", NULLS)
def test_null_in_null_out(filled: sqlagent.Connection, sql: str) -> None:
    assert filled.execute(sql).fetchall() == [(None,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM recall(NULL, 'x')",
        "SELECT * FROM recall('ada', NULL)",
        "SELECT * FROM search(NULL)",
        "SELECT * FROM knn(NULL, [1.0])",
        "SELECT * FROM knn('p', NULL)",
        "SELECT * FROM within('p', [1.0, 0.0], NULL)",
        "SELECT * FROM state_at(NULL, '2026-01-01')",
        "SELECT * FROM state_at('ada', NULL)",
        "SELECT * FROM state_history(NULL)",
        "SELECT * FROM chunk_text(NULL)",
        "SELECT sum(score) FROM recall(NULL, 'x') HAVING count(*) > 0",
    ],
)
def test_a_null_key_gives_no_rows(filled: sqlagent.Connection, sql: str) -> None:
    assert filled.execute(sql).fetchall() == []


def test_null_for_what_is_optional_is_its_default(filled: sqlagent.Connection) -> None:
    assert filled.execute(
        "SELECT content FROM recall('ada', 'lamp', k => NULL, kind => NULL, as_of => NULL)"
    ).fetchall() == [("The lamp is green",)]
    assert filled.execute("SELECT count(*) FROM search('lamp', collection => NULL)").fetchone() == (
        1,
    )


def test_a_text_of_ten_megabytes(words: sqlagent.Connection) -> None:
    english = "The quick brown fox jumps over the lazy dog. " * (10_000_000 // 45)
    (ident,) = words.execute("SELECT remember('ada', ?)", (english + "zanzibar",)).fetchone()
    assert words.execute("SELECT memory_id FROM recall('ada', 'zanzibar')").fetchall() == [(ident,)]
    assert words.execute("SELECT count(*) FROM recall('ada', ?)", (english,)).fetchone() == (1,)
    words.execute("SELECT save_state('ada', ?)", ('"' + english + '"',))
    assert len(words.execute("SELECT data FROM states").fetchone()[0]) == len(english) + 2


@pytest.mark.slow
def test_a_document_of_ten_megabytes(words: sqlagent.Connection) -> None:
    for sentence, word in (
        ("The quick brown fox jumps over the dog. ", "zanzibar"),
        ("敏捷的棕色狐狸跳过懒狗。", "龙井"),
    ):
        text = sentence * (10_000_000 // len(sentence.encode())) + word
        words.execute("SELECT index_document(?)", (text,))
        assert word in words.execute("SELECT content FROM search(?, k => 1)", (word,)).fetchone()[0]


def test_a_billion_rows_stream_in_bounded_memory(words: sqlagent.Connection) -> None:
    streams = [
        "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1000000000) "
        "SELECT n FROM c",
        "SELECT range FROM range(1000000000)",
        "SELECT range FROM range(2000000000) LIMIT 1000000000",
    ]
    for sql in streams:
        words.execute("SELECT 1 FROM range(3)").fetchall()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        cursor = words.execute(sql)
        rows = [cursor.fetchone() for _ in range(50_000)]
        assert len({r[0] for r in rows}) == 50_000
        cursor.close()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000, sql  # KB
    assert words.execute("SELECT 1").fetchone() == (1,)


def test_a_full_disk(tmp_path: Path) -> None:
    """What did not fit is an error and is not there; when there is room again, all goes on."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root, to mount a small tmpfs")
    try:
        con = sqlagent.connect(small / "agent.db", embedding_model="none")
        kept = 0
        with pytest.raises(sqlagent.OperationalError, match=r"full|space|I/O|disk") as caught:
            for n in range(2000):
                con.execute("SELECT remember('ada', ?)", (f"{n} " + os.urandom(10_000).hex(),))
                kept += 1
        assert caught.value.hint or caught.value.sqlstate in ("53100", "58030")
        assert kept > 5
        assert con.execute("SELECT count(*) FROM memories").fetchone() == (kept,)
        with pytest.raises(sqlagent.OperationalError):
            con.execute("SELECT remember('ada', ?)", (os.urandom(100_000).hex(),))
        subprocess.run(["mount", "-o", "remount,size=40m", str(small)], check=True)
        con.execute("SELECT remember('ada', 'room again')")
        assert con.execute("SELECT count(*) FROM memories GROUP BY agent_id").fetchone() == (
            kept + 1,
        )
        assert [r for r in con.execute("CALL check()").fetchall() if not r[1]] == []
        con.close()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


@pytest.fixture
def damaged(tmp_path: Path, migrated_db: Path) -> Iterator[Callable[[str], Path]]:
    """`damaged(table)`: a file in which a page of that table is rubbish."""

    def make(table: str) -> Path:
        con = sqlagent.connect(migrated_db, embedding_model="none")
        con.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, note TEXT)")
        con.executemany("INSERT INTO big (note) VALUES (?)", [("x" * 500,)] * 3000)
        for n in range(300):
            con.execute("SELECT remember('ada', ?)", (f"note {n} " + "y" * 300,))
        con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sql = "SELECT max(pageno) FROM dbstat WHERE name = ? AND pagetype = 'leaf'"
        import apsw

        raw = apsw.Connection(str(migrated_db))
        root = raw.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()[0]
        size = raw.execute("PRAGMA page_size").fetchone()[0]
        raw.close()
        assert sql and root
        con.close()
        with open(migrated_db, "r+b") as file:
            file.seek((root - 1) * size)
            file.write(b"\xff" * size)
        return migrated_db

    yield make


@pytest.mark.parametrize("table", ["memories", "big"])
def test_a_corrupt_page_is_an_error_never_wrong_rows(
    damaged: Callable[[str], Path], table: str
) -> None:
    path = damaged(table)
    con = sqlagent.connect(path, embedding_model="none")
    for sql in (
        f"SELECT * FROM {table}",
        f"SELECT count({'content' if table == 'memories' else 'note'}) FROM {table}",
        f"SELECT max(rowid) FROM {table}",
    ):
        with pytest.raises(sqlagent.DatabaseError, match=r"malformed|corrupt") as caught:
            con.execute(sql).fetchall()
        assert isinstance(caught.value, sqlagent.InternalError) and caught.value.hint
    if table == "memories":
        with pytest.raises(sqlagent.InternalError):
            con.execute("SELECT * FROM recall('ada', 'note')").fetchall()
    assert con.execute("SELECT agent_id FROM agents").fetchall() == [("ada",)]
    (name, sound, detail), *rest = con.execute("CALL check()").fetchall()
    assert (name, sound, rest) == ("integrity", False, []) and detail
    con.close()


@pytest.mark.parametrize("setting", ["min_recall", "search_alpha"])
def test_a_share_is_at_most_one(setting: str) -> None:
    con = sqlagent.connect(":memory:")
    for wrong in ("2", "-0.1", "'nan'", "'inf'"):
        with pytest.raises(sqlagent.ProgrammingError, match="a number from 0 to 1"):
            con.execute(f"SET {setting} = {wrong}")
    con.execute(f"SET {setting} = 1")
