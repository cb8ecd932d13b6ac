"""What of a file is in its portal. (duckdb is imported with this module.)"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlagent.portal import FORMAT
from sqlagent.portal.tables import OWN
from sqlagent.sync.parts import defined

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

TABLES = """
SELECT lower(name) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
UNION SELECT lower(name) FROM sqlagent_definitions WHERE kind = 'columns'
"""
DEFINITIONS = "SELECT name, kind, sql FROM sqlagent_definitions ORDER BY name, kind, sql"


def names(reader: Handle) -> list[str]:
    """The tables whose rows the portal has, by lower-case name."""
    found = [str(row[0]) for row in reader.execute(TABLES).fetchall()]
    return [n for n in found if n in OWN or not n.startswith(("sqlagent_", "sqlite_"))]


def is_columns(reader: Handle, name: str) -> bool:
    """Whether a table is kept as columns in the file."""
    return defined(reader, name) is not None


def version(reader: Handle, schema: int, path: str) -> str:
    """What changes when a table, a view or a macro is defined otherwise, the file has moved, or
    this package is another."""
    from sqlagent import __version__

    told = repr((FORMAT, __version__, path, schema, reader.execute(DEFINITIONS).fetchall()))
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=10).hexdigest()
