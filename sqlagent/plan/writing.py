"""`SELECT remember(a, t) FROM staged`: functions that write, over the rows of a read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlagent.errors import NotSupportedError
from sqlagent.functions import Function, functions
from sqlagent.plan.calls import WHY
from sqlagent.plan.plans import Argument, Calls, WriteCall
from sqlagent.plan.say import types
from sqlagent.rewrite.context import Context

if TYPE_CHECKING:
    from sqlagent.plan.route import Router


def write_calls(router: Router, tree: exp.Expr, context: Context) -> Calls | None:
    """A Calls plan where outputs of `tree` are functions that write; None where none writes.

    Raises NotSupportedError for such a function anywhere but at the top of an output.
    """
    known = functions()
    nodes = [
        n for n in tree.find_all(exp.Anonymous)
        if (f := known.get(n.name.lower())) is not None and f.apart
    ]  # fmt: skip
    if not nodes:
        return None
    tops = {id(_bare(e)) for e in tree.expressions} if isinstance(tree, exp.Select) else set()
    if all(known[n.name.lower()].within_writes for n in nodes) and (
        any(id(n) not in tops for n in nodes)
    ):  # fmt: skip
        router.within_writes = True
        return None
    for node in nodes:
        if id(node) not in tops:
            raise NotSupportedError(
                f"{node.name}() {'waits' if known[node.name.lower()].waits else 'writes'}, so it"
                " cannot stand here",
                hint=f"It may be an output of SELECT: SELECT {node.name}(…) FROM …",
                sql=context.sql, position=context.position(node.name),
            )  # fmt: skip
    assert isinstance(tree, exp.Select)
    inner: list[exp.Expr] = []
    places: dict[int, int] = {}
    outputs = [
        _output(e, n, known, inner, places, context, router)
        for n, e in enumerate(tree.expressions, 1)
    ]
    kinds: tuple[str | None, ...] = (None,) * len(outputs)
    if not inner and not tree.args.get("from_"):
        return Calls(tuple(outputs), why=WHY, types=kinds)
    source = _source(tree, inner, places, context)
    read = router.read(source, context)
    found = types(source, context)
    if found is not None:
        kinds = tuple(
            found[places[n]] if n in places and len(found) > places[n] else None
            for n in range(1, len(outputs) + 1)
        )
    return Calls(tuple(outputs), read, WHY, kinds)


def _source(
    tree: exp.Select, inner: list[exp.Expr], places: dict[int, int], context: Context
) -> exp.Select:
    """The read under the calls: their arguments, and the other outputs under their own names.

    DISTINCT is then of what is given to the calls; an ordinal of GROUP BY or ORDER BY is moved to
    where its output now stands.
    """
    source = tree.copy()
    kept = set(places.values())
    source.set("expressions", [
        e.copy() if i in kept else exp.alias_(e.copy(), f"argument_{i}", quoted=False)
        for i, e in enumerate(inner)
    ] or [exp.alias_(exp.Literal.number(1), "argument_0")])  # fmt: skip
    for clause in (source.args.get("group"), source.args.get("order")):
        for part in clause.expressions if clause is not None else ():
            ordinal = part.this if isinstance(part, exp.Ordered) else part
            if not isinstance(ordinal, exp.Literal) or not ordinal.is_int:
                continue
            place = places.get(int(ordinal.name))
            if place is None:
                raise NotSupportedError(
                    f"output {ordinal.name} writes: rows cannot be ordered or grouped by it",
                    sql=context.sql, position=context.tokens[0].start,
                )  # fmt: skip
            ordinal.replace(exp.Literal.number(place + 1))
    context.changed = True
    return source


def _bare(node: exp.Expr) -> exp.Expr:
    """An output without its alias."""
    return node.this if isinstance(node, exp.Alias) else node


def _output(
    node: exp.Expr,
    number: int,
    known: dict[str, Function],
    inner: list[exp.Expr],
    places: dict[int, int],
    context: Context,
    router: Router,
) -> WriteCall:
    """One output; what it needs of the source goes into `inner`, a value's place in `places`."""
    call = _bare(node)
    name = node.alias or (call.name if isinstance(call, (exp.Anonymous, exp.Column)) else "")
    if isinstance(call, exp.Star) or (isinstance(call, exp.Column) and call.is_star):
        raise NotSupportedError(
            "* cannot stand beside a function that writes", hint="name the columns",
            sql=context.sql, position=context.tokens[0].start,
        )  # fmt: skip
    if isinstance(call, exp.Anonymous) and call.name.lower() in known and known[call.name].writes:
        arguments = tuple(_argument(a, inner, router) for a in call.expressions)
        return WriteCall(name, call.name, arguments)
    places[number] = len(inner)
    inner.append(node)
    return WriteCall(name or call.sql("duckdb"), None, (Argument(column=len(inner) - 1),))


def _argument(node: exp.Expr, inner: list[exp.Expr], router: Router) -> Argument:
    """A constant or parameter as it is; anything else becomes a column of the source."""
    if isinstance(node, exp.Null):
        return Argument()
    if isinstance(node, exp.Boolean):
        return Argument(value=bool(node.this))
    if isinstance(node, exp.Placeholder):
        return Argument(slot=router.numbering.slots[int(node.name[1:]) - 1])
    sign, literal = 1, node
    if isinstance(node, exp.Neg):
        sign, literal = -1, node.this
    if isinstance(literal, exp.Literal):
        if literal.is_string:
            return Argument(value=literal.name)
        text = literal.name
        return Argument(value=sign * (float(text) if set(text) & set(".eE") else int(text)))
    if isinstance(node, exp.Array):
        from sqlagent.rewrite.vectors import constant

        numbers = constant(node)
        if numbers is not None:
            return Argument(value=numbers)
    inner.append(node)
    return Argument(column=len(inner) - 1)
