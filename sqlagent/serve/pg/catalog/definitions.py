"""The texts that pg_get_indexdef(), pg_get_constraintdef() and pg_get_viewdef() give."""

from __future__ import annotations

from sqlagent.catalog import Column, Table
from sqlagent.parse.lexer import lex, quote, unquote
from sqlagent.plan.view_types import select_of
from sqlagent.serve.pg import values_text
from sqlagent.serve.pg.catalog import said as saying
from sqlagent.serve.pg.catalog.objects import Index, Key, quoted
from sqlagent.serve.pg.catalog.types import FORMATTED, of_column
from sqlagent.serve.pg.types import TEXT


def index(found: Index) -> str:
    """CREATE INDEX of an index; one that a constraint made is said as PostgreSQL would."""
    columns = ", ".join(column(found))
    where = f" WHERE ({found.where})" if found.where else ""
    unique = "UNIQUE " if found.unique else ""
    return (
        f"CREATE {unique}INDEX {quoted(found.name)} ON public.{quoted(found.table)} "
        f"USING btree ({columns}){where}"
    )


def column(found: Index) -> list[str]:
    """Each column of an index as its definition has it."""
    return [text + (" DESC" if down else "") for _, text, down in found.columns]


def unique(found: Index) -> str:
    """PRIMARY KEY (…) or UNIQUE (…) of the index behind a constraint."""
    word = "PRIMARY KEY" if found.origin == "pk" else "UNIQUE"
    return f"{word} ({', '.join(text for _, text, _ in found.columns)})"


def primary(columns: tuple[str, ...]) -> str:
    """PRIMARY KEY (…) of a table's key."""
    return f"PRIMARY KEY ({', '.join(map(quoted, columns))})"


def foreign(key: Key) -> str:
    """FOREIGN KEY (…) REFERENCES … of a foreign key."""
    mine, others = (", ".join(map(quoted, names)) for names in (key.columns, key.others))
    actions = ""
    for word, action in (("UPDATE", key.on_update), ("DELETE", key.on_delete)):
        if action != "NO ACTION":
            actions += f" ON {word} {action}"
    return f"FOREIGN KEY ({mine}) REFERENCES {quoted(key.target)}({others}){actions}"


def view(table: Table) -> str:
    """The SELECT of a view, ended by a semicolon, as PostgreSQL gives it."""
    return f" {saying.query(select_of(table))[0]};"


def default(text: str, column: Column) -> str | None:
    """A column's default as pg_get_expr() gives it: constants with their type, as clients read
    them back; None for what only SQLite can compute.

    >>> default("'x'", Column("c", "VARCHAR", declared="text"))
    "'x'::text"
    >>> default("'[\"a b\"]'", Column("c", "VARCHAR[]", declared="text[]"))
    '\'{"a b"}\'::text[]'
    """
    word = text.strip()
    if "/* now() */" in word:
        return "now()"
    if word.startswith("nextval("):
        return word  # of a sequence, which the catalogs say themselves
    tokens = lex(word)
    if len(tokens) != 1:
        return saying.default(word, column)
    if column.type == "BOOLEAN" and word.upper() in ("0", "1", "TRUE", "FALSE"):
        return "true" if word.upper() in ("1", "TRUE") else "false"
    if tokens[0].kind != "string":
        return word
    kind = of_column(column)[0]  # PostgreSQL casts to the type, without its size
    said = FORMATTED.get(kind.removesuffix("[]"), kind.removesuffix("[]"))
    value = unquote(tokens[0])
    if kind.endswith("[]"):
        said += "[]"
        value = _array(value)
    return f"{quote(value)}::{said}"


def _array(text: str) -> str:
    """A list's JSON as PostgreSQL prints an array."""
    import json

    try:
        found = json.loads(text)
    except ValueError:
        return text
    return values_text.array(TEXT)(found) if isinstance(found, list) else text
