"""The texts that pg_get_indexdef(), pg_get_constraintdef() and pg_get_viewdef() give."""

from __future__ import annotations

from sqlagent.catalog import Table
from sqlagent.plan.view_types import select_of
from sqlagent.serve.pg.catalog.objects import Index, Key, quoted


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
    return f" {select_of(table)};"


def default(text: str) -> str:
    """A column's default as pg_get_expr() gives it."""
    word = text.strip()
    return "CURRENT_TIMESTAMP" if "strftime" in word and "'now'" in word else word
