"""Tokens of a text, by a tokenizer.json file. Loads the package tokenizers at first need."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

MINILM_FOLDER = Path(__file__).with_name("minilm")

_WORD_TOKENS_MAX = 100  # a longer word is one unknown token in WordPiece


class Tokenizer:
    """A tokenizer of the WordPiece kind. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loaded: Any = None
        self._lock = threading.Lock()

    def count(self, text: str) -> int:
        return len(self._encode(text).ids)

    def spans(self, text: str) -> list[tuple[int, int]]:
        return list(self._encode(text).offsets)

    def ids(self, text: str, length: int) -> list[int]:
        """The first `length` token ids at most, without reading all of a long text."""
        chars = 32 * length
        while chars < len(text):
            ids: list[int] = self._encode(text[:chars]).ids
            # The cut may have split the last word, so its tokens are not to be trusted.
            if len(ids) >= length + _WORD_TOKENS_MAX:
                return ids[:length]
            chars *= 4
        return list(self._encode(text).ids[:length])

    def special(self, token: str) -> int:
        """The id of a special token such as '[CLS]'."""
        return int(self._ready().token_to_id(token))

    def _encode(self, text: str) -> Any:
        return self._ready().encode(valid(text), add_special_tokens=False)

    def _ready(self) -> Any:
        if self._loaded is None:
            with self._lock:
                if self._loaded is None:
                    self._loaded = self._load()
        return self._loaded

    def _load(self) -> Any:
        from sqlagent.errors import OperationalError

        try:
            from tokenizers import Tokenizer as Loaded
        except ImportError as error:
            raise OperationalError(
                "cannot count tokens without the package tokenizers",
                detail=str(error),
                hint="pip install tokenizers",
            ) from error
        try:
            loaded = Loaded.from_file(str(self._path))
        except Exception as error:  # the package raises a bare Exception for a bad file
            raise OperationalError(
                f'cannot read the tokenizer "{self._path.name}" of the embedding model',
                detail=str(error),
                hint="reinstall sqlagent",
            ) from error
        loaded.no_truncation()  # the file asks for 128 tokens, always padded to 128
        loaded.no_padding()
        return loaded


def valid(text: str) -> str:
    """`text` with "?" for each lone surrogate, which UTF-8 cannot hold; as long as before."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


@cache
def default_tokenizer() -> Tokenizer:
    """The tokenizer of the model that ships with the package."""
    return Tokenizer(MINILM_FOLDER / "tokenizer.json")
