"""`ctid`, by which clients of PostgreSQL name a row that has no key, and read parts of a table.

Here it is the row's number in the file (SQLite's rowid): `(block,offset)` is block * 65536 +
offset.
The engine computes with the number alone; what speaks the protocol says it as PostgreSQL does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.catalog import Table
from sqlagent.errors import DataError, NotSupportedError

if TYPE_CHECKING:
    from sqlagent.rewrite.context import Context

BLOCK = 1 << 16  # offsets in a block
LAST = 0xFFFFFFFF  # no block: a range that ends with it is of all that follow
# As PostgreSQL reads it: what is around the parentheses is passed over. DuckDB puts quotes there.
_TEXT = re.compile(r"[^(]*\(\s*(\d+)\s*,\s*(\d+)\s*\).*", re.S)


def number(text: str) -> int:
    """The number of a row.

    >>> number("(1,2)")
    65538
    """
    found = _TEXT.fullmatch(text)
    if found is None or int(found[1]) > LAST or int(found[2]) >= BLOCK:
        raise DataError(f'invalid input syntax for type tid: "{text}"', sqlstate="22P02")
    return int(found[1]) * BLOCK + int(found[2])


def ctids(tree: exp.Expr, context: Context) -> exp.Expr:
    """The statement with the numbers of rows in place of their ctids; changed in place."""
    columns = [c for c in tree.find_all(exp.Column) if c.name.lower() == "ctid"]
    casts = [c for c in tree.find_all(exp.Cast) if _is_tid(c.to)]
    for cast in casts:
        context.changed = True
        cast.replace(_uncast(cast))
    for column in columns:
        table = _table_of(column, context)
        if table is None:
            continue
        name = table.key
        if name == "rowid":
            taken = {c.name.lower() for c in table.columns}
            name = next((w for w in ("rowid", "_rowid_", "oid") if w not in taken), None)
        if name is None:
            continue
        if _whole(column):
            context.changed = True
            continue
        _compared(column)
        row = exp.column(exp.to_identifier(name, quoted=name != "rowid"), column.args.get("table"))
        outer = column.parent
        if isinstance(outer, exp.Cast) and outer.to.is_type(*exp.DataType.TEXT_TYPES):
            outer.replace(_said(row))
        elif isinstance(outer, exp.Select | exp.Returning | exp.Tuple | exp.Subquery):
            column.replace(exp.alias_(row, "ctid"))
        else:
            column.replace(row)
        context.changed = True
    return tree


def _is_tid(kind: exp.Expr | None) -> bool:
    """Whether a cast names tid, or a list of them."""
    if not isinstance(kind, exp.DataType):
        return False
    if kind.this is exp.DataType.Type.ARRAY:
        return bool(kind.expressions) and _is_tid(kind.expressions[0])
    return kind.this is exp.DataType.Type.USERDEFINED and kind.sql("postgres").lower() == "tid"


def _uncast(cast: exp.Cast) -> exp.Expr:
    """What is cast to tid, as a number; a parameter comes as one."""
    inner = cast.this
    if isinstance(inner, exp.Literal) and inner.is_string:
        if cast.to.this is exp.DataType.Type.ARRAY:
            found = re.findall(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)", inner.name)
            return exp.Array(
                expressions=[exp.Literal.number(int(b) * BLOCK + int(o)) for b, o in found]
            )
        return exp.Literal.number(number(inner.name))
    if isinstance(inner, exp.Literal | exp.Boolean):
        raise DataError("a tid is written '(block,offset)'", sqlstate="42846")
    if isinstance(inner, exp.Placeholder | exp.Null | exp.Cast | exp.Array):
        return inner
    if isinstance(inner, exp.Column) and inner.name.lower() == "ctid":
        return inner
    return _read(inner)


def _read(text: exp.Expr) -> exp.Expr:
    """The number of a row whose `(block,offset)` is only known when it runs: as a list of JSON."""
    for mark, bracket in (("(", "["), (")", "]"), ("'", "")):
        marks = [exp.Literal.string(mark), exp.Literal.string(bracket)]
        text = exp.Anonymous(this="sq_replace", expressions=[text.copy(), *marks])
    block, offset = (
        exp.Anonymous(this="sq_json_extract", expressions=[text.copy(), exp.Literal.string(path)])
        for path in ("$[0]", "$[1]")
    )
    return exp.Paren(this=exp.Add(
        this=exp.Mul(this=block, expression=exp.Literal.number(BLOCK)), expression=offset
    ))  # fmt: skip


def _whole(column: exp.Column) -> bool:
    """Whether the column bounds a range that has no bounds, which is then one of all rows."""
    outer = column.parent
    if not isinstance(outer, exp.Between) or outer.this is not column:
        return False
    low, high = _number(outer.args.get("low")), _number(outer.args.get("high"))
    open_low = _is(low, 0)
    open_high = isinstance(high, exp.Literal) and int(high.name) >= LAST * BLOCK
    if open_low and open_high:
        outer.replace(exp.true())
        return True
    if open_low or open_high:
        kind, bound = (exp.LTE, high) if open_low else (exp.GTE, low)
        outer.replace(kind(this=column, expression=bound))
    return False


def _compared(column: exp.Column) -> None:
    """Texts that a ctid is compared with, as numbers."""
    outer = column.parent
    if isinstance(outer, exp.Between) and outer.this is column:
        low, high = outer.args.get("low"), outer.args.get("high")
        outer.set("low", _number(low))
        outer.set("high", _number(high))
    elif isinstance(outer, exp.In) and outer.this is column:
        outer.set("expressions", [_number(e) for e in outer.expressions])
    elif isinstance(outer, exp.EQ) and isinstance(outer.expression, exp.Any):
        listed = outer.expression.this
        listed = listed.this if isinstance(listed, exp.Paren) else listed
        if isinstance(listed, exp.Array):
            values = [_number(e.copy()) for e in listed.expressions]
            outer.replace(exp.In(this=column, expressions=values))
    elif isinstance(outer, exp.Predicate | exp.Binary):
        for side in ("this", "expression"):
            other = outer.args.get(side)
            if other is not column and isinstance(other, exp.Literal):
                outer.set(side, _number(other))


def _is(node: exp.Expr | None, value: int) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and int(node.name) == value


def _number(node: exp.Expr | None) -> exp.Expr | None:
    if isinstance(node, exp.Literal) and node.is_string:
        return exp.Literal.number(number(node.name))
    return node


def _said(row: exp.Column) -> exp.Expr:
    """The text of a ctid."""
    size = exp.Literal.number(BLOCK)
    return exp.Anonymous(this="sq_printf", expressions=[
        exp.Literal.string("(%d,%d)"), exp.IntDiv(this=row.copy(), expression=size.copy()),
        exp.Mod(this=row.copy(), expression=size.copy()),
    ])  # fmt: skip


def _table_of(column: exp.Column, context: Context) -> Table | None:
    """The table of the file whose row a ctid names; None where it is another column.

    Raises NotSupportedError for a table whose rows have no numbers.
    """
    wanted = column.table.lower()
    scope = column.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Insert)
    while scope is not None:
        for source in _sources(scope):
            if wanted and source.alias_or_name.lower() != wanted:
                continue
            if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
                if wanted:
                    return None  # of a subquery, which has made it a column
                continue
            table = context.catalog.find(source.name, source.db, source.catalog)
            if table is None or table.column("ctid") is not None:
                return None
            if table.kind in ("table", "virtual") and table.key is not None:
                return table
            if table.kind in ("table", "columns"):
                raise NotSupportedError(f'the rows of "{table.name}" have no ctid')
            if wanted:
                return None
        scope = scope.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Insert)
    return None


def _sources(scope: exp.Expr) -> list[exp.Expr]:
    """What a SELECT, UPDATE, DELETE or INSERT reads and writes."""
    found = []
    if not isinstance(scope, exp.Select) and scope.this is not None:
        found.append(scope.this.this if isinstance(scope.this, exp.Schema) else scope.this)
    start = scope.args.get("from_")
    if start is not None:
        found.append(start.this)
        found += [j.this for j in start.this.args.get("joins") or []]
    found += scope.args.get("using") or []
    found += [j.this for j in scope.args.get("joins") or []]
    return found
