"""From one JSON value to another, as the steps of a JSON patch (RFC 6902)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlagent.states.values import MISSING, dump, pointer, same

ALIGNED_MAX = 4_000_000  # elements of one array times those of the other


class Step(NamedTuple):
    """One operation: 'add', 'remove' or 'replace' at a JSON pointer; the values are MISSING where
    there is none."""

    op: str
    path: str
    old: Any
    new: Any


def diff(old: Any, new: Any) -> list[Step]:
    """The steps that make `new` of `old`, each applied to what the ones before it left.

    Objects are compared by key; arrays by what is alike in both, so that an element put in or
    taken out is one step.
    """
    try:
        return list(_steps(old, new, ""))
    except RecursionError:  # nested some hundred levels deep: as a whole it can be said too
        return [Step("replace", "", old, new)]


def _steps(old: Any, new: Any, path: str) -> Iterator[Step]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in old.items():
            if key not in new:
                yield Step("remove", pointer(path, key), value, MISSING)
            else:
                yield from _steps(value, new[key], pointer(path, key))
        for key, value in new.items():
            if key not in old:
                yield Step("add", pointer(path, key), MISSING, value)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _elements(old, new, path)
    elif not same(old, new):
        yield Step("replace", path, old, new)


def _elements(old: list[Any], new: list[Any], path: str) -> Iterator[Step]:
    """The steps between two arrays: what stands between elements alike goes pair by pair."""
    place = 0
    for kind, a, b, c, d in _aligned(old, new):
        if kind == "equal":
            place += b - a
            continue
        pairs = min(b - a, d - c)
        for n in range(pairs):
            yield from _steps(old[a + n], new[c + n], pointer(path, place))
            place += 1
        for value in old[a + pairs : b]:
            yield Step("remove", pointer(path, place), value, MISSING)
        for value in new[c + pairs : d]:
            yield Step("add", pointer(path, place), MISSING, value)
            place += 1


def _aligned(old: list[Any], new: list[Any]) -> Iterator[tuple[str, int, int, int, int]]:
    """What is alike in two arrays, as opcodes of difflib."""
    known: dict[str, int] = {}
    a = [known.setdefault(_text(v), len(known)) for v in old]
    b = [known.setdefault(_text(v), len(known)) for v in new]
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    yield "equal", 0, head, 0, head
    middle, other = a[head : len(a) - tail], b[head : len(b) - tail]
    if middle and other and len(middle) * len(other) <= ALIGNED_MAX:
        from difflib import SequenceMatcher

        for kind, i, j, k, m in SequenceMatcher(None, middle, other, False).get_opcodes():
            yield kind, i + head, j + head, k + head, m + head
    elif middle or other:
        yield "replace", head, head + len(middle), head, head + len(other)
    yield "equal", len(a) - tail, len(a), len(b) - tail, len(b)


def _text(value: Any) -> str:
    """A text that is the same for values that are the same."""
    return dump(value, {"ensure_ascii": True, "sort_keys": True})


def patched(value: Any, steps: list[Step]) -> Any:
    """What the steps make of a value, which is changed too."""
    for step in steps:
        if step.path == "":
            value = step.new
            continue
        *above, last = (
            part.replace("~1", "/").replace("~0", "~") for part in step.path.split("/")[1:]
        )
        inner = value
        for part in above:
            inner = inner[int(part)] if isinstance(inner, list) else inner[part]
        key: Any = int(last) if isinstance(inner, list) else last
        if step.op == "remove":
            del inner[key]
        elif step.op == "add" and isinstance(inner, list):
            inner.insert(key, step.new)
        else:
            inner[key] = step.new
    return value
