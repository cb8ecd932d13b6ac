"""What foreign clients find in chunks_fts: each Chinese character is a word of its own."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent

TEXTS = st.text(st.sampled_from("渡船 ferry.。é🚀カ\n漢字x\u0301"), min_size=1, max_size=140)


def spaced(text: str) -> str:
    return "".join(f" {c} " if c >= "\u2e80" else c for c in text)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TEXTS)
def test_the_text_that_is_searched(words: sqlagent.Connection, text: str) -> None:
    words.execute("SELECT index_document(?, uri => 'x', chunk_size => 100, overlap => 0)", (text,))
    rows = words.execute(
        "SELECT c.content, f.content FROM chunks c JOIN chunks_fts f ON f.rowid = c.chunk_id"
    ).fetchall()
    assert rows
    for content, searched in rows:
        has_cjk = any(c >= "\u2e80" for c in content)
        assert searched == (spaced(content) if has_cjk else content)


def test_a_foreign_client_finds_and_adds_chinese(fresh_db: Path) -> None:
    con = sqlagent.connect(fresh_db, embedding_model="none")
    con.execute("SELECT index_document('夜间渡船十一点出发，船长数灯。', uri => 'boat')").fetchall()
    con.close()
    foreign = sqlite3.connect(fresh_db)
    find = "SELECT rowid FROM chunks_fts WHERE chunks_fts MATCH ?"
    assert foreign.execute(find, ('"渡 船"',)).fetchall() == [(1,)]
    long = "渡船" * 40 + "灯塔" + " a ferry"  # more than two pieces
    foreign.execute("DELETE FROM chunks")
    foreign.execute(
        "INSERT INTO chunks (chunk_id, document_id, ordinal, position, content) "
        "VALUES (9, 1, 0, 0, ?)",
        (long,),
    )
    foreign.commit()
    assert foreign.execute(find, ('"灯 塔" AND ferry',)).fetchall() == [(9,)]
    foreign.close()
