"""`sqlagent demo [FOLDER]`: a tour of the engine on a small database of its own."""

from collections.abc import Sequence
from importlib import import_module

from .options import Parser


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit status. Errors: UsageError, sqlagent.Error."""
    made = Parser(
        prog="sqlagent demo",
        description="Makes a small database in FOLDER, and shows what the engine does with it.",
    )
    made.add_argument(
        "folder", nargs="?", metavar="FOLDER", help="where its files go and stay (default: demo)"
    )
    made.add_argument("--keep", action="store_true", help="keep the files also after Ctrl-C")
    options = made.parse_args(list(argv))
    keep = options.keep or options.folder is not None
    return int(import_module("sqlagent.demo").main(options.folder, keep) or 0)
