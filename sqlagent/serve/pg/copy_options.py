"""COPY … FROM STDIN and TO STDOUT: what a statement says, in the new syntax and the old."""

from __future__ import annotations

import codecs
from typing import Any, NamedTuple

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import Token, is_name, quote_name, unquote


class Copy(NamedTuple):
    """`table` and `columns` (empty: all), or for TO a `query`; both as SQL text where the query is
    meant. `form` is text, csv or binary."""

    table: str | None
    columns: tuple[str, ...]
    query: str
    query_start: int
    form: str = "text"
    delimiter: str = "\t"
    null: str = "\\N"
    header: bool | str = False
    quote: str = '"'
    escape: str = '"'
    force_quote: tuple[str, ...] | None = ()
    force_not_null: tuple[str, ...] = ()
    force_null: tuple[str, ...] = ()
    encoding: str | None = None


def copy_command(sql: str, tokens: list[Token]) -> tuple[str, Copy] | None:
    """copy_in or copy_out with its options; None where a file is meant."""
    at, table, columns, query, query_start = 1, None, [], "", 0
    if at < len(tokens) and tokens[at].text == "(":
        depth, start = 1, at + 1
        at += 1
        while at < len(tokens) and depth:
            depth += (tokens[at].text == "(") - (tokens[at].text == ")")
            at += 1
        if depth or start >= at - 1:
            return None
        query_start = tokens[start].start
        query = sql[query_start : tokens[at - 1].start]
    else:
        names: list[str] = []
        while at < len(tokens) and is_name(tokens[at]):
            names.append(tokens[at].name)
            at += 1
            if at < len(tokens) and tokens[at].text == ".":
                at += 1
                continue
            break
        if not names:
            return None
        table = names[-1]
        if len(names) > 1 and names[-2].lower() not in ("public", "main", "pg_catalog"):
            raise ProgrammingError(
                f'schema "{names[-2]}" does not exist', sql=sql, position=tokens[1].start,
                sqlstate="3F000",
            )  # fmt: skip
        if at < len(tokens) and tokens[at].text == "(":
            at += 1
            while at < len(tokens) and tokens[at].text != ")":
                if is_name(tokens[at]):
                    columns.append(tokens[at].name)
                at += 1
            at += 1
        listed = ", ".join(map(quote_name, columns)) or "*"
        query = f"SELECT {listed} FROM {quote_name(table)}"
    if at + 1 >= len(tokens):
        return None
    verb, where = tokens[at].upper, tokens[at + 1].upper
    if where not in ("STDIN", "STDOUT"):  # PostgreSQL takes either word for either way
        return None
    if verb == "FROM" and table is None:
        raise ProgrammingError("COPY query is not allowed in COPY FROM", sql=sql, position=0)
    given = _options(sql, tokens, at + 2)
    return (
        "copy_in" if verb == "FROM" else "copy_out",
        _checked(Copy(table, tuple(columns), query, query_start), given, sql, verb == "FROM"),
    )


def _options(sql: str, tokens: list[Token], at: int) -> dict[str, Any]:
    """The options as {lower-case name: value}."""
    found: dict[str, Any] = {}
    if at < len(tokens) and tokens[at].upper == "WITH":
        at += 1
    if at < len(tokens) and tokens[at].text == "(":
        return _listed(sql, tokens, at + 1)
    while at < len(tokens):  # the syntax of before 9.0
        word = tokens[at].upper
        at += 1
        if word in ("BINARY", "CSV"):
            found["format"] = word.lower()
        elif word == "HEADER":
            found["header"] = True
        elif word in ("DELIMITER", "DELIMITERS", "NULL", "QUOTE", "ESCAPE", "ENCODING"):
            at += at < len(tokens) and tokens[at].upper == "AS"
            if at >= len(tokens) or tokens[at].kind != "string":
                raise _wrong(sql, tokens, at)
            found[word.lower().removesuffix("s")] = unquote(tokens[at])
            at += 1
        elif word == "FORCE" and at < len(tokens):
            name, at = _forced(tokens, at)
            found[name], at = _names(tokens, at)
        elif word == "WHERE":
            raise NotSupportedError("COPY FROM STDIN takes no WHERE here", sql=sql, position=0)
        elif word != "WITH":
            raise _wrong(sql, tokens, at - 1)
    return found


def _forced(tokens: list[Token], at: int) -> tuple[str, int]:
    if tokens[at].upper == "NOT":
        return "force_not_null", at + 2
    return f"force_{tokens[at].name.lower()}", at + 1


