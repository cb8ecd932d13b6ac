"""The in-process DuckDB never opens the live SQLite file, whatever is typed.

DuckDB holds a SQLite library of its own: two of them on one file in one process lose committed
rows, and even reading the file's bytes drops its locks. So every string that may be a path is
resolved before DuckDB sees the statement; what cannot be resolved is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from sqlagent.errors import NotSupportedError
from sqlagent.parse.lexer import unquote
from sqlagent.parse.words import names
from sqlagent.rewrite.context import Context

# Table functions of DuckDB that take no path, however they are called.
_NO_PATHS = names(
    "range generate_series generateseries sq_range sq_generate_series unnest explode "
    "repeat repeat_row json_each json_tree values test_all_types duckdb_columns "
    "duckdb_constraints duckdb_databases duckdb_functions duckdb_indexes duckdb_keywords "
    "duckdb_memory duckdb_optimizers duckdb_schemas duckdb_settings duckdb_tables "
    "duckdb_types duckdb_views duckdb_extensions icu_calendar_names pg_timezone_names "
    "histogram histogram_values summary"
)
# They run a text as a statement, read any path or change settings: nothing here can check them.
_REFUSED = names(
    "query query_table sqlite_query sqlite_execute postgres_query postgres_scan "
    "mysql_query mysql_scan sqlite_attach postgres_attach load_aws_credentials "
    "which_secret pragma_version duckdb_secrets duckdb_logs parse_duckdb_log_message "
    "checkpoint force_checkpoint seq_scan duckdb_temporary_files duckdb_log_contexts "
    "arrow_scan arrow_scan_dumb pandas_scan python_map_function"
)
# Scalars that open a file or run a text.
_SCALARS = names("getvariable getenv read_text read_blob glob write_log")
_BEFORE_SOURCES = names(
    "FROM JOIN SUMMARIZE DESCRIBE DESC SHOW PIVOT UNPIVOT PIVOT_WIDER PIVOT_LONGER TABLE "
    "USING TO INTO"
)
_HINT = "query its tables by name"
_STATEMENTS = {
    "INSTALL": "extensions are loaded by the engine, not by statements",
    "LOAD": "extensions are loaded by the engine, not by statements",
    "FORCE": "extensions are loaded by the engine, not by statements",
    "UPDATE EXTENSIONS": "extensions are loaded by the engine, not by statements",
    "EXPORT": "EXPORT DATABASE is not here: COPY (SELECT …) TO a file writes one table",
    "IMPORT": "IMPORT DATABASE is not here: INSERT INTO t SELECT * FROM a file reads one",
    "USE": "a table of an attached database is named with it: shop.orders",
    "CHECKPOINT": "PRAGMA wal_checkpoint is SQLite's",
    "PREPARE": "statements are prepared by the connection",
    "EXECUTE": "statements are prepared by the connection",
    "DEALLOCATE": "statements are prepared by the connection",
    "COMMENT": "comments are not kept",
}


def refuse_statement(sql: str, word: str, position: int) -> None:
    """Raise NotSupportedError for a statement that no engine here may run."""
    reason = _STATEMENTS.get(word)
    if reason is not None:
        raise NotSupportedError(reason, sql=sql, position=position)


class Guard:
    """Checks every path of one statement; `files` are those that DuckDB may read.

    A path given as a parameter is in `files` as its slot, to be checked when it is bound.
    """

    def __init__(self, context: Context, protected: Callable[[str], str | None]) -> None:
        self.context = context
        self.protected = protected
        self.files: list[str | int] = []

    def table_function(self, node: exp.Table, name: str) -> None:
        """Check the call of a DuckDB table function; a scan of our own file becomes its table."""
        if name in _NO_PATHS:
            return
        call = node.this
        given = list(call.iter_expressions())
        if name in _REFUSED or name.startswith(("pragma_", "pg_")):
            raise self._refused(f"{name}() is not for statements", name)
        if name == "sqlite_scan":
            raise self._refused(
                "sqlite_scan() needs the path of a SQLite file and a table, as strings", name
            )
        for argument in given:
            self._argument(argument, name)

    def _argument(self, argument: exp.Expr, name: str) -> None:
        """Check one argument of a table function: each may hold a path."""
        if isinstance(argument, (exp.Kwarg, exp.PropertyEQ, exp.EQ)):
            # An option, such as delim = ';': a path only where it names the live file.
            text = folded(argument.expression)
            if text is not None:
                self.refuse(text)
            return
        if isinstance(argument, exp.Array):
            for element in argument.expressions:
                self._argument(element, name)
            return
        if isinstance(argument, exp.Placeholder):
            self.files.append(int(argument.name[1:]))
            return
        if isinstance(argument, (exp.Boolean, exp.Null)) or _is_number(argument):
            return
        text = folded(argument)
        if text is None and not _holds_text(argument):
            return
        if text is None:
            raise self._refused(
                f"{name}() needs a constant path", name,
                "a path that is computed cannot be checked; give it as a string or a parameter",
            )  # fmt: skip
        self.check(text)

    def check(self, path: str) -> None:
        """Keep a path that DuckDB may read; raises as `refuse` does."""
        self.refuse(path)
        if path not in self.files:
            self.files.append(path)

    def refuse(self, path: str) -> None:
        """Raise NotSupportedError where a path or glob would touch the live file."""
        live = self.protected(path)
        if live is not None:
            from os.path import basename

            at = self.context.sql.find(path)
            raise NotSupportedError(
                f'"{basename(live)}" is open here: DuckDB must not touch it too',
                detail="two SQLite libraries on one file in one process lose committed rows",
                hint=_HINT, sql=self.context.sql, position=at if at >= 0 else None,
            )  # fmt: skip

    def scalars(self, tree: exp.Expr) -> None:
        """Refuse scalar functions that open files or run text."""
        for node in tree.find_all(exp.Anonymous):
            name = node.name.lower()
            if name in _SCALARS | _REFUSED and not isinstance(node.parent, exp.Table):
                raise self._refused(f"{name}() is not for statements", name)

    def tokens(self) -> None:
        """Check every name that stands where a source may, should the tree have hidden one."""
        before = ""
        for token in self.context.tokens:
            if token.kind in ("string", "quoted") and before in _BEFORE_SOURCES:
                self.refuse(unquote(token) if token.kind == "string" else token.name)
            before = token.upper

    def _refused(self, message: str, name: str, detail: str | None = None) -> NotSupportedError:
        context = self.context
        return NotSupportedError(
            message, detail=detail, hint=_HINT, sql=context.sql, position=context.position(name)
        )


def folded(node: exp.Expr) -> str | None:
    """The text of a constant expression: a literal, a concatenation of them; None for any other."""
    if isinstance(node, exp.Literal):
        return node.name
    if isinstance(node, exp.Paren):
        return folded(node.this)
    if isinstance(node, (exp.DPipe, exp.Add)):
        parts = [folded(node.this), folded(node.expression)]
    elif isinstance(node, exp.Concat):
        parts = [folded(e) for e in node.expressions]
    elif isinstance(node, exp.Cast) and node.to.is_type("text", "varchar"):
        return folded(node.this)
    else:
        return None
    return "".join(p for p in parts if p is not None) if None not in parts else None


def _is_number(node: exp.Expr) -> bool:
    return (isinstance(node, exp.Literal) and not node.is_string) or isinstance(node, exp.Neg)


def _holds_text(node: exp.Expr) -> bool:
    """Whether an option such as `columns = {'a': 'INT'}` could be anything but an option."""
    return not isinstance(node, (exp.Struct, exp.ToMap))
