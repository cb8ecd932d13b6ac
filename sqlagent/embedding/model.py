"""What an embedding model is to the rest of the program."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CACHED_TEXTS_MAX = 4096
CACHED_TEXT_CHARS_MAX = 2000  # queries are short; longer texts would make the cache large


@contextmanager
def working(name: str) -> Iterator[None]:
    """Makes an OperationalError that names the model of whatever its library raises."""
    try:
        yield
    except Exception as error:  # memory, a broken file: each library has errors of its own
        from sqlagent.errors import Error, OperationalError

        if isinstance(error, Error):
            raise
        first = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise OperationalError(
            f'the embedding model "{name}" failed: {first:.200}',
            hint="The vectors that were made are kept: CALL sync() goes on where it was",
        ) from error


class Model(ABC):
    """Text to vectors of unit length. Safe to share between threads."""

    name: str
    """A stable id, stored beside each vector: vectors of two names are never compared."""
    dimensions: int
    """Numbers in one vector."""
    languages: frozenset[str] | None
    """ISO 639-1 codes of the languages it knows; None where it is multilingual or not known."""

    def __init__(self) -> None:
        self._cached = lru_cache(maxsize=CACHED_TEXTS_MAX)(self._encode_one)

    @abstractmethod
    def encode(
        self,
        texts: Sequence[str],
        *,
        batch: int = 32,
        progress: Callable[[int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        """One row of unit length a text, in the order of `texts`: float32 of shape (n, dimensions).

        At most `batch` texts are worked on at once. `progress` is told after each batch how many
        texts are done. What lies beyond the model's window is not read. '' is a text like others.
        """

    @abstractmethod
    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token of `text` lies: half-open intervals of characters, in order."""

    @abstractmethod
    def count_tokens(self, text: str) -> int:
        """How many tokens `text` has, without the special ones and without a limit."""

    def encode_one(self, text: str) -> bytes:
        """The vector of `text` as little-endian float32 bytes; short texts are remembered."""
        return self._encode_one(text) if len(text) > CACHED_TEXT_CHARS_MAX else self._cached(text)

    def _encode_one(self, text: str) -> bytes:
        return self.encode([text]).astype("<f4", copy=False).tobytes()
