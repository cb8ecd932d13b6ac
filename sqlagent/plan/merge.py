"""MERGE into a table of the file, as statements of SQLite's in one transaction.

The pairs of the join are put into temporary tables first, with the action and the values of each,
so that every clause sees the rows as they were. A target row that two source rows mean to change is
an error, as the standard has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import quote_name
from sqlagent.plan import alike
from sqlagent.plan.plans import Merge, Slots
from sqlagent.plan.refusals import refused
from sqlagent.plan.say import say
from sqlagent.plan.sources import Sources
from sqlagent.rewrite.context import Context

if TYPE_CHECKING:
    from sqlagent.plan.route import Router

_PAIRS, _NEW, _REST = "sqlagent pairs", "sqlagent come", "sqlagent rest"


def merged(router: Router, tree: exp.Merge, context: Context) -> Merge:
    """The plan of a MERGE."""
    target = tree.this
    table = router.catalog.table(target.name)
    start = router.tokens[0].start
    if table is not None and (table.kind != "table" or table.key is None):
        raise NotSupportedError(
            f'MERGE goes into an ordinary table with a rowid, which "{target.name}" is not',
            sql=router.sql, position=context.position(target.name),
        )  # fmt: skip
    if tree.args.get("returning") is not None or tree.args.get("with_") is not None:
        raise NotSupportedError(
            "MERGE with WITH or RETURNING is not here", sql=router.sql, position=start
        )
    on = tree.args.get("on")
    if on is None:
        raise ProgrammingError("expected ON and a condition", sql=router.sql, position=start)
    Sources(tree, context, router.protected)  # raises for what no table is
    assert table is not None
    made = _Merging(router, tree, context, [c.name for c in table.columns])
    return Merge(table.name, tuple(made.stage()), tuple(made.apply()), made.checked)


def _condition(when: exp.When) -> exp.Expr:
    """What a clause asks besides the match."""
    found: exp.Expr | None = when.args.get("condition")
    return exp.true() if found is None else found.copy()


def _nothing(when: exp.When) -> bool:
    """Whether a clause is DO NOTHING."""
    then = when.args["then"]
    return not isinstance(then, exp.Update | exp.Insert) and then.name.upper() != "DELETE"


class _Merging:
    """The clauses of one MERGE, by what they stand on."""

    def __init__(
        self, router: Router, tree: exp.Merge, context: Context, columns: list[str]
    ) -> None:
        self.router = router
        self.context = context
        self.columns = columns
        self.target: exp.Table = tree.this
        self.alias = tree.this.alias or tree.this.name
        self.source: exp.Expr = tree.args["using"]
        self.on: exp.Expr = tree.args["on"]
        self.matched: list[exp.When] = []
        self.new: list[exp.When] = []
        self.rest: list[exp.When] = []
        for when in tree.args["whens"].expressions:
            if when.args.get("matched"):
                self.matched.append(when)
            else:
                (self.rest if when.args.get("source") else self.new).append(when)
        acts = ", ".join(str(n) for n, w in enumerate(self.matched, 1) if not _nothing(w))
        self.checked = (
            f"SELECT 1 FROM temp.{quote_name(_PAIRS)} WHERE action IN ({acts})"
            " GROUP BY target HAVING count(*) > 1 LIMIT 1"
            if acts else None
        )  # fmt: skip

    def stage(self) -> list[tuple[str, Slots]]:
        """The statements that find out what is to be done."""
        found = []
        row = exp.column("rowid", table=self.alias, quoted=False)
        join = self.target.copy()
        if self.matched:
            pairs = self._select(self.matched, [exp.alias_(row.copy(), "target")])
            found.append(self._into(_PAIRS, pairs.from_(join.copy()).join(
                self.source.copy(), on=self.on.copy()
            )))  # fmt: skip
        if self.new:
            inner = exp.select("1").from_(join.copy()).where(self.on.copy())
            come = self._select(self.new, []).from_(self.source.copy())
            found.append(self._into(_NEW, come.where(exp.Not(this=exp.Exists(this=inner)))))
        if self.rest:
            inner = exp.select("1").from_(self.source.copy()).where(self.on.copy())
            rest = self._select(self.rest, [exp.alias_(row.copy(), "target")]).from_(join.copy())
            found.append(self._into(_REST, rest.where(exp.Not(this=exp.Exists(this=inner)))))
        return found

    def _select(self, whens: list[exp.When], outputs: list[exp.Expr]) -> exp.Select:
        """The action of each row, the place of the first clause that holds, and all values."""
        ifs = [
            exp.If(this=_condition(w), true=exp.Literal.number(n)) for n, w in enumerate(whens, 1)
        ]
        action = exp.Case(ifs=ifs, default=exp.Literal.number(0))
        outputs = [*outputs, exp.alias_(action, "action")]
        for n, when in enumerate(whens, 1):
            for k, (_, value) in enumerate(self._assigned(when)):
                said = exp.Case(ifs=[exp.If(this=_condition(when), true=value.copy())])
                outputs.append(exp.alias_(said, f"v{n}_{k}"))
        return exp.select(*outputs)

    def _assigned(self, when: exp.When) -> list[tuple[str, exp.Expr]]:
        """The columns that a clause sets, with their values."""
        then = when.args["then"]
        if isinstance(then, exp.Update):
            return [(e.this.name, e.expression) for e in then.expressions]
        if isinstance(then, exp.Insert):
            given = then.args.get("expression")
            if given is False:  # INSERT without VALUES
                raise ProgrammingError("WHEN NOT MATCHED THEN INSERT needs VALUES (…)")
            values = list(given.expressions) if given is not None else []
            names = [e.name for e in then.this.expressions] if then.this is not None else []
            names = names or self.columns
            if not values or len(names) != len(values):
                raise ProgrammingError(
                    f"INSERT has {len(names)} columns for {len(values)} values",
                    sql=self.router.sql, position=self.router.tokens[0].start, sqlstate="42601",
                )  # fmt: skip
            return list(zip(names, values, strict=True))
        return []

    def _into(self, name: str, query: exp.Select) -> tuple[str, Slots]:
        """A temporary table of a query that SQLite says exactly; raises where it does not."""
        router = self.router
        context = router.context()
        context.changed = True
        sources = Sources(query, context, router.protected)
        context.names.read(query)
        doubts = list(sources.not_sqlite)
        if router.dialect != "sqlite":
            doubts += alike.doubts(query, context, True)
        mine, said = router.passed(query, context, "sqlite", writes=True)
        doubts += mine.doubts if router.dialect != "sqlite" else []
        if doubts:
            raise refused(router, doubts[0])
        text, slots = say(said, "sqlite", router.numbering)
        return f"CREATE TEMP TABLE {quote_name(name)} AS {text}", slots

    def apply(self) -> list[str]:
        """The statements that do it, from the temporary tables."""
        found = []
        name = quote_name(self.target.name)
        for whens, place in ((self.matched, _PAIRS), (self.rest, _REST), (self.new, _NEW)):
            table = f"temp.{quote_name(place)}"
            for n, when in enumerate(whens, 1):
                pairs = self._assigned(when)
                columns = ", ".join(quote_name(c) for c, _ in pairs)
                values = ", ".join(f"v{n}_{k}" for k in range(len(pairs)))
                then = when.args["then"]
                if isinstance(then, exp.Insert):
                    found.append(
                        f"INSERT INTO {name} ({columns}) SELECT {values} FROM {table}"
                        f" WHERE action = {n}"
                    )
                elif isinstance(then, exp.Update):
                    sets = ", ".join(
                        f"{quote_name(c)} = {quote_name(_PAIRS)}.v{n}_{k}"
                        for k, (c, _) in enumerate(pairs)
                    )
                    found.append(
                        f"UPDATE {name} SET {sets} FROM {table} AS {quote_name(_PAIRS)}"
                        f" WHERE {name}.rowid = {quote_name(_PAIRS)}.target"
                        f" AND {quote_name(_PAIRS)}.action = {n}"
                    )
                elif then.name.upper() == "DELETE":
                    found.append(
                        f"DELETE FROM {name} WHERE rowid IN"
                        f" (SELECT target FROM {table} WHERE action = {n})"
                    )
        return found
