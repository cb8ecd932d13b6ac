"""CREATE MACRO and CREATE FUNCTION, read from tokens: what is defined, and where its parts stand.

DuckDB's and PostgreSQL's spellings: `f(a, b := 1) AS a + b`, `f(a) AS TABLE SELECT …`, several
overloads parted by commas, `f(x INT) RETURNS INT LANGUAGE SQL AS $$ SELECT x + 1 $$`, `RETURN x`.
Imports no parser; `sqlagent.parse.macro` makes trees of the parts.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.clauses import Words
from sqlagent.parse.lexer import Token
from sqlagent.types import logical

_PROMISES = ("IMMUTABLE", "STABLE", "VOLATILE", "LEAKPROOF", "CALLED")
_NUMBERED = ("COST", "ROWS", "PARALLEL")


class Argument(NamedTuple):
    """A parameter of a macro; `type` as it is declared, `default` the tokens of its default."""

    name: str
    type: str | None
    default: tuple[Token, ...]


class Overload(NamedTuple):
    """One signature with its body.

    `body` are the body's tokens, a single string token where PostgreSQL's AS '…' holds it.
    `returns` is a declared type; `columns` those of RETURNS TABLE, as (name, type); `strict`: NULL
    where an argument is NULL.
    """

    parameters: tuple[Argument, ...]
    body: tuple[Token, ...]
    table: bool
    returns: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    strict: bool = False
    quoted: bool = False

    @property
    def required(self) -> int:
        """How many parameters have no default."""
        return sum(not p.default for p in self.parameters)


class Header(NamedTuple):
    """What a CREATE statement says; `name` is its token; `additive`: PostgreSQL's, which overloads
    by the number of parameters, statement by statement."""

    name: Token
    replace: bool
    temporary: bool
    if_not_exists: bool
    overloads: tuple[Overload, ...]
    additive: bool

    @property
    def kind(self) -> str:
        return "table macro" if self.overloads[0].table else "macro"


def header(sql: str, tokens: list[Token]) -> Header:
    """Read `CREATE [OR REPLACE] [TEMP] MACRO | FUNCTION …`. Raises ProgrammingError with the
    place."""
    words = Words(sql, tokens)
    words.need("CREATE")
    replace = words.take("OR", "REPLACE")
    temporary = words.take("TEMP") or words.take("TEMPORARY")
    if not (words.take("MACRO") or words.take("FUNCTION")):
        raise words.wrong("MACRO or FUNCTION")
    exists = words.take("IF", "NOT", "EXISTS")
    name = words.name("the name of the macro")
    if words.take("."):
        if name.name.lower() not in ("main", "public"):
            raise ProgrammingError(
                f'macros are kept in schema main, not "{name.name}"', sql=sql, position=name.start
            )
        name = words.name("the name of the macro")
    overloads = [_overload(words)]
    while words.at < len(tokens):
        words.need(",")
        overloads.append(_overload(words))
    for one in overloads[1:]:
        if one.table is not overloads[0].table:
            raise ProgrammingError(
                f"{name.name} is either a table or a value in all its overloads",
                sql=sql, position=name.start,
            )  # fmt: skip
    counts = [len(o.parameters) for o in overloads]
    if len(set(counts)) < len(counts):
        raise ProgrammingError(
            f"{name.name} has two overloads with the same number of parameters",
            sql=sql, position=name.start, sqlstate="42723",
        )  # fmt: skip
    additive = overloads[0].returns is not None or bool(overloads[0].columns)
    return Header(name, replace, temporary, exists, tuple(overloads), additive)


def _overload(words: Words) -> Overload:
    """`(parameters) [RETURNS …] AS body`."""
    words.need("(")
    parameters: list[Argument] = []
    while not words.take(")"):
        if parameters:
            words.need(",")
        parameters.append(_parameter(words, len(parameters)))
    seen: set[str] = set()
    for parameter in parameters:
        if parameter.name.lower() in seen:
            raise ProgrammingError(
                f'the parameter "{parameter.name}" is there twice',
                sql=words.sql, position=words.tokens[words.at - 1].start, sqlstate="42P13",
            )  # fmt: skip
        seen.add(parameter.name.lower())
    given = tuple(parameters)
    if words.word in ("AS",) and not _postgres(words):
        words.need("AS")
        table = words.take("TABLE")
        body = _body(words, table)
        if not body:
            raise words.wrong("a body")
        return Overload(given, body, table)
    return _function(words, given)


def _postgres(words: Words) -> bool:
    """Whether the body is PostgreSQL's: a string, with RETURNS or LANGUAGE before or behind it."""
    after = [t.upper for t in words.tokens[words.at + 2 :]]
    string = words.at + 1 < len(words.tokens) and words.tokens[words.at + 1].kind == "string"
    return string and bool(after) and after[0] in ("LANGUAGE", "RETURNS", "STRICT", *_PROMISES)


def _parameter(words: Words, place: int) -> Argument:
    """`name [type] [:= default]`; a lone type is PostgreSQL's parameter without a name."""
    if words.word in ("OUT", "INOUT", "VARIADIC"):
        raise NotSupportedError(
            f"{words.word} parameters are not here", hint="RETURNS TABLE (…) gives columns",
            sql=words.sql, position=words.tokens[words.at].start,
        )  # fmt: skip
    if words.word == "IN":
        words.at += 1
    first = words.name("the name of a parameter")
    kind = words.until(",", ")", ":=", "=", "=>", "DEFAULT")
    default: tuple[Token, ...] = ()
    if words.word in (":=", "=", "=>", "DEFAULT"):
        words.at += 1
        default = words.until(",", ")")
        if not default:
            raise words.wrong("a default")
    return Argument(first.name, spelled(words.sql, kind) or None, default)


