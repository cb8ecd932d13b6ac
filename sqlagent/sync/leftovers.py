"""What is beside a file and may hold rows that it has no more: derived files, spills, copies."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlagent.errors import Error

if TYPE_CHECKING:
    from sqlagent.engines.sqlite import Database

Remove = Callable[[str], None]  # removes a file, where it is there
LOCKED = ("lance",)  # folders whose files are removed under their locks alone
SPILL = "spill"


def derived(database: Database, remove: Remove) -> None:
    """Remove all files of the derived folder but spills and locks, and what this process keeps in
    memory of older commits.

    Others may be writing such a file: they lose it, as if the folder had been deleted, and look
    whether something was erased meanwhile once it is in place.
    """
    services = database.services
    if "results" in services:
        services["results"].commit()  # kept results of an older commit go
    if "columns" in services:
        replicas = services["columns"].replicas
        try:
            replicas.fresh(replicas.names())
        except Error:  # one of them cannot be columns any more: all are made anew when wanted
            replicas.rebuild()
    top = database.folder
    if top is None or not os.path.isdir(top):
        return
    if os.path.isdir(os.path.join(top, "lance")):
        from sqlagent.engines.lance import lance

        lance(database).rebuild()
    for place, folders, names in os.walk(top):
        if place == top:
            folders[:] = [f for f in folders if f != SPILL and f not in LOCKED]
        for name in sorted(names):
            if not name.endswith(".lock"):
                remove(os.path.join(place, name))


def spilled(database: Database, remove: Remove) -> list[str]:
    """Remove what DuckDB spilled in processes that have ended; the others that have spilled.

    A process drops its columns of what was erased when it next looks; what it spilled of them goes
    then, or when it ends.
    """
    top = os.path.join(database.folder or "", SPILL)
    live = []
    for name in sorted(os.listdir(top)) if database.folder and os.path.isdir(top) else ():
        path = os.path.join(top, name)
        pid = name.split("-")[1] if name.startswith("part-") else name
        if pid.isdigit() and alive(int(pid)):
            if os.path.isdir(path) and os.listdir(path):
                live.append(pid)
        elif os.path.isdir(path):
            for place, _, names in os.walk(path):
                for inner in names:
                    remove(os.path.join(place, inner))
            shutil.rmtree(path, ignore_errors=True)
        else:
            remove(path)
    return live


def alive(pid: int) -> bool:
    """Whether a process of this number runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    return True


def copies(database: Database) -> list[str]:
    """The copies of the file that were made before upgrades."""
    if database.memory:
        return []
    return sorted(glob.glob(glob.escape(database.path) + ".before-v*"))
