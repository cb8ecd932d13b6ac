"""Statements and dot commands from a text: a file, a pipe, or the arguments."""

import sys
from collections.abc import Iterable
from typing import Any

from .options import UsageError
from .session import Parameters, Session
from .split import Splitter, Statement, parameters


class Quit(Exception):
    """The user asked to leave."""


class Script:
    """Runs lines of text in a session.

    `name` stands before the line number in errors. With `keep_going` an error is reported and
    the next statement runs; else the first one ends the run.
    """

    def __init__(
        self,
        session: Session,
        name: str = "",
        *,
        keep_going: bool = False,
        given: dict[str, Any] | None = None,
    ) -> None:
        self.session = session
        self.name = name
        self.keep_going = keep_going
        self.given = given or {}

    def run(self, lines: Iterable[str]) -> bool:
        """Runs every statement; whether all of them worked.

        Errors: KeyboardInterrupt, Quit; those of the statements are reported, not raised.
        """
        splitter, fine = Splitter(), True
        for number, line in enumerate(lines, 1):
            if splitter.blank and line.startswith("."):
                fine = self._dot(line.strip(), number) and fine
                line = "\n"  # the splitter goes on counting lines
                if not fine and not self.keep_going:
                    return False
            for statement in splitter.feed(line):
                fine = self._one(statement) and fine
                if not fine and not self.keep_going:
                    return False
        left = splitter.finish()
        return (self._one(left) if left else True) and fine

    def _one(self, statement: Statement) -> bool:
        place = f"{self.name}:{statement.line}: " if self.name else ""
        return attempt(
            self.session,
            lambda: self.session.run(statement.text, bind(statement.text, self.given)),
            place,
        )

    def _dot(self, line: str, number: int) -> bool:
        from .dots import run_dot

        place = f"{self.name}:{number}: " if self.name else ""
        return attempt(self.session, lambda: run_dot(self.session, line), place)


def attempt(session: Session, action: Any, place: str = "") -> bool:
    """Runs `action()` and reports its error; whether it worked.

    In an interactive session a fault of our own is shown with its trace, and the shell goes on.
    """
    import sqlagent

    try:
        action()
    except (sqlagent.Error, UsageError) as error:
        session.error(error, place)
        return False
    except BrokenPipeError:
        raise
    except OSError as error:
        session.error(str(error), place)
        return False
    except (Quit, KeyboardInterrupt):
        raise
    except Exception:
        if not session.interactive:
            raise
        import traceback

        traceback.print_exc(file=sys.stderr)
        return False
    # Ctrl-C came as the statement ended: it is done, and nothing more should begin.
    if session.cancel.pressed:
        raise KeyboardInterrupt
    return True


def bind(sql: str, given: dict[str, Any]) -> Parameters:
    """Those of the `given` values that `sql` names: by name, or in order when names are numbers.

    Errors: UsageError when a numbered one is missing.
    """
    if not given:
        return ()
    wanted = parameters(sql)
    named = {name: value for name, value in given.items() if name in wanted}
    if "?" not in wanted and not any(name.isdigit() for name in named):
        return named or ()
    count = sum(1 for name in given if name.isdigit())
    try:
        return [given[str(place)] for place in range(1, count + 1)]
    except KeyError as missing:
        number = missing.args[0]
        raise UsageError(
            f"no value for parameter {number}", f"Add --param {number}=VALUE."
        ) from None
