"""The graph: walks against naive ones, what relations rest on, extraction."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.errors import OperationalError, ProgrammingError
from sqlagent.graph.names import found
from sqlagent.graph.rules import triples

NAMES = ["a", "b", "王芳", "d e", "e'", "f"]
WEIGHTS = st.sampled_from([0.25, 0.5, 1.0, 2.0])  # sums of these, and of 1 / these, are exact
EDGES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["p", "q"]), st.sampled_from(NAMES), WEIGHTS),
    max_size=14, unique_by=lambda e: e[:3],
)  # fmt: skip
WAYS = st.sampled_from(["out", "in", "both"])
Edge = tuple[str, str, str, float]


def graph(edges: list[Edge]) -> sqlagent.Connection:
    """A file in memory with these relations, and every entity."""
    con = sqlagent.connect(":memory:", embedding_model="none")
    con.executemany("INSERT INTO entities (name) VALUES (?)", [(n,) for n in NAMES])
    con.executemany("SELECT relate(?, ?, ?, weight => ?)", edges)
    return con


def ahead(edges: list[Edge], way: str, predicate: str | None) -> dict[str, list[Edge]]:
    """From each name the steps that a walk may take: (end, predicate, direction, weight)."""
    out: dict[str, Any] = defaultdict(list)
    for s, p, o, w in edges:
        if predicate in (None, p):
            if way != "in":
                out[s].append((o, p, "out", w))
            if way != "out" and (s != o or way == "in"):
                out[o].append((s, p, "in", w))
    return out


def naive_paths(steps: dict[str, Any], start: str, end: str, most: int) -> list[Any]:
    """Every simple path, by trying all."""
    done, open_ = [], [((start,), (), 0.0)]
    while open_:
        names, predicates, weight = open_.pop()
        if names[-1] == end and len(names) > 1:
            done.append((list(names), list(predicates), weight))
        elif len(names) <= most:
            open_ += [
                ((*names, o), (*predicates, p), weight + w)
                for o, p, _, w in steps[names[-1]]
                if o not in names
            ]
    return done


@given(EDGES, WAYS, st.sampled_from([None, "p"]), st.integers(0, 6))
@settings(max_examples=40)
def test_neighbors_are_those_of_a_breadth_first_search(
    edges: list[Edge], way: str, predicate: str | None, depth: int
) -> None:
    con, steps = graph(edges), ahead(edges, way, predicate)
    near, edge = {"a": 0}, ["a"]
    expected = {}
    for hop in range(1, depth + 1):
        best: dict[str, Any] = {}
        for name in edge:
            for o, p, d, w in steps[name]:
                if o not in near:
                    best.setdefault(o, []).append((w, p, d))
        for o, ways in best.items():
            near[o] = hop
            top = max(w for w, _, _ in ways)
            expected[o] = (hop, min(((p, d != "out") for w, p, d in ways if w == top)), top)
        edge = list(best)
    rows = con.execute(
        "SELECT * FROM neighbors('a', depth => ?, direction => ?, predicate => ?)",
        (depth, way, predicate),
    ).fetchall()
    assert {r[0]: (r[1], (r[2], r[3] != "out"), r[4]) for r in rows} == expected
    assert [r[1] for r in rows] == sorted(r[1] for r in rows)
    found = con.execute(
        "SELECT subject, predicate, object FROM subgraph('a', depth => ?, direction => ?, "
        "predicate => ?)", (depth, way, predicate),
    ).fetchall()  # fmt: skip
    among = {e[:3] for e in edges if e[0] in near and e[2] in near and predicate in (None, e[1])}
    assert set(found) == among and len(found) == len(among)
    con.close()


@given(EDGES, WAYS, st.integers(0, 6))
@settings(max_examples=60)
def test_paths_are_all_simple_paths_in_order(edges: list[Edge], way: str, depth: int) -> None:
    con, steps = graph(edges), ahead(edges, way, None)
    expected = naive_paths(steps, "a", "f", depth)
    sql = "SELECT * FROM paths('a', 'f', max_depth => ?, direction => ?, k => ?)"
    rows = con.execute(sql, (depth, way, 10_000)).fetchall()
    got = [(json.loads(e), json.loads(p), w) for e, p, _, w in rows]
    assert sorted(got) == sorted(expected)
    order = [(r[2], -r[3]) for r in rows]
    assert order == sorted(order)
    assert con.execute(sql, (depth, way, 3)).fetchall() == rows[:3]
    con.close()


@given(EDGES, WAYS)
@settings(max_examples=60)
def test_the_shortest_path_costs_least(edges: list[Edge], way: str) -> None:
    con, steps = graph(edges), ahead(edges, way, None)
    cost = {name: [(o, p, d, 1 / w) for o, p, d, w in found] for name, found in list(steps.items())}
    every = naive_paths(defaultdict(list, cost), "a", "f", len(NAMES))
    rows = con.execute("SELECT * FROM shortest_path('a', 'f', direction => ?)", (way,)).fetchall()
    assert len(rows) == bool(every)
    if every:
        least = min((c, len(p)) for _, p, c in every)
        assert rows[0][4] == pytest.approx(least[0]) and rows[0][2] == least[1]
        taken = [(json.loads(rows[0][0]), json.loads(rows[0][1]))]
        assert taken[0] in [(n, p) for n, p, c in every if c == pytest.approx(least[0])]
    con.close()


@given(EDGES)
@settings(max_examples=30)
def test_pagerank_solves_its_equation(edges: list[Edge]) -> None:
    con = graph(edges)
    score = dict(con.execute("SELECT * FROM pagerank()").fetchall())
    ends = {e for edge in edges for e in (edge[0], edge[2])}
    assert set(score) == ends
    out = defaultdict(float)
    for s, _, _, w in edges:
        out[s] += w
    lost = sum(score[e] for e in ends if not out[e])
    for name in ends:
        came = sum(score[s] * w / out[s] for s, _, o, w in edges if o == name)
        want = 0.15 / len(ends) + 0.85 * (came + lost / len(ends))
        assert score[name] == pytest.approx(want, abs=1e-9)
    con.close()


def modularity(edges: list[Edge], of: dict[str, int]) -> float:
    """Newman's modularity of a partition."""
    total, inside, degree = sum(e[3] for e in edges), 0.0, defaultdict(float)
    for s, _, o, w in edges:
        inside += w * (of[s] == of[o])
        degree[of[s]] += w
        degree[of[o]] += w
    return inside / total - sum((d / (2 * total)) ** 2 for d in degree.values())


