"""Any sentence-transformers model, for the extra [models]. Imports torch with the first use."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .minilm_model import thread_count
from .model import Model, working
from .tokens import valid

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class SentenceTransformersModel(Model):
    """A model by its name on the Hugging Face hub or by its folder, read when this is made.

    Errors: NotSupportedError where sentence-transformers is not installed, OperationalError where
    the model cannot be found or read.
    """

    languages = None

    def __init__(self, source: str, *, threads: int | None = None) -> None:
        super().__init__()
        self.name = f"sentence-transformers:{source}"
        self._model = open_model(source)
        if threads is not None or "SQLAGENT_EMBED_THREADS" in os.environ:
            set_threads(thread_count(threads))
        self.dimensions = int(self._model.encode([""]).shape[1])

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch: int = 32,
        progress: Callable[[int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        import numpy as np

        vectors = np.empty((len(texts), self.dimensions), np.float32)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            with working(self.name):
                vectors[places] = self._model.encode(
                    [valid(texts[place]) for place in places],
                    batch_size=batch,
                    normalize_embeddings=True,
                    convert_to_numpy=True,
                    show_progress_bar=False,
                )
            if progress is not None:
                progress(start + len(places))
        return vectors

    def count_tokens(self, text: str) -> int:
        return len(self._tokens(text)["input_ids"])

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        if not self._model.tokenizer.is_fast:
            from sqlagent.errors import NotSupportedError

            raise NotSupportedError(
                f'the tokenizer of "{self.name}" does not tell where its tokens lie',
                hint="cut documents by characters, or choose a model with a fast tokenizer",
            )
        return [(a, b) for a, b in self._tokens(text, spans=True)["offset_mapping"]]

    def _tokens(self, text: str, *, spans: bool = False) -> Any:
        return self._model.tokenizer(
            valid(text),
            add_special_tokens=False,
            truncation=False,
            return_offsets_mapping=spans,
            verbose=False,  # no warning about texts that are longer than the window
        )


def open_model(source: str) -> Any:
    from sqlagent.errors import NotSupportedError, OperationalError

    try:
        package: Any = import_module("sentence_transformers")
    except ImportError as error:
        raise NotSupportedError(
            f'embedding model "sentence-transformers:{source}" needs the extra [models]',
            detail=str(error),
            hint="pip install 'sqlagent[models]'",
        ) from error
    try:
        return package.SentenceTransformer(source, device="cpu")
    except Exception as error:  # missing, not readable, no network: each from another package
        raise OperationalError(
            f'cannot load the embedding model "sentence-transformers:{source}"',
            detail=str(error),
            hint="name a folder that holds the model, or a model of the Hugging Face hub",
        ) from error


def set_threads(threads: int) -> None:
    """For the whole process, as torch has one setting: hence only where somebody asked for it."""
    import_module("torch").set_num_threads(threads)
