"""The application: who asks, which route answers, and statements on threads.

Every route but `/health` wants a user: HTTP Basic, or `Authorization: Bearer NAME:PASSWORD`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

import sqlagent
from sqlagent.connection import Connection
from sqlagent.errors import DataError, Error
from sqlagent.serve.http import events, openapi, rest, sql
from sqlagent.serve.http.mcp import Mounted
from sqlagent.serve.http.metrics import Metrics
from sqlagent.serve.http.problems import response_of, status_of
from sqlagent.serve.limits import LimitError
from sqlagent.serve.pool import Pool
from sqlagent.serve.users import AuthenticationError, Principal
from sqlagent.sync.log import newest

if TYPE_CHECKING:
    from sqlagent.serve.server import Server

T = TypeVar("T")
GONE_S = 0.25  # between two looks whether the client is there
THREADS = 32  # statements at a time; who waits for a change has threads of its own


class App:
    """An ASGI application over one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ready = threading.Event()
        self.ending = threading.Event()
        self.metrics = Metrics(server)
        self.pool = Pool(self._connect)
        self._running: set[Connection] = set()
        self._mcp = Mounted(self)
        self._threads: anyio.CapacityLimiter | None = None
        self.listeners: anyio.CapacityLimiter
        self._starlette = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/metrics", self._asked(self.metrics.response)),
                Route("/openapi.json", self._asked(openapi.response)),
                Route("/sql", self._asked(sql.response), methods=["POST"]),
                Route("/watch", self._asked(events.response)),
                Route("/v1/rpc/{function}", self._asked(rest.call), methods=["GET", "POST"]),
                Route(
                    "/v1/{table}",
                    self._asked(rest.response),
                    methods=["GET", "POST", "PATCH", "DELETE"],
                ),
                Route("/mcp", self._mcp, methods=["GET", "POST", "DELETE"]),
            ],
            exception_handlers={404: _not_found, 405: _not_allowed},
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._starlette(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self._threads = anyio.CapacityLimiter(THREADS)  # made where the loop is
        self.listeners = anyio.CapacityLimiter(events.LISTENERS_MAX)
        async with self._mcp.running():
            self.ready.set()
            yield

    # Who asks -------------------------------------------------------------------------------------

    async def user(self, request: Request) -> Principal:
        """The user of a request. Raises AuthenticationError, late where it was wrong before."""
        address = request.client.host if request.client else ""
        delay = self.server.failures.delay(address)
        if delay:
            await asyncio.sleep(delay)
        name, password = _credentials(request.headers.get("authorization", ""))
        try:
            found = await anyio.to_thread.run_sync(self.server.users.password, name, password)
        except AuthenticationError:
            self.server.failures.failed(address)
            raise
        self.server.failures.succeeded(address)
        return found

    def _asked(self, answer: Callable[[App, Request, Principal], Any]) -> Any:
        """A route that wants a user, and says errors as JSON."""

        async def endpoint(request: Request) -> Response:
            begun = time.perf_counter()
            status = 500
            try:
                with self.server.admit(request.client.host if request.client else "") as visit:
                    principal = await self.user(request)
                    visit.login(principal)
                    response: Response = await answer(self, request, principal)
                status = response.status_code
                return response
            except Error as error:
                status = status_of(error)
                return response_of(error)
            finally:
                self.metrics.asked(request, status, time.perf_counter() - begun)

        return endpoint

    # Statements -----------------------------------------------------------------------------------

    def _connect(self, who: Any) -> Connection:
        principal, may_write = who
        if not may_write:
            principal = replace(principal, role="reader")
        return self.server.connect(principal)

    @contextlib.asynccontextmanager
    async def held(self, principal: Principal) -> AsyncIterator[Connection]:
        """A connection of the user's, for one request."""
        stack = contextlib.ExitStack()
        connection = await self._thread(
            lambda: stack.enter_context(self.pool.take((principal, True)))
        )
        self._running.add(connection)
        try:
            yield connection
        finally:
            self._running.discard(connection)
            with anyio.CancelScope(shield=True):  # its open transaction is rolled back
                await self._thread(stack.close)

    async def run(
        self, request: Request, principal: Principal, work: Callable[[Connection], T]
    ) -> T:
        """`work` on a thread, with a connection of the user's."""
        async with self.held(principal) as connection:
            return await self.watched(request, connection, lambda: work(connection))

    async def watched(self, request: Request, connection: Connection, work: Callable[[], T]) -> T:
        """`work` on a thread; it is interrupted when the client goes away."""

        async def gone() -> None:
            while not await request.is_disconnected():
                await asyncio.sleep(GONE_S)
            connection.interrupt()

        watch = asyncio.create_task(gone())
        try:
            return await self._thread(work)
        finally:
            watch.cancel()

    async def _thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._threads)

    async def body(self, request: Request) -> bytes:
        """The body of a request. Raises LimitError where it is larger than a message may be."""
        most = self.server.limits.message_bytes
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise LimitError(f"the body is larger than {most} bytes")
            parts.append(part)
        return b"".join(parts)

    async def json(self, request: Request) -> Any:
        """The body as JSON. Raises DataError."""
        import json

        try:
            return json.loads(await self.body(request))
        except ValueError as error:
            raise DataError(f"the body is JSON: {error}", sqlstate="22P02") from None

    async def newest(self) -> int:
        """The newest entry of the change log."""
        return int(await self._thread(lambda: newest(self.server.owner.database)))

    async def _health(self, request: Request) -> Response:
        """Whether the file answers; for everyone, and says nothing else."""
        try:
            await anyio.to_thread.run_sync(lambda: self.server.owner.execute("SELECT 1").fetchone())
        except Error:
            return JSONResponse({"status": "failing"}, 503)
        return JSONResponse({"status": "ok", "version": sqlagent.__version__})

    @property
    def busy(self) -> int:
        """How many requests hold a connection."""
        return len(self._running)

    def interrupt(self) -> None:
        """End every statement that runs."""
        for connection in tuple(self._running):
            connection.interrupt()

    def close(self) -> None:
        """Close the connections."""
        self.pool.close()


def _credentials(header: str) -> tuple[str, str]:
    """Name and password of an Authorization header (RFC 7617, RFC 6750)."""
    scheme, _, given = header.partition(" ")
    try:  # a header's bytes come as Latin-1's characters
        text = given.strip().encode("latin-1").decode()
    except UnicodeError:
        text = given.strip()
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
    elif scheme.lower() != "bearer":
        text = ""
    name, colon, password = text.partition(":")
    if not colon:
        raise AuthenticationError(
            "a user and a password are needed",
            hint="Authorization: Basic, or Bearer NAME:PASSWORD",
            sqlstate="28000",
        )
    return name, password


async def _not_found(request: Request, _: Exception) -> Response:
    return JSONResponse(
        {
            "error": {
                "message": f"there is nothing at {request.url.path}",
                "hint": "See /openapi.json.",
                "sqlstate": "42704",
            }
        },
        404,
    )


async def _not_allowed(request: Request, _: Exception) -> Response:
    return JSONResponse(
        {
            "error": {
                "message": f"{request.url.path} does not take {request.method}",
                "hint": "See /openapi.json.",
                "sqlstate": "0A000",
            }
        },
        405,
    )
