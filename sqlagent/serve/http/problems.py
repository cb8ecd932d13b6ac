"""Errors as HTTP says them: a status, and the error's parts as JSON."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from sqlagent.errors import Error

# By SQLSTATE, the longer prefix first: https://www.postgresql.org/docs/current/errcodes-appendix.html
STATUS = (
    ("28", 401),  # invalid authorization
    ("42501", 403),  # insufficient privilege
    ("42P01", 404),  # undefined table
    ("42883", 404),  # undefined function
    ("40", 409),  # serialization failure, transaction rollback
    ("23", 409),  # integrity constraint
    ("57014", 408),  # cancelled, or timed out
    ("54", 413),  # a limit was passed
    ("53300", 429),  # too many connections
    ("53", 503),  # out of resources
    ("55", 503),  # not now: locked
    ("58", 500),  # the system
    ("XX", 500),  # our own fault
)


def status_of(error: Error) -> int:
    """The HTTP status of an error; 400 where its statement is to blame."""
    state = error.sqlstate or ""
    return next((status for prefix, status in STATUS if state.startswith(prefix)), 400)


def body_of(error: Error) -> dict[str, Any]:
    """The parts of an error; `position` counts characters from 1."""
    place = error.position
    return {
        "error": {
            "message": error.message,
            "detail": error.detail,
            "hint": error.hint,
            "position": None if place is None else place + 1,
            "sqlstate": error.sqlstate,
        }
    }


def response_of(error: Error) -> JSONResponse:
    """An error as a response."""
    status = status_of(error)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="sqlagent", charset="UTF-8"'
    if status in (429, 503):
        headers["Retry-After"] = "1"
    return JSONResponse(body_of(error), status, headers)
