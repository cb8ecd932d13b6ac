"""Near-duplicates among the memories of one answer, by what `memory.duplicates` calls the same.

A number, a negation, a name or another word exchanged makes another fact, and to lose one is worse
than to say a thing twice. So a cosine of vectors does not decide: "three nights" and "four nights"
lie nearer to each other than most paraphrases.
"""

from __future__ import annotations

from functools import lru_cache

from sqlagent.memory.duplicates import Reading, read, same_read


@lru_cache(maxsize=4096)
def reading(text: str) -> Reading:
    """A text as it is compared; those of recent texts are kept."""
    return read(text)


class Twins:
    """The texts that were taken, by what near-duplicates have in common."""

    def __init__(self) -> None:
        self._equal: dict[str, int] = {}
        self._close: dict[tuple[str, ...], list[tuple[Reading, int]]] = {}

    def of(self, text: str) -> int | None:
        """The memory that this text nearly repeats."""
        own = reading(text)
        if not own.fold:  # of punctuation alone
            return self._equal.get(text)
        for other, memory_id in self._close.get(own.hard, ()):
            if same_read(own, other):
                return memory_id
        return None

    def add(self, text: str, memory_id: int) -> None:
        """A text that was taken."""
        own = reading(text)
        if own.fold:
            self._close.setdefault(own.hard, []).append((own, memory_id))
        else:
            self._equal.setdefault(text, memory_id)
