"""`agent.db.d/portal.duckdb`: the file as a DuckDB database, for any DuckDB client, read-only.

It holds the columns of every table, views under the tables' names and of what is derived, and
macros in pure SQL. It needs no path, so it may be moved or copied; a client that has it open keeps
what it opened while another takes its place. `refresh` brings it up to the last commit, `tables`
its columns, `views` what stands over them; `keeper` has that done in a process of its own, now and
then, while the file is open.
"""

from __future__ import annotations

import os

FILE = "portal.duckdb"
FORMAT = "1"


def path_of(folder: str) -> str:
    """Where the portal of a derived folder is."""
    return os.path.join(folder, FILE)
