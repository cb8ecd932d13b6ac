"""What of a file is in its portal. (duckdb is imported with this module.)"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlagent.portal import FORMAT
from sqlagent.portal.tables import FEW, OWN
from sqlagent.sync.log import quoted
from sqlagent.sync.parts import defined

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Handle

TABLES = """
SELECT lower(name) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
UNION SELECT lower(name) FROM sqlagent_definitions WHERE kind = 'columns'
"""
# A million vectors are 1.5 GB, and 40 s of CPU: a client reads those of a file, or of Lance.
VECTORS_MAX = 50_000
DEFINITIONS = "SELECT name, kind, sql FROM sqlagent_definitions ORDER BY name, kind, sql"


def names(reader: Handle) -> list[str]:
    """The tables whose rows the portal has, by lower-case name."""
    found = {str(row[0]) for row in reader.execute(TABLES).fetchall()} - set(left_out(reader))
    return [n for n in found if n in OWN or not n.startswith(("sqlagent_", "sqlite_"))]


def left_out(reader: Handle) -> dict[str, str]:
    """The tables whose rows the portal does not have, and why."""
    many = f"SELECT 1 FROM vectors LIMIT 1 OFFSET {VECTORS_MAX}"
    if reader.execute(many).fetchone() is None:
        return {}
    return {"vectors": f"more than {VECTORS_MAX:,} of them"}


def wants_log(reader: Handle, name: str) -> bool:
    """Whether the changes of a table should be logged for the portal: it has too many rows to look
    at all of them each time, and is not kept as columns in the file."""
    if defined(reader, name) is not None:
        return False
    many = f"SELECT 1 FROM {quoted(name)} LIMIT 1 OFFSET {FEW}"
    return reader.execute(many).fetchone() is not None


def version(reader: Handle, schema: int, path: str) -> str:
    """What changes when a table, a view or a macro is defined otherwise or left out, the file has
    moved, or this package is another."""
    from sqlagent import __version__

    definitions = reader.execute(DEFINITIONS).fetchall()
    told = repr((FORMAT, __version__, path, schema, definitions, left_out(reader)))
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=10).hexdigest()
