"""Distances of two vectors given as float32 bytes."""

from __future__ import annotations

import math

from sqlagent.errors import DataError


def pair(a: bytes, b: bytes) -> tuple[memoryview[float], memoryview[float]]:
    """Both as float32; DataError where they have not the same dimensions."""
    if len(a) != len(b):
        raise DataError(f"expected {len(a) // 4} dimensions, not {len(b) // 4}")
    return memoryview(a).cast("f"), memoryview(b).cast("f")


def dot(a: bytes, b: bytes) -> float:
    """The inner product."""
    x, y = pair(a, b)
    return math.fsum(map(float.__mul__, x, y))


def cosine(a: bytes, b: bytes) -> float | None:
    """The cosine; None where a vector has length 0."""
    length = math.sqrt(dot(a, a) * dot(b, b))
    return max(-1.0, min(1.0, dot(a, b) / length)) if length else None


def l2(a: bytes, b: bytes) -> float:
    """The Euclidean distance."""
    x, y = pair(a, b)
    return math.dist(x, y)
