"""A table that grows for an import: new columns, and wider types, within the import's transaction.

SQLite cannot alter a column's type. Its text in the schema is edited instead, which is what the
type is: no row moves, triggers and views stay, and values of the old type are rewritten in the
new one's form. (The way that SQLite's own documentation of ALTER TABLE gives for such changes.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlagent.errors import NotSupportedError
from sqlagent.imports.match import Pair
from sqlagent.parse.lexer import Token, is_name, lex
from sqlagent.parse.parameters import edited
from sqlagent.sync.log import quoted

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

_END = ("CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE",
        "REFERENCES", "GENERATED", "AS")  # fmt: skip


def create(handle: Handle, table: str, pairs: Sequence[Pair]) -> None:
    """The table, with the file's columns."""
    columns = ", ".join(f"{quoted(p.column)} {p.kind}" for p in pairs)
    handle.execute(f"CREATE TABLE {quoted(table)} ({columns})")


def grow(handle: Handle, table: str, pairs: Sequence[Pair]) -> None:
    """Add the new columns, and widen those that are to be wider."""
    for pair in pairs:
        if pair.new:
            handle.execute(
                f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(pair.column)} {pair.kind}"
            )
    wider = [p for p in pairs if p.wider]
    if not wider:
        return
    sql = str(
        handle.execute(
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)",
            (table,),
        ).fetchall()[0][0]
    )
    for pair in wider:
        sql = redeclared(sql, pair.column, pair.kind)
    texts = {p.column.lower() for p in wider if p.kind == "VARCHAR"}
    indexes = _set_aside(handle, table, texts) if texts else []
    version = handle.execute("PRAGMA schema_version").fetchall()[0][0]
    handle.execute("PRAGMA writable_schema = ON").fetchall()
    try:
        handle.execute(
            "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND lower(name) = lower(?)",
            (sql, table),
        )
        handle.execute(f"PRAGMA schema_version = {int(version) + 1}").fetchall()
    finally:
        handle.execute("PRAGMA writable_schema = RESET").fetchall()
    for pair in wider:
        name = quoted(pair.column)
        to = {"DOUBLE": "REAL"}.get(pair.kind, "TEXT")
        if pair.kind == "TIMESTAMP":
            value = f"{name} || ' 00:00:00.000'"
        else:
            value = f"CAST({name} AS {to})"
        handle.execute(f"UPDATE {quoted(table)} SET {name} = {value} WHERE {name} IS NOT NULL")
    for index in indexes:
        handle.execute(index)


def _set_aside(handle: Handle, table: str, columns: set[str]) -> list[str]:
    """Drop the table's indexes, and return what makes them again: a number's key is no text's.

    Raises NotSupportedError where a key of the table itself holds one of `columns`.
    """
    made = []
    for name, origin in handle.execute(
        "SELECT name, origin FROM pragma_index_list(?)", (table,)
    ).fetchall():
        if origin != "c":
            keys = handle.execute("SELECT name FROM pragma_index_info(?)", (name,)).fetchall()
            held = columns & {str(key).lower() for (key,) in keys}
            if held:
                raise NotSupportedError(
                    f'column "{held.pop()}" is a key of the table: it cannot be widened to text',
                    hint="Import into a new table, or ON_ERROR reject.",
                )
            continue
        sql = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?"
        made.append(str(handle.execute(sql, (name,)).fetchall()[0][0]))
        handle.execute(f"DROP INDEX {quoted(name)}")
    return made


def redeclared(sql: str, column: str, kind: str) -> str:
    """CREATE TABLE's text with another type for a column.

    >>> redeclared("CREATE TABLE t (a INTEGER NOT NULL, b DECIMAL(4, 1))", "B", "DOUBLE")
    'CREATE TABLE t (a INTEGER NOT NULL, b DOUBLE)'
    """
    tokens = lex(sql)
    depth, starts = 0, True
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 1 and starts and is_name(token) and token.name.lower() == column.lower():
            first, last = _type(tokens, place + 1)
            if "PRIMARY" in (t.upper for t in tokens[last : last + 1]):
                break
            at = token.start + len(token.text)
            end = at if last == first else tokens[last - 1].start + len(tokens[last - 1].text)
            return edited(sql, [(at, end, f" {kind}")])
        starts = depth == 1 and token.text in ("(", ",")
    raise NotSupportedError(
        f'column "{column}" cannot be widened to {kind}', hint="Import into a new table."
    )


def _type(tokens: list[Token], place: int) -> tuple[int, int]:
    """Where the type of a column begins and ends: words, and sizes in parentheses."""
    first, depth = place, 0
    while place < len(tokens):
        token = tokens[place]
        if not depth and (token.text in (",", ")") or token.upper in _END):
            break
        depth += (token.text == "(") - (token.text == ")")
        place += 1
    return first, place
