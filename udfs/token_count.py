"""token_count: how many tokens a text has."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.functions import scalar


@scalar("BIGINT")
def token_count(ctx: Context, text: str) -> int:
    """How many tokens a text has for the embedding model's tokenizer (WordPiece): a measure for
    budgets.

    Arguments:
      text: any text.

    Returns: a count from 0; NULL for NULL.

    Examples:
      SELECT token_count('The parcel is in locker 17');
    """
    from sqlagent.embedding import count_tokens

    return count_tokens(text)
