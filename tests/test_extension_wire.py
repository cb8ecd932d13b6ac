"""The protocol of the extension on both of its ends: every value as it was; nonsense survived."""

from __future__ import annotations

import os
import random
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library import SHELL, compiled

import sqlagent
from sqlagent.errors import DataError, Error
from sqlagent.serve.local import wire
from sqlagent.serve.local.engine import Engine
from sqlagent.serve.local.session import Session
from sqlagent.serve.local.surface import Argument, Shown, packed

VALUES = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8")), st.binary(),
)  # fmt: skip
Reply = Callable[[bytes], bytes | None]


# Our end ------------------------------------------------------------------------------------------


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    out: list[bytes] = []
    size = wire.value(value, out)
    data = b"".join(out)
    assert len(data) == size
    reader = wire.Reader(data)
    found = reader.value()
    reader.end()
    assert found == value and type(found) is type(value)


def test_what_sqlite_has_no_type_for() -> None:
    for value, kept in ((2**70, str(2**70)), ({"a": 1}, '{"a": 1}'), (True, 1), ("\ud800", "?")):
        out: list[bytes] = []
        wire.value(value, out)
        assert wire.Reader(b"".join(out)).value() == kept


class Bytes:
    """A socket that gives bytes in pieces."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.data, self.piece = data, piece

    def recv(self, size: int, /) -> bytes:
        taken, self.data = self.data[: min(size, self.piece)], self.data[min(size, self.piece) :]
        return taken

    def sendall(self, data: bytes, /) -> None:
        raise AssertionError


FRAMES = st.lists(st.binary(min_size=1, max_size=50), max_size=5)


@given(FRAMES, st.integers(1, 9), st.integers(0))
def test_frames_come_whole_or_are_errors(frames: list[bytes], piece: int, cut: int) -> None:
    data = b"".join(wire.framed(frame) for frame in frames)
    data = data[: cut % (len(data) + 1)]
    left, sock, found = len(data), Bytes(data, piece), 0
    for frame in frames:
        if left < 4 + len(frame):
            break
        assert wire.receive(sock) == frame
        left, found = left - 4 - len(frame), found + 1
    if left:
        with pytest.raises(wire.ProtocolError, match="in the middle"):
            wire.receive(sock)
    else:
        assert wire.receive(sock) is None


def test_a_length_is_not_believed() -> None:
    for length in (0, 2**31, 2**32 - 1):
        with pytest.raises(wire.ProtocolError, match="a frame has 1 to"):
            wire.receive(Bytes(struct.pack("<I", length) + b"x", 9))
    with pytest.raises(wire.ProtocolError):  # takes what came, not what was promised
        wire.receive(Bytes(struct.pack("<I", 2**31 - 1) + b"x" * 100, 9))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    path = tmp_path_factory.mktemp("wire") / "agent.db"
    con = sqlagent.connect(path, embedding_model="none")
    con.execute("SELECT remember('ada', 'green tea')")
    made = Session(con)
    yield made
    made.close()


NAMES = st.sampled_from(["recall", "token_count", "checksum", "sqlagent", "remember", "nothing"])
CALLS = st.builds(
    lambda number, name, values, places: b"".join(
        [b"C", struct.pack("<I", number), wire.text(name), struct.pack("<H", len(values)),
         *(struct.pack("<H", p) + v for p, v in zip(places, values, strict=False))]
    ),
    st.integers(0, 2**32 - 1), NAMES,
    st.lists(VALUES.map(lambda v: _packed(v)), max_size=4),
    st.lists(st.integers(0, 20), min_size=4, max_size=4),
)  # fmt: skip


def _packed(value: Any) -> bytes:
    out: list[bytes] = []
    wire.value(value, out)
    return b"".join(out)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        st.binary(min_size=1),
        CALLS,
        CALLS.map(lambda c: c[:-1]),
        st.binary().map(lambda b: b"N" + b),
    )
)
def test_any_frame_is_answered_or_ends_the_session(session: Session, frame: bytes) -> None:
    try:
        reply = session.answer(frame)
    except Error:
        return
    assert reply is None or reply[:1] in (b"R", b"X")
    assert not session.busy


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.binary(max_size=200), max_size=4))
def test_any_bytes_end_a_greeting(tmp_path_factory: Any, parts: list[bytes]) -> None:
    engine = Engine(os.devnull, "/nowhere")
    ours, theirs = socket.socketpair()
    engine.clients = 1
    thread = threading.Thread(target=engine._serve, args=(ours,))
    thread.start()
    try:
        for part in parts:
            theirs.sendall(part)
    except OSError:
        pass
    theirs.close()
    thread.join(20)
    assert not thread.is_alive() and engine.clients == 0 and not engine.sessions
    for one in (engine.woken, engine.wake):
        one.close()


def test_rows_that_are_not_fetched_are_bounded(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlagent.serve.local import session as module

    monkeypatch.setattr(module, "OPEN_MAX", 3)
    text = _packed("word " * 20_000)
    size = struct.pack("<H", 1) + _packed(100)

    def call(number: int) -> bytes:
        head = b"C" + struct.pack("<I", number) + wire.text("chunk_text") + struct.pack("<H", 2)
        return head + struct.pack("<H", 0) + text + size

    for number in range(3):
        assert session.answer(call(number))[:6] == b"R" + struct.pack("<IB", number, 1)  # type: ignore[index]  # a frame
    assert b"are not fetched" in (session.answer(call(3)) or b"")
    assert session.answer(b"K" + struct.pack("<I", 1)) is None
    assert (session.answer(call(3)) or b"")[:1] == b"R"
    assert (session.answer(b"N" + struct.pack("<I", 0)) or b"")[:1] == b"R"
    for number in range(4):
        session.answer(b"K" + struct.pack("<I", number))
    assert not session.open


def test_a_text_that_is_not_utf8(session: Session) -> None:
    frame = b"C" + struct.pack("<I", 1) + wire.text("token_count") + struct.pack("<HH", 1, 0)
    with pytest.raises(DataError, match="not UTF-8"):
        wire.Reader(struct.pack("<BI", 3, 2) + b"\xff\xfe").value()
    reply = session.answer(frame + struct.pack("<BI", 3, 2) + b"\xff\xfe")
    assert reply is not None and b"is not UTF-8" in reply


# The extension's end ------------------------------------------------------------------------------


class Fake:
    """An engine that answers as it is told."""

    SURFACE = packed([
        Shown("echo", "echo(x)", False, False, False, (Argument("x", True),), (("value", ""),)),
        Shown("rows", "rows(n)", True, False, False, (Argument("n", True), Argument("m", False)),
              (("a", "BIGINT"), ("b", "VARCHAR"))),
    ])  # fmt: skip
    WELCOME = b"W" + struct.pack("<Q", 7) + SURFACE

    def __init__(
        self, path: Path, reply: Reply, welcome: Callable[[], bytes] | None = None
    ) -> None:
        self.reply, self.welcome = reply, welcome or (lambda: wire.framed(self.WELCOME))
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        try:
            if (wire.receive(client) or b"")[:1] == b"H":
                client.sendall(self.welcome())
                while (frame := wire.receive(client)) is not None:
                    answer = self.reply(frame)
                    if answer is None:
                        break
                    client.sendall(answer)
        except (OSError, wire.ProtocolError):
            pass
        finally:
            client.close()


def echoed(frame: bytes) -> bytes:
    """The right answer to a call: its last value, or some rows."""
    reader = wire.Reader(frame)
    kind, number = reader.number(1), reader.number(4)
    if kind == ord("K"):
        return b""
    rows, more, value = 1, 0, b""
    if kind == ord("C"):
        name = reader.text()
        reader.number(2)
        reader.number(2)
        value = frame[reader.at :]
        if name == "rows":
            rows, more = 20, 1
            value = b"".join(_packed(n) + _packed("行" * n) for n in range(20))
    else:
        rows, value = 2, (_packed(1) + _packed(None)) * 2
    return wire.framed(b"R" + struct.pack("<IBI", number, more, rows) + value)


@pytest.fixture(scope="session")
def checked_library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The library with AddressSanitizer and UBSan, and what a program needs to load it."""
    if SHELL is None:
        pytest.skip("no sqlite3 shell")
    target = tmp_path_factory.mktemp("checked") / "sqlagent0.so"
    compiler = shutil.which("cc") or ""
    found = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True
    )
    if not Path(found.stdout.strip()).is_absolute():
        pytest.skip("no AddressSanitizer beside the compiler")
    sanitizers = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    compiled(target, *sanitizers, "-DSTALL_SLICES=4")
    options = "exitcode=99:detect_leaks=1:allocator_may_return_null=1"
    return target, {"LD_PRELOAD": found.stdout.strip(), "ASAN_OPTIONS": options}