@given(EDGES.filter(bool))
@settings(max_examples=30)
def test_communities_are_better_than_one_or_all(edges: list[Edge]) -> None:
    con = graph(edges)
    rows = con.execute("SELECT * FROM communities()").fetchall()
    of = {name: number for name, number, _ in rows}
    ends = {e for edge in edges for e in (edge[0], edge[2])}
    assert set(of) == ends
    q = modularity(edges, of)
    assert q >= modularity(edges, dict.fromkeys(ends, 0)) - 1e-9
    assert q >= modularity(edges, {e: i for i, e in enumerate(ends)}) - 1e-9
    assert con.execute("SELECT * FROM communities()").fetchall() == rows
    con.close()


def test_a_hub_does_not_blow_up(words: sqlagent.Connection) -> None:
    words.execute("BEGIN")
    for i in range(3000):
        words.execute("SELECT relate('hub', 'has', ?)", (f"x{i}",))
        words.execute("SELECT relate(?, 'of', 'other')", (f"x{i}",))
    words.execute("COMMIT")
    rows = words.execute("SELECT length FROM paths('hub', 'other', max_depth => 20)").fetchall()
    assert rows == [(2,)] * 100
    assert len(words.execute("SELECT * FROM neighbors('hub', depth => 9)").fetchall()) == 3001


def test_endless_beginnings_are_an_error(words: sqlagent.Connection) -> None:
    words.execute("BEGIN")
    for a, b in itertools.combinations(range(14), 2):
        words.execute("SELECT relate(?, 'p', ?)", (f"n{a}", f"n{b}"))
    words.execute("SELECT relate('s', 'p', 'n0'), relate('s', 'p', 't')")
    words.execute("COMMIT")
    with pytest.raises(OperationalError, match="no end of paths in sight"):
        words.execute("SELECT * FROM paths('n0', 't', max_depth => 12)").fetchall()


