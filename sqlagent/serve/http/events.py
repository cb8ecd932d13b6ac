"""`GET /watch?agent_id=…`: an agent's changes as server-sent events, as long as the client listens.

Each event's id is the change's seq: a browser that comes back says the last one by itself
(`Last-Event-ID`), and misses nothing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sqlagent.connection import Connection
from sqlagent.cursor import Row
from sqlagent.errors import DataError, Error
from sqlagent.formats.cells import plain
from sqlagent.serve.limits import TooManyConnections
from sqlagent.serve.users import Principal

if TYPE_CHECKING:
    from sqlagent.serve.http.app import App

LISTENERS_MAX = 100  # each waits on a thread of its own
WAIT_MS = 1000  # between two looks whether the client is still there
QUIET_S = 15.0  # a comment now and then, so that nothing on the way thinks the line is dead
WATCH = "SELECT seq, tbl, pk, op, at FROM watch(?, since => ?, timeout_ms => ?)"
NAMES = ("seq", "tbl", "pk", "op", "at")


async def response(app: App, request: Request, principal: Principal) -> Response:
    """The stream. Raises DataError for a wrong argument before it begins."""
    agent_id = request.query_params.get("agent_id")
    if not agent_id:
        raise DataError("agent_id is missing: whose changes?", hint="/watch?agent_id=ada")
    given = request.headers.get("last-event-id") or request.query_params.get("since")
    if given is not None and not given.isdecimal():
        raise DataError(f"since is the seq of a change, not {given!r}")
    if app.listeners.available_tokens < 1:
        raise TooManyConnections(f"{LISTENERS_MAX} clients listen already")

    def look(connection: Connection, since: int | None, wait_ms: int) -> list[Row]:
        return connection.execute(WATCH, (agent_id, since, wait_ms)).fetchall()

    async with app.held(principal) as connection:  # what is not granted is said now, with a status
        await app.watched(request, connection, lambda: look(connection, None, 0))

    async def stream() -> AsyncIterator[bytes]:
        seen = int(given) if given is not None else None
        quiet = 0.0
        async with app.held(principal) as connection:
            if seen is None:
                seen = await app.newest()
            yield f"retry: 1000\n: watching from {seen}\n\n".encode()
            while not app.ending.is_set() and not await request.is_disconnected():
                try:
                    rows = await anyio.to_thread.run_sync(
                        partial(look, connection, seen, WAIT_MS), limiter=app.listeners
                    )
                except Error as error:
                    text = json.dumps({"message": error.message, "sqlstate": error.sqlstate})
                    yield f"event: error\ndata: {text}\n\n".encode()
                    return
                for row in rows:
                    data = dict(zip(NAMES, map(plain, row), strict=True))
                    text = json.dumps(data, ensure_ascii=False)
                    yield f"event: change\nid: {row[0]}\ndata: {text}\n\n".encode()
                    seen = max(seen, row[0])
                quiet = 0.0 if rows else quiet + WAIT_MS / 1000
                if quiet >= QUIET_S:
                    quiet = 0.0
                    yield b": still here\n\n"

    return StreamingResponse(
        stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )
