"""The tools and resources in the protocol, by the official SDK.

A call runs on a thread with a connection of its own; one that the client cancels interrupts its
statement. What fails reaches the model as the error's whole text, with its hint.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from contextvars import ContextVar
from functools import partial
from typing import Annotated, Any, TypeVar

from sqlagent.connection import Connection
from sqlagent.errors import Error, InterfaceError
from sqlagent.serve.mcp import answers, texts, tools
from sqlagent.serve.pool import Pool

try:
    import anyio
    import anyio.to_thread
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp_types import ToolAnnotations
    from pydantic import Field
except ImportError as missing:
    raise InterfaceError(
        f"MCP needs the package {missing.name}", hint='pip install "sqlagent[serve]"'
    ) from None

T = TypeVar("T")
SCOPE: ContextVar[Any] = ContextVar("scope", default=None)  # of the HTTP request that is answered
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)
ADDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
CHANGES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False
)
SQL = Annotated[str, Field(description="One SQL statement.")]
Parameters = Annotated[
    list[Any] | dict[str, Any] | None, Field(description="Values for ? (a list) or :name.")
]
K = Annotated[int, Field(ge=0, le=1000, description="How many rows at most.")]


class Desk:
    """Where calls are run. `who` names whose connection a request gets, from its HTTP scope or,
    over stdio, from None; the pool's key is (who, whether it may write)."""

    def __init__(self, pool: Pool, who: Callable[[Any], Hashable], limits: answers.Limits) -> None:
        self.pool = pool
        self.who = who
        self.limits = limits

    async def run(self, writes: bool, work: Callable[[Connection], T]) -> T:
        """`work` with a connection, on a thread; interrupted when the call is cancelled."""
        key = (self.who(SCOPE.get()), writes)
        taken: list[Connection] = []

        def call() -> T:
            with self.pool.take(key) as connection:
                taken.append(connection)
                try:
                    return work(connection)
                finally:
                    taken.clear()

        async def interrupted() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                for connection in taken:
                    connection.interrupt()

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(interrupted)
                result = await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
                group.cancel_scope.cancel()
            return result
        except BaseExceptionGroup as several:
            raise _told(several.exceptions[0]) from None
        except Error as error:
            raise _told(error) from None


def _told(error: BaseException) -> BaseException:
    return ToolError(str(error)) if isinstance(error, Error) else error


def build(desk: Desk, *, version: str, access: str, agent: str | None = None) -> MCPServer[Any]:
    """The server with its tools: those that read, those that add where `access` is 'add' or
    'write', and `execute` where it is 'write'. `agent` is whose memories they are by default.
    """
    server: MCPServer[Any] = MCPServer(
        "sqlagent",
        title="sqlagent",
        version=version,
        instructions=texts.INSTRUCTIONS + (f"\nYou are the agent {agent!r}." if agent else ""),
        website_url=None,
        log_level="WARNING",
    )
    server.middleware.append(_remember_scope)
    _reading(server, desk, agent)
    if access != "read":
        _adding(server, desk, agent)
    if access == "write":
        _writing(server, desk)
    _resources(server, desk)
    return server


async def _remember_scope(ctx: Any, call_next: Any) -> Any:
    """Each message has its own user, also within one session."""
    token = SCOPE.set(getattr(ctx.request, "scope", None))
    try:
        return await call_next(ctx)
    finally:
        SCOPE.reset(token)


def _agent(given: str | None, known: str | None) -> str:
    found = given or known
    if not found:
        raise ToolError("agent_id is missing: whose memories or states are they?")
    return found


def _tool(
    server: MCPServer[Any], name: str, title: str, description: str, annotations: ToolAnnotations
) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    return server.tool(
        name, title=title, description=description, annotations=annotations, structured_output=True
    )


