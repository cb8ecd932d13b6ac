"""Where a statement names its tables. The module as a whole is imported lazily: it imports sqlglot.

sqlglot keeps the places of names; `sqlagent.parse.tree` forgets them, since copies of trees are
cheaper without. Here they are brought back to the user's own text.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import Token
from sqlagent.parse.parameters import Numbering, edited
from sqlagent.parse.tree import _edits


class Named(NamedTuple):
    """A table that a statement names: from `start` to before `end` in its text, schema and all.

    `node` is its node in the tree of the whole statement.
    """

    node: exp.Table
    start: int
    end: int


def placed(
    sql: str, tokens: list[Token], dialect: str, own: frozenset[str] = frozenset()
) -> tuple[exp.Expr, list[Named]]:
    """The tree of a statement, and every table that it names.

    Raises ProgrammingError where sqlglot reads no statement, or gives a name no place.
    """
    edits = sorted(_edits(sql, tokens, Numbering(sql, tokens), own))
    first, last = tokens[0].start, tokens[-1].start + len(tokens[-1].text)
    text = " " * first + edited(sql[:last], edits)[first:]
    tree = _tree(text, dialect, sql, tokens)
    found = []
    for node in tree.find_all(exp.Table):
        if not isinstance(node.this, exp.Identifier):
            continue
        parts = [p for p in (node.args.get("catalog"), node.args.get("db"), node.this) if p]
        start, end = parts[0].meta.get("start"), node.this.meta.get("end")
        if start is None or end is None:
            raise ProgrammingError(
                f'the place of "{node.name}" is not known', sql=sql, position=first
            )
        found.append(Named(node, _original(start, edits), _original(end + 1, edits, after=True)))
    return tree, found


def _tree(text: str, dialect: str, sql: str, tokens: list[Token]) -> exp.Expr:
    error: Exception | None = None
    for read in dict.fromkeys((dialect, "sqlite")):
        try:
            tree = parse_one(text, dialect=read)
            if isinstance(tree, exp.Command):
                raise SqlglotError(f"{tree.name} is not known")
            return tree
        except (SqlglotError, TypeError, AttributeError, ValueError, LookupError) as found:
            error = error or found
    raise ProgrammingError("syntax error", sql=sql, position=tokens[0].start) from error


def _original(position: int, edits: list[tuple[int, int, str]], after: bool = False) -> int:
    """A place of the edited text in the original; within an edit its start, or what is `after`."""
    shift = 0
    for start, end, new in edits:
        at = start + shift
        if position < at or (after and position == at):
            break
        if position < at + len(new) or (after and position == at + len(new)):
            return end if after else start
        shift += len(new) - (end - start)
    return position - shift
