"""`GET /openapi.json`: the API in OpenAPI 3.1, with the tables and functions of its user."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import sqlagent
from sqlagent.connection import Connection
from sqlagent.formats.quote import quote_name
from sqlagent.serve.http.results import MEDIA
from sqlagent.serve.mcp.tools import list_tables
from sqlagent.serve.users import Principal

if TYPE_CHECKING:
    from sqlagent.serve.http.app import App

FUNCTIONS = (
    "SELECT name, kind, signature, description, writes FROM sqlagent_functions ORDER BY name"
)
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message"],
            "properties": {
                "message": {"type": "string"},
                "detail": {"type": ["string", "null"]},
                "hint": {"type": ["string", "null"]},
                "position": {"type": ["integer", "null"]},
                "sqlstate": {"type": "string"},
            },
        }
    },
}
PARAMETERS = {"oneOf": [{"type": "array"}, {"type": "object"}, {"type": "null"}]}


async def response(app: App, request: Request, principal: Principal) -> Response:
    """The description, for this user."""
    found = await app.run(request, principal, lambda con: description(con, app.server.name))
    return JSONResponse(found)


def description(con: Connection, name: str) -> dict[str, Any]:
    """The OpenAPI document of one database."""
    paths: dict[str, Any] = {
        "/sql": {"post": _sql()},
        "/watch": {"get": _watch()},
        "/health": {"get": _operation("Whether the file answers", "health") | {"security": []}},
        "/metrics": {"get": _operation("Metrics, in Prometheus's text format", "metrics")},
    }
    schemas: dict[str, Any] = {"Error": ERROR}
    for table in list_tables(con):
        key = table["name"]
        rows = con.execute(f"DESCRIBE {quote_name(key)}").fetchall()
        label = re.sub(r"[^A-Za-z0-9._-]", "_", key)
        schemas[label] = {
            "type": "object",
            "properties": {column: _type(str(kind)) for column, kind, *_ in rows},
        }
        paths[f"/v1/{key}"] = _table(label, [str(r[0]) for r in rows], table["type"] == "table")
    for function, kind, signature, text, writes in con.execute(FUNCTIONS).fetchall():
        operation = _operation(text, f"rpc.{function}")
        operation["description"] = f"`{signature}` ({kind})"
        operation["requestBody"] = _json(_arguments(signature))
        paths[f"/v1/rpc/{function}"] = {"post": operation}
        if not writes:
            asked = _operation(text, f"rpc.{function}.get")
            asked["description"] = operation["description"]
            asked["parameters"] = [_free("arguments")]
            paths[f"/v1/rpc/{function}"]["get"] = asked
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"sqlagent: {name}",
            "version": sqlagent.__version__,
            "description": "SQL, tables and functions of one database.",
        },
        "security": [{"basic": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "NAME:PASSWORD"},
            },
        },
    }


def _operation(summary: str, key: str) -> dict[str, Any]:
    error = {
        "description": "what was wrong",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    return {
        "summary": summary,
        "operationId": key,
        "responses": {"200": {"description": "done"}, "default": error},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _arguments(signature: str) -> dict[str, Any]:
    """A function's arguments, by the text of its signature: `f(a, b => 10)` needs an a."""
    names = re.findall(r"(?:\(|, )(\w+)(?= =>|,|\)|$)( => )?", signature)
    return {
        "type": "object",
        "properties": {name: {} for name, _ in names},
        "required": [name for name, default in names if not default],
        "additionalProperties": False,
    }


def _free(name: str) -> dict[str, Any]:
    """Any other parameters of the query, each `name=value`."""
    return {
        "name": name,
        "in": "query",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    }


def _sql() -> dict[str, Any]:
    statement = {
        "type": "object",
        "required": ["sql"],
        "properties": {"sql": {"type": "string"}, "parameters": PARAMETERS},
    }
    one = {
        **statement,
        "properties": {
            **statement["properties"],  # type: ignore[dict-item]  # the literal just above
            "format": {"enum": list(MEDIA)},
            "settings": {"type": "object"},
        },
    }
    several = {
        "type": "object",
        "required": ["statements"],
        "properties": {
            "statements": {"type": "array", "items": {"anyOf": [statement, {"type": "string"}]}},
            "settings": {"type": "object"},
        },
    }
    found = _operation("Run one statement, or several as one transaction", "sql")
    found["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {"schema": {"anyOf": [one, several]}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
    found["responses"]["200"] = {
        "description": "rows, or what was changed",
        "content": {media.split(";")[0]: {} for media in MEDIA.values()},
    }
    return found


def _watch() -> dict[str, Any]:
    found = _operation("An agent's changes, as server-sent events", "watch")
    found["parameters"] = [
        {"name": "agent_id", "in": "query", "required": True, "schema": {"type": "string"}},
        {"name": "since", "in": "query", "schema": {"type": "integer"}},
    ]
    found["responses"]["200"] = {
        "description": "events `change`, each with the seq as its id",
        "content": {"text/event-stream": {}},
    }
    return found


def _table(label: str, columns: list[str], writable: bool) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{label}"}
    some = {"type": "array", "items": reference}
    conditions = [
        {"name": column, "in": "query", "schema": {"type": "string"}, "example": "eq.1"}
        for column in columns
        if column not in ("select", "order", "limit", "offset")
    ]
    paging = [
        {"name": name, "in": "query", "schema": {"type": kind}}
        for name, kind in (
            ("select", "string"), ("order", "string"), ("limit", "integer"), ("offset", "integer")
        )
    ]  # fmt: skip
    read = _operation(f"Rows of {label}", f"{label}.read")
    read["parameters"] = [*conditions, *paging]
    read["responses"]["200"] = {
        "description": "rows",
        "content": {"application/json": {"schema": some}},
    }
    found = {"get": read}
    if writable:
        add = _operation(f"Add rows to {label}", f"{label}.add")
        add["requestBody"] = _json({"anyOf": [reference, some]})
        add["responses"] = {"201": {"description": "added"}, "default": add["responses"]["default"]}
        change = _operation(f"Change rows of {label}", f"{label}.change")
        change["parameters"] = conditions
        change["requestBody"] = _json(reference)
        remove = _operation(f"Remove rows of {label}", f"{label}.remove")
        remove["parameters"] = conditions
        found |= {"post": add, "patch": change, "delete": remove}
    return found


def _type(kind: str) -> dict[str, Any]:
    """The JSON Schema of an SQL type; what a value may be where it is of no one type."""
    upper = kind.upper()
    if "[" in upper:
        return {"type": ["array", "null"]}
    if "INT" in upper:
        return {"type": ["integer", "null"]}
    if upper.startswith(("DOUBLE", "FLOAT", "REAL", "DECIMAL", "NUMERIC")):
        return {"type": ["number", "null"]}
    if upper == "BOOLEAN":
        return {"type": ["boolean", "null"]}
    if upper.startswith("TIMESTAMP"):
        return {"type": ["string", "null"], "format": "date-time"}
    return {} if upper in ("", "JSON") else {"type": ["string", "null"]}
