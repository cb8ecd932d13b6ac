"""The text of one part of a WITH that writes, over what the parts before it have returned.

The module as a whole is imported lazily: it imports sqlglot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlglot import exp

from sqlagent.errors import NotSupportedError
from sqlagent.parse.lexer import Token, lex, quote_name, statements
from sqlagent.parse.parameters import Numbering, edited
from sqlagent.parse.placed import Named, placed
from sqlagent.rewrite.expand import own_names
from sqlagent.run.write_table import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlagent.catalog import Column, Table
    from sqlagent.parse.writing_with import Part
    from sqlagent.plan.plans import WritingWith

Edit = tuple[int, int, str]


class Said(NamedTuple):
    """The text of a part; `slots` say which of the user's parameters its own are, None where they
    have names. `inline`: the rows that it reads stand in it."""

    sql: str
    slots: tuple[int | str, ...] | None
    inline: bool


class Reads(NamedTuple):
    """What a part may read in the place of a table: `names` are tables of returned rows by the
    name of their part ('' of one that returns nothing), `changed` the tables of the file whose
    rows were changed, and `rows` all of these tables by their names, with their columns."""

    names: dict[str, str]
    changed: dict[str, Table]
    rows: dict[str, tuple[tuple[Column, ...], list[tuple[Any, ...]]]]
    temporary: dict[str, str]
    old: str
    touched: str


def named_in(plan: WritingWith, part: Part) -> set[str]:
    """The lower-case names in a part, and in the queries without writes that it is over."""
    found = {t.name.lower() for t in part.tokens if t.kind in ("word", "quoted")}
    for query in _needed(plan, part):
        found |= {t.name.lower() for t in query.tokens if t.kind in ("word", "quoted")}
    return found


def said(
    text: str, plan: WritingWith, part: Part, reads: Reads, dialect: str, inline: bool
) -> Said:
    """The text of a part."""
    sql, slots = _composed(text, plan, part)
    tokens = statements(lex(sql))[0]
    tree, tables = placed(sql, tokens, dialect, own_names({}))
    ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
    target: Any = tree.this if isinstance(tree, exp.Insert | exp.Update | exp.Delete) else None
    target = target.this if isinstance(target, exp.Schema) else target
    edits: list[Edit] = []
    for named in tables:
        name, schema = named.node.name.lower(), named.node.db.lower()
        if not schema and name in ctes:
            continue
        real = reads.temporary.get(name, name).lower()
        kept = reads.names.get(name if not schema else real)
        if named.node is target or (schema and kept and not kept.startswith(reads.old)):
            kept = None  # what is written, or named with its schema, is the table itself
        if kept is not None:
            if not kept:
                raise NotSupportedError(
                    f'WITH query "{named.node.name}" does not have a RETURNING clause'
                )
            edits.append(_instead(named, _relation(reads, kept, inline)))
        elif schema in ("", "main", "public") and real in reads.changed:
            table = reads.changed[real]
            if named.node is not target:
                edits.append(_instead(named, _as_it_was(reads, table, inline)))
            elif not isinstance(tree, exp.Insert):
                untouched = _untouched(reads, table, inline)
                edits += _conditioned(tokens, f"{quote_name(named.node.alias_or_name)}.{untouched}")
    return Said(edited(sql, edits), slots, inline)


# The text before its tables are replaced -------------------------------------------------------


def _needed(plan: WritingWith, part: Part) -> list[Part]:
    """The queries of the WITH that a part is over, and that write nothing, in their order."""
    before: list[Part] = []
    for query in plan.parts[:-1]:
        if query is part:
            if plan.recursive and not part.writes:
                before.append(query)
            break
        before.append(query)
    found: list[Part] = []
    todo = [part]
    while todo:
        one = todo.pop()
        used = {t.name.lower() for t in one.tokens if t.kind in ("word", "quoted")}
        for query in before:
            if not query.writes and query not in found and query.name.lower() in used:
                found.append(query)
                todo.append(query)
    return [query for query in before if query in found]


def _composed(text: str, plan: WritingWith, part: Part) -> tuple[str, tuple[int | str, ...] | None]:
    """A part after the queries that it is over, with parameters of its own numbers."""
    whole = Numbering(text, statements(lex(text))[0])
    slots: list[int | str] = []

    def shown(tokens: Sequence[Token]) -> str:
        first, last = tokens[0].start, tokens[-1].start + len(tokens[-1].text)
        marks: list[Edit] = []
        for token in tokens:
            if token.kind == "param" and isinstance(whole.slot(token), int):
                slot = whole.slot(token)
                if slot not in slots:
                    slots.append(slot)
                end = token.start + len(token.text) - first
                marks.append((token.start - first, end, f"?{slots.index(slot) + 1}"))
        return edited(text[first:last], marks)

    queries = []
    for query in _needed(plan, part):
        names = f" ({', '.join(map(quote_name, query.columns))})" if query.columns else ""
        queries.append(f"{quote_name(query.name)}{names} AS ({shown(query.tokens)})")
    own = list(part.tokens)
    recursive = plan.recursive
    if own[0].upper == "WITH" and queries:
        recursive = recursive or own[1].upper == "RECURSIVE"
        own = own[2 if own[1].upper == "RECURSIVE" else 1 :]
        head = f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(queries)}, "
    elif queries:
        head = f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(queries)} "
    else:
        head = ""
    named = any(isinstance(slot, str) for slot in whole.slots)
    return head + shown(own), None if named else tuple(slots)


# What stands in the place of tables ------------------------------------------------------------


def _instead(named: Named, relation: str) -> Edit:
    alias = "" if named.node.args.get("alias") else f" AS {quote_name(named.node.name)}"
    return named.start, named.end, f"{relation}{alias}"


def _relation(reads: Reads, name: str, inline: bool) -> str:
    """The rows of a temporary table: by its name, or as they are."""
    if not inline:
        return quote_name(name)
    columns, rows = reads.rows[name]
    some = rows or [(None,) * len(columns)]
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in some)
    names = ", ".join(
        (f"CAST(c{n} AS {c.type})" if c.type else f"c{n}") + f" AS {quote_name(c.name)}"
        for n, c in enumerate(columns)
    )
    places = ", ".join(f"c{n}" for n in range(len(columns)))
    never = "" if rows else " WHERE false"
    return f"(SELECT {names} FROM (VALUES {values}) AS v ({places}){never})"


def _untouched(reads: Reads, table: Table, inline: bool) -> str:
    """The condition of rows that are what they were, after the qualifier."""
    touched = _relation(reads, f"{reads.touched}{table.name.lower()}", inline)
    return f"{quote_name(str(table.key))} NOT IN (SELECT touched FROM {touched} AS t)"


def _as_it_was(reads: Reads, table: Table, inline: bool) -> str:
    """The rows of a table as they were."""
    names = ", ".join(quote_name(c.name) for c in table.columns)
    old = _relation(reads, f"{reads.old}{table.name.lower()}", inline)
    return (
        f"(SELECT {names} FROM {quote_name(table.name)} WHERE {_untouched(reads, table, inline)} "
        f"UNION ALL SELECT {names} FROM {old} AS o)"
    )


def _conditioned(tokens: list[Token], condition: str) -> list[Edit]:
    """The edits that add a condition to an UPDATE or DELETE."""
    depth, begun = 0, False
    where: Token | None = None
    end = tokens[-1].start + len(tokens[-1].text)
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth:
            continue
        begun = begun or token.upper in ("UPDATE", "DELETE")
        if begun and token.upper == "WHERE" and where is None:
            where = token
        elif begun and token.upper == "RETURNING":
            end = token.start
            break
    if where is None:
        return [(end, end, f" WHERE {condition} ")]
    start = where.start + len(where.text)
    return [(start, start, f" {condition} AND ("), (end, end, ") ")]
