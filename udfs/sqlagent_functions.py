"""sqlagent_functions: what can be called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import functions, table


@table(
    "name VARCHAR",
    "kind VARCHAR",
    "signature VARCHAR",
    "returns VARCHAR",
    "writes BOOLEAN",
    "description VARCHAR",
    "reference VARCHAR",
)
def sqlagent_functions(ctx: Context) -> Iterator[tuple[Any, ...]]:
    """Every function of ours and every macro of yours: name, kind, signature and reference.

    Returns: kind is 'scalar', 'table' or 'macro', and for a macro of yours that gives rows 'table
    macro'; a table function returns its columns. The reference of a macro of yours is its text.

    Examples:
      SELECT name, signature FROM sqlagent_functions;
    """
    for f in functions().values():
        returns = ", ".join(f"{n} {t}" for n, t in f.columns) or f.returns
        first = f.doc.split("\n\n")[0].replace("\n", " ")
        yield f.name, f.kind, f.signature, returns, f.writes, first, f.doc
    yield from _defined(ctx)


def _defined(ctx: Context) -> Iterator[tuple[Any, ...]]:
    """The macros that are kept in the file."""
    from sqlagent.engines.definitions import MACROS, read
    from sqlagent.parse.definitions import header, signature
    from sqlagent.parse.lexer import lex

    with ctx.reading() as handle:
        several = read(handle)
    for d in (d for name in sorted(several) for d in several[name] if d.kind in MACROS):
        one = header(d.sql, lex(d.sql)).overloads[0]
        returns = ", ".join(f"{n} {t}" for n, t in one.columns) or one.returns or ""
        yield d.name, d.kind, signature(d.name, one, d.sql), returns, False, d.sql, d.sql
