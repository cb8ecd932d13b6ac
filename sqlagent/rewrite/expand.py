"""What users defined, as the trees of their definitions: macros, table macros and views.

It runs first, so a definition works wherever its expression or its SELECT would: on every engine,
in writes, and over functions of ours. Arguments are put in as trees; see `sqlagent.rewrite.filling`
for how no name is caught by another on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from sqlagent.catalog import Definition
from sqlagent.errors import NotSupportedError, ProgrammingError, nearest
from sqlagent.functions import REQUIRED, bind, functions
from sqlagent.parse.lexer import lex
from sqlagent.parse.macro import Default, Macro, labelled, macro, renamed
from sqlagent.parse.view import select_of
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.filling import free_file_names, put_in

DEPTH_MAX = 64
NODES_MAX = 100_000
BUILT_IN = "sqlagent built in"  # of a call in a body of the same name
_WRAPS = (exp.Window, exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)
_KEPT = ("joins", "laterals", "pivots", "sample")


def expand(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every call of a user's macro and every view that is a definition, as its tree."""
    return _Expansion(context).run(tree) if context.catalog.definitions else tree


def own_names(definitions: Mapping[str, tuple[Definition, ...]]) -> frozenset[str]:
    """The lower-case names of the users' macros."""
    return frozenset(
        name for name, several in definitions.items()
        if any(d.kind in ("macro", "table macro") for d in several)
    )  # fmt: skip


