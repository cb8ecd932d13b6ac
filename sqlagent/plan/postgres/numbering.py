"""Sequences in PostgreSQL's words: their statements, their calls, and what they fill.

A column with `DEFAULT nextval('s')` has no default in the file, whose clients have no such
function: an INSERT of this dialect that leaves the column out gets the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import Token, is_name, quote, quote_name, unquote
from sqlagent.parse.sequence_calls import NAMES, SERIAL, spared
from sqlagent.plan.plans import SequenceChange
from sqlagent.plan.postgres.parts import closed

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog

Edit = tuple[int, int, str]
_OPTIONS = ("INCREMENT", "MINVALUE", "MAXVALUE", "START", "CACHE", "RESTART")


# Calls -------------------------------------------------------------------------------------------


def calls(tokens: list[Token], catalog: Catalog) -> list[Edit]:
    """The edits of calls: without casts to regclass, and with the name of a column's sequence."""
    found: list[Edit] = []
    for start, end in spared(tokens):
        last = tokens[end - 1]
        found.append((tokens[start].start, last.start + len(last.text), ""))
    for place, token in enumerate(tokens[:-5]):
        if token.kind != "word" or token.name.lower() != SERIAL:
            continue
        texts = [t.text for t in tokens[place + 1 : place + 6]]
        table, column = tokens[place + 2], tokens[place + 4]
        literals = table.kind == column.kind == "string"
        if literals and (texts[0], texts[2], texts[4]) == ("(", ",", ")"):
            end = tokens[place + 5].start + 1
            found.append((token.start, end, _serial(unquote(table), unquote(column), catalog)))
    return found


def _serial(table: str, column: str, catalog: Catalog) -> str:
    """The name of a column's sequence as SQL text: a string, or NULL."""
    name = table.rpartition(".")[2].strip('"')
    found = catalog.table(name)
    if found is None:
        raise ProgrammingError(f'relation "{table}" does not exist', sqlstate="42P01")
    if found.column(column) is None:
        raise ProgrammingError(
            f'column "{column}" of relation "{name}" does not exist', sqlstate="42703"
        )
    sequence = catalog.sequences.get((name.lower(), column.lower()))
    if sequence is None and found.key is not None and found.key.lower() == column.lower():
        sequence = f"{found.name}_{found.key}_seq"
    if sequence is None:
        return "NULL"
    plain = sequence.isidentifier() and sequence == sequence.lower()
    return quote("public." + (sequence if plain else quote_name(sequence)))


# What is filled ----------------------------------------------------------------------------------


def filled(tokens: list[Token], catalog: Catalog) -> list[Edit]:
    """The edits that put the next number into the columns which an INSERT leaves to a sequence."""
    at = 3
    if len(tokens) < 5 or tokens[1].upper != "INTO" or not is_name(tokens[2]):
        return []
    table = catalog.table(tokens[2].name)
    own = {c: s for (t, c), s in catalog.sequences.items() if t == tokens[2].name.lower()}
    if table is None or not own:
        return []
    at += 2 * (tokens[at].upper == "AS")
    columns, names = at, [c.name for c in table.columns]
    if tokens[at].text == "(" and tokens[at + 1].upper not in ("SELECT", "WITH", "VALUES"):
        end = closed(tokens, at)
        names = [t.name for t in tokens[at + 1 : end] if is_name(t)]
        at = end + 1
    listed = columns != at
    if at < len(tokens) and tokens[at].upper == "OVERRIDING":
        at += 3
    word = tokens[at].upper if at < len(tokens) else ""
    if word == "DEFAULT" and tokens[at + 1 : at + 2]:
        left = {c: s for c, s in own.items() if table.column(c) is not None}
        values = ", ".join(_next(s) for s in left.values())
        last = tokens[at + 1]
        said = f"({', '.join(map(quote_name, left))}) VALUES ({values})"
        return [(tokens[at].start, last.start + len(last.text), said)] if left else []
    lowered = [n.lower() for n in names]
    if not listed:
        return _defaults(tokens, at, lowered, own) if word == "VALUES" else []
    left = {c: s for c, s in own.items() if c not in lowered}
    found = _defaults(tokens, at, lowered, own) if word == "VALUES" else []
    if not left:
        return found
    more = "".join(f", {quote_name(c)}" for c in left)
    given = "".join(f", {_next(s)}" for s in left.values())
    close = tokens[closed(tokens, columns)]
    found.append((close.start, close.start, more))
    if word == "VALUES":
        return found + [(t.start, t.start, given) for t in _rows(tokens, at)]
    return found + _selected(tokens, at, given)


