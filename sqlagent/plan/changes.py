"""UPDATE and DELETE that SQLite cannot say: DuckDB finds the rows, SQLite changes them by key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.parse.lexer import quote_name
from sqlagent.plan.plans import Duck, Fill
from sqlagent.plan.returning import returned

if TYPE_CHECKING:
    from sqlagent.plan.route import Router


def using(tree: exp.Delete) -> None:
    """`DELETE FROM t USING u WHERE …` as `DELETE FROM t WHERE EXISTS (SELECT 1 FROM u WHERE …)`."""
    sources = tree.args.get("using") or []
    if not sources:
        return
    inner = exp.select("1").from_(sources[0].copy())
    for source in sources[1:]:
        inner = inner.join(source.copy(), join_type="cross")
    where = tree.args.get("where")
    if where is not None:
        inner = inner.where(where.this.copy())
    tree.set("using", None)
    tree.set("where", exp.Where(this=exp.Exists(this=inner)))


def by_key(router: Router, tree: exp.Expr) -> Fill | None:
    """The change of `tree` as a read of keys and values, and a write for each; None where the
    table has no key that DuckDB sees."""
    target = tree.this
    table = router.catalog.table(target.name) if isinstance(target, exp.Table) else None
    names = [c.name.lower() for c in table.columns] if table is not None else []
    if table is None or table.key is None or table.key.lower() not in names:
        return None
    if tree.args.get("order") or tree.args.get("limit"):
        return None
    alias = target.alias_or_name
    key = exp.column(exp.to_identifier(table.key, quoted=True), table=exp.to_identifier(alias))
    set_ = tree.expressions if isinstance(tree, exp.Update) else []
    if not all(isinstance(e, exp.EQ) and isinstance(e.this, exp.Column) for e in set_):
        return None
    values = [exp.alias_(e.expression.copy(), f"value_{n}") for n, e in enumerate(set_, 1)]
    read = exp.select(*values, exp.alias_(key, "key_of_row")).from_(target.copy())
    more = tree.args.get("from_")
    if more is not None:
        first = more.this.copy()
        joins = first.args.pop("joins", None) or []
        read = read.join(first, join_type="cross")
        for join in joins:
            read.append("joins", join)
    if tree.args.get("where") is not None:
        read = read.where(tree.args["where"].this.copy())
    if tree.args.get("with_") is not None:
        read.set("with_", tree.args["with_"].copy())
    context = router.context()
    context.changed = True
    found = router.read(read, context)
    if not isinstance(found, Duck):
        return None
    mine = quote_name(table.name)
    where = f"WHERE {quote_name(table.key)} = ?{len(values) + 1}"
    if isinstance(tree, exp.Delete):
        text = f"DELETE FROM {mine} {where}"
    else:
        parts = (f"{quote_name(e.this.name)} = ?{n}" for n, e in enumerate(set_, 1))
        text = f"UPDATE {mine} SET {', '.join(parts)} {where}"
    returning = returned(router, tree, target, text)
    return Fill(found, text, table=table.name, atomic=True, returning=returning)
