"""Where results go: the standard output, or a file that is opened with the first result."""

import os
import sys
from io import TextIOWrapper
from typing import BinaryIO, TextIO

from .options import UsageError


class Output:
    """The standard output (`path` None) or a file; texts are UTF-8, line ends as written."""

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._text: TextIOWrapper | None = None

    @property
    def is_terminal(self) -> bool:
        return self.path is None and sys.stdout.isatty()

    @property
    def is_ascii(self) -> bool:
        """Whether the terminal's encoding lacks the lines of a table."""
        return self.path is None and "utf" not in (sys.stdout.encoding or "").lower()

    @property
    def text(self) -> TextIO:
        """Where to write text."""
        if self.path is None:
            return sys.stdout
        if self._text is None:
            # The wrapper must not close the file under `binary`, which shares it.
            self._text = TextIOWrapper(
                self.binary, "utf-8", "backslashreplace", newline="", write_through=True
            )
        return self._text

    @property
    def binary(self) -> BinaryIO:
        """Where to write bytes. Errors: UsageError when the file cannot be opened."""
        if self.path is None:
            sys.stdout.flush()
            return sys.stdout.buffer
        if self._file is None:
            try:
                self._file = open(self.path, "wb")  # noqa: SIM115 - closed by close()
            except OSError as error:
                raise UsageError(f'cannot write "{self.path}": {error.strerror}') from error
        return self._file

    def refuse_terminal(self) -> None:
        """Errors: UsageError when bytes would go to a terminal."""
        if self.is_terminal:
            raise UsageError(
                "Arrow is a stream of bytes, which a terminal cannot show",
                "Redirect the output, or name a file to write to.",
            )

    def close(self) -> None:
        """Ends the file; the standard output is only flushed."""
        if self._file is not None:
            if self._text is not None:
                self._text.flush()
                self._text.detach()
                self._text = None
            self._file.close()
            self._file = None
        elif self.path is None:
            sys.stdout.flush()


def refuse_database(path: str, database: str) -> None:
    """Errors: UsageError when writing to `path` would overwrite the database."""
    target = os.path.realpath(path)
    file = os.path.realpath(database)
    folder = file + ".d" + os.sep
    if target in (file, file + "-wal", file + "-shm") or (target + os.sep).startswith(folder):
        raise UsageError(f'"{path}" belongs to the database', "Write to another file.")


def prepare_stdout() -> None:
    """Line ends as written, and no error for a character that the terminal cannot show."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace", newline="")
