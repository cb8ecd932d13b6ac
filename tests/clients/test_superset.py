"""Apache Superset over its REST API, as its pages use it: a database, datasets, SQL Lab, charts
with ranges of time, a dashboard. SUPERSET names its program, where it is not on the path."""

from __future__ import annotations

import http.cookiejar
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

SUPERSET = os.environ.get("SUPERSET") or shutil.which("superset")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(SUPERSET is None, reason="Apache Superset is not installed (SUPERSET)"),
]
Run = Callable[..., str]
CONFIG = """
SECRET_KEY = "only for this test, and long enough for Flask's sessions"
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.db"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False
"""
SALES = """
CREATE TABLE sales (id bigint PRIMARY KEY, day date NOT NULL, sold_at timestamp NOT NULL,
  region text, product varchar(40), amount numeric(12, 2), qty int, ok boolean, noted timestamptz);
INSERT INTO sales SELECT i, DATE '2024-01-01' + CAST(i % 366 AS INTEGER),
  TIMESTAMP '2024-01-01 00:00:00' + i * INTERVAL '1 hour',
  CASE i % 4 WHEN 0 THEN '北' WHEN 1 THEN 'south' WHEN 2 THEN 'east' END, 'p' || (i % 7),
  (i * 37 % 1000) / 10.0, i % 13, i % 2 = 0, TIMESTAMP '2024-01-01 00:00:00' + i * INTERVAL '1 day'
  FROM generate_series(1, 2000) AS s(i);
"""


NORTH = sum(i * 37 % 1000 for i in range(4, 2001, 4)) / 10  # what was sold there


class Web:
    """A browser's session with Superset: what it says, as JSON."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.token = ""
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer; an AssertionError with what it says where it refuses."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from None

    def post(self, path: str, body: Any) -> Any:
        return self.ask("POST", path, body)

    def get(self, path: str) -> Any:
        return self.ask("GET", path)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Superset with a fresh metadata database of its own, and its admin logged in."""
    folder = tmp_path_factory.mktemp("superset")
    config = folder / "superset_config.py"
    config.write_text(CONFIG.format(folder=folder))
    env = {**os.environ, "SUPERSET_CONFIG_PATH": str(config), "FLASK_APP": "superset",
           "SUPERSET_HOME": str(folder)}  # fmt: skip
    env.pop("PYTHONPATH", None)  # its own libraries, not this project's
    user = "--username admin --firstname a --lastname b --email a@example.org --password admin"
    for command in ("db upgrade", f"fab create-admin {user}", "init"):
        done = subprocess.run(
            [str(SUPERSET), *command.split()], env=env, cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(SUPERSET), "run", "-p", str(port), "--with-threads"], env=env, cwd=folder,
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    found = Web(f"http://127.0.0.1:{port}")
    try:
        end = time.monotonic() + 120
        while True:
            try:
                said = found.post(
                    "/api/v1/security/login",
                    {"username": "admin", "password": "admin", "provider": "db", "refresh": True},
                )
                break
            except (OSError, AssertionError):
                assert process.poll() is None and time.monotonic() < end, (
                    folder / "log"
                ).read_text()
                time.sleep(0.5)
        found.token = said["access_token"]
        yield found
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def database(web: Web, server: dict[str, str]) -> int:
    """The server as a database of Superset's."""
    import psycopg

    with psycopg.connect(
        host=server["PGHOST"], port=server["PGPORT"], dbname=server["PGDATABASE"],
        user=server["PGUSER"], password=server["PGPASSWORD"],
    ) as connection:  # fmt: skip
        connection.execute(SALES)
    uri = "postgresql+psycopg2://{PGUSER}:{word}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(
        word=quote(server["PGPASSWORD"]), **server
    )
    given = {"database_name": "agent", "sqlalchemy_uri": uri}
    web.post("/api/v1/database/test_connection/", given)
    more = {"expose_in_sqllab": True, "allow_ctas": True, "allow_dml": True}
    return int(web.post("/api/v1/database/", {**given, **more})["id"])


@pytest.fixture(scope="module")
def dataset(web: Web, database: int) -> int:
    """The table of sales as a dataset."""
    made = web.post(
        "/api/v1/dataset/", {"database": database, "schema": "public", "table_name": "sales"}
    )
    return int(made["id"])


def lab(web: Web, database: int, sql: str, **more: Any) -> Any:
    """A statement of SQL Lab's."""
    given = {"database_id": database, "sql": sql, "runAsync": False, "schema": "public",
             "client_id": os.urandom(5).hex(), "queryLimit": 1000, **more}  # fmt: skip
    return web.post("/api/v1/sqllab/execute/", given)


def chart(web: Web, dataset: int, **query: Any) -> Any:
    """The rows of a chart, and the SQL that it ran."""
    given = {
        "datasource": {"id": dataset, "type": "table"}, "force": True, "result_format": "json",
        "result_type": "full",
        "queries": [{"columns": [], "metrics": ["count"], "orderby": [], "filters": [],
                     "row_limit": 1000, **query}],
    }  # fmt: skip
    found = web.post("/api/v1/chart/data", given)["result"][0]
    assert found["error"] is None and found["status"] == "success", found
    return found


