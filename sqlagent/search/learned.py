"""The weights of an agent's recall: the settings, and what was learnt from feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.index import Weights
from sqlagent.search.ask import memory_weights

if TYPE_CHECKING:
    from sqlagent.context import Context


def weights_for(context: Context, agent_id: str) -> Weights:
    """The weights with which this agent's memories are ranked."""
    return memory_weights(context)