@pytest.fixture
def ask(
    checked_library: tuple[Path, dict[str, str]], tmp_path: Path, place: Path
) -> Callable[..., tuple[str, str]]:
    """Run statements in the shell, against a fake engine; what it prints, and its errors."""
    library, environment = checked_library
    file = tmp_path / "agent.db"
    sqlagent.connect(file).close()
    number = iter(range(1000))

    def run(statements: list[str], reply: Reply, welcome: Any = None) -> tuple[str, str]:
        path = place / f"fake{next(number)}"
        fake = Fake(path, reply, welcome)
        try:
            done = subprocess.run(
                [str(SHELL), str(file)], capture_output=True, timeout=120,
                input="\n".join([f".load {library.with_suffix('')}", *statements]).encode(),
                env={**os.environ, **environment, "SQLAGENT_SOCKET": str(path),
                     "SQLAGENT_COMMAND": "/bin/false"},
            )  # fmt: skip
        finally:
            fake.listener.close()
        out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        assert done.returncode in (0, 1) and "Sanitizer" not in err, err
        return out, err

    return run


def test_every_type_goes_there_and_back(ask: Callable[..., tuple[str, str]]) -> None:
    literals = ["NULL", "0", "-9223372036854775808", "9223372036854775807", "1.5", "-1e300",
                "9e999", "''", "'it''s'", "'数据库🦜'", "x''", "x'00ff00'", "char(97,0,98)",
                "printf('%.*c', 300000, 'y')", "zeroblob(70000)"]  # fmt: skip
    sql = [f"SELECT typeof(echo({x})) = typeof({x}) AND echo({x}) IS {x};" for x in literals]
    out, err = ask(sql, echoed)
    assert out.split() == ["1"] * len(literals), err
    sql = ["SELECT count(*), sum(a), max(length(b)) FROM rows(1);",
           "SELECT a FROM rows(1) LIMIT 2;",
           "SELECT count(*) FROM rows(1) x, rows(x.a) y WHERE y.m = 1;"]  # fmt: skip
    out, err = ask(sql, echoed)
    assert out.split() == ["22|192|19", "0", "1", "484"], err


