"""The runner of COPY into Markdown: the rows of a SELECT as a table; the file appears whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlagent.errors import OperationalError
from sqlagent.plan.plans import CopyText

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor


class RunCopyText:
    """Writes beside the file, then puts it in its place."""

    def __init__(self, plan: CopyText, text: str) -> None:
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        from sqlagent.formats.cells import columns_of
        from sqlagent.formats.writers import write_markdown

        rows = connection.execute(self.plan.sql, parameters)
        path = os.path.expanduser(self.plan.path)
        beside = f"{path}.{os.getpid()}.tmp"
        try:
            with open(beside, "w", encoding="utf-8", errors="backslashreplace") as file:
                count = write_markdown(columns_of(rows.description), rows, file)
            os.replace(beside, path)
        except OSError as error:
            raise OperationalError(
                f'cannot write "{self.plan.path}": {error.strerror}', sql=self.text, position=0,
                sqlstate="58030",
            ) from None  # fmt: skip
        finally:
            if os.path.exists(beside):
                os.remove(beside)
        cursor.rowcount = count
