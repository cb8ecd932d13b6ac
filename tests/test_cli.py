"""The command line: splitting, formats, one-shot statements, scripts, the shell, import, check."""

import base64
import csv
import datetime
import decimal
import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlagent.cli import main
from sqlagent.cli.cancel import Cancel
from sqlagent.cli.check import is_fine
from sqlagent.cli.options import UsageError, check_file, scalar
from sqlagent.cli.output import refuse_database
from sqlagent.cli.script import bind
from sqlagent.cli.split import Splitter, is_complete, lines_of, parameters, split_statements
from sqlagent.cli.table import Look, write_table
from sqlagent.documents.folder import walk
from sqlagent.documents.formats import read_file
from sqlagent.documents.html import html_text
from sqlagent.documents.text import Unreadable
from sqlagent.formats.cells import Column, json_text, text, visible
from sqlagent.formats.width import cut, pad, width_of
from sqlagent.formats.writers import write_csv, write_json, write_lines, write_markdown

# Splitting ----------------------------------------------------------------------------------------

WHOLE = [
    "SELECT 1",
    "SELECT 'a;b', 'it''s;'",
    'SELECT "a;""b" FROM `t;`',
    "SELECT $$a;b$$, $x$;$$;$x$",
    r"SELECT E'a\';b', e'\\'",
    "SELECT /* ; /* ; */ ' */ 1",
    "SELECT 1 -- ; it's\n + 2",
    "SELECT a->>'$.b', x::int, d[1:2] FROM t WHERE a = :a AND b = $b AND c = ?1",
    "INSERT INTO t VALUES ('多行\n;文字')",
    "CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN 1 THEN 2 END; "
    "DELETE FROM u; END",
    "EXPLAIN CREATE TEMP TRIGGER r BEFORE DELETE ON t WHEN old.a BEGIN SELECT 1; END",
    "BEGIN",
    "END",
    "CREATE TABLE trigger_log (a INT)",
]


@pytest.mark.parametrize("statement", WHOLE)
def test_a_statement_is_not_cut(statement):
    assert list(split_statements(statement + ";")) == [statement]
    assert list(split_statements(statement)) == [statement]
    assert is_complete(statement + ";") and not is_complete(statement)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(WHOLE), max_size=5),
    st.sampled_from([";", " ;\n", ";-- note;\n", ";/* note; */", ";;\n;", "; \ufeff\n"]),
)
def test_statements_come_back_in_order(statements, between):
    assert list(split_statements("".join(s + between for s in statements))) == statements


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab'\";$-/*\n\r\x85 `eE\\:?@喝.BEGINtrigcd", max_size=60))
def test_any_text_splits_by_line_as_it_does_whole(source):
    splitter = Splitter()
    pieces = [statement.text for statement in splitter.feed(source)]
    left = splitter.finish()
    assert pieces + ([left.text] if left else []) == list(split_statements(source))
    assert "".join(lines_of(source)) == source
    position = 0
    for piece in split_statements(source):  # in order, apart, and each exactly as it was written
        position = source.index(piece, position) + len(piece)


def test_a_trigger_in_the_words_of_another_engine_ends_at_its_semicolon():
    sql = "CREATE TRIGGER t AFTER INSERT ON u EXECUTE FUNCTION f(); SELECT 1"
    assert len(list(split_statements(sql))) == 2


def test_lines_are_counted_and_what_is_open_is_incomplete():
    splitter = Splitter()
    found = list(splitter.feed("-- note\n\nSELECT\n1; SELECT 2;\n"))
    assert [(s.text, s.line, s.complete) for s in found] == [
        ("SELECT\n1", 3, True),
        ("SELECT 2", 4, True),
    ]
    assert list(splitter.feed("SELECT 'a;\n")) == [] and not splitter.blank
    left = splitter.finish()
    assert left and (left.text, left.line, left.complete) == ("SELECT 'a;", 5, False)
    assert not is_complete("SELECT 1; /* open") and is_complete("SELECT 1; -- done")


def test_parameters_are_found_outside_strings():
    assert parameters("SELECT :a, $b, ?, ?2, @c, ':d', x::e, $$ :f $$, -- :g") == set("abc?2")


