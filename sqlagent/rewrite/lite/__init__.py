"""SQLite's meaning in DuckDB's words: a SELECT lowered by the storage class of each expression.

Every expression is known to be INTEGER, REAL, TEXT or BLOB (or NULL) before a row is read, so that
DuckDB's typed columns give SQLite's values. What cannot be known so, or not said, is refused.
"""

from __future__ import annotations

from sqlagent.rewrite.lite.queries import Lowered, lower

__all__ = ["Lowered", "lower"]