def axis(column: str, grain: str) -> dict[str, Any]:
    """A chart's axis of time."""
    return {"columnType": "BASE_AXIS", "sqlExpression": column, "label": column,
            "expressionType": "SQL", "timeGrain": grain}  # fmt: skip


def total(column: str, aggregate: str = "SUM") -> dict[str, Any]:
    """A metric of a chart."""
    return {"expressionType": "SIMPLE", "column": {"column_name": column}, "aggregate": aggregate,
            "label": f"{aggregate}({column})"}  # fmt: skip


def test_what_there_is(web: Web, database: int) -> None:
    found = web.get(f"/api/v1/database/{database}/schemas/")["result"]
    assert "public" in found
    query = quote("(schema_name:public,force:!t)")
    tables = web.get(f"/api/v1/database/{database}/tables/?q={query}")["result"]
    assert {"sales", "users", "orders"} <= {t["value"] for t in tables if t["type"] == "table"}
    assert "user_totals" in {t["value"] for t in tables if t["type"] == "view"}
    about = web.get(f"/api/v1/database/{database}/table_metadata/?name=orders&schema=public")
    assert [c["name"] for c in about["columns"]] == ["id", "user_id", "total", "note"]
    assert about["foreignKeys"][0]["referred_table"] == "users"
    assert {i["name"] for i in about["indexes"]} >= {"ix_orders_user", "ix_orders_note"}
    web.get(f"/api/v1/database/{database}/table_metadata/extra/?name=sales&schema=public")
    web.get(f"/api/v1/database/{database}/select_star/sales/public/")


def test_sql_lab(web: Web, database: int) -> None:
    said = lab(web, database, "SELECT region, count(*) AS n, sum(amount) AS total FROM sales "
               "WHERE region IS NOT NULL GROUP BY 1 ORDER BY 1")  # fmt: skip
    assert said["data"][-1] == {"region": "北", "n": 500, "total": NORTH}
    assert [c["type"] for c in said["columns"]] == ["STRING", "LONGINTEGER", "DECIMAL"]
    several = lab(web, database, "CREATE TABLE noted (a int, b text); "
                  "INSERT INTO noted VALUES (1, '字'); SELECT * FROM noted")  # fmt: skip
    assert several["data"] == [{"a": 1, "b": "字"}]
    made = lab(web, database, "SELECT region, amount FROM sales WHERE id < 4", select_as_cta=True,
               ctas_method="TABLE", tmp_table_name="kept")  # fmt: skip
    assert made["status"] == "success"
    assert lab(web, database, "SELECT count(*) AS n FROM kept")["data"] == [{"n": 3}]
    lab(web, database, "DROP TABLE noted; DROP TABLE kept")
    with pytest.raises(AssertionError, match="nosuch"):
        lab(web, database, "SELECT nosuch FROM sales")
    memories = lab(web, database, "SELECT memory_id, content FROM recall('a', 'anything')")
    assert memories["data"] == []


def test_the_dataset(web: Web, dataset: int) -> None:
    found = web.get(f"/api/v1/dataset/{dataset}")["result"]
    kinds = {c["column_name"]: (c["type"], c["is_dttm"]) for c in found["columns"]}
    assert kinds["sold_at"] == ("TIMESTAMP WITHOUT TIME ZONE", True)
    assert kinds["noted"] == ("TIMESTAMP WITH TIME ZONE", True)
    assert kinds["day"] == ("DATE", True)
    assert kinds["amount"] == ("NUMERIC(12, 2)", False)
    assert kinds["product"] == ("VARCHAR(40)", False)
    assert kinds["ok"] == ("BOOLEAN", False)
    assert kinds["qty"][0] in ("INTEGER", "BIGINT")
    values = web.get(f"/api/v1/datasource/table/{dataset}/column/region/values/")["result"]
    assert set(values) == {"北", "south", "east", None}


@pytest.mark.parametrize("grain, count", [
    ("PT1H", 168), ("P1D", 7), ("P1W", 1), ("P1M", 1), ("P3M", 1), ("P1Y", 1), 
    ("PT1M", 168),
])  # fmt: skip
def test_a_range_of_time(web: Web, dataset: int, grain: str, count: int) -> None:
    found = chart(
        web, dataset, columns=[axis("sold_at", grain)], metrics=[total("amount"), "count"],
        filters=[{"col": "sold_at", "op": "TEMPORAL_RANGE", "val": "2024-02-05 : 2024-02-12"}],
        orderby=[["count", False]],
    )  # fmt: skip
    assert found["rowcount"] == count
    assert sum(r["count"] for r in found["data"]) == 168
    assert found["coltypes"][0] == 2  # a time


