"""chunk_text: a text in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.chunking import each
from sqlagent.context import Context
from sqlagent.functions import table


@table(
    "ordinal BIGINT",
    "position BIGINT",
    "content VARCHAR",
    "overlap_prev BIGINT",
    "overlap_next BIGINT",
)
def chunk_text(
    ctx: Context, text: str, size: int = 512, overlap: int = 50, by: str = "chars"
) -> Iterator[tuple[Any, ...]]:
    """A text in pieces of a bounded size. The pieces less their overlap_prev are the text again.

    Arguments:
      text: any text, in any language.
      size: the most characters of a piece, 1 to 1,000,000; by 'tokens', the most tokens.
      overlap: how many characters (tokens) of a piece are repeated in the next, from 0, below size;
        by 'sentences' and 'markdown' the whole sentences that fit in it, by 'code' the lines.
      by: where to cut: 'chars' is a sliding window; 'sentences' cuts between paragraphs and after
        sentences; 'markdown' at headings too, and keeps fenced code whole where it fits; 'code'
        between definitions, at blank lines and between lines; 'tokens' is a window over tokens of
        the embedding model, moved to whole words.

    Returns: the pieces in order: ordinal, from 0; position of the first character, from 0; content,
      exactly that slice of the text; overlap_prev and overlap_next, how many characters it shares
      with the pieces before and after it. No rows for an empty text and for NULL.

    Errors: "overlap is from 0 and less than the size of 40, not 50",
      "size is from 1 to 1,000,000, not 0".

    Cost: linear in the text.

    Examples:
      SELECT ordinal, content FROM chunk_text('One. Two.', size => 6, overlap => 0);
    """
    return ((c[0], c[1], c[2], c[3], c[4]) for c in each(text, size, overlap, by))
