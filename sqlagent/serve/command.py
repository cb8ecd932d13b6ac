"""`sqlagent serve`: starts the listeners, waits for a signal, and ends them.

A wider address than this machine's own is refused without TLS and a password.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from sqlagent.errors import Error, OperationalError, ProgrammingError
from sqlagent.serve import tls
from sqlagent.serve.limits import Limits
from sqlagent.serve.server import Listener, Server

PROTOCOLS = {
    "pg": "sqlagent.serve.pg",
    "quack": "sqlagent.serve.quack",
    "http": "sqlagent.serve.http",
}
MORE_S = 10.0  # beyond the grace, for cancelling what runs


class Place(NamedTuple):
    """Where a protocol listens; a host that begins with a slash is a socket's folder."""

    protocol: str
    host: str
    port: int


def place(protocol: str, text: str) -> Place:
    """`HOST:PORT`, `[::1]:PORT`, `:PORT` or `PORT` (on this machine). Raises
    ProgrammingError."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ProgrammingError(
            f'--{protocol} takes HOST:PORT, not "{text}"', hint=f"Such as --{protocol} :5432",
            sqlstate="22023",
        )  # fmt: skip
    return Place(protocol, host, int(port))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_places(places: Sequence[Place], *, has_tls: bool, has_users: bool) -> None:
    """Raise OperationalError for a wider address without TLS and somebody to log in."""
    for wanted in places:
        if is_loopback(wanted.host):
            continue
        lacking = [w for w, has in (("TLS", has_tls), ("a user", has_users)) if not has]
        if lacking:
            raise OperationalError(
                f"{wanted.host} is reached by others: that needs TLS and a user with a password, "
                f"and there is no {' and no '.join(w.removeprefix('a ') for w in lacking)}",
                hint="--tls self-signed, or --tls-cert and --tls-key; sqlagent users FILE add NAME",
                sqlstate="28000",
            )


def start(server: Server, wanted: Place) -> Listener:
    """Start one protocol. Raises OperationalError where it is not installed or cannot listen."""
    name = PROTOCOLS[wanted.protocol]
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        raise OperationalError(
            f"--{wanted.protocol} needs {error.name}, which is not installed",
            hint="pip install sqlagent[serve]", sqlstate="58P01",
        ) from None  # fmt: skip
    begin = getattr(module, "start", None)
    if begin is None:
        raise OperationalError(f"this sqlagent does not speak {wanted.protocol}", sqlstate="0A000")
    try:
        listener: Listener = begin(server, wanted.host, wanted.port)
    except OSError as error:
        raise OperationalError(
            f"--{wanted.protocol} cannot listen on {wanted.host}:{wanted.port}: "
            f"{error.strerror or error}",
            sqlstate="58000",
        ) from None
    return listener


def serve(
    path: str,
    places: Sequence[Place],
    *,
    limits: Limits | None = None,
    account: tuple[str, str] | None = None,
    certificate: tuple[str, str | None] | None = None,
    self_signed: bool = False,
) -> int:
    """Serve a file until SIGTERM or SIGINT; the exit status."""
    limits = limits or Limits()
    if self_signed:
        wide = next((p.host for p in places if not is_loopback(p.host)), "")
        certificate = tls.self_signed(os.path.abspath(path) + ".d", wide)
    context = tls.context(*certificate) if certificate is not None else None
    server = Server(
        path, limits=limits, tls=context, account=account,
        certificate=tls.der(certificate[0]) if certificate is not None else None,
    )  # fmt: skip
    listeners: list[Listener] = []
    done = threading.Event()
    before = {s: signal.signal(s, lambda *_: done.set()) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        has_users = account is not None or _has_users(server)
        check_places(places, has_tls=context is not None, has_users=has_users)
        if not has_users and any(not p.host.startswith("/") for p in places):
            raise OperationalError(
                "nobody may log in: there is no user with a password",
                hint=f"sqlagent users {path} add NAME, or --user NAME --password-file FILE",
                sqlstate="28000",
            )
        for wanted in places:
            listeners.append(start(server, wanted))
            print(f"{wanted.protocol}: listening on {listeners[-1].address}", flush=True)
        while not done.wait(3600):
            pass
        print("ending", file=sys.stderr, flush=True)
    finally:
        _end(server, listeners, limits.grace_s)
        for number, handler in before.items():
            signal.signal(number, handler)
    if any(t.daemon for t in threading.enumerate()):
        # A thread that is still in an engine's C++ would have the interpreter abort on its way out.
        # All that was acknowledged is in the file.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def _end(server: Server, listeners: Sequence[Listener], grace_s: float) -> None:
    """End all listeners at the same time, then what they share."""

    def close(listener: Listener) -> None:
        try:
            listener.close(grace_s)
        except (OSError, Error) as error:
            print(f"error: {error}", file=sys.stderr, flush=True)

    closing = [threading.Thread(target=close, args=(one,), daemon=True) for one in listeners]
    for thread in closing:
        thread.start()
    end = time.monotonic() + grace_s + MORE_S
    for thread in closing:
        thread.join(max(0.0, end - time.monotonic()))
    server.close()


def _has_users(server: Server) -> bool:
    """Whether anybody can log in with a password; asked of SQLite, so that no planner is loaded."""
    sql = "SELECT 1 FROM sqlagent_users WHERE can_log_in AND verifier IS NOT NULL LIMIT 1"
    with server.owner.database.read() as handle:
        return handle.execute(sql).fetchone() is not None
