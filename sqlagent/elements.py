"""What a collection's vectors are made of: float32, float16, int8 or single bits, as bytes.

Searches compute with float32, which holds every value of the other types exactly; what is stored is
what was asked for. A bit is 1 where a number is above 0; the first dimension is the lowest bit of
the first byte, as sqlite-vec has it.
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TYPES = ("float32", "float16", "int8", "binary")
METRICS = ("cosine", "l2", "ip", "hamming")
HALF_MAX = 65504.0  # the greatest finite float16


class Space(NamedTuple):
    """What a row of `collections` says of its vectors."""

    dimensions: int
    metric: str = "cosine"
    element_type: str = "float32"

    @property
    def size(self) -> int:
        """Bytes of a vector."""
        n = self.dimensions
        return {"float32": 4 * n, "float16": 2 * n, "int8": n}.get(self.element_type, (n + 7) // 8)

    @property
    def measure(self) -> str:
        """The metric that indexes compute: bits as 0 and 1 are as far apart as the square of l2."""
        return "l2" if self.metric == "hamming" else self.metric


def space_of(handle: Any, collection: str) -> Space | None:
    """The space of a collection; None for one that is not there."""
    row = handle.execute(
        "SELECT dimensions, metric, element_type FROM collections WHERE collection = ?",
        (collection,),
    ).fetchone()
    return None if row is None else Space(*row)


def floats(data: bytes) -> array[float]:
    """float32 bytes as numbers."""
    numbers = array("f", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def asked(space: Space, data: bytes) -> bytes:
    """A vector to search for as float32 bytes, given so or in the collection's own form.

    Raises DataError for other dimensions, and for zeros under cosine.
    """
    if len(data) != 4 * space.dimensions:
        if len(data) != space.size:
            raise DataError(f"expected {space.dimensions} dimensions, not {len(data) / 4:g}")
        data = one_decoded(space, data)
    if space.element_type == "binary":
        data = array("f", (1.0 if x > 0 else 0.0 for x in floats(data))).tobytes()
    check_finite(data)
    check_direction(space, data)
    return data


def check_finite(data: bytes) -> None:
    """Raise DataError where a value is NaN or infinite."""
    import math

    # float32 values cannot overflow a sum of float64: it is finite where all of them are.
    if not math.isfinite(sum(floats(data))):
        raise DataError("vector has a value that is not finite (NaN or infinity)")


def check_direction(space: Space, data: bytes) -> None:
    """Raise DataError for zeros under cosine."""
    if space.metric == "cosine" and not any(floats(data)):
        raise DataError(
            "a vector of zeros has no direction: the collection's metric is cosine",
            hint="l2 and ip measure zeros too: create_collection(…, metric => 'l2').",
        )


def one_encoded(space: Space, data: bytes) -> bytes:
    """float32 bytes, or bytes in the collection's own form, as the collection keeps them.

    Raises DataError for other dimensions and for what the element type cannot hold.
    """
    if len(data) == space.size and space.size != 4 * space.dimensions:
        numbers = one_decoded(space, data)
        check_finite(numbers)
        check_direction(space, numbers)
        return data
    if len(data) != 4 * space.dimensions:
        raise DataError(f"expected {space.dimensions} dimensions, not {len(data) / 4:g}")
    check_finite(data)
    check_direction(space, data)
    if space.element_type == "float32":
        return data
    values = floats(data)
    if space.element_type == "binary":
        bits = bytearray(space.size)
        for place, value in enumerate(values):
            if value > 0:
                bits[place >> 3] |= 1 << (place & 7)
        return bytes(bits)
    if space.element_type == "float16":
        try:
            half = struct.pack(f"<{len(values)}e", *values)
        except OverflowError:
            peak = max(values, key=abs)
            raise DataError(f"float16 holds numbers up to 65504, not {peak:g}") from None
        check_direction(space, one_decoded(space, half))
        return half
    return array("b", _whole(space, values)).tobytes()


def _whole(space: Space, values: array[float]) -> list[int]:
    """int8 values: those given where they are whole and fit; scaled under cosine, which sees no
    length."""
    odd = next((v for v in values if v != int(v) or not -128 <= v <= 127), None)
    if odd is None:
        return [int(v) for v in values]
    if space.metric != "cosine":
        raise DataError(
            f"int8 under {space.metric} holds whole numbers from -128 to 127, not {odd:g}",
            hint="Under cosine, others are scaled by the greatest of their vector to 127.",
        )
    peak = max(map(abs, values))
    return [round(v * 127 / peak) for v in values]


def one_decoded(space: Space, data: bytes) -> bytes:
    """A stored vector as float32 bytes."""
    if space.element_type == "float32":
        return data
    if space.element_type == "float16":
        values = array("f", struct.unpack(f"<{space.dimensions}e", data))
    elif space.element_type == "int8":
        values = array("f", array("b", data))
    else:
        values = array("f", ((data[i >> 3] >> (i & 7)) & 1 for i in range(space.dimensions)))
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def decoded(space: Space, blobs: list[bytes]) -> NDArray[np.float32]:
    """Stored vectors, each of the space's size, as a float32 matrix."""
    import numpy as np

    joined, n = b"".join(blobs), len(blobs)
    if space.element_type == "float32":
        return np.frombuffer(joined, "<f4").reshape(n, space.dimensions)
    if space.element_type == "float16":
        half = np.frombuffer(joined, "<f2").reshape(n, space.dimensions)
        return half.astype(np.float32)
    if space.element_type == "int8":
        small = np.frombuffer(joined, np.int8).reshape(n, space.dimensions)
        return small.astype(np.float32)
    packed = np.frombuffer(joined, np.uint8).reshape(n, space.size)
    bits = np.unpackbits(packed, axis=1, count=space.dimensions, bitorder="little")
    return bits.astype(np.float32)


