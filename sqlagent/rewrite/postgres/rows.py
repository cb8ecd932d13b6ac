"""Functions of rows in FROM, as subqueries: `unnest(a, b) WITH ORDINALITY AS t (x, y, n)`,
`jsonb_array_elements(j) AS e`, `json_each(j)`, `jsonb_to_recordset(j) AS t (a int, b text)`.

What a column is called without a name of its own is PostgreSQL's: the function's name, or the
alias; `value` of the elements of JSON, where the alias alone means that value too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from sqlglot import exp

from sqlagent.errors import ProgrammingError
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.postgres.calls import call

Source = exp.Expr  # an Unnest, Table or Lateral


class Rows(NamedTuple):
    """What a function gives: an expression for each column, with its name; `lists` are what it
    unnests. `out`: the columns have names that an alias does not change."""

    columns: list[tuple[str, exp.Expr]]
    lists: list[exp.Expr]
    out: bool = False


def _unnested(given: list[exp.Expr], name: str = "unnest", out: bool = False) -> Rows:
    return Rows([(name, call("unnest", g.copy())) for g in given], given, out)


def _elements(kind: str) -> Callable[[list[exp.Expr]], Rows]:
    def make(given: list[exp.Expr]) -> Rows:
        listed = call("from_json", given[0].copy(), exp.Literal.string(f'["{kind}"]'))
        return _unnested([listed], "value", True)

    return make


def _keys(given: list[exp.Expr]) -> Rows:
    return _unnested([call("json_keys", given[0].copy())], "json_object_keys")


def _each(text: bool) -> Callable[[list[exp.Expr]], Rows]:
    def make(given: list[exp.Expr]) -> Rows:
        kind = exp.DataType.build("MAP(TEXT, JSON)", dialect="duckdb")
        pairs = exp.cast(exp.cast(given[0].copy(), "JSON"), kind)
        values: exp.Expr = call("map_values", pairs)
        if text:
            said = call("json_extract_string", exp.column("v"), exp.Literal.string("$"))
            values = call("list_transform", values,
                          exp.Lambda(this=said, expressions=[exp.to_identifier("v")]))  # fmt: skip
        keys = call("map_keys", pairs.copy())
        return Rows([("key", call("unnest", keys)), ("value", call("unnest", values))], [keys],
                    True)  # fmt: skip

    return make


FUNCTIONS: dict[str, Callable[[list[exp.Expr]], Rows]] = {
    "jsonb_array_elements": _elements("JSON"), "json_array_elements": _elements("JSON"),
    "jsonb_array_elements_text": _elements("VARCHAR"),
    "json_array_elements_text": _elements("VARCHAR"),
    "jsonb_object_keys": _keys, "json_object_keys": _keys, "jsonb_each": _each(False),
    "json_each": _each(False), "jsonb_each_text": _each(True), "json_each_text": _each(True),
    "string_to_table": lambda g: _unnested([call("string_split", *g)], "string_to_table"),
    "regexp_split_to_table": lambda g: _unnested(
        [call("string_split_regex", *g)], "regexp_split_to_table"
    ),
}  # fmt: skip
_RECORDS = {
    "jsonb_to_recordset": True, "json_to_recordset": True, "jsonb_to_record": False,
    "json_to_record": False,
}  # fmt: skip


def rows(tree: exp.Expr, context: Context) -> exp.Expr:
    """Each function of rows in a FROM or JOIN as a subquery. The tree is changed in place."""
    for node in list(tree.find_all(exp.Unnest, exp.Table, exp.Lateral)):
        if isinstance(node.parent, exp.Lateral) or not isinstance(
            node.parent, exp.From | exp.Join | exp.Update | exp.Delete | exp.Select
        ):
            continue
        made = _source(node)
        if made is None:
            continue
        query, found, alias = made
        _values(node, found, alias, context)
        new: exp.Expr = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(
            alias.name if alias is not None else found.columns[0][0], quoted=True
        )))  # fmt: skip
        if isinstance(node, exp.Lateral) or node.find(exp.Column) is not None:
            new = exp.Lateral(this=exp.Subquery(this=query), alias=new.args["alias"])
        node.replace(new)
        context.changed = True
    return tree


def _source(node: Source) -> tuple[exp.Select, Rows, exp.TableAlias | None] | None:
    """The query that a source is, what it gives and its alias; None where it is another."""
    inner = node if isinstance(node, exp.Unnest) else node.this
    alias = node.args.get("alias")
    alias = alias if isinstance(alias, exp.TableAlias) and alias.this is not None else None
    name = inner.name.lower() if isinstance(inner, exp.Anonymous) else ""
    if isinstance(inner, exp.Anonymous) and name in _RECORDS:
        return _record(inner, alias, _RECORDS[name])
    if isinstance(inner, exp.Unnest):
        found = _unnested(inner.expressions)
    elif name in FUNCTIONS and inner.expressions:
        found = FUNCTIONS[name](inner.expressions)
    else:
        return None
    names = [c.name for c in alias.columns] if alias is not None else []
    counted = inner.args.get("offset") if isinstance(inner, exp.Unnest) else None
    counted = counted or node.args.get("ordinality") or node.args.get("offset")
    if isinstance(counted, exp.Identifier):
        names.append(counted.name)
    columns = list(found.columns)
    if counted:
        sizes = [call("len", x.copy()) for x in found.lists]
        most = call("greatest", *sizes) if len(sizes) > 1 else sizes[0]
        stop = exp.Add(this=most, expression=exp.Literal.number(1))
        numbers = call("range", exp.Literal.number(1), stop)
        columns.append(("ordinality", call("unnest", numbers)))
    if alias is not None and not names and not found.out and len(found.columns) == 1:
        names = [alias.name]
    if len(names) > len(columns):
        raise ProgrammingError(
            f'table "{alias.name if alias else ""}" has {len(columns)} columns available but '
            f"{len(names)} columns specified", sqlstate="42P10",
        )  # fmt: skip
    names += [own for own, _ in columns[len(names) :]]
    said = [exp.alias_(e, n, quoted=True) for n, (_, e) in zip(names, columns, strict=True)]
    return exp.select(*said), found, alias


def _record(
    inner: exp.Anonymous, alias: exp.TableAlias | None, several: bool
) -> tuple[exp.Select, Rows, exp.TableAlias | None]:
    """The columns that the alias defines, of a JSON object or of each of an array."""
    defined = [c for c in alias.columns if isinstance(c, exp.ColumnDef)] if alias else []
    if not defined or len(inner.expressions) != 1:
        raise ProgrammingError(
            "a column definition list is required for functions returning \"record\"",
            hint=f"{inner.name}(…) AS t (a int, b text)", sqlstate="42601",
        )  # fmt: skip
    shape = {c.name: _kind(c.args["kind"]) for c in defined}
    text = json.dumps([shape] if several else shape)
    read = call("from_json", inner.expressions[0].copy(), exp.Literal.string(text))
    one = exp.select(exp.alias_(call("unnest", read) if several else read, "sq_row"))
    columns = [
        exp.alias_(call("struct_extract", exp.column("sq_row"), exp.Literal.string(c.name)),
                   c.name, quoted=True)
        for c in defined
    ]  # fmt: skip
    query = exp.select(*columns).from_(exp.Subquery(this=one, alias=exp.TableAlias(
        this=exp.to_identifier("sq_rows")
    )))  # fmt: skip
    return query, Rows([("record", read)], [read], True), alias


def _kind(kind: exp.DataType) -> str:
    text = kind.sql("duckdb")
    return "JSON" if text == "JSONB" else "BLOB" if text == "BYTEA" else text


def _values(node: Source, found: Rows, alias: exp.TableAlias | None, context: Context) -> None:
    """`e` beside `jsonb_array_elements(j) AS e` is the value, where no column is called so."""
    if alias is None or not found.out or len(found.columns) != 1 or alias.columns:
        return
    select = node.find_ancestor(exp.Select)
    if select is None:
        return
    name = alias.name.lower()
    for table in select.find_all(exp.Table):
        known = (
            context.catalog.table(table.name) if isinstance(table.this, exp.Identifier) else None
        )
        if known is not None and known.column(name) is not None:
            return
    for column in list(select.find_all(exp.Column)):
        if not column.table and column.name.lower() == name:
            column.replace(exp.column(found.columns[0][0], table=alias.name, quoted=True))
