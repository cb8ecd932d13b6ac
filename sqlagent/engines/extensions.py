"""DuckDB's extensions from their PyPI packages: signed binaries, loaded by path, no network.

A package `duckdb-extension-<name>` of DuckDB's own version carries the file. Loading checks its
signature (0.1–0.2 s CPU for most, 1.5 s for lance), so each is loaded when it is first needed.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from sqlagent.errors import OperationalError

if TYPE_CHECKING:
    import duckdb


def path(name: str) -> Path | None:
    """The file of an extension for the installed DuckDB, or None where its package is missing."""
    import duckdb

    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "extensions"
    found = folder / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    return found if found.is_file() else None


def load(cursor: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension into the instance of `cursor`; OperationalError where it is missing."""
    file = path(name)
    if file is None:
        raise OperationalError(
            f'the DuckDB extension "{name}" is not installed',
            hint=f"pip install duckdb-extension-{name.replace('_', '-')}=={_version()}",
        )
    cursor.execute("LOAD '" + str(file).replace("'", "''") + "'")


def _version() -> str:
    import duckdb

    return str(duckdb.__version__)
