"""The names of outputs in derived tables, CTEs, views and tables made of a query: as PostgreSQL
gives them, where they have none, since an outer query may say them.

    SELECT count FROM (SELECT count(*) FROM t) AS x
"""

from __future__ import annotations

from sqlagent.parse.lexer import Token, quote_name
from sqlagent.plan.named import alias_of, output_tokens
from sqlagent.plan.pg_names import figured

_BEFORE = frozenset(("FROM", "JOIN", "LATERAL", "AS", "MATERIALIZED", ",", "("))
_DEFINING = frozenset(("TABLE", "VIEW"))


def edits(tokens: list[Token]) -> list[tuple[int, int, str]]:
    """The edits that name the outputs of inner queries."""
    found: list[tuple[int, int, str]] = []
    defines = tokens[0].upper == "CREATE" and any(t.upper in _DEFINING for t in tokens[1:5])
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if token.upper != "SELECT" or not place:
            continue
        made = defines and not depth and tokens[place - 1].upper == "AS"
        before = tokens[place - 2] if place > 1 else token
        inner = tokens[place - 1].text == "(" and (before.upper or before.text) in _BEFORE
        if not made and not inner:
            continue
        for output in output_tokens(tokens[place:]) or []:
            if alias_of(output) in (None, "*"):
                continue
            last = output[-1]
            end = last.start + len(last.text)
            found.append((end, end, f" AS {quote_name(figured(output))}"))
    return found
