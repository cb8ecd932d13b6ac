"""LangGraph's checkpoints on a file: the official suite, and what it does not ask."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent

pytest.importorskip("langgraph.checkpoint.base", reason="langgraph-checkpoint is not installed")

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    CheckpointTuple,
    empty_checkpoint,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT

from sqlagent.langgraph import AsyncSqlAgentSaver, SqlAgentSaver
from sqlagent.langgraph.values import Codec, Listed, plain

ABOUT: Any = {"source": "loop", "step": 1, "parents": {}}


@pytest.fixture
def saver(fresh_db: Path) -> Iterator[SqlAgentSaver]:
    with SqlAgentSaver(fresh_db, embedding_model="none") as opened:
        yield opened


def thread(name: str, **more: Any) -> Any:
    return {"configurable": {"thread_id": name, "checkpoint_ns": "", **more}}


def put(
    saver: BaseCheckpointSaver[Any], config: Any, values: dict[str, Any], about: Any = ABOUT
) -> Any:
    """A checkpoint with these values, all of them new."""
    before = saver.get_tuple(config)
    versions = dict(before.checkpoint["channel_versions"]) if before else {}
    new = {c: saver.get_next_version(versions.get(c), None) for c in values}
    point = empty_checkpoint()
    point["channel_values"] = values
    point["channel_versions"] = {**versions, **new}
    if before:
        config = before.config
    return saver.put(config, point, about, new)


def got(saver: BaseCheckpointSaver[Any], config: Any) -> CheckpointTuple:
    found = saver.get_tuple(config)
    assert found is not None
    return found


@pytest.mark.parametrize("place", ["file", ":memory:"])
def test_the_official_conformance_suite_passes_whole(tmp_path: Path, place: str) -> None:
    conformance = pytest.importorskip(
        "langgraph.checkpoint.conformance", reason="the conformance package is not installed"
    )
    numbers = iter(range(100))

    @conformance.checkpointer_test(name="sqlagent")
    async def ours() -> AsyncIterator[AsyncSqlAgentSaver]:
        path = str(tmp_path / f"{next(numbers)}.db") if place == "file" else place
        async with AsyncSqlAgentSaver.from_conn_string(path) as opened:
            yield opened

    report = asyncio.run(conformance.validate(ours))
    assert {name: result.failures for name, result in report.results.items()} == {
        name: []
        for name in ("put", "put_writes", "get_tuple", "list", "delete_thread",
                     "delete_for_runs", "copy_thread", "prune")
    }  # fmt: skip
    assert all(r.detected and r.passed and r.tests_passed for r in report.results.values())


def test_what_a_thread_holds_is_seen_in_sql_on_every_route(saver: SqlAgentSaver) -> None:
    messages = [HumanMessage("我喜欢绿茶", id="1"), AIMessage("Noted.", id="2")]
    put(saver, thread("t1", user_id="ada"), {"messages": messages, "topic": "tea", "n": 1})
    put(saver, thread("t1", user_id="ada"), {"n": 2})
    con = saver.connection
    for route in ("auto", "sqlite", "duckdb"):
        con.execute(f"SET route = '{route}'")
        rows = con.execute(
            "SELECT channel, value FROM langgraph_states WHERE thread_id = 't1' ORDER BY channel"
        ).fetchall()
        assert [r[0] for r in rows] == ["messages", "n", "topic"]
        seen = json.loads(rows[0][1])
        assert [m["content"] for m in seen] == ["我喜欢绿茶", "Noted."]
        assert (rows[1][1], rows[2][1]) == ("2", '"tea"')
        history = "SELECT step, value FROM langgraph_state_versions WHERE channel = 'n' ORDER BY 2"
        assert con.execute(history).fetchall() == [(1, "1"), (1, "2")]
        (user,) = con.execute("SELECT DISTINCT user_id FROM langgraph_checkpoints").fetchone()
        assert user == "ada"
    assert got(saver, thread("t1")).checkpoint["channel_values"]["messages"] == messages


def test_a_conversation_grows_by_its_new_messages_alone(saver: SqlAgentSaver) -> None:
    config, messages = thread("long"), []
    sizes = []
    for turn in range(60):
        messages.append(HumanMessage(f"turn {turn}: " + "x" * 500, id=str(turn)))
        config = put(saver, config, {"messages": list(messages)})
        sizes.append(stored(saver))
    first, last = sizes[9] / 10, (sizes[59] - sizes[49]) / 10
    assert last < 1.5 * first  # a whole copy of each version would be five times as much
    assert got(saver, thread("long")).checkpoint["channel_values"]["messages"] == messages
    assert len([*saver.list(thread("long"))]) == 60
    middle = [*saver.list(thread("long"))][30]
    assert len(middle.checkpoint["channel_values"]["messages"]) == 30


def stored(saver: SqlAgentSaver) -> int:
    rows = saver.connection.execute("SELECT value, encoded FROM langgraph_values").fetchall()
    return sum(len(value or "") + len(encoded or b"") for value, encoded in rows)


def test_branches_of_a_thread_keep_their_own_values(saver: SqlAgentSaver) -> None:
    root = put(saver, thread("t"), {"a": 0})
    ids = []
    for value in ("left", "right"):
        point = empty_checkpoint()
        point["channel_values"] = {"a": value}
        point["channel_versions"] = {"a": 7}  # the same version on both: what is kept is by content
        ids.append(saver.put(root, point, ABOUT, {"a": 7}))
    assert [got(saver, i).checkpoint["channel_values"]["a"] for i in ids] == ["left", "right"]
    assert [got(saver, i).parent_config for i in ids] == [root, root]


def test_a_channel_that_is_not_new_is_its_parents(saver: SqlAgentSaver) -> None:
    first = put(saver, thread("t"), {"kept": ["x"] * 3, "gone": 1})
    before = got(saver, first).checkpoint
    point = empty_checkpoint()
    point["channel_values"] = {"kept": "not looked at: its version is the parent's"}
    point["channel_versions"] = {**before["channel_versions"], "gone": "9"}
    config = saver.put(first, point, ABOUT, {"gone": "9"})
    assert got(saver, config).checkpoint["channel_values"] == {"kept": ["x"] * 3}


def test_writes_are_kept_once_and_errors_anew(saver: SqlAgentSaver) -> None:
    config = put(saver, thread("t"), {"a": 0})
    saver.put_writes(config, [("a", 1), ("b", {"x": (1, 2)})], "task", "path")
    saver.put_writes(config, [("a", "later"), (ERROR, "first"), (INTERRUPT, "i")], "task", "path")
    saver.put_writes(config, [(ERROR, "second")], "task", "path")
    saver.put_writes(config, [("z", None), ("y", b"\x00\xff")], "other", "")
    writes = got(saver, config).pending_writes
    assert writes is not None
    assert writes[:2] == [("other", "z", None), ("other", "y", b"\x00\xff")]
    assert sorted(w[1:] for w in writes[2:] if w[1] in "ab") == [("a", 1), ("b", {"x": [1, 2]})]
    assert ("task", ERROR, "second") in writes and ("task", INTERRUPT, "i") in writes
    assert len(writes) == 6


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 9), inner),
    max_leaves=12,
)


@given(value=values | st.lists(st.text(min_size=80, max_size=200), min_size=10, max_size=15))
def test_every_value_comes_back_as_langgraphs_own_serializer_gives_it(value: Any) -> None:
    codec = Codec(InMemorySaver().serde)
    kept = codec.whole_or_listed(value)
    parts = kept.parts if isinstance(kept, Listed) else [kept]
    back = [codec.value(*part[1:]) for part in parts]
    wanted = codec.serde.loads_typed(codec.serde.dumps_typed(value))
    assert repr(back if isinstance(kept, Listed) else back[0]) == repr(wanted)
    for part in parts:
        if part.value is not None:
            json.loads(part.value)
    assert plain(float("nan")) is None and plain({1: 2}) is None and plain((1, b"")) is None


def test_what_an_encrypting_serializer_keeps_is_not_shown(fresh_db: Path) -> None:
    from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

    class Turned:
        def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
            return "turned", bytes(b ^ 0x5A for b in plaintext)

        def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
            return bytes(b ^ 0x5A for b in ciphertext)

    secret = ["the password is swordfish " * 10] * 5
    with SqlAgentSaver(fresh_db, serde=EncryptedSerializer(Turned())) as saver:
        config = put(saver, thread("t"), {"messages": secret})
        saver.put_writes(config, [("messages", secret)], "task")
        found = got(saver, config)
        assert found.checkpoint["channel_values"] == {"messages": secret}
        assert found.pending_writes == [("task", "messages", secret)]
        assert next(iter(saver.list(None, filter={"source": "loop"}))).metadata["step"] == 1
        seen = "SELECT value FROM langgraph_states UNION ALL SELECT value FROM langgraph_writes"
        assert saver.connection.execute(seen).fetchall() == [(None,), (None,)]
    assert b"swordfish" not in fresh_db.read_bytes()


def test_metadata_that_json_cannot_say_comes_back(saver: SqlAgentSaver) -> None:
    about = {**ABOUT, "who": HumanMessage("hi", id="1"), "step": 3}
    config = put(saver, thread("t"), {"a": 1}, about)
    assert got(saver, config).metadata["who"] == about["who"]  # type: ignore[typeddict-item]
    found = saver.connection.execute(
        "SELECT metadata->'who'->>'content', step FROM langgraph_checkpoints"
    )
    assert found.fetchall() == [("hi", 3)]


def test_a_list_goes_on_over_pages_and_holds_nothing(saver: SqlAgentSaver) -> None:
    for i in range(3):
        for step in range(70):
            put(saver, thread(f"t{i}"), {"n": step}, {**ABOUT, "step": step, "own": step % 2})
    ids = [f.checkpoint["id"] for f in saver.list(None)]
    assert len(ids) == 210 and ids == sorted(ids, reverse=True)
    odd = [f.metadata["step"] for f in saver.list(thread("t1"), filter={"own": 1}, limit=34)]
    assert odd == list(range(69, 2, -2))
    going = saver.list(thread("t0"))
    next(going)
    saver.delete_thread("t0")  # would wait for a reader that is held in memory
    assert len([*going]) == 63  # what was read already


def test_delta_channels_are_rebuilt_as_by_the_walk_of_the_base_class(saver: SqlAgentSaver) -> None:
    config = put(saver, thread("t"), {"whole": [1], "other": "x"})
    for step in range(5):
        for task in ("b", "a"):
            saver.put_writes(config, [("whole", (step, task)), ("new", step)], task, f"~{task}")
        point = empty_checkpoint()
        point["channel_versions"] = {"whole": step + 2}
        if step == 2:
            point["channel_values"] = {"whole": "snapshot"}
        about: Any = {**ABOUT, "counters_since_delta_snapshot": {"whole": (1, 1)}}
        config = saver.put(config, point, about, {"whole": step + 2} if step == 2 else {})
    channels = ["whole", "new", "missing"]
    wanted = BaseCheckpointSaver.get_delta_channel_history(saver, config=config, channels=channels)
    assert saver.get_delta_channel_history(config=config, channels=channels) == wanted
    assert wanted["whole"]["seed"] == "snapshot" and len(wanted["whole"]["writes"]) == 4
    assert asyncio.run(saver.aget_delta_channel_history(config=config, channels=channels)) == wanted
    saver.prune(["t"])  # keeps what the channel is rebuilt from
    again = saver.get_delta_channel_history(config=config, channels=["whole"])
    assert again["whole"] == wanted["whole"]
    assert len([*saver.list(thread("t"))]) == 3


def test_what_nothing_holds_any_more_goes(saver: SqlAgentSaver) -> None:
    big = ["word " * 40] * 20
    config = thread("t")
    for run in ("r1", "r1", "r2"):
        big = [*big, f"{run} " * 100]
        config = put(saver, config, {"messages": big}, {**ABOUT, "run_id": run})
    saver.put_writes(thread("t", checkpoint_id="never came"), [("a", 1)], "task")
    saver.copy_thread("t", "copy")
    kept = got(saver, thread("t")).checkpoint
    saver.delete_for_runs(["r1"])
    assert got(saver, thread("t")).checkpoint == kept
    assert len([*saver.list(thread("copy"))]) == 1  # a copy is of the same runs
    assert got(saver, thread("copy")).checkpoint == kept
    saver.delete_thread("t")
    con = saver.connection
    for table in ("checkpoints", "values", "writes"):
        rows = con.execute(f"SELECT DISTINCT thread_id FROM langgraph_{table}").fetchall()
        assert rows == [("copy",)]
    con.execute("DELETE FROM langgraph_checkpoints WHERE thread_id = 'copy'")
    assert con.execute("SELECT count(*) FROM langgraph_values").fetchall() == [(0,)]


def test_erase_takes_a_users_threads(saver: SqlAgentSaver) -> None:
    put(saver, thread("a", user_id="ada", agent_id="helper"), {"messages": ["the secret of ada"]})
    put(saver, thread("b", user_id="bob", agent_id="helper"), {"messages": ["bob's"]})
    con = saver.connection
    con.execute("SELECT erase(user_id => 'ada')").fetchall()
    rows = con.execute("SELECT thread_id, value FROM langgraph_states").fetchall()
    assert rows == [("b", '["bob\'s"]')]
    assert con.execute("SELECT count(*) FROM langgraph_values").fetchall() == [(1,)]


def test_checkpoints_commit_with_the_transaction_around_them(fresh_db: Path) -> None:
    with sqlagent.connect(fresh_db, embedding_model="none") as con:
        saver = SqlAgentSaver(con)
        con.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        con.execute("BEGIN")
        con.execute("INSERT INTO orders VALUES (1)")
        put(saver, thread("t"), {"a": 1})
        assert got(saver, thread("t")).checkpoint["channel_values"] == {"a": 1}
        con.execute("ROLLBACK")
        assert saver.get_tuple(thread("t")) is None
        with pytest.raises(sqlagent.InterfaceError, match="settings are for a path"):
            SqlAgentSaver(con, embedding_model="none")
        saver.close()
        assert con.execute("SELECT count(*) FROM orders").fetchall() == [(0,)]  # still open
    with pytest.raises(sqlagent.ProgrammingError, match="keep_latest, delete, not 'all'"):
        saver.prune(["t"], strategy="all")


def test_the_event_loop_goes_on_while_another_holds_the_writer(fresh_db: Path) -> None:
    async def run() -> tuple[int, float]:
        async with AsyncSqlAgentSaver.from_conn_string(str(fresh_db)) as saver:
            await saver.setup()
            con = sqlagent.connect(fresh_db)
            con.begin()
            beats, started = 0, time.monotonic()
            waiting = asyncio.ensure_future(saver.aput(thread("t"), empty_checkpoint(), ABOUT, {}))
            while beats < 20:  # the loop turns, though the put cannot go on
                await asyncio.sleep(0.001)
                beats += 1
            took = time.monotonic() - started
            assert not waiting.done()
            con.rollback()
            con.close()
            await waiting
            assert await saver.aget_tuple(thread("t")) is not None
            return beats, took

    beats, took = asyncio.run(run())
    assert beats == 20 and took < 5


def test_many_threads_and_processes_share_a_file(fresh_db: Path, tmp_path: Path) -> None:
    code = tmp_path / "writer.py"
    code.write_text(WRITER)
    processes = [
        subprocess.Popen([sys.executable, str(code), str(fresh_db), str(p), "25"]) for p in range(2)
    ]
    with SqlAgentSaver(fresh_db, embedding_model="none") as saver:

        def work(name: str) -> None:
            for step in range(25):
                put(saver, thread(name), {"n": step})

        threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert [p.wait(120) for p in processes] == [0, 0]
        counts = saver.connection.execute(
            "SELECT thread_id, count(*) FROM langgraph_checkpoints GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert counts == [(n, 25) for n in ("p0", "p1", "t0", "t1", "t2", "t3", "t4", "t5")]


WRITER = """
import sys
from langgraph.checkpoint.base import empty_checkpoint
from sqlagent.langgraph import SqlAgentSaver
saver = SqlAgentSaver(sys.argv[1], embedding_model="none")
config = {"configurable": {"thread_id": "p" + sys.argv[2], "checkpoint_ns": ""}}
for step in range(int(sys.argv[3])):
    point = empty_checkpoint()
    point["channel_values"] = {"n": step, "list": ["x" * 100 + str(i) for i in range(step % 40)]}
    point["channel_versions"] = {"n": step, "list": step}
    config = saver.put(config, point, {"step": step}, {"n": step, "list": step})
    saver.put_writes(config, [("n", step)], "task")
    print(step, flush=True)