def encoded(space: Space, matrix: NDArray[np.float32]) -> tuple[NDArray[Any], dict[int, str]]:
    """(rows as they are stored, reasons by place of those that cannot be) of a float32 matrix."""
    import numpy as np

    sums = matrix.sum(axis=1, dtype=np.float64)
    bad = dict.fromkeys(
        np.flatnonzero(~np.isfinite(sums)).tolist(),
        "vector has a value that is not finite (NaN or infinity)",
    )
    if space.metric == "cosine":
        # Few sums are 0, and only those rows can be zeros.
        for place in np.flatnonzero(sums == 0.0).tolist():
            if not matrix[place].any():
                bad[place] = "a vector of zeros has no direction: the collection's metric is cosine"
    if space.element_type == "float32":
        return matrix, bad
    if space.element_type == "binary":
        return np.packbits(matrix > 0, axis=1, bitorder="little"), bad
    with np.errstate(invalid="ignore", over="ignore"):
        if space.element_type == "float16":
            half = matrix.astype("<f2")
            for place in np.flatnonzero(~np.isfinite(half).all(axis=1)).tolist():
                bad.setdefault(place, "float16 holds numbers up to 65504")
            return half, bad
        whole = (matrix == np.rint(matrix)) & (matrix >= -128) & (matrix <= 127)
        odd = ~whole.all(axis=1)
        if space.metric == "cosine":
            peak = np.abs(matrix).max(axis=1, keepdims=True, initial=0.0)
            wide = matrix.astype(np.float64) * 127 / np.where(peak > 0, peak, 1)
            matrix = np.where(odd[:, None], np.rint(wide), matrix)
        else:
            for place in np.flatnonzero(odd).tolist():
                bad.setdefault(place, "int8 holds whole numbers from -128 to 127")
        return np.nan_to_num(matrix, nan=0.0, posinf=0.0, neginf=0.0).clip(-128, 127).astype(
            np.int8
        ), bad
