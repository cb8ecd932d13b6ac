"""LangGraph on one file: `SqlAgentSaver` and `AsyncSqlAgentSaver` keep the checkpoints of graphs,
`SqlAgentStore` is their long-term memory. All of it is seen in SQL: `langgraph_states` has what
every channel of every thread holds, `langgraph_items` what the store keeps.

>>> from sqlagent.langgraph import SqlAgentSaver
>>> graph = builder.compile(checkpointer=SqlAgentSaver("agent.db"))
"""

from __future__ import annotations

from sqlagent.errors import NotSupportedError

try:
    import langgraph.checkpoint.base
    import langgraph.store.base  # noqa: F401  # only whether it is there
except ImportError as missing:
    raise NotSupportedError(
        f"sqlagent.langgraph needs the package langgraph-checkpoint: {missing}",
        hint="pip install sqlagent[langgraph]",
    ) from None

from sqlagent.langgraph.saver import AsyncSqlAgentSaver, SqlAgentSaver
from sqlagent.langgraph.store import SqlAgentStore

__all__ = ["AsyncSqlAgentSaver", "SqlAgentSaver", "SqlAgentStore"]
