"""Every `tests/sql/**/*.test` on every route: the same rows; a forced route may refuse."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from logic import ROUTES, Runner, Unsupported, read

from sqlagent.functions import functions

FOLDER = Path(__file__).parent / "sql"
FILES = sorted(FOLDER.rglob("*.test"))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(FOLDER).with_suffix("")))
def test_file(file: Path, route: str, tmp_path: Path) -> None:
    runner = Runner(tmp_path / "agent.db", route)
    try:
        wrong = runner.run(file.read_text(encoding="utf-8"), file.name)
    except Unsupported as reason:
        pytest.skip(str(reason))
    assert not wrong, "\n\n".join(wrong)
    assert runner.ran


def test_each_function_has_a_file() -> None:
    assert set(functions()) <= {file.stem for file in FILES}


CORPUS = """
hash-threshold 8

statement ok
CREATE TABLE t1(a INTEGER, b VARCHAR(9), c FLOAT)

statement ok
INSERT INTO t1 VALUES(1,'one',1.5),(2,'',NULL),(3,'three',2)

onlyif mysql
halt

skipif sqlite # not run
statement error
SELECT 1

query ITR rowsort label-1
SELECT a, b, c FROM t1
----
1
one
1.500
2
(empty)
NULL
3
three
2.000

query ITR rowsort label-1
SELECT a, b, c FROM t1 ORDER BY 1 DESC
----
9 values hashing to HASH

statement error
SELECT * FROM nowhere
"""


def corpus(text: str = CORPUS) -> str:
    values = ["1", "one", "1.500", "2", "(empty)", "NULL", "3", "three", "2.000"]
    return text.replace("HASH", hashlib.md5("".join(v + "\n" for v in values).encode()).hexdigest())


def test_reads_the_format_of_sqlite(tmp_path: Path) -> None:
    runner = Runner(tmp_path / "a.db", "auto", "sqlite", frozenset(["sqlite"]), exact=False)
    assert runner.run(corpus()) == []
    assert runner.ran == 5
    again = Runner(tmp_path / "b.db", "auto", "sqlite", frozenset(["sqlite"]), exact=False)
    assert len(again.run(corpus().replace("2.000", "2.001").replace("DESC\n", "LIMIT 2\n"))) == 2


def test_says_what_is_wrong(tmp_path: Path) -> None:
    text = """
statement ok
SELECT nothing_here

statement error
SELECT 1

statement error
SELECT nothing_here
----
^no such words$

query I
SELECT 2
----
1

query R
SELECT 2
----
2

query II
SELECT 2
----
2\t2
"""
    wrong = Runner(tmp_path / "a.db").run(text, "f")
    said = ["failed", "no error", "another error", "expected\n1", "expected type R", "expected 2"]
    assert len(wrong) == len(said)
    for message, part in zip(wrong, said, strict=True):
        assert message.startswith("f:") and part in message


@pytest.mark.parametrize(
    "text", ["nonsense\n", "statement maybe\nSELECT 1\n", "query I upsort\nX\n"]
)
def test_refuses_what_is_no_record(text: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        read(text)
