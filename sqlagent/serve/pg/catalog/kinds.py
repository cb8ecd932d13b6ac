"""The types of a statement's outputs and parameters, as a client of PostgreSQL expects them.

DuckDB says what carries a column; whether UINTEGER is an oid, and VARCHAR a name, is told from the
columns of the catalogs that the expression is.
"""

from __future__ import annotations

import re

from sqlglot import exp

from sqlagent.serve.pg.catalog import shells, types
from sqlagent.serve.pg.catalog.rewrite import pg_name
from sqlagent.serve.pg.catalog.spell import TYPE

_CARRIED = {
    "oid": "UINTEGER", "regproc": "UINTEGER", "xid": "UINTEGER", "name": "VARCHAR",
    "char": "VARCHAR", "int2vector": "SMALLINT[]", "oidvector": "UINTEGER[]",
    "pg_node_tree": "VARCHAR", "aclitem[]": "VARCHAR[]", "oid[]": "UINTEGER[]",
    "regtype": "UINTEGER", "name[]": "VARCHAR[]", "anyarray": "VARCHAR", "varchar": "VARCHAR",
    "inet": "VARCHAR", "char[]": "VARCHAR[]", "regtype[]": "UINTEGER[]", "json": "JSON",
}  # fmt: skip
_REG = ("regclass", "regtype", "regproc", "regprocedure", "regnamespace", "regrole")
_RETURNS = {
    "to_regclass": "regclass", "to_regtype": "regtype", "to_regproc": "regproc",
    "to_regnamespace": "regnamespace", "to_regrole": "regrole", "pg_my_temp_schema": "oid",
    "pg_get_userbyid": "name", "current_schema": "name", "current_database": "name",
    "pg_encoding_to_char": "name", "current_user": "name", "session_user": "name",
    "json_build_object": "json", "jsonb_build_object": "jsonb", "pg_sleep": "void",
    "acldefault": "aclitem[]",
}  # fmt: skip


class Kinds:
    """What is known of one statement, before it is rewritten."""

    def __init__(self, tree: exp.Expr) -> None:
        self.aliased: dict[str, exp.Expr] = {}
        outermost = {id(node) for branch in _branches(tree) for node in _projections(branch)}
        for node in tree.find_all(exp.Alias):
            if id(node) not in outermost and node.find_ancestor(exp.Select) is not None:
                self.aliased.setdefault(node.alias.lower(), node.this)
        self.outputs = [self._output(n) for n in _projections(tree)]

    def _output(self, node: exp.Expr) -> tuple[str, str]:
        """The name of a projection, '*' for a star, and its type, '' where DuckDB's stands."""
        if node.is_star:
            return "*", ""
        return node.alias_or_name, self.kind(node)

    def kind(self, node: exp.Expr, depth: int = 0) -> str:
        """The PostgreSQL type of an expression; '' where it is what DuckDB says."""
        if depth > 12:
            return ""
        if isinstance(node, exp.Alias | exp.Paren):
            return self.kind(node.this, depth + 1)
        if isinstance(node, exp.Cast):
            return pg_name(node.to) or _plain(node.to)
        if isinstance(node, exp.Column):
            return self.column(node, depth)
        if isinstance(node, exp.Anonymous):
            return _RETURNS.get(node.name.lower(), "")
        if isinstance(node, exp.CurrentUser | exp.SessionUser | exp.CurrentSchema):
            return "name"
        if isinstance(node, exp.CurrentCatalog | exp.CurrentDatabase):
            return "name"
        if isinstance(node, exp.CurrentSchemas):
            return "name[]"
        if isinstance(node, exp.ArrayAgg):
            inner = self.kind(
                node.this.this if isinstance(node.this, exp.Order) else node.this, depth + 1
            )
            return f"{inner}[]" if inner and not inner.endswith("]") else ""
        if isinstance(node, exp.Min | exp.Max | exp.Coalesce):
            inner = self.kind(node.this, depth + 1)
            return "oid" if inner in ("oid", "regproc") else ""
        if isinstance(node, exp.Subquery) and node.this.find(exp.Select) is not None:
            first = next(iter(_projections(node.this)), None)
            return self.kind(first, depth + 1) if first is not None else ""
        if isinstance(node, exp.Case):
            kinds = {self.kind(i.args["true"], depth + 1) for i in node.args.get("ifs", ())}
            return kinds.pop() if len(kinds) == 1 else ""
        return ""

    def column(self, node: exp.Column, depth: int = 0) -> str:
        """The type of a column: of an output of that name within, else of the catalogs'."""
        inner = self.aliased.get(node.name.lower())
        if inner is not None and not (isinstance(inner, exp.Column) and inner.name == node.name):
            found = self.kind(inner, depth + 1)
            if found or not isinstance(inner, exp.Column):
                return found
        known = shells.attributes().get(node.name.lower(), ())
        return known[0] if len(known) == 1 else ""

    def labels(self, described: list[tuple[str, str]]) -> list[str]:
        """The label of each column that DuckDB describes as (name, type)."""
        stars = [place for place, (name, _) in enumerate(self.outputs) if name == "*"]
        known: list[str] = []
        if not stars and len(self.outputs) == len(described):
            known = [kind for _, kind in self.outputs]
        elif len(stars) == 1:
            after = len(self.outputs) - stars[0] - 1
            middle = described[stars[0] : len(described) - after]
            known = [k for _, k in self.outputs[: stars[0]]]
            known += [self._by_name(name) for name, _ in middle]
            known += [k for _, k in self.outputs[stars[0] + 1 :]]
        else:
            known = [self._by_name(name) for name, _ in described]
        return [_label(kind, duck) for kind, (_, duck) in zip(known, described, strict=True)]

    def _by_name(self, name: str) -> str:
        return self.column(exp.column(name))


