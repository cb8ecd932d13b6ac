"""What the columns of a result are called: an output without a name of its own is as it is written.

Engines differ (`count_star()`, `COUNT(*)`), and a rewritten text would show; so the user's own text
decides. A plain statement on SQLite has these names by itself.
"""

from __future__ import annotations

from sqlagent.parse.lexer import Token, is_name

_ENDS = frozenset(("FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "UNION",
                   "INTERSECT", "EXCEPT", "WINDOW", "QUALIFY", "USING", "FETCH",
                   "FOR"))  # fmt: skip
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
_NOT_ALIASES = frozenset(("END", "NULL", "TRUE", "FALSE", "CURRENT_DATE", "CURRENT_TIMESTAMP",
                          "CURRENT_TIME"))  # fmt: skip
STAR = "*"
Names = tuple[str | None, ...]


def output_names(sql: str, tokens: list[Token]) -> Names | None:
    """A name for each output of a SELECT: None where the engine knows it, `*` for several columns.

    None as a whole where there is nothing to say.

    >>> from sqlagent.parse.lexer import lex
    >>> output_names(q := "SELECT n, n + 1, count(*) c FROM t", lex(q))
    (None, 'n + 1', None)
    """
    found = output_tokens(tokens)
    if found is None:
        return None
    outputs = [_name(sql, output) for output in found]
    return tuple(outputs) if any(n is not None and n != STAR for n in outputs) else None


def output_tokens(tokens: list[Token]) -> list[list[Token]] | None:
    """The tokens of each output of the first SELECT, or of a write's RETURNING; None where there is
    neither."""
    start = _returning(tokens) if _verb(tokens) in _WRITES else _first_select(tokens)
    if start is None:
        return None
    outputs, depth, first = [], 0, start
    for place in range(start, len(tokens) + 1):
        token = tokens[place] if place < len(tokens) else None
        if token is not None and token.kind == "op":
            depth += (token.text in "([{") - (token.text in ")]}")
        ended = token is None or depth < 0 or (
            not depth and token.upper in _ENDS and tokens[place - 1].upper != "WITHIN"
        )  # fmt: skip
        ended = ended or (token is not None and token.text == ";")
        if ended or (not depth and token is not None and token.text == ","):
            if place > first:
                outputs.append(tokens[first:place])
            first = place + 1
        if ended:
            break
    return outputs


def alias_of(output: list[Token]) -> str | None:
    """None where an output has a name of its own, `*` for several columns, else some text."""
    end = output[-1].start + len(output[-1].text)
    return _name(" " * end, output) if output else None


def _verb(tokens: list[Token]) -> str:
    """The main verb of a statement, past its WITH."""
    if not tokens or tokens[0].upper != "WITH":
        return tokens[0].upper if tokens else ""
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.upper in ("SELECT", *_WRITES):
            return token.upper
    return ""


def _returning(tokens: list[Token]) -> int | None:
    """Where the outputs of a write's RETURNING begin."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.upper == "RETURNING":
            return place + 1
    return None


def _first_select(tokens: list[Token]) -> int | None:
    """Where the outputs of the first SELECT begin, past DISTINCT and the parentheses of WITH."""
    depth, opened = 0, 0
    while opened < len(tokens) and tokens[opened].text == "(":
        opened += 1
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if token.upper == "SELECT" and depth <= opened:
            place += 1
            if place < len(tokens) and tokens[place].upper in ("ALL", "DISTINCT"):
                distinct = tokens[place].upper == "DISTINCT"
                place += 1
                if distinct and place < len(tokens) and tokens[place].upper == "ON":
                    inner = 0
                    for at in range(place + 1, len(tokens)):
                        inner += (tokens[at].text == "(") - (tokens[at].text == ")")
                        if not inner:
                            return at + 1
                    return None
            return place
    return None


def _name(sql: str, output: list[Token]) -> str | None:
    """The name of one output."""
    while len(output) > 2 and output[0].text == "(" and is_name(output[1]):
        if output[-1].text != ")" or any(t.text in "()," for t in output[1:-1]):
            break
        output = output[1:-1]  # a column in parentheses is that column
        if any(t.text != "." and not is_name(t) for t in output):
            return sql[output[0].start - 1 : output[-1].start + len(output[-1].text) + 1]
    last = output[-1]
    if output[0].text == "*" or any(t.upper == "COLUMNS" for t in output):
        return STAR
    if len(output) > 2 and is_name(output[0]) and output[1].text == "." and output[2].text == "*":
        return STAR
    if output[0].upper == "UNNEST":
        return STAR  # of a STRUCT it may be several
    if all(is_name(t) if i % 2 == 0 else t.text == "." for i, t in enumerate(output)):
        constant = len(output) == 1 and output[0].upper in _NOT_ALIASES
        return sql[last.start : last.start + len(last.text)] if constant else None
    depth = 0
    for token in output:
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if not depth and token.upper == "AS":
            return None
    if len(output) > 1 and is_name(output[0]) and output[1].text == ":":
        return None
    if len(output) > 2 and output[-3].upper == "INTERVAL":
        return sql[output[0].start : last.start + len(last.text)]  # INTERVAL 1 DAY
    if len(output) > 1 and (is_name(last) or last.kind == "string") and _alias(output):
        return None
    return sql[output[0].start : last.start + len(last.text)]


def _alias(output: list[Token]) -> bool:
    """Whether the last token of an output is its alias: a value ends right before it."""
    last, before = output[-1], output[-2]
    if last.kind != "quoted" and last.upper in _NOT_ALIASES:
        return False
    if before.text in (")", "]", "}") or before.kind in ("number", "string", "param", "blob"):
        return True
    if before.upper in ("END", "NULL", "TRUE", "FALSE"):
        return True
    return is_name(before) and before.upper not in _OPERATORS


_OPERATORS = frozenset((
    "AND", "OR", "NOT", "IS", "IN", "LIKE", "ILIKE", "GLOB", "BETWEEN", "FROM", "CASE", "WHEN",
    "THEN", "ELSE", "INTERVAL", "DATE", "TIMESTAMP", "TIME", "COLLATE", "ESCAPE", "SIMILAR", "TO",
    "REGEXP", "MATCH", "DISTINCT", "EXISTS", "UNIQUE", "ZONE", "OVER",
))  # fmt: skip


def spread(names: Names | None, count: int) -> list[str | None]:
    """The names of `count` columns: what stands after a `*` is counted from the end."""
    found: list[str | None] = [None] * count
    if names is None:
        return found
    if STAR not in names:
        return list(names) if len(names) == count else found
    head = names.index(STAR)
    tail = names[::-1].index(STAR)
    if head + tail > count:
        return found
    found[:head] = names[:head]
    if tail:
        found[-tail:] = names[-tail:]
    return found