def _reading(server: MCPServer[Any], desk: Desk, agent: str | None) -> None:
    limits = desk.limits

    @_tool(server, "query", "Query", texts.QUERY, READS)
    async def query(
        sql: SQL, parameters: Parameters = None, max_rows: int | None = None
    ) -> answers.Rows:
        return await desk.run(
            False, lambda con: tools.query(con, limits, sql, parameters, max_rows)
        )

    @_tool(server, "list_tables", "List tables", texts.LIST_TABLES, READS)
    async def list_tables(pattern: str | None = None, internal: bool = False) -> list[tools.Table]:
        return await desk.run(False, lambda con: tools.list_tables(con, pattern, internal))

    @_tool(server, "describe_table", "Describe a table", texts.DESCRIBE_TABLE, READS)
    async def describe_table(name: str, sample: int = 3) -> tools.Described:
        return await desk.run(False, lambda con: tools.describe_table(con, limits, name, sample))

    @_tool(server, "recall", "Recall", texts.RECALL, READS)
    async def recall(
        query: str,
        agent_id: str | None = None,
        k: K = 10,
        kind: str | None = None,
        user_id: str | None = None,
        session_id: str | None = None,
        token_budget: int | None = None,
    ) -> answers.Rows:
        whose = _agent(agent_id, agent)
        return await desk.run(
            False,
            lambda con: tools.recall(
                con, limits, whose, query, k, kind, user_id, session_id, token_budget
            ),
        )

    @_tool(server, "search", "Search documents", texts.SEARCH, READS)
    async def search(
        query: str,
        k: K = 10,
        collection: str | None = None,
        filter: str | None = None,
    ) -> answers.Rows:
        return await desk.run(
            False, lambda con: tools.search(con, limits, query, k, collection, filter)
        )

    @_tool(server, "load_state", "Load states", texts.LOAD_STATE, READS)
    async def load_state(
        agent_id: str | None = None,
        state_type: str | None = None,
        session_id: str | None = None,
        at: str | None = None,
    ) -> list[dict[str, Any]]:
        whose = _agent(agent_id, agent)
        return await desk.run(
            False, lambda con: tools.load_state(con, whose, state_type, session_id, at)
        )


def _adding(server: MCPServer[Any], desk: Desk, agent: str | None) -> None:
    """What only adds: it is there without --read-write too, since an agent that cannot remember has
    no use for a memory."""

    @_tool(server, "remember", "Remember", texts.REMEMBER, ADDS)
    async def remember(
        content: str,
        agent_id: str | None = None,
        kind: str | None = None,
        importance: Annotated[float | None, Field(ge=0, le=1)] = None,
        session_id: str | None = None,
        user_id: str | None = None,
        speaker: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> tools.Remembered:
        work = partial(
            tools.remember,
            agent_id=_agent(agent_id, agent),
            content=content,
            kind=kind,
            importance=importance,
            session_id=session_id,
            user_id=user_id,
            speaker=speaker,
            metadata=metadata,
        )
        return await desk.run(True, work)

    @_tool(server, "save_state", "Save a state", texts.SAVE_STATE, ADDS)
    async def save_state(
        data: Annotated[Any, Field(description="The state: any JSON.")],
        agent_id: str | None = None,
        state_type: str = "context",
        session_id: str | None = None,
        if_version: int | None = None,
    ) -> tools.Saved:
        whose = _agent(agent_id, agent)
        return await desk.run(
            True,
            lambda con: tools.save_state(con, whose, data, state_type, session_id, if_version),
        )


def _writing(server: MCPServer[Any], desk: Desk) -> None:
    @_tool(server, "execute", "Execute", texts.EXECUTE, CHANGES)
    async def execute(sql: SQL, parameters: Parameters = None) -> answers.Changed:
        return await desk.run(True, lambda con: tools.execute(con, desk.limits, sql, parameters))


def _resources(server: MCPServer[Any], desk: Desk) -> None:
    @server.resource(
        "sqlagent://schema",
        name="schema",
        title="Schema",
        description="Every table with its columns, and every function.",
        mime_type="text/markdown",
    )
    async def schema() -> str:
        return await desk.run(False, texts.schema)

    @server.resource(
        "sqlagent://agents/{agent_id}/context",
        name="agent context",
        title="An agent's context",
        description="An agent's newest states and its most important memories.",
        mime_type="text/markdown",
    )
    async def agent_context(agent_id: str) -> str:
        return await desk.run(False, lambda con: texts.agent_context(con, agent_id))
