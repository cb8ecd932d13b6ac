"""MCP at `/mcp`, for the users of the server: each message acts as its own user."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import sqlagent
from sqlagent.errors import Error
from sqlagent.serve.http.problems import response_of
from sqlagent.serve.mcp.answers import Limits
from sqlagent.serve.mcp.server import Desk, build

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from sqlagent.serve.http.app import App

PRINCIPAL = "sqlagent.principal"  # in the scope of a request


class Mounted:
    """The MCP server within the application."""

    def __init__(self, app: App) -> None:
        from mcp.server.transport_security import TransportSecuritySettings

        desk = Desk(app.pool, lambda scope: scope[PRINCIPAL], Limits())
        # All the tools: what their user may do, the gate judges.
        server = build(desk, version=sqlagent.__version__, access="write")
        self._app = app
        # Each request says who it is, so a page that rebinds a name has nothing to send.
        security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        server.streamable_http_app(stateless_http=True, transport_security=security)
        self._manager = server.session_manager
        self.endpoint = _Endpoint(self)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While requests may come."""
        async with self._manager.run():
            yield

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request of a client."""
        from starlette.requests import Request

        request = Request(scope, receive)
        address = request.client.host if request.client else ""
        try:
            with self._app.server.admit(address) as visit:
                principal = await self._app.user(request)
                visit.login(principal)
                scope[PRINCIPAL] = principal
                await self._manager.handle_request(scope, receive, send)
        except Error as error:
            await response_of(error)(scope, receive, send)


class _Endpoint:
    """An ASGI application, which Starlette takes as it is."""

    def __init__(self, mounted: Mounted) -> None:
        self._mounted = mounted

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._mounted.answer(scope, receive, send)
