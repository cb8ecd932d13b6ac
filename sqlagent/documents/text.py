"""What reading a file gives, and how bytes become text."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TELLING = 200_000  # bytes that tell the encoding
# GB 2312's first level (lead bytes B0..D7) are the 3,755 characters that nearly all of Chinese is.
_COMMON = re.compile(rb"[\xb0-\xd7][\xa1-\xfe]")
_CHINESE = 0.7
_CONTROL = re.compile(r"[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f]")


class Unreadable(Exception):
    """The file is not a document that can be indexed; the message is the reason."""


class Text(NamedTuple):
    """What a file says: its title ('' for none) and its text."""

    title: str
    content: str


def decode(raw: bytes, encoding: str | None = None) -> str:
    """Bytes as text: in this encoding, or as their mark says, UTF-8, UTF-16, GB 18030 or the
    Windows code page of Western Europe. Raises Unreadable with the reason."""
    name = encoding or _encoding_of(raw)
    try:
        text = raw.decode(name)
    except UnicodeDecodeError as error:
        raise Unreadable(f"not {name} text: byte {error.start} ({error.reason})") from error
    except LookupError as error:
        raise Unreadable(f'unknown encoding "{name}"') from error
    if "\x00" in text:
        raise Unreadable("not text: it holds zero bytes")
    told = text[:_TELLING]
    if len(_CONTROL.findall(told)) > len(told) // 50:
        raise Unreadable("not text: it is full of control characters")
    return text


def _encoding_of(raw: bytes) -> str:
    marked = next((name for mark, name in _MARKS if raw.startswith(mark)), None)
    if marked is not None:
        return marked
    try:
        raw.decode("utf-8")
        if b"\0" not in raw:
            return "utf-8"
    except UnicodeDecodeError:
        pass
    if _nearly_utf8(raw[:_TELLING]):
        return "utf-8"  # broken: its error is told, rather than all of it misread
    part = raw[: _TELLING // 2 * 2]
    if b"\0" in part:  # of two bytes for a Latin letter one is zero
        even, odd = part[::2].count(0), part[1::2].count(0)
        most = len(part) // 2
        if len(raw) % 2 == 0 and most > 3:
            if odd > 0.3 * most and not even:
                return "utf-16-le"
            if even > 0.3 * most and not odd:
                return "utf-16-be"
        return "utf-8"
    high = sum(byte >= 0x80 for byte in part)
    if 2 * len(_COMMON.findall(part)) >= _CHINESE * high:
        try:
            raw.decode("gb18030")
            return "gb18030"
        except UnicodeDecodeError:
            pass
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return "utf-8"  # whose error is the one that is told
    return "cp1252"


def _nearly_utf8(raw: bytes) -> bool:
    """Whether three times as many characters beyond ASCII are UTF-8 as are not."""
    text = raw.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    return sum(char > "\x7f" for char in text) - bad > 3 * bad
