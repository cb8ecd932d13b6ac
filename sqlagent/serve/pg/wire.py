"""One client's socket: messages in, bytes out. Only one thread at a time uses it.

The socket never blocks by itself; who waits does so in poll(), with a limit of time where one is
set, so that the thread which waits on a slow client is nobody else's.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from typing import Any

from sqlagent.serve.pg.messages import ProtocolError
from sqlagent.serve.pg.workers import Slots

CHUNK = 1 << 16
SEND_AT = 1 << 16  # bytes that are collected before they are sent
_WANTS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Gone(Exception):
    """The client is not there any more."""


class TooSlow(Gone):
    """The client did not do in time what it had to."""


class Wire:
    """`read_max` bounds one message in bytes; `deadline` is a time.monotonic() until which the
    client must have sent what is waited for, None for ever."""

    def __init__(self, sock: Any, read_max: int, slots: Slots) -> None:
        self.sock = sock
        self.slots = slots  # given up while its thread waits here
        self.read_max = read_max
        self.deadline: float | None = None
        self.buffer = bytearray()
        self.at = 0  # what is before it has been read
        self._out: list[bytes] = []
        self._pending = 0
        self.send_s: float | None = None  # how long a client that reads nothing is waited for
        self.closed = False
        sock.setblocking(False)

    # Reading ----------------------------------------------------------------------------------

    def receive(self) -> bool:
        """What has come, into the buffer; whether anything had. Raises Gone at the end."""
        try:
            data = self.sock.recv(CHUNK)
        except (BlockingIOError, InterruptedError, *_WANTS):
            return False
        except (OSError, ValueError) as error:
            raise Gone(str(error)) from None
        if not data:
            raise Gone("the client closed the connection")
        if self.at:
            del self.buffer[: self.at]
            self.at = 0
        self.buffer += data
        return True

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until something comes, at the most so long; whether it did.

        Raises TooSlow once the deadline has passed.
        """
        if self.receive():
            return True
        limit = seconds
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TooSlow("the client took too long")
            limit = left if limit is None else min(limit, left)
        self._poll(select.POLLIN, limit)
        return self.receive()

    def wait_for(self, *, read: bool) -> None:
        """Wait until it can be read or written, until the deadline. Raises TooSlow."""
        left = None if self.deadline is None else self.deadline - time.monotonic()
        if not self._poll(select.POLLIN if read else select.POLLOUT, left):
            raise TooSlow("the client took too long")

    def _poll(self, events: int, seconds: float | None) -> bool:
        poll = select.poll()
        self.slots.leave()
        try:
            poll.register(self.sock, events)
            return bool(poll.poll(None if seconds is None else max(0.0, seconds) * 1000))
        except (OSError, ValueError) as error:
            raise Gone(str(error)) from None
        finally:
            self.slots.enter()

    def ready(self) -> bool:
        """Whether a whole message is in the buffer. Raises ProtocolError for an impossible
        length."""
        have = len(self.buffer) - self.at
        if have < 5:
            return False
        return have > self._length(self.at)

    def _length(self, at: int) -> int:
        length = int.from_bytes(self.buffer[at + 1 : at + 5], "big")
        if length < 4:
            raise ProtocolError("invalid message length")
        if length > self.read_max:
            raise ProtocolError(
                f"a message of {length} bytes is larger than the limit of {self.read_max}",
                sqlstate="54000",
            )
        return length

    def message(self) -> tuple[int, bytes]:
        """The next message's kind and body, waiting for it. Sends what is to be sent before it
        waits."""
        while not self.ready():
            if self._pending:
                self.flush()
            self.wait()
        at = self.at
        end = at + 1 + self._length(at)
        kind, body = self.buffer[at], bytes(self.buffer[at + 5 : end])
        self.at = end
        if end == len(self.buffer):
            self.buffer.clear()
            self.at = 0
        return kind, body

    def peek(self) -> int | None:
        """The kind of the next message, where it has come."""
        return self.buffer[self.at] if len(self.buffer) > self.at else None

    def exactly(self, size: int) -> bytes:
        """So many bytes: at the start there are no messages yet."""
        while len(self.buffer) - self.at < size:
            self.wait()
        found = bytes(self.buffer[self.at : self.at + size])
        self.at += size
        return found

    # Writing ----------------------------------------------------------------------------------

    def put(self, data: bytes) -> None:
        """Send it with the next flush, or now where much has come together."""
        self._out.append(data)
        self._pending += len(data)
        if self._pending >= SEND_AT:
            self.flush()

    def flush(self) -> None:
        """Send all; waits for a client that reads slowly."""
        if not self._pending:
            return
        data = memoryview(b"".join(self._out) if len(self._out) > 1 else self._out[0])
        self._out, self._pending = [], 0
        while data:
            try:
                data = data[self.sock.send(data) :]
            except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError):
                if not self._poll(select.POLLOUT, self.send_s):
                    raise TooSlow("the client does not read") from None
            except ssl.SSLWantReadError:
                self._poll(select.POLLIN, self.send_s)
            except (OSError, ValueError) as error:
                raise Gone(str(error)) from None

    def send_now(self) -> bool:
        """Send what can be sent without waiting; whether that was all."""
        data = b"".join(self._out)
        sent = 0
        try:
            sent = self.sock.send(data)
        except (BlockingIOError, InterruptedError, *_WANTS):
            pass
        except (OSError, ValueError) as error:
            raise Gone(str(error)) from None
        if sent == len(data):
            self._out, self._pending = [], 0
            return True
        self._out, self._pending = [data[sent:]], len(data) - sent
        return False

    def close(self) -> None:
        """Close the socket."""
        if not self.closed:
            self.closed = True
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except (OSError, ValueError):
                pass
            self.sock.close()
