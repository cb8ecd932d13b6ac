"""How PostgreSQL names the outputs of a SELECT that have no name of their own."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.serve.pg.catalog.spell import TYPE

_CALLS: dict[type[exp.Expr], str] = {
    exp.Coalesce: "coalesce", exp.Count: "count", exp.ArrayAgg: "array_agg", exp.Case: "case",
    exp.GroupConcat: "string_agg", exp.Exists: "exists", exp.CurrentTimestamp: "now",
    exp.CurrentDate: "current_date", exp.CurrentUser: "current_user", exp.Nullif: "nullif",
    exp.CurrentSchema: "current_schema", exp.CurrentDatabase: "current_database",
    exp.SessionUser: "session_user", exp.CurrentSchemas: "current_schemas",
    exp.CurrentCatalog: "current_catalog",
    exp.CurrentVersion: "version", exp.Array: "array", exp.Extract: "extract",
    exp.Substring: "substring", exp.Trim: "btrim", exp.Explode: "unnest", exp.Unnest: "unnest",
    exp.GenerateSeries: "generate_series", exp.ArrayToString: "array_to_string",
    exp.Greatest: "greatest", exp.Least: "least", exp.JSONObject: "json_build_object",
}  # fmt: skip


def named(tree: exp.Expr) -> None:
    """Give each unnamed output of a query the name that PostgreSQL gives it."""
    query = tree
    while isinstance(query, exp.SetOperation | exp.Subquery):
        query = query.this
    if not isinstance(query, exp.Select):
        return
    for place, node in enumerate(list(query.expressions)):
        if isinstance(node, exp.Alias | exp.Aliases | exp.Star) or node.is_star:
            continue
        if isinstance(node, exp.Column) and type(node.this) is exp.Identifier:
            continue
        name = name_of(node)
        query.expressions[place] = exp.alias_(node, name, quoted=True, copy=False)
        query.expressions[place].parent = query
    query.set("expressions", list(query.expressions))


def name_of(node: exp.Expr) -> str:
    """The name that PostgreSQL gives an expression.

    >>> from sqlglot import parse_one
    >>> texts = ("count(*)", "1 + 1", "a::text", "f(x)")
    >>> [name_of(parse_one(x, dialect="postgres")) for x in texts]
    ['count', '?column?', 'a', 'f']
    """
    if isinstance(node, exp.Paren):
        return name_of(node.this)
    if isinstance(node, exp.Filter | exp.Window | exp.WithinGroup | exp.Order | exp.Distinct):
        return name_of(node.this)
    if isinstance(node, exp.Column):
        return node.name
    if isinstance(node, exp.Dot):
        return node.expression.name if isinstance(node.expression, exp.Identifier) else (
            name_of(node.expression)
        )  # fmt: skip
    if isinstance(node, exp.Cast):
        weak = isinstance(node.this, exp.Cast | exp.Boolean | exp.Case)  # no name of their own
        inner = "?column?" if weak else name_of(node.this)
        return inner if inner != "?column?" else _type(node.to)
    if isinstance(node, exp.Bracket):
        return name_of(node.this)
    if isinstance(node, exp.Case):
        default = node.args.get("default")
        inner = name_of(default) if default is not None else "?column?"
        return inner if inner != "?column?" and isinstance(default, exp.Column) else "case"
    if isinstance(node, exp.Subquery):
        first = node.this.selects[0] if getattr(node.this, "selects", None) else None
        return "?column?" if first is None else first.alias or name_of(first)
    for kind, name in _CALLS.items():
        if type(node) is kind:
            return name
    if isinstance(node, exp.Boolean):
        return "bool"
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    if isinstance(node, exp.Func) and not isinstance(node, exp.Connector | exp.Binary):
        return node.sql_name().lower()
    return "?column?"


def _type(kind: exp.Expr) -> str:
    from sqlagent.serve.pg.catalog import types

    text = kind.sql("postgres").lower().removesuffix("[]").removeprefix(TYPE)
    text = text.partition("(")[0]
    return types.ALIASES.get(text, text)
