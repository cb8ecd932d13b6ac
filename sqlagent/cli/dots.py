"""The dot commands of the shell and of scripts: one function each, its docstring is its help."""

import shlex
from collections.abc import Callable
from typing import NamedTuple

from sqlagent.formats.writers import FORMATS

from .catalog import FUNCTIONS_SQL, indexes, matches, tables
from .options import UsageError, check_file
from .script import Quit, Script
from .session import Session

READ_DEPTH_MAX = 16
SQL_TOO = """\
Such as EXPLAIN ANALYZE SELECT …; ATTACH 'other.db' AS other; COPY t FROM 'f.csv' (ON_ERROR reject);
CREATE MACRO m(a) AS …; CREATE MATERIALIZED VIEW v AS …; SHOW TABLES; CALL sync()."""

Action = Callable[[Session, list[str]], None]


class Dot(NamedTuple):
    """A dot command: what to type, and what it does."""

    usage: str
    action: Action
    arguments_min: int
    arguments_max: int


DOTS: dict[str, Dot] = {}


def dot(usage: str) -> Callable[[Action], Action]:
    """Makes a function the dot command `usage`; arguments in `[…]` may be left out."""
    words = usage.split()
    needed = sum(1 for word in words[1:] if not word.startswith("["))

    def add(action: Action) -> Action:
        DOTS[words[0][1:]] = Dot(usage, action, needed, len(words) - 1)
        return action

    return add


def run_dot(session: Session, line: str) -> None:
    """Runs one line such as `.schema memories`.

    A beginning that only one command has is enough. Errors: UsageError, sqlagent.Error, Quit.
    """
    try:
        words = shlex.split(line[1:].rstrip(";"))
    except ValueError as error:
        raise UsageError(f"cannot read the command: {str(error).lower()}") from error
    name = words[0].lower() if words else "help"
    found = DOTS.get(name) or _only(name)
    given = len(words) - 1
    if not found.arguments_min <= max(given, 0) <= found.arguments_max:
        raise UsageError(f"expected {found.usage}, not {max(given, 0)} arguments")
    found.action(session, words[1:])


def _only(name: str) -> Dot:
    import difflib

    fitting = [key for key in DOTS if key.startswith(name)]
    if len(fitting) == 1:
        return DOTS[fitting[0]]
    if fitting:
        raise UsageError(f'".{name}" may be .{" or .".join(fitting)}', "Type more of it.")
    near = difflib.get_close_matches(name, DOTS, n=1)
    hint = f'Did you mean ".{near[0]}"?' if near else ".help lists what there is."
    raise UsageError(f'unknown command ".{name}"', hint)


def _write(session: Session, text: str) -> None:
    session.output.text.write(text)


def _switch(words: list[str], now: bool) -> bool:
    """The value of an `on|off` argument; without one, the other way round."""
    if not words:
        return not now
    if words[0].lower() not in ("on", "off"):
        raise UsageError(f'expected on or off, not "{words[0]}"')
    return words[0].lower() == "on"


@dot(".help [COMMAND]")
def show_help(session: Session, words: list[str]) -> None:
    """this list, or one command of it"""
    if words and words[0].lstrip(".") not in DOTS:
        _only(words[0].lstrip("."))
    for name, entry in DOTS.items():
        if not words or name.startswith(words[0].lstrip(".")):
            _write(session, f"{entry.usage:<24} {entry.action.__doc__}\n")
    if not words:
        _write(session, "Anything else is SQL and ends with a semicolon; Ctrl-C cancels it.\n")
        _write(session, f"{SQL_TOO}\n")


@dot(".tables [PATTERN]")
def show_tables(session: Session, words: list[str]) -> None:
    """tables and views, those that match"""
    for name, kind, _ in tables(session, *words):
        _write(session, f"{name}\n" if kind == "table" else f"{name} ({kind})\n")


@dot(".schema [TABLE]")
def show_schema(session: Session, words: list[str]) -> None:
    """the statements that made the tables, views and indexes"""
    if words and any(mark in words[0] for mark in "*?%["):
        chosen = tables(session, words[0])
    elif words:
        chosen = [entry for entry in tables(session) if entry[0].lower() == words[0].lower()]
    else:
        chosen = tables(session) + indexes(session)
    if words and not chosen:
        raise UsageError(f'no table or view "{words[0]}"', ".tables lists them.")
    for _, _, sql in chosen:
        _write(session, sql.rstrip().rstrip(";") + ";\n")


