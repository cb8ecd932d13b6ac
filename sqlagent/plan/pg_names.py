"""What PostgreSQL calls the columns of a result: an output without a name of its own is called as
its function, its column, or the type that it is cast to; else `?column?`.

The rules are those of FigureColname in PostgreSQL's parse_target.c.
"""

from __future__ import annotations

from sqlagent.parse.lexer import Token, is_name
from sqlagent.plan.named import STAR, Names, alias_of, output_tokens

_TYPES = {
    "int": "int4", "integer": "int4", "bigint": "int8", "smallint": "int2", "real": "float4",
    "float": "float8", "double": "float8", "boolean": "bool", "decimal": "numeric",
    "character": "bpchar", "char": "bpchar", "string": "text",
}  # fmt: skip
_VALUES = frozenset((
    "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP",
    "CURRENT_USER", "SESSION_USER", "CURRENT_ROLE", "CURRENT_CATALOG", "CURRENT_SCHEMA", "USER",
))  # fmt: skip
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_WORDS = frozenset(("AND", "OR", "NOT", "IS", "IN", "LIKE", "ILIKE", "BETWEEN", "COLLATE",
                    "SIMILAR", "ISNULL", "NOTNULL"))  # fmt: skip


def pg_names(tokens: list[Token]) -> Names | None:
    """A name for each output of a SELECT without one: None where it has one, `*` for several
    columns; None as a whole where there is nothing to say.

    >>> from sqlagent.parse.lexer import lex
    >>> pg_names(lex("SELECT n, n + 1, count(*), x::int, '1'::int, 2 AS two FROM t"))
    (None, '?column?', 'count', 'x', 'int4', None)
    """
    outputs = output_tokens(tokens)
    if outputs is None:
        return None
    names: list[str | None] = []
    for output in outputs:
        given = alias_of(output)
        if given == STAR and output[0].upper == "UNNEST":
            given = None if _aliased(output) else ""
        names.append(given if given in (None, STAR) else figured(output))
    return tuple(names) if any(n is not None and n != STAR for n in names) else None


def _aliased(output: list[Token]) -> bool:
    """Whether a name follows what is in parentheses."""
    return output[-1].text != ")" and is_name(output[-1])


def figured(output: list[Token]) -> str:
    """The name that PostgreSQL gives an output without one.

    >>> from sqlagent.parse.lexer import lex
    >>> [figured(lex(text)) for text in ("max(n)", "n + 1", "now()::date")]
    ['max', '?column?', 'now']
    """
    return _own(_figured(output)[0]) or "?column?"


def _own(name: str) -> str:
    """The user's own name of a function that the planner has spelled otherwise."""
    from sqlagent.plan.postgres.names import SPELLED

    return name[3:] if name[:3] == "pg_" and name[3:] in SPELLED else name


def _figured(part: list[Token]) -> tuple[str, int]:
    """The name of an expression and how much it counts: 2 of a column or function, 1 of a type or
    CASE, 0 for none."""
    part = _bare(part)
    if not part:
        return "", 0
    depth = 0
    for place in range(len(part) - 1, -1, -1):
        depth += (part[place].text in _CLOSING) - (part[place].text in _OPENING)
        token = part[place]
        if depth or place == 0:
            continue
        if token.upper == "AT":
            return "timezone", 2
        if token.upper in _WORDS or (token.kind == "op" and token.text not in (
            ".", "::", *_OPENING, *_CLOSING
        )):  # fmt: skip
            return "", 0  # an operator
    depth = 0
    for place in range(len(part) - 1, 0, -1):
        depth += (part[place].text in _CLOSING) - (part[place].text in _OPENING)
        if not depth and part[place].text == "::":
            return _cast(part[:place], part[place + 1 :])
    return _primary(part)


def _bare(part: list[Token]) -> list[Token]:
    """Without parentheses around the whole."""
    while len(part) > 1 and part[0].text == "(" and _closing(part, 0) == len(part) - 1:
        if part[1].upper in ("SELECT", "WITH", "VALUES"):
            break
        part = part[1:-1]
    return part


def _closing(part: list[Token], at: int) -> int:
    """Where the bracket at a place is closed; -1: nowhere."""
    depth = 0
    for place in range(at, len(part)):
        depth += (part[place].text in _OPENING) - (part[place].text in _CLOSING)
        if not depth:
            return place
    return -1


def _cast(value: list[Token], kind: list[Token]) -> tuple[str, int]:
    name, strength = _figured(value)
    return (name, strength) if strength > 1 else (_type(kind), 1)


def _type(kind: list[Token]) -> str:
    """The system's name of a type."""
    words = [t.name.lower() for t in kind if is_name(t)]
    said = " ".join(words)
    if said.startswith("pg_catalog "):
        words = words[1:]
    if not words:
        return "?column?"
    if words[0] in ("timestamp", "time"):
        return words[0] + ("tz" if "with" in words and "without" not in words else "")
    if words[:2] == ["character", "varying"]:
        return "varchar"
    return _TYPES.get(words[0], words[0])


def _primary(part: list[Token]) -> tuple[str, int]:
    first = part[0]
    word = first.upper
    if word == "CASE":
        return _case(part)
    if len(part) > 1 and first.text == "(":  # a subquery: its first output's name
        inner = output_tokens(part[1:-1])
        if inner:
            return _named(inner[0])
        return "", 0
    if word == "ARRAY":
        return "array", 2
    if word == "CAST" and len(part) > 1 and part[1].text == "(":
        depth = 0
        for place in range(2, len(part)):
            depth += (part[place].text in _OPENING) - (part[place].text in _CLOSING)
            if not depth and part[place].upper == "AS":
                return _cast(part[2:place], part[place + 1 : -1])
        return "", 0
    if word == "EXISTS":
        return "exists", 2
    if word == "TRIM" and len(part) > 2:
        side = {"LEADING": "ltrim", "TRAILING": "rtrim"}
        return side.get(part[2].upper, "btrim"), 2
    if len(part) == 1 and word in _VALUES:
        return word.lower(), 2
    if len(part) == 1 and word in ("TRUE", "FALSE"):
        return "bool", 1
    if len(part) == 1 and word == "NULL":
        return "", 0
    if not is_name(first):
        return "", 0
    at = 1
    while at + 1 < len(part) and part[at].text == "." and is_name(part[at + 1]):
        at += 2
    name = part[at - 1]
    if at == len(part) or part[at].text == "[":  # a column, an element of one
        return name.name if name.kind == "quoted" else name.name.lower(), 2
    if part[at].text == "(":
        return name.name if name.kind == "quoted" else name.name.lower(), 2
    if part[-1].kind == "string" or part[1].kind == "string":  # INTERVAL '1 day'
        return _type(part[:-1] or part), 1
    return "", 0


def _case(part: list[Token]) -> tuple[str, int]:
    """CASE is called as what ELSE names, if that has a name."""
    depth = 0
    for place in range(1, len(part)):
        depth += (part[place].upper == "CASE") - (part[place].upper == "END")
        if not depth and part[place].upper == "ELSE":
            name, strength = _figured(part[place + 1 : -1])
            if strength > 1:
                return name, strength
    return "case", 1


def _named(output: list[Token]) -> tuple[str, int]:
    """The name that the first output of a subquery has."""
    given = alias_of(output)
    if given is None:
        return output[-1].name if output[-1].kind == "quoted" else output[-1].name.lower(), 2
    return _figured(output)
