"""state_diff: what changed between two versions of a state, as a JSON patch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.context import Context
from sqlagent.errors import ProgrammingError
from sqlagent.functions import table
from sqlagent.states import read


@table("op VARCHAR", "path VARCHAR", "old_value JSON", "new_value JSON")
def state_diff(
    ctx: Context,
    agent_id: str,
    from_version: int,
    to_version: int,
    state_type: str = "context",
    session_id: str | None = None,
) -> Iterator[tuple[Any, ...]]:
    """What changed between two versions of a state: the operations of a JSON patch (RFC 6902), in
    the order in which they make the second version of the first.

    Arguments:
      agent_id: whose state.
      from_version: a version.
      to_version: another, or an older one for the way back.
      state_type: of which type; 'context' by default.
      session_id: of which session; of none by default.

    Returns: op ('add', 'remove' or 'replace'), path (a JSON pointer; '' is the whole), old_value
    and new_value as JSON, NULL where there is none. An element put into an array, or taken out, is
    one row. No rows where nothing changed, for an unknown agent, and where a required argument is
    NULL.

    Errors: "agent ada has no version 7 of the state context", "version 3 of the state context of
      agent ada is damaged".

    Cost: both versions are read and compared: some 10 ms for a state of 1 MB.

    Source: RFC 6902, RFC 6901.

    Examples:
      SELECT op, path, old_value, new_value FROM state_diff('ada', 1, 2);
    """
    from sqlagent.states.diff import diff
    from sqlagent.states.values import MISSING, dump, parse

    key = read.Key(agent_id, state_type, session_id)
    texts = []
    with ctx.reading() as handle:
        last = read.newest(handle, key)
        if last is None:
            return
        for number in (from_version, to_version):
            version = read.numbered(handle, key, number)
            if version is None:
                raise ProgrammingError(
                    f"agent {agent_id} has no version {number} of the state {state_type}",
                    hint=f"The newest is {last.version}.",
                    sqlstate="02000",
                )
            texts.append(read.text(handle, version))
    if texts[0] == texts[1]:
        return
    for op, path, *values in diff(parse(texts[0]), parse(texts[1])):
        yield op, path, *(None if v is MISSING else dump(v) for v in values)
