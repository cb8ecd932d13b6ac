"""What to type after the tour: the same file from the shell, one-shot, plain SQLite and Python."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

QUESTION = "SELECT content, round(score, 2) AS score FROM recall('mia', '谁喜欢龙井', k => 3)"
PLAIN = "SELECT memory_id, content FROM memories"


def what_next(database: Path) -> list[str]:
    """Lines for the user, each command as it runs from where they are."""
    file, command = shlex.quote(str(database)), program("sqlagent")
    return [
        "# the shell, on the file of the demo: SQL, tab completion, .help",
        f"{command} {file}",
        "",
        "# one statement",
        f'{command} {file} "{QUESTION}"',
        "",
        "# any other client: it is an ordinary SQLite file",
        f'sqlite3 {file} "{PLAIN}"',
        "",
        f"# from Python ({program('python')})",
        "import sqlagent",
        f"con = sqlagent.connect({str(database)!r})",
        f'print(con.execute("{QUESTION}").fetchall())',
    ]


def program(name: str) -> str:
    """How this environment's program is called from here: by its name if the PATH finds it."""
    beside = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found is not None and Path(found).parent.absolute() == beside.parent.absolute():
        return name
    if not beside.exists():
        return name
    nearer = os.path.relpath(beside)
    return shlex.quote(str(beside) if nearer.startswith("..") else nearer)
