"""Binary codes: near enough to exact, never a deleted row, never a damaged file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlagent.index import codes as module
from sqlagent.index.codes import BinaryCodes
from sqlagent.index.near import distances
from sqlagent.index.sample import Sample


def topics(n: int, dimensions: int, seed: int) -> Any:
    """Vectors like embeddings: topics, and noise of a few dimensions about each."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((50, dimensions)) / np.sqrt(dimensions)
    basis = rng.standard_normal((24, dimensions)) / np.sqrt(dimensions)
    x = centres[rng.integers(0, 50, n)] + 0.2 * rng.standard_normal((n, 24)) @ basis
    return x.astype(np.float32)


def built(x: Any, metric: str = "cosine") -> BinaryCodes:
    halves = (np.arange(0, len(x) // 2), np.arange(len(x) // 2, len(x)))
    return BinaryCodes.build(((i, x[i]) for i in halves), x.shape[1], metric)


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
@pytest.mark.parametrize("whole", [0, 50_000])
def test_recall_at_ten(metric: str, whole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WHOLE", whole)
    monkeypatch.setattr(module, "_SURVIVORS", 2_000)
    x = topics(20_030, 256, 1)
    if metric != "cosine":
        x *= np.random.default_rng(2).uniform(0.5, 2.0, (len(x), 1)).astype(np.float32)
    x, queries = x[:20_000], x[20_000:]
    codes, found = built(x, metric), 0
    for query in queries:
        d = distances(x, query, metric)
        ids, distance = codes.search(query, 10, fetch=lambda ids: x[ids])
        found += len(set(ids) & set(np.argsort(d)[:10]))
        assert distance == pytest.approx(d[ids]) and list(distance) == sorted(distance)
    assert found >= 0.95 * 10 * len(queries)


def test_a_filter_of_any_width_is_kept() -> None:
    x = topics(60_000, 64, 3)
    codes = built(x)
    for step in (1, 3, 50, 2_000, 59_999):
        allowed = np.arange(0, len(x), step)
        ids, _ = codes.search(x[5], 10, fetch=lambda ids: x[ids], allowed=allowed)
        assert set(ids) <= set(allowed.tolist()) and len(ids) == min(10, len(allowed))
        if len(allowed) <= 200:
            exact = allowed[np.argsort(distances(x[allowed], x[5], "cosine"))[:10]]
            assert ids.tolist() == exact.tolist()
    assert len(codes.search(x[5], 10, fetch=lambda ids: x[ids], allowed=frozenset())[0]) == 0


def fetcher(rows: dict[int, Any]) -> Any:
    return lambda ids: np.stack([rows[i] for i in ids.tolist()])


changes = st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 40), max_size=6)), max_size=10)


@settings(max_examples=80, deadline=None)
@given(changes, st.sampled_from(["cosine", "l2", "ip"]))
def test_what_is_appended_is_found_and_what_is_removed_is_not(steps: Any, metric: str) -> None:
    rng = np.random.default_rng(len(steps))
    held = {i: rng.standard_normal(12).astype(np.float32) for i in range(20)}
    codes = BinaryCodes.build([(np.arange(20), np.stack(list(held.values())))], 12, metric)
    past = []
    for add, ids in steps:
        past.append((codes, dict(held)))
        if add and ids:
            fresh = rng.standard_normal((len(ids), 12)).astype(np.float32)
            codes = codes.append(np.array(ids), fresh)
            held = held | dict(zip(ids, fresh, strict=True))
        elif not add:
            codes = codes.remove(ids)
            held = {i: v for i, v in held.items() if i not in ids}
    for snapshot, rows in [*past, (codes, held)]:
        assert sorted(snapshot.ids) == sorted(rows) and len(snapshot) == len(rows)
        query = rng.standard_normal(12).astype(np.float32)
        ids, _ = snapshot.search(query, 100, fetch=fetcher(rows))
        exact = sorted(rows, key=lambda i: distances(rows[i][None], query, metric)[0])
        assert ids.tolist() == exact


def test_branches_do_not_see_each_other() -> None:
    x = topics(100, 16, 4)
    root = built(x)
    left, right = root.append(np.array([100]), x[:1]), root.append(np.array([101]), x[:1])
    assert 100 in left.ids and 101 not in left.ids
    assert 101 in right.ids and 100 not in right.ids and len(root) == 100


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    x = topics(3_000, 100, 5)
    for metric in ("cosine", "l2", "ip"):
        codes = built(x[:2_500], metric).append(np.arange(2_500, 3_000), x[2_500:]).remove([7, 8])
        codes.save(tmp_path / "codes", "seq 12")
        again = BinaryCodes.load(tmp_path / "codes", "seq 12")
        assert len(again) == len(codes) == 2_998 and again.metric == metric
        for i in (7, 100, 2_900):
            expected = codes.search(x[i], 10, fetch=lambda ids: x[ids])
            found = again.search(x[i], 10, fetch=lambda ids: x[ids])
            assert found[0].tolist() == expected[0].tolist() and 7 not in found[0]
        fresh = again.append(np.array([7]), x[7:8])
        assert 7 in fresh.ids and 7 not in again.ids
        if metric != "ip":
            assert fresh.search(x[7], 1, fetch=lambda ids: x[ids])[0].tolist() == [7]
    assert [p.name for p in tmp_path.iterdir()] == ["codes"]


