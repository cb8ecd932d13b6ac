"""What SQLAlchemy's trees become: the SQL of our own dialect, DuckDB's, and SQLite's DDL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import cast, exc
from sqlalchemy.dialects.sqlite.base import (
    SQLiteCompiler,
    SQLiteDDLCompiler,
    SQLiteTypeCompiler,
)
from sqlalchemy.sql import compiler
from sqlalchemy.types import JSON, Date, DateTime, Integer, String, Time

TEXT = String()
TIMES = {Date: "DATE", DateTime: "TIMESTAMP", Time: "TIME"}
FIELDS = {
    "century", "day", "decade", "dow", "doy", "epoch", "hour", "isodow", "isoyear", "microseconds",
    "millennium", "milliseconds", "minute", "month", "quarter", "second", "week", "year",
}  # fmt: skip


class Compiler(SQLiteCompiler):
    """Statements. What SQLite and DuckDB say alike stays as it is for SQLite."""

    def visit_true(self, expr: Any, **kw: Any) -> str:
        return "TRUE"

    def visit_false(self, expr: Any, **kw: Any) -> str:
        return "FALSE"

    def visit_truediv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return f"{self.process(binary.left, **kw)} / {self.process(binary.right, **kw)}"

    def visit_floordiv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        text = f"FLOOR({self.process(binary.left, **kw)} / {self.process(binary.right, **kw)})"
        whole = binary.type._type_affinity is Integer
        return f"CAST({text} AS BIGINT)" if whole else text

    def visit_extract(self, extract: Any, **kw: Any) -> str:
        if extract.field.lower() not in FIELDS:
            raise exc.CompileError(f"{extract.field} is not a valid extract argument.")
        return f"EXTRACT({extract.field} FROM {self.process(extract.expr, **kw)})"

    def visit_is_distinct_from_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        return f"{left} IS DISTINCT FROM {right}"

    def visit_is_not_distinct_from_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        return f"{left} IS NOT DISTINCT FROM {right}"

    def visit_localtimestamp_func(self, func: Any, **kw: Any) -> str:
        return "CURRENT_TIMESTAMP"  # times are UTC here

    def visit_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._regexp(binary, **kw)

    def visit_not_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return f"NOT {self._regexp(binary, **kw)}"

    def _regexp(self, binary: Any, **kw: Any) -> str:
        parts = [self.process(binary.left, **kw), self.process(binary.right, **kw)]
        flags = binary.modifiers.get("flags")
        if flags is not None:
            parts.append(self.render_literal_value(flags, TEXT))
        return f"regexp_matches({', '.join(parts)})"

    def visit_json_getitem_op_binary(
        self, binary: Any, operator: Any, _cast_applied: bool = False, **kw: Any
    ) -> str:
        if not _cast_applied and binary.type._type_affinity is not JSON:
            return self.process(cast(binary, binary.type), _cast_applied=True, **kw)
        # Of anything but JSON the text is asked, whose null is NULL.
        name = "JSON_EXTRACT" if binary.type._type_affinity is JSON else "JSON_EXTRACT_STRING"
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        return f"{name}({left}, {right})"

    visit_json_path_getitem_op_binary = visit_json_getitem_op_binary

    def visit_bindparam(self, bindparam: Any, *args: Any, **kw: Any) -> str:
        text: str = super().visit_bindparam(bindparam, *args, **kw)  # type: ignore[no-untyped-call]  # SQLAlchemy's are
        kind = TIMES.get(bindparam.type._type_affinity)
        typed = kw.get("within_columns_clause") or kw.get("times_are_cast")
        if kind is None or not typed or "POSTCOMPILE" in text or kw.get("literal_binds"):
            return text
        return f"CAST({text} AS {kind})"  # a parameter by itself is a text to SQLite

    def visit_case(self, clause: Any, **kw: Any) -> str:
        inner = {**kw, "times_are_cast": True}
        return str(super().visit_case(clause, **inner))  # type: ignore[no-untyped-call]  # the same

    def limit_clause(self, select: Any, **kw: Any) -> str:
        return str(compiler.SQLCompiler.limit_clause(self, select, **kw))  # type: ignore[no-untyped-call]  # the same


class TypeCompiler(SQLiteTypeCompiler):
    """Types in CREATE TABLE and CAST."""

    def visit_FLOAT(self, type_: Any, **kw: Any) -> str:
        return "DOUBLE"  # FLOAT has 32 bits in a CAST of DuckDB's

    def visit_BOOLEAN(self, type_: Any, **kw: Any) -> str:
        return "BOOLEAN"


class DDLCompiler(SQLiteDDLCompiler):
    """CREATE and DROP."""
