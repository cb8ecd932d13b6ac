"""A real server in a process of its own, and clients that know no manners."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

COMMAND = "import sys; from sqlagent.cli import main; sys.exit(main())"


class Served:
    """`sqlagent serve` over a file; `ports` by protocol."""

    def __init__(self, path: Path, *options: str, protocols: tuple[str, ...] = ("pg",)) -> None:
        self.path = path
        self.log = path.with_suffix(".log")
        listening = [x for p in protocols for x in (f"--{p}", "127.0.0.1:0")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, "serve", str(path), *listening, *options],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.ports: dict[str, int] = {}
        end = time.monotonic() + 60
        while len(self.ports) < len(protocols):
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise AssertionError(f"the server did not start: {self.log.read_text()}")
            for line in self.log.read_text().splitlines():
                protocol, _, where = line.partition(": listening on ")
                if where:
                    self.ports[protocol] = int(where.rpartition(":")[2])
            time.sleep(0.02)

    @property
    def memory_mb(self) -> float:
        """What is resident."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU that it has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, number: int = signal.SIGTERM, within_s: float = 30.0) -> int:
        """Send a signal and wait; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def raw(self, protocol: str = "pg", timeout_s: float = 20.0) -> socket.socket:
        """A socket that is connected, and nothing more."""
        return socket.create_connection(("127.0.0.1", self.ports[protocol]), timeout_s)


def startup(**parameters: str) -> bytes:
    """A StartupMessage of protocol 3.0."""
    body = b"".join(f"{k}\0{v}\0".encode() for k, v in parameters.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, 196608) + body


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message of the frontend."""
    return kind + struct.pack("!i", len(body) + 4) + body


def drained(client: socket.socket) -> bytes:
    """All that comes until the other side closes; b'' where it resets."""
    found = b""
    try:
        while data := client.recv(65536):
            found += data
    except (ConnectionError, OSError):
        pass
    return found
