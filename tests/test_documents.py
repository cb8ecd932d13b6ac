"""Files of every kind as documents: real ones, made by the libraries that write them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

import sqlagent
from sqlagent.documents.formats import BYTES_MAX, read_file
from sqlagent.documents.text import Unreadable, decode

Copy = Callable[..., dict[str, Any]]


@pytest.fixture
def copy(words: sqlagent.Connection) -> Copy:
    """COPY documents FROM a path: its row by name."""

    def run(path: Path | str, options: str = "") -> dict[str, Any]:
        cursor = words.execute(f"COPY documents FROM ? {options}", (str(path),))
        names = [column[0] for column in cursor.description or []]
        return dict(zip(names, cursor.fetchone() or (), strict=True))

    return run


def uris(con: sqlagent.Connection) -> list[str]:
    return [row[0] for row in con.execute("SELECT uri FROM documents ORDER BY uri").fetchall()]


# Formats ------------------------------------------------------------------------------------------


def test_docx(tmp_path: Path) -> None:
    library = pytest.importorskip("docx")
    document = library.Document()
    document.add_heading("Night ferry", 1)
    document.add_paragraph("It leaves at eleven. 渡船十一点出发。")
    document.add_paragraph("a passport", style="List Bullet")
    cells = document.add_table(2, 2).rows
    for row, values in zip(cells, (("from", "to"), ("Oslo", "Skagen")), strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    document.core_properties.title = "Timetable"
    document.save(str(tmp_path / "a.docx"))
    title, content = read_file(tmp_path / "a.docx")
    assert title == "Timetable"
    assert content == (
        "# Night ferry\n\nIt leaves at eleven. 渡船十一点出发。\n\n- a passport\n\n"
        "| from | to |\n|---|---|\n| Oslo | Skagen |"
    )


def test_pptx(tmp_path: Path) -> None:
    library = pytest.importorskip("pptx")
    deck = library.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Results"
    slide.placeholders[1].text = "Sales rose by a third."
    slide.notes_slide.notes_text_frame.text = "Pause here."
    deck.save(str(tmp_path / "a.pptx"))
    title, content = read_file(tmp_path / "a.pptx")
    assert content == "## Slide 1: Results\n\nSales rose by a third.\n\nNotes: Pause here."
    assert title in ("a", "PowerPoint Presentation")


def test_xlsx(tmp_path: Path) -> None:
    library = pytest.importorskip("openpyxl")
    book = library.Workbook()
    sheet = book.active
    sheet.title = "Ports"
    for row in (("port", "berths", "note"), ("Oslo", 12, None), ("上海", 40, "large")):
        sheet.append(row)
    book.create_sheet("Empty")
    book.save(str(tmp_path / "a.xlsx"))
    assert read_file(tmp_path / "a.xlsx").content == (
        "## Ports\n\nport: Oslo; berths: 12\nport: 上海; berths: 40; note: large"
    )


def test_pdf(tmp_path: Path) -> None:
    library = pytest.importorskip("fpdf")
    pytest.importorskip("pypdf")
    document = library.FPDF()
    document.set_title("Ferry guide")
    document.set_font("helvetica", size=12)
    for text in ("The ferry leaves at eleven.", "Bring a passport."):
        document.add_page()
        document.multi_cell(0, text=text)
    document.output(str(tmp_path / "a.pdf"))
    assert read_file(tmp_path / "a.pdf") == (
        "Ferry guide",
        "The ferry leaves at eleven.\n\nBring a passport.",
    )
    empty = library.FPDF()
    empty.add_page()
    empty.output(str(tmp_path / "scan.pdf"))
    with pytest.raises(Unreadable, match="no text in its 1 pages"):
        read_file(tmp_path / "scan.pdf")


def test_mail(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "会议 on Friday", "ada@x.org", "bob@x.org"
    message.set_content("We meet at ten.\n")
    message.add_alternative("<p>We meet at <b>ten</b>.</p>", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="plan.pdf")
    (tmp_path / "a.eml").write_bytes(bytes(message))
    title, content = read_file(tmp_path / "a.eml")
    assert title == "会议 on Friday"
    assert content == (
        "# 会议 on Friday\n\nFrom: ada@x.org\nTo: bob@x.org\n\nWe meet at ten.\n\n"
        "Attached: plan.pdf"
    )


def test_csv_json_and_code(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('name,city\nAda,"Oslo; Bergen"\n\n李雷,杭州\n', "utf-8")
    assert read_file(tmp_path / "a.csv").content == (
        "name: Ada; city: Oslo; Bergen\nname: 李雷; city: 杭州"
    )
    (tmp_path / "a.json").write_text('{"title":"Tea","n":[1,{"k":"绿茶"}]}', "utf-8")
    title, content = read_file(tmp_path / "a.json")
    assert title == "Tea" and json.loads(content) == {"title": "Tea", "n": [1, {"k": "绿茶"}]}
    assert "绿茶" in content and content.count("\n") > 3
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    assert read_file(tmp_path / "b.jsonl").content == '{"a": 1}\n{"a": 2}'
    (tmp_path / "c.json").write_text("{not json")
    with pytest.raises(Unreadable, match="not JSON"):
        read_file(tmp_path / "c.json")
    (tmp_path / "d.py").write_text("def f():\n    return 1\n")
    assert read_file(tmp_path / "d.py") == ("d", "def f():\n    return 1\n")


@pytest.mark.parametrize(
    "name, suffix",
    [("PDF", "pdf"), ("DOCX", "docx"), ("PPTX", "pptx"), ("XLSX", "xlsx")],
)
def test_broken_files_are_refused(tmp_path: Path, name: str, suffix: str) -> None:
    pytest.importorskip("pypdf")
    rng = random.Random(7)
    for raw in (b"", b"PK\x03\x04", b"%PDF-1.7\n", rng.randbytes(4000)):
        (tmp_path / f"a.{suffix}").write_bytes(raw)
        with pytest.raises(Unreadable, match=f"{name}|password|no text"):
            read_file(tmp_path / f"a.{suffix}")


def test_what_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n")
    with pytest.raises(Unreadable, match=r"pip install 'sqlagent\[documents\]'"):
        read_file(tmp_path / "a.pdf")


# Encodings ----------------------------------------------------------------------------------------

CHINESE = "龙溪茶园位于杭州西南部，每年三月至五月采摘春茶。"
WESTERN = "Größe und Café: déjà vu — “naïve”.\n"


@pytest.mark.parametrize(
    "text, encoding",
    [
        (CHINESE, "utf-8"), (CHINESE, "utf-8-sig"), (CHINESE, "gb18030"), (CHINESE, "gbk"),
        (CHINESE, "utf-16"), ("A plain text.\n" * 4, "utf-16-le"), ("A plain text", "utf-16-be"),
        ("# 标题 title\n" + CHINESE * 50, "gb18030"), (WESTERN, "cp1252"), (WESTERN, "utf-8"),
        (WESTERN * 40, "cp1252"), (CHINESE, "utf-32"),
    ],
)  # fmt: skip
def test_encodings_are_told(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("text", ["夜间渡船十一点出发。" * 3, "Ärger über Öl für fünf Mörder à ß"])
def test_broken_utf8_is_told_and_not_misread(text: str) -> None:
    raw = text.encode()
    with pytest.raises(Unreadable, match=r"not utf-8 text: byte \d+"):
        decode(raw[:-1])
    with pytest.raises(Unreadable, match=r"not utf-8 text: byte \d+"):
        decode(raw + b" \xff\n")


def test_what_is_no_file_is_not_waited_for(
    words: sqlagent.Connection, copy: Copy, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.md").symlink_to(tmp_path / "loop.md")
    (tmp_path / "good.md").write_text("The ferry.")
    done = copy(tmp_path)
    assert (done["imported"], done["rejected"]) == (1, 3)
    assert copy(tmp_path / "pipe.txt")["rejected"] == 1
    assert copy(Path("/dev/zero"))["rejected"] == 1


def test_what_is_no_text_is_refused() -> None:
    noise = random.Random(1).randbytes(5000)
    for raw in (b"\x81\x8d\x8f", noise, bytes(100), b"\x01\x02" * 200):
        with pytest.raises(Unreadable, match=r"not .*text"):
            decode(raw)
    with pytest.raises(Unreadable, match='unknown encoding "klingon"'):
        decode(b"x", "klingon")


# COPY ---------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    (docs / "sub").mkdir(parents=True)
    (docs / "a.md").write_text("# Ferry\n\nThe ferry leaves at eleven.\n")
    (docs / "sub" / "b.txt").write_bytes("夜间渡船十一点出发。".encode("gb18030"))
    (docs / "bad.json").write_text("{")
    (docs / "empty.txt").write_text("")
    (docs / "picture.png").write_bytes(b"\x89PNG")
    return docs


def test_a_folder(words: sqlagent.Connection, copy: Copy, folder: Path) -> None:
    done = copy(folder, "(COLLECTION 'trips')")
    assert {k: v for k, v in done.items() if k != "seconds"} == {
        "imported": 2, "rejected": 2, "unchanged": 0, "vanished": 0,
    }  # fmt: skip
    found = words.execute("SELECT uri, title, collection FROM documents ORDER BY uri").fetchall()
    assert found == [("a.md", "Ferry", "trips"), ("sub/b.txt", "b", "trips")]
    assert words.execute("SELECT uri FROM search('渡船')").fetchall() == [("sub/b.txt",)]
    rejects = words.execute(
        "SELECT source, reason FROM sqlagent_import_rejects ORDER BY source"
    ).fetchall()
    assert [os.path.basename(source) for source, _ in rejects] == ["bad.json", "empty.txt"]
    assert rejects[0][1].startswith("not JSON") and rejects[1][1] == "no text in it"
    assert words.execute(
        "SELECT (metadata->>'$.file.format') FROM documents WHERE uri = 'a.md'"
    ).fetchone() == ("md",)


def test_what_changed_is_replaced_and_what_is_gone_is_told(
    words: sqlagent.Connection, copy: Copy, folder: Path
) -> None:
    copy(folder)
    (first,) = (
        words.execute("SELECT document_id FROM documents WHERE uri = 'a.md'").fetchone() or ()
    )
    (folder / "a.md").write_text("# Ferry\n\nThe ferry leaves at noon.\n")
    (folder / "c.md").write_text("New.")
    (folder / "sub" / "b.txt").unlink()
    done = copy(folder)
    assert (done["imported"], done["unchanged"], done["vanished"]) == (2, 0, 1)
    find = "SELECT document_id, content FROM documents WHERE uri = 'a.md'"
    assert words.execute(find).fetchone() == (first, "# Ferry\n\nThe ferry leaves at noon.\n")
    assert uris(words) == ["a.md", "c.md", "sub/b.txt"]
    gone = "SELECT value, reason FROM sqlagent_import_rejects WHERE rule = 'vanished'"
    assert words.execute(gone).fetchall() == [
        ("sub/b.txt", "the file is no longer there; its document is")
    ]
    done = copy(folder)
    assert (done["imported"], done["unchanged"], done["vanished"]) == (0, 2, 1)
    assert len(words.execute(gone).fetchall()) == 1


def test_patterns_files_and_rows(words: sqlagent.Connection, copy: Copy, folder: Path) -> None:
    assert copy(folder / "**" / "*.md")["imported"] == 1
    assert copy(folder / "sub" / "b.txt")["imported"] == 1
    rows = folder / "rows.csv"
    rows.write_text("uri,content\nr1,first\nr2,second\n")
    assert copy(rows)["imported"] == 2
    assert uris(words) == ["a.md", "b.txt", "r1", "r2"]
    with pytest.raises(sqlagent.OperationalError, match="there is no file or folder"):
        copy(folder / "none")
    with pytest.raises(sqlagent.OperationalError, match="no file matches"):
        copy(folder / "*.none")
    with pytest.raises(
        sqlagent.ProgrammingError, match="COLLECTION is for vectors, and for files that become"
    ):
        copy(rows, "(COLLECTION 'x', HEADER)")


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("prices.csv", "place,price\nOslo,3\nLima,2\n", "document"),
        ("rows.csv", '"uri";"Content"\n"a";"x"\n', "rows"),
        ("rows.tsv", "uri\tcontent\na\tx\n", "rows"),
        ("one.json", '{"name": "content", "steps": [{"content": "no"}]}', "document"),
        ("rows.json", '[{"uri": "a", "content": "x"}]', "rows"),
        ("rows.jsonl", '{"uri": "a", "content": "x"}\n{"uri": "b", "content": "y"}\n', "rows"),
        ("lines.jsonl", '{"place": "Oslo"}\n{"place": "Lima"}\n', "document"),
        ("列.csv", "城市,人口\n奥斯陆,70\n", "document"),
        ("bad.json", "{", "reject"),
        ("empty.csv", "", "reject"),
        ("text.json", '"a text"', "document"),
        ("late.json", '{"uri": "a", "title": "' + "x" * 70_000 + '", "content": "y"}', "rows"),
        ("long.json", '{"uri": "a", "content": "' + "x" * 2_000_000 + '"}', "rows"),
    ],
)
def test_a_data_file_is_a_document_unless_its_records_have_content(
    words: sqlagent.Connection, copy: Copy, tmp_path: Path, name: str, text: str, kind: str
) -> None:
    (tmp_path / name).write_text(text)
    done = copy(tmp_path / name)
    assert (done["imported"], done["rejected"]) == {"reject": (0, 1)}.get(
        kind, (2 if kind == "rows" and "jsonl" in name else 1, 0)
    )
    assert uris(words)[:1] == {"document": [name], "rows": ["a"], "reject": []}[kind]


def test_within_a_transaction_all_or_nothing(
    words: sqlagent.Connection, copy: Copy, folder: Path
) -> None:
    words.execute("BEGIN")
    assert copy(folder)["imported"] == 2
    words.execute("ROLLBACK")
    assert uris(words) == []
    assert copy(folder)["imported"] == 2


def test_without_autocommit_nothing_is_in_before_the_commit(fresh_db: Path, folder: Path) -> None:
    con = sqlagent.connect(fresh_db, autocommit=False, embedding_model="none")
    assert (con.execute("COPY documents FROM ?", (str(folder),)).fetchone() or ())[0] == 2
    con.rollback()
    assert uris(con) == []
    con.close()


def test_a_reader_brings_nothing_in(fresh_db: Path, folder: Path) -> None:
    sqlagent.connect(fresh_db).close()
    reader = sqlagent.connect(fresh_db, read_only=True)
    with pytest.raises(sqlagent.OperationalError, match=r"read-?only"):
        reader.execute("COPY documents FROM ?", (str(folder),))
    reader.close()


def test_a_long_line_and_a_large_file(
    words: sqlagent.Connection, copy: Copy, tmp_path: Path
) -> None:
    (tmp_path / "long.txt").write_text("x" * 1_000_000 + " the end")
    assert copy(tmp_path / "long.txt")["imported"] == 1
    assert words.execute("SELECT max(length(content)) <= 512 FROM chunks").fetchone() == (True,)
    assert words.execute("SELECT count(*) FROM search('end')").fetchone() == (1,)
    with (tmp_path / "large.txt").open("wb") as stream:
        stream.truncate(BYTES_MAX + 1)
    done = copy(tmp_path / "large.txt")
    assert (done["imported"], done["rejected"]) == (0, 1)


SLOW_IMPORT = """
import sys, sqlagent, sqlagent.documents.load as load
put, count = load.Load.put, [0]
def slowly(self, file, reject):
    count[0] += 1
    if count[0] == 100:
        print("under way", flush=True)
        sys.stdin.read()
    return put(self, file, reject)
