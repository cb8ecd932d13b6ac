"""Violated constraints in PostgreSQL's words: SQLite says the columns, PostgreSQL the constraint.

Clients read the constraint's name from the error's fields, or from its message, and the columns
from its detail; the values, which SQLite does not say, are `...` there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sqlagent.errors import Error, IntegrityError, ProgrammingError
from sqlagent.parse.lexer import is_name, lex

if TYPE_CHECKING:
    from sqlagent.serve.pg.catalog.objects import Index, Key, Objects
    from sqlagent.serve.pg.session import Session

_UNIQUE = re.compile(r"UNIQUE constraint failed: (?:index '(?P<index>.+)'|(?P<columns>.+))")
_NOT_NULL = re.compile(r"NOT NULL constraint failed: (?P<table>[^.]+)\.(?P<column>.+)")
_CHECK = re.compile(r"CHECK constraint failed: (?P<name>.+)", re.S)
_FOREIGN = "FOREIGN KEY constraint failed"


class Violation(NamedTuple):
    """What is said of a violated constraint; names are '' where they are not known."""

    message: str
    table: str = ""
    column: str = ""
    constraint: str = ""
    detail: str | None = None


def spoken(error: BaseException, session: Session) -> None:
    """Say an IntegrityError of SQLite's as PostgreSQL does, in place."""
    if not isinstance(error, IntegrityError) or "constraint failed" not in error.message:
        return
    try:
        found = _violation(error, _objects(session))
    except Error:
        return  # the file cannot be read now: SQLite's words are better than none
    if found is not None:
        error.message = found.message
        error.detail = found.detail or error.detail
        # The engine's errors know nothing of PostgreSQL's fields: `failures` reads it from there.
        error.violation = found  # type: ignore[attr-defined]


def _objects(session: Session) -> Objects:
    """What there is, gathered once for each version of the schema."""
    from sqlagent.serve.pg.catalog.objects import gather

    connection = session.connection
    known = connection.database.known_catalog
    if connection.redefined or known is None:
        return gather(connection)
    kept = session.objects
    if kept is None or kept[0] != known.version:
        kept = session.objects = (known.version, gather(connection))
    return kept[1]


def _violation(error: Error, objects: Objects) -> Violation | None:
    said = error.message
    if (match := _NOT_NULL.search(said)) is not None:
        table, column = match["table"], match["column"]
        return Violation(
            f'null value in column "{column}" of relation "{table}" violates not-null constraint',
            table, column,
        )  # fmt: skip
    if (match := _UNIQUE.search(said)) is not None:
        return _unique(match["index"], match["columns"], objects)
    verb, table = _target(error.sql or "")
    if (match := _CHECK.search(said)) is not None:
        return _check(match["name"].strip(), table, objects)
    return _foreign(verb, table, objects) if said.startswith(_FOREIGN) else None


def _unique(index: str | None, columns: str | None, objects: Objects) -> Violation:
    table, names = "", []
    if columns:
        pairs = [part.strip().rpartition(".") for part in columns.split(", ")]
        table, names = pairs[0][0], [p[2] for p in pairs]
    for found in objects.indexes:
        if found.unique and (found.name == index or (table and _covers(found, table, names))):
            return _duplicate(found.table, [text for _, text, _ in found.columns], found.name)
    if index:
        return _duplicate("", [], index)
    own = [c.lower() for c in objects.primary.get(table, ())] == [n.lower() for n in names]
    key = objects.primary_names.get(table, f"{table}_pkey")
    return _duplicate(table, names, key if own else "_".join([table, *names, "key"]))


def _covers(index: Index, table: str, names: list[str]) -> bool:
    texts = [text.strip('"').lower() for _, text, _ in index.columns]
    return index.table == table and texts == [n.lower() for n in names] and not index.where


def _duplicate(table: str, columns: list[str], name: str) -> Violation:
    return Violation(
        f'duplicate key value violates unique constraint "{name}"', table,
        columns[0].strip('"') if len(columns) == 1 else "", name,
        f"Key ({', '.join(columns)})=(...) already exists." if columns else None,
    )  # fmt: skip


def _check(said: str, table: str, objects: Objects) -> Violation:
    """A CHECK by its name, or by its text where it has none."""
    named = [c for c in objects.checks if c[1] == said or _bare(c[2]) == _bare(said)]
    mine = [c for c in named if c[0].lower() == table.lower()] or named
    if not mine:
        return Violation(f'new row violates check constraint "{said}"', table, "", said)
    of, name, _ = mine[0]
    return Violation(
        f'new row for relation "{of}" violates check constraint "{name}"', of, "", name
    )


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _foreign(verb: str, table: str, objects: Objects) -> Violation:
    """A foreign key: SQLite does not say which, so it is named where there is but one."""
    mine = [k for k in objects.keys if k.table.lower() == table.lower()]
    others = [k for k in objects.keys if k.target.lower() == table.lower()]
    if verb in ("INSERT", "COPY") or (verb == "UPDATE" and not others):
        said, found = f'insert or update on table "{table}"', mine
    elif verb == "DELETE" or (verb == "UPDATE" and not mine):
        said, found = f'update or delete on table "{table}"', others
    else:
        return Violation("a row violates a foreign key constraint", table)
    said += " violates foreign key constraint"
    if len(found) != 1:
        return Violation(said, table)
    key: Key = found[0]
    if found is mine:
        columns, tail = key.columns, f'is not present in table "{key.target}"'
        said += f' "{key.name}"'
    else:
        columns, tail = key.others, f'is still referenced from table "{key.table}"'
        said += f' "{key.name}" on table "{key.table}"'
    detail = f"Key ({', '.join(columns)})=(...) {tail}."
    return Violation(said, key.table, "", key.name, detail)


def _target(sql: str) -> tuple[str, str]:
    """The verb of a write, and the table that it writes."""
    try:
        tokens = lex(sql)
    except ProgrammingError:
        return "", ""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth or token.upper not in ("INSERT", "UPDATE", "DELETE", "COPY"):
            continue
        names = [t for t in tokens[place + 1 : place + 8] if is_name(t)]
        names = [t for t in names if t.upper not in ("INTO", "FROM", "ONLY", "OR", "REPLACE")]
        at = 1 if len(names) > 1 and names[0].name.lower() == "public" else 0
        return token.upper, names[at].name if len(names) > at else ""
    return "", ""
