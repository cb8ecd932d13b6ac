"""The gate: every statement of a user from outside passes it where its text becomes a plan.

`connect(path, principal)` gives a connection whose `gate` the engine asks (`run.plan_of`). Without
a principal, the file's owner, there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import sqlagent
from sqlagent.errors import ProgrammingError
from sqlagent.plan.plans import (
    Attach,
    Databases,
    Define,
    Detach,
    Duck,
    Explain,
    Import,
    Lite,
    Materialize,
    Native,
    Plan,
    Rehearsal,
    Remote,
    Script,
    Setting,
    Transaction,
)  # fmt: skip

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog
    from sqlagent.connection import Connection
    from sqlagent.serve.users import Authenticator, Principal

_NEVER = (Attach, Detach, Databases, Native, Remote, Import)
_DEFINES = (Define, Materialize)
_READS = (Lite, Duck, Setting, Transaction, Script, Explain, Rehearsal)
# What a user may set for the session: how statements are read and how results are weighed.
SETTABLE = frozenset(("dialect", "route", "result_cache", "statement_timeout_ms"))


class PrivilegeError(ProgrammingError):
    """The user was not granted this."""

    sqlstate = "42501"


def connect(path: str, principal: Principal | None, **settings: Any) -> Connection:
    """A connection to the file for a user who has logged in; None is its owner."""
    connection = sqlagent.connect(path, **settings)
    connection.principal = principal
    if principal is not None:
        connection.gate = Gate(principal)
    return connection


class Gate:
    """What one user's statements may do."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.timeout_ms_max = 0
        self.users: Authenticator | None = None

    def plan(
        self,
        connection: Connection,
        sql: str,
        catalog: Catalog,
        settings: Mapping[str, Any],
        protected: Callable[[str], str | None],
    ) -> Plan:
        """The plan of a text, where its user may run it. Raises PrivilegeError."""
        from sqlagent.plan import plan

        made = plan(sql, catalog, settings, protected)
        self.check(made.run)
        return made

    def check(self, run: Any) -> None:
        """Raise PrivilegeError for a plan that the user may not run."""
        if isinstance(run, _NEVER):
            raise PrivilegeError("this statement is not for users of the server")
        if isinstance(run, Explain | Rehearsal):
            self.check(run.plan)
        if isinstance(run, _DEFINES) or (isinstance(run, Lite) and run.ddl):
            if self.principal.role != "admin":
                raise PrivilegeError(f'user "{self.principal.name}" may not change the schema')
        elif not isinstance(run, _READS) or (isinstance(run, Lite) and run.writes):
            self._writes()
        if isinstance(run, Setting) and run.verb != "show" and run.name not in SETTABLE:
            raise PrivilegeError(f'the setting "{run.name}" is not for users of the server')
        for part in (run, getattr(run, "source", None), getattr(run, "read", None)):
            if isinstance(part, Duck) and (part.files or part.natives):
                raise PrivilegeError("files of the server are not for its users")

    def _writes(self) -> None:
        if not self.principal.writes:
            raise PrivilegeError(f'user "{self.principal.name}" may only read')
