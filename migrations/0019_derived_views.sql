-- What is derived, for clients that have nothing but the file: what is true now, and the texts of chunks
-- with the document that each is of. (`memory_strength` and `state_versions` are there since 0007, 0011.)

-- The memories that recall would look at: not archived, valid now, not expired, and not replaced by one
-- that holds already. Times are compared as times, in whichever form a client wrote them.
CREATE VIEW current_facts AS
SELECT m.memory_id, m.agent_id, m.user_id, m.session_id, m.kind, m.tier, m.content, m.importance,
  m.emotion, m.pinned, m.speaker, m.source, m.created_at, m.valid_from, m.valid_to, m.expires_at,
  m.metadata
FROM memories AS m
WHERE m.archived_at IS NULL
  AND (m.superseded_by IS NULL OR julianday(m.valid_to) > julianday('now') AND EXISTS (
    SELECT 1 FROM memories AS n
    WHERE n.memory_id = m.superseded_by AND julianday(n.valid_from) > julianday('now')))
  AND (m.valid_to IS NULL OR julianday(m.valid_to) > julianday('now'))
  AND (m.valid_from IS NULL OR julianday(m.valid_from) <= julianday('now'))
  AND (m.expires_at IS NULL OR julianday(m.expires_at) > julianday('now'));

-- `content` is the whole chunk; `own_content` leaves out what the chunk before it has too, so that the
-- own contents of a document's chunks, one after another, are its text.
CREATE VIEW chunk_texts AS
SELECT c.chunk_id, c.document_id, d.collection, d.uri, d.title, c.ordinal, c.position, c.heading,
  c.content, substr(c.content, c.overlap_prev + 1) AS own_content, d.metadata
FROM chunks AS c JOIN documents AS d ON d.document_id = c.document_id;
