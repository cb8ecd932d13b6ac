"""The rows of the store's items, and of what their texts mean."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from langgraph.store.base import Item, SearchItem

from sqlagent.elements import Space, one_encoded, space_of
from sqlagent.errors import DataError
from sqlagent.langgraph.matching import bounds, passes

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.engines.sqlite import Handle

COLUMNS = "item_id, namespace, key, value, created_at, updated_at"
LIVE = "(:now IS NULL OR expires_at IS NULL OR expires_at > :now)"
WITHIN = "(:prefix = '' OR namespace = :prefix OR (namespace > :low AND namespace < :high))"
GET = f"""
SELECT {COLUMNS} FROM langgraph_items
WHERE namespace = :namespace AND key = :key AND {LIVE}
"""
NEWEST = f"""
SELECT {COLUMNS} FROM langgraph_items WHERE {WITHIN} AND {LIVE}
ORDER BY updated_at DESC, item_id DESC
"""
CHOSEN = f"""
SELECT {COLUMNS} FROM langgraph_items WHERE item_id IN (SELECT value FROM json_each(?))
"""
PUT = """
INSERT INTO langgraph_items (namespace, key, value, ttl_minutes, expires_at)
VALUES (?1, ?2, ?3, ?4, strftime('%Y-%m-%d %H:%M:%f', 'now', ?5))
ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value,
  updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now'), ttl_minutes = excluded.ttl_minutes,
  expires_at = excluded.expires_at
RETURNING item_id
"""
DELETE = "DELETE FROM langgraph_items WHERE namespace = ? AND key = ?"
SWEEP = """
DELETE FROM langgraph_items WHERE expires_at < strftime('%Y-%m-%d %H:%M:%f', 'now')
RETURNING 1
"""
REFRESH = """
UPDATE langgraph_items
SET expires_at = strftime('%Y-%m-%d %H:%M:%f', 'now', (ttl_minutes * 60.0) || ' seconds')
WHERE ttl_minutes IS NOT NULL AND item_id IN (SELECT value FROM json_each(?))
"""
# One step of the index for each namespace, however many items it has.
NAMESPACES = f"""
WITH RECURSIVE found (namespace) AS (
  SELECT min(namespace) FROM langgraph_items
  UNION ALL
  SELECT (SELECT min(i.namespace) FROM langgraph_items AS i WHERE i.namespace > found.namespace)
  FROM found WHERE found.namespace IS NOT NULL)
SELECT namespace FROM found WHERE namespace IS NOT NULL AND (:now IS NULL OR EXISTS (
  SELECT 1 FROM langgraph_items AS i WHERE i.namespace = found.namespace AND {LIVE}))
"""
FORGET = """
DELETE FROM vectors WHERE vector_id IN
  (SELECT vector_id FROM langgraph_item_vectors WHERE item_id = ?)
"""
VECTOR = "INSERT INTO vectors (collection, id, vector, metadata) VALUES (?, ?, ?, ?)"
LINK = "INSERT INTO langgraph_item_vectors (item_id, path, vector_id) VALUES (?, ?, ?)"
ALLOWED = f"""
SELECT v.vector_id FROM langgraph_item_vectors AS v
  JOIN langgraph_items AS i USING (item_id)
WHERE {WITHIN} AND {LIVE} ORDER BY v.vector_id
"""
OF_ITEMS = """
SELECT vector_id FROM langgraph_item_vectors
WHERE item_id IN (SELECT value FROM json_each(?)) ORDER BY vector_id
"""
OWNERS = """
SELECT vector_id, item_id FROM langgraph_item_vectors
WHERE vector_id IN (SELECT value FROM json_each(?))
"""


class New(NamedTuple):
    """An item to be written, and the vectors of its texts by path."""

    namespace: str
    key: str
    value: str
    ttl_minutes: float | None
    vectors: Mapping[str, Sequence[float]]


class Scope(NamedTuple):
    """Which items a search may find: below a prefix, and not expired at `now`."""

    prefix: str
    low: str
    high: str
    now: str | None

    @classmethod
    def of(cls, namespace: Sequence[str], now: str | None) -> Scope:
        return cls(*bounds(namespace), now)


def text_of(value: Any) -> str:
    """An item's value as JSON; DataError where it is none."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"an item's value is an object of JSON: {error}") from None