def test_a_transaction_walks_over_its_own_relations(words: sqlagent.Connection) -> None:
    words.execute("BEGIN")
    words.execute("SELECT relate('a', 'p', 'b')")
    for route in ("sqlite", "duckdb"):
        words.execute(f"SET route = '{route}'")
        assert words.execute("SELECT entity FROM neighbors('a')").fetchall() == [("b",)]
    words.execute("ROLLBACK")
    with pytest.raises(ProgrammingError, match='unknown entity "a"'):
        words.execute("SELECT entity FROM neighbors('a')")


# What a relation rests on -------------------------------------------------------------------------


def told(con: sqlagent.Connection) -> set[tuple[Any, ...]]:
    """The relations by name, and what each rests on."""
    rows = con.execute(
        "SELECT s.name, r.predicate, o.name, x.memory_id FROM relations r "
        "JOIN entities s ON s.entity_id = r.subject_id "
        "JOIN entities o ON o.entity_id = r.object_id "
        "LEFT JOIN relation_sources x ON x.relation_id = r.relation_id"
    )
    return set(rows.fetchall())


def filled(con: sqlagent.Connection) -> None:
    for text in ("Bob lives in Essen.", "Bob lives in Essen with Carol Smith", "王芳住在上海。"):
        con.execute("SELECT remember('ada', ?)", (text,))
    assert con.execute("SELECT extract_graph(agent_id => 'ada')").fetchall() == [(3,)]


def test_again_changes_nothing(words: sqlagent.Connection) -> None:
    filled(words)
    tables = ("entities", "relations", "relation_sources")
    before = [words.execute(f"SELECT * FROM {t} ORDER BY 1").fetchall() for t in tables]
    words.execute("SELECT extract_graph(agent_id => 'ada')")
    assert [words.execute(f"SELECT * FROM {t} ORDER BY 1").fetchall() for t in tables] == before


@pytest.mark.parametrize("keys", ["ON", "OFF"])
def test_a_memory_deleted_by_any_client_takes_what_rests_on_it_alone(
    words: sqlagent.Connection, fresh_db: Path, shell: Callable[[object, str], str], keys: str
) -> None:
    filled(words)
    check = f"PRAGMA foreign_keys = {keys};"
    shell(fresh_db, f"{check} DELETE FROM memories WHERE memory_id = 2;")
    assert told(words) == {("Bob", "lives_in", "Essen", 1), ("王芳", "住在", "上海", 3)}
    assert words.execute("SELECT memory_id FROM relations ORDER BY 1").fetchall() == [(1,), (3,)]
    shell(fresh_db, f"{check} DELETE FROM memories;")
    assert told(words) == set()
    assert words.execute("SELECT * FROM entities").fetchall() == []


def test_erasing_leaves_what_others_say_or_somebody_stated(words: sqlagent.Connection) -> None:
    words.execute("SELECT relate('王芳', '住在', '上海'), relate('Dai', 'knows', 'Bob')")
    filled(words)
    words.execute("SELECT erase(memory_id => 2)")
    words.execute("SELECT erase(memory_id => 3)")
    assert told(words) == {
        ("Bob", "lives_in", "Essen", 1), ("王芳", "住在", "上海", None),
        ("Dai", "knows", "Bob", None),
    }  # fmt: skip
    names = {n for (n,) in words.execute("SELECT name FROM entities").fetchall()}
    assert names == {"Bob", "Essen", "王芳", "上海", "Dai"}


def test_a_changed_text_takes_back_what_it_no_longer_says(words: sqlagent.Connection) -> None:
    filled(words)
    words.execute("UPDATE memories SET content = '王芳住在北京。' WHERE memory_id = 3")
    words.execute("SELECT extract_graph(memory_id => 3)")
    assert ("王芳", "住在", "北京", 3) in told(words)
    assert not any("上海" in row for row in told(words))


def test_a_relation_is_true_as_long_as_its_memory(words: sqlagent.Connection) -> None:
    words.execute("INSERT INTO memories (agent_id, content, valid_to) "
                  "VALUES ('ada', 'Bob lives in Essen', '2020-01-01')")  # fmt: skip
    words.execute("SELECT extract_graph(1)")
    assert words.execute("SELECT * FROM neighbors('Bob')").fetchall() == []
    then = words.execute("SELECT entity FROM neighbors('Bob', as_of => '2019-06-01')").fetchall()
    assert then == [("Essen",)]


