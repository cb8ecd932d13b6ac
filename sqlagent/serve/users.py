"""Users: who may log in, what their role is, and which tables and agents they are granted.

They are rows of `sqlagent_users` and `sqlagent_grants`, or the one user of `sqlagent serve --user`.
"""

from __future__ import annotations

import hmac
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlagent.errors import OperationalError
from sqlagent.serve import scram

if TYPE_CHECKING:
    from sqlagent.connection import Connection

ROLES = ("reader", "writer", "admin")
PRIVILEGES = ("select", "insert", "update", "delete")


@dataclass(frozen=True)
class Principal:
    """A user who has logged in.

    `role`: a reader reads; a writer also writes rows; an admin also changes the schema and users.
    `grants` are (lower-case table, privilege) pairs, within what the role may; None: every table.
    `agents` are the agents whose rows there are for the user; None: every agent. Limits are 0 where
    there is none of the user's own. `trusted`: known by other means than the users of the file.
    """

    name: str
    role: str = "reader"
    agents: frozenset[str] | None = None
    grants: frozenset[tuple[str, str]] | None = None
    connections_max: int = 0
    statement_timeout_ms: int = 0
    rows_max: int = 0
    trusted: bool = False

    @property
    def writes(self) -> bool:
        """Whether the role lets its user write rows."""
        return self.role in ("writer", "admin")

    @property
    def tables(self) -> frozenset[str] | None:
        """Lower-case names of the tables that may be read; None: every one."""
        if self.grants is None:
            return None
        return frozenset(table for table, privilege in self.grants if privilege == "select")

    def may(self, privilege: str, table: str) -> bool:
        """Whether `privilege` (one of PRIVILEGES) on a table is granted."""
        if privilege != "select" and not self.writes:
            return False
        return self.grants is None or (table.lower(), privilege) in self.grants


class AuthenticationError(OperationalError):
    """Nobody is let in: the user or the password is wrong."""

    sqlstate = "28P01"


class Accounts(Protocol):
    """Where users are kept."""

    def verifier(self, name: str) -> scram.Verifier | None:
        """What checks a user's password; None where there is no such user."""

    def principal(self, name: str) -> Principal | None:
        """A user as of now; None where there is none."""


class OneAccount:
    """The single user of `sqlagent serve --user NAME --password-file FILE`, who may write."""

    def __init__(self, name: str, password: str) -> None:
        self._principal = Principal(name, "writer")
        self._verifier = scram.make(password)

    def verifier(self, name: str) -> scram.Verifier | None:
        return self._verifier if name == self._principal.name else None

    def principal(self, name: str) -> Principal | None:
        return self._principal if name == self._principal.name else None


class FileAccounts:
    """The users in a file, read by its owner's connection each time: changes hold at once."""

    def __init__(self, owner: Connection) -> None:
        self._owner = owner

    def verifier(self, name: str) -> scram.Verifier | None:
        row = self._owner.execute(
            "SELECT verifier FROM sqlagent_users WHERE name = ? AND can_log_in", (name,)
        ).fetchone()
        return scram.parse(str(row[0])) if row is not None and row[0] is not None else None

    def principal(self, name: str) -> Principal | None:
        row = self._owner.execute(
            "SELECT role, every_table, every_agent, connections_max, statement_timeout_ms, "
            "rows_max FROM sqlagent_users WHERE name = ? AND can_log_in",
            (name,),
        ).fetchone()
        if row is None:
            return None
        grants = self._owner.execute(
            "SELECT kind, object, privilege FROM sqlagent_grants WHERE user_name = ?", (name,)
        ).fetchall()
        tables = {(str(o).lower(), str(p)) for kind, o, p in grants if kind == "table"}
        agents = {str(o) for kind, o, _ in grants if kind == "agent"}
        role, every_table, every_agent, connections, timeout, rows = row
        return Principal(
            name, str(role), None if every_agent else frozenset(agents),
            None if every_table else frozenset(tables),
            int(connections or 0), int(timeout or 0), int(rows or 0),
        )  # fmt: skip


class Authenticator:
    """Checks names and passwords against `accounts`. Unknown users look like known ones."""

    def __init__(self, accounts: Accounts, secret: bytes | None = None) -> None:
        self.accounts = accounts
        self._secret = secret or os.urandom(32)
        self._key = os.urandom(32)
        self._right: dict[str, tuple[str, bytes]] = {}  # name: verifier, digest of its password
        self._lock = threading.Lock()

    def scram(self, name: str) -> scram.Verifier:
        """What SCRAM needs for a user: of an unknown one, a verifier that no password fits."""
        return self.accounts.verifier(name) or scram.made_up(name, self._secret)

    def principal(self, name: str) -> Principal:
        """The user after SCRAM has succeeded. Raises AuthenticationError where there is none."""
        found = self.accounts.principal(name)
        if found is None:
            raise refused(name)
        return found

    def password(self, name: str, password: str) -> Principal:
        """The user of a name and a password. Raises AuthenticationError.

        A password that was right is known again by a keyed digest: deriving its key takes
        milliseconds, too long for each request of HTTP.
        """
        verifier = self.scram(name)
        digest = hmac.digest(self._key, password.encode("utf-8", "surrogatepass"), "sha256")
        with self._lock:
            known = self._right.get(name)
        known_right = (
            known is not None
            and known[0] == str(verifier)
            and hmac.compare_digest(known[1], digest)
        )
        if not known_right:
            if not verifier.fits(password) or self.accounts.verifier(name) is None:
                raise refused(name)
            with self._lock:
                if len(self._right) >= 1000:
                    self._right.clear()
                self._right[name] = (str(verifier), digest)
        return self.principal(name)

    def token(self, token: str) -> Principal:
        """The user of a token `name:password`. Raises AuthenticationError."""
        name, colon, password = token.partition(":")
        if not colon:
            raise AuthenticationError("a token is name:password")
        return self.password(name, password)


def refused(name: str) -> AuthenticationError:
    """The one error for an unknown user and for a wrong password."""
    return AuthenticationError(f'password authentication failed for user "{name}"')


def authenticate_scram(database: Connection, name: str) -> scram.Verifier:
    """`Authenticator.scram` over the users of the file that the owner's connection has open."""
    return Authenticator(FileAccounts(database), _stable(database)).scram(name)


def verify_password(database: Connection, name: str, password: str) -> Principal:
    """`Authenticator.password` over the users of the file."""
    return Authenticator(FileAccounts(database), _stable(database)).password(name, password)


def _stable(owner: Connection) -> bytes:
    """The secret behind made-up salts; kept in the derived folder, so that a restart is not told
    from the salts of unknown users alone."""
    folder = owner.database.folder
    if folder is None:
        return b"sqlagent in memory" + os.fsencode(owner.database.path)
    path = os.path.join(folder, "serve.secret")
    try:
        with open(path, "rb") as file:
            found = file.read()
        if len(found) == 32:
            return found
    except OSError:
        pass
    made = os.urandom(32)
    os.makedirs(folder, exist_ok=True)
    partial = f"{path}.{os.getpid()}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(made)
    os.replace(partial, path)
    return made


def authenticator(owner: Connection) -> Authenticator:
    """The authenticator over the users of a file."""
    return Authenticator(FileAccounts(owner), _stable(owner))
