"""The reason of each part of a score, in a short sentence."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlagent.search.kinds import memory_text
from sqlagent.search.shares import Share, matched


class Turn(NamedTuple):
    """A memory as the sentences need it; `strength` holds the columns of memory_strength."""

    content: str
    text: str  # as it is indexed
    speaker: str | None
    strength: dict[str, Any]

    @classmethod
    def of(cls, description: Any, row: tuple[Any, ...]) -> Turn:
        """From memory_id, content, created_at, speaker and what follows."""
        named = {column[0]: value for column, value in zip(description, row, strict=True)}
        text = memory_text(row[1], row[2], row[3])
        return cls(row[1], text, row[3], named)


def sentence(share: Share, turn: Turn, query: str, similarity: float) -> str:
    """Why a part of a memory's score is what it is."""
    part = share.part
    if part == "vector":
        if similarity != similarity:
            return "the memory has no vector, or none was compared"
        return (
            f"cosine of the memory's vector with the question's is {similarity:.3f}; those of the "
            "turns around it count a little"
        )
    if part == "words":
        words = matched(query, turn.text)
        if words:
            return "words: " + ", ".join(words)
        return "words of the question in the turns around it" if share.contribution else "no words"
    if part == "speaker":
        if not share.contribution:
            return "not said by the one whom the question names"
        return f"said by {turn.speaker}, whom the question names"
    if part == "session":
        if not share.contribution:
            return "it stands alone, or in a session with nothing about it"
        return "what the best memories of its session score"
    if part == "length":
        return f"{len(turn.content)} characters"
    if part == "recency":
        return "how new it is among the agent's memories"
    strength = turn.strength.get({"decay": "decayed_importance"}.get(part, part))
    if strength is not None:
        name = "decayed importance" if part == "decay" else part
        return f"{name} {strength:.3g} (see memory_strength)"
    return part
