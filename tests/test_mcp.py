"""MCP with the official client: over stdio, as a client starts it."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import sqlagent

if TYPE_CHECKING:  # a second, for each process that only collects this file
    from mcp.client import Client

Work = Callable[["Client"], Awaitable[Any]]


def talk(path: Path, *arguments: str, work: Work) -> Any:
    """What `work` finds out from a server that is started for it."""
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    command = ["-m", "sqlagent.cli", "mcp", str(path), *arguments]

    async def main() -> Any:
        server = StdioServerParameters(command=sys.executable, args=command)
        async with Client(stdio_client(server)) as client:
            return await work(client)

    return anyio.run(main)


async def said(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured answer of a tool; its text where it is an error."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        return result.content[0].text  # type: ignore[union-attr]  # errors are text
    return result.structured_content


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with sqlagent.connect(tmp_path / "agent.db") as con:
        con.execute("SELECT remember('ada', 'Ann drinks green tea at noon')")
        con.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total DECIMAL(8,2))")
        con.execute("INSERT INTO orders VALUES (1, 12.50), (2, 7.25)")
        con.close()
    return tmp_path / "agent.db"


def test_a_session_of_an_agent(path: Path) -> None:
    async def work(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {
            "query", "list_tables", "describe_table", "recall", "search", "load_state", "remember",
            "save_state",
        }  # fmt: skip
        assert tools["query"].annotations.read_only_hint
        assert not tools["remember"].annotations.read_only_hint
        assert "ada" in (client.instructions or "")
        made = await said(client, "remember", content="安喜欢喝绿茶", metadata={"from": "chat"})
        assert made == {"memory_id": 2}
        found = await said(client, "recall", query="绿茶", k=1)
        assert found["rows"][0][found["columns"].index("content")] == "安喜欢喝绿茶"
        assert (await said(client, "save_state", data={"step": 1})) == {"version": 1}
        assert (await said(client, "save_state", data={"step": 2}, if_version=1))["version"] == 2
        assert "the newest version is 2" in await said(client, "save_state", data=3, if_version=1)
        states = (await said(client, "load_state"))["result"]
        assert [(s["version"], s["data"]) for s in states] == [(2, {"step": 2})]
        tables = (await said(client, "list_tables"))["result"]
        assert {"name": "orders", "type": "table"} in tables
        assert not any(t["name"].startswith("sqlagent_") for t in tables)
        described = await said(client, "describe_table", name="orders", sample=1)
        assert [c["column_name"] for c in described["columns"]] == ["id", "total"]
        assert described["sample"]["rows"] == [[1, 12.5]]
        summed = await said(client, "query", sql="SELECT sum(total) AS s FROM orders")
        assert summed["rows"] == [[19.75]] and summed["types"][0].startswith("DECIMAL")
        asked = await said(client, "query", sql="SELECT :n + ? AS x", parameters={"n": 1})
        assert "hint" in asked or "parameter" in asked
        schema = (await client.read_resource("sqlagent://schema")).contents[0].text
        assert "orders (id BIGINT" in schema and "recall(" in schema
        context = (await client.read_resource("sqlagent://agents/ada/context")).contents[0].text
        assert '"step": 2' in context or "'step': 2" in context
        assert "green tea" in context

    talk(path, "--agent", "ada", work=work)


def test_what_a_model_may_not_do(path: Path) -> None:
    refused = [
        "DELETE FROM memories",
        "SELECT remember('ada', 'by query')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "ATTACH '/tmp/other.db' AS other",
        "COPY memories TO '/tmp/stolen.csv'",
        "CREATE TABLE mine (a INTEGER)",
        "DROP TABLE orders",
        "SELECT getenv('HOME')",
        "PRAGMA journal_mode = delete",
        "SELECT * FROM search('tea', filter => '1 = 1) OR (SELECT remember(1, 2)')",
    ]

    async def work(client: Client) -> None:
        for sql in refused:
            answer = await said(client, "query", sql=sql)
            assert isinstance(answer, str), sql
        assert isinstance(await said(client, "execute", sql="DELETE FROM memories"), str)
        rows = await said(client, "query", sql="SELECT count(*) AS n FROM memories")
        assert rows["rows"] == [[1]]

    talk(path, work=work)


def test_read_write_and_read_only(path: Path) -> None:
    async def writes(client: Client) -> None:
        done = await said(
            client, "execute", sql="INSERT INTO orders VALUES (?, ?) RETURNING id",
            parameters=[3, 1],
        )  # fmt: skip
        assert done["rows_changed"] == 1 and done["result"]["rows"] == [[3]]
        made = await said(client, "execute", sql="CREATE TABLE mine (a INTEGER)")
        assert made == {"rows_changed": None, "result": None}
        assert isinstance(await said(client, "execute", sql="ATTACH '/tmp/x.db' AS x"), str)
        assert (await said(client, "remember", content="x")).count("agent_id is missing") == 1

    async def reads(client: Client) -> None:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert not names & {"execute", "remember", "save_state"}
        assert (await said(client, "query", sql="SELECT count(*) FROM orders"))["rows"] == [[3]]

    talk(path, "--read-write", work=writes)
    talk(path, "--read-only", work=reads)


@pytest.mark.slow
def test_limits_and_a_call_that_is_cancelled(path: Path) -> None:
    endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7"

    async def work(client: Client) -> None:
        rows = await said(client, "query", sql="SELECT * FROM range(100)")
        assert rows["row_count"] == 5 and "first 5 rows" in rows["truncated"]
        two = await said(client, "query", sql="SELECT * FROM range(100)", max_rows=2)
        assert two["row_count"] == 2
        long = await said(client, "query", sql="SELECT repeat('x', 300) FROM range(5)")
        assert long["row_count"] == 3 and "1000 characters" in long["truncated"]
        with anyio.move_on_after(0.5):
            await said(client, "query", sql=endless)
        begun = time.monotonic()
        assert (await said(client, "query", sql="SELECT 1 AS one"))["rows"] == [[1]]
        assert time.monotonic() - begun < 20
        assert "limit of 3 s" in await said(client, "query", sql=endless)

    talk(path, "--max-rows", "5", "--max-chars", "1000", "--timeout", "3", work=work)
