"""A channel's value as the file keeps it: JSON where JSON says it exactly, else what LangGraph's
serializer makes of it, with a rendering in JSON beside it for whoever looks with SQL.

A list of things of some size (a conversation) is kept element by element, so that the next version
of it costs what is new in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import ormsgpack
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

LIST_FROM = 1024  # bytes of JSON: a shorter list is kept whole
ELEMENT_FROM = 64  # bytes, on average: numbers are not kept one by one
JSON_TYPES = {type(None), bool, int, float, str, list, tuple, dict}
# What msgpack then takes is what JSON has, and bytes.
_PLAIN = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_UUID
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
)


class Part(NamedTuple):
    """One value: its digest among those of its thread, and how it is kept."""

    digest: str
    encoding: str
    value: str | None
    encoded: bytes | None

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.encoded) if self.encoded is not None else len(self.value or "")


class Listed(NamedTuple):
    """A list that is kept element by element."""

    digest: str
    parts: Sequence[Part]


def digest(encoding: str, data: bytes) -> str:
    """What tells a value from the others of its thread (BLAKE2b, 16 bytes, as hexadecimal)."""
    return blake2b(encoding.encode() + b"\0" + data, digest_size=16).hexdigest()


def plain(value: Any) -> str | None:
    """The JSON of a value that comes back from JSON as the same; None for any other."""
    if type(value) not in JSON_TYPES:
        return None
    try:
        ormsgpack.packb(value, option=_PLAIN)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
        return text
    except (TypeError, ValueError, RecursionError):  # UnicodeEncodeError is a ValueError
        return None


class Codec:
    """Values to parts and back, by one serializer."""

    def __init__(self, serde: SerializerProtocol) -> None:
        self.serde = serde
        # Any other may encrypt: nothing of what it keeps is shown then.
        self.open = type(serde) is JsonPlusSerializer

    def part(self, value: Any) -> Part:
        """A value as one part."""
        text = plain(value) if self.open else None
        if text is not None:
            return Part(digest("json", text.encode()), "json", text, None)
        encoding, data = self.serde.dumps_typed(value)
        return Part(digest(encoding, data), encoding, None, data)

    def seen(self, part: Part) -> Part:
        """A part with its rendering: asked of those that are written, which are few."""
        if part.encoded is None:
            return part
        return part._replace(value=self.shown(part.encoding, part.encoded))

    def whole_or_listed(self, value: Any) -> Part | Listed:
        """A value as one part, or a list of some size as those of its elements."""
        if type(value) is not list or len(value) < 2 or not self.open:
            return self.part(value)
        text = plain(value)
        if text is not None and len(text) < max(LIST_FROM, ELEMENT_FROM * len(value)):
            return Part(digest("json", text.encode()), "json", text, None)
        parts = [self.part(element) for element in value]
        if text is None and sum(p.size for p in parts) < ELEMENT_FROM * len(parts):
            return self.part(value)
        return Listed(digest("list", "".join(p.digest for p in parts).encode()), parts)

    def shown(self, encoding: str, data: bytes) -> str | None:
        """A rendering in JSON, where the serializer is the ordinary one and it can be had."""
        if not self.open:
            return None
        if encoding == "null":
            return "null"
        if encoding != "msgpack":
            return None
        try:
            seen = ormsgpack.unpackb(data, ext_hook=_rendered, option=ormsgpack.OPT_NON_STR_KEYS)
            text = json.dumps(
                seen, ensure_ascii=False, allow_nan=False, default=str, separators=(",", ":")
            )
            text.encode()
            return text
        except (TypeError, ValueError, RecursionError):
            return None

    def elements(self, parts: Sequence[tuple[str, str | None, bytes | None]]) -> list[Any]:
        """The elements of a list: at once where msgpack has them all, whose arrays are a header
        and their elements."""
        if parts and all(encoding == "msgpack" for encoding, _, _ in parts):
            data = b"\xdd" + len(parts).to_bytes(4, "big") + b"".join(p[2] or b"" for p in parts)
            return self.serde.loads_typed(("msgpack", data))  # type: ignore[no-any-return]  # a list
        return [self.value(*part) for part in parts]

    def value(self, encoding: str, value: str | None, encoded: bytes | None) -> Any:
        """What was given to `part`."""
        if encoding == "json":
            return json.loads(value or "null")
        return self.serde.loads_typed((encoding, encoded or b""))


def _rendered(code: int, data: bytes) -> Any:
    """What an extension type of LangGraph's holds: (module, name, arguments, …), or an array."""
    inner = ormsgpack.unpackb(data, ext_hook=_rendered, option=ormsgpack.OPT_NON_STR_KEYS)
    if not isinstance(inner, list | tuple) or len(inner) < 3 or not isinstance(inner[0], str):
        return inner
    return inner[2]
