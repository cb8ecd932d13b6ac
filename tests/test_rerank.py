"""The whole way of a cross-encoder, with a real one whose weights are random: tiny, made here."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sqlagent
from sqlagent.search import rerank

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("sentence_transformers") is None,
        reason="sentence-transformers, the extra [models], is not installed",
    ),
]
HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ASK = "SELECT uri, score FROM search('when does the ferry leave', k => ?, rerank => true)"


def made(folder: Path, labels: int = 1) -> str:
    """A cross-encoder of two layers in a folder, with the tokenizer that ships with the package."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    from sqlagent.embedding.tokens import MINILM_FOLDER

    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=30522, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, num_labels=labels, initializer_range=0.5,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(MINILM_FOLDER / "tokenizer.json"), unk_token="[UNK]",
        pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
        model_max_length=128,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    before = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"  # no test asks the network
    yield made(tmp_path_factory.mktemp("cross-encoder"))
    if before is None:
        del os.environ["HF_HUB_OFFLINE"]


@pytest.fixture
def ferries(
    words: sqlagent.Connection, folder: str, monkeypatch: pytest.MonkeyPatch
) -> sqlagent.Connection:
    """Sixty chunks about ferries, and the model set."""
    monkeypatch.setattr(rerank, "_scores", type(rerank._scores)())
    for n in range(60):
        text = f"The ferry number {n} leaves at {HOURS[n % 10]}, 渡船{n}号。"
        words.execute("SELECT index_document(?, uri => ?)", (text, str(n)))
    words.execute(f"SET rerank_model = '{folder}'")
    return words


class Watched:
    """A model whose calls are counted, and fail from the one that is told."""

    def __init__(self, model: Any, fails_at: int = 10**6) -> None:
        self.model, self.fails_at = model, fails_at
        self.batches: list[int] = []

    def predict(self, pairs: Any, **more: Any) -> Any:
        if len(self.batches) + 1 >= self.fails_at:
            raise RuntimeError("out of memory\nTried to allocate 20 MiB")
        self.batches.append(len(pairs))
        return self.model.predict(pairs, **more)


def watch(monkeypatch: pytest.MonkeyPatch, name: str, fails_at: int = 10**6) -> Watched:
    watched = Watched(rerank.model_of(name), fails_at)
    monkeypatch.setitem(rerank._models, name, watched)
    return watched


def test_the_order_and_the_scores_are_the_models(ferries: sqlagent.Connection, folder: str) -> None:
    from sentence_transformers import CrossEncoder

    found = ferries.execute(ASK, (50,)).fetchall()
    texts = dict(ferries.execute("SELECT uri, content FROM documents").fetchall())
    model = CrossEncoder(folder)
    wanted = model.predict([("when does the ferry leave", texts[uri]) for uri, _ in found])
    assert [score for _, score in found] == pytest.approx([float(s) for s in wanted], abs=1e-4)
    assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)
    assert len({score for _, score in found}) > 10, "the model tells texts apart"
    plain = ferries.execute("SELECT uri FROM search('when does the ferry leave', k => 50)")
    assert [uri for uri, _ in found] != [uri for (uri,) in plain]


def test_in_batches_each_once_and_bounded(
    ferries: sqlagent.Connection, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = watch(monkeypatch, folder)
    first = ferries.execute(ASK, (5,)).fetchall()
    assert watched.batches == [32, 18], "rerank_candidates is 50"
    assert ferries.execute(ASK, (5,)).fetchall() == first and len(watched.batches) == 2
    ferries.execute("SET rerank_candidates = 7")
    rest = ferries.execute(ASK, (20,)).fetchall()
    assert len(watched.batches) == 2 and len(rest) == 20
    assert [score for _, score in rest] == sorted((s for _, s in rest), reverse=True)
    monkeypatch.setattr(rerank, "REMEMBERED", 10)
    ferries.execute("SELECT uri FROM search('渡船几点出发', rerank => true)").fetchall()
    assert len(rerank._scores) == 10 and watched.batches[2:] == [7]


def test_failing_half_way_it_goes_on_where_it_was(
    ferries: sqlagent.Connection, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = watch(monkeypatch, folder, fails_at=2)
    with pytest.raises(sqlagent.OperationalError, match="failed: out of memory\n"):
        ferries.execute(ASK, (5,)).fetchall()
    assert watched.batches == [32]
    watched.fails_at = 10**6
    assert len(ferries.execute(ASK, (5,)).fetchall()) == 5
    assert watched.batches == [32, 18], "what was read before the failure is not read again"
    assert ferries.execute("SELECT count(*) FROM search('ferry', k => 5)").fetchone() == (5,)


def test_scores_that_are_no_numbers_are_an_error(
    ferries: sqlagent.Connection, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = watch(monkeypatch, folder)
    monkeypatch.setattr(watched, "predict", lambda pairs, **_: [float("nan")] * len(pairs))
    with pytest.raises(sqlagent.OperationalError, match="32 scores that are no numbers for 32"):
        ferries.execute(ASK, (5,)).fetchall()
    assert not rerank._scores


def test_a_model_that_is_missing_or_of_another_kind(
    ferries: sqlagent.Connection, tmp_path: Path
) -> None:
    ferries.execute(f"SET rerank_model = '{tmp_path / 'none'}'")
    with pytest.raises(sqlagent.OperationalError, match="cannot be read"):
        ferries.execute(ASK, (5,)).fetchall()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    ferries.execute(f"SET rerank_model = '{tmp_path / 'broken'}'")
    with pytest.raises(sqlagent.OperationalError, match="cannot be read"):
        ferries.execute(ASK, (5,)).fetchall()
    ferries.execute(f"SET rerank_model = '{made(tmp_path / 'three', labels=3)}'")
    with pytest.raises(sqlagent.OperationalError, match="one score for a question and a chunk"):
        ferries.execute(ASK, (5,)).fetchall()
