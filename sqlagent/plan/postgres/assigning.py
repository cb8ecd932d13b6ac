"""What is assigned to a column, as PostgreSQL reads it: a text is read as the column's type, and
DEFAULT is the column's own.

SQLite keeps a text that is no value of a column's type; PostgreSQL's INSERT and UPDATE refuse it,
and keep the value that it says: `'yes'` is true, `'2024-05-06 07:08+08'` the same instant in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from sqlagent import texts
from sqlagent.errors import DataError
from sqlagent.parse.lexer import Token, is_name, lex, quote, unquote
from sqlagent.plan.postgres.parts import arguments, closed, listed
from sqlagent.types import is_zoned
from sqlagent.values import stored

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog, Column, Table

Edit = tuple[int, int, str]
Assigned = tuple[str, list[Token]]  # a column's name, and what it is given
_ENDS = frozenset(("FROM", "WHERE", "RETURNING", "ON", "LIMIT", "ORDER"))
_MOMENTS = ("TIMESTAMP", "TIMESTAMPTZ", "DATE")


def edits(sql: str, tokens: list[Token], catalog: Catalog) -> list[Edit]:
    """The edits of an INSERT or UPDATE after which each literal is what its column keeps.

    Raises DataError (22P02, 22007, 22008, 22003) for a text that is no value of its column's type.
    """
    start = _verb(tokens)
    if start is None:
        return []
    own = tokens[start:]
    insert = own[0].upper == "INSERT"
    at = 2 if insert else 2 if own[1].upper == "ONLY" else 1
    table = catalog.table(own[at].name) if at < len(own) and is_name(own[at]) else None
    if table is None or table.kind not in ("table", "virtual"):
        return []
    given = _inserted(own, at, table) if insert else _set(own, at)
    found: list[Edit] = []
    for name, part in given:
        column = table.column(name)
        if column is None or not part:
            continue
        if part[0].upper == "DEFAULT" and len(part) == 1:
            said: str | None = _default(column)
        else:
            said = _read(sql, part, column)
        if said is not None:
            found.append((part[0].start, part[-1].start + len(part[-1].text), said))
    return found


def _verb(tokens: list[Token]) -> int | None:
    """Where the INSERT or UPDATE of a statement is, past its WITH."""
    if tokens[0].upper in ("INSERT", "UPDATE"):
        return 0 if len(tokens) > 3 else None
    if tokens[0].upper != "WITH":
        return None
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if not depth and token.upper in ("INSERT", "UPDATE"):
            return place if len(tokens) > place + 3 else None
        if not depth and token.upper == "SELECT":
            return None
    return None


def _inserted(tokens: list[Token], at: int, table: Table) -> Iterator[Assigned]:
    """What VALUES and ON CONFLICT … DO UPDATE SET give."""
    at += 1
    at += 2 if tokens[at : at + 1] and tokens[at].upper == "AS" else 0
    names = [c.name for c in table.columns]
    if at < len(tokens) and tokens[at].text == "(":
        end = closed(tokens, at)
        names = [t.name for t in tokens[at + 1 : end] if is_name(t)]
        at = end + 1
    if at < len(tokens) and tokens[at].upper == "OVERRIDING":
        at += 3
    if at < len(tokens) and tokens[at].upper == "VALUES":
        at += 1
        while at < len(tokens) and tokens[at].text == "(":
            end = closed(tokens, at)
            yield from zip(names, arguments(tokens, at), strict=False)
            at = end + 1
            at += at < len(tokens) and tokens[at].text == ","
    depth = 0
    for place in range(at, len(tokens)):
        depth += (tokens[place].text == "(") - (tokens[place].text == ")")
        if not depth and tokens[place].upper == "SET":
            yield from _assigned(tokens, place + 1)
            return


def _set(tokens: list[Token], at: int) -> Iterator[Assigned]:
    """What the SET of an UPDATE gives."""
    for place in range(at, min(len(tokens), at + 4)):
        if tokens[place].upper == "SET":
            yield from _assigned(tokens, place + 1)
            return


def _assigned(tokens: list[Token], at: int) -> Iterator[Assigned]:
    """`a = 1, (b, c) = (2, 3)` from a place to the end of the clause."""
    depth, end = 0, at
    while end < len(tokens):
        depth += (tokens[end].text == "(") - (tokens[end].text == ")")
        if not depth and tokens[end].upper in _ENDS:
            break
        end += 1
    for part in listed(tokens[at:end]):
        if len(part) > 2 and is_name(part[0]) and part[1].text == "=":
            yield part[0].name, part[2:]
        elif part and part[0].text == "(":
            middle = closed(part, 0)
            values = part[middle + 2 :]
            if values and values[0].upper == "ROW":
                values = values[1:]
            if values and values[0].text == "(" and closed(values, 0) == len(values) - 1:
                names = [t.name for t in part[1:middle] if is_name(t)]
                yield from zip(names, arguments(values, 0), strict=False)


def _default(column: Column) -> str:
    """The expression that a column is where nothing is given; NULL numbers a key."""
    from sqlagent.plan.postgres.tables import UUID

    if column.default and "randomblob" in column.default:
        return UUID  # as older files have it, it is more than a write here can say
    if column.default is None:
        return "NULL"
    constant = len(lex(column.default)) == 1
    return column.default if constant else f"({column.default})"


# Reading -----------------------------------------------------------------------------------------


def _read(sql: str, part: list[Token], column: Column) -> str | None:
    """The literal that a column keeps for one that it is given; None where it stays as it is."""
    kind, cast = column.type or "", ""
    if len(part) > 1:
        cast = _cast(part)
        if not (cast and kind in _MOMENTS):
            return None
        part = [t for t in part if t.kind == "string"]
    if part[0].kind != "string":
        return None
    text = unquote(part[0])
    try:
        if cast:
            text = stored(texts.read_timestamp(text) if cast == "tz" else texts.read_local(text))
        value = _value(text, kind, column)
    except DataError as error:
        error.sql, error.position = sql, part[0].start
        raise
    return None if value is None else _said(value)


def literal(sql: str, token: Token, declared: str) -> str | None:
    """What a string is as a value of a column of a declared type; None where it stays as it is.

    Raises DataError for one that is no such value.
    """
    from sqlagent.catalog import Column
    from sqlagent.types import logical

    return _read(sql, [token], Column("", logical(declared), declared=declared))


def _cast(part: list[Token]) -> str:
    """'tz' or 'local' of a literal that is cast to a time: `'…'::timestamptz`, `DATE '…'`."""
    strings = [t for t in part if t.kind == "string"]
    words = [t.upper for t in part if t.kind != "string"]
    if len(strings) != 1 or not set(words) <= {
        "", "TIMESTAMP", "TIMESTAMPTZ", "DATE", "WITH", "WITHOUT", "TIME", "ZONE",
    }:  # fmt: skip
        return ""
    marks = [t.text for t in part if t.kind == "op"]
    if marks != (["::"] if part[0].kind == "string" else []):
        return ""
    return "tz" if "TIMESTAMPTZ" in words or "WITH" in words else "local"


def _value(text: str, kind: str, column: Column) -> Any:
    """A text as a value of a column's type; None where the column takes it as it is."""
    if kind.endswith("]"):
        return _list(text, kind) if text.lstrip()[:1] == "{" else None
    if kind.startswith("DECIMAL("):
        return _exact(text, kind)
    if kind == "TIMESTAMP" and is_zoned(column.declared):
        return stored(texts.read_timestamp(text))
    read = _READERS.get(kind)
    return None if read is None else read(text)


