"""`sqlagent extension`: where the extension for SQLite clients is."""

import os
from collections.abc import Sequence
from pathlib import Path

from .options import Parser, UsageError, check_file

EXAMPLES = """\
examples:
  sqlagent extension
  sqlite3 agent.db -cmd ".load $(sqlagent extension)"

The functions of sqlagent then work in the client: recall, search, remember and all others.
"""
NAME = "sqlagent0.so"


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit status. Errors: UsageError, sqlagent.Error."""
    made = Parser(
        prog="sqlagent extension",
        description="Prints the path of the extension that any SQLite client can load.",
        epilog=EXAMPLES,
    )
    made.add_argument(
        "--serve", metavar="FILE", help="be the engine of a file: what the extension starts itself"
    )
    made.add_argument("--socket", metavar="PATH", help="where it listens")
    made.add_argument(
        "--idle", type=float, default=300.0, metavar="SECONDS", help="when unused, it ends after"
    )
    options = made.parse_args(list(argv))
    if options.serve is None:
        print(path())
        return 0
    if options.socket is None:
        raise UsageError("--serve needs --socket PATH", "The extension gives both.")
    if not options.idle > 0:
        raise UsageError(f"--idle is a number of seconds above 0, not {options.idle}")
    check_file(options.serve, must_exist=True)
    from sqlagent.serve.local.command import serve

    return serve(options.serve, os.path.abspath(options.socket), options.idle)


def path() -> Path:
    """The library's path. Raises UsageError where this installation has none."""
    found = Path(__file__).resolve().parent.parent / NAME
    if not found.is_file():
        raise UsageError(
            "this installation has no extension: it was built without a C compiler",
            "Install gcc and libsqlite3-dev, then: pip install --force-reinstall --no-deps "
            "--no-binary sqlagent sqlagent",
        )
    return found
