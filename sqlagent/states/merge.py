"""Bringing the states of two agents together that one was forked from the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.errors import DataError, ProgrammingError
from sqlagent.states import fork, read, store
from sqlagent.states.ancestors import common
from sqlagent.states.read import Key, Version
from sqlagent.states.three_way import Conflict, Merge
from sqlagent.states.values import MISSING, dump, parse, same, style_of

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

Row = tuple[Any, ...]


class Found(NamedTuple):
    """What a merge of one state comes to; `data` None: `into` stays as it is."""

    into: Version | None
    from_: Version
    data: str | None
    conflicts: list[Conflict]


def merge(handle: Handle, into_agent_id: str, from_agent_id: str, resolve: str) -> list[Row]:
    """Write the merged states as new versions of `into_agent_id`, unless there are conflicts and
    `resolve` is 'fail'; returns a row for each conflict.

    Raises ProgrammingError where the two have nothing in common, InternalError where a version is
    damaged; nothing is written then.
    """
    into = {_state(v): v for v in fork.versions(handle, into_agent_id)}
    from_ = {_state(v): v for v in fork.versions(handle, from_agent_id)}
    if not from_ or into_agent_id == from_agent_id:
        return []
    bases = {s: common(handle, into[s], from_[s]) for s in into.keys() & from_.keys()}
    if not any(bases.values()):
        raise ProgrammingError(
            f"agents {into_agent_id} and {from_agent_id} have no state in common",
            detail="neither was forked from the other, nor both from a third",
            hint="SELECT fork(agent_id, new_agent_id) makes an agent that can be merged.",
            sqlstate="22023",
        )
    found = [
        _merged(handle, bases.get(state), into.get(state), version, resolve)
        for state, version in from_.items()
    ]
    rows = [row for one in found for row in _rows(one)]
    if not rows or resolve != "fail":
        for one in found:
            _write(handle, into_agent_id, one)
    return rows


def _state(version: Version) -> tuple[str, str]:
    """Which state of its agent a version is of."""
    return version.state_type, version.session_id or ""


def _merged(
    handle: Handle, base: Version | None, into: Version | None, from_: Version, resolve: str
) -> Found:
    """The merge of one state, nothing written yet."""
    theirs = read.text(handle, from_)
    if into is None:
        return Found(None, from_, theirs, [])
    if base is not None and base.version_id == from_.version_id:
        return Found(into, from_, None, [])
    mine = read.text(handle, into)
    if mine == theirs:
        return Found(into, from_, None, [])
    merging = Merge("from" if resolve == "from" else "into")
    try:
        before = MISSING if base is None else parse(read.text(handle, base))
        ours = parse(mine)
        value = merging(before, ours, parse(theirs))
        data = None if same(value, ours) else dump(value, style_of(mine, ours))
    except RecursionError:
        raise DataError(f"the state {from_.state_type} is nested too deeply to be merged") from None
    return Found(into, from_, data, merging.conflicts)


def _rows(found: Found) -> Iterator[Row]:
    for conflict in found.conflicts:
        values = (None if v is MISSING else dump(v) for v in conflict[1:])
        yield conflict.path, *values, found.from_.state_type, found.from_.session_id


def _write(handle: Handle, agent_id: str, found: Found) -> None:
    """Write a merged state, and that it came from both."""
    into, from_ = found.into, found.from_
    key = Key(agent_id, from_.state_type, from_.session_id)
    if found.data is not None:
        metadata = from_.metadata if into is None else into.metadata
        store.save(handle, key, found.data, metadata)
        into = read.newest(handle, key)
    assert into is not None
    fork.link(handle, agent_id, into.version_id, from_.version_id)