def test_an_entity_deleted_by_a_plain_client_takes_its_relations(
    words: sqlagent.Connection, fresh_db: Path, shell: Callable[[object, str], str]
) -> None:
    words.execute("SELECT relate('a', 'p', 'b'), relate('b', 'p', 'c')")
    shell(fresh_db, "DELETE FROM entities WHERE name = 'c';")
    assert words.execute("SELECT count(*) FROM relations").fetchone() == (1,)


# Reading ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "speaker", "expected"),
    [
        ("Ada works at Delta Corp and lives in Berlin. She likes cats.", None,
         {("Ada", "works_at", "Delta Corp"), ("Ada", "lives_in", "Berlin"),
          ("Berlin", "mentioned_with", "Delta Corp")}),
        ("I live in Berlin and I love hiking", "Tom",
         {("Tom", "lives_in", "Berlin"), ("Tom", "likes", "hiking")}),
        ("I'm married to Anna Schmidt.", "Tom", {("Tom", "married_to", "Anna Schmidt")}),
        ("Paris is the capital of France.", None, {("Paris", "capital_of", "France")}),
        ("Ada might like Bob, if he works at Delta", None,
         {("Ada", "mentioned_with", "Bob"), ("Ada", "mentioned_with", "Delta"),
          ("Bob", "mentioned_with", "Delta")}),
        ("The parcel is in locker 17. Thanks! Today is Monday.", None, set()),
        ("张伟是李娜的老师。", None, {("张伟", "老师", "李娜")}),
        ("张伟认识李娜", None, {("张伟", "认识", "李娜")}),
        ("昨天张伟和李娜聊到《红楼梦》。", None,
         {("张伟", "mentioned_with", "李娜"), ("张伟", "mentioned_with", "红楼梦"),
          ("李娜", "mentioned_with", "红楼梦")}),
        ("", None, set()),
    ],
)  # fmt: skip
def test_rules(text: str, speaker: str | None, expected: set[tuple[str, str, str]]) -> None:
    got = {t[:3] for t in triples(text, speaker)}
    together = {(frozenset((a, b)), p) for a, p, b in got if p == "mentioned_with"}
    wanted = {(frozenset((a, b)), p) for a, p, b in expected if p == "mentioned_with"}
    assert together <= wanted
    assert {t for t in got if t[1] != "mentioned_with"} == {
        t for t in expected if t[1] != "mentioned_with"
    }


@given(st.text(max_size=200))
@settings(max_examples=150)
def test_any_text_is_read(text: str) -> None:
    for triple in triples(text):
        assert triple.subject.strip() and triple.object.strip()
    for name in found(text):
        assert text[name.start : name.end]


def asked(reply: Any) -> tuple[Callable[[Any], Any], list[Any]]:
    """A model that says this, and what it was asked."""
    requests: list[Any] = []

    def model(request: Any) -> Any:
        requests.append(request)
        if isinstance(reply, Exception):
            raise reply
        return reply

    return model, requests


SAID = {"subject": "the parcel", "predicate": "lies_in", "object": "locker 17"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"relations": [SAID]}, {("the parcel", "lies_in", "locker 17", 1)}),
        (json.dumps({"relations": [SAID, SAID, {"subject": "x"}, 3]}),
         {("the parcel", "lies_in", "locker 17", 1)}),
        ({"relations": [{**SAID, "object": "the moon"}]}, set()),  # the text has no moon
        ({"relations": []}, set()),
        ("no JSON", {("Bob", "lives_in", "Essen", 1)}),  # the rules stand
        ({"text": "x"}, {("Bob", "lives_in", "Essen", 1)}),
        (RuntimeError("gone"), {("Bob", "lives_in", "Essen", 1)}),
    ],
)  # fmt: skip
def test_a_model_is_asked_and_checked(fresh_db: Path, reply: Any, expected: set[Any]) -> None:
    model, requests = asked(reply)
    con = sqlagent.connect(fresh_db, embedding_model="none", language_model=model)
    con.execute("SELECT remember('ada', 'Bob lives in Essen; the parcel is in locker 17')")
    con.execute("SELECT extract_graph(memory_id => 1)")
    assert len(requests) == 1 and "locker 17" in requests[0]["text"]
    assert told(con) == expected
    con.execute("SELECT extract_graph(memory_id => 1)")
    assert len(requests) == (1 if expected else 2) and told(con) == expected
    con.close()


