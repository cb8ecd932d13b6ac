"""Texts for DuckDB that its own parser gives no tree of: PIVOT, and writes into columns.

Every call in them is judged by the tokens, every source by sqlglot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import is_name, lex
from sqlagent.parse.parameters import Numbering
from sqlagent.parse.words import names
from sqlagent.serve.allowed import DUCKDB_TABLES
from sqlagent.serve.judge import check_duck_function
from sqlagent.serve.rights import PrivilegeError, Rights

if TYPE_CHECKING:
    from sqlglot import exp

    from sqlagent.catalog import Catalog

# Words before a parenthesis that call nothing.
_WORDS = names(
    "all and any as between by case cast columns cube decimal distinct else except exclude exists "
    "extract filter from group having in insert intersect interval into is join lateral limit "
    "materialized not numeric offset on or order over partition pivot qualify recursive replace "
    "rollup select set sets struct table then try_cast union unpivot using values varchar char "
    "when where with within"
)


def check_calls(rights: Rights, sql: str) -> None:
    """Raise PrivilegeError for a call that users may not make."""
    tokens = lex(sql)
    given = set()
    for place, token in enumerate(tokens[:-1]):
        start = place
        while start > 1 and tokens[start - 1].text == ".":
            start -= 2
        before = tokens[start - 1] if start else token
        # A name with its columns, as of an alias or of what an INSERT fills, calls nothing.
        named = before.upper in ("INTO", "AS", "TABLE", "WITH") or before.text == ")"
        if is_name(token) and tokens[place + 1].text == "(" and not named:
            given.add(token.name.lower())
    for name in given - _WORDS - DUCKDB_TABLES:
        check_duck_function(rights, name)


def check_tree(rights: Rights, catalog: Catalog, sql: str, names: Iterable[str]) -> None:
    """Raise PrivilegeError where a text reads what its user may not, or is none that reads."""
    from sqlglot import exp

    from sqlagent.parse.tree import parse

    check_calls(rights, sql)
    tokens = lex(sql)
    try:
        tree, _ = parse(sql, tokens, Numbering(sql, tokens), "duckdb")
    except ProgrammingError:
        raise PrivilegeError("a statement of this form is not for users of the server") from None
    if not isinstance(tree, (exp.Query, exp.Pivot, exp.Summarize, exp.Describe)):
        raise PrivilegeError("a statement of this form is not for users of the server")
    _check_names(tree)
    known = {n.lower() for n in names} | {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
    for node in tree.find_all(exp.Table):
        if not isinstance(node.this, exp.Identifier):
            continue
        name = node.name.lower()
        if not node.db and name in known:
            continue
        table = catalog.tables.get(name)
        if table is None or node.db.lower() not in ("", "main") or node.catalog:
            raise PrivilegeError(f'permission denied for "{node.name}"')
        if not rights.may("select", name):
            raise PrivilegeError(f'permission denied for table "{name}"')
        condition = rights.condition(table)
        select = node.find_ancestor(exp.Select)
        where = select.args.get("where") if select is not None else None
        cut = where is not None and "agent_id IN" in where.sql(dialect="duckdb")
        if condition is not None and not cut:
            raise PrivilegeError(f'permission denied for rows of "{name}"')


def _check_names(tree: exp.Expr) -> None:
    """Raise PrivilegeError where a common table expression reads a name that is given only later,
    or elsewhere: there it would be a table's."""
    from sqlglot import exp

    ctes = list(tree.find_all(exp.CTE))
    names = {c.alias_or_name.lower() for c in ctes}
    before: set[str] = set()
    for cte in ctes:
        inner = {t.name.lower() for t in cte.find_all(exp.Table)}
        if cte.find_ancestor(exp.CTE, exp.Subquery) is not None or inner & (names - before):
            raise PrivilegeError("a statement of this form is not for users of the server")
        before.add(cte.alias_or_name.lower())
