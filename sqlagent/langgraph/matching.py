"""What a search of the store asks of an item's value and of a namespace, in LangGraph's terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langgraph.store.base import MatchCondition

from sqlagent.errors import DataError

ORDERED: dict[str, Callable[[float, float], bool]] = {
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}
OPERATORS = ("$eq", "$ne", *ORDERED)


def bounds(namespace: Sequence[str]) -> tuple[str, str, str]:
    """A prefix as texts: itself, and between which two all that is below it lies ('/' is the
    character after '.')."""
    text = ".".join(namespace)
    return text, text + ".", text + "/"


def passes(value: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an item's value has all that a filter asks for."""
    return all(compared(value.get(name), other) for name, other in wanted.items())


def compared(value: Any, wanted: Any) -> bool:
    """Whether a value is what is wanted: equal, inside objects too, or by operators."""
    if isinstance(wanted, Mapping):
        if any(name.startswith("$") for name in wanted):
            return all(operated(value, name, other) for name, other in wanted.items())
        return isinstance(value, Mapping) and all(
            compared(value.get(name), other) for name, other in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(wanted)
            and all(map(compared, value, wanted))
        )
    return bool(value == wanted)


def operated(value: Any, name: str, other: Any) -> bool:
    """Whether an operator of a filter holds; numbers are ordered as numbers, texts as texts."""
    if name == "$eq":
        return bool(value == other)
    if name == "$ne":
        return bool(value != other)
    if name not in ORDERED:
        raise DataError(f"an operator of a filter is one of {', '.join(OPERATORS)}, not {name!r}")
    if isinstance(value, str) and isinstance(other, str):
        return ORDERED[name](value, other)  # type: ignore[arg-type]  # texts have an order too
    try:
        return ORDERED[name](float(value), float(other))
    except (TypeError, ValueError):  # there is no order: it is missing, say
        return False


def matches(condition: MatchCondition, namespace: Sequence[str]) -> bool:
    """Whether a namespace begins or ends with a path; '*' is any label."""
    path = condition.path
    if condition.match_type not in ("prefix", "suffix"):
        raise DataError(f"match_type is 'prefix' or 'suffix', not {condition.match_type!r}")
    if len(path) > len(namespace):
        return False
    start = 0 if condition.match_type == "prefix" else len(namespace) - len(path)
    return all(p in ("*", n) for p, n in zip(path, namespace[start:], strict=False))
