"""Limits: how many connections, how long, how much, and how often somebody may be wrong.

What is counted is held in memory that does not grow with the number of addresses that try.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlagent.errors import OperationalError

if TYPE_CHECKING:
    from sqlagent.serve.users import Principal

ADDRESSES_MAX = 10_000
DELAY_FIRST_S = 0.25
DELAY_MAX_S = 8.0
FREE_FAILURES = 2  # a slip of the finger costs nothing
FORGET_S = 300.0


@dataclass(frozen=True)
class Limits:
    """Limits of a server; 0 is none, where a user's own are stricter these hold.

    `message_mb` bounds one message of a client, `result_mb` what a result may hold in memory at
    once; `login_s` how long a client may take until it is logged in; `grace_s` how long statements
    that run may go on when the server ends.
    """

    connections: int = 200
    connections_per_user: int = 0
    statement_timeout_ms: int = 0
    rows: int = 0
    result_mb: int = 256
    message_mb: int = 64
    login_s: float = 10.0
    grace_s: float = 5.0

    @property
    def message_bytes(self) -> int:
        """The largest message of a client, in bytes."""
        return self.message_mb << 20 if self.message_mb else 1 << 30


class LimitError(OperationalError):
    """More than a limit allows."""

    sqlstate = "54000"


class TooManyConnections(OperationalError):
    """No connection is left for this client."""

    sqlstate = "53300"


class Visit:
    """One client, from its arrival until `leave`, which may be called twice."""

    def __init__(self, admission: Admission, address: str) -> None:
        self.address = address
        self._admission = admission
        self._user = ""
        self._gone = False

    def login(self, principal: Principal) -> None:
        """Count the client as its user's. Raises TooManyConnections."""
        self._admission.login(principal.name, principal.connections_max)
        self._user = principal.name

    def leave(self) -> None:
        """Give the place back."""
        if not self._gone:
            self._gone = True
            self._admission.leave(self._user)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


class Admission:
    """Counts the clients of all protocols together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._users: Counter[str] = Counter()
        self.count = 0

    def enter(self, address: str = "") -> Visit:
        """A place for a client that has just arrived. Raises TooManyConnections."""
        with self._lock:
            most = self._limits.connections
            if most and self.count >= most:
                raise TooManyConnections(
                    "too many clients already", detail=f"the limit is {most} connections"
                )
            self.count += 1
        return Visit(self, address)

    def login(self, name: str, own_max: int) -> None:
        """Count one more client of a user. Raises TooManyConnections."""
        bounds = [n for n in (own_max, self._limits.connections_per_user) if n]
        with self._lock:
            if bounds and self._users[name] >= min(bounds):
                raise TooManyConnections(
                    f'too many connections for user "{name}"',
                    detail=f"the limit is {min(bounds)} connections",
                )
            self._users[name] += 1

    def leave(self, name: str) -> None:
        """Forget a client; `name` is '' where it never logged in."""
        with self._lock:
            self.count -= 1
            if name:
                self._users[name] -= 1
                if not self._users[name]:
                    del self._users[name]


class Failures:
    """Log-ins that failed, by address: each makes the next answer come later.

    The delay doubles from a quarter of a second up to eight, and is forgotten after five quiet
    minutes or a success. Of more than 10,000 addresses the longest quiet are forgotten.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def delay(self, address: str) -> float:
        """How many seconds to wait before an attempt from `address` is answered."""
        with self._lock:
            count, last = self._known.get(address, (0, 0.0))
            if count and time.monotonic() - last > FORGET_S:
                del self._known[address]
                return 0.0
        if count <= FREE_FAILURES:
            return 0.0
        return min(DELAY_MAX_S, DELAY_FIRST_S * 2.0 ** min(count - FREE_FAILURES - 1, 10))

    def failed(self, address: str) -> None:
        """A log-in failed."""
        with self._lock:
            count, _ = self._known.pop(address, (0, 0.0))
            self._known[address] = (count + 1, time.monotonic())
            if len(self._known) > ADDRESSES_MAX:
                self._known.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """A log-in succeeded."""
        with self._lock:
            self._known.pop(address, None)
