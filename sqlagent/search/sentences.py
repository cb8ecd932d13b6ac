"""The reason of each part of a score, in a short sentence."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlagent.search.kinds import memory_text
from sqlagent.search.shares import Share, matched

# What is said of a part that adds something, and of one that does not.
SAID = {
    "session": ("what the best of its session score", "no session with anything about it"),
    "length": ("{} characters", "{} characters"),
    "time": ("it tells a time", "it tells no time"),
    "opening": ("it opens its session", "it does not open its session"),
    "answer": ("it follows a question about the same", "it does not follow a question about it"),
    "date": ("near to the date that the question names", "far from the date of the question"),
    "recency": ("how new it is among the agent's memories", "older than others"),
}
STRENGTHS = {
    "decay": "its importance, decayed,",
    "activation": "its activation",
    "retention": "its retention",
}


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
        return f"cosine with the question {similarity:.3f}, blended with the turns around it"
    if part == "words":
        words = matched(query, turn.text)
        if words:
            return "words: " + ", ".join(words)
        return "words of the question in the turns around it" if share.contribution else "no words"
    if part == "speaker":
        if not share.value:
            return "not said by the one whom the question names"
        return f"said by {turn.speaker}, whom the question names"
    strength = turn.strength.get({"decay": "decayed_importance"}.get(part, part))
    if strength is not None:
        return f"{STRENGTHS[part]} is {strength:.3g} (see memory_strength)"
    yes, no = SAID.get(part, (part, part))
    return (yes if share.value > 0 else no).format(len(turn.content))
