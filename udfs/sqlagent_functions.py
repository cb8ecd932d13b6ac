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
    """Every function of ours: its name, kind, signature, what it returns and its reference.

    Returns: kind is 'scalar', 'table' or 'macro'; a table function returns its columns.

    Examples:
      SELECT name, signature FROM sqlagent_functions;
    """
    for f in functions().values():
        returns = ", ".join(f"{n} {t}" for n, t in f.columns) or f.returns
        first = f.doc.split("\n\n")[0].replace("\n", " ")
        yield f.name, f.kind, f.signature, returns, f.writes, first, f.doc
