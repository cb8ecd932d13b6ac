"""A small REST view of the tables, `/v1/TABLE?column=operator.value`, in PostgREST's spelling.

Names are quoted and values are parameters: whatever a client sends, it is one statement on one
table, which the gate judges like any other. `/v1/rpc/FUNCTION?name=value` calls a function.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sqlagent.connection import Connection
from sqlagent.errors import DataError, ProgrammingError, nearest
from sqlagent.formats.cells import columns_of, plain
from sqlagent.formats.quote import quote_name
from sqlagent.formats.typed import scalar
from sqlagent.formats.writers import distinct
from sqlagent.serve.users import Principal

if TYPE_CHECKING:
    from sqlagent.serve.http.app import App

LIMIT = 1000  # rows, where a request says nothing
OPERATORS = {
    "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "LIKE",
    "ilike": "ILIKE",
}  # fmt: skip
IS = {"null": "IS NULL", "true": "IS TRUE", "false": "IS FALSE", "not_null": "IS NOT NULL"}
RESERVED = ("select", "order", "limit", "offset")


class Where(NamedTuple):
    """Conditions as SQL, and their values."""

    sql: str
    values: list[Any]


async def response(app: App, request: Request, principal: Principal) -> Response:
    """Read, add, change or remove rows of a table."""
    table = quote_name(request.path_params["table"])
    query = request.query_params
    if request.method == "GET":
        return await _read(app, request, principal, table, query)
    returning = "return=representation" in request.headers.get("prefer", "")
    end = " RETURNING *" if returning else ""
    given = None if request.method == "DELETE" else await app.json(request)

    def statements(con: Connection) -> list[Where]:
        if request.method == "POST":
            rows = given if isinstance(given, list) else [given]
            return [insert(table, row, end) for row in rows]
        where = conditions(query, kinds(con, table))
        if not where.sql:
            raise ProgrammingError(
                f"{request.method} wants a condition, such as ?id=eq.7",
                detail="without one it would change every row",
            )
        if request.method == "PATCH":
            return [update(table, given, where, end)]
        return [Where(f"DELETE FROM {table}{where.sql}{end}", where.values)]

    found, count = await app.run(request, principal, lambda con: _write(con, statements(con)))
    app.metrics.ran()
    status = 201 if request.method == "POST" else 200
    if returning:
        return JSONResponse(found, status)
    return JSONResponse({"rows_changed": count}, status)


async def _read(
    app: App, request: Request, principal: Principal, table: str, query: QueryParams
) -> Response:
    limit = whole(query.get("limit"), "limit", LIMIT)
    offset = whole(query.get("offset"), "offset", 0)
    columns, order = selected(query.get("select")), ordered(query.get("order"))
    counts = "count=exact" in request.headers.get("prefer", "")

    def work(con: Connection) -> tuple[list[dict[str, Any]], int | None]:
        where = conditions(query, kinds(con, table))
        sql = f"SELECT {columns} FROM {table}{where.sql}{order} LIMIT ? OFFSET ?"
        rows = _records(con, sql, [*where.values, limit, offset])
        total = None
        if counts:
            counted = con.execute(f"SELECT count(*) FROM {table}{where.sql}", where.values)
            total = int(counted.fetchall()[0][0])
        return rows, total

    rows, total = await app.run(request, principal, work)
    app.metrics.ran()
    span = f"{offset}-{offset + len(rows) - 1}" if rows else "*"
    shown = "*" if total is None else str(total)
    return JSONResponse(rows, headers={"Content-Range": f"{span}/{shown}"})


async def call(app: App, request: Request, principal: Principal) -> Response:
    """Call a function of ours by the names of its arguments."""
    name = request.path_params["function"]
    if request.method == "POST":
        given = await app.json(request)
        if not isinstance(given, dict):
            raise DataError("the body is an object of the function's arguments")
    else:
        given = {key: scalar(value) for key, value in request.query_params.items()}
    known = "SELECT lower(name), kind FROM sqlagent_functions"

    def work(con: Connection) -> list[dict[str, Any]]:
        kinds: dict[str, str] = dict(con.execute(known).fetchall())
        kind = kinds.get(name.lower())
        if kind is None:
            raise ProgrammingError(
                f'there is no function "{name}"', hint=nearest(name, kinds), sqlstate="42883"
            )
        arguments = ", ".join(f"{quote_name(key)} => ?" for key in given)
        source = f"{quote_name(name)}({arguments})"
        sql = f"SELECT * FROM {source}" if kind == "table" else f"SELECT {source} AS result"
        values = [json.dumps(v) if isinstance(v, dict) else v for v in given.values()]
        return _records(con, sql, values)

    rows = await app.run(request, principal, work)
    app.metrics.ran()
    return JSONResponse(rows)


def kinds(con: Connection, table: str) -> dict[str, str]:
    """Lower-case column → type of a (quoted) table."""
    found = con.execute(f"DESCRIBE {table}").fetchall()
    return {str(name).lower(): str(kind) for name, kind, *_ in found}


def conditions(query: QueryParams, known: dict[str, str]) -> Where:
    """`column=operator.value` for each column, all of them; `not.` before an operator turns it.

    A value is text for a column of text, else a number or a truth where it is written as one.
    """
    parts: list[str] = []
    values: list[Any] = []
    for column, text in query.multi_items():
        if column in RESERVED:
            continue
        operator, dot, value = text.partition(".")
        negated = operator == "not"
        if negated:
            operator, dot, value = value.partition(".")
        name = quote_name(column)
        literal = str if known.get(column.lower()) == "VARCHAR" else scalar
        if operator in OPERATORS and dot:
            condition = f"{name} {OPERATORS[operator]} ?"
            values.append(value if "like" in operator else literal(value))
        elif operator == "is" and value in IS:
            condition = f"{name} {IS[value]}"
        elif operator == "in" and value.startswith("(") and value.endswith(")"):
            items = [literal(item) for item in listed(value[1:-1])]
            condition = f"{name} IN ({', '.join('?' * len(items))})" if items else "false"
            values += items
        else:
            raise ProgrammingError(
                f'"{column}={text}" is no condition',
                hint=f"It is column=operator.value; operators are {', '.join(OPERATORS)}, in, is "
                "and not.",
            )
        parts.append(f"NOT ({condition})" if negated else condition)
    return Where(f" WHERE {' AND '.join(parts)}" if parts else "", values)


def listed(text: str) -> list[str]:
    """The items of a list, separated by commas; one in double quotes may hold a comma."""
    import csv

    return next(csv.reader([text], escapechar="\\", doublequote=False), [])


def selected(text: str | None) -> str:
    """The columns of `select=a,b`; all of them where there is none."""
    if not text or text == "*":
        return "*"
    return ", ".join(quote_name(column.strip()) for column in text.split(","))


def ordered(text: str | None) -> str:
    """ORDER BY of `order=a.desc.nullslast,b`."""
    if not text:
        return ""
    words = {"asc": "ASC", "desc": "DESC", "nullsfirst": "NULLS FIRST", "nullslast": "NULLS LAST"}
    parts = []
    for item in text.split(","):
        column, *rest = item.strip().split(".")
        wrong = [word for word in rest if word not in words]
        if wrong:
            raise ProgrammingError(
                f'"{wrong[0]}" is no order', hint=f"order=column.{'|'.join(words)}"
            )
        parts.append(" ".join([quote_name(column), *(words[word] for word in rest)]))
    return f" ORDER BY {', '.join(parts)}"


def whole(text: str | None, name: str, default: int) -> int:
    """A count of a URL."""
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 15:
        raise DataError(f"{name} is a whole number from 0, not {text!r}")
    return int(text)


def insert(table: str, row: Any, end: str) -> Where:
    """INSERT of one object."""
    if not isinstance(row, dict):
        raise DataError("the body is an object of columns, or a list of such", sqlstate="22P02")
    if not row:
        return Where(f"INSERT INTO {table} DEFAULT VALUES{end}", [])
    names = ", ".join(quote_name(name) for name in row)
    marks = ", ".join("?" * len(row))
    return Where(f"INSERT INTO {table} ({names}) VALUES ({marks}){end}", _values(row))


def update(table: str, row: Any, where: Where, end: str) -> Where:
    """UPDATE of the columns of one object."""
    if not isinstance(row, dict) or not row:
        raise DataError("the body is an object of the columns to change", sqlstate="22P02")
    changes = ", ".join(f"{quote_name(name)} = ?" for name in row)
    return Where(f"UPDATE {table} SET {changes}{where.sql}{end}", [*_values(row), *where.values])


def _values(row: dict[str, Any]) -> list[Any]:
    """Objects are kept as JSON; lists of numbers are vectors."""
    return [json.dumps(v, ensure_ascii=False) if isinstance(v, dict) else v for v in row.values()]


def _write(con: Connection, statements: list[Where]) -> tuple[list[dict[str, Any]], int]:
    """All of the statements, or, with the first error, none: their rows, how many changed."""
    rows: list[dict[str, Any]] = []
    count = 0
    con.execute("BEGIN")
    for sql, values in statements:
        cursor = con.execute(sql, values)
        count += max(0, cursor.rowcount)
        if cursor.description is not None:
            rows += _objects(cursor)
    con.execute("COMMIT")
    return rows, count


def _records(con: Connection, sql: str, values: list[Any]) -> list[dict[str, Any]]:
    return _objects(con.execute(sql, values))


def _objects(cursor: Any) -> list[dict[str, Any]]:
    columns = columns_of(cursor.description)
    names = list(distinct(columns))
    kinds = [c.type_name for c in columns]
    return [dict(zip(names, map(plain, row, kinds), strict=True)) for row in cursor]
