"""What the commands share: their parser, `name=value` pairs, and checks of the file argument."""

import argparse
import os
from typing import Any, NoReturn

from sqlagent.formats.typed import scalar


class UsageError(Exception):
    """The command was typed wrongly, or cannot be done: exit status 2."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\nhint: {hint}" if hint else message)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError, keeps examples as typed, and knows no prefixes."""

    def __init__(self, **keywords: Any) -> None:
        keywords.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        keywords.setdefault("allow_abbrev", False)
        super().__init__(**keywords)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"{self.prog} --help shows what it takes.")


def pair(text: str) -> tuple[str, bool | int | float | str | None]:
    """`name=value`, for options that may be given many times."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f'expected NAME=VALUE, not "{text}"')
    return name.lstrip(":$@"), scalar(value)


def check_file(path: str, *, must_exist: bool = False) -> bool:
    """Whether the database file is there.

    Errors: UsageError when it is a folder, when its folder is missing, or, with `must_exist`,
    when it is not there.
    """
    if path == ":memory:":
        return True
    if os.path.isdir(path):
        raise UsageError(f'"{path}" is a folder, not a database file', _hint_for_folder(path))
    if os.path.exists(path):
        return True
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise UsageError(f'no folder "{folder}" to keep "{os.path.basename(path)}" in')
    if must_exist:
        raise UsageError(f'no such file: "{path}"', _hint_for_missing(path))
    return False


def _hint_for_folder(path: str) -> str:
    bare = path.rstrip("/\\")
    if bare.endswith(".d") and os.path.isfile(bare[:-2]):
        return f'It holds what is derived from "{bare[:-2]}": give that file.'
    inside = sorted(name for name in os.listdir(path) if name.endswith(".db"))
    if inside:
        return f'Did you mean "{os.path.join(path, inside[0])}"?'
    return f'Name a file in it, as in "{os.path.join(path, "agent.db")}".'


def _hint_for_missing(path: str) -> str:
    import difflib

    folder = os.path.dirname(path) or "."
    names = [name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name))]
    near = difflib.get_close_matches(os.path.basename(path), names, n=1)
    if near:
        return f'Did you mean "{os.path.join(os.path.dirname(path), near[0])}"?'
    return "Check the name, or add --create to begin a new file."
