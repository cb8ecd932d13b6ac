"""What is the engine's own, as an extension of the server: its functions, its bookkeeping, its
views and search indexes.

So clients tell it from what users made: pg_dump leaves out the members of an extension that is the
server's own, as it does plpgsql's. The tables whose rows users write (memories, documents,
states …) are no members: they are data, to be dumped.
"""

from __future__ import annotations

from typing import Any

from sqlagent.functions import functions
from sqlagent.rewrite.context import OURS
from sqlagent.serve.pg.catalog.oids import OWNER, PUBLIC, oid, table_oid

NUMBER = 16_000  # below 16384: of the server, not of a user
_SNAPSHOTS = frozenset(("snapshots", "snapshot_versions"))  # of states, by their inner versions
_PG_CLASS, _PG_PROC, _PG_EXTENSION = 1259, 1255, 3079


def rows() -> dict[str, list[dict[str, Any]]]:
    """The row of pg_extension."""
    import sqlagent

    return {"pg_extension": [{
        "oid": NUMBER, "extname": "sqlagent", "extowner": OWNER, "extnamespace": PUBLIC,
        "extrelocatable": False, "extversion": sqlagent.__version__,
    }]}  # fmt: skip


def members(relations: list[tuple[str, str]], keys: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The rows of pg_depend: of every function of ours, and of those of `relations` (name,
    relkind) that are own, or of which `keys` (table, referenced table) say that they are nothing
    without one that is."""
    mine = {name.lower() for name, kind in relations if own(name, kind)}
    mine |= {t.lower() for t, to in keys if to.lower() in mine and t.lower() in OURS | _SNAPSHOTS}
    found = [(_PG_PROC, oid("pg_proc", f.name)) for f in functions().values()]
    found += [(_PG_CLASS, table_oid(name)) for name, _ in relations if name.lower() in mine]
    return [
        {"classid": classid, "objid": number, "objsubid": 0, "refclassid": _PG_EXTENSION,
         "refobjid": NUMBER, "refobjsubid": 0, "deptype": "e"}
        for classid, number in found
    ]  # fmt: skip


def own(name: str, kind: str) -> bool:
    """Whether a relation holds what the engine derives or keeps for itself.

    >>> own("sqlagent_sync", "r"), own("memories", "r"), own("memory_strength", "v")
    (True, False, True)
    """
    lowered = name.lower()
    if lowered.startswith("sqlagent_") or lowered in ("chunks_fts", "memories_fts"):
        return True
    return lowered in OURS and kind == "v"
