"""`nextval('public.s'::regclass)`: calls of sequences as PostgreSQL's clients write them.

By tokens alone: the server asks it of every statement.
"""

from __future__ import annotations

from sqlagent.parse.lexer import Token

NAMES = frozenset(("nextval", "currval", "setval", "lastval"))
SERIAL = "pg_get_serial_sequence"


def spared(tokens: list[Token]) -> list[tuple[int, int]]:
    """The pieces of a statement, from token to before token, that say nothing in these calls:
    `pg_catalog.` before them, and the cast of their first argument to regclass."""
    found: list[tuple[int, int]] = []
    for place, token in enumerate(tokens[:-1]):
        name = token.name.lower() if token.kind == "word" else ""
        if tokens[place + 1].text != "(" or name not in (*NAMES, SERIAL):
            continue
        texts = [t.text.lower() for t in tokens[place + 2 : place + 9]]
        if place > 1 and tokens[place - 1].text == "." and (
            tokens[place - 2].name.lower() == "pg_catalog"
        ):  # fmt: skip
            found.append((place - 2, place))
        if name == SERIAL or len(texts) < 2:
            continue
        if texts[:2] == ["cast", "("] and texts[3:6] == ["as", "regclass", ")"]:
            found += [(place + 2, place + 4), (place + 5, place + 8)]
            continue
        at = place + 2
        if tokens[at].kind not in ("string", "param"):
            continue
        while texts[at - place - 1 : at - place + 1] in (["::", "regclass"], ["::", "text"]):
            found.append((at + 1, at + 3))
            at += 2
    return found


def without(tokens: list[Token]) -> list[Token]:
    """The tokens that are left, with calls of sequences' own functions as they are."""
    gone = {at for start, end in spared(tokens) for at in range(start, end)}
    if any(t.name.lower() in NAMES for t in tokens if t.kind == "word"):
        gone |= {i for i, t in enumerate(tokens) if t.name.lower() == SERIAL}
    return [t for at, t in enumerate(tokens) if at not in gone]