# Values and formats -------------------------------------------------------------------------------

NUMBER, TEXT = Column("n", "BIGINT"), Column("s", "VARCHAR")


def written(write, columns, rows, *more, **keywords):
    out = io.StringIO(newline="")
    count = write(columns, rows, out, *more, **keywords)
    assert count == len(rows)
    return out.getvalue()


def test_values_as_text():
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5)
    assert text(moment) == "2026-01-02 03:04:05"
    assert text(moment.replace(microsecond=7000)) == "2026-01-02 03:04:05.007"
    assert (text(True), text(1.0), text(b"\x01\xff")) == ("true", "1.0", "\\x01ff")
    assert text(decimal.Decimal("1E+3")) == "1000"
    assert text([1, "喝", None], "VARCHAR[]") == '[1, "喝", null]'
    assert text(struct.pack("<2f", 0.1, -2.5), "FLOAT[2]") == "[0.1, -2.5]"


def test_values_as_json():
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 6)
    assert json_text(moment, "TIMESTAMP") == '"2026-01-02T03:04:05.000006"'
    assert base64.b64decode(json.loads(json_text(b"\x00\xff", "BLOB"))) == b"\x00\xff"
    assert json_text(decimal.Decimal("12345678901234567890.10")) == "12345678901234567890.10"
    assert json.loads(json_text('{"a": [1]}', "JSON")) == {"a": [1]}
    assert json.loads(json_text("{broken", "JSON")) == "{broken"
    assert json.loads(json_text({"a": moment, "b": [None, float("nan")]})) == {
        "a": "2026-01-02T03:04:05.000006",
        "b": [None, "NaN"],
    }
    assert json.loads(json_text(float("inf"))) == "Infinity"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=8))
def test_a_vector_in_json_reads_back_as_the_same_float32(vector):
    packed = struct.pack(f"<{len(vector)}f", *vector)
    shown = json.loads(json_text(packed, f"FLOAT[{len(vector)}]"))
    assert struct.pack(f"<{len(vector)}f", *shown) == packed


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.text(), st.text(), st.none() | st.integers()), max_size=5))
def test_csv_reads_back(rows):
    columns = [TEXT, Column('a "b", c', "VARCHAR"), NUMBER]
    read = list(csv.reader(io.StringIO(written(write_csv, columns, rows), newline=""), strict=True))
    assert read[0] == [column.name for column in columns]
    assert read[1:] == [[a, b, "" if n is None else str(n)] for a, b, n in rows]


def test_csv_tells_null_from_the_empty_text():
    rows = [(None, 1), ("", 2), ("a,b", 3)]
    assert written(write_csv, [TEXT, NUMBER], rows, False) == ',1\r\n"",2\r\n"a,b",3\r\n'
    assert written(write_csv, [TEXT], [(None,)], False) == '""\r\n'


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.none() | st.text(), st.integers() | st.booleans()), max_size=4))
def test_json_reads_back(rows):
    read = json.loads(written(write_json, [TEXT, NUMBER], rows))
    assert read == [{"s": s, "n": n} for s, n in rows]


def test_json_keeps_columns_of_one_name_apart():
    columns = [Column("a", "INT"), Column("a", "INT"), Column("a_1", "INT")]
    read = json.loads(written(write_json, columns, [(1, 2, 3)]))
    assert list(read[0].values()) == [1, 2, 3]


def test_markdown_and_lines():
    rows = [("a|b\nc", 1), (None, None)]
    assert written(write_markdown, [TEXT, NUMBER], rows) == (
        "| s | n |\n|---|--:|\n| a\\|b<br>c | 1 |\n| NULL | NULL |\n"
    )
    columns = [Column("茶", "VARCHAR"), Column("long", "BIGINT")]
    assert written(write_lines, columns, rows) == (
        "  茶 = a|b\n       c\nlong = 1\n\n  茶 = NULL\nlong = NULL\n"
    )


