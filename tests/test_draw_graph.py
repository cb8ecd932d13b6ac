"""draw_graph and `sqlagent graph`: whatever entities are called, the picture can be read."""

from __future__ import annotations

import math
import os
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.cli import main
from sqlagent.graph.layout import places

NAMES = st.text(min_size=1, max_size=40).filter(lambda t: t.strip() and t.isprintable())


@pytest.fixture(scope="module")
def con() -> object:
    with sqlagent.connect(":memory:", embedding_model="none") as made:
        yield made
    made.close()


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, st.text(min_size=1, max_size=20).filter(lambda t: t.strip()))
def test_names_of_all_kinds(con: sqlagent.Connection, a: str, b: str, predicate: str) -> None:
    con.execute("BEGIN")
    try:
        con.execute("SELECT relate(?, ?, ?)", (a, predicate, b)).fetchall()
        drawn = con.execute("SELECT draw_graph(?)", (a,)).fetchone()[0]
        texts = [e.text for e in ElementTree.fromstring(drawn).iter() if e.tag.endswith("title")]
        assert any(a == text for text in texts) and any(b == text for text in texts)
        plain = con.execute("SELECT draw_graph(?, format => 'mermaid')", (a,)).fetchone()[0]
        assert plain.count("\n") == 2 + len({a, b})
        dot = con.execute("SELECT draw_graph(?, format => 'dot')", (a,)).fetchone()[0]
        assert dot.count("\n") == 4 + len({a, b})
    finally:
        con.execute("ROLLBACK")


def test_what_is_related_stands_together() -> None:
    rings = [(n, (n + 1) % 6) for n in range(6)] + [(6 + n, 6 + (n + 1) % 6) for n in range(6)]
    found = places(12, rings)
    assert found == places(12, rings)
    related = [math.dist(found[a], found[b]) for a, b in rings]
    others = [
        math.dist(found[a], found[b])
        for a in range(12) for b in range(a) if (a, b) not in rings and (b, a) not in rings
    ]  # fmt: skip
    assert max(related) < sum(others) / len(others)
    assert min(*related, *others) > 0.3  # none on top of another
    assert places(0, []) == [] and len(places(1, [(0, 0)])) == 1


def test_command(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with sqlagent.connect("agent.db") as con:
        con.execute("SELECT relate('Ada', '喜欢', '龙井茶')")
    con.close()
    assert main(["graph", "agent.db"]) == 0
    assert "龙井茶" in (tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert main(["graph", "agent.db", "Ada", "--depth", "1", "-o", "ada.mmd"]) == 0
    assert (tmp_path / "ada.mmd").read_text(encoding="utf-8").startswith("graph LR\n")
    assert capsys.readouterr().out == "graph.svg\nada.mmd\n"
    assert main(["graph", "agent.db", "Bob"]) == 1
    assert 'unknown entity "Bob"' in capsys.readouterr().err
    assert main(["graph", "agent.db", "-o", "graph.png"]) == 2
    assert '"graph.png" does not end in one of .svg' in capsys.readouterr().err
    assert main(["graph", "agent.db", "-o", "nowhere/graph.svg"]) == 2
    assert "No such file" in capsys.readouterr().err
    assert main(["graph", "nothing.db"]) == 2
    assert not os.path.exists("nothing.db")
