"""How a text becomes a value of a logical type, and that what SQLite keeps: as DuckDB's SQL."""

from __future__ import annotations

import re

from sqlagent.sync.columns import EXACT_DIGITS
from sqlagent.sync.log import quoted

# What a column may widen to where a value does not fit it, the nearest first.
WIDER = {
    "BOOLEAN": ("VARCHAR",),
    "BIGINT": ("DOUBLE", "VARCHAR"),
    "DOUBLE": ("VARCHAR",),
    "DECIMAL": ("DOUBLE", "VARCHAR"),
    "DATE": ("TIMESTAMP", "VARCHAR"),
    "TIME": ("VARCHAR",),
    "TIMESTAMP": ("VARCHAR",),
    "UUID": ("VARCHAR",),
    "JSON": ("VARCHAR",),
}
_WHOLE = r"'^\s*[+-]?\d+\s*$'"
# By way of an instant where an offset may follow: a cast to TIMESTAMP would drop it.
_TIMESTAMP = (
    "CASE WHEN {0} < '0' OR {0} >= ':' THEN NULL "
    "WHEN length({0}) <= 10 THEN TRY_CAST({0} AS TIMESTAMP) "
    "ELSE make_timestamp(epoch_us(TRY_CAST("
    "CASE WHEN {0}[17] IN ('Z', '+', '-') THEN {0}[:16] || ':00' || {0}[17:] ELSE {0} END "
    "AS TIMESTAMPTZ))) END"
)


def typed(column: str, source: str, kind: str | None) -> str:
    """The value of `column`, of DuckDB type `source`, in the logical type `kind`, or NULL.

    A number that would lose its fraction in a BIGINT does not fit it.
    """
    name = quoted(column)
    text = source == "VARCHAR"
    if kind is None or kind == "VARCHAR":
        nested = source.endswith("]") or source.startswith(("STRUCT", "MAP", "UNION"))
        return f"CAST(to_json({name}) AS VARCHAR)" if nested else f"CAST({name} AS VARCHAR)"
    if kind == "BIGINT":
        if text:
            whole = f"regexp_full_match({name}, {_WHOLE})"
            return f"CASE WHEN {whole} THEN TRY_CAST({name} AS BIGINT) END"
        if source in ("DOUBLE", "FLOAT") or source.startswith("DECIMAL"):
            return f"CASE WHEN {name} = floor({name}) THEN TRY_CAST({name} AS BIGINT) END"
    if kind == "TIMESTAMP" and text:
        return _TIMESTAMP.format(f"trim({name})")
    if kind == "TIMESTAMP" and source == "TIMESTAMP WITH TIME ZONE":
        return f"make_timestamp(epoch_us({name}))"
    if kind == "DATE" and text:
        exact = f"regexp_full_match({name}, '\\s*\\d+-\\d+-\\d+\\s*')"
        return f"CASE WHEN {exact} THEN TRY_CAST({name} AS DATE) END"
    if kind == "JSON":
        if text:
            return f"CASE WHEN json_valid({name}) THEN {name} END"
        return f"CAST(to_json({name}) AS VARCHAR)"
    if kind.endswith("]") or kind.startswith("STRUCT"):
        if text:
            return f"TRY_CAST(TRY_CAST({name} AS JSON) AS {kind})"
        return f"TRY_CAST({name} AS {kind})"
    return f"TRY_CAST({name} AS {kind})"


def kept(value: str, kind: str | None) -> str:
    """The value in the form that the file keeps, so that Python passes it on as it comes."""
    if kind == "BOOLEAN":
        return f"CAST({value} AS TINYINT)"
    if kind == "TIMESTAMP":
        millis = f"strftime({value}, '%Y-%m-%d %H:%M:%S.%g')"
        micros = f"strftime({value}, '%Y-%m-%d %H:%M:%S.%f')"
        return f"CASE WHEN epoch_us({value}) % 1000 = 0 THEN {millis} ELSE {micros} END"
    decimal = re.fullmatch(r"DECIMAL\((\d+).*\)", kind or "")
    if decimal and int(decimal[1]) <= EXACT_DIGITS:
        return f"CAST({value} AS DOUBLE)"
    if kind in (None, "BIGINT", "DOUBLE", "VARCHAR", "BLOB", "JSON"):
        return value
    if kind.startswith("FLOAT["):
        return value  # a list, which becomes bytes
    if kind.endswith("]") or kind.startswith("STRUCT"):
        return f"CAST(to_json({value}) AS VARCHAR)"
    return f"CAST({value} AS VARCHAR)"


def family(kind: str) -> str:
    """A type without its size: DECIMAL(15,2) is DECIMAL."""
    return kind.partition("(")[0]