def mutated(rng: random.Random, frame: bytes) -> bytes:
    """A frame with something wrong in it."""
    data = bytearray(frame)
    for _ in range(rng.randint(1, 3)):
        way, at = rng.randrange(6), rng.randrange(len(data)) if data else 0
        if way == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            del data[at:]
        elif way == 2:
            data[at:at] = rng.randbytes(rng.randint(1, 9))
        elif way == 3 and len(data) >= at + 4:
            data[at : at + 4] = struct.pack("<I", rng.choice([0, 1, 2**16, 2**31 - 1, 2**32 - 1]))
        elif way == 4:
            data += data[: rng.randint(0, 40)]
        elif data:
            data[at] = rng.randrange(256)
    return bytes(data)


def nonsense(rng: random.Random) -> Reply:
    """Answers that are wrong; as frames of the right length half of the time."""

    def reply(frame: bytes) -> bytes | None:
        answer = echoed(frame)
        if not answer or rng.random() < 0.2:
            return answer
        if rng.random() < 0.5:
            payload = mutated(rng, answer[4:])
            return wire.framed(payload) if payload else None
        return mutated(rng, answer) + bytes(64)  # so that a longer length is waited for less

    return reply


SOME = ["SELECT count(*) FROM rows(1);", "SELECT echo('数据');", "SELECT a FROM rows(2) LIMIT 3;",
        "SELECT count(*) FROM rows(1) x, rows(x.a) y;"]  # fmt: skip


def bounded(reply: Reply) -> Reply:
    """Closes after each answer where what was promised does not come."""

    def once(frame: bytes) -> bytes | None:
        answer = reply(frame)
        if answer and len(answer) >= 4:
            (length,) = struct.unpack("<I", answer[:4])
            if length + 4 > len(answer):
                return None
        return answer

    return once


@pytest.mark.parametrize("seed", range(3))
def test_nonsense_for_an_answer(ask: Callable[..., tuple[str, str]], seed: int) -> None:
    ask(SOME * 25, bounded(nonsense(random.Random(seed))))


@pytest.mark.parametrize("seed", range(12))
def test_nonsense_for_a_greeting(ask: Callable[..., tuple[str, str]], seed: int) -> None:
    rng = random.Random(seed)
    ask(SOME, echoed, lambda: wire.framed(mutated(rng, Fake.WELCOME) or b"W"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 60))
def test_more_nonsense(ask: Callable[..., tuple[str, str]], seed: int) -> None:
    rng = random.Random(seed)
    ask(SOME * 50, bounded(nonsense(rng)))
    for _ in range(10):
        ask(SOME, echoed, lambda: wire.framed(mutated(rng, Fake.WELCOME) or b"W"))