def _next(sequence: str) -> str:
    return f"nextval({quote(quote_name(sequence))})"


def _rows(tokens: list[Token], at: int) -> list[Token]:
    """The closing parentheses of the rows of VALUES."""
    found, place = [], at + 1
    while place < len(tokens) and tokens[place].text == "(":
        end = closed(tokens, place)
        found.append(tokens[end])
        place = end + 2 if end + 1 < len(tokens) and tokens[end + 1].text == "," else len(tokens)
    return found


def _defaults(tokens: list[Token], at: int, names: list[str], own: dict[str, str]) -> list[Edit]:
    """The word DEFAULT among the values of a column that a sequence fills."""
    found: list[Edit] = []
    for close in _rows(tokens, at):
        end = tokens.index(close)
        depth, place = 0, end
        while depth or place == end:
            depth += (tokens[place].text == ")") - (tokens[place].text == "(")
            place -= 1
        column, depth = 0, 0
        for token in tokens[place + 2 : end]:
            depth += (token.text == "(") - (token.text == ")")
            if token.text == "," and not depth:
                column += 1
            sequence = own.get(names[column]) if column < len(names) else None
            if token.upper == "DEFAULT" and not depth and sequence is not None:
                found.append((token.start, token.start + len(token.text), _next(sequence)))
    return found


def _selected(tokens: list[Token], at: int, given: str) -> list[Edit]:
    """INSERT … SELECT: the number of each row beside it."""
    end, depth = len(tokens), 0
    for place in range(at, len(tokens)):
        depth += (tokens[place].text == "(") - (tokens[place].text == ")")
        words = [t.upper for t in tokens[place : place + 2]]
        if not depth and (words == ["ON", "CONFLICT"] or words[:1] == ["RETURNING"]):
            end = place
            break
    last = tokens[end - 1]
    stop = last.start + len(last.text)
    start = tokens[at].start
    return [(start, start, f"SELECT q.*{given} FROM ("), (stop, stop, ") AS q WHERE true")]


# Statements --------------------------------------------------------------------------------------


def statement(sql: str, tokens: list[Token], catalog: Catalog) -> SequenceChange | None:
    """CREATE, ALTER and DROP SEQUENCE; None for any other statement."""
    words = [t.upper for t in tokens]
    at = 1 + (words[1:2] in (["TEMP"], ["TEMPORARY"], ["UNLOGGED"]))
    if words[at : at + 1] != ["SEQUENCE"] or words[0] not in ("CREATE", "ALTER", "DROP"):
        return None
    if words[1] in ("TEMP", "TEMPORARY"):
        raise NotSupportedError("temporary sequences are not here", sql=sql, position=0)
    at += 1
    exists = False
    for said in (["IF", "NOT", "EXISTS"], ["IF", "EXISTS"]):
        if words[at : at + len(said)] == said:
            exists, at = True, at + len(said)
    if at >= len(tokens) or not is_name(tokens[at]):
        raise ProgrammingError(
            "expected the name of a sequence", sql=sql, position=tokens[at - 1].start,
            sqlstate="42601",
        )  # fmt: skip
    if words[0] == "DROP":
        rest = [t for t in tokens[at:] if t.upper not in ("CASCADE", "RESTRICT")]
        names = tuple(_folded(t) for t in rest if is_name(t))
        return SequenceChange("drop", names, exists=exists, cascade=words[-1] == "CASCADE")
    name = _folded(tokens[at])
    options = _options(sql, tokens, at + 1, catalog)
    return SequenceChange(words[0].lower(), (name,), tuple(options.items()), exists)


def _folded(token: Token) -> str:
    return token.name if token.kind == "quoted" else token.name.lower()


