"""A model that fails half way: a clear error, what was made is kept, and the next run goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import sqlagent
from sqlagent.embedding import load


class Failing:
    """The model's session, which fails from a call on, or gives what is no number."""

    def __init__(self, session: Any, after: int, nan: bool = False) -> None:
        self.session, self.left, self.nan = session, after, nan

    def run(self, *arguments: Any) -> Any:
        self.left -= 1
        if self.left < 0 and not self.nan:
            raise RuntimeError("[ONNXRuntimeError] : Failed to allocate memory\nmore of it")
        made = self.session.run(*arguments)
        return [np.full_like(made[0], np.nan)] if self.left < 0 else made


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    model: Any = load()
    model.encode(["warm"])

    def fail(after: int, nan: bool = False) -> Failing:
        session = Failing(model._session, after, nan)
        monkeypatch.setattr(model, "_session", session)
        return session

    yield fail


@pytest.fixture
def many(con: sqlagent.Connection) -> sqlagent.Connection:
    for n in range(200):
        con.execute("SELECT index_document(?)", (f"Ferry {n} leaves at {n % 24} o'clock.",))
    return con


def made(con: sqlagent.Connection) -> int:
    row = con.execute("SELECT count(*) FROM chunk_vectors").fetchone()
    assert row is not None
    return int(row[0])


def test_what_was_made_is_kept_and_sync_goes_on(
    many: sqlagent.Connection, failing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(after=6)  # the first batch of 128 has five or so
    with pytest.raises(sqlagent.OperationalError, match=r"failed: .*Failed to allocate memory"):
        many.execute("CALL sync()").fetchall()
    kept = made(many)
    assert 0 < kept < 200
    monkeypatch.undo()
    many.execute("CALL sync()").fetchall()
    assert made(many) == 200


def test_words_are_still_found(many: sqlagent.Connection, failing: Any) -> None:
    failing(after=0)
    with pytest.raises(sqlagent.OperationalError, match=r"the embedding model .* failed"):
        many.execute("SELECT content FROM search('a question that is new: ferry')").fetchall()
    assert many.execute("SELECT content FROM search('ferry 7', alpha => 0)").fetchall()


def test_the_thread_behind_ends_without_a_word(
    many: sqlagent.Connection, failing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    failing(after=0)
    with pytest.raises(sqlagent.OperationalError):
        many.execute("SELECT content FROM search('another question about ferries')").fetchall()
    for thread in threading.enumerate():
        if thread.name == "sqlagent-embed":
            thread.join(20)
    assert not said


def test_vectors_that_are_no_numbers_are_not_kept(many: sqlagent.Connection, failing: Any) -> None:
    failing(after=0, nan=True)
    with pytest.raises(sqlagent.OperationalError, match="gave NaN or infinity for 128 of 128"):
        many.execute("CALL sync()").fetchall()
    assert made(many) == 0
