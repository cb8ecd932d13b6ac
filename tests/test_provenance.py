"""Provenance and links: sources in JSON, exact slices, circles, what is gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent
from sqlagent.memory import provenance

TEXT = "渡轮晚上十一点开。\nThe night ferry 🛳 leaves at eleven."


def add(con: sqlagent.Connection, memory_id: int, sources: Any) -> int:
    """What remember(…, sources => …) does with its argument."""

    def work(handle: Any) -> int:
        return provenance.add(handle, memory_id, json.dumps(sources))

    return int(con.database.write(work))


@pytest.fixture
def told(words: sqlagent.Connection) -> sqlagent.Connection:
    """Three memories of 'ada', one of 'bob', a document, and a session of two turns."""
    words.execute(
        "SELECT index_document(?, uri => 'ferry.md', chunk_size => 12, overlap => 0)", (TEXT,)
    )
    for text, session in (("hello", "s"), ("你好", "s"), ("derived", None)):
        words.execute("SELECT remember('ada', ?, session_id => ?)", (text, session))
    words.execute("SELECT remember('bob', 'his')")
    return words


def test_every_kind_of_source(told: sqlagent.Connection) -> None:
    sources = [
        {"memory_id": 1}, {"document_id": 1, "position": 2, "length": 4}, {"document_id": 1},
        {"chunk_id": 2}, {"session_id": "s", "turn": 2}, {"session_id": "s"},
    ]  # fmt: skip
    assert add(told, 3, sources) == 6
    assert add(told, 3, sources) == 0  # said again
    rows = told.execute("SELECT kind, position, length, turn, content FROM provenance(3)")
    chunk, at = told.execute("SELECT content, position FROM chunks WHERE chunk_id = 2").fetchone()
    assert rows.fetchall() == [
        ("memory", None, None, None, "hello"),
        ("document", 2, 4, None, TEXT[2:6]),
        ("document", 0, len(TEXT), None, TEXT),
        ("document", at, len(chunk), None, chunk),
        ("turn", None, None, 2, "你好"),
        ("turn", None, None, 1, "hello"),
        ("turn", None, None, 2, "你好"),
    ]


def test_remember_says_them_at_once(told: sqlagent.Connection) -> None:
    sql = "SELECT remember('ada', ?, sources => ?)"
    (new,) = told.execute(
        sql, ("十一点开船", '[{"document_id": 1, "position": 0, "length": 9}]')
    ).fetchone()
    rows = told.execute("SELECT content FROM provenance(?)", (new,)).fetchall()
    assert rows == [(TEXT[:9],)]
    # A repeat of its own source says nothing of where it is from.
    assert told.execute(sql, ("derived", '{"memory_id": 3}')).fetchone() == (3,)
    assert told.execute("SELECT * FROM provenance(3)").fetchall() == []
    with pytest.raises(sqlagent.ProgrammingError, match="there is no document 7"):
        told.execute(sql, ("from nowhere", '{"document_id": 7}'))
    count = "SELECT count(*) FROM memories WHERE content = 'from nowhere'"
    assert told.execute(count).fetchone() == (0,)


def test_one_source_needs_no_list(told: sqlagent.Connection) -> None:
    assert add(told, 3, {"memory_id": 2}) == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"memory_id": 9}, "there is no memory 9"),
        ({"memory_id": 4}, "a memory of the same agent, 'ada', not 'bob'"),
        ({"memory_id": "1"}, "memory_id of a source is a whole number, not '1'"),
        ({"memory_id": True}, "memory_id of a source is a whole number, not True"),
        ({"memory_id": None}, "memory_id of a source is a whole number, not None"),
        ({"memory_id": 1, "position": 2}, "a source with memory_id has no position"),
        ({"memory_id": 1, "document_id": 1}, "a source is one of"),
        ({"document_id": 9}, "there is no document 9"),
        ({"document_id": 1, "position": 2, "length": 99}, "is within the 45 characters of docu"),
        ({"document_id": 1, "position": -1}, "is within the 45 characters"),
        ({"chunk_id": 99}, "there is no chunk 99"),
        ({"session_id": "s", "turn": 3}, "there is no turn 3 in session 's' of 'ada'"),
        ({"session_id": "t"}, "there is no session 't' of 'ada'"),
        ({"session_id": 5}, "session_id of a source is a text, not 5"),
        ({"page": 1}, "a source is one of"),
        ("ferry.md", "a source is one of"),
        (None, "a source is one of"),
    ],
)
def test_what_does_not_exist_or_fit_is_refused(
    told: sqlagent.Connection, source: Any, message: str
) -> None:
    with pytest.raises(sqlagent.Error, match=message):
        add(told, 3, [{"memory_id": 1}, source])
    assert told.execute("SELECT count(*) FROM memory_sources").fetchone() == (0,)


def test_what_is_gone_has_no_content(told: sqlagent.Connection) -> None:
    add(told, 3, [{"document_id": 1, "position": 0, "length": 2}])
    told.execute("DELETE FROM documents")
    rows = told.execute("SELECT kind, document_id, position, length, content FROM provenance(3)")
    assert rows.fetchall() == [("document", 1, 0, 2, None)]


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), max_size=15))
def test_any_graph_is_walked_once(edges: list[tuple[int, int]]) -> None:
    con = sqlagent.connect(":memory:", embedding_model="none")
    try:
        for n in range(6):
            con.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', ?)", (f"m{n}",))
        graph = sorted({(a, b) for a, b in edges if a != b})
        for a, b in graph:
            sql = "INSERT INTO memory_sources (memory_id, source_memory_id) VALUES (?, ?)"
            con.execute(sql, (a, b))
        depth, reached = {1: 0}, [1]
        for one in reached:
            for a, b in graph:
                if a == one and b not in depth:
                    depth[b] = depth[one] + 1
                    reached.append(b)
        wanted = {(depth[a] + 1, a, b) for a, b in graph if a in depth}
        rows = con.execute("SELECT depth, memory_id, source_memory_id FROM provenance(1)")
        found = rows.fetchall()
        assert set(found) == wanted and len(found) == len(wanted)
        assert [row[0] for row in found] == sorted(row[0] for row in found)
    finally:
        con.close()