def _exact(text: str, kind: str) -> Decimal:
    """A number of so many digits, rounded as PostgreSQL does: half away from zero."""
    value = texts.read_numeric(text)
    width, places = (int(x) for x in kind[8:-1].split(","))
    if not value.is_finite():
        return value
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=_WIDE)
    if abs(rounded) >= Decimal(10) ** (width - places):
        raise DataError(
            "numeric field overflow", sqlstate="22003",
            detail=f"A field with precision {width}, scale {places} must round to an absolute "
            f"value less than 10^{width - places}.",
        )  # fmt: skip
    return rounded


def _wide() -> Any:
    from decimal import Context

    return Context(prec=2000)


_WIDE = _wide()


def _list(text: str, kind: str) -> Any:
    """An array's text as the column keeps it: vectors as bytes, others as JSON."""
    inner = kind
    while inner.endswith("]"):
        inner = inner[: inner.rindex("[")]
    one: Callable[[str], Any] = {
        "FLOAT": texts.read_float, "DOUBLE": texts.read_float, "BOOLEAN": texts.read_bool,
        "BIGINT": texts.read_int, "UUID": texts.read_uuid,
    }.get(inner, str)  # fmt: skip
    found = texts.read_array(text, one)
    if inner == "FLOAT" and kind.count("[") == 1:
        return stored(found) if found else None
    return json.dumps(found, ensure_ascii=False)


def _plain(text: str) -> str | None:
    """JSON is kept as it is written."""
    texts.read_json(text)
    return None


_READERS: dict[str, Callable[[str], Any]] = {
    "BOOLEAN": texts.read_bool, "BIGINT": texts.read_int, "DOUBLE": texts.read_float,
    "FLOAT": texts.read_float, "TIMESTAMP": lambda t: stored(texts.read_local(t)),
    "DATE": lambda t: texts.read_date(t).isoformat(),
    "TIME": lambda t: texts.read_time(t).isoformat(), "BLOB": texts.read_bytea,
    "UUID": texts.read_uuid, "JSON": _plain,
}  # fmt: skip


def _said(value: Any) -> str:
    """A value as a literal."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, float) and value != value:
        return quote("NaN")
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "9e999" if value > 0 else "-9e999"
    if isinstance(value, int | float):
        return repr(value)
    return quote(format(value, "f") if isinstance(value, Decimal) else value)
