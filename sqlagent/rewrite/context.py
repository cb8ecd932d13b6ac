"""What a pass knows: the catalog, the target engine, and where every name comes from."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.catalog import Catalog, Column, Table
from sqlagent.parse.lexer import Token
from sqlagent.parse.words import names

# Their time columns are kept in one canonical form by the schema, so an index on one can be used.
OURS = names(
    "agents sessions states state_versions memories memory_strength documents chunks "
    "vectors collections entities relations sqlagent_functions sqlagent_settings "
    "sqlagent_migrations sqlagent_change_log sqlagent_sync sqlagent_query_log "
    "sqlagent_import_rejects sqlagent_definitions sqlagent_parts"
)


class Context:
    """Shared by the passes over one statement; `changed` says that the text no longer stands."""

    def __init__(self, catalog: Catalog, dialect: str, sql: str, tokens: list[Token]) -> None:
        self.catalog = catalog
        self.dialect = dialect
        self.sql = sql
        self.tokens = tokens
        self.engine = ""
        self.changed = False
        self.writes = False
        self.forced = False  # the user chose SQLite: it may refuse a row where DuckDB would not
        self.functions: set[str] = set()
        self.doubts: list[str] = []
        self.expanded: set[str] = set()  # what the user defined, by lower-case name
        self.names = Names(catalog)

    def position(self, name: str) -> int | None:
        """Where a name stands in the statement, for the caret; None where it is not found."""
        lowered = name.lower()
        return next((t.start for t in self.tokens if t.name.lower() == lowered), None)


class Names:
    """Which table each column comes from, as far as the names alone can say."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.by_alias: dict[str, list[tuple[Column, ...] | None]] = {}
        self.ours: dict[str, bool] = {}
        self.hidden: set[str] = set()
        self.keys: dict[str, str | None] = {}

    def read(self, tree: exp.Expr) -> None:
        """Gather the sources of `tree`, and the names that an inner SELECT gives to its columns."""
        from sqlagent.functions import functions

        ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
        for node in tree.find_all(exp.Table, exp.Subquery, exp.CTE, exp.Values):
            alias = node.alias_or_name.lower()
            if not isinstance(node, exp.Table):
                self._add(alias, None)
                continue
            table = None if node.name.lower() in ctes else self._table(node)
            if table is not None:
                key = (table.key or "").lower()
                self._add(alias, tuple(
                    c._replace(not_null=True) if c.name.lower() == key else c for c in table.columns
                ))  # fmt: skip
                self.ours[alias] = table.name.lower() in OURS
                self.keys[alias] = table.key
            elif isinstance(node.this, exp.Anonymous):
                function = functions().get(node.this.name.lower())
                columns = function.columns if function is not None else None
                self.ours[alias] = True
                self._add(
                    alias or node.this.name.lower(),
                    None if columns is None else tuple(Column(n, t) for n, t in columns),
                )
            else:
                self._add(alias, None)
        for select in tree.find_all(exp.Select):
            if select is not tree:
                self.hidden |= {
                    p.alias.lower() for p in select.expressions if isinstance(p, exp.Alias)
                }

    def _table(self, node: exp.Table) -> Table | None:
        """The table of the catalog that a source names."""
        return self.catalog.table(node.name) if isinstance(node.this, exp.Identifier) else None

    def _add(self, alias: str, columns: tuple[Column, ...] | None) -> None:
        """Remember the columns of a source; None where they are not known."""
        self.by_alias.setdefault(alias, []).append(columns)

    def column(self, node: exp.Column) -> Column | None:
        """The column that `node` names; None where it is not known, or not the same everywhere."""
        name, table = node.name.lower(), node.table.lower()
        if not table and name in self.hidden:
            return None
        sources = (
            self.by_alias.get(table, [])
            if table
            else [s for found in self.by_alias.values() for s in found]
        )
        found = [c for columns in sources if columns for c in columns if c.name.lower() == name]
        if table and (None in sources or not found):
            return None
        if not found or any(c.type != found[0].type for c in found):
            return None
        return found[0]._replace(not_null=all(c.not_null for c in found))

    def rowid(self, node: exp.Column) -> str | None:
        """Of `rowid`, the column that is another name of it; None for one that stands alone."""
        if node.table:
            return self.keys.get(node.table.lower())
        found = set(self.keys.values())
        return found.pop() if len(found) == 1 else None

    def canonical(self, node: exp.Column) -> bool:
        """Whether the column's times are known to be kept in the canonical form."""
        if node.table:
            return self.ours.get(node.table.lower(), False)
        return all(self.ours.values()) and bool(self.ours)
