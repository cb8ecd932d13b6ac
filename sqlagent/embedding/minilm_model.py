"""The model that ships with the package: all-MiniLM-L6-v2 in int8, run by onnxruntime."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .model import Model, working
from .tokens import MINILM_FOLDER, default_tokenizer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_TOKENS = 256  # as the model was trained, with its two special tokens
BATCH_TOKENS_MAX = (
    512  # padding included: more at once is slower, as it leaves the processor's cache
)


class MiniLM(Model):
    """Vectors of 384 dimensions for English. A text gets the same vector in every batch."""

    name = "all-MiniLM-L6-v2-int8"
    dimensions = 384
    languages = frozenset({"en"})

    def __init__(self, *, threads: int | None = None) -> None:
        super().__init__()
        self._threads = thread_count(threads)
        self._tokenizer = default_tokenizer()
        self._session: Any = None
        self._lock = threading.Lock()

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch: int = 32,
        progress: Callable[[int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        import numpy as np

        session = self._ready()
        first, last = self._tokenizer.special("[CLS]"), self._tokenizer.special("[SEP]")
        rows = [[first, *self._tokenizer.ids(text, MAX_TOKENS - 2), last] for text in texts]
        vectors = np.empty((len(rows), self.dimensions), np.float32)
        done = 0
        for places in batches([len(row) for row in rows], batch):
            width = len(rows[places[-1]])
            ids = np.zeros((len(places), width), np.int64)
            mask = np.zeros_like(ids)
            for i, place in enumerate(places):
                ids[i, : len(rows[place])] = rows[place]
                mask[i, : len(rows[place])] = 1
            inputs = {"input_ids": ids, "attention_mask": mask}
            with working(self.name):
                vectors[places] = session.run(["embedding"], inputs)[0]
            done += len(places)
            if progress is not None:
                progress(done)
        return vectors

    def count_tokens(self, text: str) -> int:
        return self._tokenizer.count(text)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return self._tokenizer.spans(text)

    def _ready(self) -> Any:
        if self._session is None:
            with self._lock:
                if self._session is None:
                    self._session = open_session(self._threads)
        return self._session


def batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Places of texts of about one length, shortest first, so that little is padded."""
    group: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        full = len(group) >= size or (len(group) + 1) * lengths[place] > BATCH_TOKENS_MAX
        if group and full:
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def thread_count(threads: int | None) -> int:
    """`threads`, else SQLAGENT_EMBED_THREADS, else 1. Error: DataError for less than 1."""
    from sqlagent.errors import DataError

    wanted = os.environ.get("SQLAGENT_EMBED_THREADS", "1") if threads is None else threads
    try:
        count = int(wanted)
    except ValueError:
        count = 0
    if count < 1:
        raise DataError(f"expected 1 or more threads for embedding, not {wanted!r}")
    return count


def open_session(threads: int) -> Any:
    """An onnxruntime session that holds its memory and its threads down."""
    from sqlagent.errors import NotSupportedError, OperationalError

    try:
        onnxruntime: Any = import_module("onnxruntime")  # which has no types
    except ImportError as error:
        raise NotSupportedError(
            "cannot embed text without the package onnxruntime",
            detail=str(error),
            hint="pip install onnxruntime, or SET embedding_model = 'none'",
        ) from error
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: warnings would land on the user's terminal
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            str(MINILM_FOLDER / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime has no base class for its errors
        raise OperationalError(
            'cannot read the embedding model "minilm"',
            detail=str(error),
            hint="reinstall sqlagent",
        ) from error
