"""The weights of an agent's recall: the settings, and over them what was learnt from feedback.

A setting that was changed from its default stands. Of the others, a weight is that of the agent in
recall_weights, else that of every agent there, else the default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.config import SETTINGS
from sqlagent.index import Weights
from sqlagent.search.ask import memory_weights
from sqlagent.search.feedback import EVERY, feedback
from sqlagent.search.parts import PARTS

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

KEPT = """
SELECT agent_id, part, weight, judgements FROM recall_weights WHERE agent_id IN (?, ?)
"""


def weights_for(context: Context, agent_id: str) -> Weights:
    """The weights with which this agent's memories are ranked, after what is new was learnt."""
    if feedback(context.database).catch_up(context, agent_id):
        with context.database.read() as handle:  # the statement's own snapshot is older
            return kept_weights(context, handle, agent_id)
    with context.reading() as handle:
        return kept_weights(context, handle, agent_id)


def kept_weights(context: Context, handle: Handle, agent_id: str) -> Weights:
    """The weights as they are."""
    base = memory_weights(context)
    rows = handle.execute(KEPT, (agent_id, EVERY)).fetchall()
    if not rows:
        return base
    learning = context.settings.get("recall_learning", "on") == "on"
    rows = [row for row in rows if row[3] == 0 or learning]
    own = any(row[0] == agent_id and row[3] for row in rows)
    found: dict[str, Any] = {}
    for whose, part, weight, judgements in sorted(rows, key=lambda row: str(row[0])):
        if whose == EVERY and own and judgements:
            continue  # learnt from all, where the agent has enough of its own
        if part in PARTS and weight is not None and unset(context, part):
            found[part] = float(weight)
    return base._replace(**found)


def unset(context: Context, part: str) -> bool:
    """Whether the setting of a weight, where it has one, is as it comes."""
    name = f"recall_{part}_weight"
    setting = SETTINGS.get(name)
    return setting is None or context.settings.get(name, setting.default) == setting.default
