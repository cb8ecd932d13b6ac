"""Two values that came from one, made one again."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlagent.states.values import MISSING, pointer, same


class Conflict(NamedTuple):
    """A place that both sides changed, each otherwise; MISSING where a side has nothing there."""

    path: str
    base: Any
    into: Any
    from_: Any


class Merge:
    """A merge; `conflicts` are then what both changed, and the result has there what `take` says:
    'into' or 'from'."""

    def __init__(self, take: str = "into") -> None:
        self.take = take
        self.conflicts: list[Conflict] = []

    def __call__(self, base: Any, into: Any, from_: Any, path: str = "") -> Any:
        """What became of `base`: objects key by key, arrays and scalars as a whole."""
        if same(into, from_) or same(base, from_):
            return into
        if same(base, into):
            return from_
        if base is MISSING and isinstance(into, dict) and isinstance(from_, dict) and path:
            base = {}
        if isinstance(base, dict) and isinstance(into, dict) and isinstance(from_, dict):
            merged = {}
            for key in [*into, *(k for k in from_ if k not in into)]:
                value = self(
                    base.get(key, MISSING), into.get(key, MISSING), from_.get(key, MISSING),
                    pointer(path, key),
                )  # fmt: skip
                if value is not MISSING:
                    merged[key] = value
            return merged
        self.conflicts.append(Conflict(path, base, into, from_))
        return into if self.take != "from" else from_
