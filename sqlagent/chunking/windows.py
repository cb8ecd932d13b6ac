"""Sliding windows over characters and over tokens."""

from __future__ import annotations

from collections.abc import Iterator

from sqlagent.chunking.places import is_cjk


def windows(length: int, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """The sliding window; the last one is the first that reaches the end."""
    for start in range(0, length, size - overlap):
        yield start, min(start + size, length)
        if start + size >= length:
            return


def token_windows(text: str, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """The sliding window over tokens, moved to the starts of words.

    A part of a word may have more tokens by itself than it had within the word, so a window that
    has to begin or end within one (of more than `size` tokens) is counted again.
    """
    from sqlagent.embedding import load

    model = load()
    starts = sorted({start for start, _ in model.token_spans(text)})
    if starts:
        starts[0] = 0
    elif text:
        starts = [0]
    count = len(starts)
    starts.append(len(text))
    first = done = 0
    while first < count:
        last = min(first + size, count)
        cut = last
        while cut > first and cut < count and _within_word(text, starts[cut]):
            cut -= 1
        if cut <= first:
            cut = last
        while cut > first + 1 and (
            (cut < count and _within_word(text, starts[cut])) or _within_word(text, starts[first])
        ):
            if model.count_tokens(text[starts[first] : starts[cut]]) <= size:
                break
            cut -= 1
        if cut <= done:  # nothing new fits beside the overlap
            first = done
            continue
        yield starts[first], starts[cut]
        if cut == count:
            return
        done = cut
        begin = max(cut - overlap, first + 1)
        while begin < cut and _within_word(text, starts[begin]):
            begin += 1
        first = begin


def _within_word(text: str, at: int) -> bool:
    """Whether a cut at `at` parts a word that is written with spaces around it."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return before.isalnum() and after.isalnum() and not (is_cjk(before) or is_cjk(after))
