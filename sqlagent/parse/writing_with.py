"""`WITH moved AS (DELETE … RETURNING *) INSERT …`: the parts of a WITH that writes.

By tokens alone: what is not such a statement is told apart without a parser.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.clauses import closing
from sqlagent.parse.lexer import Token, is_name

WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE")
_VERBS = (*WRITES, "SELECT", "VALUES", "TABLE", "FROM")
_AFTER_TARGET = (
    "SET", "WHERE", "USING", "FROM", "RETURNING", "VALUES", "SELECT", "DEFAULT", "WITH", "ON",
    "OVERRIDING", "BY", "INDEXED", "NOT",
)  # fmt: skip


class Part(NamedTuple):
    """One query of a WITH, or with `name` '' the statement after it.

    `columns` are the names that it is given; `tokens` those of its own text; `verb` its main verb;
    `target` the name of the table that it writes and `alias` what that is called in it;
    `returning` the tokens after RETURNING; `others` those of the items of FROM or USING beside
    the target; `head` is where its own WITH ends, 0 without one.
    """

    name: str
    columns: tuple[str, ...]
    tokens: list[Token]
    verb: str
    target: str = ""
    alias: str = ""
    returning: tuple[Token, ...] = ()
    others: tuple[Token, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it changes rows."""
        return self.verb in WRITES


class Split(NamedTuple):
    """The parts of a statement, the last of which is the statement itself."""

    parts: tuple[Part, ...]
    recursive: bool


def split(sql: str, tokens: list[Token]) -> Split | None:
    """The parts of a statement whose WITH writes; None for any other statement.

    Raises NotSupportedError for a write in the WITH of a part, ProgrammingError for a name that is
    given twice.
    """
    if tokens[0].upper != "WITH" or not any(
        t.upper in WRITES and tokens[at - 1].text == "(" for at, t in enumerate(tokens)
    ):
        return None
    recursive = len(tokens) > 1 and tokens[1].upper == "RECURSIVE"
    place = 2 if recursive else 1
    parts: list[Part] = []
    while place < len(tokens) and is_name(tokens[place]):
        name, columns = tokens[place], []
        place += 1
        if _text(tokens, place) == "(":
            end = closing(tokens, place)
            columns = [t.name for t in tokens[place + 1 : end] if is_name(t)]
            place = end + 1
        if _word(tokens, place) != "AS":
            return None
        place += 1
        place += _word(tokens, place) == "NOT"
        place += _word(tokens, place) == "MATERIALIZED"
        if _text(tokens, place) != "(":
            return None
        end = closing(tokens, place)
        if end >= len(tokens) - 1 or end == place + 1:
            return None  # nothing follows: the parser says what is wrong
        if any(p.name.lower() == name.name.lower() for p in parts):
            raise ProgrammingError(
                f'WITH query name "{name.name}" specified more than once', sql=sql,
                position=name.start, sqlstate="42712",
            )  # fmt: skip
        parts.append(_part(sql, name.name, tuple(columns), tokens[place + 1 : end]))
        place = end + 1
        if _text(tokens, place) != ",":
            break
        place += 1
    if not any(p.writes for p in parts) or place >= len(tokens):
        return None
    return Split((*parts, _part(sql, "", (), tokens[place:])), recursive)


def write_of(sql: str, tokens: list[Token]) -> Part | None:
    """A statement that writes, and returns what it wrote; None for any other."""
    if not any(t.upper == "RETURNING" for t in tokens):
        return None
    word = tokens[0].upper
    if word == "WITH":
        word = next((t.upper for _, t in _level(tokens, 1) if t.upper in _VERBS), "")
    if word not in WRITES:
        return None
    found = _part(sql, "", (), tokens)
    return found if found.returning else None


def _part(sql: str, name: str, columns: tuple[str, ...], tokens: list[Token]) -> Part:
    for at, token in enumerate(tokens[:-1]):
        if token.text == "(" and tokens[at + 1].upper in WRITES and (
            at and tokens[at - 1].upper in ("AS", "MATERIALIZED")
        ):  # fmt: skip
            raise NotSupportedError(
                "WITH clause containing a data-modifying statement must be at the top level",
                sql=sql, position=tokens[at + 1].start,
            )  # fmt: skip
    at = next((i for i, t in _level(tokens) if t.upper in _VERBS), 0)
    verb = tokens[at].upper
    if verb not in WRITES:
        return Part(name, columns, tokens, verb or "SELECT")
    place = at + 1
    while _word(tokens, place) in ("INTO", "FROM", "ONLY", "OR", "IGNORE", "REPLACE", "ABORT",
                                   "FAIL", "ROLLBACK"):  # fmt: skip
        place += 1
    while _text(tokens, place + 1) == "." and place + 2 < len(tokens):
        place += 2
    if place >= len(tokens) or not is_name(tokens[place]):
        raise ProgrammingError(
            f"{verb} needs the name of a table", sql=sql, position=tokens[at].start
        )
    target = tokens[place].name
    place += 1 + (_text(tokens, place + 1) == "*")
    alias = ""
    if _word(tokens, place) == "AS" and place + 1 < len(tokens):
        alias = tokens[place + 1].name
    elif place < len(tokens) and is_name(tokens[place]) and (
        tokens[place].upper not in _AFTER_TARGET
    ):  # fmt: skip
        alias = tokens[place].name
    returning: tuple[Token, ...] = ()
    others: list[Token] = []
    starts = {"UPDATE": "FROM", "DELETE": "USING", "MERGE": "USING"}.get(verb)
    inside = False
    for place, token in _level(tokens, at + 2):
        if token.upper == "RETURNING":
            returning = tuple(tokens[place + 1 :])
            break
        inside = inside or token.upper == starts
    if inside:
        others = _others(tokens[at + 2 :], str(starts))
    return Part(name, columns, tokens, verb, target, alias, returning, tuple(others))


def _others(tokens: list[Token], begins: str) -> list[Token]:
    """The items after FROM or USING, up to the condition."""
    found: list[Token] = []
    depth, inside = 0, False
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.text != ")":
            if inside and token.upper in ("WHERE", "RETURNING", "WHEN"):
                break
            if begins == "USING" and inside and token.upper == "ON" and not _joined(found):
                break
            if not inside and token.upper == begins:
                inside = True
                continue
        if inside:
            found.append(token)
    return found


def _joined(tokens: list[Token]) -> bool:
    """Whether an ON that follows is that of a JOIN."""
    joins = sum(t.upper == "JOIN" for t in tokens)
    return joins > sum(t.upper == "ON" for t in tokens)


def _level(tokens: list[Token], start: int = 0) -> list[tuple[int, Token]]:
    """The tokens outside of parentheses from `start` on, with their places."""
    found, depth = [], 0
    for place, token in enumerate(tokens):
        depth += token.text == "("
        if not depth and place >= start:
            found.append((place, token))
        depth -= token.text == ")"
    return found


def _text(tokens: list[Token], place: int) -> str:
    return tokens[place].text if place < len(tokens) else ""


def _word(tokens: list[Token], place: int) -> str:
    return tokens[place].upper if place < len(tokens) else ""
