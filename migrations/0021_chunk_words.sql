-- The words of Chinese, Japanese and Korean in chunks_fts: each character by itself, as before. The text is
-- cut into pieces of 32 characters first, because substr() counts them from the start of what it is given:
-- a chunk of 512 takes two fifths of the time. Of a text's end beyond its last piece '' comes, which adds nothing.
DROP TRIGGER sqlagent_log_chunks_insert;
CREATE TRIGGER sqlagent_log_chunks_insert AFTER INSERT ON chunks
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope) VALUES ('chunks', NEW.chunk_id, 'i',
    (SELECT d.collection FROM documents d WHERE d.document_id = NEW.document_id));
  DELETE FROM chunk_vectors WHERE chunk_id = NEW.chunk_id;
  DELETE FROM chunks_fts WHERE rowid = NEW.chunk_id;
  INSERT INTO chunks_fts (rowid, content) VALUES (NEW.chunk_id,
    CASE WHEN NEW.content GLOB '*[⺀-' || char(0x3FFFF) || ']*' AND length(NEW.content) <= 4000 THEN (
      WITH RECURSIVE piece (i, t) AS (
        SELECT 1, substr(NEW.content, 1, 32) UNION ALL
        SELECT i + 32, substr(NEW.content, i + 32, 32) FROM piece WHERE i + 32 <= length(NEW.content)),
      place (j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM place WHERE j < 32)
      SELECT group_concat(CASE WHEN unicode(c) >= 0x2E80 THEN ' ' || c || ' ' ELSE c END, '')
      FROM (SELECT substr(t, j, 1) AS c FROM piece, place ORDER BY i, j))
    ELSE NEW.content END);
END;
