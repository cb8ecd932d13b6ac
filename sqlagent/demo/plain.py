"""The shop: a plain SQLite client in another process, which knows nothing of us."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlagent import OperationalError

CLIENT = """
import json, os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
for sql in json.load(sys.stdin):
    cursor = connection.execute(sql)
    rows = cursor.fetchall()
names = [column[0] for column in cursor.description or ()]
connection.close()
print(json.dumps([names, rows, os.getpid(), sqlite3.sqlite_version]))
"""


class Answer(NamedTuple):
    """What the client's last statement gave, and who it was."""

    names: list[str]
    rows: list[list[Any]]
    pid: int
    version: str


def run_plain(path: Path, statements: Sequence[str]) -> Answer:
    """Runs statements on the file by Python's own sqlite3.

    Errors: OperationalError, with the last line of what the process said.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", CLIENT, str(path)],
        input=json.dumps(statements),
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise OperationalError(
            f"the plain SQLite client failed with status {done.returncode}",
            detail=done.stderr.strip().rpartition("\n")[2] or None,
        )
    return Answer(*json.loads(done.stdout))