def test_a_table_lines_up_with_chinese_and_shows_null():
    rows = [("喝茶", 1, "x"), (None, 20, "y"), ("NULL", None, "z")]
    shown = written(write_table, [TEXT, NUMBER, Column("k", "VARCHAR")], rows).split("\n")
    assert shown == [
        " s      │    n │ k",
        "────────┼──────┼───",
        " 喝茶   │    1 │ x",
        " NULL   │   20 │ y",
        " 'NULL' │ NULL │ z",
        "(3 rows)",
        "",
    ]
    assert len({width_of(line.rsplit("│", 1)[0]) for line in shown[2:5]}) == 1


def test_a_cell_cannot_move_the_cursor_or_break_its_row():
    shown = written(write_table, [TEXT], [("a\nb\x1b[31m\u202e\x9b",)])
    assert "a\\nb\\x1b[31m\\u202e\\x9b" in shown and len(shown.splitlines()) == 4
    assert visible("👩\u200d👧 é") == "👩\u200d👧 é"


def test_an_explained_plan_keeps_its_lines():
    shown = written(write_table, [TEXT, NUMBER], [("scan\n  t", 1)], Look(lines=True))
    assert [line.rstrip() for line in shown.splitlines()[2:4]] == [" scan │ 1", "   t  │"]


def test_a_table_is_cut_to_the_terminal_and_whole_elsewhere():
    rows = [(n, "茶" * 50, "b" * 90) for n in range(3)]
    columns = [NUMBER, TEXT, Column("t", "VARCHAR")]
    narrow = written(write_table, columns, rows, Look(width=40)).splitlines()
    assert all(width_of(line) <= 40 for line in narrow) and "…" in narrow[2]
    assert "茶" * 50 in written(write_table, columns, rows)
    many = [Column(f"column_{n}", "VARCHAR") for n in range(30)]
    lines = written(write_table, many, [("value",) * 30], Look(width=40)).splitlines()
    assert all(width_of(line) <= 60 for line in lines) and "columns not shown" in lines[-1]


def test_a_terminal_shows_the_first_rows_and_says_so():
    out = io.StringIO()
    assert write_table([NUMBER], iter([(1,), (2,), (3,)]), out, Look(rows_max=2)) == 2
    assert out.getvalue().endswith("(2 rows shown, there are more)\n")


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab喝é👩\u200d👧🏽e\u0301 ", max_size=30), st.integers(1, 40))
def test_cutting_never_exceeds_the_width(content, width):
    shown = cut(content, width)
    assert width_of(shown) <= max(width, 1)
    assert len(pad(shown, width)) - len(shown) == width - width_of(shown)
    assert shown == content or width_of(content) > width


# Arguments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("7", 7),
        ("-1.5e3", -1500.0),
        ("007", "007"),
        ('"7"', "7"),
        ("null", None),
        ("true", True),
        ("ada", "ada"),
        ("9223372036854775808", "9223372036854775808"),
        ("[1, 2]", "[1, 2]"),
        ("NaN", "NaN"),
        ('"', '"'),
        ("", ""),
    ],
)
def test_a_typed_value_is_what_it_looks_like(typed, value):
    assert scalar(typed) == value and type(scalar(typed)) is type(value)


def test_parameters_are_bound_by_name_or_place():
    assert bind("SELECT :a", {"a": 1, "b": 2}) == {"a": 1}
    assert bind("SELECT 1", {"a": 1}) == ()
    assert bind("SELECT ?, ?", {"1": "x", "2": "y"}) == ["x", "y"]
    with pytest.raises(UsageError, match="no value for parameter 1"):
        bind("SELECT ?", {"2": "y"})


def test_a_wrong_file_argument_is_explained(tmp_path):
    (tmp_path / "agent.db").write_bytes(b"")
    (tmp_path / "agent.db.d").mkdir()
    with pytest.raises(UsageError, match=r'Did you mean ".*agent\.db"'):
        check_file(str(tmp_path))
    with pytest.raises(UsageError, match="what is derived"):
        check_file(str(tmp_path / "agent.db.d"))
    with pytest.raises(UsageError, match="no folder"):
        check_file(str(tmp_path / "no" / "agent.db"))
    with pytest.raises(UsageError, match=r'Did you mean ".*agent\.db"'):
        check_file(str(tmp_path / "agnt.db"), must_exist=True)


