"""Sessions of the OpenAI Agents SDK: its protocol, and what is seen in SQL."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sqlagent
from sqlagent.agents import SqlAgentSession

HELLO = {"role": "user", "content": "你好，我叫小明"}
CALL = {"type": "function_call", "call_id": "1", "name": "look", "arguments": '{"q": "tea"}'}
REPLY = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello"}, {"type": "output_text", "text": "小明"}],
}


@pytest.fixture
def session(fresh_db: Path) -> Iterator[SqlAgentSession]:
    with SqlAgentSession("chat", fresh_db, agent_id="ada", embedding_model="none") as opened:
        yield opened


def run(work: Any) -> Any:
    return asyncio.run(work)


def test_items_come_back_in_their_order(session: SqlAgentSession) -> None:
    async def talk() -> None:
        assert await session.get_items() == [] and await session.pop_item() is None
        await session.add_items([HELLO, CALL])
        await session.add_items([])
        await session.add_items([REPLY])
        assert await session.get_items() == [HELLO, CALL, REPLY]
        assert await session.get_items(2) == [CALL, REPLY]
        assert await session.get_items(0) == []
        assert await session.pop_item() == REPLY
        assert await session.get_items(limit=10) == [HELLO, CALL]
        await session.clear_session()
        assert await session.get_items() == []

    run(talk())


def test_the_settings_of_the_sdk_limit_what_is_read(session: SqlAgentSession) -> None:
    run(session.add_items([HELLO, CALL, REPLY]))
    for settings in (SimpleNamespace(limit=1), {"limit": 1}):
        session.session_settings = settings
        assert run(session.get_items()) == [REPLY]
        assert len(run(session.get_items(2))) == 2


def test_items_are_seen_in_sql_and_go_with_their_agent(session: SqlAgentSession) -> None:
    run(session.add_items([HELLO, CALL, REPLY]))
    con = session.connection
    for route in ("sqlite", "duckdb"):
        con.execute(f"SET route = '{route}'")
        rows = con.execute(
            "SELECT kind, role, content, item->>'name' FROM session_items ORDER BY item_id"
        ).fetchall()
        assert rows == [
            ("message", "user", "你好，我叫小明", None),
            ("function_call", None, '{"q": "tea"}', "look"),
            ("message", "assistant", "Hello\n小明", None),
        ]
    sessions = con.execute("SELECT session_id, agent_id FROM sessions").fetchall()
    assert sessions == [("chat", "ada")]
    con.execute("SELECT erase(agent_id => 'ada')").fetchall()
    assert run(session.get_items()) == []


def test_sessions_share_a_file_and_not_their_items(fresh_db: Path) -> None:
    async def talk() -> None:
        with sqlagent.connect(fresh_db, embedding_model="none") as con:
            ones = [SqlAgentSession(f"s{i}", con) for i in range(8)]
            await asyncio.gather(
                *(one.add_items([{"role": "user", "content": f"{i} {n}"}]) for n in range(10)
                  for i, one in enumerate(ones))
            )  # fmt: skip
            for i, one in enumerate(ones):
                items = await one.get_items()
                assert sorted(item["content"] for item in items) == [f"{i} {n}" for n in range(10)]
            await asyncio.gather(*(ones[0].pop_item() for _ in range(10)))
            assert await ones[0].get_items() == [] and len(await ones[1].get_items()) == 10
            con.execute("BEGIN")
            await ones[1].clear_session()
            con.execute("ROLLBACK")
            assert len(await ones[1].get_items()) == 10

    run(talk())


def test_what_is_no_item_is_refused_before_anything_is_written(session: SqlAgentSession) -> None:
    for bad, why in ((["text"], "object of JSON, not 'text'"), ([{"x": {1}}], "not JSON serial")):
        with pytest.raises(sqlagent.DataError, match=why):
            run(session.add_items([HELLO, *bad]))
    assert run(session.get_items()) == []
    for name in ("", None, 7):
        with pytest.raises(sqlagent.InterfaceError, match="session_id is a text"):
            SqlAgentSession(name)  # type: ignore[arg-type]
    with pytest.raises(sqlagent.InterfaceError, match="limit is a whole number"):
        run(session.get_items("2"))  # type: ignore[arg-type]


def test_it_is_a_session_to_the_sdk(session: SqlAgentSession) -> None:
    agents = pytest.importorskip("agents", reason="openai-agents is not installed")
    assert isinstance(session, agents.memory.Session)
    for name in ("get_items", "add_items", "pop_item", "clear_session"):
        wanted = inspect.signature(getattr(agents.memory.Session, name)).parameters
        assert list(inspect.signature(getattr(SqlAgentSession, name)).parameters) == list(wanted)


def test_the_sdk_runs_an_agent_on_it(session: SqlAgentSession) -> None:
    agents = pytest.importorskip("agents", reason="openai-agents is not installed")
    from openai.types.responses import ResponseOutputMessage, ResponseOutputText

    asked: list[Any] = []

    class Model(agents.models.interface.Model):  # answers without a network
        async def get_response(self, *args: Any, **named: Any) -> Any:
            asked.append(named["input"] if "input" in named else args[1])
            text = ResponseOutputText(
                annotations=[], text=f"reply {len(asked)}", type="output_text"
            )
            message = ResponseOutputMessage(
                id=f"m{len(asked)}", content=[text], role="assistant", status="completed",
                type="message",
            )  # fmt: skip
            return agents.ModelResponse(output=[message], usage=agents.Usage(), response_id=None)

        def stream_response(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    async def talk() -> None:
        agent = agents.Agent(name="ada", model=Model())
        config = agents.RunConfig(tracing_disabled=True)
        for question in ("one", "two"):
            await agents.Runner.run(agent, question, session=session, run_config=config)

    run(talk())
    assert len(asked[0]) == 1 and len(asked[1]) == 3  # the second has what the first said
    rows = session.connection.execute(
        "SELECT role, content FROM session_items ORDER BY item_id"
    ).fetchall()
    assert rows == [
        ("user", "one"), ("assistant", "reply 1"), ("user", "two"), ("assistant", "reply 2"),
    ]  # fmt: skip