def test_within_a_transaction_no_model_is_asked(fresh_db: Path) -> None:
    model, requests = asked({"relations": [SAID]})
    con = sqlagent.connect(fresh_db, embedding_model="none", language_model=model)
    con.execute("BEGIN")
    con.execute("SELECT remember('ada', 'Bob lives in Essen')")
    con.execute("SELECT extract_graph(memory_id => 1)")
    con.execute("COMMIT")
    assert requests == [] and told(con) == {("Bob", "lives_in", "Essen", 1)}
    con.close()


def test_a_document_that_is_removed_takes_its_relations(words: sqlagent.Connection) -> None:
    text = "Delta is based in Essen. Paris is the capital of France."
    words.execute("SELECT index_document(?, uri => 'd')", (text,))
    assert words.execute("SELECT extract_graph(document_id => 1)").fetchall() == [(2,)]
    rows = words.execute("SELECT DISTINCT chunk_id IS NULL FROM relations").fetchall()
    assert rows == [(False,)]
    words.execute("SELECT relate('Delta', 'located_in', 'Essen')")  # stated, too
    words.execute("SELECT erase(document_id => 1)")
    assert told(words) == {("Delta", "located_in", "Essen", None)}


def test_an_error_in_the_middle_leaves_nothing(
    words: sqlagent.Connection, fresh_db: Path, shell: Callable[[object, str], str]
) -> None:
    words.execute("SELECT remember('ada', 'Bob lives in Essen'), remember('ada', 'Eve met Dai')")
    shell(
        fresh_db,
        "CREATE TRIGGER full BEFORE INSERT ON relations WHEN (SELECT count(*) FROM relations) > 0 "
        "BEGIN SELECT RAISE(ABORT, 'full'); END;",
    )
    with pytest.raises(sqlagent.Error, match="full"):
        words.execute("SELECT extract_graph(agent_id => 'ada')")
    assert words.execute("SELECT count(*) FROM entities").fetchone() == (0,)
    assert words.execute("SELECT count(*) FROM relations").fetchone() == (0,)


def test_what_was_true_at_no_time_tells_nothing(words: sqlagent.Connection) -> None:
    words.execute("INSERT INTO memories (agent_id, content, valid_from, valid_to) "
                  "VALUES ('ada', 'Eve lives in Rome', '2020-01-01', '2020-01-01')")  # fmt: skip
    assert words.execute("SELECT extract_graph(agent_id => 'ada')").fetchall() == [(0,)]


def test_a_walk_can_be_interrupted(words: sqlagent.Connection) -> None:
    words.execute("BEGIN")
    for a, b in itertools.combinations(range(14), 2):
        words.execute("SELECT relate(?, 'p', ?)", (f"n{a}", f"n{b}"))
    words.execute("SELECT relate('s', 'p', 'n0'), relate('s', 'p', 't')")
    words.execute("COMMIT")
    timer = threading.Timer(0.05, words.interrupt)
    timer.start()
    with pytest.raises((sqlagent.errors.InterruptedError, OperationalError)):
        words.execute("SELECT * FROM paths('n0', 't', max_depth => 12)").fetchall()
    timer.join()
    assert len(words.execute("SELECT * FROM neighbors('s')").fetchall()) == 2


@pytest.mark.parametrize("route", ["auto", "sqlite", "duckdb"])
def test_a_time_limit_ends_what_has_no_end(con: sqlagent.Connection, route: str) -> None:
    rng = random.Random(1)
    con.execute("BEGIN")
    for _ in range(3000):
        ends = (f"n{rng.randrange(150)}", f"n{rng.randrange(150)}", rng.random())
        con.execute("SELECT relate(?, 'p', ?, weight => ?)", ends)
    con.execute("COMMIT")
    con.execute(f"SET route = '{route}'")
    con.execute("SET statement_timeout = '30ms'")
    with pytest.raises(sqlagent.InterruptedError):
        con.execute("SELECT * FROM paths('n0', 'n1', max_depth => 40, k => 100000)").fetchall()
    con.execute("SET statement_timeout = 0")
    assert con.execute("SELECT * FROM paths('n0', 'n1', k => 1)").fetchall()