def _options(
    sql: str, tokens: list[Token], at: int, catalog: Catalog
) -> dict[str, int | str | None]:
    """The options from `at` on: names of columns of sqlagent_sequences, 'restart', 'rename'."""
    found: dict[str, int | str | None] = {}
    words = [t.upper for t in tokens]

    def number(place: int) -> tuple[int, int]:
        sign = -1 if place < len(tokens) and tokens[place].text == "-" else 1
        place += place < len(tokens) and tokens[place].text in ("-", "+")
        text = tokens[place].text if place < len(tokens) else "the end"
        if not text.isdigit():
            raise ProgrammingError(
                f"expected a whole number, not {text}", sql=sql,
                position=tokens[min(place, len(tokens) - 1)].start, sqlstate="42601",
            )  # fmt: skip
        return sign * int(text), place + 1

    keys = {"INCREMENT": "increment_by", "MINVALUE": "min_value", "MAXVALUE": "max_value",
            "START": "start_value", "CACHE": "cache_size", "RESTART": "restart"}  # fmt: skip
    while at < len(tokens):
        word = words[at]
        if word == "AS":
            kind = tokens[at + 1].name.lower() if at + 1 < len(tokens) else ""
            known = {"int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint"}
            found["data_type"] = known.get(kind, kind)
            if found["data_type"] not in ("smallint", "integer", "bigint"):
                raise ProgrammingError(
                    "sequence type must be smallint, integer, or bigint", sqlstate="22023"
                )
            at += 2
        elif word == "NO" and words[at + 1 : at + 2] == ["CYCLE"]:
            found["cycles"], at = 0, at + 2
        elif word == "NO" and words[at + 1] in ("MINVALUE", "MAXVALUE"):
            found[keys[words[at + 1]]], at = None, at + 2
        elif word == "CYCLE":
            found["cycles"], at = 1, at + 1
        elif word in _OPTIONS:
            at += 1
            at += words[at : at + 1] in (["BY"], ["WITH"])
            if word == "RESTART" and (at >= len(tokens) or words[at] in (*_OPTIONS, "OWNED")):
                found["restart"] = None
                continue
            found[keys[word]], at = number(at)
        elif words[at : at + 2] == ["OWNED", "BY"]:
            at = _owned(sql, tokens, at + 2, catalog, found)
        elif words[at : at + 2] == ["RENAME", "TO"] and at + 2 < len(tokens):
            found["rename"], at = _folded(tokens[at + 2]), at + 3
        elif words[at : at + 2] in (["OWNER", "TO"], ["SET", "SCHEMA"]):
            at = len(tokens)
        else:
            raise ProgrammingError(
                f'syntax error at or near "{tokens[at].text}"', sql=sql,
                position=tokens[at].start, sqlstate="42601",
            )  # fmt: skip
    return found


def _owned(
    sql: str,
    tokens: list[Token],
    at: int,
    catalog: Catalog,
    found: dict[str, int | str | None],
) -> int:
    if at < len(tokens) and tokens[at].upper == "NONE":
        found["owner_table"] = found["owner_column"] = None
        return at + 1
    if at + 2 >= len(tokens) or tokens[at + 1].text != ".":
        raise ProgrammingError(
            "invalid OWNED BY option", hint="Specify OWNED BY table.column or OWNED BY NONE.",
            sql=sql, sqlstate="42601",
        )  # fmt: skip
    table = catalog.table(tokens[at].name)
    column = table.column(tokens[at + 2].name) if table is not None else None
    if table is None or column is None:
        what = f'relation "{tokens[at].name}"' if table is None else (
            f'column "{tokens[at + 2].name}" of relation "{table.name}"'
        )  # fmt: skip
        raise ProgrammingError(
            f"{what} does not exist", sql=sql, position=tokens[at].start,
            sqlstate="42P01" if table is None else "42703",
        )  # fmt: skip
    found["owner_table"], found["owner_column"] = table.name, column.name
    return at + 3


def default_of(tokens: list[Token]) -> str | None:
    """The sequence's name in `nextval('s')`, where a default is that; None where it is not."""
    spare = {at for start, end in spared(tokens) for at in range(start, end)}
    left = [t for at, t in enumerate(tokens) if at not in spare]
    while len(left) > 2 and left[0].text == "(" and left[-1].text == ")":
        left = left[1:-1]
    texts = [t.text for t in left]
    if len(left) != 4 or left[0].name.lower() not in NAMES or (texts[1], texts[3]) != ("(", ")"):
        return None
    return unquote(left[2]) if left[2].kind == "string" else None
