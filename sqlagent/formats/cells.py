"""One value as text: for people (`text`), and as JSON (`json_text`)."""

import datetime
import decimal
import json
import math
import re
import struct
from typing import Any, NamedTuple

# Control characters would move the cursor, and bidirectional marks reorder what is read.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NUMBERS = re.compile(
    r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INT(EGER)?|INT\d|DECIMAL|NUMERIC|DOUBLE|FLOAT\d?|REAL)(\(.*\))?"
)


class Column(NamedTuple):
    """A column of a result: its name and its SQL type, such as BIGINT or FLOAT[384]."""

    name: str
    type_name: str

    @property
    def is_number(self) -> bool:
        """Whether its values are right-aligned."""
        return _NUMBERS.fullmatch(self.type_name) is not None


def columns_of(description: Any) -> list[Column]:
    """The columns of a PEP 249 `cursor.description`."""
    return [Column(str(entry[0]), str(entry[1]).upper()) for entry in description]


def text(value: Any, type_name: str = "") -> str:
    """`value` (not None) as a person reads it; line breaks and control characters stay."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    if isinstance(value, datetime.datetime):
        return _moment(value, " ")
    if isinstance(value, bytes | bytearray | memoryview) and not _is_vector(type_name):
        return "\\x" + bytes(value).hex()
    if _is_nested(value) or _is_vector(type_name):
        return json_text(value, type_name)
    return str(value)


def visible(content: str) -> str:
    """`content` on one line, every character that a terminal would act on written out."""
    return content if content.isprintable() else _UNSAFE.sub(_escape, content)


def json_text(value: Any, type_name: str = "") -> str:
    """`value` as JSON: times in ISO form, a BLOB in base64, a vector as a list.

    Decimals keep their digits; NaN and infinity, which JSON lacks, are strings.
    """
    if isinstance(value, decimal.Decimal) and value.is_finite():
        return format(value, "f")
    if type_name == "JSON" and isinstance(value, str):
        try:
            return json.dumps(json.loads(value), ensure_ascii=False)
        except ValueError:  # a plain SQLite client may have stored what is not JSON
            pass
    if _is_vector(type_name) and value is not None:
        return "[" + ", ".join(map(_float32, _floats(value))) + "]"
    if value is None or isinstance(value, str | bool | int):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(_plain(value), ensure_ascii=False)


def plain(value: Any, type_name: str = "") -> Any:
    """`value` in the types that the json module writes, its text being that of `json_text`, but
    for a Decimal that no float equals: a string keeps its digits.
    """
    if isinstance(value, decimal.Decimal) and value.is_finite():
        near = float(value)
        return near if decimal.Decimal(repr(near)) == value else format(value, "f")
    if type_name == "JSON" and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    if _is_vector(type_name) and value is not None:
        return [_plain(i) if not math.isfinite(i) else float(_float32(i)) for i in _floats(value)]
    return _plain(value)


def _plain(value: Any) -> Any:
    """`value` in the types that the json module writes."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _not_finite(value)
    if isinstance(value, decimal.Decimal):
        return float(value) if value.is_finite() else str(value)
    if isinstance(value, datetime.datetime):
        return _moment(value, "T")
    if isinstance(value, bytes | bytearray | memoryview):
        import base64

        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {text(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return str(value)


def _is_nested(value: Any) -> bool:
    return isinstance(value, list | tuple | dict | set) or hasattr(value, "tolist")


def _is_vector(type_name: str) -> bool:
    return type_name.startswith("FLOAT[") and type_name.endswith("]")


def _floats(value: Any) -> list[float]:
    """The numbers of a vector: a sequence, an array, or little-endian float32 bytes."""
    if isinstance(value, bytes | bytearray | memoryview):
        return [item for (item,) in struct.iter_unpack("<f", value)]
    return value.tolist() if hasattr(value, "tolist") else list(value)


def _float32(value: float | None) -> str:
    """The shortest of seven or nine digits that reads back as the same float32."""
    if value is None:
        return "null"
    if not math.isfinite(value):
        return json.dumps(_not_finite(value))
    short = f"{value:.7g}"
    same = struct.pack("<f", float(short)) == struct.pack("<f", value)
    shown = short if same else f"{value:.9g}"
    return shown if "." in shown or "e" in shown else shown + ".0"


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _moment(value: datetime.datetime, between: str) -> str:
    """ISO form with no more of the fraction than there is: none, milli- or microseconds."""
    fraction = value.microsecond
    unit = "seconds" if not fraction else "microseconds" if fraction % 1000 else "milliseconds"
    return value.isoformat(between, timespec=unit)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
