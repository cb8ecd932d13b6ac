"""memory_health: what SQL alone cannot set up, and what it costs."""

from __future__ import annotations

import time

import sqlagent


def test_long_chinese_texts_of_another_client_are_not_found(words: sqlagent.Connection) -> None:
    insert = "INSERT INTO memories (agent_id, content) VALUES ('ada', ?)"
    words.execute(insert, ("护照放在书房左边的抽屉里，" * 400,))
    words.execute(insert, ("an English text, " * 400,))
    words.execute("SELECT remember('ada', ?)", ("会议改到星期三下午，" * 500,))
    words.execute(insert, ("gone from the full text",))
    words.execute("DELETE FROM memories_fts WHERE rowid = 4")
    sql = "SELECT measure, count, examples FROM memory_health('ada') WHERE measure = ?"
    assert words.execute(sql, ("oversized",)).fetchall() == [("oversized", 3, "[1, 2, 3]")]
    assert words.execute(sql, ("without_full_text",)).fetchall() == [
        ("without_full_text", 2, "[1, 4]")
    ]
    words.execute("CALL rebuild('text')").fetchall()
    assert words.execute(sql, ("without_full_text",)).fetchall() == [("without_full_text", 0, "[]")]


def test_memories_of_one_pattern(words: sqlagent.Connection) -> None:
    """The worst there is for what nearly repeats: all of one sentence, with two words changed."""
    things = ("tea", "cup", "train", "book", "garden", "parcel", "piano", "kayak", "pen", "bed")
    rows = [
        ("ada", f"Ada saw the {a}{m} beside the {b}{n} in the old market hall of Bonn")
        for a in things
        for b in things
        for m in range(5)
        for n in range(4)
    ]
    words.executemany("INSERT INTO memories (agent_id, content) VALUES (?, ?)", rows)
    words.execute("SELECT * FROM memory_health('nobody')").fetchall()
    start = time.process_time()
    found = dict(words.execute("SELECT measure, count FROM memory_health('ada')").fetchall())
    took = time.process_time() - start
    assert found["memories"] == 2000
    assert found["duplicates"] == found["near_duplicates"] == 0
    assert took < 4  # 0.2 s on an idle machine; all pairs would take minutes
