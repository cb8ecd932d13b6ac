"""`COPY table [(columns)] FROM 'file' [(options)]`, from its tokens.

The options of the file are DuckDB's; those of the checks are ours (see `sqlagent.imports`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from posixpath import basename
from typing import Any

from sqlagent.errors import NotSupportedError, ProgrammingError, nearest
from sqlagent.parse.clauses import wrong
from sqlagent.parse.lexer import Token, is_name, unquote
from sqlagent.parse.literals import literal
from sqlagent.parse.parameters import Numbering
from sqlagent.plan.plans import Import

READERS = ("csv", "parquet", "json", "ndjson")
# Options of DuckDB's read_csv, by the names that COPY knows them under.
CSV_OPTIONS = {
    "header": "header", "delimiter": "delim", "delim": "delim", "sep": "delim", "null": "nullstr",
    "nullstr": "nullstr", "quote": "quote", "escape": "escape", "encoding": "encoding",
    "dateformat": "dateformat", "date_format": "dateformat", "timestampformat": "timestampformat",
    "timestamp_format": "timestampformat", "skip": "skip", "compression": "compression",
    "comment": "comment", "decimal_separator": "decimal_separator", "new_line": "new_line",
    "max_line_size": "max_line_size", "sample_size": "sample_size",
}  # fmt: skip
_FLAGS = ("evolve", "create", "by_name")
_SYNONYMS = {"reject_limit": "max_rejects", "evolution": "evolve"}
OPTIONS = ("format", "on_error", "max_rejects", "check", "key", "collection", *_FLAGS)


def copy_from(
    sql: str, tokens: list[Token], protected: Callable[[str], str | None]
) -> Import | None:
    """The plan of COPY … FROM; None for any other statement, COPY … TO among them.

    Raises NotSupportedError for a path that is live here, ProgrammingError for what is wrong.
    """
    if tokens[0].upper != "COPY" or len(tokens) < 4 or not is_name(tokens[1]):
        return None
    place = 2
    columns: tuple[str, ...] = ()
    while tokens[place].text == "." and place + 1 < len(tokens):
        if tokens[place - 1].name.lower() not in ("main", "public"):
            return None
        place += 2
    table = tokens[place - 1]
    if tokens[place].text == "(":
        names, place = _names(sql, tokens, place)
        columns = tuple(names)
    if place + 1 >= len(tokens) or tokens[place].upper != "FROM":
        return None
    numbering = Numbering(sql, tokens)
    source = tokens[place + 1]
    if source.kind not in ("string", "param"):
        raise wrong(sql, tokens, place + 1, "the path of a file, in quotes or as a parameter")
    path = unquote(source) if source.kind == "string" else None
    if path is not None and (live := protected(path)) is not None:
        raise NotSupportedError(
            f'"{basename(live)}" is open here: DuckDB must not open it too', sql=sql,
            position=source.start, hint="INSERT INTO t SELECT … FROM its tables by name",
        )  # fmt: skip
    slot = numbering.slot(source) if source.kind == "param" else None
    options = _options(sql, tokens, place + 2)
    return Import(table.name, columns, path, slot, options, table.start)


def _names(sql: str, tokens: list[Token], place: int) -> tuple[list[str], int]:
    """The names between the parentheses at `place`, and the place after them."""
    names = []
    place += 1
    while place + 1 < len(tokens) and is_name(tokens[place]):
        names.append(tokens[place].name)
        if tokens[place + 1].text == ")":
            return names, place + 2
        if tokens[place + 1].text != ",":
            break
        place += 2
    raise wrong(sql, tokens, place, "names of columns")


def _options(sql: str, tokens: list[Token], place: int) -> dict[str, Any]:
    """The options, in parentheses or not: each a name and perhaps a value."""
    if place < len(tokens) and tokens[place].upper == "WITH":
        place += 1
    if place >= len(tokens):
        return {}
    closed = tokens[place].text == "("
    place += closed
    found: dict[str, Any] = {}
    while place < len(tokens) and not (closed and tokens[place].text == ")"):
        token = tokens[place]
        if not is_name(token):
            raise wrong(sql, tokens, place, "the name of an option")
        name = _SYNONYMS.get(token.name.lower(), token.name.lower())
        if name not in CSV_OPTIONS and name not in OPTIONS:
            raise ProgrammingError(
                f'unknown option "{token.name}" of COPY … FROM', sql=sql, position=token.start,
                hint=nearest(name, [*OPTIONS, *CSV_OPTIONS]), sqlstate="42601",
            )  # fmt: skip
        place += 1
        if place < len(tokens) and tokens[place].text in ("=", ":="):
            place += 1
        value: Any = True
        if name == "key" and place < len(tokens) and tokens[place].text == "(":
            value, place = _names(sql, tokens, place)
        elif place < len(tokens) and tokens[place].text not in (",", ")"):
            value, end = literal(tokens, place)
            if end is None:
                raise wrong(sql, tokens, place, f"a value of {token.name}")
            place = end
        found[name] = _checked(sql, token, name, value, found)
        if closed:
            if place < len(tokens) and tokens[place].text == ",":
                place += 1
            elif place >= len(tokens) or tokens[place].text != ")":
                raise wrong(sql, tokens, place, '"," or ")"')
    if closed and place != len(tokens) - 1:
        raise wrong(sql, tokens, place, '")" at the end')
    return found


def _checked(sql: str, token: Token, name: str, value: Any, before: dict[str, Any]) -> Any:
    """An option's value in its type. Raises ProgrammingError."""
    wanted = None
    if name == "format":
        value = str(value).lower()
        wanted = None if value in READERS else "one of " + ", ".join(READERS)
    elif name == "on_error":
        value = {"ignore": "reject", "continue": "reject"}.get(str(value).lower(), value)
        value = str(value).lower()
        wanted = None if value in ("stop", "reject") else "stop or reject"
    elif name == "max_rejects":
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        wanted = None if whole else "a whole number from 0"
    elif name == "check":
        wanted = None if isinstance(value, str) and value.strip() else "a condition, in quotes"
        value = [*before.get("check", ()), value]
    elif name == "key":
        names: Sequence[Any] = value if isinstance(value, list) else str(value).split(",")
        value = [str(n).strip() for n in names]
        wanted = None if all(value) and value != ["True"] else "names of columns"
    elif name == "collection":
        wanted = None if isinstance(value, str) and value else "the name of a collection, in quotes"
    elif name in _FLAGS:
        truth = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
        wanted = None if str(value).lower() in truth else "on or off"
        value = truth.get(str(value).lower(), False)
    if wanted is not None:
        raise ProgrammingError(
            f"{token.name} is {wanted}, not {value!r}", sql=sql, position=token.start,
            sqlstate="22023",
        )  # fmt: skip
    return value
