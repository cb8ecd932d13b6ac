"""Running the steps: ours on one connection, the shop's in another process."""

from __future__ import annotations

import time

import sqlagent
from sqlagent.cli.cancel import Cancel
from sqlagent.formats.cells import Column, columns_of

from .folder import Folder
from .plain import run_plain
from .readmes import write_readmes
from .screen import Screen
from .steps import STEPS, Plain


def take(place: Folder, screen: Screen) -> None:
    """Shows every step. Errors: sqlagent.Error of the statement that failed; KeyboardInterrupt."""
    write_readmes(place.readmes)
    connection = sqlagent.connect(place.database)
    cancel = Cancel(connection.interrupt)
    try:
        for number, step in enumerate(STEPS, 1):
            screen.heading(f"{number}. {step.title}")
            screen.say(step.why)
            for part in step.parts:
                if isinstance(part, Plain):
                    _plain(place, screen, part)
                else:
                    with cancel:
                        _ours(connection, screen, place.said(part))
                    cancel.check()  # one that came as the statement ended
    finally:
        cancel.close()
        connection.close()


def _ours(connection: sqlagent.Connection, screen: Screen, sql: str) -> None:
    """One statement through the engine."""
    screen.sql(sql)
    started = time.perf_counter()
    cursor = connection.execute(sql)
    if cursor.description is None:
        screen.done(cursor.rowcount, time.perf_counter() - started)
        return
    rows = cursor.fetchall()
    spent = time.perf_counter() - started
    screen.rows(columns_of(cursor.description), rows, spent, sql.startswith("EXPLAIN"))


def _plain(place: Folder, screen: Screen, part: Plain) -> None:
    """Statements of the other process, with its last one's rows."""
    screen.note("typed into another process: python3, import sqlite3")
    for sql in part.statements:
        screen.sql(sql)
    started = time.perf_counter()
    answer = run_plain(place.database, part.statements)
    spent = time.perf_counter() - started
    first = answer.rows[0]  # the last statement of each part is a SELECT that has rows
    kinds = ["BIGINT" if isinstance(value, int) else "VARCHAR" for value in first]
    columns = [Column(name, kind) for name, kind in zip(answer.names, kinds, strict=True)]
    screen.note(f"process {answer.pid}, SQLite {answer.version}, its start included:")
    screen.rows(columns, answer.rows, spent, False)
