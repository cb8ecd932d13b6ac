"""A connection until it is a session: TLS, who it is, what it wants."""

from __future__ import annotations

import re
import ssl
import time
from typing import TYPE_CHECKING, Any

from sqlagent.errors import Error, OperationalError, ProgrammingError
from sqlagent.serve.pg import failures, messages
from sqlagent.serve.pg.messages import ProtocolError, Reader
from sqlagent.serve.pg.scram_exchange import PLAIN, PLUS, Exchange
from sqlagent.serve.pg.session import Session
from sqlagent.serve.pg.wire import Gone, Wire

if TYPE_CHECKING:
    from sqlagent.serve.pg.shared import Client, Shared

VERSION, CANCEL, SSL, GSS = 196608, 80877102, 80877103, 80877104
LENGTH_MAX = 10_000  # of a start-up packet
_POSITIONS = ("user", "database", "options", "replication")


class Done(Exception):
    """The connection has served its purpose: a cancel request."""


def start(client: Client, shared: Shared) -> Session:
    """Bring a connection to its first ReadyForQuery. Raises Done, Gone, or what was told as the
    reason of the refusal."""
    server, wire = shared.server, client.wire
    wire.deadline = time.monotonic() + server.limits.login_s
    wire.send_s = server.limits.login_s
    wire.read_max = LENGTH_MAX
    try:
        given = _negotiated(client, shared)
        session = _logged_in(client, shared, given)
    except Error as error:
        wire.put(failures.fatal(error))
        wire.flush()
        raise
    wire.deadline, wire.send_s = None, None
    wire.read_max = server.limits.message_bytes
    return session


def _packet(wire: Wire) -> tuple[int, bytes]:
    """A packet without a kind: its code and the rest."""
    size = int.from_bytes(wire.exactly(4), "big")
    if not 8 <= size <= LENGTH_MAX:
        raise ProtocolError("invalid length of startup packet")
    body = wire.exactly(size - 4)
    return int.from_bytes(body[:4], "big"), body[4:]


def _negotiated(client: Client, shared: Shared) -> dict[str, str]:
    """The start-up packet's parameters, after TLS where it was asked for."""
    wire = client.wire
    asked: set[int] = set()
    while True:
        code, body = _packet(wire)
        if code == CANCEL:
            if len(body) >= 8:
                shared.cancel(int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big"))
            raise Done
        if code in (SSL, GSS) and code not in asked:
            asked.add(code)
            context = shared.server.tls
            if code == GSS or context is None or client.local:
                wire.put(b"N")
                wire.flush()
                continue
            wire.put(b"S")
            wire.flush()
            if len(wire.buffer) > wire.at:  # sent before TLS: it may be somebody else's
                raise ProtocolError("received unencrypted data after SSL request")
            _handshake(client, context)
            continue
        if code >> 16 != VERSION >> 16:
            raise OperationalError(
                f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}: "
                "server supports 3.0 to 3.0", sqlstate="0A000",
            )  # fmt: skip
        given = _parameters(body)
        options = [name for name in given if name.startswith("_pq_.")]
        if code & 0xFFFF or options:
            said = b"".join(o.encode() + b"\0" for o in options)
            wire.put(
                messages.message(
                    b"v", (0).to_bytes(4, "big"), len(options).to_bytes(4, "big"), said
                )
            )
        return {k: v for k, v in given.items() if k not in options}


def _parameters(body: bytes) -> dict[str, str]:
    reader = Reader(body)
    found: dict[str, str] = {}
    while True:
        name = reader.cstring()
        if not name:
            return found
        found[name] = reader.cstring()


def _handshake(client: Client, context: ssl.SSLContext) -> None:
    """TLS, within the time for logging in."""
    wire = client.wire
    try:
        secure = context.wrap_socket(wire.sock, server_side=True, do_handshake_on_connect=False)
    except (OSError, ValueError) as error:
        raise Gone(str(error)) from None
    wire.sock = client.sock = secure
    while True:
        try:
            secure.do_handshake()
            client.secure = True
            return
        except ssl.SSLWantReadError:
            wire.wait_for(read=True)
        except ssl.SSLWantWriteError:
            wire.wait_for(read=False)
        except (OSError, ValueError) as error:
            raise Gone(str(error)) from None


