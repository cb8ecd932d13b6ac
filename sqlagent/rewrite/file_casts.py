"""Casts in a write to types that are texts, or 0 and 1, in the file.

SQLite would take JSON, UUID, INTERVAL and BOOLEAN for numbers, and make 0 of every text.
"""

from __future__ import annotations

from sqlglot import exp

from sqlagent.errors import DataError
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.infer import kind

_TRUE = ("t", "true", "y", "yes", "on", "1")
_FALSE = ("f", "false", "n", "no", "off", "0")


def file_casts(tree: exp.Expr, context: Context) -> exp.Expr:
    """Say each such cast as what is kept."""
    if not context.writes or context.dialect == "sqlite":
        return tree
    for node in reversed(list(tree.find_all(exp.Cast))):
        new = _said(node, context)
        if new is None:
            continue
        context.changed = True
        if node is tree:
            tree = new
        else:
            node.replace(new)
    return tree


def _said(node: exp.Cast, context: Context) -> exp.Expr | None:
    value = node.this
    if node.to.is_type("json", "jsonb"):
        # json() is there for its error alone: what is JSON stays as it is written.
        valid = exp.Anonymous(this="json_valid", expressions=[value.copy()])
        checked = exp.Anonymous(this="json", expressions=[value.copy()])
        return exp.Case(ifs=[exp.If(this=valid, true=value.copy())], default=checked)
    if node.to.is_type("uuid"):
        return exp.Lower(this=exp.cast(value.copy(), "TEXT"))
    if node.to.is_type("interval"):
        return exp.cast(value.copy(), "TEXT")
    if node.to.is_type("boolean"):
        return _boolean(value, context)
    return None


def _boolean(value: exp.Expr, context: Context) -> exp.Expr | None:
    """A truth value of a text; a number's is SQLite's own."""
    if isinstance(value, exp.Literal) and value.is_string:
        word = value.name.strip().lower()
        if word not in _TRUE + _FALSE:
            raise DataError(
                f'invalid input syntax for type boolean: "{value.name}"', sqlstate="22P02"
            )
        return exp.Boolean(this=word in _TRUE)
    if kind(value, context) not in (None, "VARCHAR"):
        return None
    text = exp.Lower(this=exp.cast(value.copy(), "TEXT"))

    def among(words: tuple[str, ...], truth: bool) -> exp.If:
        listed = [exp.Literal.string(w) for w in words]
        return exp.If(
            this=exp.In(this=text.copy(), expressions=listed), true=exp.Boolean(this=truth)
        )

    return exp.Case(
        ifs=[among(_TRUE, True), among(_FALSE, False)],
        default=exp.NEQ(this=value.copy(), expression=exp.Literal.number(0)),
    )
