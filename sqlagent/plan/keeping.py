"""How the rows of a materialised view can be kept as what it reads changes.

'rows': each row of one table makes at most one of the view. 'groups': groups of one table's rows,
with aggregates that changes can be added to. 'whole': anything else, computed again.
(sqlglot is imported with this module.)
"""

from __future__ import annotations

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from sqlagent.catalog import Catalog, Table
from sqlagent.plan.plans import Aggregate, Materialized

CALLS: dict[type[exp.Expr], str] = {
    exp.Count: "count", exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max",
}  # fmt: skip
# Any of these in a SELECT, and its rows do not follow from one row of the table each.
WIDE = (
    exp.Window, exp.Subquery, exp.Lateral, exp.Unnest, exp.Explode, exp.SetOperation, exp.Pivot,
    exp.TableSample, exp.Join, exp.With, exp.Exists, exp.Placeholder,
)  # fmt: skip
PARTS = ("distinct", "limit", "offset", "qualify", "sample", "laterals", "pivots", "windows")


class _Whole(Exception):
    """Why a view has to be computed whole."""


def kept(view: Materialized, catalog: Catalog) -> Materialized:
    """The view with what keeps it incrementally, or with the reason why it is computed whole."""
    try:
        if view.views:
            raise _Whole("it reads another materialised view")
        return _Analysis(view, catalog).found()
    except (_Whole, SqlglotError) as error:
        reason = str(error) if isinstance(error, _Whole) else "it cannot be taken apart"
        return view._replace(how="whole", why=reason)


