"""What the tour looks like: headings, a sentence of why, SQL, rows, times."""

from __future__ import annotations

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from sqlagent.cli.table import Look, write_table
from sqlagent.formats.cells import Column

WIDTH = 100  # columns, where no terminal says how many it has
INDENT = "  "


class Screen:
    """Writes to the standard output, in colour on a terminal (unless NO_COLOR is set)."""

    def __init__(self) -> None:
        terminal = sys.stdout is not None and sys.stdout.isatty()
        self.color = terminal and "NO_COLOR" not in os.environ
        self.width = min(shutil.get_terminal_size().columns, 140) if terminal else WIDTH
        self.ascii = "utf" not in (sys.stdout.encoding or "").lower()

    def heading(self, text: str) -> None:
        """The title of a step."""
        rule = ("-" if self.ascii else "─") * max(0, self.width - len(text) - 1)
        print(f"{self._style(text, '1')} {self._style(rule, '2')}")

    def say(self, text: str) -> None:
        """A sentence or two of why."""
        print(textwrap.fill(" ".join(text.split()), self.width) + "\n")

    def note(self, text: str) -> None:
        """A remark on what comes next."""
        print(INDENT + self._style(f"-- {text}", "2"))

    def sql(self, statement: str) -> None:
        """A statement as it is typed."""
        print(textwrap.indent(self._colored(statement + ";"), INDENT))
        self.flush()  # what runs now is on the screen while it runs

    def rows(
        self, columns: list[Column], rows: Iterable[Sequence[Any]], seconds: float, breaks: bool
    ) -> None:
        """A result and the time that it took; with `breaks`, line breaks in cells are kept.

        Elsewhere runs of spaces and line breaks are shown as one space, and a column too wide for
        the line is cut.
        """
        shown = [tuple(row) if breaks else tuple(map(_one_line, row)) for row in rows]
        out = io.StringIO()
        width = None if breaks else self.width - len(INDENT)
        look = Look(width=width, color=self.color, lines=breaks, ascii=self.ascii)
        write_table(columns, shown, out, look)
        print(textwrap.indent(out.getvalue().rstrip("\n"), INDENT) + self._took(seconds) + "\n")
        self.flush()

    def done(self, changed: int, seconds: float) -> None:
        """The end of a statement that gives no rows."""
        what = (
            f"({changed:,} row{'' if changed == 1 else 's'} changed)" if changed >= 0 else "(done)"
        )
        print(INDENT + self._style(what, "2") + self._took(seconds) + "\n")
        self.flush()

    def lines(self, lines: Iterable[str]) -> None:
        """Lines as they are."""
        print("\n".join(INDENT + line if line else "" for line in lines))
        self.flush()

    def flush(self) -> None:
        """Puts on the screen what was written."""
        sys.stdout.flush()

    def _took(self, seconds: float) -> str:
        return self._style(f"  {seconds * 1000:,.1f} ms", "2")

    def _style(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text

    def _colored(self, statement: str) -> str:
        if not self.color:
            return statement
        from rich.console import Console
        from rich.syntax import Syntax

        out = io.StringIO()
        console = Console(file=out, force_terminal=True, width=400, color_system="standard")
        console.print(Syntax(statement, "sql", theme="ansi_dark", background_color="default"))
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _one_line(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value
