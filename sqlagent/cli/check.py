"""`sqlagent check FILE`: tests a database and everything derived from it."""

from collections.abc import Sequence
from typing import Any

from .options import Parser, check_file
from .session import Session

_VERDICTS = ("ok", "status", "result")
_FINE = (True, 1, "ok", "true", "pass", "passed")

EXAMPLES = """\
example:
  sqlagent check agent.db

exit status: 0 everything is in order, 1 a row is not ok.
"""


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit status. Errors: UsageError, sqlagent.Error."""
    made = Parser(
        prog="sqlagent check",
        description="Tests the file, its indexes and everything derived from it.",
        epilog=EXAMPLES,
    )
    made.add_argument("file", metavar="FILE", help="the database file")
    made.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="of the rows"
    )
    options = made.parse_args(list(argv))
    check_file(options.file, must_exist=True)
    session = Session(options.file)
    try:
        session.set_mode(options.format)
        with session.cancel:
            cursor = session.connection.execute("CALL check()")
            names = [str(entry[0]).lower() for entry in cursor.description]
            rows = cursor.fetchall()
        session.show(cursor.description, rows)
        return 0 if all(is_fine(names, row) for row in rows) else 1
    finally:
        session.close()


def is_fine(names: list[str], row: Sequence[Any]) -> bool:
    """Whether a row of `check()` says ok, in the first of the columns ok, status, result."""
    for verdict in _VERDICTS:
        if verdict in names:
            value = row[names.index(verdict)]
            return (value.lower() if isinstance(value, str) else value) in _FINE
    return False