@dot(".functions [NAME]")
def show_functions(session: Session, words: list[str]) -> None:
    """SQL functions of this engine; the whole reference of one"""
    if not words:
        session.run("SELECT name, kind, signature, returns FROM sqlagent_functions ORDER BY name")
        return
    rows = session.rows(FUNCTIONS_SQL + " ORDER BY name")
    exact = [row for row in rows if row[0] == words[0].lower()]
    chosen = exact or [row for row in rows if matches(row[0], words[0])]
    if not chosen:
        raise UsageError(f'no function "{words[0]}"', ".functions lists them.")
    for number, (_, kind, signature, returns, description) in enumerate(chosen):
        gap = "\n" if number else ""
        about = (description or "").strip()
        _write(session, f"{gap}{signature} → {returns}  ({kind})\n\n{about}\n")


@dot(".settings [PATTERN]")
def show_settings(session: Session, words: list[str]) -> None:
    """settings of the connection; SET name = value changes one"""
    like = "%" + words[0].strip("%*") + "%" if words else "%"
    session.run(
        "SELECT name, value, description FROM sqlagent_settings WHERE name LIKE ? ORDER BY name",
        [like],
    )


@dot(".mode [FORMAT]")
def set_mode(session: Session, words: list[str]) -> None:
    """how rows are written: table, csv, json, arrow, markdown, line"""
    if words:
        session.set_mode(words[0].lower())
    else:
        _write(session, f"{session.mode} (of {', '.join(FORMATS)})\n")


@dot(".headers [on|off]")
def set_headers(session: Session, words: list[str]) -> None:
    """names of columns in tables, CSV and Markdown"""
    session.headers = _switch(words, session.headers)


@dot(".timer [on|off]")
def set_timer(session: Session, words: list[str]) -> None:
    """tell how long each statement took"""
    session.timer = _switch(words, session.timer)


@dot(".explain [on|off]")
def set_explain(session: Session, words: list[str]) -> None:
    """before each statement, show which engine will run what"""
    session.explain = _switch(words, session.explain)


@dot(".rows COUNT")
def set_rows(session: Session, words: list[str]) -> None:
    """at most so many rows of a table on the terminal; 0 for all"""
    if not words[0].isdecimal():
        raise UsageError(f'expected a number of rows, not "{words[0]}"')
    session.rows_max = int(words[0])


@dot(".output [FILE]")
def set_output(session: Session, words: list[str]) -> None:
    """send rows to a file; without one, back here"""
    session.set_output(words[0] if words else None)


@dot(".read FILE")
def read_script(session: Session, words: list[str]) -> None:
    """run the statements of a file, up to the first error"""
    if session.reading >= READ_DEPTH_MAX:
        raise UsageError(
            f'"{words[0]}" is read {READ_DEPTH_MAX} files deep', "Does it read itself?"
        )
    session.reading += 1
    try:
        with open(words[0], encoding="utf-8-sig") as lines:
            fine = Script(session, words[0]).run(lines)
    except UnicodeDecodeError as error:
        raise UsageError(f'"{words[0]}" is not UTF-8 text') from error
    finally:
        session.reading -= 1
    if not fine:
        raise UsageError(f'"{words[0]}" stopped at its first error')


@dot(".import SOURCE TABLE")
def import_source(session: Session, words: list[str]) -> None:
    """load a data file, or into documents a folder; COPY … FROM has checks"""
    from .imports import Import, load

    if not load(session, Import([words[0]], words[1])):
        raise UsageError("not everything was imported")


@dot(".open FILE")
def open_file(session: Session, words: list[str]) -> None:
    """leave this database and open another; a new file is made"""
    new = not check_file(words[0], must_exist=session.read_only)
    session.reopen(words[0])
    session.say(f"{'created' if new else 'opened'} {words[0]}")


@dot(".check")
def check_database(session: Session, words: list[str]) -> None:
    """test the file and everything derived from it"""
    session.run("CALL check()")


@dot(".quit")
def leave(session: Session, words: list[str]) -> None:
    """leave; a transaction that is open is rolled back"""
    raise Quit


@dot(".exit")
def leave_too(session: Session, words: list[str]) -> None:
    """the same"""
    raise Quit
