"""Route: a statement that is not plain is parsed, rewritten, and given to the engine that runs it.

The module as a whole is imported lazily: it imports sqlglot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from sqlagent.catalog import Catalog
from sqlagent.errors import NotSupportedError
from sqlagent.functions import functions
from sqlagent.parse.depth import check_length
from sqlagent.parse.lexer import Token, lex, statements
from sqlagent.parse.parameters import Numbering, edited
from sqlagent.parse.tree import parse, same_text
from sqlagent.plan import alike, materialized
from sqlagent.plan.clauses import only_duckdb
from sqlagent.plan.copying import copy_to
from sqlagent.plan.define import COLUMNAR
from sqlagent.plan.describe import all_tables
from sqlagent.plan.describe import described as describing
from sqlagent.plan.describe import table as described_table
from sqlagent.plan.guard import refuse_statement
from sqlagent.plan.named import output_names
from sqlagent.plan.plans import Call, Calls, ColumnsWrite, Define, Duck, Feed, Fill, Lite, Merge
from sqlagent.plan.say import say, types
from sqlagent.plan.sources import Protected, Sources
from sqlagent.plan.writing import write_calls
from sqlagent.plan.writing_with import returned
from sqlagent.plan.written import written
from sqlagent.rewrite import COMMON, TO_DUCKDB, TO_SQLITE, Context
from sqlagent.rewrite.expand import own_names
from sqlagent.rewrite.spellings import takes_json

_READS = (exp.Select, exp.SetOperation, exp.Values, exp.Subquery, exp.Pivot)


def route(
    sql: str,
    tokens: list[Token],
    catalog: Catalog,
    settings: Mapping[str, Any],
    protected: Protected,
) -> Lite | Duck | Calls | Call | Fill | Define | ColumnsWrite | Merge:
    """The plan of one statement that is not plain."""
    refuse_statement(sql, tokens[0].upper, tokens[0].start)
    check_length(sql, tokens)
    made = Router(sql, tokens, catalog, settings, protected).plan()
    if isinstance(made, Lite | Duck) and (names := output_names(sql, tokens)) is not None:
        made = made._replace(names=names)
        if isinstance(made, Duck) and made.lite is not None:
            made = made._replace(lite=made.lite._replace(names=names))
    return made


def described(
    sql: str, catalog: Catalog, settings: Mapping[str, Any]
) -> tuple[str | None, ...] | None:
    """The logical types of the outputs of a SELECT or of RETURNING, as far as the text says."""
    tokens = statements(lex(sql))[0]
    shown = returned(sql, tokens)
    if shown:
        return described(shown, catalog, settings)
    router = Router(sql, tokens, catalog, settings, lambda path: None)
    tree, _ = parse(sql, tokens, router.numbering, router.dialect)
    context = router.context()
    for common in COMMON:
        tree = common(tree, context)
    context.names.read(tree)
    return types(tree, context)


class Router:
    """One statement on its way: parsed once, then said in the words of the engine that runs it."""

    def __init__(
        self,
        sql: str,
        tokens: list[Token],
        catalog: Catalog,
        settings: Mapping[str, Any],
        protected: Protected,
    ) -> None:
        self.sql = sql
        self.tokens = tokens
        self.catalog = catalog
        self.dialect = str(settings.get("dialect", "duckdb"))
        self.wanted = self.asked = str(settings.get("route", "auto"))
        self.protected = protected
        self.numbering = Numbering(sql, tokens)
        self.own = True
        self.within_writes = False  # functions that write stand among values
        self.tree: exp.Expr | None = None  # of the whole statement
        self.columnar = bool(settings.get(COLUMNAR))  # CREATE TABLE makes one of columns
        self.unsaid = ["it has what only SQLite says"]  # why DuckDB could not say the last read

    def plan(self) -> Lite | Duck | Calls | Call | Fill | Define | ColumnsWrite | Merge:
        """The plan of the whole statement."""
        words = [t.upper for t in self.tokens]
        if words in (["DESCRIBE"], ["SHOW", "ALL", "TABLES"]):
            return all_tables(self)
        if words[0] in ("SHOW", "DESCRIBE", "DESC") and len(words) == 2:
            return described_table(self, self.tokens[1].name)
        names = own_names(self.catalog.definitions)
        tree, own = parse(self.sql, self.tokens, self.numbering, self.dialect, names)
        self.own = own and self.dialect == "duckdb"
        self.tree = tree
        return self.of(tree)

    def of(
        self, tree: exp.Expr
    ) -> Lite | Duck | Calls | Call | Fill | Define | ColumnsWrite | Merge:
        """The plan of a tree, whole or a part of the statement."""
        if isinstance(tree, exp.Describe | exp.Summarize | exp.Show):
            return describing(self, tree)
        if isinstance(tree, exp.Copy):
            return copy_to(self, tree)
        context = self.context()
        whole = tree is self.tree
        for common in COMMON:
            tree = common(tree, context)
        if whole:
            self.tree = tree
        found: Calls | Call | None = write_calls(self, tree, context)
        if found is not None:
            return found
        if self.within_writes:
            self.wanted = "sqlite"  # whose writer they are run by
        if isinstance(tree, _READS):
            read = self.read(tree, context)
            if self.within_writes and isinstance(read, Lite):
                read = read._replace(writes=True)
            return read
        return written(self, tree, context)

    def context(self) -> Context:
        """What the passes know at their start."""
        return Context(self.catalog, self.dialect, self.sql, self.tokens)

    def read(self, tree: exp.Expr, context: Context) -> Lite | Duck:
        """A read: what analyses columns goes to DuckDB, what SQLite says alike to SQLite."""
        sources = Sources(tree, context, self.protected)
        context.names.read(tree)
        sources.check_columns()
        not_duckdb = sources.not_duckdb + _sqlite_only(tree)
        kept = bool(materialized.split(sources.tables, self.catalog, self.protected)[1])
        plain, said, read = (tree, context, sources) if not kept else self.expanded(tree, context)
        not_sqlite = read.not_sqlite
        if self.dialect != "sqlite" and not not_sqlite:
            not_sqlite = only_duckdb(plain, said)
            if not not_sqlite:
                not_sqlite = alike.doubts(plain, said, bool(not_duckdb))
        if not_sqlite and not_duckdb:
            raise self.impossible(not_sqlite, not_duckdb)
        # Our table functions answer from indexes of their own: no columns are scanned.
        analytic = (
            bool(sources.tables) and not sources.calls and self.dialect != "sqlite"
            and tree.find(*alike.AGGREGATES) is not None
        ) or kept  # fmt: skip
        lite = None
        if not not_sqlite:
            lite, not_sqlite = self.lite(plain, said, read)
        if self.wanted == "sqlite" or not_duckdb:
            if lite is None:
                raise self.impossible(not_sqlite, not_duckdb)
            if self.wanted == "duckdb" and (sources.tables or sources.files):
                raise NotSupportedError(
                    f"this cannot run on DuckDB: {not_duckdb[0]}", hint="SET route = 'auto'"
                )
            return lite._replace(why=not_duckdb[0] if not_duckdb else "SET route = 'sqlite'")
        if lite is not None and not analytic and self.wanted != "duckdb":
            if lite.exact:  # planned when a row needs it, which is rare
                whole = tree is self.tree
                exact = self.text() if whole else self.duck(tree, context, sources, None)
                lite = lite._replace(exact=exact)
            return lite
        across = None
        if sources.attached and not not_duckdb and self.wanted != "duckdb":
            across = self.across(tree, context, sources)
        duck = self.duck(tree, context, sources, lite, across)
        if duck is None:
            if lite is None:
                raise self.impossible(not_sqlite, self.unsaid)
            return lite
        if self.wanted == "duckdb":
            return duck._replace(why="SET route = 'duckdb'")
        if kept:
            return duck._replace(why="it reads a materialised view")
        why = "it analyses columns" if analytic else not_sqlite[0] if not_sqlite else ""
        return duck._replace(why=why)

    def impossible(self, not_sqlite: list[str], not_duckdb: list[str]) -> NotSupportedError:
        """The error where no engine that may run it can say it."""
        reasons = [f"not on SQLite: {not_sqlite[0]}"] if not_sqlite else []
        reasons += [f"not on DuckDB: {not_duckdb[0]}"] if not_duckdb else []
        what = "no engine here can run this statement"
        if self.wanted == "sqlite" and not not_duckdb:
            what = "this statement cannot run on SQLite"
        return NotSupportedError(
            what, detail="; ".join(reasons) or None,
            hint="SET route = 'auto'" if self.wanted != "auto" and not not_duckdb else None,
            sql=self.sql, position=self.tokens[0].start,
        )  # fmt: skip

    def lite(
        self, tree: exp.Expr, context: Context, sources: Sources
    ) -> tuple[Lite | None, list[str]]:
        """The statement as SQLite's, or None with the reasons why it cannot be said."""
        kinds = types(tree, context)
        mine, said = self.passed(tree, context, "sqlite")
        if mine.doubts and self.dialect != "sqlite":
            return None, mine.doubts
        if self.dialect == "sqlite" and not mine.changed and tree.parent is None:
            text, slots = self.verbatim("?")
        else:
            text, slots = say(said, "sqlite", self.numbering)
        return Lite(
            text, slots, functions=bool(mine.functions), tables=tuple(sources.tables),
            types=kinds, why="SQLite says it exactly alike", exact=mine.checked or None,
            native=self.dialect == "sqlite",
        ), []  # fmt: skip

    def duck(
        self,
        tree: exp.Expr,
        context: Context,
        sources: Sources,
        lite: Lite | None,
        across: Lite | None = None,
    ) -> Duck | None:
        """The statement as DuckDB's; the user's own text where no pass had anything to change."""
        feeds: tuple[Feed, ...] = ()
        natives: tuple[str, ...] = ()
        searched: tuple[str, ...] | None = None
        fed = bool(sources.attached) or (lite is None and self.wanted == "auto" and (
            any(map(self.catalog.is_large, sources.tables))
        ))  # fmt: skip
        if fed:
            from sqlagent.plan.feeds import split

            tree, feeds, natives, searched = split(self, tree)
        mine, said = self.passed(tree, context, "duckdb")
        if mine.doubts:
            self.unsaid = mine.doubts
            return None
        mine.changed = mine.changed or fed
        tables = list(sources.tables)
        if mine.changed:
            # A view has become its SELECT: the tables are those that it reads.
            tables = [
                t for t in dict.fromkeys(
                    n.name.lower() for n in said.find_all(exp.Table) if n.db in ("", "main")
                )
                if t not in sources.ctes
                and (found := self.catalog.table(t)) is not None
                and found.kind not in ("view", "feed")
            ]  # fmt: skip
        whole = tree.parent is None and not isinstance(tree, exp.Subquery)
        if mine.changed or not self.own or not whole:
            text, slots = say(said, "duckdb", self.numbering)
        else:
            text, slots = self.verbatim()
        read, views = materialized.split(tables, self.catalog, self.protected)
        return Duck(
            text, slots, read, self.files(sources), bool(mine.functions), lite,
            feeds=feeds, natives=natives, across=across if searched is not None else None,
            searched=searched or (), views=views,
        )  # fmt: skip

    def across(self, tree: exp.Expr, context: Context, sources: Sources) -> Lite | None:
        """The statement as SQLite runs it over several of its files; None where it is not alike."""
        kinds = {s.kind for a in sources.attached if (s := self.catalog.attached(a)) is not None}
        if kinds - {"sqlite", "agent"} or len(sources.attached) < len(sources.not_sqlite):
            return None
        if any(node.name.endswith(")") for node in tree.find_all(exp.Table)):
            return None  # a call on another agent's file, under the name of a table
        if self.dialect != "sqlite" and alike.doubts(tree, context, False):
            return None
        said = tree.copy()
        for node in said.find_all(exp.Table, exp.Column):
            # SQLite knows no schemas in a database.
            if node.args.get("catalog") is not None:
                node.set("db", node.args["catalog"])
                node.set("catalog", None)
        found = self.lite(said, context, sources)[0]
        return None if found is None or found.exact else found

    def expanded(self, tree: exp.Expr, context: Context) -> tuple[exp.Expr, Context, Sources]:
        """The statement as SQLite would read it: each materialised view is its SELECT."""
        plain = materialized.expanded(tree, self.catalog)
        said = self.context()
        said.functions, said.changed = set(context.functions), True
        for common in COMMON:
            plain = common(plain, said)
        read = Sources(plain, said, self.protected)
        read.not_sqlite += materialized.foreign(tree, self.catalog, self.dialect)
        said.names.read(plain)
        return plain, said, read

    def files(self, sources: Sources) -> tuple[str | int, ...]:
        """The files, with the user's slot for each parameter among them."""
        slots = self.numbering.slots
        return tuple(slots[f - 1] if isinstance(f, int) else f for f in sources.files)

    def text(self) -> str:
        """The user's text, without what stands around it."""
        first, last = self.tokens[0], self.tokens[-1]
        return self.sql[first.start : last.start + len(last.text)]

    def verbatim(self, mark: str = "$") -> tuple[str, tuple[int | str, ...] | None]:
        """The user's text with numbered parameters."""
        first, last = self.tokens[0], self.tokens[-1]
        edits = same_text(self.sql, self.tokens, self.numbering, mark)
        text = edited(self.sql[: last.start + len(last.text)], edits)
        return text[first.start :], tuple(self.numbering.slots)

    def passed(
        self, tree: exp.Expr, context: Context, engine: str, writes: bool = False
    ) -> tuple[Context, exp.Expr]:
        """A copy of `tree` through the passes of one engine, and what they found."""
        mine = self.context()
        mine.writes = writes
        mine.engine = engine
        mine.changed = context.changed
        if len(context.names.trees) == 1 and context.names.trees[0] is tree:
            mine.names = context.names
        else:
            mine.names.read(tree)
        said = tree.copy()
        for step in TO_SQLITE if engine == "sqlite" else TO_DUCKDB:
            said = step(said, mine)
        known = functions()
        mine.functions = {
            n.name for n in said.find_all(exp.Anonymous) if n.name.lower() in known
        }  # fmt: skip
        return mine, said


def _sqlite_only(tree: exp.Expr) -> list[str]:
    """Why DuckDB cannot say it: calls and MATCH that only SQLite has."""
    found = [
        f"{n.name.removeprefix('sq_')}() is SQLite's" for n in tree.find_all(exp.Anonymous)
        if n.name.lower() in alike.SQLITE_CALLS or takes_json(n)
    ]  # fmt: skip
    return found + ["MATCH is SQLite's full text"] * (tree.find(exp.Match) is not None)
