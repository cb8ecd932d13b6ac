"""A statement of a user of some agents, cut to the rows of these agents.

Each table with rows of agents becomes a subquery of the user's rows, before anything is planned:
both engines then run what any user could have typed. Targets of UPDATE and DELETE get a condition.
What is written is checked by the writer (`sqlagent.serve.guarding`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlagent.errors import NotSupportedError
from sqlagent.parse.lexer import Token, is_name, quote_name
from sqlagent.parse.parameters import edited
from sqlagent.parse.words import names
from sqlagent.serve.rights import PrivilegeError, Rights

if TYPE_CHECKING:
    from sqlglot import exp

    from sqlagent.catalog import Catalog
    from sqlagent.parse.placed import Named

_UPSERT = "INSERT … ON CONFLICT (agent_id, …) DO UPDATE"
EVERY = "9223372036854775807"  # a LIMIT that cuts nothing: no condition is moved to its other side
# A statement of nothing else raises no error that could tell of a row: it needs no such limit.
_QUIET_CALLS = names("COUNT MIN MAX SUM AVG TOTAL COALESCE LENGTH LOWER UPPER") | names(
    "IN AND OR NOT VALUES AS BY OVER FILTER EXISTS SELECT FROM WHERE ON HAVING UNION ALL EXCEPT "
    "INTERSECT USING"
)
_QUIET_OPS = frozenset(["(", ")", ",", ".", "*", "=", "<>", "!=", "<", ">", "<=", ">=", "||"])


class Narrowed(NamedTuple):
    """A text and how each place in it came: `edits` are of the user's text."""

    sql: str
    edits: list[tuple[int, int, str]]


def narrowed(
    sql: str, tokens: list[Token], catalog: Catalog, rights: Rights, dialect: str, barrier: bool
) -> Narrowed:
    """The statement over the user's rows alone. `catalog` is what the user sees.

    With `barrier` the user's own conditions see no other rows even while they are computed.
    Raises PrivilegeError for a write that could touch other agents' rows.
    """
    from sqlglot import exp

    from sqlagent.parse.placed import placed
    from sqlagent.rewrite.expand import own_names

    if tokens[0].upper == "REPLACE":
        raise PrivilegeError("REPLACE could take the place of other agents' rows", hint=_UPSERT)
    tree, found = placed(sql, tokens, dialect, own_names(catalog.definitions))
    ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
    taken = next((n for n in sorted(ctes) if catalog.table(n) is not None), None)
    if taken is not None:  # where it holds, and where the table, is not the same in all engines
        raise PrivilegeError(
            f'WITH "{taken}" has the name of a table',
            hint="Give it another name.",
            sqlstate="42712",
        )
    writes = list(tree.find_all(exp.Insert, exp.Update, exp.Delete, exp.Merge))
    if any(n is not tree for n in writes if not _in_conflict(n, tree)):
        raise PrivilegeError("a write within another statement is not for users of some agents")
    target = _target(tree)
    edits: list[tuple[int, int, str]] = []
    for named in found:
        table = catalog.table(named.node.name)
        if table is None or (not named.node.db and named.node.name.lower() in ctes):
            continue
        condition = rights.condition(table)
        if condition is None:
            continue
        if named.node is target:
            edits += _of_target(sql, tokens, tree, named, rights, table.kind)
        elif not isinstance(named.node.parent, exp.Describe):
            edits.append(_of_source(sql, named, condition, barrier))
    return Narrowed(edited(sql, edits), edits)


def is_quiet(tokens: list[Token]) -> bool:
    """Whether no part of a statement can fail in a way that tells of a row."""
    for place, token in enumerate(tokens):
        following = tokens[place + 1].text if place + 1 < len(tokens) else ""
        if token.kind == "op" and token.text not in _QUIET_OPS:
            return False
        if following == "(" and is_name(token) and token.name.upper() not in _QUIET_CALLS:
            return False
    return True


def _in_conflict(node: exp.Expr, tree: exp.Expr) -> bool:
    """Whether a node is the DO UPDATE of the statement itself."""
    from sqlglot import exp

    return isinstance(node.parent, exp.OnConflict) and node.parent.parent is tree