def _listed(sql: str, tokens: list[Token], at: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while at < len(tokens) and tokens[at].text != ")":
        if not is_name(tokens[at]):
            raise _wrong(sql, tokens, at)
        name = tokens[at].name.lower()
        at += 1
        value: Any = True
        if at < len(tokens) and tokens[at].text == "(":
            value, at = _names(tokens, at + 1)
            at += 1
        elif at < len(tokens) and tokens[at].text == "*":
            value, at = None, at + 1
        elif at < len(tokens) and tokens[at].text not in (",", ")"):
            value = unquote(tokens[at]) if tokens[at].kind == "string" else tokens[at].name
            at += 1
        found[name] = value
        if at < len(tokens) and tokens[at].text == ",":
            at += 1
        elif at >= len(tokens) or tokens[at].text != ")":
            raise _wrong(sql, tokens, at)
    if at >= len(tokens):
        raise _wrong(sql, tokens, at)
    return found


def _names(tokens: list[Token], at: int) -> tuple[tuple[str, ...] | None, int]:
    if at < len(tokens) and tokens[at].text == "*":
        return None, at + 1
    names: list[str] = []
    while at < len(tokens) and is_name(tokens[at]):
        names.append(tokens[at].name.lower())
        at += 1
        if at < len(tokens) and tokens[at].text == ",":
            at += 1
        else:
            break
    return tuple(names), at


def _checked(copy: Copy, given: dict[str, Any], sql: str, reads: bool) -> Copy:
    """A COPY with its options, each of which makes sense."""

    def bad(message: str, state: str = "22023") -> ProgrammingError:
        return ProgrammingError(message, sql=sql, position=0, sqlstate=state)

    form = str(given.pop("format", "text")).lower()
    if form not in ("text", "csv", "binary"):
        raise bad(f'COPY format "{form}" not recognized')
    csv = form == "csv"
    header = given.pop("header", False)
    if isinstance(header, str):
        said = header.lower()
        if said not in ("match", "true", "on", "1", "false", "off", "0"):
            raise bad('header requires a Boolean value or "match"')
        header = "match" if said == "match" else said in ("true", "on", "1")
    delimiter = str(given.pop("delimiter", "," if csv else "\t"))
    null = str(given.pop("null", "" if csv else "\\N"))
    quote = str(given.pop("quote", '"'))
    escape = str(given.pop("escape", quote))
    for what, mark in (("delimiter", delimiter), ("quote", quote), ("escape", escape)):
        if len(mark.encode()) != 1:
            raise bad(f"COPY {what} must be a single one-byte character")
    if delimiter in "\r\n" or (not csv and delimiter in "\\.abcdefghijklmnopqrstuvwxyz0123456789"):
        raise bad(f'COPY delimiter cannot be "{delimiter}"')
    if csv and delimiter == quote:
        raise bad("COPY delimiter and quote must be different")
    if "\n" in null or "\r" in null:
        raise bad("COPY null representation cannot use newline or carriage return")
    if delimiter in null:
        raise bad("COPY delimiter must not appear in the NULL specification")
    forced = {k: given.pop(k, ()) for k in ("force_quote", "force_not_null", "force_null")}
    encoding = given.pop("encoding", None)
    if encoding is not None:
        from sqlagent.serve.pg.settings import codec_of

        encoding = codec_of(str(encoding))
        codecs.lookup(encoding)
    for name in ("freeze", "oids", "default"):
        given.pop(name, None)
    if given:
        raise bad(f'option "{next(iter(given))}" not recognized', "42601")
    if form == "binary" and (header or "delimiter" in sql.lower().split("binary")[-1]):
        raise bad("cannot specify HEADER or DELIMITER in BINARY mode", "42601")
    if not csv and any(v != () for v in forced.values()):
        raise bad("COPY force options are available only in CSV mode", "0A000")
    return copy._replace(
        form=form, delimiter=delimiter, null=null, header=header, quote=quote, escape=escape,
        force_quote=forced["force_quote"], force_not_null=forced["force_not_null"] or (),
        force_null=forced["force_null"] or (), encoding=encoding,
    )  # fmt: skip


def _wrong(sql: str, tokens: list[Token], at: int) -> ProgrammingError:
    if at < len(tokens):
        token = tokens[at]
        return ProgrammingError(
            f'syntax error at or near "{token.text}"', sql=sql, position=token.start
        )
    return ProgrammingError("syntax error at end of input", sql=sql, position=len(sql))
