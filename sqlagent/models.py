"""Which embedding model the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from sqlagent.errors import NotSupportedError

if TYPE_CHECKING:
    from sqlagent.embedding import Model


@overload
def model_of(settings: Mapping[str, Any], needed: Literal[True]) -> Model: ...
@overload
def model_of(settings: Mapping[str, Any], needed: bool = False) -> Model | None: ...
def model_of(settings: Mapping[str, Any], needed: bool = False) -> Model | None:
    """The model, loaded on first use; None for 'none', or an error where one is needed."""
    name = settings.get("embedding_model", "minilm")
    if name == "none":
        if needed:
            raise NotSupportedError(
                "there is no embedding model: embedding_model is 'none'",
                hint="SET embedding_model = 'minilm'",
            )
        return None
    from sqlagent.embedding import load

    return load(name)
