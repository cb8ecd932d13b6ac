"""What the file says in SQLite's words, in PostgreSQL's: defaults, conditions and views.

The catalogs give them to clients that would run them again elsewhere (pg_dump, migrations of
schemas, DBeaver's DDL). What PostgreSQL cannot say is None: a wrong word would make the whole
CREATE TABLE fail.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from sqlagent.catalog import Column

_PLAIN = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is,
    exp.Null, exp.Boolean, exp.Literal, exp.Column, exp.Identifier, exp.In, exp.Between, exp.Add,
    exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Coalesce, exp.Nullif, exp.Abs, exp.Round,
    exp.Case, exp.If, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Greatest, exp.Least, exp.CurrentDate,
    exp.CurrentTimestamp, exp.CurrentTime,
)  # fmt: skip
_TEXTUAL = (
    exp.Length, exp.Lower, exp.Upper, exp.Substring, exp.Trim, exp.StrPosition, exp.DPipe, exp.Like,
)  # fmt: skip
_COMPARED = (exp.EQ, exp.NEQ, exp.In, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Coalesce)


@lru_cache(maxsize=4096)
def condition(text: str, columns: tuple[Column, ...]) -> str | None:
    """A condition or an expression over a table's columns; None where PostgreSQL has no such.

    >>> condition("ifnull(ok, 0) = 1 AND name <> ''", (Column("ok", "BOOLEAN"),
    ...     Column("name", "VARCHAR")))
    "COALESCE(ok, FALSE) = TRUE AND name <> ''"
    >>> condition("json_valid(data)", (Column("data", "JSON"),))
    """
    try:
        tree: exp.Expression = parse_one(text, dialect="sqlite")
    except SqlglotError:
        return None
    kinds = {c.name.lower(): c.type for c in columns}
    for node in tree.find_all(exp.Expression):
        if isinstance(node, _TEXTUAL):
            inner = node.find_all(exp.Column)
            if any(kinds.get(c.name.lower()) != "VARCHAR" for c in inner):
                return None
        elif isinstance(node, exp.Column):
            kind = kinds.get(node.name.lower()) or "BLOB"
            tested = isinstance(node.parent, exp.Is) and isinstance(
                node.parent.expression, exp.Null
            )
            if not tested and (kind.endswith("]") or kind.startswith(("JSON", "BLOB", "STRUCT"))):
                return None
        elif not isinstance(node, _PLAIN):
            return None
    for node in list(tree.find_all(*_COMPARED)):
        if any(kinds.get(c.name.lower()) == "BOOLEAN" for c in node.find_all(exp.Column)):
            _truths(node)
    for node in list(tree.find_all(exp.Not)):  # as sqlglot reads SQLite's IS NOT NULL
        inner = node.this
        if isinstance(inner, exp.Is) and node is not tree:
            inner.set("negate", True)
            node.replace(inner)
        elif isinstance(inner, exp.Is):
            inner.set("negate", True)
            tree = inner
    return _as_it_was(text, tree.sql("postgres"))


def _as_it_was(text: str, said: str) -> str:
    """The text as it was written, where it differs in blanks and letters' case alone."""
    one, other = ("".join(t.split()).lower() for t in (text, said))
    return text.strip() if one == other else said


def _truths(node: exp.Expr) -> None:
    """0 and 1 beside a boolean as what they mean."""
    found = [a for a in (node.this, node.args.get("expression")) if isinstance(a, exp.Literal)]
    found += [e for e in node.expressions if isinstance(e, exp.Literal)]
    for literal in found:
        if not literal.is_string and literal.name in ("0", "1"):
            literal.replace(exp.Boolean(this=literal.name == "1"))


def default(text: str, column: Column) -> str | None:
    """A column's default that is computed; None where PostgreSQL has no such.

    >>> default("(strftime('%Y-%m-%d %H:%M:%f', 'now'))", Column("t", "TIMESTAMP"))
    'CURRENT_TIMESTAMP'
    """
    said = text.strip()
    if "'now'" in said:
        return {"DATE": "CURRENT_DATE", "TIME": "LOCALTIME"}.get(
            column.type or "", "CURRENT_TIMESTAMP"
        )
    if "randomblob" in said:
        text_too = "" if column.type == "UUID" else "::text"
        return f"gen_random_uuid(){text_too}" if "'-4'" in said else None
    return condition(said, ())


def indexed(text: str, columns: tuple[Column, ...]) -> str:
    """An indexed expression: in parentheses, unless it is a call."""
    found = condition(text, columns)
    if found is None:
        return text
    return found if re.fullmatch(r"\w+\([^()]*\)", found) else f"({found})"


@lru_cache(maxsize=1024)
def query(text: str) -> tuple[str, tuple[str, ...]]:
    """The SELECT of a view with its tables in schema public, and their names; the text as it is
    where it cannot be read.

    >>> query("SELECT ifnull(a, 1) AS a FROM t")
    ('SELECT COALESCE(a, 1) AS a FROM public.t', ('t',))
    """
    try:
        tree = parse_one(text, dialect="sqlite")
    except SqlglotError:
        return text, ()
    defined = {c.alias.lower() for c in tree.find_all(exp.CTE)}
    names = []
    for table in tree.find_all(exp.Table):
        plain = isinstance(table.this, exp.Identifier) and not table.db
        if plain and table.name.lower() not in defined:
            names.append(table.name)
            table.set("db", exp.to_identifier("public"))
    return tree.sql("postgres"), tuple(dict.fromkeys(names))
