"""The command line, `sqlagent`: finds the command and turns its outcome into an exit status.

Nothing heavy is imported before it is used: `sqlagent --version` and one statement load neither
the shell's libraries nor those of progress bars and Arrow.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

# Each command is a module here with `main(argv) -> int`.
COMMANDS = {
    "import": "imports",
    "export": "export",
    "graph": "graph",
    "check": "check",
    "demo": "demo",
    "serve": "serve",
    "users": "users",
    "mcp": "mcp",
    "extension": "extension",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line (that of the process by default) and returns its exit status.

    0: all went well; 1: an SQL error; 2: wrong usage; 130: Ctrl-C.
    """
    from .options import UsageError
    from .output import prepare_stdout

    arguments = list(sys.argv[1:] if argv is None else argv)
    prepare_stdout()
    try:
        status = _dispatch(arguments)
        sys.stdout.flush()
        return status
    except UsageError as error:
        return _report(f"error: {error}", USAGE)
    except KeyboardInterrupt:
        return _report("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return _pipe_closed()
    except SystemExit as leave:  # argparse, after --help
        return leave.code if isinstance(leave.code, int) else OK
    except Exception as error:
        import sqlagent

        if isinstance(error, sqlagent.Error):
            return _report(f"error: {error}", FAILED)
        raise


def _dispatch(arguments: list[str]) -> int:
    """A first word that names a command, and no file that is there, is the command."""
    if arguments and arguments[0] in COMMANDS and not os.path.isfile(arguments[0]):
        module = import_module(f".{COMMANDS[arguments[0]]}", __name__)
        return int(module.main(arguments[1:]))
    from .query import main as query

    return query(arguments)


def _report(message: str, status: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _pipe_closed()
    print(message, file=sys.stderr, flush=True)
    return status


def _pipe_closed() -> int:
    """The reader has seen enough (`| head`): not an error, and nothing to say at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK
