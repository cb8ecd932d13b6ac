"""What changes the connection itself: transactions and settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent import config
from sqlagent.engines.sqlite import translate
from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.plan.plans import Script, Setting, Transaction
from sqlagent.run.writing import open_handle

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor


class RunTransaction:
    """BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE."""

    def __init__(self, plan: Transaction) -> None:
        self.plan = plan

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        verb, name = self.plan
        if verb == "begin":
            connection.begin()
        elif verb in ("commit", "rollback"):
            if connection.txn is None:
                raise ProgrammingError(
                    "no transaction is open", hint="BEGIN opens one.", sqlstate="25P01"
                )
            connection._end(verb.upper())
        else:
            quoted = '"' + (name or "").replace('"', '""') + '"'
            text = {"savepoint": "SAVEPOINT ", "release": "RELEASE ", "rollback_to": "ROLLBACK TO "}
            with connection.txn_lock:
                if connection.txn is None:
                    if verb != "savepoint":
                        raise ProgrammingError("no transaction is open", sqlstate="25P01")
                    connection.begin()
                try:
                    own = open_handle(connection, check=verb != "rollback_to")
                    if connection.other is not None:
                        connection.other.savepoint(text[verb] + quoted)
                    own.execute(text[verb] + quoted)
                except apsw.Error as error:
                    raise translate(error) from None
                remember(connection.savepoints, verb, quoted)
                if verb == "rollback_to":
                    connection.txn_failed = False
                    connection.plans.clear()
                    for service in connection.database.services.values():
                        forget = getattr(service, "transaction_ended", None)
                        if forget is not None:
                            forget()


def remember(savepoints: list[str], verb: str, quoted: str) -> None:
    """Keep which savepoints are open: one that a name is released with ends those after it."""
    if verb == "savepoint":
        savepoints.append(quoted)
        return
    folded = [s.lower() for s in savepoints]
    if quoted.lower() in folded:
        last = len(folded) - 1 - folded[::-1].index(quoted.lower())
        del savepoints[last + (verb == "rollback_to") :]


@contextmanager
def _whole(connection: Connection) -> Iterator[None]:
    """All the statements within, or none."""
    if connection.txn is None:
        connection.begin()
        try:
            yield
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
        return
    yield  # an error aborts the transaction, as PostgreSQL's do


class RunScript:
    """Several statements, one by one; the rows are the last one's."""

    def __init__(self, plan: Script) -> None:
        self.plan = plan

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        if parameters:
            raise ProgrammingError("several statements in one text take no parameters")
        if any(real is not None for _, real in self.plan.temporary):
            from sqlagent.run.temporary import drop_left

            drop_left(connection)
        if not self.plan.atomic:
            for text in self.plan.parts:
                connection._run(cursor, text, ())
            return
        if len(self.plan.parts) > 1:
            with _whole(connection):
                self._all(connection, cursor)
        else:
            self._all(connection, cursor)
        cursor._iter = cursor._columns = cursor._table = None
        for name, real in self.plan.temporary:
            connection.temporary_tables.pop(name, None)
            if real is not None:
                connection.temporary_tables[name] = real
        connection.plans.clear()

    def _all(self, connection: Connection, cursor: Cursor) -> None:
        from sqlagent.run import make, plan_of

        gate = connection.gate

        count = 0
        for text in self.plan.parts:
            cursor._reset()
            planned = plan_of(connection, text, spelled=True)
            runner = make(connection.database, planned, connection)
            if gate is not None:
                runner = gate.runner(connection, text, runner)
            runner(connection, cursor, ())
            count += max(cursor.rowcount, 0)
        cursor.rowcount = count


class RunSetting:
    """SET, RESET, SHOW."""

    def __init__(self, plan: Setting) -> None:
        self.plan = plan

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        verb, name, value = self.plan
        if verb == "show":
            names = (
                list(config.SETTINGS)
                if name is None or name.lower() == "all"
                else [config.check(name, None)[0]]
            )
            cursor._columns = [("name", "VARCHAR"), ("value", "VARCHAR")]
            cursor._iter = iter([(n, config.shown(connection.settings[n])) for n in names])
            return
        if verb == "reset" and (name is None or name.lower() == "all"):
            connection.settings.update(config.defaults())
            connection.slowly = connection.txn is not None
            connection.plans.clear()
            return
        if name is None:
            raise ProgrammingError("SET needs the name of a setting")
        key, checked = config.check(name, None if verb == "reset" else value)
        if key in config.CLOSED and checked not in ("", connection.settings[key]):
            raise NotSupportedError(
                f'the setting "{key}" is not for statements',
                detail="it runs a program: whoever can send SQL could run any",
                hint=f"connect(path, {key}=...) sets it, SET {key} = '' turns it off.",
            )
        if key == "synchronous" and connection.txn is not None:
            raise ProgrammingError(
                "synchronous cannot change within a transaction", sqlstate="25001"
            )
        connection.settings[key] = checked
        connection.slowly = connection.txn is not None or bool(
            connection.settings["statement_timeout_ms"]
        )
        connection.plans.clear()
        if key.startswith("result_cache") and "results" in connection.database.services:
            mb = (
                connection.settings["result_cache_mb"] if connection.settings["result_cache"] else 0
            )
            connection.database.services["results"].shrink(mb << 20)
        if key == "memory_limit_mb" and "columns" in connection.database.services:
            connection.database.services["columns"].limit_memory(checked)
        if key == "synchronous":
            database = connection.database
            database.synchronous = checked
            handle = database.hold_bare()
            try:
                handle.execute(f"PRAGMA synchronous = {checked}")
            finally:
                database.let_go()
