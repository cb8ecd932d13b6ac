"""What Prometheus reads: requests and their times, statements, connections, sizes of the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

import sqlagent
from sqlagent.sync.log import newest

if TYPE_CHECKING:
    from sqlagent.serve.http.app import App
    from sqlagent.serve.server import Server
    from sqlagent.serve.users import Principal

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self, server: Server) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "sqlagent_http_requests", "Requests answered", ["route", "method", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "sqlagent_http_request_seconds", "Until the first rows were there", ["route"],
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self._statements = Counter(
            "sqlagent_http_statements", "Statements run over HTTP", registry=self._registry
        )
        ProcessCollector(registry=self._registry)
        self._registry.register(State(server))

    def asked(self, request: Request, status: int, seconds: float) -> None:
        """A request was answered. Its route's own path, never the path as it came, is a label:
        a scanner would make one for each guess."""
        route = request.scope.get("route")
        path = getattr(route, "path", "none")
        self._requests.labels(path, request.method, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def ran(self) -> None:
        """A statement was run."""
        self._statements.inc()

    async def response(self, app: App, request: Request, principal: Principal) -> Response:
        """The page that Prometheus reads."""
        import anyio.to_thread

        text = await anyio.to_thread.run_sync(generate_latest, self._registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)


class State:
    """What is read off the file when it is asked for."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def describe(self) -> list[Metric]:
        """Nothing ahead: a registry that asks at the start would open the file's parts."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The gauges, as of now."""
        path = self._server.path
        info = GaugeMetricFamily("sqlagent_info", "Version", labels=["version", "database"])
        info.add_metric([sqlagent.__version__, self._server.name], 1)
        yield info
        sizes = GaugeMetricFamily("sqlagent_file_bytes", "Size on disk", labels=["part"])
        for part, name in (("main", path), ("wal", f"{path}-wal")):
            try:
                sizes.add_metric([part], os.path.getsize(name))
            except OSError:
                pass
        yield sizes
        yield GaugeMetricFamily(
            "sqlagent_connections", "Clients that are connected now, of every protocol",
            value=self._server.admission.count,
        )  # fmt: skip
        yield GaugeMetricFamily(
            "sqlagent_change_seq", "The newest entry of the change log",
            value=newest(self._server.owner.database),
        )  # fmt: skip
