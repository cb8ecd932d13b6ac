"""Where a statement's rows come from, and which engine each of its sources leaves open."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp

from sqlagent.errors import ProgrammingError, nearest
from sqlagent.functions import functions
from sqlagent.parse.words import names
from sqlagent.plan.guard import Guard
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.spellings import ROWIDS

Protected = Callable[[str], str | None]
_SQLITE_TABLES = names(
    "sqlite_master sqlite_schema sqlite_temp_master sqlite_temp_schema sqlite_sequence "
    "sqlite_stat1 sqlite_stat4 sqlite_dbpage dbstat"
)
_FILE_ENDS = (".parquet", ".csv", ".json", ".ndjson", ".jsonl", ".tsv", ".gz", ".zst", ".txt")


class Sources:
    """`tables` of the file; `files` that DuckDB reads; aliases of `attached` databases that are
    named; why not SQLite, and why not DuckDB."""

    def __init__(self, tree: exp.Expr, context: Context, protected: Protected) -> None:
        self.tree = tree
        self.context = context
        self.tables: list[str] = []
        self.not_sqlite: list[str] = []
        self.not_duckdb: list[str] = []
        self.attached: list[str] = []
        self.calls = False
        self.guard = Guard(context, protected)
        self.ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
        self._targets = {
            id(t) for n in tree.find_all(exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Merge)
            for t in [n.this.this if isinstance(n.this, exp.Schema) else n.this]
        }  # fmt: skip
        for node in list(tree.find_all(exp.Table)):
            self._table(node)
        self.guard.tokens()
        self.guard.scalars(tree)

    @property
    def files(self) -> tuple[str | int, ...]:
        """The files that DuckDB is to read."""
        return tuple(self.guard.files)

    def _table(self, node: exp.Table) -> None:
        """Take in a named source: a table of the file, a file, or a name of an engine."""
        if not isinstance(node.this, exp.Identifier):
            self._call(node)
            return
        name = node.name
        lowered, schema = name.lower(), node.db.lower()
        if self.context.catalog.attached(node.catalog or schema) is not None:
            self._attached(node)
            return
        if not schema and lowered in self.ctes:
            return
        table = self.context.catalog.table(name) if schema in ("", "main", "public") else None
        if table is not None:
            if schema == "public":
                node.set("db", None)
                self.context.changed = True
            if lowered not in self.tables:
                self.tables.append(lowered)
            if table.kind == "columns":
                self.not_sqlite.append(f'"{name}" is kept as columns')
            if table.kind == "virtual":
                self.not_duckdb.append(f'"{name}" is a virtual table of SQLite')
        elif lowered in _SQLITE_TABLES or lowered.startswith("pragma_"):
            self.not_duckdb.append(f"{name} is SQLite's own")
        elif id(node) in self._targets and isinstance(self.tree, exp.Create):
            return
        elif schema in ("information_schema", "pg_catalog"):
            self.not_sqlite.append(f"{schema} is DuckDB's")
        elif not schema and node.this.quoted and _is_file(name):
            self.guard.check(name)
            self.not_sqlite.append(f"'{name}' is a file")
        else:
            callables = [f.name for f in functions().values() if f.kind == "table"]
            raise self._unknown(node, [*self.context.catalog.tables, *callables])

    def _attached(self, node: exp.Table) -> None:
        """Take in a table of an attached database."""
        alias = node.catalog or node.db
        source = self.context.catalog.attached(alias)
        table = self.context.catalog.find(node.name, node.db, node.catalog)
        if source is None or table is None:
            raise self._unknown(node, source.tables() if source is not None else ())
        if table.kind == "view" and source.native is not None:
            for path in source.paths(table.name):  # type: ignore[attr-defined]  # what is native has them
                self.guard.check(path)
        self.attached.append(alias.lower())
        self.not_sqlite.append(f"{alias} is an attached database")

    def _unknown(self, node: exp.Expr, known: Iterable[str]) -> ProgrammingError:
        """The error for a name that no table has."""
        context = self.context
        name = f"{node.db}.{node.name}" if isinstance(node, exp.Table) and node.db else node.name
        hint = nearest(node.name, known)
        if isinstance(node, exp.Table) and node.db and hint is None:
            hint = nearest(node.catalog or node.db, filter(None, context.catalog.sources))
        return ProgrammingError(
            f'unknown table "{name}"', hint=hint,
            sql=context.sql, position=context.position(node.name), sqlstate="42P01",
        )  # fmt: skip

    def _call(self, node: exp.Table) -> None:
        """Take in a table function: ours, or one of DuckDB that the guard lets pass."""
        call = node.this
        if not isinstance(call, exp.Func):
            given = isinstance(call, exp.Placeholder)
            raise ProgrammingError(
                "a parameter cannot stand for a table" if given else "no table can be made of this",
                hint="read_csv(?), read_parquet(?) and read_json(?) take a path as a parameter"
                if given else None,
                sql=self.context.sql, position=_source_place(self.context) if given else None,
            )  # fmt: skip
        name = call.name.lower() if isinstance(call, exp.Anonymous) else call.sql_name().lower()
        function = functions().get(name)
        if function is not None and function.kind == "table":
            self.calls = True
            if node.args.get("alias") and node.args["alias"].columns:
                self.not_sqlite.append("column aliases of a table function are DuckDB's")
            return
        if name in ("json_each", "json_tree") and self.context.dialect == "sqlite":
            return
        if name.startswith("pragma_"):
            self.not_duckdb.append(f"{name} is SQLite's own")
            return
        self.guard.table_function(node, name)
        if isinstance(node.this, exp.Identifier):
            self._table(node)  # a scan of our own file is its table
            return
        self.not_sqlite.append(f"{name.removeprefix('sq_')}() is DuckDB's")

    def check_columns(self) -> None:
        """Raise for a column that no source has, in a statement of one SELECT over known tables."""
        tree, names = self.tree, self.context.names
        if (
            len(list(tree.find_all(exp.Select))) > 1
            or isinstance(tree, exp.Pivot)
            or self.ctes
            or not (self.tables or self.calls)
        ):
            return
        found = [columns for alias in names.by_alias for columns in names.columns(alias)]
        if None in found:
            return
        known = {c.name.lower() for columns in found if columns for c in columns}
        known |= {a.alias.lower() for a in tree.find_all(exp.Alias)} | ROWIDS | set(names.by_alias)
        known |= {i.name.lower() for i in tree.find_all(exp.TableAlias)} | {"excluded"}
        if any(isinstance(n, exp.Lambda | exp.Comprehension | exp.Unnest) for n in tree.walk()):
            return
        for column in tree.find_all(exp.Column):
            name, source = column.name.lower(), column.table.lower()
            if isinstance(column.this, exp.Star) or column.args.get("db") or name == "*":
                continue
            if source and source not in names.by_alias:
                if source not in known:  # a struct's field has its column there
                    raise self._unknown(column.args["table"], names.by_alias)
            elif name not in known:
                raise ProgrammingError(
                    f'unknown column "{column.name}"', hint=nearest(name, known - ROWIDS),
                    sql=self.context.sql, position=self.context.position(column.name),
                    sqlstate="42703",
                )  # fmt: skip


def _source_place(context: Context) -> int | None:
    """Where a parameter stands as a source."""
    pairs = zip(context.tokens, context.tokens[1:], strict=False)
    found = (b.start for a, b in pairs if b.kind == "param" and a.upper in ("FROM", "JOIN"))
    return next(found, None)


def _is_file(name: str) -> bool:
    lowered = name.lower()
    return "/" in name or "\\" in name or "*" in name or lowered.endswith(_FILE_ENDS) or "." in name
