"""The index of one scope against FTS5, against a plain reckoning, and against itself rebuilt."""

import math
import random
import threading
from collections import Counter
from typing import Any

import apsw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlagent.index import DOCUMENTS, MEMORIES, Hits, Query, Row, ScopeIndex, Weights, terms
from sqlagent.index.words import forms, name_key, names_in, query_terms, stem_of

DIMENSIONS = 6
VOCABULARY = "boat boats kayak ferry sold paint painted oslo lima blue red ada bob river tax"
WORDS = VOCABULARY.split()
ENDS = ("", "", "?", " yesterday", " last week?", " [a picture]")
START_S = 1_683_000_000.0  # 2 May 2023


def vector(*numbers: float) -> bytes:
    return np.array(numbers, "<f4").tobytes()


def a_vector(rng: random.Random) -> bytes:
    return vector(*(rng.gauss(0, 1) for _ in range(DIMENSIONS)))


def some_rows(n: int, seed: int, *, sessions: int = 4, start: int = 1) -> list[Row]:
    rng = random.Random(seed)
    rows = []
    for i in range(start, start + n):
        text = " ".join(rng.choices(WORDS, k=rng.randint(1, 9))) + rng.choice(ENDS)
        session = rng.choice([None, *(f"s{j}" for j in range(sessions))]) if sessions else None
        rows.append(
            Row(
                i,
                text,
                a_vector(rng) if rng.random() < 0.85 else None,
                START_S + 86400.0 * rng.randint(0, 30),
                session,
                rng.choice([None, "Ada", "Bob", "user"]),
                rng.choice([None, rng.random(), 40.0]),
                rng.gauss(0, 3),
                rng.random(),
                rng.choice(["", f"[{rng.randint(1, 28)} May 2023] Ada: "]),
            )
        )
    return rows


def as_array(blob: bytes) -> Any:
    wide = np.frombuffer(blob, "<f4").astype(np.float64)
    return wide / (np.linalg.norm(wide) or 1.0)


