"""`agent.db.d/portal.duckdb`: the file as a DuckDB database, for any DuckDB client, read-only.

It holds the columns of every table, views under the tables' names and of what is derived, and
macros in pure SQL. It needs no path, so it may be moved or copied; a client that has it open keeps
what it opened while another takes its place. `refresh` brings it up to the last commit, `tables`
its columns, `views` what stands over them; `keeper` has that done in a process of its own, now and
then, while the file is open.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

AUTO_MB = 512  # 'auto' makes no portal of a larger file: it would double what is kept
FILE = "portal.duckdb"
FORMAT = "1"


def path_of(folder: str) -> str:
    """Where the portal of a derived folder is."""
    return os.path.join(folder, FILE)


def wanted(path: str, folder: str | None, settings: Mapping[str, Any]) -> bool:
    """Whether `CALL sync()` brings a portal up to date: see the setting."""
    if folder is None or settings["portal"] == "off":
        return False
    if settings["portal"] == "on" or os.path.exists(path_of(folder)):
        return True
    return os.path.getsize(path) <= AUTO_MB << 20
