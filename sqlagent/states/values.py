"""JSON values as Python's, to be compared, and written again as they were."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any, NamedTuple

STYLES = [
    {"ensure_ascii": ascii, "separators": separators}
    for separators in ((", ", ": "), (",", ":"))
    for ascii in (False, True)
]


class Number(NamedTuple):
    """A number that Python would write otherwise than it is, such as 1e2 or 1.10."""

    text: str


class _Missing:
    """No value at all, which is not null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


def parse(text: str) -> Any:
    """The value of a JSON text: dict, list, str, int, float, Number, bool or None."""
    return json.loads(text, parse_float=_float)


def _float(text: str) -> Any:
    value = float(text)
    return value if repr(value) == text else Number(text)


def dump(value: Any, style: dict[str, Any] | None = None) -> str:
    """A value as JSON text; characters as they are, but where they cannot be written so."""
    style = style or STYLES[0]
    text = _with_numbers(value, style) if has_numbers(value) else json.dumps(value, **style)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return dump(value, {**style, "ensure_ascii": True})
    return text


def _with_numbers(value: Any, style: dict[str, Any]) -> str:
    """As `dump`: each Number goes under a mark, since the encoder takes no text as it is."""
    mark = secrets.token_hex(8)
    marked: list[str] = []

    def kept(value: Any) -> Any:
        if isinstance(value, Number):
            marked.append(value.text)
            return f"{mark} {len(marked) - 1} {mark}"
        if isinstance(value, dict):
            return {k: kept(v) for k, v in value.items()}
        if isinstance(value, list):
            return [kept(v) for v in value]
        return value

    text = json.dumps(kept(value), **style)
    return re.sub(f'"{mark} ([0-9]+) {mark}"', lambda found: marked[int(found[1])], text)


def has_numbers(value: Any) -> bool:
    """Whether a value holds a Number."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Number):
            return True
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False


def style_of(text: str, value: Any) -> dict[str, Any]:
    """How `dump` writes `value` just as `text` has it; the usual way where it cannot."""
    return next((style for style in STYLES if dump(value, style) == text), STYLES[0])


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: 1, 1.0 and true are three; keys have no order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            k in other and same(v, other[k]) for k, v in one.items()
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return repr(one) == repr(other)
    return bool(one == other)


def pointer(path: str, key: object) -> str:
    """The JSON pointer of a key or index under `path` (RFC 6901)."""
    return f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"