def _target(tree: exp.Expr) -> exp.Expr | None:
    """The table that a statement writes."""
    from sqlglot import exp

    if not isinstance(tree, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        return None
    this: exp.Expr = tree.this
    return this.this if isinstance(this, exp.Schema) else this


def _of_source(sql: str, named: Named, condition: str, barrier: bool) -> tuple[int, int, str]:
    """A table that is read, as a subquery of its rows under the name that it had."""
    from sqlglot import exp

    node = named.node
    text = sql[named.start : named.end]
    limit = f" LIMIT {EVERY}" if barrier else ""
    inner = f"SELECT * FROM {text} WHERE {condition}{limit}"
    if isinstance(node.parent, exp.Summarize):
        return named.start, named.end, inner
    alias = "" if node.args.get("alias") else f" AS {quote_name(node.name)}"
    return named.start, named.end, f"({inner}){alias}"


def _of_target(
    sql: str, tokens: list[Token], tree: exp.Expr, named: Named, rights: Rights, kind: str
) -> list[tuple[int, int, str]]:
    """What a write into a table with rows of agents becomes."""
    from sqlglot import exp

    name = named.node.name
    if kind == "columns":
        raise PrivilegeError(
            f'"{name}" is kept as columns: a user of some agents can read it, not write it'
        )
    words = {t.upper for t in tokens[:3]}
    replaces = tokens[0].upper == "REPLACE" or ("OR" in words and "REPLACE" in words)
    if isinstance(tree, exp.Merge) or replaces or tree.args.get("alternative") == "REPLACE":
        raise PrivilegeError(
            f'MERGE and OR REPLACE could take the place of other agents\' rows of "{name}"',
            hint=_UPSERT,
        )
    if isinstance(tree, exp.Insert):
        _check_conflict(tree)
        return []
    if named.node.alias_or_name != name and named.node.alias_or_name.lower() in ("new", "old"):
        raise NotSupportedError("a table cannot be called new or old here")
    return _conditioned(tokens, quote_name(named.node.alias_or_name), rights.agent_list)


def _check_conflict(tree: exp.Expr) -> None:
    """An upsert may change the row that it meets only where that is the same agent's."""
    from sqlglot import exp

    for conflict in tree.find_all(exp.OnConflict):
        action = str(conflict.args.get("action") or "")
        updates = "UPDATE" in action.upper() or bool(conflict.expressions)
        keys = {
            i.name.lower() for key in conflict.args.get("conflict_keys") or ()
            for i in key.find_all(exp.Identifier)
        }  # fmt: skip
        if updates and "agent_id" not in keys:
            raise PrivilegeError(
                "ON CONFLICT DO UPDATE could change other agents' rows",
                hint="Name agent_id among the columns of the conflict.",
            )


def _conditioned(tokens: list[Token], alias: str, agents: str) -> list[tuple[int, int, str]]:
    """An UPDATE or DELETE of the user's rows alone: the user's own condition is not even computed
    for others."""
    mine = f"{alias}.agent_id IN ({agents})"
    depth, where, end = 0, None, tokens[-1].start + len(tokens[-1].text)
    started = False
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth:
            continue
        started = started or token.upper in ("UPDATE", "DELETE")
        if started and token.upper == "WHERE" and where is None:
            where = token
        elif started and token.upper in ("RETURNING", "ORDER", "LIMIT"):
            end = token.start
            break
    if where is None:
        return [(end, end, f" WHERE {mine} ")]
    start = where.start + len(where.text)
    return [
        (start, start, f" {mine} AND CASE WHEN {mine} THEN ("),
        (end, end, ") END "),
    ]


# First words of statements that may read rows, and are cut.
TREES = names(
    "SELECT WITH VALUES FROM TABLE EXPLAIN DESCRIBE DESC SUMMARIZE PIVOT PIVOT_WIDER UNPIVOT "
    "PIVOT_LONGER PLAN INSERT REPLACE UPDATE DELETE MERGE ("
)