def test_output_never_overwrites_the_database(tmp_path):
    file = tmp_path / "a.db"
    file.write_bytes(b"")
    (tmp_path / "link").symlink_to(file)
    for name in ("a.db", "link", "a.db-wal", "a.db.d/x"):
        with pytest.raises(UsageError, match="belongs to the database"):
            refuse_database(str(tmp_path / name), str(file))
    refuse_database(str(tmp_path / "a.db.csv"), str(file))


def test_a_check_is_fine_or_not():
    assert is_fine(["part", "ok"], ("file", True)) and is_fine(["status"], ("OK",))
    assert not is_fine(["part", "ok"], ("file", 0)) and not is_fine(["status"], ("corrupt",))


# Text files ---------------------------------------------------------------------------------------


def test_html_gives_its_visible_text():
    page = (
        "<title>Tea &amp; more</title><style>p{}</style><h1>Tea</h1><p>Green\n tea</p>"
        "<ul><li>a<li>b</ul><pre>x\n  y</pre><script>no()</script>"
    )
    title, content = html_text(page)
    assert title == "Tea & more"
    assert content == "# Tea\n\nGreen tea\n\na\nb\n\nx\n  y\n"


def test_text_files_are_read_or_refused(tmp_path):
    def made(name, raw):
        (tmp_path / name).write_bytes(raw)
        return tmp_path / name

    assert read_file(made("a.md", b"intro\n\n# The title #\r\nText")).title == "The title"
    assert read_file(made("b.txt", "\ufeff茶".encode("utf-16"))).content.endswith("茶")
    assert read_file(made("g.txt", "喝茶".encode("gb18030")), "gb18030").content == "喝茶"
    for raw, reason in ((b"\x81\xfa", "not utf-8"), (b"a\x00b", "zero bytes"), (b" \n", "no text")):
        with pytest.raises(Unreadable, match=reason):
            read_file(made("c.txt", raw))
    with pytest.raises(Unreadable, match="no such file"):
        read_file(tmp_path / "none.txt")
    (tmp_path / ".git").mkdir()
    made(".git/x.md", b"hidden")
    made("d.png", b"picture")
    assert [path.name for path in walk(tmp_path)] == ["a.md", "b.txt", "c.txt", "g.txt"]


# The command, in this process ---------------------------------------------------------------------