def _branches(tree: exp.Expr) -> list[exp.Expr]:
    """The SELECTs of a UNION and the like, or the one."""
    if isinstance(tree, exp.SetOperation):
        return _branches(tree.left) + _branches(tree.right)
    return _branches(tree.this) if isinstance(tree, exp.Subquery) else [tree]


def _projections(tree: exp.Expr) -> list[exp.Expr]:
    query = tree
    while isinstance(query, exp.SetOperation | exp.Subquery):
        query = query.this
    return list(query.expressions) if isinstance(query, exp.Select) else []


def _plain(kind: exp.Expr) -> str:
    text = kind.sql("postgres").lower().removeprefix(TYPE)
    return types.ALIASES.get(text.partition("(")[0], text) if "varchar" in text else ""


def _label(kind: str, duck: str) -> str:
    """The label of a column whose expression has a type, if DuckDB's can carry it."""
    if kind in _REG:
        return kind
    if kind and _CARRIED.get(kind) == duck:
        return types.label(kind)
    if duck.startswith(("ENUM", "STRUCT", "MAP")):
        return "JSON" if not duck.startswith("ENUM") else "VARCHAR"
    return types.label(types.of_logical(duck)[0])


def wanted(node: exp.Expr, kinds: Kinds) -> str:
    """The type of a parameter, told from what it is cast to or meets; text where nothing says."""
    outer = node.parent
    if isinstance(outer, exp.Cast):
        name = pg_name(outer.to)
        if name.removesuffix("[]") in _REG:  # a name, or an oid in digits
            return "text" + name[len(name.removesuffix("[]")) :]
        return name or types.of_logical(_logical(outer.to))[0]
    if isinstance(outer, exp.Limit | exp.Offset):
        return "int8"
    if isinstance(outer, exp.Paren | exp.Any):
        inner = wanted(outer, kinds)
        return f"{inner}[]" if isinstance(outer, exp.Any) and not inner.endswith("[]") else inner
    if isinstance(outer, exp.Binary):
        other = outer.expression if outer.this is node else outer.this
        return _met(other, kinds)
    if isinstance(outer, exp.In):
        return _met(outer.this, kinds)
    return "text"


def _met(other: exp.Expr, kinds: Kinds) -> str:
    if isinstance(other, exp.Column):
        known = shells.attributes().get(other.name.lower(), ())
        return known[0] if known else "text"
    if isinstance(other, exp.Cast):
        return pg_name(other.to) or types.of_logical(_logical(other.to))[0]
    if isinstance(other, exp.Literal) and not other.is_string:
        return "int4"
    return kinds.kind(other) or "text"


def _logical(kind: exp.Expr) -> str:
    said = re.sub(r"\bINT\b", "INTEGER", kind.sql("duckdb").upper())
    return said.replace("TEXT", "VARCHAR")
