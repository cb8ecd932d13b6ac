"""HTTP with a real client: statements, the REST view, events, metrics, users, and MCP at /mcp."""

from __future__ import annotations

import io
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import httpx2
import pytest

import sqlagent
from sqlagent.serve import http
from sqlagent.serve.limits import Limits
from sqlagent.serve.server import Server

WHO = ("ann", "s3cret: 茶")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A listener on a file with some rows."""
    path = tmp_path_factory.mktemp("http") / "agent.db"
    with sqlagent.connect(path) as con:
        con.execute("SELECT remember('ada', 'Ann drinks green tea at noon')")
        con.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, who VARCHAR, total DECIMAL(8,2))")
        con.execute("INSERT INTO orders VALUES (1, 'ann', 12.50), (2, '7', 7.25), (3, NULL, 1)")
        con.close()
    limits = Limits(rows=100_000, message_mb=1)
    server = Server(str(path), account=WHO, limits=limits)
    listener = http.start(server, "127.0.0.1", 0)
    yield listener
    listener.close(1.0)
    server.close()


@pytest.fixture
def client(served: Any) -> Iterator[Any]:
    with httpx.Client(base_url=served.address, auth=WHO, timeout=60) as made:
        yield made


def sql(client: Any, text: str, parameters: Any = None, **more: Any) -> Any:
    return client.post("/sql", json={"sql": text, "parameters": parameters, **more})


def problem(response: Any, status: int, state: str) -> str:
    error = response.json()["error"]
    assert (response.status_code, error["sqlstate"]) == (status, state), error
    return str(error["message"])


def test_a_statement_in_every_format(client: Any) -> None:
    import pyarrow as pa

    text = "SELECT ? AS a, 茶, d, v FROM (SELECT 'x,\"y' AS 茶, 1.50::DECIMAL(4,2) AS d,"
    text += " [1.0, 0.1]::FLOAT[2] AS v)"
    found = sql(client, text, [7])
    assert found.json() == {
        "columns": [
            {"name": "a", "type": "BIGINT"},
            {"name": "茶", "type": "VARCHAR"},
            {"name": "d", "type": "DECIMAL(4,2)"},
            {"name": "v", "type": "FLOAT[2]"},
        ],
        "rows": [[7, 'x,"y', 1.5, [1.0, 0.1]]],
        "row_count": 1,
    }
    assert '"y", 1.50, [' in found.text.replace("\\", "")  # a decimal keeps its digits
    lines = sql(client, text, [7], format="jsonl")
    assert json.loads(lines.text) == {"a": 7, "茶": 'x,"y', "d": 1.5, "v": [1.0, 0.1]}
    csv = client.post(
        "/sql", content="SELECT 1 AS a, '茶' AS b", headers={"Content-Type": "text/plain",
        "Accept": "text/csv"},
    )  # fmt: skip
    assert csv.text == "a,b\r\n1,茶\r\n" and csv.headers["content-type"].startswith("text/csv")
    arrow = sql(client, "SELECT range AS n FROM range(100000)", format="arrow")
    table = pa.ipc.open_stream(io.BytesIO(arrow.content)).read_all()
    assert table.num_rows == 100_000 and table["n"][99_999].as_py() == 99_999
    for form, empty in (("json", 0), ("jsonl", ""), ("csv", "n\r\n")):
        none = sql(client, "SELECT range AS n FROM range(0)", format=form)
        assert none.status_code == 200
        assert (none.json()["row_count"] if form == "json" else none.text) == empty


def test_writes_and_transactions(client: Any) -> None:
    made = sql(client, "INSERT INTO agents (agent_id) VALUES (:a)", {"a": "http"})
    assert made.json() == {"rows_changed": 1}
    both = client.post(
        "/sql",
        json={
            "statements": [
                {"sql": "INSERT INTO agents (agent_id) VALUES (?)", "parameters": ["two"]},
                "SELECT count(*) AS n FROM agents WHERE agent_id IN ('http', 'two')",
            ]
        },
    )
    first, second = both.json()["results"]
    assert first == {"rows_changed": 1} and second["rows"] == [[2]]
    failing = ["INSERT INTO agents (agent_id) VALUES ('three')", "SELECT nope FROM agents"]
    assert "nope" in problem(client.post("/sql", json={"statements": failing}), 400, "42703")
    left = sql(client, "SELECT count(*) FROM agents WHERE agent_id = 'three'")
    assert left.json()["rows"] == [[0]]
    twice = sql(client, "INSERT INTO agents (agent_id) VALUES ('two')")
    assert twice.status_code == 409


def test_a_request_leaves_nothing_behind(client: Any) -> None:
    assert sql(client, "SELECT 5/2 AS x", settings={"dialect": "sqlite"}).json()["rows"] == [[2]]
    assert sql(client, "BEGIN").status_code == 200
    for _ in range(5):
        assert sql(client, "SELECT 5/2 AS x").json()["rows"] == [[2.5]]
    assert sql(client, "INSERT INTO agents (agent_id) VALUES ('after')").status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "state"),
    [
        (b"{", 400, "22P02"),
        (b"[]", 400, "22000"),
        (b'{"sql": 1}', 400, "22000"),
        (b'{"sql": "SELECT 1", "parameters": 7}', 400, "22000"),
        (b'{"sql": "SELECT 1", "nope": 7}', 400, "22000"),
        (b'{"sql": "SELECT 1", "format": "xml"}', 400, "0A000"),
        (b'{"sql": "SELEC 1"}', 400, "42601"),
        (b'{"sql": ""}', 400, "42601"),
        (b'{"sql": "SELECT ?"}', 400, "07001"),
        (b'{"statements": []}', 400, "22000"),
        (b'{"sql": "SELECT * FROM nope"}', 404, "42P01"),
        (b'{"sql": "SELECT \\u0000"}', 400, "42601"),
        (b'"' + b"x" * (1 << 20) + b'"', 413, "54000"),
    ],
)
def test_what_is_wrong_is_said(client: Any, body: bytes, status: int, state: str) -> None:
    answer = client.post("/sql", content=body, headers={"Content-Type": "application/json"})
    problem(answer, status, state)


def test_more_rows_than_the_limit(client: Any) -> None:
    problem(sql(client, "SELECT * FROM range(100001)", format="arrow"), 413, "54000")
    with pytest.raises(httpx.RemoteProtocolError):  # the rows that were sent do not end
        sql(client, "SELECT * FROM range(100001)")


def test_who_asks(served: Any) -> None:
    def asked(**more: Any) -> Any:
        return httpx.get(f"{served.address}/v1/agents", **more)

    bearer = {"Authorization": "Bearer " + ":".join(WHO)}
    none = asked()
    problem(none, 401, "28000")
    assert none.headers["www-authenticate"].startswith("Basic")
    assert httpx.get(f"{served.address}/v1/orders", headers=_utf8(bearer)).status_code == 200
    problem(asked(auth=("ann", "wrong")), 401, "28P01")
    problem(asked(auth=("nobody", "wrong")), 401, "28P01")
    for header in ("Basic !!", "Basic YWI=", "Bearer x", "Digest a=b", ""):
        problem(asked(headers={"Authorization": header}), 401, "28000")
    assert asked(auth=WHO).status_code == 200
    assert httpx.get(f"{served.address}/health").json()["status"] == "ok"
    nothing = httpx.get(f"{served.address}/nothing", auth=WHO)
    assert nothing.status_code == 404 and "hint" in nothing.json()["error"]
    assert httpx.put(f"{served.address}/sql", auth=WHO).status_code == 405


def _utf8(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def test_rest_reads(client: Any) -> None:
    def get(query: str) -> Any:
        answer = client.get(f"/v1/orders?{query}")
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()]

    assert get("order=id") == [1, 2, 3]
    assert get("who=eq.7") == [2]  # text stays text, also where it looks like a number
    assert get("id=eq.2") == [2] and get("id=neq.2&order=id.desc") == [3, 1]
    assert get("total=gte.7.25&order=total.asc") == [2, 1]
    assert get("who=is.null") == [3] and get("who=not.is.null&order=id") == [1, 2]
    assert get("id=in.(1,3)&order=id") == [1, 3] and get("id=in.()") == []
    assert get("who=like.a%25") == [1] and get("who=ilike.A%25") == [1]
    assert get("who=not.eq.ann&order=id") == [2]
    assert get("limit=1&offset=1&order=id") == [2] and get("limit=0") == []
    counted = client.get("/v1/orders?limit=2&order=id", headers={"Prefer": "count=exact"})
    assert counted.headers["content-range"] == "0-1/3"
    some = client.get("/v1/orders?select=who,total&id=eq.1").json()
    assert some == [{"who": "ann", "total": 12.5}]
    for wrong in ("id=1", "id=foo.1", "id=is.7", "limit=-1", "limit=x", "order=id.up", "nope=eq.1"):
        assert client.get(f"/v1/orders?{wrong}").status_code == 400, wrong
    problem(client.get("/v1/nope"), 404, "42P01")


def test_names_and_values_are_never_sql(client: Any) -> None:
    evil = "x' OR 1=1; DROP TABLE orders --"
    assert client.get("/v1/orders", params={"who": f"eq.{evil}"}).json() == []
    assert client.get("/v1/orders", params={'id" OR 1=1 --': "eq.1"}).status_code == 400
    assert client.get("/v1/orders", params={"select": 'id" FROM orders --'}).status_code == 400
    assert client.get('/v1/orders" WHERE 1=1 --').status_code == 404
    answer = client.post("/v1/orders", json={'id") VALUES (9); --': 1})
    assert answer.status_code == 400
    assert client.post('/v1/rpc/recall("ada") --', json={}).status_code == 404
    assert client.post("/v1/rpc/recall", json={"agent_id => 1) --": 1}).status_code == 400
    assert sql(client, "SELECT count(*) FROM orders").json()["rows"] == [[3]]


def test_rest_writes(client: Any) -> None:
    back = {"Prefer": "return=representation"}
    one = client.post("/v1/orders", json={"id": 10, "who": "茶", "total": 1.25}, headers=back)
    assert (one.status_code, one.json()) == (201, [{"id": 10, "who": "茶", "total": 1.25}])
    two = client.post("/v1/orders", json=[{"id": 11, "who": "b"}, {"id": 12}])
    assert two.json() == {"rows_changed": 2}
    clash = client.post("/v1/orders", json=[{"id": 13}, {"id": 10}])
    assert clash.status_code == 409
    assert client.get("/v1/orders?id=eq.13").json() == []
    changed = client.patch("/v1/orders?id=in.(11,12)", json={"who": "c"}, headers=back)
    assert [row["who"] for row in changed.json()] == ["c", "c"]
    for verb in (client.delete, lambda path: client.patch(path, json={"who": "x"})):
        assert "wants a condition" in problem(verb("/v1/orders"), 400, "42601")
    assert client.delete("/v1/orders?id=gte.10").json() == {"rows_changed": 3}
    for body in (b"7", b"{}", b'"x"'):
        assert client.patch("/v1/orders?id=eq.1", content=body).status_code == 400
    memory = client.post(
        "/v1/memories", headers=back,
        json={"agent_id": "rest", "content": "an oolong", "metadata": {"a": [1]}},
    )  # fmt: skip
    assert memory.json()[0]["metadata"] == {"a": [1]}
    found = client.get("/v1/rpc/recall?agent_id=rest&query=oolong&k=1").json()
    assert found[0]["content"] == "an oolong"


def test_functions(client: Any) -> None:
    made = client.post("/v1/rpc/remember", json={"agent_id": "rpc", "content": "Ann has a dog"})
    assert isinstance(made.json()[0]["result"], int)
    asked = {"agent_id": "rpc", "query": "pets", "k": 3}
    assert client.post("/v1/rpc/recall", json=asked).json()[0]["content"] == "Ann has a dog"
    assert client.get("/v1/rpc/token_count?text=hello").json()[0]["result"] >= 1
    assert "recall" in client.get("/v1/rpc/recal").json()["error"]["hint"]
    assert client.post("/v1/rpc/recall", json=[1]).status_code == 400
    assert client.post("/v1/rpc/recall", json={"nope": 1}).status_code == 400


def test_events(served: Any, client: Any) -> None:
    def heard(headers: dict[str, str], count: int) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        with client.stream("GET", "/watch", params={"agent_id": "sse"}, headers=headers) as stream:
            began.set()
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    events.append(json.loads(line[6:]))
                if len(events) == count:
                    return events
        return events

    began = threading.Event()
    found: list[list[dict[str, Any]]] = []
    listener = threading.Thread(target=lambda: found.append(heard({}, 2)))
    listener.start()
    began.wait(10)
    time.sleep(0.3)
    with sqlagent.connect(served.app.server.path) as con:
        con.execute("SELECT remember('sse', 'one')")
        con.execute("SELECT save_state('sse', '{}')")
        con.close()
    listener.join(30)
    assert [event["tbl"] for event in found[0]] == ["memories", "states"]
    again = heard({"Last-Event-ID": str(found[0][0]["seq"])}, 1)
    assert again == found[0][1:]
    assert client.get("/watch").status_code == 400
    assert client.get("/watch?agent_id=a&since=x").status_code == 400


def test_openapi_says_what_there_is(client: Any) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"/sql", "/v1/orders", "/v1/memories", "/v1/rpc/recall"} <= set(document["paths"])
    orders = document["components"]["schemas"]["orders"]["properties"]
    assert orders["id"]["type"] == ["integer", "null"]
    keys = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(keys) == len(set(keys))
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])


def test_metrics(client: Any) -> None:
    sql(client, "SELECT 1")
    client.get("/v1/some-guess-of-a-scanner")
    page = client.get("/metrics").text
    assert 'sqlagent_http_requests_total{method="POST",route="/sql",status="200"}' in page
    assert "some-guess" not in page
    assert re.search(r'sqlagent_file_bytes\{part="main"\} \d', page)
    assert re.search(r"sqlagent_connections 1\.0", page)


def test_a_client_that_goes_ends_its_statement(served: Any) -> None:
    endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{served.address}/sql", auth=WHO, json={"sql": endless}, timeout=0.7)
    deadline = time.monotonic() + 20
    while served.app.busy and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not served.app.busy


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 4096,
        b"POST /sql HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n",
        b"POST /sql HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /sql HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 100_000,
    ],
)
def test_noise(served: Any, noise: bytes) -> None:
    host, port = served.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(noise)
        line.shutdown(socket.SHUT_WR)
        try:
            while line.recv(65_536):
                pass
        except ConnectionResetError:
            pass
    assert httpx.get(f"{served.address}/health").status_code == 200


def test_mcp_over_http(served: Any) -> None:
    from mcp.client import Client  # a second, for each process that only collects this file
    from mcp.client.streamable_http import streamable_http_client

    async def main() -> None:
        async with (
            httpx2.AsyncClient(auth=WHO) as line,
            Client(streamable_http_client(f"{served.address}/mcp", http_client=line)) as client,
        ):
            made = await client.call_tool("remember", {"agent_id": "mcp", "content": "hello"})
            assert isinstance(made.structured_content["memory_id"], int)
            refused = await client.call_tool("query", {"sql": "DELETE FROM memories"})
            assert refused.is_error and "may only read" in refused.content[0].text

    anyio.run(main)
    answer = httpx.post(f"{served.address}/mcp", json={})
    problem(answer, 401, "28000")