@pytest.fixture
def db(tmp_path, monkeypatch):
    """A new database with a table of three rows; its folder is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SQLAGENT_HISTORY", str(tmp_path / "history"))
    statements = (
        "CREATE TABLE tea (id BIGINT, name VARCHAR)",
        "INSERT INTO tea VALUES (1, '龙井'), (2, NULL), (3, 'Assam')",
    )
    assert main(["agent.db", "--create", *statements]) == 0
    return "agent.db"


@pytest.fixture
def run(capfd):
    """Runs a command line; returns its exit status, standard output and standard error."""

    def call(*arguments):
        capfd.readouterr()
        status = main(list(arguments))
        out, err = capfd.readouterr()
        return status, out, err

    return call


def test_statements_write_their_rows(db, run):
    status, out, err = run(db, "SELECT name, id FROM tea ORDER BY id; SELECT 'x' AS y")
    assert status == 0 and err == ""
    assert " 龙井  │  1\n" in out and "(3 rows)" in out and "(1 row)" in out


def test_formats(db, run):
    query = "SELECT id, name FROM tea ORDER BY id"
    assert run(db, query, "--format", "csv")[1] == "id,name\r\n1,龙井\r\n2,\r\n3,Assam\r\n"
    assert json.loads(run(db, query, "--format", "json")[1])[1] == {"id": 2, "name": None}
    assert "| 3 | Assam |" in run(db, "--format", "markdown", query)[1]
    assert run(db, query, "--format", "csv", "--no-headers")[1].startswith("1,")
    status, _, err = run(db, query, "--format", "xml")
    assert status == 2 and "xml" in err


def test_output_goes_to_a_file_and_an_error_leaves_it(db, run, tmp_path):
    import pyarrow

    query = "SELECT id, name FROM tea ORDER BY id"
    assert run(db, query, "--format", "arrow", "--output", "t.arrow") == (0, "", "")
    table = pyarrow.ipc.open_stream((tmp_path / "t.arrow").read_bytes()).read_all()
    assert table.column("name").to_pylist() == ["龙井", None, "Assam"]
    (tmp_path / "kept.csv").write_text("kept")
    assert run(db, "SELECT nothing FROM tea", "--output", "kept.csv")[0] == 1
    assert (tmp_path / "kept.csv").read_text() == "kept"
    assert run(db, query, "--output", db)[0] == 2
    assert run(db, query)[0] == 0


def test_parameters(db, run):
    query = "SELECT id FROM tea WHERE name = :name AND id < $most"
    given = ("--param", "name=龙井", "--param", "most=9", "--format", "csv")
    assert run(db, query, *given)[1] == "id\r\n1\r\n"
    by_place = run(db, "SELECT id FROM tea WHERE id > ?", "--param", "1=2", "--format", "csv")
    assert by_place[1] == "id\r\n3\r\n"
    status, _, err = run(db, "SELECT 1", "--param", "nmae=x")
    assert status == 2 and 'no statement has a parameter "nmae"' in err


def test_an_error_stops_the_rest_unless_told_otherwise(db, run):
    status, out, err = run(db, "SELECT 1 AS a", "SELECT nothing FROM tea", "SELECT 2 AS b")
    assert status == 1 and " b\n" not in out and err.startswith("error: ") and "LINE 1: " in err
    status, out, _ = run(
        db, "SELECT nothing FROM tea", "SELECT 'open", "SELECT 2 AS b", "--continue-on-error"
    )
    assert status == 1 and " b\n" in out


def test_a_missing_file_is_not_made_by_a_query(db, run, tmp_path):
    status, _, err = run("nosuch.db", "SELECT 1")
    assert status == 2 and "--create" in err and not (tmp_path / "nosuch.db").exists()
    assert run("nosuch.db", "--read-only")[0] == 2
    assert run("nosuch.db", "--create", "SELECT 1")[0] == 0 and (tmp_path / "nosuch.db").exists()


def test_read_only_refuses_writes(db, run):
    assert run(db, "--read-only", "SELECT count(*) FROM tea")[0] == 0
    assert run(db, "--read-only", "DELETE FROM tea")[0] == 1
    assert "(3 rows)" in run(db, "SELECT * FROM tea")[1]


def test_wrong_usage(db, run, tmp_path):
    assert run()[0] == 2
    assert run(".")[0] == 2
    assert run("import")[0] == 2
    assert run(db, "--nope")[0] == 2
    assert run("--help")[0] == 0 and run("import", "--help")[0] == 0


def test_a_file_named_as_a_command(db, run, tmp_path):
    (tmp_path / db).rename(tmp_path / "check")
    assert run("check", "SELECT 1 AS one")[0] == 0
    assert run("./check", "SELECT 1 AS one")[0] == 0


def test_the_timer_and_settings(db, run):
    status, _, err = run(db, "--timer", "SELECT 1", "--set", "dialect=sqlite")
    assert status == 0 and err.startswith("time: ") and "1 row" in err


def test_check(db, run):
    status, out, _ = run("check", db)
    assert status == 0 and "row" in out
    assert run("check", "nosuch.db")[0] == 2


def test_dot_commands(db, run, tmp_path):
    assert "tea\n" in run(db, ".tables")[1] and run(db, ".tables t?a")[1] == "tea\n"
    assert "CREATE TABLE" in run(db, ".schema TEA")[1]
    assert "recall(" in run(db, ".functions recall")[1]
    assert "dialect" in run(db, ".settings dia")[1]
    assert ".import SOURCE TABLE" in run(db, ".help")[1]
    assert run(db, ".mode json", "SELECT 1 AS a", ".mode line", "SELECT 1 AS a")[1] == (
        '[{"a": 1}]\na = 1\n'
    )
    (tmp_path / "s.sql").write_text(".mode csv\n.headers off\nSELECT 7;\nSELECT\n nope;\nSELECT 8;")
    status, out, err = run(db, ".read s.sql")
    assert status == 1 and out == "7\r\n" and "s.sql:4: error:" in err
    (tmp_path / "loop.sql").write_text(".read loop.sql\n")
    assert "16 files deep" in run(db, ".read loop.sql")[2]
    for wrong in (".tabels", ".mode xml", ".read", ".timer maybe", ".read 'x", ".s", ".schema nix"):
        assert run(db, wrong)[0] == 1, wrong
    assert run(db, ".quit", "SELECT 1") == (0, "", "")
    (tmp_path / "more.csv").write_text("id,name\n9,Mate\n")
    assert "imported 1 row" in run(db, "BEGIN", ".import more.csv tea", "COMMIT")[2]
    assert "(4 rows)" in run(db, ".explain on", "SELECT * FROM tea")[1]
    (tmp_path / "more.csv").write_text("id,colour\n9,red\n")
    assert run(db, ".import more.csv tea")[0] == 1


def test_a_script_from_a_pipe(db, run, monkeypatch):
    script = (
        "-- a note\nSELECT 1 AS a;\n.mode csv\nSELECT ';' AS b\n;SELECT nope;\nSELECT 3 AS c;\n"
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO(script))
    status, out, err = run(db)
    assert status == 1 and "b\r\n;\r\n" in out and "c\r\n" not in out
    assert err.startswith("<stdin>:5: error: ")
    monkeypatch.setattr(sys, "stdin", io.StringIO(script))
    status, out, _ = run(db, "--continue-on-error")
    assert status == 1 and out.endswith("c\r\n3\r\n")


# Import -------------------------------------------------------------------------------------------


def rows(run, db, query):
    return json.loads(run(db, query, "--format", "json")[1])


def test_import_makes_a_table_and_then_adds_to_it(db, run, tmp_path):
    (tmp_path / "p1.csv").write_text("name,age\nAda,36\n喝茶,1\n")
    (tmp_path / "p2.jsonl").write_text('{"age": 5, "name": "Bo"}\n')
    status, _, err = run("import", "p1.csv", db, "--into", "people")
    assert status == 0 and "imported 2 rows of 1 file into people" in err
    assert run("import", "p2.jsonl", db, "--into", "people")[0] == 0
    assert rows(run, db, "SELECT name, age FROM people ORDER BY age") == [
        {"name": "喝茶", "age": 1},
        {"name": "Bo", "age": 5},
        {"name": "Ada", "age": 36},
    ]
    assert run("import", "p?.*", db, "--into", "people", "--replace")[0] == 0
    assert len(rows(run, db, "SELECT * FROM people")) == 3


def test_import_rejects_a_bad_file_whole_and_loads_the_rest(db, run, tmp_path):
    (tmp_path / "1.csv").write_text("id,name\n4,Oolong\n")
    (tmp_path / "2.csv").write_text("id,colour\n5,red\n")
    (tmp_path / "3.csv").write_text("id,name\n6,Mate\n")
    status, _, err = run("import", "1.csv", "2.csv", "3.csv", db, "--into", "tea")
    assert status == 1 and "2 rows of 2 files" in err
    assert 'table "tea" has no column "colour"' in err
    assert len(rows(run, db, "SELECT * FROM tea")) == 5
    rejects = rows(run, db, "SELECT source FROM sqlagent_import_rejects")
    assert rejects == [{"source": "2.csv"}]


def test_import_into_memories(db, run, tmp_path):
    (tmp_path / "m.csv").write_text("agent_id,content\nada,drinks tea\nada,has a cat\n")
    assert run("import", "m.csv", db, "--into", "memories")[0] == 0
    found = rows(run, db, "SELECT content FROM memories WHERE agent_id = 'ada' ORDER BY content")
    assert [row["content"] for row in found] == ["drinks tea", "has a cat"]
    status, _, err = run("import", "m.csv", db, "--into", "memories", "--replace")
    assert status == 2 and "DELETE FROM memories" in err


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("# Tea\nGreen tea is steeped at 80 degrees.\n")
    (folder / "sub" / "b.txt").write_text("乌龙茶 is half oxidised.\n")
    (folder / "bad.txt").write_bytes(b"\xff\xfe\xfa")
    (folder / "c.png").write_bytes(b"no text")
    return folder


def test_import_a_data_file_into_documents(db, run, tmp_path):
    """Rows of documents where its records have a content, else a document."""
    (tmp_path / "prices.csv").write_text("place,price\nOslo,3\n")
    (tmp_path / "rows.csv").write_text("uri,content\nr1,The ferry\nr2,The bus\n")
    status, _, err = run("import", "prices.csv", db, "--into", "documents")
    assert status == 0 and "imported 1 document into collection" in err
    status, _, err = run("import", "rows.csv", db, "--into", "documents")
    assert status == 0 and "imported 2 rows" in err
    found = rows(run, db, "SELECT uri FROM documents ORDER BY uri")
    assert [row["uri"] for row in found] == ["prices.csv", "r1", "r2"]


def test_import_documents(db, run, docs):
    status, _, err = run("import", "docs", db, "--into", "documents", "--collection", "tea")
    assert status == 1 and "imported 2 documents" in err and "bad.txt" in err
    query = "SELECT uri, title FROM documents WHERE collection = 'tea' ORDER BY uri"
    expected = [{"uri": "a.md", "title": "Tea"}, {"uri": "sub/b.txt", "title": "b"}]
    assert rows(run, db, query) == expected
    (docs / "bad.txt").unlink()
    status, _, err = run("import", "docs/", db, "--into", "documents", "--collection", "tea")
    assert status == 0 and "imported 0 documents" in err and "2 were there already" in err
    (docs / "a.md").write_text("# Coffee\nGround.\n")
    again = ("import", "docs/**/*.*", db, "--into", "documents", "--collection", "tea", "--replace")
    (docs / "c.png").unlink()
    assert run(*again)[0] == 0
    assert rows(run, db, query)[0] == {"uri": "a.md", "title": "Coffee"}
    assert len(rows(run, db, query)) == 2


def test_an_interrupted_import_keeps_whole_batches(db, run, tmp_path, monkeypatch):
    from sqlagent.cli.import_documents import Indexer
    from sqlagent.documents.load import BATCH_FILES

    (tmp_path / "many").mkdir()
    for number in range(BATCH_FILES + 6):
        (tmp_path / "many" / f"{number:03}.txt").write_text(f"document {number}")
    index = Indexer.put

    def interrupted(self, file, reject):
        if file.uri == f"{BATCH_FILES + 3:03}.txt":
            raise KeyboardInterrupt
        return index(self, file, reject)

    monkeypatch.setattr(Indexer, "put", interrupted)
    status, _, err = run("import", "many", db, "--into", "documents")
    assert status == 130 and f"imported {BATCH_FILES} documents" in err
    found = rows(run, db, "SELECT count(*) AS n FROM documents")
    assert found == [{"n": BATCH_FILES}]


def test_import_says_what_it_cannot_do(db, run, docs):
    assert "nothing matches" in run("import", "*.none", db, "--into", "t")[2]
    assert "no such file or folder" in run("import", "none.csv", db, "--into", "t")[2]
    assert "--into documents" in run("import", "docs", db, "--into", "t")[2]
    assert run("import", "docs", db, "--into", "t", "--append", "--replace")[0] == 2


# The command, as a process ------------------------------------------------------------------------

ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000000) "
    "SELECT count(*) FROM n"
)


@pytest.fixture
def process():
    """`process(*arguments)`: the command in a process of its own, killed at the end of the test."""
    made = []

    def start(*arguments, **keywords):
        made.append(started(*arguments, **keywords))
        return made[-1]

    yield start
    for running in made:
        running.kill()
        running.wait()
        for pipe in filter(None, (running.stdin, running.stdout, running.stderr)):
            pipe.close()


def started(*arguments, **keywords):
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    command = [sys.executable, "-m", "sqlagent.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        **keywords,
    )


def test_ctrl_c_ends_a_statement_and_the_process(db, process):
    running = process(db, "--format", "csv", "SELECT 'ready'", ENDLESS, "SELECT 'never'")
    assert "ready" in running.stdout.readline() + running.stdout.readline()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130 and "never" not in out
    assert err.strip() == "interrupted"


def test_ctrl_c_goes_on_where_what_it_reached_had_just_ended():
    again, told = threading.Event(), []

    def interrupt():
        told.append(1)
        if len(told) == 1:
            raise RuntimeError("it is closed")
        again.set()

    cancel = Cancel(interrupt)
    with pytest.raises(KeyboardInterrupt), cancel:
        signal.raise_signal(signal.SIGINT)
        assert again.wait(30), "the thread that interrupts has ended"
        cancel.check()
    cancel.close()


def test_a_closed_pipe_is_no_error(db, process):
    tables = ", ".join(f"tea t{number}" for number in range(12))  # 531,441 rows
    running = process(db, "--format", "csv", f"SELECT t0.name FROM {tables}")
    assert running.stdout.readline()
    running.stdout.close()
    assert running.stderr.read() == ""
    assert running.wait(timeout=30) == 0


def test_start_up_loads_nothing_heavy(db):
    code = (
        "import sys; from sqlagent.cli import main; status = main(sys.argv[1:]);"
        "print(sorted(set(sys.modules) & {'rich', 'prompt_toolkit', 'pyarrow', 'numpy', 'wcwidth',"
        " 'pygments', 'asyncio'}), status)"
    )
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    for arguments in (["--version"], [db, "SELECT name FROM tea WHERE id = 3"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            encoding="utf-8",
        )
        assert done.stdout.endswith("[] 0\n"), done.stdout + done.stderr


# The shell ----------------------------------------------------------------------------------------


@pytest.fixture
def typed(db, capfd):
    """Types keys into a shell on the database; returns what it wrote: output and messages."""
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    from sqlagent.cli.session import Session
    from sqlagent.cli.shell import shell

    def call(keys):
        capfd.readouterr()
        session = Session(db)
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(keys)
            try:
                shell(session)
            finally:
                session.close()
        return capfd.readouterr()

    return call


def test_the_shell_runs_statements_of_several_lines(typed, tmp_path):
    out, err = typed("SELECT count(*)\r AS n FROM tea\r;\r.mode csv\rSELECT 'a;b' AS x;\r\x04")
    assert " 3\n" in out and "x\r\na;b\r\n" in out
    assert "error" not in err
    history = tmp_path / "history"
    assert "SELECT 'a;b'" in history.read_text() and history.stat().st_mode & 0o077 == 0


def test_the_shell_survives_errors_and_ctrl_c(typed):
    out, err = typed("SELECT nope;\r.nope\rSELECT 1,\r\x03SELECT 5 AS five;\r.quit\r")
    assert err.count("error: ") == 2 and " five\n" in out


def test_the_shell_tells_of_changes_and_open_transactions(typed, run, db):
    _, err = typed("BEGIN;\rDELETE FROM tea;\rexit\r")
    assert "3 rows changed" in err and "rolled back" in err
    assert "(3 rows)" in run(db, "SELECT * FROM tea")[1]


def test_the_prompt_shows_a_transaction(db):
    from sqlagent.cli.session import Session
    from sqlagent.cli.shell import _prompt

    session = Session(db)
    try:
        assert _prompt(session) == "agent> "
        session.run("BEGIN")
        assert _prompt(session) == "agent*> "
    finally:
        session.close()


def test_completion_fits_the_place(db):
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from sqlagent.cli.catalog import Names
    from sqlagent.cli.complete import SqlCompleter
    from sqlagent.cli.session import Session

    session = Session(db)
    completer = SqlCompleter(Names(session))

    def offered(before, after=""):
        document = Document(before + after, len(before))
        found = completer.get_completions(document, CompleteEvent(completion_requested=True))
        return [completion.text for completion in found]

    try:
        assert offered("sel") == ["select"] and offered("SEL") == ["SELECT"]
        assert "tea" in offered("SELECT * FROM t") and "recall(" in offered("SELECT * FROM rec")
        assert offered("SELECT t.", " FROM tea t") == ["id", "name"]
        assert offered("SELECT na", " FROM tea")[0] == "name"
        assert offered("INSERT INTO te") == ["tea"]
        assert offered(".tab") == ["tables"]
        session.run("CREATE TABLE teapot (a BIGINT)")
        assert offered("INSERT INTO te") == ["tea", "teapot"]
    finally:
        session.close()
