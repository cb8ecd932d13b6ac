"""LISTEN and NOTIFY: who listens to which channel, and what is told to all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session

STATES = "states"  # the channel of every change to states, memories and sessions


class Hub:
    """The channels of one server. `wake(session)` has a session that waits send what has come;
    `listened()` is called when somebody begins to listen."""

    def __init__(self, wake: Callable[[Any], None], listened: Callable[[], None]) -> None:
        self._wake = wake
        self._listened = listened
        self._lock = threading.Lock()
        self._channels: dict[str, set[Session]] = {}

    def change(self, session: Session, verb: str, channel: str | None) -> None:
        """LISTEN, or UNLISTEN to a channel or to all."""
        with self._lock:
            if verb == "listen" and channel is not None:
                self._channels.setdefault(channel, set()).add(session)
                session.channels.add(channel)
            else:
                for name in [channel] if channel is not None else list(session.channels):
                    self._leave(session, name)
        if verb == "listen":
            self._listened()

    def _leave(self, session: Session, channel: str) -> None:
        session.channels.discard(channel)
        left = self._channels.get(channel)
        if left is not None:
            left.discard(session)
            if not left:
                del self._channels[channel]

    def forget(self, session: Session) -> None:
        """A session ends."""
        with self._lock:
            for name in list(session.channels):
                self._leave(session, name)

    def listening(self) -> set[str]:
        """The channels that somebody listens to."""
        with self._lock:
            return set(self._channels)

    def send(
        self, pid: int, channel: str, payload: str, may: Callable[[Session], bool] | None = None
    ) -> None:
        """Tell all who listen, of those who may know it."""
        with self._lock:
            found = [s for s in self._channels.get(channel, ()) if may is None or may(s)]
        for session in found:
            session.notify(pid, channel, payload)
            self._wake(session)