class Plain:
    """The same ranking by loops over rows, in doubles: slow, and easy to read."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = {row.id: row for row in rows}
        self.own = {i: Counter(terms(row.head + row.text)) for i, row in self.rows.items()}
        self.near: dict[int, list[int | None]] = {i: [None] * 3 for i in self.rows}
        ordered: dict[str, list[Row]] = {}
        for row in sorted(self.rows.values(), key=lambda r: (r.created_at, r.id)):
            if row.session:
                ordered.setdefault(row.session, []).append(row)
        for turns in ordered.values():
            at = [turn.id for turn in turns]
            for j, i in enumerate(at):
                before = at[j - 1] if j else None
                last = at[j - 2] if j > 1 else None
                self.near[i] = [before, last, at[j + 1] if j + 1 < len(at) else None]

    def bm25(self, text: str, w: Weights) -> dict[int, float]:
        """Of the terms, and with the weight `exact` of the forms that the question has of them."""
        stop = set(terms("the did when in and of"))
        asked = [form for form in dict.fromkeys(forms(text)) if stem_of(form) not in stop]
        written = {i: Counter(forms(f"{row.head} {row.text}")) for i, row in self.rows.items()}
        by_form = self.counted(asked or list(forms(text)), written, w)
        by_term = self.counted(query_terms(text), self.own, w)
        return {i: by_term[i] + w.exact * by_form[i] for i in self.rows}

    def counted(
        self, asked: list[str], rows: dict[int, Counter[str]], w: Weights
    ) -> dict[int, float]:
        weight = w.context
        mixed: dict[int, Counter[str]] = {}
        size: dict[int, int] = {}
        for i, own in rows.items():
            context = [rows[j] for j in self.near[i] if j is not None] if weight else []
            size[i] = own.total() + sum(c.total() for c in context)
            mixed[i] = Counter(own)
            for c in context:
                for term, n in c.items():
                    mixed[i][term] += weight * n  # type: ignore[assignment]  # a Counter adds floats
        mean = sum(size.values()) / max(1, len(size))
        score = dict.fromkeys(self.rows, 0.0)
        for term in asked:
            holding = [i for i in self.rows if mixed[i][term]]
            idf = math.log((len(self.rows) - len(holding) + 0.5) / (len(holding) + 0.5))
            idf = idf if idf > 0 else 1e-6
            for i in holding:
                n = mixed[i][term]
                score[i] += idf * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * size[i] / mean))
                score[i] += idf * w.floor * (1.0 if rows[i][term] else 0.5)
        return score

    def together(self, text: str, first: dict[int, float]) -> dict[int, float]:
        """The best ten words in a row of each of the 50 best rows."""
        rare = {}
        for term in query_terms(text):
            holding = sum(1 for own in self.own.values() if own[term])
            if holding:
                idf = math.log((len(self.rows) - holding + 0.5) / (holding + 0.5))
                rare[term] = idf if idf > 0 else 1e-6
        out = dict.fromkeys(self.rows, 0.0)
        for i in sorted((i for i in first if first[i] > 0), key=lambda i: (-first[i], i))[:50]:
            row = self.rows[i]
            said = [stem_of(form) for form in forms(row.text) + forms(row.head)]
            passages = [set(said[at : at + 10]) for at in range(len(said))]
            shares = [sum(v for term, v in rare.items() if term in p) for p in passages]
            out[i] = max(shares, default=0.0) / (sum(rare.values()) or 1.0)
        return out

    def coverage(self, text: str) -> dict[int, float]:
        held = dict.fromkeys(self.rows, 0.0)
        everything = 0.0
        for term in query_terms(text):
            holding = [i for i in self.rows if self.own[i][term]]
            if holding:
                idf = math.log((len(self.rows) - len(holding) + 0.5) / (len(holding) + 0.5))
                idf = idf if idf > 0 else 1e-6
                everything += idf
                for i in holding:
                    held[i] += idf
        return {i: s / (everything or 1.0) for i, s in held.items()}

    def cosines(self, query: bytes, weight: float) -> tuple[dict[int, float], dict[int, float]]:
        q = as_array(query)
        unit = {i: as_array(r.vector) for i, r in self.rows.items() if r.vector is not None}
        own = {i: float(u @ q) for i, u in unit.items()}
        smooth: dict[int, float] = {}
        for i, u in unit.items():
            total = u.copy()
            if weight:
                for j, share in zip(self.near[i], (0.5, 0.3, 0.25), strict=True):
                    if j in unit:
                        total += share * unit[j]
            smooth[i] = float(total @ q) / (float(np.linalg.norm(total)) or 1.0)
        return own, smooth

    def whole(self, vector: bytes, inside: list[int]) -> dict[int, float]:
        """The mean cosine of each session's rows, over the best; 0 for a row without a session,
        and for all where no session has two rows."""
        mean = dict.fromkeys(self.rows, 0.0)
        own = self.cosines(vector, 0)[0]
        if all(near == [None] * 3 for near in self.near.values()):
            return mean
        for i, row in self.rows.items():
            same = [own[j] for j in inside if self.rows[j].session == row.session]
            if row.session and same:
                mean[i] = max(0.0, sum(same) / len(same))
        best = max(mean.values()) or 1.0
        return {i: s / best for i, s in mean.items()}

    def extended(self, query: Query, first: dict[int, float], most: int) -> bytes | None:
        """The question with its best documents: a row without a session is a document."""
        unit = {i: as_array(self.rows[i].vector or b"") for i in first}
        documents: dict[object, tuple[float, list[int]]] = {}
        for i in sorted((i for i in first if first[i] > 0), key=lambda i: (-first[i], i))[:100]:
            session = self.rows[i].session
            same = [j for j in first if session and self.rows[j].session == session]
            documents.setdefault(session or i, (first[i], same or [i]))
        total = np.zeros(DIMENSIONS)
        for score, same in list(documents.values())[:most]:
            total += score * np.mean([unit[j] for j in same], axis=0)
        if not documents or query.vector is None:
            return None
        both = as_array(query.vector) + total / np.linalg.norm(total)
        return vector(*both)

    def scores(self, query: Query) -> dict[int, float]:
        w = query.weights
        inside = [i for i in self.rows if query.allowed is None or i in query.allowed]
        bm25 = {i: s for i, s in self.bm25(query.text or "", w).items() if i in inside}
        best = max(bm25.values(), default=0.0)
        lexical = {i: s / best if best and w.words else 0.0 for i, s in bm25.items()}
        smooth: dict[int, float] = {}
        if query.vector is not None and w.vector:
            smooth = {
                i: s for i, s in self.cosines(query.vector, w.context)[1].items() if i in inside
            }
        asked = bool(query.text and query.text.strip()) and w.words > 0
        on_words, on_vector = w.words, w.vector
        if not smooth:
            on_words += w.vector if w.relative else 0.2 * w.vector
        if not asked:
            on_vector += w.words
        if w.relative and smooth:
            on_vector /= max(0.0, *smooth.values(), 0.0) or 1.0
        keys = {name_key(r.speaker) for r in self.rows.values() if r.speaker} - {"user"}
        named = names_in(query.text or "", keys)
        when = 1.0 if (query.text or "").startswith("when") else 0.3
        base = dict.fromkeys(self.rows, 0.0)
        spoken = dict(base)
        covered = self.coverage(query.text or "") if asked else dict(base)
        whole = dict(base)
        if smooth and query.vector is not None and w.document:
            whole = self.whole(query.vector, list(smooth))
        said = dict.fromkeys(self.rows, 0.0)
        for i in inside:
            row = self.rows[i]
            base[i] = on_words * lexical[i] + on_vector * max(0.0, smooth.get(i, 0.0))
            base[i] += w.coverage * covered[i]
        if smooth and w.feedback_documents:
            first = {i: base[i] + w.document * whole[i] for i in smooth}
            again = self.extended(query, first, w.feedback_documents)
            if again is not None:
                whole = self.whole(again, list(smooth)) if w.document else whole
                near = self.cosines(again, w.context)[1]
                top = max(near[i] for i in smooth)
                said = {i: max(0.0, near.get(i, 0.0)) / top for i in self.rows if top > 0}
        for i in inside:
            row = self.rows[i]
            base[i] += w.document * whole[i] + w.feedback * said.get(i, 0.0)
        together = self.together(query.text or "", {i: base[i] for i in inside}) if asked else {}
        for i in inside:
            row = self.rows[i]
            base[i] += w.window * together.get(i, 0.0)
            if len(named) == 1 and row.speaker and name_key(row.speaker) in named:
                spoken[i] = w.speaker
        out = {}
        for i in inside:
            if not ((lexical[i] > 0 and (covered[i] or not w.coverage)) or i in smooth):
                continue
            row = self.rows[i]
            size = len(row.head) + len(row.text)
            out[i] = base[i] + spoken[i] + w.length * min(1.0, math.log1p(size) / math.log(400))
            told = "yesterday" in row.text or "last week" in row.text
            out[i] += w.time * when * told
            if "May 2023" in (query.text or ""):
                out[i] += w.date * (row.created_at < 1_685_577_600)  # 1 June
            decay, activation = row.decay or 0.0, row.activation or 0.0
            out[i] += w.decay * decay / (1 + decay) + w.activation / (1 + math.exp(-activation))
            out[i] += w.retention * (row.retention or 0.0)
            before, _, after = self.near[i]
            if after is not None and row.text.endswith("?"):
                out[i] -= w.answer * base[i]
            if before is not None and self.rows[before].text.endswith("?"):
                out[i] += w.answer * base[before]
            if before is None and after is not None:
                out[i] += w.opening
            if before is not None or after is not None:
                same = (j for j in inside if self.rows[j].session == row.session)
                best = sorted((base[j] + spoken[j] for j in same), reverse=True)
                out[i] += w.session * sum(best[:3]) / 3
        return out


def check(hits: Hits, expected: dict[int, float], k: int) -> None:
    """The hits are the k best; rows whose scores differ by rounding may change places."""
    assert len(hits.ids) == min(k, len(expected)) == len(set(hits.ids.tolist()))
    assert list(hits.score) == sorted(hits.score, reverse=True)
    best = sorted(expected.values(), reverse=True)
    for i, score, place in zip(hits.ids.tolist(), hits.score, best, strict=False):
        assert score == pytest.approx(expected[i], rel=2e-5, abs=2e-5)
        assert score == pytest.approx(place, rel=2e-5, abs=2e-5)
    assert np.allclose(sum(hits.parts.values()), hits.score, rtol=0, atol=1e-12)
    assert hits.parts.keys() == hits.values.keys() == hits.weights.keys()
    for name, part in hits.parts.items():
        assert np.array_equal(part, hits.values[name] * hits.weights[name])


QUERIES = (
    "did Ada paint the blue boat", "when did Bob sell boats", "kayaks in May 2023",
    "Ada and Bob sold taxes", "zzz", "", "the of",
)  # fmt: skip


@pytest.mark.parametrize(
    "weights",
    [
        MEMORIES,
        DOCUMENTS,
        Weights(context=0.0),
        Weights(decay=0.5, activation=0.4, retention=0.3, answer=0.7, opening=0.2),
    ],
)
@pytest.mark.parametrize("sessions", [0, 4])
def test_ranks_as_reckoned_by_hand(weights: Weights, sessions: int) -> None:
    rows = some_rows(60, seed=sessions, sessions=sessions)
    index, plain, rng = ScopeIndex.build(rows, dimensions=None), Plain(rows), random.Random(1)
    for text in QUERIES:
        for blob in (None, a_vector(rng)):
            for allowed in (None, frozenset(range(5, 25)), frozenset({3}), frozenset[int]()):
                query = Query(text, blob, 7, allowed, weights)
                check(index.search(query), plain.scores(query), 7)


steps = st.lists(
    st.tuples(st.lists(st.integers(1, 25), max_size=4), st.lists(st.integers(1, 25), max_size=3)),
    max_size=8,
)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 20), steps, st.integers(0, 99), st.sampled_from([0, 1, 3]))
def test_apply_is_rebuild(start: int, changes: Any, seed: int, sessions: int) -> None:
    """And every snapshot on the way still answers as it did."""
    rng = random.Random(seed)
    held = {row.id: row for row in some_rows(start, seed, sessions=sessions)}
    index = ScopeIndex.build(held.values(), dimensions=DIMENSIONS)
    past = []
    question = Query("did Ada paint boats", a_vector(rng), 9)
    for upserts, deletes in changes:
        past.append((index, dict(held)))
        fresh = [some_rows(1, rng.randrange(999), sessions=sessions, start=i)[0] for i in upserts]
        index = index.apply(fresh, deletes)
        held = {i: row for i, row in held.items() if i not in deletes}
        held |= {row.id: row for row in fresh}
    for snapshot, rows in [*past, (index, held)]:
        assert sorted(snapshot.ids) == sorted(rows) and len(snapshot) == len(rows)
        assert sorted(snapshot.missing_vectors()) == sorted(
            i for i, row in rows.items() if row.vector is None
        )
        check(snapshot.search(question), Plain(list(rows.values())).scores(question), 9)
        words = Query("sold kayaks", None, 5, None, Weights(context=0.0))
        check(snapshot.search(words), Plain(list(rows.values())).scores(words), 5)


@pytest.mark.parametrize("context", [True, False])
def test_large_batches_and_many_small_ones_meet(context: bool) -> None:
    """Past a few hundred rows a batch is built in; past a tail of 1,024 the index is compacted."""
    rows = some_rows(1800, seed=5, sessions=40)
    whole = ScopeIndex.build(rows, dimensions=DIMENSIONS, context=context)
    index = ScopeIndex.build(rows[:100], dimensions=DIMENSIONS, context=context)
    index = index.apply(rows[100:600], [])
    for row in rows[600:]:
        index = index.apply([row], [])
    index = index.apply([rows[7]._replace(text="zebra")], range(900, 1000))
    again = ScopeIndex.build(
        [r for r in rows if r.id != 8 and not 900 <= r.id < 1000]
        + [rows[7]._replace(text="zebra")],
        dimensions=DIMENSIONS,
        context=context,
    )
    rng = random.Random(2)
    for text in (*QUERIES, "zebra"):
        query = Query(text, a_vector(rng), 20)
        expected, hits = again.search(query), index.search(query)
        assert hits.score == pytest.approx(expected.score, rel=1e-5)
    assert len(whole) == 1800 and index.search(Query("zebra", k=1)).ids.tolist() == [8]


def test_branches_of_one_index_do_not_see_each_other() -> None:
    root = ScopeIndex.build(some_rows(50, 1), dimensions=DIMENSIONS)
    left = root.apply([Row(100, "zebra crossing", None, 1.0, "s1")], [])
    right = root.apply([Row(101, "zebra herd", None, 1.0, "s1")], [3])
    deeper = left.apply([Row(102, "zebra zebra")], [])
    assert root.search(Query("zebra")).ids.tolist() == []
    assert left.search(Query("zebra herd", weights=DOCUMENTS)).ids.tolist() == [100]
    assert right.search(Query("zebra herd", weights=DOCUMENTS)).ids.tolist() == [101]
    assert sorted(deeper.search(Query("zebra", weights=DOCUMENTS)).ids) == [100, 102]
    assert 3 in root.ids and 3 not in right.ids and 3 in deeper.ids


def fts_bm25(rows: list[Row], text: str) -> dict[int, float]:
    con = apsw.Connection(":memory:")
    con.execute("CREATE VIRTUAL TABLE f USING fts5(t, tokenize = 'porter unicode61')")
    con.executemany(
        "INSERT INTO f (rowid, t) VALUES (?, ?)", ((r.id, r.head + r.text) for r in rows)
    )
    match = " OR ".join(f'"{term}"' for term in text.split())
    found: Any = con.execute("SELECT rowid, -bm25(f) FROM f WHERE f MATCH ?", (match,)).fetchall()
    return dict(found)


@pytest.mark.parametrize(
    "text", ["boats", "kayak blue", "ferry paint oslo tax", "sold red river boat"]
)
def test_words_alone_are_fts5_bm25(text: str) -> None:
    rng = random.Random(3)
    rows = [
        Row(i, " ".join(rng.choices(WORDS, weights=range(1, 16), k=rng.randint(1, 60))))
        for i in range(1, 400)
    ]
    index = ScopeIndex.build(rows[:300], dimensions=None)
    for row in rows[300:]:
        index = index.apply([row], [])
    expected = fts_bm25(rows, text)
    top = max(expected.values())
    hits = index.search(Query(text, k=1000, weights=Weights.fused(0.0, exact=0.0, floor=0.0)))
    assert set(hits.ids.tolist()) == set(expected)
    for i, lexical in zip(hits.ids.tolist(), hits.lexical, strict=True):
        assert lexical == pytest.approx(expected[i] / top, rel=1e-6)


def test_the_context_field_is_a_second_fts5_column() -> None:
    rows = [r._replace(session="one", speaker=None) for r in some_rows(80, 9)]
    turns = [r.head + r.text for r in sorted(rows, key=lambda r: (r.created_at, r.id))]
    ids = [r.id for r in sorted(rows, key=lambda r: (r.created_at, r.id))]
    con = apsw.Connection(":memory:")
    con.execute("CREATE VIRTUAL TABLE f USING fts5(t, c, tokenize = 'porter unicode61')")
    for j, i in enumerate(ids):
        around = [*turns[max(0, j - 2) : j], *turns[j + 1 : j + 2]]
        con.execute("INSERT INTO f (rowid, t, c) VALUES (?, ?, ?)", (i, turns[j], " ".join(around)))
    sql = "SELECT rowid, -bm25(f, 1, .5) FROM f WHERE f MATCH 'kayak OR tax'"
    expected: dict[int, float] = dict(con.execute(sql).fetchall())  # type: ignore[arg-type]  # two columns
    hits = ScopeIndex.build(rows, dimensions=None).search(Query("kayak tax", k=100))
    got = dict(zip(hits.ids.tolist(), hits.lexical, strict=True))
    assert set(got) == set(expected)
    top = max(expected.values())
    assert all(got[i] == pytest.approx(expected[i] / top, rel=2e-6) for i in got)


def test_rows_without_a_session_are_not_neighbours() -> None:
    rows = [Row(i, text, None, float(i)) for i, text in enumerate(["red kayak", "tax", "ferry"])]
    hits = ScopeIndex.build(rows, dimensions=None).search(Query("kayak"))
    assert hits.ids.tolist() == [0] and "session" not in hits.parts


def test_k_at_its_edges() -> None:
    index = ScopeIndex.build(some_rows(20, 1), dimensions=None)
    query = Query("boats and kayaks", a_vector(random.Random(1)))
    assert len(index.search(query._replace(k=0)).ids) == 0
    assert len(index.search(query._replace(k=10**9)).ids) <= 20
    with pytest.raises(ValueError, match="expected k of at least 0, not -1"):
        index.search(query._replace(k=-1))


def test_an_empty_index_answers() -> None:
    index = ScopeIndex.build([], dimensions=None)
    query = Query("anything", vector(1, 2), 5)
    assert len(index) == 0 and len(index.search(query).ids) == 0 and len(index.ids) == 0
    assert len(index.nearest(vector(1, 2), 3)[0]) == 0 == len(index.within(vector(1, 2), 1.0)[0])
    grown = index.apply([Row(1, "anything", vector(1, 2))], [])
    assert grown.search(query).ids.tolist() == [1] and grown.dimensions == 2
    assert len(grown.apply([], [1]).search(query).ids) == 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    index = ScopeIndex.build(some_rows(5, 1), dimensions=DIMENSIONS)
    blob = vector(1, 2, 3, 4, 5, bad)
    with pytest.raises(ValueError, match="finite"):
        ScopeIndex.build([Row(1, "a", blob)], dimensions=None)
    with pytest.raises(ValueError, match="finite"):
        index.apply([Row(1, "a", blob)], [])
    with pytest.raises(ValueError, match="finite"):
        index.search(Query("a", blob))


def test_another_number_of_dimensions_is_refused() -> None:
    index = ScopeIndex.build(some_rows(5, 1), dimensions=DIMENSIONS)
    with pytest.raises(ValueError, match="expected 6 dimensions, not 2"):
        index.apply([Row(1, "a", vector(1, 2))], [])
    with pytest.raises(ValueError, match="expected 6 dimensions, not 1"):
        index.search(Query("a", vector(1)))
    with pytest.raises(ValueError, match="expected a metric"):
        ScopeIndex.build([], dimensions=2, metric="hamming")


def test_chinese_words_of_two_characters_are_found() -> None:
    texts = [
        "我昨天去了北京大学",
        "他喜欢喝绿茶",
        "上海的天气很好",
        "She drinks 绿茶 daily",
        "京都の寺",
    ]
    index = ScopeIndex.build([Row(i, t) for i, t in enumerate(texts)], dimensions=None)
    assert index.search(Query("北京", k=1)).ids.tolist() == [0]
    assert sorted(index.search(Query("绿茶")).ids) == [1, 3]
    assert index.search(Query("天气怎么样？", k=1)).ids.tolist() == [2]
    assert index.search(Query("京都", k=1)).ids.tolist() == [4]


def test_the_speaker_whom_the_question_names_comes_first() -> None:
    rows = [
        Row(1, "Bob: I sold a kayak", None, 1.0, None, "Bob"),
        Row(2, "Ada: I sold a kayak", None, 2.0, None, "Ada"),
        Row(3, "user: I sold a kayak", None, 3.0, None, "user"),
        *(Row(i, "Eve: tea", None, 4.0, None, "Eve") for i in range(4, 12)),
    ]
    index = ScopeIndex.build(rows, dimensions=None)
    assert sorted(index.speakers) == ["ada", "bob", "eve"]
    assert index.search(Query("kayak of Ada")).parts["speaker"][0] > 0
    assert "speaker" not in index.search(Query("kayak of Ada and Bob")).parts
    assert "speaker" not in index.search(Query("which user sold a kayak")).parts
    assert "speaker" not in index.apply([], [2]).search(Query("kayak of Ada")).parts


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_nearest_and_within_are_exact(metric: str) -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((500, 8)).astype(np.float32) * 3
    rows = [Row(i, "", x[i].tobytes()) for i in range(500)]
    index = ScopeIndex.build(rows[:400], dimensions=8, metric=metric, context=False, words=False)
    index = index.apply(rows[400:450], []).apply(rows[450:], [7])
    q = x[42]
    wide = x.astype(np.float64)
    if metric == "l2":
        d = np.linalg.norm(wide - q, axis=1)
    elif metric == "ip":
        d = -(wide @ q)
    else:
        d = 1 - wide @ q / np.linalg.norm(wide, axis=1) / np.linalg.norm(wide[42])
    d[7] = np.inf
    ids, distance = index.nearest(q.tobytes(), 20)
    assert ids.tolist() == np.argsort(d, kind="stable")[:20].tolist()
    assert distance == pytest.approx(d[ids], abs=1e-6)
    allowed = np.arange(0, 500, 3)
    ids, _ = index.nearest(q.tobytes(), 10, allowed)
    inside = allowed[np.argsort(d[allowed], kind="stable")]
    assert ids.tolist() == inside[inside != 7][:10].tolist()
    radius = float(np.sort(d)[30:32].mean())
    near, _ = index.within(q.tobytes(), radius)
    assert sorted(near) == sorted(np.flatnonzero(d <= radius))
    assert len(index.search(Query(None, q.tobytes(), 5)).ids) == 5


def test_codes_are_compared_again_by_their_floats() -> None:
    pytest.importorskip("simsimd")
    rng = np.random.default_rng(8)
    x = rng.standard_normal((3000, 32)).astype(np.float32)
    rows = [Row(i, f"row {i}", x[i].tobytes(), i, f"s{i // 20}") for i in range(3000)]
    floats = ScopeIndex.build(rows, dimensions=32)
    codes = ScopeIndex.build(rows[:2500], dimensions=32, float_rows=100).apply(rows[2500:2600], [])
    codes = codes.apply(rows[2600:], [])
    asked: list[int] = []

    def fetch(ids: Any) -> Any:
        asked.append(len(ids))
        return x[ids]

    for i in (5, 2550, 2999):
        query = Query("row", (x[i] + 0.3 * x[i - 1]).tobytes(), 10)
        exact, coded = floats.search(query), codes.search(query, fetch)
        assert len(set(exact.ids) & set(coded.ids)) >= 9
        assert coded.ids[0] == exact.ids[0]
        assert coded.similarity[0] == pytest.approx(exact.similarity[0], abs=1e-6)
        assert codes.nearest(query.vector or b"", 10, None, fetch)[0].tolist() == (
            floats.nearest(query.vector or b"", 10)[0].tolist()
        )
        assert codes.search(query).similarity[0] == pytest.approx(exact.similarity[0], abs=0.02)
    assert max(asked) < 400 and codes.nbytes < floats.nbytes


def test_within_is_exact_where_floats_stand_beside_codes() -> None:
    rng = np.random.default_rng(9)
    x = rng.standard_normal((2500, 32)).astype(np.float32)
    rows = [Row(i, f"row {i}", x[i].tobytes()) for i in range(2500)]
    index = ScopeIndex.build(rows, dimensions=32)
    wide = x.astype(np.float64)
    d = 1 - wide @ wide[3] / np.linalg.norm(wide, axis=1) / np.linalg.norm(wide[3])
    radius = float(np.sort(d)[400:402].mean())
    assert sorted(index.within(x[3].tobytes(), radius)[0]) == sorted(np.flatnonzero(d <= radius))
    assert index.nearest(x[3].tobytes(), 10)[0].tolist() == np.argsort(d)[:10].tolist()
    hits = index.search(Query(None, x[3].tobytes(), 10))
    assert hits.similarity[0] == pytest.approx(1.0, abs=1e-6)


def test_an_index_is_smaller_than_what_it_holds_twice() -> None:
    small, large = (ScopeIndex.build(some_rows(n, 1), dimensions=None) for n in (100, 1000))
    assert 10 * small.nbytes * 0.4 < large.nbytes < 1000 * 2000


def test_threads_search_while_another_writes() -> None:
    index = ScopeIndex.build(some_rows(300, 2), dimensions=DIMENSIONS)
    query, failed = Query("did Ada paint boats", a_vector(random.Random(3)), 5), []
    expected = index.search(query).score.tolist()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            if index.search(query).score.tolist() != expected:
                failed.append(1)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    latest = index
    for row in some_rows(200, 6, start=1000):
        latest = latest.apply([row], [])
    done.set()
    for thread in threads:
        thread.join()
    assert not failed and len(latest) == 500
