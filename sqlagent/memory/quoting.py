"""Which records quote what is erased, and what is left of a detail without its texts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

COMPARED_MAX = 1_000_000_000  # characters of records times texts that are looked for in them
PART_MIN = 8  # characters of a text from which it is looked for within others


def quoting(
    rows: Iterable[tuple[int, str, str, str]], texts: set[str], names: set[str]
) -> set[int]:
    """The keys of those rows (key, value, JSON of the record, reason) that hold one of the texts,
    or have one of the names as a value.

    A short text counts where it is a whole value. Where there are too many to be compared, all are
    taken to: what they record can be imported again.
    """
    whole = names | {t for t in texts if len(t) < PART_MIN}
    parts = texts - whole
    held = [(row[0], [*strings(row[1]), *strings(row[2]), row[3]]) for row in rows]
    if sum(len(text) for _, said in held for text in said) * len(parts) > COMPARED_MAX:
        return {key for key, _ in held}
    return {
        key for key, said in held
        if not (whole - {""}).isdisjoint(said)
        or any(part in text for text in said for part in parts)
    }  # fmt: skip


def strings(text: str) -> list[str]:
    """The texts of a JSON value, its keys left out; of what is no JSON, itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return [text]
    found, todo = [text], [value]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict):
            todo += one.values()
        elif isinstance(one, list):
            todo += one
        else:
            found.append(str(one))
    return found


def wordless(value: Any) -> Any:
    """JSON without its texts: a detail may quote what is erased."""
    if isinstance(value, dict):
        return {k: wordless(v) for k, v in value.items() if not isinstance(v, str)}
    if isinstance(value, list):
        return [wordless(v) for v in value if not isinstance(v, str)]
    return value
