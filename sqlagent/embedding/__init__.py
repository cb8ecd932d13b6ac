"""Embeddings: text to vectors of unit length, with a small English model inside the package.

Importing this package imports nothing heavy: tokenizers come in with the first token that is
counted, numpy and onnxruntime with the first text that is embedded.
"""

from __future__ import annotations

import threading

from .model import Model
from .script import is_supported

__all__ = ["DEFAULT", "Model", "count_tokens", "is_supported", "load"]

DEFAULT = "minilm"
_TRANSFORMERS = "sentence-transformers:"

_models: dict[str, Model] = {}
_lock = threading.Lock()


def load(name: str = DEFAULT, *, threads: int | None = None) -> Model:
    """The model called `name`, the same object for every caller in the process.

    `name` is 'minilm' or, with the extra [models], 'sentence-transformers:<name or folder>'.
    `threads` is how many threads one call to the model may use; it counts only when the name is
    first loaded, and None means SQLAGENT_EMBED_THREADS, else 1 (else torch's own choice).

    Errors: ProgrammingError for an unknown name, NotSupportedError where the extra is missing,
    OperationalError where the model cannot be found or read, DataError for a wrong number of
    threads. The packages and files of 'minilm' are only looked for at the first encode.
    """
    model = _models.get(name)
    if model is None:
        with _lock:
            model = _models.get(name)
            if model is None:
                model = _models[name] = _open(name, threads)
    return model


def count_tokens(text: str) -> int:
    """How many tokens the default tokenizer makes of `text`, without the special ones."""
    from .tokens import default_tokenizer

    return default_tokenizer().count(text)


def _open(name: str, threads: int | None) -> Model:
    if name == DEFAULT:
        from .minilm_model import MiniLM

        return MiniLM(threads=threads)
    if name.startswith(_TRANSFORMERS) and len(name) > len(_TRANSFORMERS):
        from .transformers import SentenceTransformersModel

        return SentenceTransformersModel(name.removeprefix(_TRANSFORMERS), threads=threads)
    from sqlagent.errors import ProgrammingError, nearest

    typo = nearest(name, [DEFAULT, _TRANSFORMERS + "…"])
    raise ProgrammingError(
        f'unknown embedding model "{name}"',
        detail=f"known are '{DEFAULT}' and '{_TRANSFORMERS}<name or folder>'",
        hint=typo,
    )