load.Load.put = slowly
sqlagent.connect(sys.argv[1]).execute("COPY documents FROM ?", (sys.argv[2],)).fetchall()
"""


def test_killed_it_goes_on_where_it_was(fresh_db: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(150):
        (many / f"{number:03}.txt").write_text(f"document {number}")
    arguments = [sys.executable, "-c", SLOW_IMPORT, str(fresh_db), str(many)]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None and running.stdout.readline() == "under way\n"
        running.kill()
    with sqlagent.connect(fresh_db, embedding_model="none") as con:
        assert con.execute("SELECT count(*) FROM documents").fetchone() == (64,)
        row = con.execute("COPY documents FROM ?", (str(many),)).fetchone()
        assert row is not None and (row[0], row[3]) == (86, 64)
        assert con.execute("SELECT count(DISTINCT uri) FROM documents").fetchone() == (150,)


def test_indexing_is_fast_enough(words: sqlagent.Connection, tmp_path: Path) -> None:
    """Far below what a quiet machine does (2 MB/s and more), and far above anything quadratic."""
    rng = random.Random(3)
    vocabulary = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 9))) for _ in range(5000)]
    text = ". ".join(" ".join(rng.choices(vocabulary, k=12)).capitalize() for _ in range(12_000))
    (tmp_path / "a.txt").write_text(text)
    start = time.process_time()
    words.execute("COPY documents FROM ?", (str(tmp_path / "a.txt"),)).fetchall()
    spent = time.process_time() - start
    assert len(text) / 1e6 / spent > 0.4, f"{len(text) / 1e6 / spent:.2f} MB/s of CPU"
