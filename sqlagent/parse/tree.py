"""Tokens → sqlglot's tree. The module as a whole is imported lazily: it imports sqlglot.

Before sqlglot reads the text, what it would misread is spelled apart: parameters become `:p1`, E''
and $$ strings plain ones, blobs and SQLite's time functions calls of names that start with `sq_`,
and functions of ours calls of names that start with `sqlagent__` (taken off again afterwards): no
dialect of sqlglot has those names, so `search(…)` is ours and not sqlglot's own Search.
"""

from __future__ import annotations

import logging
import re
from itertools import pairwise

from sqlglot import exp, parse_one
from sqlglot.errors import ParseError, SqlglotError

from sqlagent.errors import ProgrammingError
from sqlagent.functions import functions
from sqlagent.parse.lexer import Token, is_name, quote, quote_name, unquote
from sqlagent.parse.parameters import Numbering, edited
from sqlagent.parse.words import names

# sqlglot logs what it cannot parse and passes it on as text; here that is an error.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

TIME_FUNCTIONS = frozenset(("strftime", "date", "datetime", "time", "julianday", "unixepoch"))
_KEPT = TIME_FUNCTIONS | names(
    "total printf format char range generate_series json_array_insert json_remove "
    "json_set json jsonb_extract soundex"
)
_OURS = "sqlagent__"
_PIVOTS = frozenset(("PIVOT", "UNPIVOT", "PIVOT_WIDER", "PIVOT_LONGER"))


def parse(
    sql: str,
    tokens: list[Token],
    numbering: Numbering,
    dialect: str,
    own: frozenset[str] = frozenset(),
) -> tuple[exp.Expr, bool]:
    """The tree of one statement in `dialect`; what only SQLite spells is understood in any of them.

    Second, whether the text itself is the dialect's own. `own` are lower-case names of functions
    that the user defined.

    Raises ProgrammingError with the place of a syntax error.
    """
    for token, following in pairwise(tokens):
        if token.text == following.text == ",":  # sqlglot passes over it
            raise ProgrammingError('syntax error at or near ","', sql=sql, position=following.start)
    # `:p1` at the start of an item is DuckDB's prefix of an alias, `$p1` is SQLite's column.
    edits = _edits(sql, tokens, numbering, own, "$p" if dialect == "duckdb" else ":p")
    text = _placed(sql, tokens, edits)
    try:
        tree = _parse(text, dialect)
    except SqlglotError as error:
        if dialect != "sqlite":
            try:
                plain = _placed(sql, tokens, _edits(sql, tokens, numbering, own))
                return _adopt(_parse(plain, "sqlite"), tokens, dialect), False
            except SqlglotError:
                pass
        raise _syntax_error(error, sql, text, edits, tokens) from None
    return tree, not any(t.text[0] == "`" for t in tokens)


def _placed(sql: str, tokens: list[Token], edits: list[tuple[int, int, str]]) -> str:
    """The edited statement, where it stood: what comes before it is blank."""
    first, last = tokens[0].start, tokens[-1].start + len(tokens[-1].text)
    return " " * first + edited(sql[:last], edits)[first:]


def parse_definition(sql: str, tokens: list[Token]) -> exp.Expr:
    """The tree of a view's SELECT, which is SQLite's. Raises SqlglotError where it is not one."""
    text = edited(sql, _edits(sql, tokens, Numbering(sql, tokens)))
    return _parse(text[tokens[0].start :], "sqlite")


def _parse(text: str, dialect: str) -> exp.Expr:
    """The tree that sqlglot makes, with our functions under their own names."""
    try:
        tree = parse_one(text, dialect=dialect)
    except (TypeError, AttributeError, ValueError, LookupError, AssertionError) as error:
        raise ParseError(f"not a statement: {error}") from None  # where the parser itself stumbles
    for node in tree.walk():
        node._meta = None  # sqlglot's places: not used here, and half the cost of each copy
    if isinstance(tree, exp.Command):
        raise ParseError(f"{tree.name} is not known")
    if _OURS in text:
        for node in tree.find_all(exp.Anonymous, exp.Identifier):
            name = node.this
            if isinstance(name, str) and name.startswith(_OURS):
                node.set("this", name[len(_OURS) :])
    return tree


def _adopt(tree: exp.Expr, tokens: list[Token], dialect: str) -> exp.Expr:
    """A tree read as SQLite's, given the meanings that the user's dialect has."""
    explicit = any(t.upper == "NULLS" for t in tokens)
    for node in tree.find_all(exp.Div, exp.Ordered):
        if isinstance(node, exp.Div) and dialect == "duckdb":
            node.set("typed", False)
            node.set("safe", False)
        elif isinstance(node, exp.Ordered) and not explicit:
            node.set("nulls_first", dialect == "postgres" and bool(node.args.get("desc")))
    return tree


