"""Reranking by a cross-encoder of sentence-transformers, the extra [models].

It reads the question together with each chunk: far slower than vectors, and better at the top of a
list. So only the best of a search are read, and what was read is remembered.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlagent.errors import DataError, NotSupportedError, OperationalError
from sqlagent.search.kinds import chunk_text

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.search.chunks import Found

REMEMBERED = 8192  # scores of a question and a chunk
CHARACTERS = 4000  # of a chunk that are read; the models cut at 512 tokens themselves
_models: dict[str, Any] = {}
_scores: OrderedDict[tuple[str, str, str], float] = OrderedDict()


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
    the model cannot be read.
    """
    name = str(context.settings.get("rerank_model"))
    pool = found[: pool_of(context)]
    texts = [chunk_text(one.content, one.title, one.heading)[:CHARACTERS] for one in pool]
    missing = [text for text in dict.fromkeys(texts) if (name, query, text) not in _scores]
    fresh: dict[str, float] = {}
    model = model_of(name)
    if missing:
        made = model.predict([(query, text) for text in missing], show_progress_bar=False)
        fresh = {text: float(score) for text, score in zip(missing, made, strict=True)}
    scored = []
    for one, text in zip(pool, texts, strict=True):
        key = name, query, text
        score = fresh[text] if text in fresh else _scores[key]
        _scores[key] = score
        _scores.move_to_end(key)
        scored.append(one._replace(score=score))
    while len(_scores) > REMEMBERED:
        _scores.popitem(last=False)
    scored.sort(key=lambda one: (-one.score, one.chunk_id))
    low = scored[-1].score if scored else 0.0
    rest = found[len(pool) :]
    return scored + [
        one._replace(score=low - 1.0 - place) for place, one in enumerate(rest)
    ]  # fmt: skip


def model_of(name: str) -> Any:
    """The cross-encoder of a name or folder, read once in a process."""
    if name not in _models:
        try:
            library = import_module("sentence_transformers")
        except ImportError as error:
            raise NotSupportedError(
                "rerank needs sentence-transformers, which is not installed",
                hint="pip install 'sqlagent[models]', or search without rerank => true",
            ) from error
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            _models[name] = library.CrossEncoder(name)
        except Exception as error:  # whatever the hub, the files or torch raise
            raise OperationalError(
                f'the reranker "{name}" cannot be read: {str(error).splitlines()[0]:.200}',
                hint="SET rerank_model = 'a name on the hub, or a folder'",
            ) from error
    return _models[name]