def _body(words: Words, table: bool) -> tuple[Token, ...]:
    """The tokens up to the next overload, which `, (…) AS` begins (`AS TABLE` for tables)."""
    start, depth = words.at, 0
    while words.at < len(words.tokens):
        text = words.tokens[words.at].text
        if text == "," and not depth and _begins(words.tokens, words.at + 1, table):
            break
        depth += (text in "([{") - (text in ")]}") if len(text) == 1 else 0
        words.at += 1
    return tuple(words.tokens[start : words.at])


def _begins(tokens: list[Token], place: int, table: bool) -> bool:
    """Whether another overload begins at `place`."""
    if place >= len(tokens) or tokens[place].text != "(":
        return False
    depth = 0
    for at in range(place, len(tokens)):
        depth += (tokens[at].text == "(") - (tokens[at].text == ")")
        if not depth:
            after = [t.upper for t in tokens[at + 1 : at + 3]]
            return after == ["AS", "TABLE"] if table else after[:1] == ["AS"]
    return False


def _function(words: Words, parameters: tuple[Argument, ...]) -> Overload:
    """PostgreSQL's clauses, in any order, and the body among them."""
    sql = words.sql
    returns: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    table = strict = quoted = False
    body: tuple[Token, ...] = ()
    while words.at < len(words.tokens):
        if words.take("RETURNS", "NULL", "ON", "NULL", "INPUT") or words.take("STRICT"):
            strict = True
        elif words.take("RETURNS", "TABLE"):
            table, columns = True, _columns(words)
        elif words.take("RETURNS"):
            table = words.take("SETOF")
            kind = words.until(
                "AS", "RETURN", "LANGUAGE", "STRICT", "RETURNS", *_PROMISES, *_NUMBERED
            )
            returns = spelled(sql, kind)
            if not returns:
                raise words.wrong("a type")
        elif words.take("LANGUAGE"):
            language = words.tokens[words.at] if words.at < len(words.tokens) else None
            if language is None or language.text.strip("'").lower() != "sql":
                raise NotSupportedError(
                    "only functions in LANGUAGE SQL are here",
                    sql=sql, position=language.start if language else None,
                )  # fmt: skip
            words.at += 1
        elif words.word in _PROMISES:
            words.at += 1
            words.take("ON", "NULL", "INPUT")
        elif words.word in _NUMBERED:
            words.at += 2
        elif words.take("RETURN"):
            body = tuple(words.tokens[words.at :])
            words.at = len(words.tokens)
        elif words.word == "AS" and not body:
            words.at += 1
            if words.at < len(words.tokens) and words.tokens[words.at].kind == "string":
                body, quoted = (words.tokens[words.at],), True
                words.at += 1
            else:
                table = words.take("TABLE") or table
                body = tuple(words.tokens[words.at :])
                words.at = len(words.tokens)
        else:
            raise words.wrong("AS or RETURN, and a body")
    if not body:
        raise words.wrong("AS or RETURN, and a body")
    if returns is not None and returns.upper() in ("VOID", "TRIGGER"):
        raise NotSupportedError(
            f"a function that returns {returns.lower()} is not here", sql=sql,
            position=words.tokens[0].start,
        )  # fmt: skip
    named = tuple(
        a._replace(name=f"${n}", type=a.name)
        if a.type is None and logical(a.name) and returns is not None else a
        for n, a in enumerate(parameters, 1)
    )  # fmt: skip
    return Overload(named, body, table, returns, columns, strict, quoted)


def _columns(words: Words) -> tuple[tuple[str, str], ...]:
    """`(name type, …)` of RETURNS TABLE."""
    words.need("(")
    found: list[tuple[str, str]] = []
    while not words.take(")"):
        if found:
            words.need(",")
        name = words.name("the name of a column")
        kind = spelled(words.sql, words.until(",", ")"))
        if not kind:
            raise words.wrong("a type")
        found.append((name.name, kind))
    return tuple(found)


def spelled(sql: str, tokens: tuple[Token, ...]) -> str:
    """Tokens as they are written; empty for none."""
    if not tokens:
        return ""
    return sql[tokens[0].start : tokens[-1].start + len(tokens[-1].text)]


def signature(name: str, overload: Overload, sql: str) -> str:
    """`name(a, b => 1)`, as a user types it."""
    parts = [
        f"{p.name} => {spelled(sql, p.default)}" if p.default else p.name
        for p in overload.parameters
    ]
    return f"{name}({', '.join(parts)})"


def single(sql: str, head: Header, overload: Overload) -> str:
    """The CREATE statement of one overload of several; the text itself where there is one."""
    if len(head.overloads) == 1:
        return sql.strip().rstrip(";")
    parts = []
    for p in overload.parameters:
        default = f" := {spelled(sql, p.default)}" if p.default else ""
        parts.append(f"{p.name}{' ' + p.type if p.type else ''}{default}")
    table = "TABLE " if overload.table else ""
    body = spelled(sql, overload.body)
    return f"CREATE MACRO {head.name.text}({', '.join(parts)}) AS {table}{body}"
