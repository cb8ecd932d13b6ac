"""embed: a text as a vector."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar
from sqlagent.models import model_of


@scalar("FLOAT[]")
def embed(ctx: Context, text: str) -> bytes:
    """A text as a vector of unit length, by the model of `SET embedding_model`.

    Arguments:
      text: any text; the small built-in model reads English, and its first 256 tokens.

    Returns: FLOAT[n], n = 384 for the built-in model; NULL for NULL.

    Errors: "there is no embedding model: embedding_model is 'none'".

    Cost: about 3 ms of CPU a text the first time; a text embedded just now is remembered.

    Examples:
      SELECT cosine_similarity(embed('a cat'), embed('a kitten'));
    """
    return model_of(ctx.settings, needed=True).encode_one(text)
