"""The engine of the extension in this process, spoken to over its socket as the extension does."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sqlagent
from sqlagent import __version__
from sqlagent.errors import OperationalError
from sqlagent.functions import functions
from sqlagent.serve.local import engine as module
from sqlagent.serve.local import wire
from sqlagent.serve.local.engine import Engine, listens


class Client:
    """Speaks as extension/engine.c does."""

    def __init__(self, place: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(place)
        self.calls = 0

    def send(self, payload: bytes) -> None:
        self.socket.sendall(wire.framed(payload))

    def ask(self, payload: bytes) -> bytes | None:
        self.send(payload)
        return wire.receive(self.socket)

    def greet(
        self, path: Path, *, flags: int = 0, protocol: int = wire.PROTOCOL,
        version: str = __version__, inode: int | None = None,
    ) -> bytes | None:  # fmt: skip
        seen = path.stat()
        return self.ask(
            b"H" + wire.text("sqlagent") + struct.pack("<HB", protocol, flags)
            + struct.pack("<QQ", seen.st_dev, seen.st_ino if inode is None else inode)
            + wire.text(version)
        )  # fmt: skip

    def call(self, name: str, *values: Any) -> bytes | None:
        self.calls += 1
        out = [b"C", struct.pack("<I", self.calls), wire.text(name), struct.pack("<H", len(values))]
        for place, value in enumerate(values):
            out.append(struct.pack("<H", place))
            wire.value(value, out)
        return self.ask(b"".join(out))

    def rows(self, frame: bytes | None, width: int) -> list[tuple[Any, ...]]:
        """The rows of a call, all of them."""
        found: list[tuple[Any, ...]] = []
        while True:
            assert frame is not None and frame[:1] == b"R", frame
            reader = wire.Reader(frame[1:])
            number, more, count = reader.number(4), reader.number(1), reader.number(4)
            found += [tuple(reader.value() for _ in range(width)) for _ in range(count)]
            reader.end()
            if not more:
                return found
            frame = self.ask(b"N" + struct.pack("<I", number))

    def close(self) -> None:
        self.socket.close()


def error(frame: bytes | None) -> tuple[int, str]:
    """The code and text of an error."""
    assert frame is not None and frame[:1] == b"X", frame
    reader = wire.Reader(frame[1:])
    return reader.number(1), reader.text()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.db"
    with sqlagent.connect(path, embedding_model="none") as con:
        con.execute("SELECT remember('ada', 'green tea'), remember('ada', '龙井茶')")
        con.close()
    return path


@pytest.fixture
def start(file: Path) -> Iterator[Callable[..., Engine]]:
    """Start engines, each in a thread."""
    folder = tempfile.mkdtemp(dir="/tmp", prefix="sa-")
    made: list[tuple[Engine, threading.Thread]] = []

    def begin(idle_s: float = 60.0, name: str = "s") -> Engine:
        engine = Engine(str(file), os.path.join(folder, name), idle_s)
        assert engine.begin()
        thread = threading.Thread(target=engine.run)
        thread.start()
        made.append((engine, thread))
        return engine

    yield begin
    for engine, thread in made:
        engine.stop()
        thread.join(30)
        engine.close()
        assert not thread.is_alive()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def client(start: Callable[..., Engine], file: Path) -> Iterator[Client]:
    made = Client(start().place)
    assert (made.greet(file) or b"")[:1] == b"W"
    yield made
    made.close()


def test_calls_and_their_rows(client: Client) -> None:
    assert client.rows(client.call("token_count", "a b"), 1) == [(2,)]
    rows = client.rows(client.call("recall", "ada", "龙井", 1), 8)
    assert rows[0][:3] == (2, "episodic", "龙井茶") and isinstance(rows[0][7], str)
    width = len(functions()["chunk_text"].columns)
    assert len(client.rows(client.call("chunk_text", "word " * 20_000, 100), width)) > 900
    assert client.rows(client.call("remember", "ada", "new"), 1) == [(3,)]
    assert client.rows(client.call("checksum", None), 1) == [(None,)]


def test_a_number_may_be_bound_as_text(client: Client) -> None:
    """As Perl's driver does; by SQLite's rules."""
    for k in ("1", " 1 ", "1.0", "1e0", "+1"):
        assert len(client.rows(client.call("recall", "ada", "tea", k), 8)) == 1
    for k in ("one", "1_0", "１", "", "0x1"):
        assert "k is a whole number, not" in error(client.call("recall", "ada", "tea", k))[1]
    assert client.rows(client.call("token_count", "7"), 1) == [(1,)]  # a text stays one


def test_any_statement(client: Client) -> None:
    assert client.rows(client.call("sqlagent", "SELECT 1 AS a, x'00ff' AS b, '茶' AS c"), 1) == [
        ('[{"a": 1, "b": "00ff", "c": "茶"}]',)
    ]
    assert client.rows(
        client.call("sqlagent", "DELETE FROM memories WHERE memory_id = ?", 1), 1
    ) == [('{"changes": 1}',)]
    assert client.rows(client.call("sqlagent", None), 1) == [("null",)]
    assert "takes a statement as text, not 7" in error(client.call("sqlagent", 7))[1]


def test_errors_have_their_codes(client: Client) -> None:
    assert error(client.call("recall", "ada", "tea", -1)) == (
        1, "k is a whole number from 0, not -1",
    )  # fmt: skip
    assert "unknown function" in error(client.call("nothing"))[1]
    many = client.call("token_count", "a", "b")
    assert "has no argument 1" in error(many)[1] or "takes at most 1" in error(many)[1]
    said = error(client.call("sqlagent", "INSERT INTO agents (agent_id) VALUES ('ada')"))
    assert said[0] == 19
    assert error(client.ask(b"N" + struct.pack("<I", 99)))[1].startswith("the rows of this call")
    assert client.rows(client.call("token_count", "a"), 1) == [(1,)]  # none of them ends it


def test_what_is_no_frame_ends_the_session(client: Client) -> None:
    assert "type is C, N or K" in error(client.ask(b"?"))[1]
    assert wire.receive(client.socket) is None


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (b"X", "first frame says"),
        (b"H" + wire.text("psql"), "first frame says"),
        (b"H" + wire.text("sqlagent") + b"\1", "ends before"),
    ],
)
def test_who_does_not_say_who_it_is(start: Callable[..., Engine], first: bytes, said: str) -> None:
    client = Client(start().place)
    assert said in error(client.ask(first))[1]
    client.close()


def test_another_protocol_is_told(start: Callable[..., Engine], file: Path) -> None:
    client = Client(start().place)
    code, said = error(client.greet(file, protocol=99))
    assert code == 1 and "do not understand each other\nhint: Load the extension" in said
    client.close()


def test_a_reader_gets_what_reads(start: Callable[..., Engine], file: Path) -> None:
    client = Client(start().place)
    welcome = client.greet(file, flags=module.READ_ONLY)
    assert welcome is not None and welcome[:1] == b"W" and b"sqlagent(sql" not in welcome
    assert "read-only" in error(client.call("remember", "ada", "x"))[1]
    client.close()


def test_too_many_clients(
    start: Callable[..., Engine], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLIENTS_MAX", 1)
    place = start().place
    first = Client(place)
    assert (first.greet(file) or b"")[:1] == b"W"
    second = Client(place)
    assert "1 clients are connected" in error(second.greet(file))[1]
    for one in (first, second):
        one.close()


def test_an_interrupt_by_another_connection(start: Callable[..., Engine], file: Path) -> None:
    place = start().place
    client = Client(place)
    welcome = client.greet(file)
    assert welcome is not None
    (key,) = struct.unpack_from("<Q", welcome, 1)
    threading.Timer(0.3, lambda: Client(place).send(b"I" + struct.pack("<Q", key))).start()
    begun = time.monotonic()
    code, said = error(client.call("watch", "ada", None, 60_000))
    assert code == 9 and "interrupted" in said and time.monotonic() - begun < 20
    client.close()


def test_a_client_that_hangs_up_ends_its_call(start: Callable[..., Engine], file: Path) -> None:
    engine = start()
    client = Client(engine.place)
    client.greet(file)
    client.calls = 1
    threading.Timer(0.3, lambda: client.socket.shutdown(socket.SHUT_RDWR)).start()
    with pytest.raises((OSError, AssertionError, wire.ProtocolError)):
        error(client.call("watch", "ada", None, 60_000))
    client.close()
    until(lambda: engine.clients == 0)


def test_an_idle_engine_ends_and_leaves_no_socket(start: Callable[..., Engine], file: Path) -> None:
    engine = start(idle_s=0.2)
    client = Client(engine.place)
    assert (client.greet(file) or b"")[:1] == b"W"
    time.sleep(0.5)
    assert listens(engine.place)  # somebody is there
    client.close()
    until(lambda: engine.ended)
    engine.close()
    assert not os.path.exists(engine.place)


@pytest.mark.parametrize("why", ["version", "inode"])
def test_one_engine_gives_way_to_another(
    start: Callable[..., Engine], file: Path, why: str
) -> None:
    old = start()
    staying, leaving = Client(old.place), Client(old.place)
    assert (staying.greet(file) or b"")[:1] == b"W"
    if why == "version":
        assert leaving.greet(file, version="99") == b"Z"
    else:
        shutil.copy(file, file.with_suffix(".copy"))
        os.replace(file.with_suffix(".copy"), file)
        with contextlib.suppress(OSError):  # it may have looked before it was asked
            assert leaving.greet(file) == b"Z"
    until(lambda: not listens(old.place))
    assert staying.rows(staying.call("token_count", "a b"), 1) == [(2,)]  # it may go on
    if why == "version":
        new = start()
        client = Client(new.place)
        assert (client.greet(file, version="99", flags=module.ANY_VERSION) or b"")[:1] == b"W"
        client.close()
    for one in (staying, leaving):
        one.close()


def test_there_is_one(
    start: Callable[..., Engine], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start()
    second = Engine(str(file), first.place)
    assert second.begin() is False
    second.close()
    monkeypatch.setattr(module, "LOCK_S", 0.1)
    monkeypatch.setattr(module, "listens", lambda place: False)
    third = Engine(str(file), first.place)
    with pytest.raises(OperationalError, match="neither answers nor ends"):
        third.begin()
    third.close()


def test_what_is_in_the_way(file: Path) -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="sa-"))
    other = socket.socket(socket.AF_UNIX)
    other.bind(str(folder / "s"))
    other.listen()
    engine = Engine(str(file), str(folder / "s"))
    with pytest.raises(OperationalError, match="something else listens"):
        engine.begin()
    engine.close()
    other.close()
    far = Engine(str(file), str(folder / ("x" * 150)))
    with pytest.raises(OperationalError, match="cannot listen at"):
        far.begin()
    far.close()
    shutil.rmtree(folder)


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