class _Expansion:
    """One statement; `nodes` counts what was put in, which doubles with every level."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.definitions = context.catalog.definitions
        self.own = own_names(self.definitions)
        self.nodes = 0

    def run(self, tree: exp.Expr) -> exp.Expr:
        """Expand until nothing is left; a definition cannot name itself, but a row of one may."""
        for _ in range(DEPTH_MAX):
            calls = [
                n for n in tree.find_all(exp.Anonymous)
                if n.name.lower() in self.own and not n.meta.get(BUILT_IN)
            ]  # fmt: skip
            views = self._views(tree)
            if not calls and not views:
                return tree
            self.context.changed = True
            for view in views:
                tree = self._view(tree, view)
            for call in reversed(calls):  # the innermost first
                tree = self._call(tree, call)
        raise ProgrammingError(
            "definitions go deeper than 64 levels", sql=self.context.sql, position=0
        )

    # Views --------------------------------------------------------------------------------------

    def _views(self, tree: exp.Expr) -> list[exp.Table]:
        """The sources that are views kept as definitions."""
        if not any(t.kind == "query" for t in self.context.catalog.tables.values()):
            return []
        ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
        return [
            n for n in tree.find_all(exp.Table)
            if isinstance(n.this, exp.Identifier)
            and n.db.lower() in ("", "main", "public")
            and (n.db or n.name.lower() not in ctes)
            and not _made(n)
            and (t := self.context.catalog.table(n.name)) is not None and t.kind == "query"
        ]  # fmt: skip

    def _view(self, tree: exp.Expr, node: exp.Table) -> exp.Expr:
        """A view as its SELECT, with the columns that it had when it was made."""
        outer = node.parent
        if isinstance(outer, exp.Schema):
            outer = outer.parent
        if isinstance(outer, (exp.Insert, exp.Update, exp.Delete, exp.Merge)) and (
            outer.this is node or outer.this is node.parent
        ):
            raise ProgrammingError(
                f'cannot write into the view "{node.name}"', hint="Write into its tables.",
                sql=self.context.sql, position=self.context.position(node.name), sqlstate="42809",
            )  # fmt: skip
        definition = next(
            d for d in self.definitions[node.name.lower()] if d.kind == "view"
        )  # fmt: skip
        body = select_of(definition, self.own).copy()
        self._enter(definition, body)
        alias = node.args.get("alias") or exp.TableAlias(
            this=exp.to_identifier(node.name, quoted=node.this.quoted)
        )
        tree = free_file_names(tree, body)
        return self._source(tree, node, body, alias.copy())

    def _source(
        self, tree: exp.Expr, node: exp.Expr, body: exp.Expr, alias: exp.Expr, lateral: bool = False
    ) -> exp.Expr:
        """A query in the place of a source; its columns' aliases become names within it."""
        columns = [c.name for c in alias.args.get("columns") or []]
        if columns:
            body = renamed(body, columns)
            alias.set("columns", None)
        new: exp.Expr = exp.Subquery(this=body, alias=None if lateral else alias)
        if lateral:
            new = exp.Lateral(this=new, alias=alias)
        for key in _KEPT:
            if node.args.get(key):
                new.set(key, node.args[key])
        node.replace(new)
        return tree

    # Macros -------------------------------------------------------------------------------------

    def _call(self, tree: exp.Expr, node: exp.Anonymous) -> exp.Expr:
        """A call as the body of the overload that its arguments fit."""
        outer = node.parent
        source = isinstance(outer, (exp.Table, exp.Lateral)) and outer.this is node
        found, values = self._chosen(node, source)
        if isinstance(outer, _WRAPS) and outer.this is node:
            raise self._wrong(node, f'"{node.name}" is a macro: OVER and FILTER go into its body')
        body = found.body.copy()
        for call in body.find_all(exp.Anonymous):
            if call.name.lower() == found.name:
                call.meta[BUILT_IN] = True
        definition = Definition(found.name, "macro", found.sql)
        self._enter(definition, body)
        given: dict[str, exp.Expr] = {}
        for parameter, declared, value in zip(
            found.function.parameters, found.types, values, strict=True
        ):
            said = value.copy()
            if declared is not None:
                said = exp.cast(said, declared, dialect="duckdb")
            given[parameter.name] = said
        body = put_in(body, given, node, self.context)
        self.nodes += sum(1 for _ in body.walk())
        if self.nodes > NODES_MAX:
            raise self._wrong(node, "definitions make the statement too large")
        tree = free_file_names(tree, body)
        if not source:
            return _put(tree, node, body)
        assert outer is not None
        alias = outer.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name))
        reads = any(v.find(exp.Column) is not None for v in given.values())
        lateral = isinstance(outer, exp.Lateral) or (reads and isinstance(outer.parent, exp.Join))
        if not lateral and not alias.args.get("columns") and _whole(tree, outer):
            return body
        return self._source(tree, outer, body, alias.copy(), lateral)

    def _chosen(self, node: exp.Anonymous, source: bool) -> tuple[Macro, list[exp.Expr]]:
        """The overload for a call, and an expression for each of its parameters."""
        kind = "table macro" if source else "macro"
        several = self.definitions[node.name.lower()]
        mine = [d for d in several if d.kind == kind]
        if not mine:
            raise self._wrong(
                node, f"{node.name} is a {several[0].kind}, not a {'table' if source else 'value'}",
                "42809", f"It is called as SELECT {'* FROM ' if not source else ''}{node.name}(…)",
            )  # fmt: skip
        positional: list[exp.Expr] = []
        named: dict[str, exp.Expr] = {}
        for argument in node.expressions:
            if isinstance(argument, (exp.Kwarg, exp.PropertyEQ)):
                named[argument.this.name.lower()] = argument.expression
            elif named:
                raise self._wrong(
                    node, f"{node.name}: a positional argument cannot follow a named one"
                )
            elif isinstance(argument, (exp.Star, exp.Distinct, exp.Order)):
                raise self._wrong(node, f"{node.name} is a macro: it takes expressions only")
            else:
                positional.append(argument)
        made = [macro(d.sql, d.dialect, self.own) for d in mine]
        count = len(positional) + len(named)
        fitting = [
            m for m in made
            if sum(p.required for p in m.function.parameters) <= count <= len(m.types)
            and set(named) <= {p.name for p in m.function.parameters}
        ]  # fmt: skip
        fitting.sort(key=lambda m: len(m.types))
        if not fitting and len(made) > 1:
            signatures = " or ".join(m.function.signature for m in made)
            raise self._wrong(
                node, f"{node.name} takes no {count} arguments like these", "42883",
                f"It is {signatures}",
            )  # fmt: skip
        chosen = (fitting or made)[0]
        try:
            found: list[Any] = bind(chosen.function, list(positional), dict(named))
        except ProgrammingError as error:
            error.sql, error.position = self.context.sql, self.context.position(node.name)
            raise
        return chosen, [
            _default(p.default) if value is REQUIRED else value
            for p, value in zip(chosen.function.parameters, found, strict=True)
        ]

    def _enter(self, definition: Definition, body: exp.Expr) -> None:
        """Note what is used, and raise with the place in the definition for a table that is
        gone."""
        context = self.context
        context.expanded.add(definition.name.lower())
        if definition.dialect == "sqlite" and context.dialect != "sqlite":
            for like in list(body.find_all(exp.Like)):
                like.replace(exp.ILike(this=like.this, expression=like.expression))
        elif context.dialect == "sqlite" != definition.dialect and body.find(exp.Like):
            raise NotSupportedError(
                f'LIKE in "{definition.name}" minds case, as in the dialect it was made in',
                hint="SET dialect = 'duckdb'",
                sql=context.sql, position=context.position(definition.name),
            )  # fmt: skip
        ctes = {c.alias_or_name.lower() for c in body.find_all(exp.CTE)}
        for node in body.find_all(exp.Table):
            name = node.name
            if (
                not isinstance(node.this, exp.Identifier)
                or node.db
                or name.lower() in ctes
                or name.lower().startswith(("sqlite_", "pragma_"))
                or any(c in name for c in "./*")
                or context.catalog.table(name) is not None
                or name.lower() in functions()
            ):
                continue
            at = [t.start for t in lex(definition.sql) if t.name.lower() == name.lower()]
            raise ProgrammingError(
                f'unknown table "{name}"',
                detail=f'in the definition of "{definition.name}"',
                hint=nearest(name, context.catalog.tables),
                sql=definition.sql, position=at[-1] if at else None, sqlstate="42P01",
            )  # fmt: skip

    def _wrong(
        self, node: exp.Expr, message: str, sqlstate: str = "42601", hint: str | None = None
    ) -> ProgrammingError:
        return ProgrammingError(
            message, hint=hint, sqlstate=sqlstate, sql=self.context.sql,
            position=self.context.position(node.name),
        )  # fmt: skip


