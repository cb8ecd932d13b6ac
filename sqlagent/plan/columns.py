"""Tables that are kept as columns: CREATE, DROP, ALTER and TRUNCATE of them, and writes into them.

The rows are Parquet parts in the file (`sqlagent_parts`); see `sqlagent.sync.parts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.layout import Field, Layout, from_tree, layout, type_of
from sqlagent.parse.lexer import quote, quote_name
from sqlagent.plan.names import ALL, NEW, PART, SETS
from sqlagent.plan.plans import ColumnsWrite, Define, Lite, Slots
from sqlagent.plan.say import say
from sqlagent.plan.sources import Sources
from sqlagent.rewrite.context import Context

if TYPE_CHECKING:
    from sqlagent.plan.route import Router

_VOLATILE = (exp.Rand, exp.Uuid)


def created_columns(
    router: Router, tree: exp.Create, context: Context
) -> Define | ColumnsWrite | Lite:
    """CREATE [OR REPLACE] TABLE … USING columns [AS SELECT …]."""
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    name, replace = target.name, bool(tree.args.get("replace"))
    there = router.catalog.tables.get(name.lower())
    start = router.tokens[0].start
    if there is not None:
        if tree.args.get("exists"):
            return Lite("SELECT 1 WHERE false", why=f'the table "{name}" exists')
        if not replace or there.kind not in ("columns", "table"):
            kind = "view" if there.kind in ("view", "query", "materialized") else "table"
            raise ProgrammingError(
                f'the {kind} "{name}" exists', sql=router.sql, position=context.position(name),
                sqlstate="42P07",
            )  # fmt: skip
    if tree.find(exp.TemporaryProperty) is not None:
        raise NotSupportedError(
            "a temporary table is not kept as columns", sql=router.sql, position=start
        )
    query = tree.expression
    if query is not None:
        columns = (
            tuple(c.name for c in tree.this.expressions)
            if isinstance(tree.this, exp.Schema)
            else ()
        )
        return _filled(router, query, context, ColumnsWrite(
            name, "create", "", replace=there is not None, columns=columns
        ))  # fmt: skip
    made = from_tree(tree, router.sql)
    return Define(
        (made.definition,), *dropped(name, there.kind if there is not None else None),
        why="its rows are kept in the file as parts of columns",
    )  # fmt: skip


def dropped(
    name: str, kind: str | None
) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...]]:
    """What is forgotten and run to be rid of a table of either kind."""
    if kind is None:
        return (), ()
    if kind != "columns":
        return (), (f"DROP TABLE {quote_name(name)}",)
    return ((name, ("columns",)),), (f"DELETE FROM sqlagent_parts WHERE name = {quote(name)}",)


def _filled(router: Router, query: exp.Expr, context: Context, write: ColumnsWrite) -> ColumnsWrite:
    """CREATE … AS: the SELECT on DuckDB."""
    inner = router.context()
    inner.changed = True
    inner.functions = set(context.functions)
    sources = Sources(query, inner, router.protected)
    inner.names.read(query)
    if sources.not_duckdb:
        raise router.impossible(["it fills columns"], sources.not_duckdb)
    sources.check_columns()
    duck = router.duck(query.copy(), inner, sources, None)
    if duck is None:
        raise router.impossible(["it fills columns"], router.unsaid)
    return write._replace(
        sql=duck.sql, parameters=duck.parameters, tables=duck.tables, files=duck.files,
        functions=duck.functions,
    )  # fmt: skip


def written_columns(router: Router, tree: exp.Expr, context: Context) -> ColumnsWrite:
    """INSERT, UPDATE and DELETE of a table that is kept as columns."""
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    table = router.catalog.tables[target.name.lower()]
    if isinstance(tree, exp.Insert) and (
        tree.args.get("conflict") is not None or tree.args.get("alternative")
        or tree.args.get("overwrite") or tree.args.get("ignore")
    ):  # fmt: skip
        raise NotSupportedError(
            f'"{table.name}" is kept as columns: ON CONFLICT and OR REPLACE are for tables of rows',
            sql=router.sql, position=router.tokens[0].start,
        )  # fmt: skip
    sources = Sources(tree, context, router.protected)
    context.names.read(tree)
    if sources.not_duckdb:
        raise router.impossible(["it writes columns"], sources.not_duckdb)
    context.changed = True
    mine, said = router.passed(tree, context, "duckdb", writes=True)
    if mine.doubts:
        raise router.impossible(["it writes columns"], mine.doubts)
    alias = target.alias or target.name
    where = _where(router, said, alias)
    sets = _sets(said, router)
    _renamed(said, alias)
    reads = tuple(
        t for t in dict.fromkeys(
            n.name.lower() for n in said.find_all(exp.Table)
            if n.db.lower() != "temp" and n.name.lower() not in sources.ctes
        )
        if (found := router.catalog.table(t)) is not None and found.kind != "view"
    )  # fmt: skip
    text, slots = say(said, "duckdb", router.numbering)
    return ColumnsWrite(
        table.name, tree.key, text, slots, reads, router.files(sources), bool(mine.functions),
        where, sets,
    )  # fmt: skip


def _renamed(tree: exp.Expr, alias: str) -> None:
    """Let a write go into NEW, under the name that the statement uses for its table."""
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    target.set("this", exp.to_identifier(NEW, quoted=True))
    target.set("db", exp.to_identifier("temp"))
    if isinstance(tree, exp.Insert):
        target.set("alias", None)
    else:
        target.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _where(router: Router, said: exp.Expr, alias: str) -> tuple[str, Slots] | None:
    """The SELECT of the parts with rows that an UPDATE or DELETE means; None where all may."""
    where = said.args.get("where")
    joined = said.args.get("from_") or said.args.get("using") or said.args.get("with_")
    if isinstance(said, exp.Insert) or where is None or joined:
        return None
    if where.find(*_VOLATILE) is not None:
        return None
    source = exp.Table(
        this=exp.to_identifier(ALL, quoted=True), db=exp.to_identifier("temp"),
        alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
    )  # fmt: skip
    part = exp.column(PART, table=alias, quoted=True)
    query = exp.select(part).distinct().from_(source)
    query.set("where", where.copy())
    return say(query, "duckdb", router.numbering)


def _sets(said: exp.Expr, router: Router) -> str | None:
    """An INSERT of one row of VALUES as one of all sets of parameters; None for any other."""
    values = said.args.get("expression")
    if (
        not isinstance(said, exp.Insert) or not isinstance(values, exp.Values)
        or len(values.expressions) != 1 or said.args.get("returning") is not None
        or not isinstance(values.expressions[0], exp.Tuple)
    ):  # fmt: skip
        return None
    copy = said.copy()
    row = copy.args["expression"].expressions[0]
    if row.find(exp.Query, exp.Column) is not None:  # DEFAULT is read as a column
        return None
    query = exp.select(*(e.copy() for e in row.expressions)).from_(
        exp.Table(this=exp.to_identifier(SETS, quoted=True))
    )
    for node in list(query.find_all(exp.Placeholder)):
        node.replace(exp.column(node.name, quoted=True))
    copy.set("expression", query)
    _renamed(copy, "")
    return copy.sql("duckdb", normalize_functions=False)


def altered(router: Router, tree: exp.Alter) -> Define:
    """ALTER TABLE of a table that is kept as columns: what needs no part to be written anew."""
    name = tree.this.name
    old = layout(
        next(d.sql for d in router.catalog.definitions[name.lower()] if d.kind == "columns")
    )
    run: list[str] = []
    made = old
    for action in tree.args.get("actions") or []:
        if isinstance(action, exp.ColumnDef):
            made = _added(router, made, action)
        elif isinstance(action, exp.RenameColumn):
            made = _renamed_column(router, made, action.this.name, action.args["to"].name)
        elif isinstance(action, exp.AlterRename):
            new = action.this.name
            if router.catalog.table(new) is not None:
                raise ProgrammingError(
                    f'the table "{new}" exists', sql=router.sql, position=0, sqlstate="42P07"
                )
            made = made._replace(name=new)
            run.append(
                f"UPDATE sqlagent_parts SET name = {quote(new)} WHERE name = {quote(old.name)}"
            )
        else:
            raise NotSupportedError(
                f'"{old.name}" is kept as columns: ALTER adds or renames a column, or renames it',
                hint=f"CREATE OR REPLACE TABLE {name} USING columns AS SELECT … FROM {name}",
                sql=router.sql, position=router.tokens[0].start,
            )  # fmt: skip
    return Define((made.definition,), ((old.name, ("columns",)),), tuple(run))


def _added(router: Router, old: Layout, action: exp.ColumnDef) -> Layout:
    """A new last column: rows that were there have its default, which is a constant."""
    tree = exp.Create(
        this=exp.Schema(this=exp.to_table(old.name), expressions=[action.copy()]), kind="TABLE"
    )
    more = from_tree(tree, router.sql)
    field = more.fields[0]
    if any(f.name.lower() == field.name.lower() for f in old.fields):
        raise ProgrammingError(
            f'the column "{field.name}" exists', sql=router.sql, position=0, sqlstate="42701"
        )
    default = field.default
    constant = default is None or next(
        (False for n in _tree(default).walk()
         if isinstance(n, (exp.Func, exp.Query)) and not isinstance(n, exp.Cast)), True,
    )  # fmt: skip
    if not constant or more.checks or more.keys or (field.not_null and default in (None, "NULL")):
        raise NotSupportedError(
            "a column that is added has a constant DEFAULT, and no key or CHECK",
            detail="NOT NULL needs a DEFAULT for the rows that are there",
            sql=router.sql, position=router.tokens[0].start,
        )  # fmt: skip
    return old._replace(fields=(*old.fields, field))


def _tree(text: str) -> exp.Expr:
    """An expression of DuckDB's."""
    found: exp.Expr = exp.maybe_parse(text, dialect="duckdb")
    return found


def _renamed_column(router: Router, old: Layout, name: str, new: str) -> Layout:
    """A column under another name, in checks and keys too."""
    lowered = name.lower()
    if all(f.name.lower() != lowered for f in old.fields):
        raise ProgrammingError(
            f'unknown column "{name}"', sql=router.sql, position=0, sqlstate="42703"
        )
    if any(f.name.lower() == new.lower() for f in old.fields):
        raise ProgrammingError(
            f'the column "{new}" exists', sql=router.sql, position=0, sqlstate="42701"
        )
    fields = tuple(f._replace(name=new) if f.name.lower() == lowered else f for f in old.fields)
    checks = []
    for check in old.checks:
        tree = _tree(check)
        for column in tree.find_all(exp.Column):
            if column.name.lower() == lowered:
                column.set("this", exp.to_identifier(new, quoted=True))
        checks.append(tree.sql("duckdb"))
    keys = tuple(tuple(new if n.lower() == lowered else n for n in key) for key in old.keys)
    return old._replace(fields=fields, checks=tuple(checks), keys=keys)


__all__ = ["Field", "altered", "created_columns", "dropped", "type_of", "written_columns"]
