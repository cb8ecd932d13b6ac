"""Reads and writes that name attached databases: told apart by their tree.

(Imported lazily: it imports sqlglot.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from sqlagent.catalog import Catalog
from sqlagent.errors import Error, NotSupportedError
from sqlagent.functions import functions
from sqlagent.parse.lexer import Token, lex, quote_name
from sqlagent.plan.plans import Duck, Fill, Lite, Native, Remote
from sqlagent.plan.remote import bare, read_only, unknown
from sqlagent.plan.route import Router
from sqlagent.plan.sources import Sources
from sqlagent.rewrite import COMMON

Protected = Callable[[str], str | None]
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Merge)


class Mixed:
    """One statement that names at least one attached database."""

    def __init__(
        self,
        sql: str,
        tokens: list[Token],
        catalog: Catalog,
        settings: Mapping[str, Any],
        protected: Protected,
        named: Mapping[int, str],
    ) -> None:
        self.sql = sql
        self.tokens = tokens
        self.catalog = catalog
        self.settings = settings
        self.protected = protected
        self.named = named
        self.router = Router(sql, tokens, catalog, settings, protected)

    def plan(self) -> Lite | Fill | Native | Remote | None:
        """Its plan; None where the router has it: a read of several databases, a write to ours."""
        from sqlagent.parse.tree import parse

        tree, own = parse(self.sql, self.tokens, self.router.numbering, self.router.dialect)
        self.router.own = own and self.router.dialect == "duckdb"
        self.ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
        found = {self.alias(n) for n in tree.find_all(exp.Table) if not self.is_cte(n)}
        found |= {
            n.this.name.lower() for n in tree.find_all(exp.Dot)
            if isinstance(n.expression, exp.Anonymous)
            and self.catalog.attached(n.this.name) is not None
        }  # fmt: skip
        for node in tree.find_all(exp.Table):
            source = self.catalog.attached(node.db)
            if isinstance(node.this, exp.Func) and source is not None and source.kind != "agent":
                name = node.this.name
                raise NotSupportedError(
                    f"{node.db}.{name}() cannot be called here",
                    detail=f'"{node.db}" is attached {source.kind}: it has no functions of its own',
                    sql=self.sql, position=self.router.context().position(name),
                )  # fmt: skip
        target = self.target(tree)
        alone = found.pop() if len(found) == 1 else ""
        if alone and not self.ours(tree):
            plan = self.alone(tree, alone, target is not None)
            if plan is not None:
                return plan
        if target is None:
            return None
        alias = self.alias(target)
        if not alias:
            return None
        return self.write(tree, target, alias)

    # What it names --------------------------------------------------------------------------------

    def alias(self, node: exp.Table) -> str:
        """The attached database that a table is in; '' for any other table."""
        name = (node.catalog or node.db).lower()
        return name if self.catalog.attached(name) is not None else ""

    def is_cte(self, node: exp.Table) -> bool:
        return not node.db and node.name.lower() in self.ctes

    def ours(self, tree: exp.Expr) -> bool:
        """Whether it calls a function of ours that reads or writes the connection's own file."""
        known = functions()
        return any(
            (f := known.get(n.name.lower())) is not None and (f.writes or f.kind == "table")
            and not isinstance(n.parent, (exp.Dot, exp.Table))
            for n in tree.find_all(exp.Anonymous)
        )  # fmt: skip

    @staticmethod
    def target(tree: exp.Expr) -> exp.Table | None:
        """The table that a statement writes; None for a read."""
        if not isinstance(tree, _WRITES):
            return None
        found = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        return found if isinstance(found, exp.Table) else None

    # One database alone ---------------------------------------------------------------------------

    def alone(self, tree: exp.Expr, alias: str, writes: bool) -> Lite | Remote | None:
        """The plan where one database has all that the statement names."""
        source: Any = self.catalog.sources[alias]
        why = f"all that it names is in {alias}"
        text = bare(self.sql, self.tokens, self.named)
        if source.kind == "agent":
            calls = {n.name.lower() for n in tree.find_all(exp.Anonymous)}
            known = functions()
            writes = writes or any(f.writes for n, f in known.items() if n in calls)
            return Remote(text, alias, writes, why)
        if source.kind != "sqlite":
            return None
        forced = self.settings.get("route") == "duckdb"
        if forced and not writes:
            return None
        from sqlagent.plan import planned

        try:
            made = planned(text, lex(text), source.catalog(), self.settings, self.protected)
        except Error as error:
            if isinstance(error, NotSupportedError) and not writes:
                return None
            error.sql = self.sql  # of the same length: its places hold
            raise
        if isinstance(made, Duck) and made.lite is not None and not forced:
            made = made.lite  # its rows are in SQLite: to feed them all costs more than it saves
        if isinstance(made, Lite) and (made.writes or not made.exact):
            return made._replace(source=alias, why=why)
        return None

    # Writes ---------------------------------------------------------------------------------------

    def write(self, tree: exp.Expr, target: exp.Table, alias: str) -> Fill | Native:
        """A write to an attached database, of rows that come from elsewhere too."""
        source: Any = self.catalog.sources[alias]
        if source.kind in ("sqlite", "agent"):
            return self.fill(tree, target, alias, source)
        if source.native is None:
            raise read_only(self.sql, self.tokens[min(self.named)], source.kind, alias)
        if getattr(source, "read_only", False):
            raise NotSupportedError(
                f'"{alias}" is attached READ_ONLY', sql=self.sql,
                position=self.tokens[min(self.named)].start,
            )  # fmt: skip
        return self.native(tree, target, alias, source)

    def fill(self, tree: exp.Expr, target: exp.Table, alias: str, source: Any) -> Fill:
        """INSERT … SELECT and CREATE TABLE … AS into an attached SQLite file."""
        query = tree.args.get("expression")
        if not isinstance(tree, (exp.Insert, exp.Create)) or not isinstance(query, exp.Query):
            raise self.refused(
                f'a write to "{alias}" whose conditions read other databases',
                "INSERT … SELECT may read any; UPDATE and DELETE their own file's tables alone",
            )
        for name in ("returning", "by_name", "conflict"):
            if tree.args.get(name):
                raise self.refused(f"INSERT … {name.upper()} from another database", None)
        moved = tree.args.get("with_")
        query = query.copy()
        if moved is not None:
            query.set("with_", moved.copy())
        read = self.read(query)
        columns = (
            [c.name for c in tree.this.expressions] if isinstance(tree.this, exp.Schema) else []
        )
        listed = f" ({', '.join(map(quote_name, columns))})" if columns else ""
        name = quote_name(target.name)
        if isinstance(tree, exp.Insert):
            self.table(source, alias, target)
            alternative = tree.args.get("alternative")
            verb = f"INSERT OR {alternative.upper()}" if alternative else "INSERT"
            return Fill(read, f"{verb} INTO {name}{listed}", table=target.name, target=alias)
        kind = str(tree.args.get("kind") or "").upper()
        if kind != "TABLE":
            raise self.refused(f"CREATE {kind} over other databases", None)
        exists = source.table(target.name) is not None
        if tree.args.get("exists") and exists:
            raise self.refused(f'the table "{alias}.{target.name}" exists: IF NOT EXISTS', None)
        return Fill(
            read, f"INSERT INTO {name}", f"CREATE TABLE {name}{listed}",
            bool(tree.args.get("replace")), target.name, alias,
        )  # fmt: skip

    def read(self, query: exp.Expr) -> Duck:
        """A read that DuckDB runs, whatever it reads."""
        router = self.router
        wanted, router.wanted = router.wanted, "duckdb"
        context = router.context()
        context.changed = True  # it is a part of the statement: the user's text is not its own
        try:
            for common in COMMON:
                query = common(query, context)
            found = router.read(query, context)
        finally:
            router.wanted = wanted
        if not isinstance(found, Duck):
            raise self.refused("what only SQLite reads, into another database", None)
        return found._replace(why="its rows go to an attached database")

    def native(self, tree: exp.Expr, target: exp.Table, alias: str, source: Any) -> Native:
        """A write that DuckDB runs itself, over whatever it reads."""
        router = self.router
        if isinstance(tree, exp.Create) and str(tree.args.get("kind")).upper() != "TABLE":
            raise self.refused(f"CREATE {tree.args.get('kind')} in an attached database", None)
        if not isinstance(tree, exp.Create):
            self.table(source, alias, target)
        query = tree.args.get("expression")
        if isinstance(tree, (exp.Insert, exp.Create)) and isinstance(query, exp.Query):
            moved = tree.args.get("with_")
            if moved is not None:
                query.set("with_", moved.copy())
                tree.set("with_", None)
            read = self.read(query.copy())
            hole = "sqlagent the query"  # blanks in it: nobody's table is called so
            query.replace(exp.select("*").from_(exp.to_identifier(hole, quoted=True)))
            self.rename(target, source.native)
            head, found, rest = tree.sql("duckdb").partition(f'SELECT * FROM "{hole}"')
            if not found or "?" in head + rest or ":p" in head + rest:
                raise self.refused("this INSERT into an attached database", None)
            return Native(
                read._replace(sql=head + read.sql + rest, lite=None), alias,
                isinstance(tree, exp.Create), f"{alias} is written by DuckDB",
            )  # fmt: skip
        context = router.context()
        for common in COMMON:
            tree = common(tree, context)
        sources = Sources(tree, context, self.protected)
        context.names.read(tree)
        context.changed = True
        if sources.not_duckdb:
            raise router.impossible([], sources.not_duckdb)
        whole = router.duck(tree, context, sources, None)
        if whole is None:
            raise router.impossible([], router.unsaid)
        return Native(whole, alias, False, f"{alias} is written by DuckDB")

    # Names ----------------------------------------------------------------------------------------

    @staticmethod
    def rename(target: exp.Table, native: str) -> None:
        """The table under the name that DuckDB has its database under."""
        place = "catalog" if target.catalog else "db"
        target.set(place, exp.to_identifier(native, quoted=True))

    def table(self, source: Any, alias: str, target: exp.Table) -> None:
        """Raise ProgrammingError where the target is not there."""
        own = target.db if target.catalog and target.db.lower() not in ("main", "public") else ""
        name = f"{own}.{target.name}" if own else target.name
        if source.table(name) is None:
            at = self.router.context().position(target.name)
            raise unknown(self.sql, alias, target.name, source.tables(), at)

    def refused(self, what: str, hint: str | None) -> NotSupportedError:
        return NotSupportedError(
            f"{what} cannot be done in one statement", hint=hint, sql=self.sql,
            position=self.tokens[0].start,
        )  # fmt: skip


__all__ = ["Mixed"]
