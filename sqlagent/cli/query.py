"""`sqlagent FILE [STATEMENT …]`: the shell, a script from a pipe, or statements and their rows."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from sqlagent.formats.writers import ONE_SHOT_FORMATS

from .options import Parser, UsageError, check_file, pair
from .output import Output, refuse_database
from .script import Quit, Script
from .session import Session
from .split import lines_of, parameters

EXAMPLES = """\
commands:
  sqlagent FILE                         an interactive shell, or a script from a pipe
  sqlagent FILE "SELECT …"              runs statements and writes their rows
  sqlagent import SOURCE FILE --into TABLE
                                        loads data files, or a folder of documents
  sqlagent check FILE                   tests the file and everything derived from it
  sqlagent demo [FOLDER]                a tour on a small database of its own
  sqlagent COMMAND --help               more on a command

examples:
  sqlagent agent.db
  sqlagent agent.db "SELECT * FROM recall('ada', 'what does she drink?')"
  sqlagent agent.db "SELECT * FROM memories WHERE agent_id = :who" --param who=ada --format json
  sqlagent agent.db "SELECT * FROM memories" --format csv --output memories.csv
  sqlagent agent.db < load.sql
  sqlagent ./import                     the file named import, not the command

A value of --param or --set that reads as a number, true, false or null is one; put it in double
quotes inside the shell's own to keep a text: --param code='"42"'. Parameters written ? are given
by place: --param 1=ada --param 2=5.

exit status: 0 all went well, 1 an SQL error, 2 wrong usage, 130 interrupted.
"""


def parser() -> Parser:
    """The options of `sqlagent FILE`."""
    made = Parser(
        prog="sqlagent",
        usage="sqlagent [options] FILE [STATEMENT …]",
        description="An SQL engine for agents' states, memories, documents and vectors.",
        epilog=EXAMPLES,
    )
    add = made.add_argument
    add("file", nargs="?", metavar="FILE", help="the database file (:memory: for none)")
    add("statements", nargs="*", metavar="STATEMENT", help="SQL, or a dot command; see .help")
    add("--format", choices=ONE_SHOT_FORMATS, default="table", help="of rows (default: table)")
    add("--output", metavar="PATH", help="write rows to this file")
    add("--param", metavar="NAME=VALUE", type=pair, action="append", default=[])
    add("--set", metavar="NAME=VALUE", type=pair, action="append", default=[], dest="settings")
    add("--read-only", action="store_true", help="refuse every write")
    add("--create", action="store_true", help="begin a new file if there is none")
    add("--no-headers", action="store_true", help="leave out the names of columns")
    add("--timer", action="store_true", help="tell how long each statement took")
    add("--continue-on-error", action="store_true", help="do not stop at the first error")
    add("--version", action="store_true", help="show the version and leave")
    return made


def main(argv: Sequence[str]) -> int:
    """Runs it; returns the exit status. Errors: UsageError, sqlagent.Error, KeyboardInterrupt."""
    options = parser().parse_intermixed_args(list(argv))
    if options.version:
        import sqlagent

        print(f"sqlagent {sqlagent.__version__}")
        return 0
    if options.file is None:
        raise UsageError("which database file?", 'As in "sqlagent agent.db"; see sqlagent --help.')
    given = dict(options.param)
    one_shot = bool(options.statements)
    if one_shot:
        _refuse_unused(given, options.statements)
    if options.output:
        refuse_database(options.output, options.file)
    if one_shot and options.format == "arrow":
        Output(options.output).refuse_terminal()
    must_exist = options.read_only or (one_shot and not options.create)
    new = not check_file(options.file, must_exist=must_exist)
    session = _open(options)
    try:
        if one_shot:
            script = Script(session, keep_going=options.continue_on_error, given=given)
            return _status(script, options.statements)
        if sys.stdin is not None and sys.stdin.isatty():
            from .shell import shell

            shell(session, new=new)
            return 0
        if new:
            session.say(f"created {options.file}")
        keep_going = options.continue_on_error
        script = Script(session, "<stdin>", keep_going=keep_going, given=given)
        return _status(script, [sys.stdin or ""])
    finally:
        session.close()


def _open(options: argparse.Namespace) -> Session:
    session = Session(options.file, read_only=options.read_only, **dict(options.settings))
    session.set_mode(options.format)
    session.headers = not options.no_headers
    session.timer = options.timer
    session.set_output(options.output)
    return session


def _status(script: Script, texts: Iterable[str | TextIO]) -> int:
    """Runs each text, as one on its own: a string left open in one does not reach the next."""
    status = 0
    try:
        for text in texts:
            lines = lines_of(text.lstrip()) if isinstance(text, str) else text
            if not script.run(lines):
                status = 1
                if not script.keep_going:
                    break
    except Quit:
        pass
    except UnicodeDecodeError as error:
        raise UsageError(f"the script is not {error.encoding} text") from error
    return status


def _refuse_unused(given: dict[str, Any], statements: list[str]) -> None:
    wanted = {name for statement in statements for name in parameters(statement)}
    for name in given:
        if name not in wanted and not (name.isdigit() and "?" in wanted):
            raise UsageError(f'no statement has a parameter "{name}"', f"Write it :{name} or ?.")
