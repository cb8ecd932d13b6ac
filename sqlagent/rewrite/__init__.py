"""Passes: small functions tree → tree, one a file, in an order that matters.

`COMMON` runs first, on what the user wrote; then `TO_SQLITE` or `TO_DUCKDB` says it in the engine's
words. The module as a whole is imported lazily: its passes import sqlglot.
"""

from __future__ import annotations

from sqlagent.rewrite.arguments import arguments
from sqlagent.rewrite.array_texts import array_texts
from sqlagent.rewrite.checked import checked
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.division import division
from sqlagent.rewrite.expand import expand
from sqlagent.rewrite.file_casts import file_casts
from sqlagent.rewrite.files import files
from sqlagent.rewrite.inner_names import inner_names
from sqlagent.rewrite.joined import joined
from sqlagent.rewrite.json_paths import json_paths
from sqlagent.rewrite.left_out import left_out
from sqlagent.rewrite.macros import macros
from sqlagent.rewrite.matching import matching
from sqlagent.rewrite.mixed import mixed
from sqlagent.rewrite.newest import newest
from sqlagent.rewrite.nulls import nulls
from sqlagent.rewrite.operands import operands
from sqlagent.rewrite.plain_numeric import plain_numeric
from sqlagent.rewrite.postgres import postgres
from sqlagent.rewrite.spellings import spellings
from sqlagent.rewrite.times import times
from sqlagent.rewrite.vectors import vectors
from sqlagent.rewrite.views import views

# What users defined comes first: a definition may name files, and call functions of ours.
# Arguments are bound before our macros are inlined, since a macro's body is filled by position.
COMMON = (
    array_texts,
    plain_numeric,
    postgres,
    expand,
    newest,
    files,
    inner_names,
    arguments,
    macros,
)
# Times before spellings: a comparison decides whether `datetime('now')` is a text or a time.
TO_SQLITE = (
    vectors,
    json_paths,
    mixed,
    matching,
    division,
    times,
    spellings,
    nulls,
    file_casts,
    checked,
    joined,
    left_out,
    operands,
)
TO_DUCKDB = (views, vectors, division, matching, times, spellings)

__all__ = ["COMMON", "TO_DUCKDB", "TO_SQLITE", "Context"]