"""


@pytest.mark.slow
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    code = tmp_path / "writer.py"
    code.write_text(WRITER)
    for turn in range(8):
        path = tmp_path / f"{turn}.db"
        process = subprocess.Popen(
            [sys.executable, str(code), str(path), "0", "100000"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        last = -1
        for line in process.stdout:
            last = int(line)
            if last >= 20 + 13 * turn:
                break
        process.kill()
        said = [int(n) for n in process.stdout.read().split() if n.isdigit()]
        process.wait()
        last = max([last, *said[:-1]])
        with SqlAgentSaver(path) as saver:
            found = got(saver, thread("p0"))
            step = found.metadata["step"]
            assert step >= last
            assert len(found.checkpoint["channel_values"]["list"]) == step % 40
            assert len([*saver.list(thread("p0"))]) == step + 1
            unknown = saver.connection.execute(
                "SELECT count(*) FROM langgraph_checkpoints c, json_each(c.channels) e "
                "WHERE json_extract(e.value, '$[0]') NOT IN (SELECT value_id FROM langgraph_values)"
            )
            assert unknown.fetchall() == [(0,)]


@pytest.mark.parametrize("looped", [False, True])
def test_a_real_graph_is_interrupted_resumed_and_taken_back(fresh_db: Path, looped: bool) -> None:
    pytest.importorskip("langgraph.graph", reason="langgraph itself is not installed")
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.store.base import BaseStore
    from langgraph.types import Command, interrupt

    from sqlagent.langgraph import SqlAgentStore

    def ask(state: Any, *, store: BaseStore) -> Any:
        answer = interrupt("Who is there?")
        store.put(("people",), answer, {"name": answer})
        return {"messages": [AIMessage(f"Hello {answer}")]}

    def leave(state: Any) -> Any:
        return {"messages": [AIMessage("Bye")]}

    builder = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_node("leave", leave)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", "leave")
    builder.add_edge("leave", END)
    with sqlagent.connect(fresh_db, embedding_model="none") as con:
        saver = AsyncSqlAgentSaver(con) if looped else SqlAgentSaver(con)
        graph = builder.compile(checkpointer=saver, store=SqlAgentStore(con))
        config: Any = {"configurable": {"thread_id": "t", "user_id": "u"}}

        def invoke(value: Any, where: Any) -> Any:
            return (
                asyncio.run(graph.ainvoke(value, where)) if looped else graph.invoke(value, where)
            )

        invoke({"messages": [HumanMessage("Knock")]}, config)
        assert graph.get_state(config).tasks[0].interrupts[0].value == "Who is there?"
        pending = con.execute("SELECT value FROM langgraph_writes WHERE channel = '__interrupt__'")
        assert "Who is there?" in pending.fetchall()[0][0]
        said = invoke(Command(resume="小明"), config)["messages"]
        assert [m.content for m in said] == ["Knock", "Hello 小明", "Bye"]
        before = next(s for s in graph.get_state_history(config) if s.next == ("leave",))
        again = invoke(None, before.config)["messages"]  # time travel: a branch
        assert [m.content for m in again] == ["Knock", "Hello 小明", "Bye"]
        rows = con.execute(
            "SELECT value->>'$[1].content', user_id FROM langgraph_states "
            "WHERE channel = 'messages'"
        )
        assert rows.fetchall() == [("Hello 小明", "u")]
        assert con.execute("SELECT key FROM langgraph_items").fetchall() == [("小明",)]
    with SqlAgentSaver(fresh_db) as later:
        later.copy_thread("t", "copy")
        assert len([*later.list(thread("copy"))]) == len([*later.list(thread("t"))])


def test_a_plain_statement_imports_no_langgraph(tmp_path: Path) -> None:
    code = (
        "import sys, sqlagent; sqlagent.connect(sys.argv[1]).execute('SELECT 1').fetchall();"
        "print([m for m in sys.modules if m.startswith(('langgraph', 'langchain', 'pydantic'))])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.db")], capture_output=True, text=True
    )
    assert out.stdout.strip() == "[]"
