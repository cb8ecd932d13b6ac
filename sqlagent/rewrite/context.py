"""What a pass knows: the catalog, the target engine, and where every name comes from."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.catalog import Catalog, Column, Table
from sqlagent.parse.lexer import Token
from sqlagent.parse.words import names

# Their time columns are kept in one canonical form by the schema, so an index on one can be used.
OURS = names(
    "agents sessions states state_versions memories memory_strength documents chunks "
    "vectors collections entities relations relation_sources sqlagent_functions sqlagent_settings "
    "sqlagent_migrations sqlagent_change_log sqlagent_change_entries sqlagent_sync "
    "sqlagent_query_log "
    "sqlagent_import_rejects sqlagent_definitions sqlagent_parts sqlagent_operations "
    "sqlagent_operation_rows sqlagent_claims memory_sources memory_links memory_policies "
    "memory_guards memory_fingerprints sqlagent_erasures recall_feedback recall_weights "
    "sqlagent_state_versions sqlagent_state_parts sqlagent_state_blocks sqlagent_state_links "
    "sqlagent_state_shares document_versions chunk_versions sqlagent_vector_indexes "
    "current_facts chunk_texts "
    "sqlagent_users sqlagent_grants "
    "langgraph_checkpoints langgraph_values langgraph_writes langgraph_states "
    "langgraph_state_versions langgraph_items langgraph_item_vectors session_items "
    "sqlagent_comments sqlagent_graphs sqlagent_sequences sqlagent_sequence_columns"
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
        self.checked = False  # SQLite stops at a row that it cannot say as DuckDB does
        self.functions: set[str] = set()
        self.doubts: list[str] = []
        self.expanded: set[str] = set()  # what the user defined, by lower-case name
        self.names = Names(catalog, self)

    def position(self, name: str) -> int | None:
        """Where a name stands in the statement, for the caret; None where it is not found."""
        lowered = name.lower()
        return next((t.start for t in self.tokens if t.name.lower() == lowered), None)


class Names:
    """Which table each column comes from, as far as the names alone can say."""

    def __init__(self, catalog: Catalog, context: Context) -> None:
        self.catalog = catalog
        self.context = context
        # Under a node stands a derived table or CTE whose columns nobody has asked for yet.
        self.by_alias: dict[str, list[tuple[Column, ...] | exp.Expr | None]] = {}
        self.ours: dict[str, bool] = {}
        self.hidden: set[str] = set()
        self.keys: dict[str, str | None] = {}
        self.trees: list[exp.Expr] = []  # that were read
        self._found: dict[tuple[str, str], Column | None] = {}  # what `column` has said
        self._deriving = 0

    def read(self, tree: exp.Expr) -> None:
        """Gather the sources of `tree`, and the names that an inner SELECT gives to its columns."""
        from sqlagent.functions import functions

        self.trees.append(tree)
        self._found.clear()
        ctes = {c.alias_or_name.lower(): c for c in tree.find_all(exp.CTE)}
        for node in tree.find_all(exp.Table, exp.Subquery, exp.Values):
            alias = node.alias_or_name.lower()
            if not isinstance(node, exp.Table):
                if alias or isinstance(node.parent, (exp.From, exp.Join)):
                    self._add(alias, node)
                continue
            cte = ctes.get(node.name.lower()) if isinstance(node.this, exp.Identifier) else None
            if cte is not None and not node.db:
                self._add(alias, cte)
                continue
            table = self._table(node)
            if table is not None:
                key = (table.key or "").lower()
                self._add(alias, tuple(
                    c._replace(not_null=True) if c.name.lower() == key else c for c in table.columns
                ))  # fmt: skip
                attached = self.catalog.attached(node.catalog or node.db) is not None
                self.ours[alias] = table.name.lower() in OURS and not attached
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
            # A derived table's names are known by its columns.
            whole: exp.Expr = select
            while isinstance(whole.parent, exp.SetOperation):
                whole = whole.parent
            derived = isinstance(whole.parent, exp.CTE) or (
                isinstance(whole.parent, exp.Subquery)
                and isinstance(whole.parent.parent, (exp.From, exp.Join))
            )
            if whole is not tree and not derived:
                self.hidden |= {
                    p.alias.lower() for p in select.expressions if isinstance(p, exp.Alias)
                }

    def _table(self, node: exp.Table) -> Table | None:
        """The table of the catalog that a source names."""
        if not isinstance(node.this, exp.Identifier):
            return None
        return self.catalog.find(node.name, node.db, node.catalog)

    def _add(self, alias: str, columns: tuple[Column, ...] | exp.Expr | None) -> None:
        """Remember the columns of a source; None where they are not known."""
        self.by_alias.setdefault(alias, []).append(columns)

    def source(self, alias: str) -> tuple[Column, ...] | None:
        """The columns of the one source of that alias; None where they are not known."""
        found = self.columns(alias)
        return found[0] if len(found) == 1 else None

    def columns(self, alias: str) -> list[tuple[Column, ...] | None]:
        """The columns of the sources of an alias; a derived table's are found on first use."""
        sources = self.by_alias.get(alias, [])
        for place, source in enumerate(sources):
            if isinstance(source, exp.Expr):
                sources[place] = None  # a recursive CTE asks for its own
                self._deriving += 1
                sources[place] = self._derived(source)
                self._deriving -= 1
        return [s for s in sources if not isinstance(s, exp.Expr)]

    def _derived(self, node: exp.Expr) -> tuple[Column, ...] | None:
        """The columns of a derived table or CTE."""
        from sqlagent.rewrite.infer import outputs

        inner = node if isinstance(node, exp.Values) else node.this
        found = outputs(inner, self.context)
        if found is None:
            return None
        alias = node.args.get("alias")
        given = [c.name for c in alias.columns] if isinstance(alias, exp.TableAlias) else []
        names = given + [name for name, _ in found[len(given) :]]
        return tuple(Column(n, k) for n, (_, k) in zip(names, found, strict=False))

    def column(self, node: exp.Column) -> Column | None:
        """The column that `node` names; None where it is not known, or not the same everywhere."""
        name, table = node.name.lower(), node.table.lower()
        if not table and name in self.hidden:
            return None
        key = (table, name)
        if key in self._found:
            return self._found[key]
        found = self._column(table, name)
        if not self._deriving:  # what is half known is not kept
            self._found[key] = found
        return found

    def _column(self, table: str, name: str) -> Column | None:
        """The column of that lower-case name in the source `table`, or in any where that is ''."""
        sources = (
            self.columns(table)
            if table
            else [s for alias in self.by_alias for s in self.columns(alias)]
        )
        found = [c for columns in sources if columns for c in columns if c.name.lower() == name]
        if table and None in sources:
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
