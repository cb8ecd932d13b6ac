"""Table functions that write: `SELECT … FROM merge_states('ada', 'eve') …`.

The function runs once, with the writer, in its own transaction or the open one; then the SELECT
runs over its rows, which stand in the statement in place of the call.
"""

from __future__ import annotations

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import Token, is_name
from sqlagent.parse.parameters import Numbering, edited
from sqlagent.parse.words import names
from sqlagent.plan.calls import bound, call_arguments, is_function
from sqlagent.plan.plans import WriteCall, WriteTable

READS = ("SELECT", "WITH", "FROM")


def write_table(sql: str, tokens: list[Token]) -> WriteTable | None:
    """The plan of a read over the rows of a function that writes; None for any other statement.

    Raises NotSupportedError where the function stands in a write or stands there twice, and
    ProgrammingError for arguments that are no literals or parameters.
    """
    found = None
    for place, token in enumerate(tokens[:-1]):
        if not is_name(token) or tokens[place + 1].text != "(":
            continue
        function = is_function(token.name)
        if function is None or not function.apart or function.kind != "table":
            continue
        if found is not None or tokens[0].upper not in READS:
            raise NotSupportedError(
                f"{function.name}() writes, so it stands alone in the FROM of a SELECT",
                sql=sql, position=token.start,
            )  # fmt: skip
        found = place, function
    if found is None:
        return None
    place, function = found
    head = tokens[place]
    numbering = Numbering(sql, tokens)
    positional, named, end = call_arguments(tokens, place + 2, numbering)
    if end is None:
        raise ProgrammingError(
            f"the arguments of {function.name}() are literals or parameters, since it writes",
            sql=sql, position=head.start,
        )  # fmt: skip
    call = WriteCall(function.name, function.name, bound(function, positional, named, sql, head))
    last = tokens[end - 1].start + 1
    if tokens[0].upper == "SELECT" and place == 1:
        if end < len(tokens):
            raise ProgrammingError(
                f"{function.name}() gives rows", sql=sql, position=head.start,
                hint=f"SELECT … FROM {function.name}(…)",
            )  # fmt: skip
        return WriteTable(call, "SELECT * FROM ", "", ())
    alias = "" if end < len(tokens) and _names(tokens, end) else f" AS {function.name}"
    slots: list[int | str] = []
    edits: list[tuple[int, int, str]] = []
    for token in tokens:  # what is left is numbered anew, since the call takes its own away
        if token.kind == "param" and not head.start <= token.start < last:
            slot = numbering.slot(token)
            if slot not in slots:
                slots.append(slot)
            edits.append((token.start, token.start + len(token.text), f"?{slots.index(slot) + 1}"))
    before = edited(sql[: head.start], [e for e in edits if e[0] < head.start])
    after = [(s - last, e - last, t) for s, e, t in edits if s >= last]
    return WriteTable(call, before, alias + edited(sql[last:], after), tuple(slots))


_ENDS = names(
    "WHERE GROUP HAVING ORDER LIMIT OFFSET UNION EXCEPT INTERSECT JOIN LEFT RIGHT FULL INNER CROSS "
    "NATURAL ON USING WINDOW QUALIFY SAMPLE ASOF POSITIONAL SEMI ANTI SELECT FETCH FOR"
)


def _names(tokens: list[Token], place: int) -> bool:
    """Whether an alias stands at `place`."""
    token = tokens[place]
    return token.upper == "AS" or (is_name(token) and token.upper not in _ENDS)
