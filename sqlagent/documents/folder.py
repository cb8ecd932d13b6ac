"""Which files a source names, and where in it each stands."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sqlagent.documents.formats import SUFFIXES


class Source(NamedTuple):
    """A folder, and the files under it that are meant: (path, uri), the uri from the folder."""

    base: Path
    files: list[tuple[Path, str]]


def walk(folder: Path) -> Iterator[Path]:
    """Files under a folder that can be read, in order; hidden ones and links to folders are passed
    over."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(place, name)


def source_of(source: str) -> Source:
    """What a path or pattern names. A folder stands for all files under it that can be read."""
    path = Path(source)
    if path.is_dir():
        return Source(path, [(file, file.relative_to(path).as_posix()) for file in walk(path)])
    if path.exists() or not glob.has_magic(source):
        return Source(path.parent, [(path, path.name)])
    base = before_wildcard(source)
    files: dict[Path, None] = {}
    for match in sorted(glob.glob(source, recursive=True)):
        found = Path(match)
        files.update(dict.fromkeys(walk(found) if found.is_dir() else [found]))
    return Source(base, [(file, file.relative_to(base).as_posix()) for file in files])


def before_wildcard(source: str) -> Path:
    """The folder before a pattern's first wildcard."""
    parts = Path(source).parts
    plain = next((n for n, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    return Path(*parts[:plain])
