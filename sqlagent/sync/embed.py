"""Vectors of what was written without: made when a question needs them, by sync(), or behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlagent.errors import BusyError, Error, OperationalError
from sqlagent.models import model_of

if TYPE_CHECKING:
    from sqlagent.context import Context
    from sqlagent.embedding import Model
    from sqlagent.engines.sqlite import Database, Handle
    from sqlagent.index import ScopeIndex
    from sqlagent.search.kinds import Key
    from sqlagent.search.scopes import Scopes

BATCH = 128  # texts of about one length are worked on together: the more, the less is padded
WAIT_S = 0.05  # a reader does not wait for another's transaction: the vectors are kept next time

PENDING = {
    "memories": """
SELECT m.memory_id, m.content, m.created_at, m.speaker FROM memories m
WHERE m.memory_id > ?2 AND m.archived_at IS NULL AND NOT EXISTS (
  SELECT 1 FROM memory_vectors v INDEXED BY memory_vectors_model
  WHERE v.model IN (?1, 'user') AND v.memory_id = m.memory_id)
ORDER BY m.memory_id LIMIT ?3""",
    "chunks": """
SELECT c.chunk_id, c.content, d.title, c.heading FROM chunks c
JOIN documents d ON d.document_id = c.document_id
WHERE c.chunk_id > ?2 AND NOT EXISTS (
  SELECT 1 FROM chunk_vectors v INDEXED BY chunk_vectors_model
  WHERE v.model IN (?1, 'user') AND v.chunk_id = c.chunk_id)
ORDER BY c.chunk_id LIMIT ?3""",
}
# Only where the text is still the one that was embedded.
KEEP = {
    "memories": """
INSERT OR REPLACE INTO memory_vectors (memory_id, model, vector)
SELECT memory_id, ?2, ?3 FROM memories m WHERE memory_id = ?1 AND content = ?4 AND NOT EXISTS (
  SELECT 1 FROM memory_vectors v WHERE v.memory_id = m.memory_id AND v.model = 'user')""",
    "chunks": """
INSERT OR REPLACE INTO chunk_vectors (chunk_id, model, vector)
SELECT chunk_id, ?2, ?3 FROM chunks c WHERE chunk_id = ?1 AND content = ?4 AND NOT EXISTS (
  SELECT 1 FROM chunk_vectors v WHERE v.chunk_id = c.chunk_id AND v.model = 'user')""",
}
CONTENT = {
    "memories": "SELECT content FROM memories WHERE memory_id = ?",
    "chunks": "SELECT content FROM chunks WHERE chunk_id = ?",
}


def keep(handle: Handle, table: str, model: str, made: Sequence[tuple[int, str, bytes]]) -> None:
    """Store vectors of (id, content, vector) whose content is unchanged."""
    handle.executemany(
        KEEP[table], [(row_id, model, vector, content) for row_id, content, vector in made]
    )


def encoded(model: Model, texts: Sequence[str]) -> list[bytes]:
    """The vector of each text; what stands there several times is read once.

    Raises OperationalError where the model fails, or gives what is no number.
    """
    import numpy as np

    once = list(dict.fromkeys(texts))
    made = model.encode(once)
    if not np.isfinite(made).all():
        bad = int((~np.isfinite(made).all(axis=1)).sum())
        raise OperationalError(
            f'the embedding model "{model.name}" gave NaN or infinity for {bad} of '
            f"{len(once)} texts",
            hint="SET embedding_model = 'minilm'",
        )
    vectors = dict(zip(once, made, strict=True))
    return [vectors[text].tobytes() for text in texts]


def embed_rows(
    context: Context,
    found: Scopes,
    key: Key,
    index: ScopeIndex,
    model: Model,
    ids: list[int],
) -> ScopeIndex:
    """The index with vectors of these rows, which are stored too where the writer is free."""
    from sqlagent.search import kinds

    own = context.handle
    private = own is not None and own is context.database._writer
    with context.reading() as handle:
        rows = list(kinds.rows(handle, key, context.now(), ids))
        rows = [r for r in rows if r.vector is None]
        contents = [handle.execute(CONTENT[key.table], (r.id,)).fetchone() for r in rows]
    rows = [r for r, c in zip(rows, contents, strict=True) if c is not None]
    if not rows:
        return index
    vectors = encoded(model, [r.text for r in rows])
    better = index.apply([r._replace(vector=v) for r, v in zip(rows, vectors, strict=True)], ())
    if private:
        return better
    found.replace(key, better, index)
    if not context.database.read_only and not context.database.memory:
        made = [
            (r.id, c[0], v)
            for r, c, v in zip(rows, [c for c in contents if c is not None], vectors, strict=True)
        ]
        try:
            context.database.write(lambda h: keep(h, key.table, model.name, made), WAIT_S)
        except BusyError:
            pass  # they serve this process now, and are made again where they are missing
    return better


def embed_pending(
    database: Database,
    settings: Mapping[str, Any],
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Make and store every vector that is missing; how many. Each batch is its own transaction."""
    from sqlagent.search.kinds import chunk_text, memory_meaning

    model = model_of(settings)
    if model is None or database.read_only:
        return 0
    done = 0
    for table, text_of in (("memories", memory_meaning), ("chunks", chunk_text)):
        last = 0
        while not stop():
            with database.read() as handle:
                rows = handle.execute(PENDING[table], (model.name, last, BATCH)).fetchall()
            if not rows:
                break
            vectors = encoded(model, [text_of(*r[1:]) for r in rows])
            made = [(r[0], r[1], v) for r, v in zip(rows, vectors, strict=True)]
            name = model.name
            database.write(partial(keep, table=table, model=name, made=made))
            last = rows[-1][0]
            done += len(rows)
            if progress is not None:
                progress(done)
    return done


class Embedder:
    """The thread that makes missing vectors behind the questions; ends when all are made."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self, settings: Mapping[str, Any]) -> None:
        with self.lock:
            if self.stopped.is_set() or (self.thread is not None and self.thread.is_alive()):
                return
            settings = dict(settings)
            self.thread = threading.Thread(
                target=self._run, args=(settings,), name="sqlagent-embed", daemon=True
            )
            self.thread.start()

    def _run(self, settings: Mapping[str, Any]) -> None:
        try:
            embed_pending(self.database, settings, self.stopped.is_set)
        except Error:
            return  # the next question, or sync(), meets the same error and raises it

    def close(self) -> None:
        self.stopped.set()
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join(10)


def background(database: Database, settings: Mapping[str, Any]) -> None:
    """Start making the missing vectors, unless that is under way. Not for a database in memory."""
    if database.memory:
        return
    with database.lock:
        found: Any = database.services.get("embedder")
        if found is None:
            found = database.services.setdefault("embedder", Embedder(database))
    found.start(settings)