def put(handle: Handle, collection: str, item: New) -> None:
    """Write an item and its vectors, in the place of what it had."""
    if item.ttl_minutes is not None and not item.ttl_minutes > 0:
        raise DataError(f"ttl is a number of minutes above 0, not {item.ttl_minutes!r}")
    after = None if item.ttl_minutes is None else f"{item.ttl_minutes * 60.0:+.3f} seconds"
    row = handle.execute(PUT, (item.namespace, item.key, item.value, item.ttl_minutes, after))
    (item_id,) = row.fetchone()
    row.close()
    handle.execute(FORGET, (item_id,))
    handle.execute("DELETE FROM langgraph_item_vectors WHERE item_id = ?", (item_id,))
    for path, vector in item.vectors.items():
        data = array("f", vector).tobytes()
        if not any(vector):  # has no direction: the item is found without a score
            continue
        space = space_of(handle, collection) or Space(len(vector))
        about = json.dumps(
            {"namespace": item.namespace, "key": item.key, "path": path}, ensure_ascii=False
        )
        name = f"{item_id}:{path}"
        handle.execute(VECTOR, (collection, name, one_encoded(space, data), about))
        handle.execute(LINK, (item_id, path, handle.last_insert_rowid()))


def delete(handle: Handle, place: tuple[str, str]) -> None:
    """Delete the item of a (namespace, key), with its vectors; none there is no error."""
    handle.execute(DELETE, place)


def found(rows: Iterable[Any], wanted: Mapping[str, Any] | None) -> Iterator[Any]:
    """The rows whose value passes a filter, with the value parsed."""
    for row in rows:
        value = json.loads(row[3])
        if not wanted or passes(value, wanted):
            yield (*row[:3], value, *row[4:])


def item_of(row: Any) -> Item:
    """A row as an item."""
    _, namespace, key, value, created, updated = row
    return Item(
        namespace=tuple(namespace.split(".")), key=key, value=value, created_at=_time(created),
        updated_at=_time(updated),
    )  # fmt: skip


def search_item(row: Any, score: float | None = None) -> SearchItem:
    """A row as a search finds it."""
    _, namespace, key, value, created, updated = row
    return SearchItem(
        namespace=tuple(namespace.split(".")), key=key, value=value, created_at=_time(created),
        updated_at=_time(updated), score=score,
    )  # fmt: skip


def nearest(
    context: Context,
    collection: str,
    vector: Sequence[float],
    scope: Scope,
    wanted: Mapping[str, Any] | None,
    count: int,
) -> list[tuple[Any, float | None]]:
    """The `count` items that a vector is nearest to, by the best of their texts, with similarities;
    behind them, items that have no vector."""
    import numpy as np

    from sqlagent.search.kinds import key_of
    from sqlagent.search.near import fetcher, similarity
    from sqlagent.search.near import found as nearest_found

    handle = context.handle
    assert handle is not None  # a search has a snapshot
    known = scope._asdict()
    rows = [*found(handle.execute(NEWEST, known), wanted)] if wanted else None
    if rows is not None:
        ids = handle.execute(OF_ITEMS, (json.dumps([row[0] for row in rows]),))
    else:
        ids = handle.execute(ALLOWED, known)
    allowed = np.array([i for (i,) in ids], np.int64)
    space = space_of(handle, collection)
    best: dict[int, float] = {}
    if space is not None and len(allowed) and any(vector):
        from sqlagent.elements import asked

        data = asked(space, array("f", vector).tobytes())
        key, fetch = key_of(collection, space), fetcher(context, space)
        k = count
        while True:  # an item may have several texts: until there are enough of them
            near, far = nearest_found(context, key, data, space.measure, allowed, fetch, k, None)
            owners = dict(handle.execute(OWNERS, (json.dumps(near),)))
            for vector_id, distance in zip(near, far, strict=True):
                best.setdefault(owners[vector_id], similarity(distance, space.metric))
            if len(best) >= count or len(near) < k:
                break
            k *= 4
            best.clear()
    if rows is None:
        chosen = handle.execute(CHOSEN, (json.dumps(list(best)[:count]),))
        by_id = {row[0]: row for row in found(chosen, None)}
    else:
        by_id = {row[0]: row for row in rows}
    result: list[tuple[Any, float | None]] = [
        (by_id[i], score) for i, score in [*best.items()][:count]
    ]
    if len(result) < count:
        rest = rows if rows is not None else found(handle.execute(NEWEST, known), None)
        for row in rest:
            if len(result) == count:
                break
            if row[0] not in best:
                result.append((row, None))
    return result


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