def sampled(x: Any, metric: str = "cosine") -> BinaryCodes:
    at = np.arange(0, len(x), len(x) // 24)
    batches = ((i, x[i]) for i in np.array_split(np.arange(len(x)), 5))
    return BinaryCodes.build(batches, x.shape[1], metric, Sample(at, x[at], metric))


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_a_sample_finds_its_exact_neighbours(metric: str) -> None:
    x = topics(3_001, 40, 8) * np.random.default_rng(9).uniform(1, 3, (3_001, 1)).astype("f4")
    at = np.arange(0, 3_001, 130)
    sample = Sample(at, x[at], metric)
    BinaryCodes.build(((i, x[i]) for i in np.array_split(np.arange(3_001), 4)), 40, metric, sample)
    for number, (ids, _) in enumerate(sample.best):
        d = distances(x, sample.targets[number], metric)
        d[at[number]] = np.inf
        truth = np.argsort(d)
        assert len(ids) == 32 and set(ids[:10]) == set(truth[:10])
        assert sample.share(number, truth[:10]) == 1.0
        assert sample.share(number, truth[5:300]) == 0.5


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_as_many_candidates_as_the_data_need(metric: str, tmp_path: Path) -> None:
    chance = np.random.default_rng(10).standard_normal((20_000, 48)).astype(np.float32)
    codes = sampled(chance, metric)
    assert codes.rerank > 200 and codes.measured == 20_000
    assert sampled(topics(20_000, 256, 11)).rerank == 200
    hits = 0
    for query in np.random.default_rng(12).standard_normal((30, 48)).astype(np.float32):
        ids, _ = codes.search(query, 10, fetch=lambda ids: chance[ids])
        hits += len(set(ids) & set(np.argsort(distances(chance, query, metric))[:10]))
    assert hits >= 285
    grown = codes.append(np.array([20_000]), chance[:1]).remove([3])
    grown.save(tmp_path / "codes")
    again = BinaryCodes.load(tmp_path / "codes")
    assert (again.rerank, again.measured) == (grown.rerank, 20_000) == (codes.rerank, 20_000)


def test_rows_that_are_equally_near_do_not_ask_for_more_candidates() -> None:
    few = np.random.default_rng(13).standard_normal((20, 32)).astype(np.float32)
    assert sampled(np.tile(few, (1_000, 1))).rerank == 200
    assert sampled(np.zeros((2_000, 32), np.float32)).rerank == 200
    nothing = Sample(np.zeros(0, np.int64), np.zeros((0, 8), np.float32), "cosine")
    assert BinaryCodes.build([], 8, "cosine", nothing).rerank == 200


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "codes"
    built(topics(500, 64, 6)).save(path, "a")
    good = path.read_bytes()
    rng = np.random.default_rng(7)
    damaged = [good[:-1], good + b"x", b"", good[:100], b"x" * len(good), good[:4096]]
    places = [0, 8, 12, 20, 60, 4096, len(good) - 1, *rng.integers(4096, len(good), 20).tolist()]
    for place in places:
        damaged.append(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(ValueError, match="vector codes"):
            BinaryCodes.load(path)
    path.unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        BinaryCodes.load(path)
    path.write_bytes(good)
    with pytest.raises(ValueError, match="expected vector codes of 'b', not of 'a'"):
        BinaryCodes.load(path, "b")
    assert len(BinaryCodes.load(path)) == 500


def test_edges(tmp_path: Path) -> None:
    empty = BinaryCodes.build([], 8)
    query = np.ones(8, np.float32)
    assert len(empty.search(query, 5, fetch=lambda ids: np.zeros((0, 8), np.float32))[0]) == 0
    empty.save(tmp_path / "codes")
    assert len(BinaryCodes.load(tmp_path / "codes")) == 0
    one = empty.append(np.array([3, 3]), np.stack([query, -query]))
    assert one.search(query, 5, fetch=lambda ids: -query[None])[0].tolist() == [3] and len(one) == 1
    with pytest.raises(ValueError, match="expected 8 dimensions, not 2"):
        one.append(np.array([1]), np.ones((1, 2), np.float32))
    with pytest.raises(ValueError, match="finite"):
        one.append(np.array([1]), np.full((1, 8), np.nan, np.float32))
    with pytest.raises(ValueError, match="expected k of at least 0"):
        one.search(query, -1, fetch=lambda ids: -query[None])
    with pytest.raises(ValueError, match="expected a metric"):
        BinaryCodes.build([], 8, "hamming")
    doubled = BinaryCodes.build([(np.array([5, 1, 5]), np.eye(3, 8, dtype=np.float32))], 8)
    assert doubled.ids.tolist() == [1, 5]
