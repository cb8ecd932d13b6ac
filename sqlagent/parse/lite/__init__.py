"""SQLite's SELECT as a tree, by SQLite's own grammar: its precedences are not DuckDB's."""

from __future__ import annotations

from sqlagent.parse.lite.selects import parse_select

__all__ = ["parse_select"]
