"""Consolidating an agent: the plan is made on a reader, so that nobody waits for it; the writer is
held for the writing alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.memory.consolidate.apply import Done, apply, batches
from sqlagent.memory.consolidate.model import asker, phrased
from sqlagent.memory.consolidate.steps import Step, checked, plan

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database, Handle


class Prepared(NamedTuple):
    """Steps, and what the operation's detail says about how they were found."""

    steps: list[Step]
    detail: dict[str, Any]


def prepare(
    database: Database,
    settings: Mapping[str, Any],
    agent_id: str,
    similarity: float,
    kind: str | None,
    stopped: Callable[[], bool] = lambda: False,
) -> Prepared:
    """The steps for an agent as a snapshot has it, phrased by the model where one is set."""
    checked(similarity, kind)
    with database.snapshot() as handle:
        steps = plan(handle, agent_id, similarity, kind)
    detail = described(similarity, kind)
    if asker(settings) is not None:
        steps, notes = phrased(steps, settings, stopped)
        detail["model"] = "asked"
        if notes:
            detail["extracted_instead"] = notes[:20]
    return Prepared(steps, detail)


def described(similarity: float, kind: str | None) -> dict[str, Any]:
    """What an operation's detail says about its arguments."""
    return {"similarity": similarity} | ({} if kind is None else {"kind": kind})


def at_once(handle: Handle, agent_id: str, prepared: Prepared) -> Done:
    """Apply all steps in the transaction of the writer."""
    return apply(handle, agent_id, prepared.steps, prepared.detail)


def in_batches(
    database: Database,
    agent_id: str,
    prepared: Prepared,
    told: Callable[[Done], None],
    stopped: Callable[[], bool],
) -> None:
    """Apply the steps in batches, each one transaction and one operation of the same run."""
    detail = prepared.detail
    for batch in batches(prepared.steps):
        if stopped():
            return

        def work(
            handle: Handle, batch: Sequence[Step] = batch, detail: dict[str, Any] = detail
        ) -> Done:
            return apply(handle, agent_id, batch, detail)

        done: Done = database.write(work)
        if done.operation_id is not None and "run" not in detail:
            detail = detail | {"run": done.operation_id}
        told(done)
