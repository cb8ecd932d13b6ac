"""`data->>'$.a'` on SQLite as DuckDB means it: always text, `true` and not 1."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.rewrite.context import Context


def json_paths(tree: exp.Expr, context: Context) -> exp.Expr:
    """`a ->> p` by the JSON's type: a text as it is, anything else as its JSON, null as NULL."""
    if context.dialect == "sqlite":
        return tree
    for node in list(tree.find_all(exp.JSONExtractScalar)):
        path = node.expression
        if not isinstance(path, (exp.JSONPath, exp.Literal)):
            context.doubts.append("a JSON path that is not constant")
            continue
        source = node.this.copy()
        text = node.copy()
        kind = exp.Anonymous(this="json_type", expressions=[source, _text(path)])
        raw = exp.JSONExtract(this=source.copy(), expression=path.copy(), only_json_types=True)
        other = exp.Nullif(this=exp.Paren(this=raw), expression=exp.Literal.string("null"))
        new = exp.Case(
            this=kind,
            ifs=[exp.If(this=exp.Literal.string("text"), true=exp.Paren(this=text))],
            default=other,
        )
        node.replace(new)
        context.changed = True
    return tree


def _text(path: exp.Expr) -> exp.Expr:
    """A path as a text for json_type()."""
    if isinstance(path, exp.Literal):
        return path.copy()
    return exp.Literal.string(path.sql("sqlite").strip("'").replace("''", "'"))
