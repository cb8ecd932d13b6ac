"""index_document: a document, cut into chunks that search() finds."""

from __future__ import annotations

from sqlagent.context import Context
from sqlagent.errors import DataError
from sqlagent.functions import Json, scalar
from sqlagent.migrate import sha256
from sqlagent.sync.documents import write_chunks

FIND = """
SELECT document_id, content_hash = ?3 AND chunk_size = ?4 AND overlap = ?5 FROM documents
WHERE collection = ?1 AND uri = ?2 ORDER BY 1 LIMIT 1
"""
INSERT = """
INSERT INTO documents (content, uri, title, collection, chunk_size, overlap, metadata, content_hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
UPDATE = """
UPDATE documents SET content = ?2, title = ?3, chunk_size = ?4, overlap = ?5, metadata = ?6,
  content_hash = ?7, updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
WHERE document_id = ?1
"""


@scalar("BIGINT", writes=True)
def index_document(
    ctx: Context,
    content: str,
    uri: str | None = None,
    title: str | None = None,
    collection: str = "default",
    chunk_size: int = 512,
    overlap: int = 50,
    metadata: Json | None = None,
) -> int:
    """Keeps a document and its chunks in one transaction; the next statement finds them.

    A document with the same uri in the same collection is replaced, and keeps its document_id; the
    chunks whose text stays keep their chunk_id, and those that go can still be read by chunk_at().

    Arguments:
      content: the text; Markdown is cut at its headings and paragraphs, other text at sentences.
      uri: where it is from; names it within its collection. Where it ends as source code does
        ('.py', '.sql' …) or as records in lines do ('.csv', '.json', '.yaml' …), the text is cut
        between definitions, at blank lines and between lines.
      title: travels with each chunk.
      collection: a set of documents that is searched together.
      chunk_size: characters a chunk has at most, 1..1000000.
      overlap: characters that a chunk repeats of the one before where a sentence had to be cut;
        less than chunk_size.
      metadata: JSON about it, for the filters of search().

    Returns: the document_id. NULL where content is NULL.

    Errors: "overlap is less than chunk_size, 512, not 600".

    Examples:
      SELECT index_document('The night ferry leaves at eleven.', uri => 'ferry.md');
    """
    if not 1 <= chunk_size <= 1_000_000:
        raise DataError(f"chunk_size is from 1 to 1000000, not {chunk_size}")
    if not 0 <= overlap < chunk_size:
        raise DataError(f"overlap is from 0 and less than chunk_size, {chunk_size}, not {overlap}")
    if not collection:
        raise DataError("collection is a text that is not empty")
    handle = ctx.writer
    digest = sha256(content.encode())
    asked = (collection, uri, digest, chunk_size, overlap)
    known = handle.execute(FIND, asked).fetchone() if uri is not None else None
    if known is None:
        values = (content, uri, title, collection, chunk_size, overlap, metadata, digest)
        handle.execute(INSERT, values)
        document_id = int(handle.last_insert_rowid())
    else:
        document_id = int(known[0])
        handle.execute(UPDATE, (document_id, content, title, chunk_size, overlap, metadata, digest))
        if known[1]:
            return document_id  # the same text in the same pieces
    write_chunks(handle, document_id, content, chunk_size, overlap, uri, new=known is None)
    if known is None:
        return document_id
    handle.execute(  # a new chunk_size alone made the trigger ask for new chunks
        "UPDATE documents SET content_hash = ?2 WHERE document_id = ?1 AND content_hash IS NULL",
        (document_id, digest),
    )
    return document_id
