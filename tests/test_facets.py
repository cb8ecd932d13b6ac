"""Filters of large collections, answered from the distinct values of their metadata."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sqlagent
from sqlagent.index import facetfile, facets
from sqlagent.search import faceted, passing
from sqlagent.search import facets as kept
from sqlagent.search.conditions import CREATED, Both, Either, Leaf, leaves, parsed

CONDITIONS = [
    "(metadata->>'$.n') = 3", "(metadata->>'$.n') IN (1, 4)", "(metadata->>'n') NOT IN (1, 4)",
    "(metadata->>'$.n') BETWEEN 2 AND 4", "(metadata->>'$.n')::INT % 3 = 1",
    "5 > (metadata->>'$.n')", "(metadata->>'$.n')::BIGINT <= -1", "(metadata->>'$.n') <> 3",
    "NOT ((metadata->>'$.n') = 3)", "(metadata->>'word') = '茶'", "(metadata->>'word') LIKE 't%'",
    "(metadata->>'word') >= 'tea'", "(metadata->>'word') IN ('茶', 'a \"b\"', '3')",
    "(metadata->>'word') IS NULL", "(metadata->>'word') IS NOT NULL", "(metadata->'word') IS NULL",
    "(metadata->>'$.x')::DOUBLE < 0.5", "(metadata->>'$.x')::DOUBLE BETWEEN -1 AND 1e1",
    "(metadata->>'$.x')::DOUBLE = 3", "(metadata->>'$.in.side') = 'a'",
    "(metadata->'in')->>'side' = 'a'", "(metadata->>'$.list[0]') = '1'",
    "(metadata->>'$.n') = 3 AND (metadata->>'word') = 'tea'",
    "(metadata->>'$.n') = 3 OR (metadata->>'word') = 'tea' OR id = 'v7'",
    "(metadata->>'word') = 'tea' AND id LIKE 'v1%'", "id IN ('v1', 'v2')", "id > 'v3'",
    "(metadata->>'word') = 'tea' AND length(metadata) < 60", "metadata IS NULL", "true",
    "(metadata->>'word') = 'tea' AND 1 = 1", "created_at >= '2026-01-02'",
    "created_at >= TIMESTAMP '2026-01-02' AND (metadata->>'$.n') < 3",
    "(metadata->>'$.n')::INT + length(metadata->>'word') > 4", "(metadata->>'none') = 'x'",
    "(metadata->>'flag')::BOOLEAN", "(metadata->>'flag') = 'true'", "(metadata->>'$.n') = '3'",
    "json_extract_string(metadata, '$.word') = 'coffee'",
    "(metadata->>'word') = (metadata->>'$.in.side')", "lower(metadata->>'word') = 'é'",
]  # fmt: skip
WORDS = ["tea", "coffee", "茶", 'a "b"', "3", "", "É", "\\", "\u2028", "🍵"]


def document(rng: random.Random) -> Any:
    """Metadata of a row: keys come and go."""
    if rng.random() < 0.1:
        return None
    some = {
        "n": rng.randrange(-2, 7), "word": rng.choice(WORDS), "x": rng.choice([0.25, 3, -7.5, 1e3]),
        "in": {"side": rng.choice(["a", "b", "tea"])}, "list": [1, 2], "flag": rng.random() < 0.5,
        "a.b": 1,
    }  # fmt: skip
    return {k: v for k, v in some.items() if rng.random() < 0.8}


def spelled(value: Any, rng: random.Random) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=rng.random() < 0.5)


def answers(con: sqlagent.Connection, condition: str) -> tuple[Any, Any]:
    """(ids by knn, ids by a plain read), or the types of their errors."""
    out: list[Any] = []
    zero = np.ones(4, "<f4").tobytes()
    for sql, values in (
        ("SELECT id FROM knn('c', ?, k => 9999, filter => ?)", (zero, condition)),
        (f"SELECT id FROM vectors WHERE collection = 'c' AND ({condition})", ()),
    ):
        try:
            out.append({i for (i,) in con.execute(sql, values)})
        except sqlagent.Error as error:
            out.append(type(error))
    return out[0], out[1]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlagent.Connection:
    monkeypatch.setattr(passing, "LARGE", 5)
    return sqlagent.connect(tmp_path / "a.db", embedding_model="none")


def fill(con: sqlagent.Connection, rng: random.Random, count: int, start: int = 0) -> None:
    rows = [
        ("c", f"v{start + n}", np.ones(4, "<f4").tobytes(), spelled(document(rng), rng),
         f"2026-01-0{rng.randrange(1, 4)} 00:00:00.000")
        for n in range(count)
    ]  # fmt: skip
    con.executemany(
        "INSERT OR REPLACE INTO vectors (collection, id, vector, metadata, created_at) "
        "VALUES (?, ?, ?, ?, ?)", rows,
    )  # fmt: skip


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_filter_finds_what_a_plain_read_finds(
    store: sqlagent.Connection, monkeypatch: pytest.MonkeyPatch, seed: int, wide: bool
) -> None:
    """Also while rows come, change, go and come again."""
    if wide:
        monkeypatch.setattr(facets, "CODED_MAX", 3)
    rng = random.Random(seed)
    fill(store, rng, 60)
    for step in range(4):
        for condition in CONDITIONS:
            mine, plain = answers(store, condition)
            assert mine == plain, condition
        fill(store, rng, 12, start=rng.randrange(70))
        store.execute(f"DELETE FROM vectors WHERE id LIKE 'v%{step}'")
    store.close()


def test_a_filter_that_was_never_asked_looks_at_no_row(
    store: sqlagent.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, random.Random(3), 60)
    answers(store, "metadata->>'word' = 'tea'")
    scans = []
    monkeypatch.setattr(passing.Passing, "asked", lambda *_: scans.append(_) or np.zeros(0, int))
    monkeypatch.setattr(kept.Store, "read", lambda *_: scans.append(_))
    for condition in [c for c in CONDITIONS[:15] if "n')" not in c]:
        mine, plain = answers(store, condition)
        assert mine == plain
    assert not scans
    store.close()


def test_the_clock_is_asked_of_the_values(store: sqlagent.Connection) -> None:
    fill(store, random.Random(3), 30)
    assert answers(store, "created_at <= now()")[0] == answers(store, "true")[1]
    store.execute("UPDATE vectors SET created_at = '2999-01-01 00:00:00.000' WHERE id = 'v3'")
    found = answers(store, "created_at <= now() AND created_at >= '2026-01-01'")[0]
    assert found == answers(store, "id <> 'v3'")[1]
    assert not store.database.services["passing"].known.keys() & {"created_at <= now()"}
    store.close()


def test_another_process_finds_the_columns_and_follows(
    store: sqlagent.Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(store, random.Random(5), 60)
    first = answers(store, "metadata->>'word' = 'tea'")
    path = tmp_path / "a.db"
    store.close()
    con = sqlagent.connect(path, embedding_model="none")
    with monkeypatch.context() as patched:
        patched.setattr(kept.Store, "read", None)
        assert answers(con, "metadata->>'word' = 'tea'") == first
        con.execute("UPDATE vectors SET metadata = '{\"word\": \"tea\"}' WHERE id IN ('v1', 'v2')")
        mine, plain = answers(con, "metadata->>'word' = 'tea'")
        assert mine == plain and {"v1", "v2"} <= mine
    con.close()
    (file,) = (tmp_path / "a.db.d" / "vectors").glob("*.facets")
    for spoil in (lambda b: b[:50], lambda b: b[:-9] + b"\1" + b[-8:], lambda b: b"x" + b[1:]):
        whole = file.read_bytes()
        file.write_bytes(spoil(whole))
        con = sqlagent.connect(path, embedding_model="none")
        mine, plain = answers(con, "metadata->>'word' = 'tea'")
        assert mine == plain
        con.close()
        (file,) = (tmp_path / "a.db.d" / "vectors").glob("*.facets")


def test_what_was_erased_is_in_no_file(store: sqlagent.Connection, tmp_path: Path) -> None:
    fill(store, random.Random(5), 40)
    secret = '{"word": "unspeakable-name"}'
    store.execute("UPDATE vectors SET metadata = ? WHERE id = 'v3'", (secret,))
    answers(store, "metadata->>'word' = 'tea'")
    folder = tmp_path / "a.db.d" / "vectors"
    assert any(b"unspeakable" in f.read_bytes() for f in folder.iterdir())
    store.execute("UPDATE vectors SET metadata = NULL WHERE id = 'v3'")
    fill(store, random.Random(6), 20, start=100)  # enough changes for another file
    answers(store, "metadata->>'word' = 'coffee'")
    assert not any(b"unspeakable" in f.read_bytes() for f in folder.iterdir())
    store.close()


def test_a_transaction_sees_its_own_metadata(store: sqlagent.Connection) -> None:
    fill(store, random.Random(5), 40)
    answers(store, "metadata->>'word' = 'tea'")
    store.execute("BEGIN")
    store.execute('UPDATE vectors SET metadata = \'{"word": "tea"}\'')
    mine, plain = answers(store, "metadata->>'word' = 'tea'")
    assert mine == plain and len(mine) == 40
    store.execute("ROLLBACK")
    mine, plain = answers(store, "metadata->>'word' = 'tea'")
    assert mine == plain and len(mine) < 40
    store.close()


@pytest.mark.parametrize(
    "condition",
    ["", "1 = 1; DROP TABLE vectors", "metadata->>'n' =", "(SELECT 1) = 1", "nothing = 1",
     "metadata->>'n' = ?", "id = 'a' ORDER BY id", "metadata->>'word' = 3", "v.id = 'a'"],
)  # fmt: skip
def test_what_is_no_filter_says_so(store: sqlagent.Connection, condition: str) -> None:
    fill(store, random.Random(5), 40)
    with pytest.raises(sqlagent.Error):
        zero = np.ones(4, "<f4").tobytes()
        store.execute("SELECT id FROM knn('c', ?, filter => ?)", (zero, condition)).fetchall()
    assert store.execute("SELECT count(*) FROM vectors").fetchone() == (40,)
    store.close()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.none(), st.integers(-5, 5), st.floats(), st.text(max_size=4))))
def test_columns_come_back_from_their_file(tmp_path: Path, values: list[Any]) -> None:
    told = [None if v is None else json.dumps(v) for v in values if v == v and abs_(v) < 1e300]
    for most in (65_536, 2):
        growing = facets.Growing()
        facets_max, facets.CODED_MAX = facets.CODED_MAX, most  # type: ignore[misc]  # a limit
        try:
            for start in range(0, len(told), 2):
                growing.add(told[start : start + 2])
        finally:
            facets.CODED_MAX = facets_max  # type: ignore[misc]  # as it was
        column = growing.column()
        whole = facets.Facets(np.arange(len(told), dtype=np.int64) * 3, None, {("a",): column})
        facetfile.save(whole, tmp_path / "f", "t")
        again = facetfile.load(tmp_path / "f", "t")
        assert (again.ids == whole.ids).all()
        back = again.columns["a",]
        assert (back.codes == column.codes).all() and back.values == column.values
        assert back.kinds == column.kinds
        if column.values is not None:
            assert [column.values[c] for c in column.codes] == told
        with pytest.raises(ValueError, match="expected facets of 'u'"):
            facetfile.load(tmp_path / "f", "u")


def abs_(value: Any) -> float:
    return abs(value) if isinstance(value, (int, float)) else 0.0


def test_conditions_are_taken_apart() -> None:
    tree = parsed("metadata->>'a' = 'x' AND (id = '1' OR length(metadata) > 3)")
    assert isinstance(tree, Both) and isinstance(tree.right, Either)
    first, second, third = leaves(tree)
    assert first.paths == {("a",)} and first.compare is not None
    assert second.named and second.paths is None and third.paths is None and not third.named
    assert leaves(parsed("created_at > '2026'"))[0].paths == {CREATED}
    assert leaves(parsed("metadata->>'$.a[1].b' = 'x'"))[0] == Leaf(
        "(metadata ->> '$.a[1].b') = 'x'", frozenset({("a",)}), False, None
    )


def test_keys_and_values_of_any_kind(
    store: sqlagent.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Odd keys, the same key twice, numbers at their limits, and long texts."""
    monkeypatch.setattr(facets, "SIZE_MAX", 500)
    documents = [
        '{"": 1, "a b": "x", "*": 2, "\\"": 3, "键": "茶", "n": 9007199254740993}',
        '{"n": 9007199254740992, "n": 5, "long": "' + "y" * 400 + '"}',
        '{"n": 1e400, "long": "' + "z" * 400 + '"}', '{"n": -0}', '{"n": 1.0}', '{"n": "1"}',
        '{"n": null}', '{"n": true}', '{"n": [1]}', '{"n": {"m": 1}}', "[1, 2]", "3", '"n"',
        "null", None, '{"键": "\\u8336"}', '{"n": 2147483648}', '{"n": 2147483647}',
    ]  # fmt: skip
    rows = [("c", f"v{n}", np.ones(4, "<f4").tobytes(), d) for n, d in enumerate(documents)]
    store.executemany("INSERT INTO vectors (collection, id, vector, metadata) VALUES (?, ?, ?, ?)",
                      rows)  # fmt: skip
    for condition in (
        "(metadata->>'n') = '1'", "(metadata->>'n') = 'true'", "(metadata->>'n') IS NULL",
        "(metadata->>'$.\"a b\"') = 'x'", "(metadata->>'键') = '茶'", "(metadata->>'键') IN ('茶')",
        "(metadata->>'long') = '" + "y" * 400 + "'", "(metadata->>'long') LIKE 'z%'",
        "(metadata->>'n') = 5", "(metadata->>'n')::DOUBLE > 1", "(metadata->>'n') <> '5'",
        "(metadata->'$.n.m') IS NOT NULL", "(metadata->>'$.n[0]') = '1'",
        "(metadata->>'n') = '9007199254740992'", "(metadata->>'long') IN ('a', 'b')",
    ):  # fmt: skip
        mine, plain = answers(store, condition)
        assert mine == plain, condition
    store.close()


def test_many_rows_that_facets_cannot_tell_are_scanned(
    store: sqlagent.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faceted, "ASKED_MAX", 2)
    monkeypatch.setattr(faceted, "VALUES_MAX", 3)
    monkeypatch.setattr(faceted, "PAIRS_MAX", 20)
    fill(store, random.Random(5), 40)
    for condition in CONDITIONS:
        mine, plain = answers(store, condition)
        assert mine == plain, condition
    store.close()