def _made(node: exp.Table) -> bool:
    """Whether a name is that of what a CREATE makes."""
    outer = node.parent.parent if isinstance(node.parent, exp.Schema) else node.parent
    return isinstance(outer, exp.Create) and outer.this in (node, node.parent)


def _default(value: Any) -> exp.Expr:
    """The expression of a parameter that was not given."""
    return value.tree if isinstance(value, Default) else exp.Null()


def _whole(tree: exp.Expr, source: exp.Expr) -> bool:
    """Whether a statement is `SELECT * FROM source` and nothing else: it is then its query, in
    the order that the query gives."""
    if not isinstance(tree, exp.Select) or not isinstance(source.parent, exp.From):
        return False
    more = [k for k, v in tree.args.items() if v and k not in ("expressions", "from_")]
    star = tree.expressions[0] if len(tree.expressions) == 1 else None
    plain = isinstance(star, exp.Star) and not any(star.args.values())
    kept = [k for k in _KEPT if source.args.get(k)]
    return plain and not more and not kept and source.parent.parent is tree


def _put(tree: exp.Expr, node: exp.Expr, body: exp.Expr) -> exp.Expr:
    """A value's body in the place of its call; an output keeps the name of the call."""
    leaf = isinstance(body, (exp.Paren, exp.Subquery, exp.Literal, exp.Null, exp.Column))
    new: exp.Expr = body if leaf else exp.Paren(this=body)
    if node is tree:
        return new
    if isinstance(node.parent, exp.Select) and node.arg_key == "expressions":
        new = labelled(new, node.name)
    node.replace(new)
    return tree
