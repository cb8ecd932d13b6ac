"""Feedback: the question again with what its best documents say."""

from __future__ import annotations

import numpy as np
import pytest

import sqlagent
from sqlagent.index import CHUNKS, DOCUMENTS, Query, Row, ScopeIndex


def blob(*numbers: float) -> bytes:
    return np.array(numbers, "<f4").tobytes()


# The question points along the first axis; its best document also along the second, as the third
# document does, which alone is as far from the question as the fourth.
ROWS = [
    Row(1, "ferry to the island", blob(1.0, 0.6, 0.0, 0.0), 0.0, "best"),
    Row(2, "ferry timetable", blob(0.9, 0.7, 0.0, 0.0), 1.0, "best"),
    Row(3, "boats of the harbour", blob(0.4, 0.9, 0.0, 0.1), 0.0, "alike"),
    Row(4, "boats in winter", blob(0.4, 0.9, 0.0, 0.1), 1.0, "alike"),
    Row(5, "taxes and their forms", blob(0.4, 0.0, 0.9, 0.0), 0.0, "other"),
    Row(6, "forms for taxes", blob(0.45, 0.0, 0.9, 0.0), 1.0, "other"),
]
QUESTION = Query("ferry", blob(1.0, 0.0, 0.0, 0.0), 6, None, DOCUMENTS)


def ranking(query: Query) -> list[int]:
    index = ScopeIndex.build(ROWS, dimensions=4, context=CHUNKS)
    return [int(i) for i in index.search(query).ids]


def test_what_is_like_the_best_documents_comes_before_what_is_not() -> None:
    once = DOCUMENTS._replace(feedback_documents=0)
    assert ranking(QUESTION._replace(weights=once)).index(6) < 4  # nearer by itself
    again = ranking(QUESTION._replace(weights=DOCUMENTS._replace(feedback_documents=1)))
    assert again[:2] in ([1, 2], [2, 1]) and set(again[2:4]) == {3, 4}


def test_its_part_is_told_and_bounded() -> None:
    index = ScopeIndex.build(ROWS, dimensions=4, context=CHUNKS)
    hits = index.search(QUESTION)
    assert hits.values["feedback"].max() == pytest.approx(1.0, abs=1e-6)
    assert hits.values["feedback"].min() >= 0.0
    assert hits.weights["feedback"] == 0.2
    assert "feedback" not in index.search(
        QUESTION._replace(weights=DOCUMENTS._replace(feedback=0.0))
    ).values  # fmt: skip


def test_only_what_passes_the_filters_is_asked_with() -> None:
    """A document that may not be found changes no score of one that may."""
    few = [row for row in ROWS if row.session != "best"]
    allowed = frozenset(row.id for row in few)
    index = ScopeIndex.build(ROWS, dimensions=4, context=CHUNKS)
    weights = DOCUMENTS._replace(words=0.0, coverage=0.0)
    hits = index.search(QUESTION._replace(allowed=allowed, weights=weights))
    alone = ScopeIndex.build(few, dimensions=4, context=CHUNKS)
    same = alone.search(QUESTION._replace(weights=weights))
    assert hits.ids.tolist() == same.ids.tolist()
    assert hits.score == pytest.approx(same.score, abs=1e-6)


def test_of_a_long_document_some_of_its_chunks_stand_for_it() -> None:
    rng = np.random.default_rng(3)
    rows = [
        Row(n, "ferry", rng.normal(size=4).astype("<f4").tobytes(), float(n), "long")
        for n in range(1, 400)
    ]
    index = ScopeIndex.build(rows, dimensions=4, context=CHUNKS)
    assert len(index.search(QUESTION._replace(k=400)).ids) == 399


@pytest.mark.parametrize("value", ["0", "1", "1000000"])
def test_how_many_documents_is_a_setting(con: sqlagent.Connection, value: str) -> None:
    for n in range(4):
        con.execute("SELECT index_document(?)", (f"The ferry number {n} leaves at {n} o'clock.",))
    con.execute(f"SET search_feedback_documents = {value}")
    rows = con.execute("SELECT score FROM search('when does the ferry leave', k => 9)").fetchall()
    assert len(rows) == 4 and rows == sorted(rows, reverse=True)
    with pytest.raises(sqlagent.ProgrammingError, match="is a whole number from 0"):
        con.execute("SET search_feedback_documents = -1")
