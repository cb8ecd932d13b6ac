"""The parts of a memory's score by name, in the order in which they are added up; imports
nothing."""

from __future__ import annotations

# Each has a weight of the same name in the index, and a setting recall_NAME_weight.
PARTS = (
    "vector", "words", "speaker", "session", "length", "time", "opening", "decay", "activation",
    "retention", "answer", "date", "recency", "graph",
)  # fmt: skip
