"""Reranking by a cross-encoder of sentence-transformers, the extra [models].

It reads the question together with each chunk: far slower than vectors, and better at the top of a
list. So only the best of a search are read, in batches, and what was read is remembered: a search
that failed half way goes on where it was.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections import OrderedDict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlagent.errors import DataError, NotSupportedError, OperationalError
from sqlagent.search.kinds import chunk_text

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.search.chunks import Found

REMEMBERED = 65_536  # scores of a question and a chunk, some 200 bytes each
CHARACTERS = 4000  # of a chunk that are read; the models cut at 512 tokens themselves
BATCH = 32
_models: dict[str, Any] = {}
_scores: OrderedDict[bytes, float] = OrderedDict()
_lock = threading.Lock()  # of both
_reading = threading.Lock()  # one model is loaded, or read with, at a time: torch uses all threads


def pool_of(context: Context) -> int:
    """How many chunks are read. Raises DataError for a setting that is not positive."""
    most = int(context.settings.get("rerank_candidates", 50))
    if most < 1:
        raise DataError(f"rerank_candidates is a whole number from 1, not {most}")
    return most


def reranked(context: Context, query: str, found: list[Found]) -> list[Found]:
    """The chunks by the cross-encoder's score, which becomes theirs; those beyond the pool stay
    behind, with scores below.

    Raises NotSupportedError where sentence-transformers is not installed, OperationalError where
    the model cannot be read, fails, or does not give a number for each chunk.
    """
    name = str(context.settings.get("rerank_model"))
    pool = found[: pool_of(context)]
    texts = [chunk_text(one.content, one.title, one.heading)[:CHARACTERS] for one in pool]
    scores = scores_of(name, query, texts)
    scored = [one._replace(score=score) for one, score in zip(pool, scores, strict=True)]
    scored.sort(key=lambda one: (-one.score, one.chunk_id))
    low = scored[-1].score if scored else 0.0
    rest = found[len(pool) :]
    return scored + [
        one._replace(score=low - 1.0 - place) for place, one in enumerate(rest)
    ]  # fmt: skip


def scores_of(name: str, query: str, texts: list[str]) -> list[float]:
    """The model's score of each text; what it scored lately is remembered."""
    keys = [_key(name, query, text) for text in texts]
    with _lock:
        known = {key: _scores[key] for key in keys if key in _scores}
    missing = list({k: t for k, t in zip(keys, texts, strict=True) if k not in known}.items())
    for start in range(0, len(missing), BATCH):
        part = missing[start : start + BATCH]
        made = _read(model_of(name), name, query, [text for _, text in part])
        fresh = dict(zip((key for key, _ in part), made, strict=True))
        known |= fresh
        with _lock:
            _scores.update(fresh)
    with _lock:
        for key in keys:
            if key in _scores:
                _scores.move_to_end(key)
        while len(_scores) > REMEMBERED:
            _scores.popitem(last=False)
    return [known[key] for key in keys]


def _key(name: str, query: str, text: str) -> bytes:
    parts = (part.encode("utf-8", "surrogatepass") for part in (name, query, text))
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def _read(model: Any, name: str, query: str, texts: list[str]) -> list[float]:
    pairs = [(query, text) for text in texts]
    try:
        with _reading:
            made = model.predict(pairs, batch_size=BATCH, show_progress_bar=False)
        scores = [float(score) for score in made]
    except (TypeError, ValueError) as error:
        raise OperationalError(
            f'the reranker "{name}" does not give one score for a question and a chunk',
            detail=str(error)[:200] or None,
            hint="SET rerank_model = 'a cross-encoder with one label'",
        ) from error
    except Exception as error:  # whatever torch raises: memory, a broken weight
        raise OperationalError(
            f'the reranker "{name}" failed: {_first_line(error)}',
            hint="What it has read is remembered; SET rerank_candidates to fewer, or ask again",
        ) from error
    bad = sum(not math.isfinite(score) for score in scores)
    if bad or len(scores) != len(pairs):
        what = f"{bad} scores that are no numbers" if bad else f"{len(scores)} scores"
        raise OperationalError(f'the reranker "{name}" gave {what} for {len(pairs)} chunks')
    return scores


def model_of(name: str) -> Any:
    """The cross-encoder of a name or folder, read once in a process."""
    model = _models.get(name)
    if model is None:
        with _reading:
            model = _models.get(name)
            if model is None:
                model = _models[name] = _open(name)
    return model


def _open(name: str) -> Any:
    try:
        library = import_module("sentence_transformers")
    except ImportError as error:
        raise NotSupportedError(
            "rerank needs sentence-transformers, which is not installed",
            hint="pip install 'sqlagent[models]', or search without rerank => true",
        ) from error
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        return library.CrossEncoder(name)
    except Exception as error:  # whatever the hub, the files or torch raise
        raise OperationalError(
            f'the reranker "{name}" cannot be read: {_first_line(error)}',
            hint="SET rerank_model = 'a name on the hub, or a folder'",
        ) from error


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
