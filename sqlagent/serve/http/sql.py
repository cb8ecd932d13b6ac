"""`POST /sql`: one statement, or several as one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from sqlagent.connection import Connection
from sqlagent.cursor import Cursor
from sqlagent.errors import DataError, Error
from sqlagent.formats.cells import columns_of, plain
from sqlagent.serve.http import results
from sqlagent.serve.users import Principal

if TYPE_CHECKING:
    from sqlagent.serve.http.app import App

KEYS = {"sql", "parameters", "format", "statements", "settings"}


async def response(app: App, request: Request, principal: Principal) -> Response:
    """The rows of a statement (streamed), or what a transaction of several did."""
    given = await _given(app, request)
    if "statements" in given:
        statements = [_statement(one) for one in _list(given["statements"])]
        found = await app.run(
            request, principal, lambda con: _transaction(app, con, given, statements)
        )
        return JSONResponse(found)
    form = results.wanted(given.get("format"), request.headers.get("accept", ""))
    return await _streamed(app, request, principal, given, form)


async def _given(app: App, request: Request) -> dict[str, Any]:
    """What the body asks for: JSON, or the bare text of a statement."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind in ("text/plain", "application/sql"):
        try:
            text = (await app.body(request)).decode()
        except UnicodeDecodeError:
            raise DataError("the body is not UTF-8", sqlstate="22021") from None
        return {"sql": text, "format": request.query_params.get("format")}
    given = await app.json(request)
    if not isinstance(given, dict) or not ("sql" in given or "statements" in given):
        raise DataError(
            'the body is an object with "sql"',
            hint='Such as {"sql": "SELECT ?", "parameters": [1]}, or the text of a statement with '
            "Content-Type: text/plain.",
        )
    unknown = sorted(set(given) - KEYS)
    if unknown:
        raise DataError(f'the body has no "{unknown[0]}"', hint=f"It has {', '.join(sorted(KEYS))}")
    if "sql" in given:
        _statement(given)
    if not isinstance(given.get("settings") or {}, dict):
        raise DataError('"settings" is an object, such as {"dialect": "postgres"}')
    return given


def _statement(given: Any) -> tuple[str, Any]:
    """Text and parameters of a statement."""
    if isinstance(given, str):
        return given, ()
    if not isinstance(given, dict) or not isinstance(given.get("sql"), str):
        raise DataError('a statement is a text, or an object with "sql" and "parameters"')
    parameters = given.get("parameters")
    if parameters is None:
        return given["sql"], ()
    if not isinstance(parameters, list | dict):
        raise DataError('"parameters" is a list for ?, or an object for :name')
    return given["sql"], parameters


def _list(given: Any) -> list[Any]:
    if not isinstance(given, list) or not given:
        raise DataError('"statements" is a list of statements')
    return given


def _set(connection: Connection, given: dict[str, Any]) -> None:
    """The settings of this request: SET judges them, as it does a user's."""
    from sqlagent.formats.quote import quote_name, quote_text

    for name, value in (given.get("settings") or {}).items():
        connection.execute(f"SET {quote_name(name)} = {quote_text(str(value))}")


def _transaction(
    app: App,
    connection: Connection,
    given: dict[str, Any],
    statements: list[tuple[str, Any]],
) -> dict[str, Any]:
    """All of the statements, or, with the first error, none."""
    _set(connection, given)
    found = []
    connection.execute("BEGIN")
    for sql, parameters in statements:
        cursor = connection.execute(sql, parameters)
        found.append(_answer(cursor))
        app.metrics.ran()
    connection.execute("COMMIT")
    return {"results": found}


def _answer(cursor: Cursor) -> dict[str, Any]:
    changed = cursor.rowcount if cursor.rowcount >= 0 else None
    if cursor.description is None:
        return {"rows_changed": changed}
    columns = columns_of(cursor.description)
    rows = [
        [plain(value, c.type_name) for value, c in zip(row, columns, strict=True)] for row in cursor
    ]
    return {
        "columns": [{"name": c.name, "type": c.type_name} for c in columns],
        "rows": rows,
        "row_count": len(rows),
    }


async def _streamed(
    app: App, request: Request, principal: Principal, given: dict[str, Any], form: str
) -> Response:
    """The rows in pieces. The connection is the response's until its last piece."""
    sql, parameters = _statement(given)
    stack = AsyncExitStack()
    connection = await stack.enter_async_context(app.held(principal))

    def begin() -> tuple[Iterator[bytes] | None, bytes, int]:
        _set(connection, given)
        cursor = connection.execute(sql, parameters)
        if cursor.description is None:
            return None, b"", cursor.rowcount
        found = results.pieces(cursor, form)
        return found, next(found), 0

    try:
        more, first, changed = await app.watched(request, connection, begin)
        app.metrics.ran()
    except BaseException:
        await stack.aclose()
        raise
    if more is None:
        await stack.aclose()
        return JSONResponse({"rows_changed": changed if changed >= 0 else None})
    rest = more

    async def body() -> AsyncIterator[bytes]:
        async with stack:
            yield first
            try:
                while piece := await app.watched(request, connection, lambda: next(rest, b"")):
                    yield piece
            except Error as error:
                # The status has been sent: a body that breaks off is the only way left to say it.
                raise RuntimeError(f"the rows broke off: {error.message}") from None

    return StreamingResponse(body(), media_type=results.MEDIA[form])
