"""The folder of the tour: made anew at each run, and never one that holds something else."""

from __future__ import annotations

import shutil
from pathlib import Path

MARK = "made-by-sqlagent-demo"  # tells a folder of ours from one of the user's
OURS = (
    "agent.db",
    "agent.db-wal",
    "agent.db-shm",
    "agent.db.d",
    "readmes",
    "targets.parquet",
    "depot.db",
    "depot.db-journal",
    MARK,
)


class Taken(Exception):
    """The folder cannot be used for the tour."""


class Folder:
    """Paths of the tour's files, as the user would type them from where they are."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.database = self.path / "agent.db"
        self.readmes = self.path / "readmes"

    def make(self) -> None:
        """An empty folder with our mark. Errors: Taken; OSError."""
        if any(character in str(self.path) for character in "*?["):
            raise Taken(f'a file pattern cannot be a folder: "{self.path}"')
        if self.path.exists():
            if not self.path.is_dir():
                raise Taken(f'"{self.path}" is a file, and the demo needs a folder')
            if any(self.path.iterdir()) and not (self.path / MARK).exists():
                raise Taken(
                    f'"{self.path}" holds files that are not of an earlier demo\n'
                    "hint: Name another folder: sqlagent demo FOLDER"
                )
            self.clear()
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / MARK).write_text("`sqlagent demo` makes the files of this folder anew.\n")

    def clear(self) -> None:
        """Removes what the tour made, the mark last, and the folder if nothing else is in it."""
        for name in OURS:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def said(self, sql: str) -> str:
        """`sql` with this folder for FOLDER: file names stand inside of SQL's quotes."""
        return sql.replace("FOLDER", self.path.as_posix().replace("'", "''"))