@pytest.mark.parametrize("column", ["day", "noted"])
def test_ranges_of_other_columns(web: Web, dataset: int, column: str) -> None:
    found = chart(
        web, dataset, columns=[axis(column, "P1M")],
        filters=[{"col": column, "op": "TEMPORAL_RANGE", "val": "2024-03-01 : 2024-05-01"}],
    )  # fmt: skip
    assert found["rowcount"] == 2


def test_filters_and_metrics(web: Web, dataset: int) -> None:
    found = chart(
        web, dataset, columns=["region", "product"],
        metrics=["count", total("qty", "AVG"), total("product", "COUNT_DISTINCT"),
                 {"expressionType": "SQL", "label": "share",
                  "sqlExpression": "SUM(CASE WHEN ok THEN amount ELSE 0 END) / SUM(amount)"}],
        filters=[{"col": "region", "op": "IN", "val": ["北", "south"]},
                 {"col": "product", "op": "ILIKE", "val": "%P1%"},
                 {"col": "amount", "op": ">", "val": 10},
                 {"col": "ok", "op": "IS TRUE"}],
        extras={"having": "COUNT(*) > 1", "where": "qty BETWEEN 1 AND 12"},
        orderby=[["count", False]],
    )  # fmt: skip
    assert [(r["region"], r["product"]) for r in found["data"]] == [("北", "p1")]
    assert found["data"][0]["share"] == 1
    by_region = chart(
        web, dataset, columns=["region"], metrics=[total("amount")], series_columns=["region"],
        series_limit=3, series_limit_metric=total("amount"), orderby=[[total("amount"), False]],
        is_timeseries=False,
    )  # fmt: skip
    assert by_region["rowcount"] >= 2
    raw = chart(web, dataset, columns=["id", "region", "sold_at", "amount"], metrics=None,
                orderby=[["id", True]], row_limit=5, row_offset=10)  # fmt: skip
    assert [r["id"] for r in raw["data"]] == [11, 12, 13, 14, 15]


def test_a_series_by_time_with_its_largest_groups(web: Web, dataset: int) -> None:
    found = chart(
        web, dataset, columns=[axis("sold_at", "P1M"), "product"], metrics=[total("amount")],
        series_columns=["product"], series_limit=3, is_timeseries=True, granularity="sold_at",
        time_range="2024-01-01 : 2024-04-01", extras={"time_grain_sqla": "P1M"},
        orderby=[[total("amount"), False]],
    )  # fmt: skip
    assert len({r["product"] for r in found["data"]}) == 3


def test_a_virtual_dataset(web: Web, database: int) -> None:
    sql = ("SELECT date_trunc('month', sold_at) AS month, region, sum(amount) AS total "
           "FROM sales GROUP BY 1, 2")  # fmt: skip
    made = web.post("/api/v1/dataset/", {"database": database, "schema": "public",
                    "table_name": "by_month", "sql": sql})  # fmt: skip
    about = web.get(f"/api/v1/dataset/{made['id']}")["result"]
    kinds = {c["column_name"]: c["is_dttm"] for c in about["columns"]}
    assert kinds == {"month": True, "region": False, "total": False}
    found = chart(
        web, made["id"], columns=[axis("month", "P3M")], metrics=[total("total")],
        filters=[{"col": "month", "op": "TEMPORAL_RANGE", "val": "No filter"}],
    )  # fmt: skip
    assert found["rowcount"] == 1


def test_a_dashboard(web: Web, dataset: int) -> None:
    slice_ = web.post("/api/v1/chart/", {
        "slice_name": "Sales", "viz_type": "echarts_timeseries_line", "datasource_id": dataset,
        "datasource_type": "table", "params": json.dumps({
            "datasource": f"{dataset}__table", "viz_type": "echarts_timeseries_line",
            "x_axis": "sold_at", "time_grain_sqla": "P1D", "metrics": [total("amount")],
            "groupby": ["region"], "row_limit": 1000, "adhoc_filters": [],
        }),
        "query_context": json.dumps({
            "datasource": {"id": dataset, "type": "table"}, "force": False,
            "queries": [{"columns": [axis("sold_at", "P1D"), "region"],
                         "metrics": [total("amount")], "filters": [], "row_limit": 1000}],
            "result_format": "json", "result_type": "full",
        }),
    })["id"]  # fmt: skip
    made = web.post("/api/v1/dashboard/", {"dashboard_title": "Sales 销售", "published": True,
                    "slug": "sales"})["id"]  # fmt: skip
    web.ask("PUT", f"/api/v1/chart/{slice_}", {"dashboards": [made]})
    charts = web.get(f"/api/v1/dashboard/{made}/charts")["result"]
    assert [c["slice_name"] for c in charts] == ["Sales"]
    assert web.get(f"/api/v1/dashboard/{made}/datasets")["result"][0]["table_name"] == "sales"
    shown = web.get(f"/api/v1/chart/{slice_}/data/")["result"][0]
    assert shown["error"] is None and shown["rowcount"] > 80
