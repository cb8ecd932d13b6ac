"""MCP at `/mcp`, for the users of the server: each message acts as its own user.

The SDK takes as long to import as all the rest of the server: it is there from the first request.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import anyio.to_thread
from starlette.requests import Request

import sqlagent
from sqlagent.errors import Error
from sqlagent.serve.http.problems import response_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from sqlagent.serve.http.app import App

PRINCIPAL = "sqlagent.principal"  # in the scope of a request


class Mounted:
    """The MCP server within the application. It is an ASGI application itself."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._manager: Any = None
        self._group: anyio.abc.TaskGroup
        self._first: anyio.Lock

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While requests may come."""
        self._first = anyio.Lock()
        async with anyio.create_task_group() as self._group:
            yield
            self._group.cancel_scope.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        address = request.client.host if request.client else ""
        try:
            with self._app.server.admit(address) as visit:
                principal = await self._app.user(request)
                visit.login(principal)
                scope[PRINCIPAL] = principal
                async with self._first:
                    if self._manager is None:
                        self._manager = await self._group.start(self._run)
                await self._manager.handle_request(scope, receive, send)
        except Error as error:
            await response_of(error)(scope, receive, send)

    async def _run(self, *, task_status: anyio.abc.TaskStatus[Any]) -> None:
        manager = await anyio.to_thread.run_sync(self._build)
        async with manager.run():
            task_status.started(manager)
            await anyio.sleep_forever()

    def _build(self) -> Any:
        from mcp.server.transport_security import TransportSecuritySettings

        from sqlagent.serve.mcp.answers import Limits
        from sqlagent.serve.mcp.server import Desk, build

        desk = Desk(self._app.pool, lambda scope: scope[PRINCIPAL], Limits())
        # All the tools: what their user may do, the gate judges.
        server = build(desk, version=sqlagent.__version__, access="write")
        # Each request says who it is, so a page that rebinds a name has nothing to send.
        security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        server.streamable_http_app(stateless_http=True, transport_security=security)
        return server.session_manager
