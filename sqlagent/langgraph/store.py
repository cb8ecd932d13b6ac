"""The long-term memory of graphs: `SqlAgentStore`, LangGraph's BaseStore on an agent's file."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchOp,
    TTLConfig,
    ensure_embeddings,
    get_text_at_path,
    tokenize_path,
)
from langgraph.store.base import validate_op_namespace as check_namespace

from sqlagent import clock
from sqlagent.connection import Connection
from sqlagent.context import Context
from sqlagent.errors import InterfaceError
from sqlagent.langgraph import items
from sqlagent.langgraph.embeddings import ModelEmbeddings
from sqlagent.langgraph.matching import matches
from sqlagent.opened import Opened

SWEEP_MINUTES = 5.0
Vectors = Mapping[str, Sequence[float]]  # by text


class SqlAgentStore(BaseStore):
    """Keeps items in an agent's file, in the table `langgraph_items`.

    `source` is a path or an open connection. `index` is LangGraph's: which fields are embedded, and
    by what; `True`, or one without `embed`, embeds with the file's own model. What the texts mean
    is in the table `vectors`, in `collection`. `ttl` is LangGraph's TTLConfig.
    """

    supports_ttl = True

    def __init__(
        self,
        source: Connection | str | os.PathLike[str],
        *,
        index: IndexConfig | bool | None = None,
        ttl: TTLConfig | None = None,
        collection: str = "langgraph",
        **settings: Any,
    ) -> None:
        self.opened = Opened(source, **settings)
        self.ttl_config = ttl
        self.collection = collection
        self.index_config: IndexConfig | None = None
        self.embeddings: Embeddings | None = None
        if index:
            self.index_config = {} if index is True else index
            embed = self.index_config.get("embed")
            self.embeddings = (
                ensure_embeddings(embed)
                if embed is not None
                else ModelEmbeddings(self.opened.connection.settings)
            )
            self.fields = self.index_config.get("fields") or ["$"]
        self._stop = threading.Event()
        self._sweeper: threading.Thread | None = None

    @property
    def connection(self) -> Connection:
        """The connection below, to query what is kept."""
        return self.opened.connection

    @classmethod
    @contextmanager
    def from_conn_string(cls, conn_string: str, **options: Any) -> Iterator[SqlAgentStore]:
        """A store on a path (or ':memory:'), closed at the end."""
        store = cls(conn_string, **options)
        try:
            yield store
        finally:
            store.close()

    def setup(self) -> None:
        """Does nothing: connecting has made the tables."""

    def close(self) -> None:
        """Stop the sweeper, and close the connection where it was opened here."""
        self.stop_ttl_sweeper()
        self.opened.close()

    def __enter__(self) -> SqlAgentStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> SqlAgentStore:
        return self

    async def __aexit__(self, *_: object) -> None:
        import asyncio

        await asyncio.to_thread(self.close)

    # Operations -----------------------------------------------------------------------------------

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations: what reads sees what was there before, then all puts commit at once."""
        asked = checked(ops)
        texts = self._texts(asked)
        vectors: Vectors = {}
        if texts and self.embeddings is not None:
            vectors = dict(zip(texts, self.embeddings.embed_documents(texts), strict=True))
        queries = self._queries(asked)
        if queries and self.embeddings is not None:
            queried = {q: self.embeddings.embed_query(q) for q in queries}
            return self._run(asked, vectors, queried)
        return self._run(asked, vectors, {})

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """As batch, without blocking the event loop."""
        import asyncio

        asked = checked(ops)
        texts, queries = self._texts(asked), self._queries(asked)
        vectors: Vectors = {}
        queried: Vectors = {}
        if self.embeddings is not None:
            own = isinstance(self.embeddings, ModelEmbeddings)  # computes, rather than waits
            if texts:
                embed = self.embeddings
                made = (
                    await self.opened.away(lambda: embed.embed_documents(texts))
                    if own
                    else await embed.aembed_documents(texts)
                )
                vectors = dict(zip(texts, made, strict=True))
            if queries:
                embed = self.embeddings
                answers = await asyncio.gather(
                    *(
                        self.opened.away(lambda q=q: embed.embed_query(q))  # type: ignore[misc]  # bound at once
                        if own
                        else embed.aembed_query(q)
                        for q in queries
                    )
                )
                queried = dict(zip(queries, answers, strict=True))
        return await self.opened.away(lambda: self._run(asked, vectors, queried))

    def _run(self, ops: Sequence[Op], vectors: Vectors, queries: Vectors) -> list[Result]:
        results: list[Result] = [None] * len(ops)
        puts: dict[tuple[str, str], PutOp] = {}
        refreshed: list[int] = []
        now = clock.now() if (self.ttl_config or {}).get("omit_expired") else None
        reads = [(i, op) for i, op in enumerate(ops) if not isinstance(op, PutOp)]
        if reads:
            with self.opened.read() as handle:
                for place, op in reads:
                    results[place] = self._read(handle, op, queries, now, refreshed)
        for put in ops:
            if isinstance(put, PutOp):
                puts[".".join(put.namespace), put.key] = put  # the last one counts
        work = self._writes(puts, vectors)
        if refreshed:
            chosen = json.dumps(refreshed)
            work.append(lambda handle: handle.execute(items.REFRESH, (chosen,)))
        if work:
            self.opened.write(lambda handle: [step(handle) for step in work] and None)
        return results

    def _read(
        self, handle: Any, op: Any, queries: Vectors, now: str | None, refreshed: list[int]
    ) -> Result:
        if isinstance(op, ListNamespacesOp):
            return self._namespaces(handle, op, now)
        if isinstance(op, GetOp):
            known = {"namespace": ".".join(op.namespace), "key": op.key, "now": now}
            rows = [*items.found(handle.execute(items.GET, known), None)]
            pairs: list[tuple[Any, float | None]] = [(row, None) for row in rows]
        else:
            pairs = self._search(handle, op, queries.get(op.query or ""), now)
        if op.refresh_ttl:
            refreshed += self._timed(handle, [row[0] for row, _ in pairs])
        if isinstance(op, GetOp):
            return items.item_of(pairs[0][0]) if pairs else None
        return [items.search_item(row, score) for row, score in pairs]

    def _search(
        self, handle: Any, op: SearchOp, vector: Sequence[float] | None, now: str | None
    ) -> list[tuple[Any, float | None]]:
        if op.limit < 0 or op.offset < 0:
            raise InterfaceError(
                f"limit and offset are whole numbers from 0, not {op.limit} and {op.offset}"
            )
        scope, end = items.Scope.of(op.namespace_prefix, now), op.offset + op.limit
        if vector is not None:
            context = Context(self.connection.database, self.connection.settings, handle)
            found = items.nearest(context, self.collection, vector, scope, op.filter, end)
            return found[op.offset :]
        rows = items.found(handle.execute(items.NEWEST, scope._asdict()), op.filter)
        return [(row, None) for row in islice(rows, op.offset, end)]

    @staticmethod
    def _timed(handle: Any, ids: list[int]) -> list[int]:
        """Those of some items that expire."""
        sql = "SELECT item_id FROM langgraph_items WHERE ttl_minutes IS NOT NULL AND item_id = ?"
        return [i for i in ids if handle.execute(sql, (i,)).fetchone() is not None]

    @staticmethod
    def _namespaces(handle: Any, op: ListNamespacesOp, now: str | None) -> list[tuple[str, ...]]:
        found = set()
        for (text,) in handle.execute(items.NAMESPACES, {"now": now}):
            namespace = tuple(text.split("."))
            if all(matches(condition, namespace) for condition in op.match_conditions or ()):
                found.add(namespace if op.max_depth is None else namespace[: op.max_depth])
        return sorted(found)[op.offset : op.offset + op.limit]

    # Writing --------------------------------------------------------------------------------------

    def _writes(
        self, puts: Mapping[tuple[str, str], PutOp], vectors: Vectors
    ) -> list[Callable[[Any], Any]]:
        work: list[Callable[[Any], Any]] = []
        for (namespace, key), op in puts.items():
            if op.value is None:
                work.append(partial(items.delete, place=(namespace, key)))
                continue
            found = {path: vectors[text] for path, text in self._paths(op) if text in vectors}
            new = items.New(namespace, key, items.text_of(dict(op.value)), op.ttl, found)
            work.append(partial(items.put, collection=self.collection, item=new))
        return work

    def _paths(self, op: PutOp) -> list[tuple[str, str]]:
        """(path, text) of what is embedded of an item."""
        if self.embeddings is None or op.value is None or op.index is False:
            return []
        found = []
        for path in self.fields if op.index is None else op.index:
            texts = get_text_at_path(op.value, path if path == "$" else tokenize_path(path))
            several = len(texts) > 1
            found += [(f"{path}.{i}" if several else path, t) for i, t in enumerate(texts) if t]
        return found

    def _texts(self, ops: Sequence[Op]) -> list[str]:
        """What is to be embedded, each text once."""
        puts = {(op.namespace, op.key): op for op in ops if isinstance(op, PutOp)}
        return list(dict.fromkeys(text for op in puts.values() for _, text in self._paths(op)))

    def _queries(self, ops: Sequence[Op]) -> list[str]:
        if self.embeddings is None:
            return []
        return list({op.query: None for op in ops if isinstance(op, SearchOp) and op.query})

    # Expiry ---------------------------------------------------------------------------------------

    def sweep_ttl(self) -> int:
        """Delete what has expired; returns how many items that were."""
        return self.opened.write(lambda handle: len(handle.execute(items.SWEEP).fetchall()))

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> None:
        """Sweep now and then, in a thread, until stop_ttl_sweeper() or close()."""
        if self._sweeper is not None and self._sweeper.is_alive():
            return
        minutes = (
            sweep_interval_minutes
            or (self.ttl_config or {}).get("sweep_interval_minutes")
            or SWEEP_MINUTES
        )
        self._stop.clear()

        def run() -> None:
            while not self._stop.wait(minutes * 60):
                self.sweep_ttl()

        self._sweeper = threading.Thread(target=run, name="sqlagent-ttl", daemon=True)
        self._sweeper.start()

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """End the sweeper; whether it has ended within `timeout` seconds."""
        self._stop.set()
        if self._sweeper is None:
            return True
        self._sweeper.join(timeout)
        ended = not self._sweeper.is_alive()
        if ended:
            self._sweeper = None
        return ended


def checked(ops: Iterable[Op]) -> list[Op]:
    """The operations, each of a kind that there is, and with labels that can be."""
    asked = list(ops)
    for op in asked:
        if not isinstance(op, GetOp | SearchOp | PutOp | ListNamespacesOp):
            raise InterfaceError(f"an operation is one of LangGraph's store, not {op!r}")
        check_namespace(op)
        if isinstance(op, PutOp) and not op.namespace:
            raise InterfaceError("an item's namespace has at least one label")
    return asked
