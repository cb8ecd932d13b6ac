-- A citation names a chunk. When a document gets another text, the chunks that it no longer has are kept
-- here under the chunk_id that they had; those that it still has keep theirs in `chunks`. So what is kept
-- grows with what was changed, not with how often. Deleting a document, or erasing it, deletes both.
CREATE TABLE document_versions (
  version_id INTEGER PRIMARY KEY,
  document_id INTEGER NOT NULL,
  uri TEXT,
  title TEXT,
  content_hash TEXT,
  characters INTEGER NOT NULL,
  replaced_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);
CREATE INDEX document_versions_of ON document_versions (document_id);

CREATE TABLE chunk_versions (
  chunk_id INTEGER PRIMARY KEY,
  version_id INTEGER NOT NULL,
  document_id INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  position INTEGER NOT NULL,
  heading TEXT,
  content TEXT NOT NULL
);
CREATE INDEX chunk_versions_of ON chunk_versions (document_id);

CREATE TRIGGER documents_keep_version BEFORE UPDATE OF content, chunk_size, overlap ON documents
WHEN OLD.document_id = NEW.document_id
  AND (OLD.content <> NEW.content OR OLD.chunk_size <> NEW.chunk_size OR OLD.overlap <> NEW.overlap)
  AND EXISTS (SELECT 1 FROM chunks c WHERE c.document_id = OLD.document_id)
BEGIN
  INSERT INTO document_versions (document_id, uri, title, content_hash, characters)
    VALUES (OLD.document_id, OLD.uri, OLD.title, OLD.content_hash, length(OLD.content));
  INSERT OR REPLACE INTO chunk_versions
    (chunk_id, version_id, document_id, ordinal, position, heading, content)
    SELECT c.chunk_id, (SELECT max(version_id) FROM document_versions), c.document_id, c.ordinal,
      c.position, c.heading, c.content
    FROM chunks c WHERE c.document_id = OLD.document_id;
END;

-- INSERT OR REPLACE over a document fires no trigger of DELETE or UPDATE: the same is done before it.
DROP TRIGGER documents_before_insert;
CREATE TRIGGER documents_before_insert BEFORE INSERT ON documents
WHEN EXISTS (SELECT 1 FROM documents d WHERE d.document_id = NEW.document_id)
BEGIN
  INSERT INTO document_versions (document_id, uri, title, content_hash, characters)
    SELECT d.document_id, d.uri, d.title, d.content_hash, length(d.content) FROM documents d
    WHERE d.document_id = NEW.document_id
      AND EXISTS (SELECT 1 FROM chunks c WHERE c.document_id = NEW.document_id);
  INSERT OR REPLACE INTO chunk_versions
    (chunk_id, version_id, document_id, ordinal, position, heading, content)
    SELECT c.chunk_id, (SELECT max(version_id) FROM document_versions), c.document_id, c.ordinal,
      c.position, c.heading, c.content
    FROM chunks c WHERE c.document_id = NEW.document_id;
  DELETE FROM chunks WHERE document_id = NEW.document_id;
END;

CREATE TRIGGER documents_delete_versions AFTER DELETE ON documents
BEGIN
  DELETE FROM chunk_versions WHERE document_id = OLD.document_id;
  DELETE FROM document_versions WHERE document_id = OLD.document_id;
END;
