"""LangGraph's store on a file: items, namespaces, filters, meaning, expiry."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sqlagent

pytest.importorskip("langgraph.store.base", reason="langgraph-checkpoint is not installed")

from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from sqlagent.langgraph import SqlAgentStore
from sqlagent.langgraph.matching import passes

NS = ("users", "ada")


@pytest.fixture
def store(fresh_db: Path) -> Iterator[SqlAgentStore]:
    with SqlAgentStore(fresh_db, embedding_model="none") as opened:
        yield opened


@pytest.fixture
def meanings(fresh_db: Path) -> Iterator[SqlAgentStore]:
    with SqlAgentStore(fresh_db, index=True) as opened:
        yield opened


def letters(texts: list[str]) -> list[list[float]]:
    """How often each of four letters occurs: a meaning that a test can reckon."""
    return [[float(text.count(c)) for c in "abcd"] for text in texts]


def test_an_item_is_put_changed_and_deleted(store: SqlAgentStore) -> None:
    store.put(NS, "k", {"text": "我喜欢绿茶", "n": [1, {"x": None}]})
    first = store.get(NS, "k")
    assert first is not None and first.value == {"text": "我喜欢绿茶", "n": [1, {"x": None}]}
    assert (first.namespace, first.key) == (NS, "k") and first.created_at.tzinfo is not None
    store.put(NS, "k", {"text": "anders"})
    second = store.get(NS, "k")
    assert second is not None and second.value == {"text": "anders"}
    assert second.created_at == first.created_at and second.updated_at >= first.updated_at
    con = store.connection
    for route in ("sqlite", "duckdb"):
        con.execute(f"SET route = '{route}'")
        rows = con.execute("SELECT namespace, key, value->>'text' FROM langgraph_items").fetchall()
        assert rows == [("users.ada", "k", "anders")]
    store.delete(NS, "k")
    assert store.get(NS, "k") is None and store.search(()) == []
    store.delete(NS, "k")


def test_a_batch_reads_what_was_there_and_writes_all_or_nothing(store: SqlAgentStore) -> None:
    store.put(NS, "a", {"n": 1})
    results = store.batch([
        GetOp(NS, "a"), PutOp(NS, "a", {"n": 2}), PutOp(NS, "b", {"n": 3}), GetOp(NS, "b"),
        PutOp(NS, "a", {"n": 4}), SearchOp(("users",)), ListNamespacesOp(),
    ])  # fmt: skip
    assert results[0].value == {"n": 1} and results[3] is None  # type: ignore[union-attr]
    assert [i.value for i in results[5]] == [{"n": 1}]  # type: ignore[union-attr]
    assert results[6] == [NS] and results[1] is None
    assert store.get(NS, "a").value == {"n": 4}  # type: ignore[union-attr]
    with pytest.raises(sqlagent.DataError, match="object of JSON"):
        store.batch([PutOp(NS, "a", {"n": 5}), PutOp(NS, "c", {"n": {1, 2}})])
    with pytest.raises(sqlagent.DataError, match="above 0, not -1"):
        store.batch([PutOp(NS, "a", {"n": 6}), PutOp(NS, "c", {"n": 1}, ttl=-1)])
    assert store.get(NS, "a").value == {"n": 4}  # type: ignore[union-attr]


def test_labels_that_would_name_another_namespace_are_refused(store: SqlAgentStore) -> None:
    for bad in (("a.b",), ("",), (1,)):
        with pytest.raises(InvalidNamespaceError):
            store.batch([PutOp(bad, "k", {})])  # type: ignore[arg-type]
    with pytest.raises(sqlagent.InterfaceError, match="at least one label"):
        store.batch([PutOp((), "k", {})])
    with pytest.raises(sqlagent.InterfaceError, match="of LangGraph's store"):
        store.batch(["get"])  # type: ignore[list-item]
    with pytest.raises(sqlagent.InterfaceError, match="from 0, not -1"):
        store.search((), limit=-1)
    with pytest.raises(sqlagent.DataError, match=r"one of \$eq.*not '\$in'"):
        store.put(NS, "k", {"a": 1})
        store.search((), filter={"a": {"$in": [1]}})


def test_a_prefix_is_of_labels_not_of_letters(store: SqlAgentStore) -> None:
    for namespace in (("a",), ("a", "b"), ("a", "b", "c"), ("ab",), ("a-b",), ("甲", "乙")):
        store.put(namespace, "k", {"at": list(namespace)})
    found = {tuple(i.value["at"]) for i in store.search(("a",))}
    assert found == {("a",), ("a", "b"), ("a", "b", "c")}
    assert [i.namespace for i in store.search(("甲",))] == [("甲", "乙")]
    assert store.list_namespaces(prefix=("a",), max_depth=2) == [("a",), ("a", "b")]
    assert store.list_namespaces(suffix=("*", "c")) == [("a", "b", "c")]
    assert store.list_namespaces(limit=2, offset=1) == [("a", "b"), ("a", "b", "c")]


@pytest.mark.slow
@given(
    names=st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=3), max_size=8),
    path=st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=2),
    ends=st.sampled_from(["prefix", "suffix"]),
    depth=st.none() | st.integers(1, 3),
)
def test_namespaces_are_those_of_the_store_in_memory(
    names: list[list[str]], path: list[str], ends: Any, depth: int | None
) -> None:
    ours, theirs = SqlAgentStore(":memory:", embedding_model="none"), InMemoryStore()
    with ours:
        puts = [PutOp(tuple(name), "k", {}) for name in names]
        ask = ListNamespacesOp((MatchCondition(ends, tuple(path)),), depth)
        for one in (ours, theirs):
            one.batch(puts)
        assert ours.batch([ask]) == theirs.batch([ask])


leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["x", "y"])
trees = st.recursive(
    leaves,
    lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from("ab"), v),
    max_leaves=4,
)


@given(
    value=st.dictionaries(st.sampled_from("ab"), trees), wanted=trees, name=st.sampled_from("ab")
)
def test_filters_pass_what_the_store_in_memory_passes(value: Any, wanted: Any, name: str) -> None:
    from langgraph.store.memory import _compare_values

    assert passes(value, {name: wanted}) == _compare_values(value.get(name), wanted)
    for operator in ("$eq", "$ne"):
        asked = {operator: wanted}
        assert passes(value, {name: asked}) == _compare_values(value.get(name), asked)


def test_operators_order_numbers_and_texts_and_nothing_else(store: SqlAgentStore) -> None:
    for key, n in (("one", 1), ("ten", 10), ("text", "b"), ("none", None)):
        store.put(NS, key, {"n": n})

    def keys(**wanted: Any) -> set[str]:
        return {i.key for i in store.search(NS, filter={"n": wanted})}

    assert keys(**{"$gt": 1}) == {"ten"} and keys(**{"$gte": 1}) == {"one", "ten"}
    assert keys(**{"$lt": "c"}) == {"text"} and keys(**{"$lte": 5, "$ne": 3}) == {"one"}
    assert [i.key for i in store.search(NS, filter={"n": 1}, limit=1)] == ["one"]
    newest_first = [i.key for i in store.search(NS, limit=2, offset=1)]
    assert newest_first == ["text", "ten"]


def test_what_means_the_same_is_found_first(meanings: SqlAgentStore) -> None:
    meanings.put(NS, "tea", {"text": "I drink green tea in the morning"})
    meanings.put(NS, "cat", {"text": "The cat sleeps on the sofa"})
    meanings.put(NS, "off", {"text": "Hot drinks"}, index=False)
    meanings.put(("users", "bob"), "bob", {"text": "Bob has hot drinks"}, index=["text"])
    found = meanings.search(NS, query="hot drinks")
    assert [i.key for i in found] == ["tea", "cat", "off"]
    assert found[0].score > found[1].score and found[2].score is None  # type: ignore[operator]
    assert [i.key for i in meanings.search(("users",), query="hot drinks", limit=1)] == ["bob"]
    assert [i.key for i in meanings.search(NS, query="hot drinks", offset=1, limit=1)] == ["cat"]
    only = meanings.search((), query="hot drinks", filter={"text": {"$ne": "Hot drinks"}}, limit=2)
    assert [i.key for i in only] == ["bob", "tea"]
    con = meanings.connection
    near = con.execute("SELECT metadata->>'key' FROM knn('langgraph', embed('hot drinks'), k => 1)")
    assert near.fetchall() == [("bob",)]
    meanings.put(NS, "tea", {"text": "The dog barks"})
    assert meanings.search(NS, query="a barking dog")[0].key == "tea"
    assert con.execute("SELECT count(*) FROM vectors").fetchall() == [(3,)]
    meanings.delete(NS, "tea")
    con.execute("DELETE FROM langgraph_items WHERE key = 'cat'")
    assert con.execute("SELECT metadata->>'key' FROM vectors").fetchall() == [("bob",)]


def test_an_item_counts_by_the_best_of_its_fields(fresh_db: Path) -> None:
    index: Any = {"dims": 4, "embed": letters, "fields": ["title", "parts[*].text"]}
    with SqlAgentStore(fresh_db, index=index, embedding_model="none") as store:
        for n in range(30):
            parts = [{"text": "ab" * (i + 1)} for i in range(5)]
            store.put(("docs",), f"many{n}", {"title": "", "parts": parts})
        store.put(("docs",), "best", {"title": "b", "parts": [{"text": "dddd"}, {"text": "cd"}]})
        found = store.search(("docs",), query="ddddd", limit=3)
        assert found[0].key == "best" and found[0].score == pytest.approx(1.0)
        assert len({i.key for i in found}) == 3
        assert len(store.search(("docs",), query="ab", limit=100)) == 31
        reference = InMemoryStore(index=index)
        for item in store.search(("docs",), limit=100):
            reference.put(item.namespace, item.key, item.value)
        for query in ("a", "cd", "abcd", "dd"):
            ours = store.search(("docs",), query=query, limit=31)
            theirs = {i.key: i.score for i in reference.search(("docs",), query=query, limit=31)}
            assert {i.key: i.score for i in ours} == pytest.approx(theirs, abs=1e-6)
        unsearchable = store.search(("docs",), query="zzz", limit=2)  # a meaning of zeros
        assert [i.score for i in unsearchable] == [None, None]


def test_items_expire_and_are_swept(fresh_db: Path) -> None:
    ttl: Any = {"default_ttl": 10, "omit_expired": True, "refresh_on_read": False}
    with SqlAgentStore(fresh_db, ttl=ttl, index=True) as store:
        store.put(NS, "short", {"text": "a"})
        store.put(NS, "always", {"text": "b"}, ttl=None)
        con = store.connection
        minutes = con.execute(
            "SELECT key, ttl_minutes, round((epoch(expires_at) - epoch(updated_at)) / 60) "
            "FROM langgraph_items ORDER BY key"
        )
        assert minutes.fetchall() == [("always", None, None), ("short", 10.0, 10.0)]
        con.execute("UPDATE langgraph_items SET expires_at = '2001-01-01' WHERE ttl_minutes > 0")
        assert store.get(NS, "short") is None
        assert [i.key for i in store.search(NS)] == ["always"]
        assert [i.key for i in store.search(NS, query="a")] == ["always"]
        with SqlAgentStore(con) as lenient:  # LangGraph's default: until they are swept
            found = lenient.get(NS, "short")  # and reading keeps it alive
            assert found is not None
        assert store.get(NS, "short") is not None
        con.execute("UPDATE langgraph_items SET expires_at = '2001-01-01' WHERE ttl_minutes > 0")
        assert store.sweep_ttl() == 1 and store.sweep_ttl() == 0
        assert con.execute("SELECT count(*) FROM vectors").fetchall() == [(1,)]
        store.put(NS, "again", {"text": "c"})
        con.execute("UPDATE langgraph_items SET expires_at = '2001-01-01' WHERE ttl_minutes > 0")
        swept = threading.Event()
        store.sweep_ttl = lambda sweep=store.sweep_ttl: (sweep(), swept.set())[0]  # type: ignore[method-assign,misc]
        store.start_ttl_sweeper(0.0001)
        store.start_ttl_sweeper(0.0001)
        assert swept.wait(10) and store.stop_ttl_sweeper(10)
        assert con.execute("SELECT key FROM langgraph_items").fetchall() == [("always",)]


def test_from_an_event_loop(fresh_db: Path) -> None:
    async def embed(texts: list[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        return letters(texts)

    async def run(index: Any) -> list[Any]:
        async with SqlAgentStore(fresh_db, index=index) as store:
            await asyncio.gather(
                *(store.aput(NS, f"k{i}", {"t": "abcd"[i % 4]}) for i in range(40))
            )
            found = await store.asearch(NS, query="c", limit=3)
            assert (await store.aget(NS, "k1")).value == {"t": "b"}  # type: ignore[union-attr]
            assert await store.alist_namespaces() == [NS]
            return [i.value["t"] for i in found]

    index = {"dims": 4, "embed": embed, "fields": ["t"]}
    assert asyncio.run(run(index)) == ["c", "c", "c"]
    fresh_db.unlink()
    assert asyncio.run(run(True))[0] == "c"


def test_a_store_and_a_saver_share_a_connection_and_a_transaction(fresh_db: Path) -> None:
    with sqlagent.connect(fresh_db, embedding_model="none") as con:
        store = SqlAgentStore(con)
        con.execute("BEGIN")
        store.put(NS, "k", {"n": 1})
        con.execute("SELECT remember('ada', 'the same transaction')").fetchall()
        assert store.get(NS, "k") is not None
        con.execute("ROLLBACK")
        assert store.get(NS, "k") is None
        with SqlAgentStore.from_conn_string(str(fresh_db)) as other:
            other.setup()
            other.put(NS, "k", {"n": 2})
        assert store.get(NS, "k").value == {"n": 2}  # type: ignore[union-attr]