def _logged_in(client: Client, shared: Shared, given: dict[str, str]) -> Session:
    """Who it is, and a session for him."""
    server, wire = shared.server, client.wire
    user = given.get("user", "")
    if not user:
        raise OperationalError(
            "no PostgreSQL user name specified in startup packet", sqlstate="28000"
        )
    if given.get("replication", "false").lower() not in ("false", "off", "no", "0"):
        raise OperationalError("replication is not here", sqlstate="0A000")
    principal = server.peer(client.uid, user) if client.uid is not None else None
    if principal is None:
        delay = server.failures.delay(client.address)
        if delay:
            time.sleep(delay)
        wire.deadline = time.monotonic() + server.limits.login_s
        try:
            _scram(client, shared, user)
            principal = server.users.principal(user)
        except Error as error:
            if error.sqlstate == "28P01":
                server.failures.failed(client.address)
            raise
        server.failures.succeeded(client.address)
    database = given.get("database") or user
    if database.lower() != server.name.lower():
        raise ProgrammingError(
            f'database "{database}" does not exist',
            hint=f'The database here is "{server.name}".', sqlstate="3D000",
        )  # fmt: skip
    client.visit.login(principal)
    connection = server.connect(principal, dialect="postgres")
    try:
        pid, secret = shared.number(client)
        session = Session(server, shared, wire, connection, pid, user)
        client.session = session
        for name, value in _wanted(given).items():
            _preset(session, name, value)
        session.settings.put("session_authorization", user)
        admin = principal is None or principal.role == "admin"
        session.settings.put("is_superuser", "on" if admin else "off")
        wire.put(messages.AUTHENTICATED)
        session.greet(secret)
        return session
    except BaseException:
        connection.close()
        raise


def _scram(client: Client, shared: Shared, user: str) -> None:
    """SCRAM-SHA-256, bound to the channel where there is TLS. Raises with 28P01."""
    server, wire = shared.server, client.wire
    certificate = server.certificate if client.secure else None
    offered = ([PLUS] if certificate is not None else []) + [PLAIN]
    said = b"".join(m.encode() + b"\0" for m in offered) + b"\0"
    wire.put(messages.message(b"R", (10).to_bytes(4, "big"), said))
    wire.flush()
    reader = Reader(_password(wire))
    mechanism = reader.cstring()
    if mechanism not in offered:
        raise ProtocolError("client selected an invalid SASL authentication mechanism")
    size = reader.int4()
    exchange = Exchange(mechanism, server.users.scram(user), certificate)
    first = exchange.first(reader.take(size) if size >= 0 else b"")
    wire.put(messages.message(b"R", (11).to_bytes(4, "big"), first))
    wire.flush()
    final = exchange.final(_password(wire))
    if final is None:
        raise OperationalError(
            f'password authentication failed for user "{user}"', sqlstate="28P01"
        )
    wire.put(messages.message(b"R", (12).to_bytes(4, "big"), final))


def _password(wire: Wire) -> bytes:
    kind, body = wire.message()
    if kind != ord("p"):
        raise ProtocolError(f"expected SASL response, got message type {kind}")
    return body


def _wanted(given: dict[str, str]) -> dict[str, str]:
    """The settings of a start-up packet: its own names, and those in `options`."""
    found = {k: v for k, v in given.items() if k not in _POSITIONS}
    words = [re.sub(r"\\(.)", r"\1", w) for w in
             re.findall(r"(?:\\.|\S)+", given.get("options", ""))]  # fmt: skip
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "-c" and at < len(words):
            word, at = words[at], at + 1
        elif word.startswith(("--", "-c")):
            word = word[2:]
        else:
            continue
        name, equals, value = word.partition("=")
        if equals:
            found[name.replace("-", "_")] = value
    return found


def _preset(session: Session, name: str, value: str) -> None:
    """A setting from the start: what nobody knows is passed over, as poolers send such."""
    settings: Any = session.settings
    known = settings.known(name)
    if known is not None:
        key, checked = settings.check(known, value)
        settings.put(key, checked)
        return
    from sqlagent import config

    if name.lower() in config.SETTINGS or name.lower() in config.ALIASES:
        key, checked = config.check(name, value)
        session.connection.execute(f"SET {key} = '{checked!s}'").close()
