"""checksum: a fingerprint of a text."""

from __future__ import annotations

from typing import Any

from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.functions import scalar
from sqlagent.migrate import sha256


@scalar("VARCHAR")
def checksum(ctx: Context, data: object) -> str:
    """The SHA-256 of a text or BLOB, as 64 hexadecimal digits; what states.checksum holds of its
    data.

    Arguments:
      data: a text (its UTF-8 bytes count) or a BLOB.

    Returns: text; NULL for NULL.

    Examples:
      SELECT checksum('{"step": 1}');
    """
    value: Any = data
    if isinstance(value, str):
        return sha256(value.encode())
    if isinstance(value, bytes | bytearray | memoryview):
        return sha256(bytes(value))
    raise DataError(f"data is a text or a BLOB, not {value!r:.60}")