def same_text(
    sql: str, tokens: list[Token], numbering: Numbering, mark: str
) -> list[tuple[int, int, str]]:
    """Edits after which any reader sees the tokens that ours saw.

    Comments become spaces (engines differ on nested ones), strings of every form plain ones, and
    parameters `mark` with their number: what was checked is what an engine is sent.
    """
    edits = []
    end = tokens[0].start
    for token in tokens:
        kind, text, start = token
        if "--" in (gap := sql[end:start]) or "/*" in gap:
            edits.append((end, start, " " * len(gap)))
        end = start + len(text)
        if kind == "param":
            edits.append((start, end, f"{mark}{numbering.of[start]}"))
        elif kind == "string" and text[0] != "'":
            edits.append((start, end, quote(unquote(token))))
        elif kind == "number" and text[:2] in ("0x", "0X"):
            edits.append((start, end, _decimal(text)))  # DuckDB reads 0 AS x…
    return edits


def _decimal(text: str) -> str:
    """A hexadecimal number in decimal digits: a 64-bit one in two's complement, as in SQLite."""
    value = int(text[2:].replace("_", ""), 16)
    return str(value - (1 << 64) if 1 << 63 <= value < 1 << 64 else value)


def _edits(
    sql: str,
    tokens: list[Token],
    numbering: Numbering,
    own: frozenset[str] = frozenset(),
    mark: str = ":p",
) -> list[tuple[int, int, str]]:
    """What to change in a text so that sqlglot reads it as it is meant."""
    edits = same_text(sql, tokens, numbering, mark)
    ours = functions()
    last = len(tokens) - 1
    for place, token in enumerate(tokens):
        kind, text, start = token
        new = None
        called = place < last and tokens[place + 1].text == "("
        if called and is_name(token) and ((name := token.name.lower()) in ours or name in own):
            new = _OURS + token.name
        elif kind == "quoted" and text[0] == "`":
            new = quote_name(token.name)
        elif kind == "blob":
            new = f"sq_blob('{text[2:-1]}')"
        elif called and text.lower() in _KEPT:
            new = f"sq_{text.lower()}"
        if new is not None:
            edits.append((start, start + len(text), new))
    words = {t.upper for t in tokens}
    return edits + (_pivoted(tokens) if words & (_PIVOTS | {"LIKE", "ILIKE", "GLOB"}) else [])


def _pivoted(tokens: list[Token]) -> list[tuple[int, int, str]]:
    """`[WITH …] PIVOT … ORDER BY` as an order of a subquery's rows: sqlglot ends a PIVOT before it.

    And `* LIKE 'p%'` as the COLUMNS(…) that it means.
    """
    edits = []
    depth, start, seen = 0, -1, False
    for place, token in enumerate(tokens):
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        word = token.upper
        if not depth and word in ("SELECT", "FROM"):
            seen = True
        if not depth and not seen and start < 0 and word in _PIVOTS:
            start = token.start if not place or tokens[0].upper == "WITH" else -1
        elif not depth and start >= 0 and word in ("ORDER", "LIMIT"):
            edits += [(start, start, "SELECT * FROM ("), (token.start, token.start, ") ")]
            start = -1
        if word in ("LIKE", "ILIKE", "GLOB") and 0 < place < len(tokens) - 1:
            star, form = tokens[place - 1], tokens[place + 1]
            outputs = tokens[place - 2].upper == "SELECT" or tokens[place - 2].text == ","
            if star.text == "*" and form.kind == "string" and outputs:
                text = f"COLUMNS(a_name -> a_name {word} {form.text})"
                edits.append((star.start, form.start + len(form.text), text))
    return edits


def _syntax_error(
    error: SqlglotError, sql: str, text: str, edits: list[tuple[int, int, str]], tokens: list[Token]
) -> ProgrammingError:
    """sqlglot's error as ours, with its place in the user's text."""
    details = getattr(error, "errors", None)
    if not details or details[0].get("line") is None:
        return ProgrammingError("syntax error", sql=sql, position=tokens[0].start)
    detail = details[0]
    missing = re.search(r"missing for <class '[\w.]*\.(\w+)'>", detail.get("description") or "")
    function = getattr(exp, missing[1], None) if missing else None
    if function is not None and issubclass(function, exp.Func):
        name = function.sql_name().lower()
        at = next((t.start for t in tokens if t.name.lower() == name), None)
        return ProgrammingError(f"{name}() lacks an argument", sql=sql, position=at)
    word = detail.get("highlight") or ""
    line_start = 0
    for _ in range(detail["line"] - 1):
        line_start = text.find("\n", line_start) + 1
    position = line_start + max(0, detail["col"] - len(word))
    shift = 0
    for start, end, new in sorted(edits):
        if start + shift >= position:
            break
        shift += len(new) - (end - start)
    place = position - shift
    description = detail.get("description") or ""
    if place + len(word) >= len(sql.rstrip(" ;\n\t")) and "missing" in description:
        return ProgrammingError("the statement ends too early", sql=sql, position=place)
    near = sql[place : place + len(word)] or word
    return ProgrammingError(f'syntax error at or near "{near}"', sql=sql, position=place)
