"""`CREATE INDEX name ON vectors [(vector)] USING kind WITH (collection = 'c', …)`, by tokens."""

from __future__ import annotations

from sqlagent.errors import ProgrammingError
from sqlagent.functions import sql_literal
from sqlagent.parse.clauses import wrong
from sqlagent.parse.lexer import Token, is_name
from sqlagent.parse.literals import literal


def vector_index(sql: str, tokens: list[Token]) -> str | None:
    """The statement as a call of create_vector_index(); None for any other."""
    if [t.upper for t in tokens[:2]] != ["CREATE", "INDEX"] or len(tokens) < 6:
        return None
    if not (tokens[3].upper == "ON" and tokens[4].name.lower() == "vectors"):
        return None
    place = 5
    if tokens[place].text == "(":
        inside = [t.name.lower() for t in tokens[place : place + 3]]
        if inside[1:2] != ["vector"] or tokens[place + 2].text != ")":
            return None  # an index of SQLite's, on other columns
        place += 3
    if place + 1 >= len(tokens) or tokens[place].upper != "USING":
        return None
    if not is_name(tokens[place + 1]):
        raise wrong(sql, tokens, place + 1, "exact, codes, ivf_pq or hnsw_sq")
    kind = tokens[place + 1].name.lower()
    options = _options(sql, tokens, place + 2)
    collection = options.pop("collection", None)
    if not isinstance(collection, str) or not collection:
        raise ProgrammingError(
            "the index is of one collection", sql=sql, position=tokens[place].start,
            hint=f"USING {kind} WITH (collection = '…')",
        )  # fmt: skip
    import json

    arguments = [tokens[2].name, collection, kind, json.dumps(options)]
    return f"SELECT create_vector_index({', '.join(map(sql_literal, arguments))})"


def _options(sql: str, tokens: list[Token], place: int) -> dict[str, object]:
    """WITH (name = value, …)."""
    if place >= len(tokens):
        return {}
    if tokens[place].upper != "WITH" or tokens[place + 1 : place + 2] == []:
        raise wrong(sql, tokens, place, "WITH (collection = '…')")
    if tokens[place + 1].text != "(":
        raise wrong(sql, tokens, place + 1, '"("')
    place += 2
    found: dict[str, object] = {}
    while place < len(tokens) and tokens[place].text != ")":
        if not is_name(tokens[place]) or tokens[place + 1 : place + 2] == []:
            raise wrong(sql, tokens, place, "the name of an option")
        if tokens[place + 1].text != "=":
            raise wrong(sql, tokens, place + 1, '"="')
        value, end = literal(tokens, place + 2)
        if end is None:
            raise wrong(sql, tokens, place + 2, "a value")
        found[tokens[place].name.lower()] = value
        place = end + (end < len(tokens) and tokens[end].text == ",")
    if place != len(tokens) - 1:
        raise wrong(sql, tokens, place, '")" at the end')
    return found