class _Analysis:
    """One SELECT over one table, taken apart."""

    def __init__(self, view: Materialized, catalog: Catalog) -> None:
        self.view = view
        tree = parse_one(view.sql, dialect="duckdb")
        if not isinstance(tree, exp.Select):
            raise _Whole("it is more than one SELECT")
        self.tree = tree
        self.table = self._table(catalog)
        self.names = {c.name.lower() for c in self.table.columns}
        self.arguments: list[str] = []
        self.aggregates: list[Aggregate] = []

    def _table(self, catalog: Catalog) -> Table:
        tree = self.tree
        part = next((p for p in PARTS if tree.args.get(p)), None)
        if part is not None:
            raise _Whole(f"it has {part.upper().rstrip('S')}")
        start = tree.args.get("from_")
        if tree.args.get("joins"):
            raise _Whole("it joins tables")
        node = start.this if start is not None else None
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            raise _Whole("it does not read a table by its name")
        if node.args.get("joins") or node.args.get("pivots") or node.args.get("sample"):
            raise _Whole("it joins tables")
        wide = next((n for n in tree.find_all(*WIDE)), None)
        if wide is not None:
            raise _Whole(f"it has a {type(wide).__name__.lower()}")
        if len(list(tree.find_all(exp.Select))) > 1:
            raise _Whole("it has a subquery")
        table = catalog.table(node.name)
        if table is None or table.kind != "table":
            raise _Whole(f'"{node.name}" is not a table of rows')
        alias = node.args.get("alias")
        if alias is not None and alias.columns:
            raise _Whole("it names the columns of its table anew")
        self.alias = node.alias_or_name
        return table

    def found(self) -> Materialized:
        tree = self.tree
        for column in tree.find_all(exp.Column):
            if column.table.lower() == self.alias.lower() or column.table.lower() == (
                self.table.name.lower()
            ):
                column.set("table", None)
        outputs = self._outputs()
        where = tree.args.get("where")
        condition = None if where is None else self._said(where.this)
        base = self.view._replace(table=self.table.name.lower(), where=condition)
        grouped = tree.args.get("group") is not None or tree.args.get("having") is not None
        if not grouped and not any(o.find(exp.AggFunc) for o in outputs):
            for output in outputs:
                self._rowwise(output)
            return base._replace(how="rows", outputs=tuple(map(self._said, outputs)))
        keys = self._keys(outputs)
        swapped = [self._swapped(o, keys) for o in outputs]
        having = tree.args.get("having")
        filtered = None
        if having is not None:
            filtered = self._said(self._swapped(self._aliased(having.this, outputs), keys))
        return base._replace(
            how="groups", keys=tuple(map(self._said, keys)), arguments=tuple(self.arguments),
            aggregates=tuple(self.aggregates), outputs=tuple(map(self._said, swapped)),
            having=filtered,
        )  # fmt: skip

    def _outputs(self) -> list[exp.Expr]:
        """What is selected, without aliases and with every star as its columns."""
        outputs: list[exp.Expr] = []
        self.aliases: dict[str, exp.Expr] = {}
        for output in self.tree.expressions:
            if isinstance(output, exp.Star) or (isinstance(output, exp.Column) and output.is_star):
                star = output if isinstance(output, exp.Star) else output.this
                if any(star.args.values()):
                    raise _Whole("it has EXCLUDE, REPLACE or RENAME")
                outputs += [exp.column(exp.to_identifier(c.name, quoted=True))
                            for c in self.table.columns]  # fmt: skip
                continue
            bare = output.this if isinstance(output, exp.Alias) else output
            if isinstance(bare, exp.Aliases):
                raise _Whole("it has several columns in one expression")
            if isinstance(output, exp.Alias):
                self.aliases[output.alias.lower()] = bare
            outputs.append(bare)
        for node in (n for o in outputs for n in o.find_all(exp.Star)):
            if not isinstance(node.parent, exp.Count):
                raise _Whole("it has a star inside of an expression")
        return outputs

    def _rowwise(self, output: exp.Expr) -> None:
        if output.find(exp.Anonymous) is not None:
            raise _Whole(f"it calls {output.find(exp.Anonymous).name}()")  # type: ignore[union-attr]  # one is there
        self._columns(output)

    def _columns(self, node: exp.Expr) -> None:
        """Refuse a column that is not the table's: an alias, a struct's field, a rowid."""
        for column in node.find_all(exp.Column):
            if column.table or column.name.lower() not in self.names:
                raise _Whole(f'"{column.sql()}" is not a column of its table')

    def _keys(self, outputs: list[exp.Expr]) -> list[exp.Expr]:
        """The expressions that it groups by: by position, by alias, or as they are."""
        group = self.tree.args.get("group")
        if group is None:
            return []
        if any(group.args.get(p) for p in ("grouping_sets", "cube", "rollup", "totals")):
            raise _Whole("it has GROUPING SETS")
        if group.args.get("all"):
            return [o for o in outputs if o.find(exp.AggFunc) is None]
        keys: list[exp.Expr] = []
        for key in group.expressions:
            if isinstance(key, exp.Literal) and not key.is_string:
                place = int(key.name) - 1 if key.name.isdigit() else -1
                if not 0 <= place < len(outputs):
                    raise _Whole("it groups by a number that is no column")
                key = outputs[place]
            elif isinstance(key, exp.Column) and key.name.lower() not in self.names:
                key = self.aliases.get(key.name.lower(), key)
            while isinstance(key, exp.Paren):
                key = key.this
            self._rowwise(key)
            if isinstance(key, exp.Tuple | exp.Cube | exp.Rollup | exp.GroupingSets):
                raise _Whole("it has GROUPING SETS")
            keys.append(key.copy())
        return keys

    def _aliased(self, condition: exp.Expr, outputs: list[exp.Expr]) -> exp.Expr:
        """HAVING, with the names that the SELECT gave in it as what they stand for."""

        def stand(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column) and not node.table:
                name = node.name.lower()
                if name not in self.names and name in self.aliases:
                    return exp.paren(self.aliases[name].copy())
            return node

        return condition.copy().transform(stand)

    def _swapped(self, output: exp.Expr, keys: list[exp.Expr]) -> exp.Expr:
        """An expression over `k0 …`, the keys, and `a0 …`, the aggregates."""

        def swap(node: exp.Expr) -> exp.Expr:
            for place, key in enumerate(keys):
                if node == key:
                    return exp.column(exp.to_identifier(f"k{place}", quoted=True))
            if isinstance(node, exp.Filter | exp.AggFunc):
                return exp.column(exp.to_identifier(f"a{self._aggregate(node)}", quoted=True))
            return node

        swapped = output.copy().transform(swap)
        for column in swapped.find_all(exp.Column):
            if not column.this.quoted or column.name[:1] not in "ka" or column.table:
                raise _Whole(f'"{column.sql()}" is neither grouped by nor aggregated')
            if not column.name[1:].isdigit():
                raise _Whole(f'"{column.sql()}" is neither grouped by nor aggregated')
        if swapped.find(exp.Anonymous) is not None:
            raise _Whole(f"it calls {swapped.find(exp.Anonymous).name}()")  # type: ignore[union-attr]  # one is there
        return swapped

    def _aggregate(self, node: exp.Expr) -> int:
        """The place of an aggregate among those of the view."""
        condition = None
        call = node
        if isinstance(node, exp.Filter):
            call, condition = node.this, node.expression.this
        name = CALLS.get(type(call))
        inner = call.this
        if name is None or call.args.get("expressions") or isinstance(inner, exp.Distinct):
            raise _Whole(f"nothing adds changes to {call.sql('duckdb')}")
        argument: int | None = None
        if name == "count" and (inner is None or isinstance(inner, exp.Star)):
            inner = None if condition is None else exp.Literal.number(1)
        elif isinstance(inner, exp.Order | exp.Having | exp.Limit) or inner is None:
            raise _Whole(f"nothing adds changes to {call.sql('duckdb')}")
        if inner is not None:
            self._rowwise(inner)
            if inner.find(exp.AggFunc) is not None:
                raise _Whole("it has an aggregate of an aggregate")
            if condition is not None:
                self._rowwise(condition)
                inner = exp.Case().when(condition.copy(), inner.copy())
            text = self._said(inner)
            if text not in self.arguments:
                self.arguments.append(text)
            argument = self.arguments.index(text)
        aggregate = Aggregate(name, argument)
        if aggregate not in self.aggregates:
            self.aggregates.append(aggregate)
        return self.aggregates.index(aggregate)

    def _said(self, node: exp.Expr) -> str:
        return node.sql("duckdb", normalize_functions=False)
