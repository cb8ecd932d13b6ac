-- The tables of an agent's file. Whatever is here must work in a plain SQLite 3.40, since any client
-- may write the file: only built-in functions, an INTEGER PRIMARY KEY under every index that points at
-- rows, no RAISE with an expression. A plain INSERT OR REPLACE fires no delete trigger and passes its
-- conflict policy on to the statements of a trigger, so the triggers delete before they insert and
-- use NOT EXISTS in place of OR IGNORE. JSON is declared as JSON TEXT: as JSON alone, SQLite would make
-- a number of '1.0' or of twenty digits, and lose some.

CREATE TABLE sqlagent_meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

INSERT INTO sqlagent_meta VALUES ('file_id', lower(hex(randomblob(16))));

-- Which rows changed, in commit order: "look at this row again". Entries may be superfluous, never
-- missing; `pk` NULL means the whole table. `scope` is the agent or collection that a search index of
-- that row belongs to. The newest entry is never deleted, so `seq` only rises.
CREATE TABLE sqlagent_change_log (
  seq INTEGER PRIMARY KEY,
  tbl TEXT NOT NULL,
  pk INTEGER,
  op TEXT NOT NULL CHECK (op IN ('i', 'u', 'd')),
  scope TEXT,
  at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);

CREATE TRIGGER sqlagent_change_log_keeps_newest BEFORE DELETE ON sqlagent_change_log
WHEN OLD.seq = (SELECT max(seq) FROM sqlagent_change_log)
BEGIN
  SELECT RAISE(ABORT, 'the newest row of the change log cannot be deleted');
END;

CREATE TABLE sqlagent_sync (
  consumer TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  detail TEXT,
  at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
) WITHOUT ROWID;

CREATE TABLE sqlagent_query_log (
  query_id INTEGER PRIMARY KEY,
  shape TEXT NOT NULL,
  engine TEXT NOT NULL CHECK (engine IN ('sqlite', 'duckdb', 'lance', 'mixed')),
  calls INTEGER NOT NULL DEFAULT 1,
  rows INTEGER,
  milliseconds REAL,
  at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);

CREATE TABLE sqlagent_import_rejects (
  reject_id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);

-- Agents and sessions -----------------------------------------------------------------------------

CREATE TABLE agents (
  agent_id TEXT PRIMARY KEY NOT NULL CHECK (agent_id <> ''),
  metadata JSON TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  ended_at TIMESTAMP
);

CREATE TABLE sessions (
  session_id TEXT PRIMARY KEY NOT NULL CHECK (session_id <> ''),
  agent_id TEXT NOT NULL CHECK (agent_id <> ''),
  metadata JSON TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  ended_at TIMESTAMP
);
CREATE INDEX sessions_of_agent ON sessions (agent_id);

-- States ------------------------------------------------------------------------------------------

CREATE TABLE states (
  state_id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL CHECK (agent_id <> ''),
  session_id TEXT CHECK (session_id <> ''),
  state_type TEXT NOT NULL DEFAULT 'context' CHECK (state_type IN
    ('working_memory', 'long_term_memory', 'context', 'task_state', 'relationship', 'embedding')),
  version INTEGER NOT NULL DEFAULT 0,
  checksum TEXT,
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
    CHECK (julianday(created_at) IS NOT NULL),
  metadata JSON TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  data JSON TEXT NOT NULL CHECK (json_valid(data))
);
CREATE UNIQUE INDEX states_key ON states (agent_id, state_type, ifnull(session_id, ''));

CREATE TABLE state_versions (
  version_id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL,
  session_id TEXT,
  state_type TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  parent_version INTEGER,
  snapshot_name TEXT,
  checksum TEXT,
  created_at TIMESTAMP NOT NULL,
  metadata JSON TEXT,
  data JSON TEXT NOT NULL
);
CREATE UNIQUE INDEX state_versions_key
  ON state_versions (agent_id, state_type, ifnull(session_id, ''), version);

-- A named snapshot of an agent: which version of each of its states it holds.
CREATE TABLE snapshots (
  snapshot_id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL,
  name TEXT NOT NULL CHECK (name <> ''),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  UNIQUE (agent_id, name)
);
CREATE TABLE snapshot_versions (
  snapshot_id INTEGER NOT NULL REFERENCES snapshots (snapshot_id) ON DELETE CASCADE,
  version_id INTEGER NOT NULL REFERENCES state_versions (version_id),
  PRIMARY KEY (snapshot_id, version_id)
) WITHOUT ROWID;

-- A save is one upsert of `states`; the version, its parent and the history follow from it, whoever
-- writes: whatever version an INSERT gives, the row gets the next one of its history. A version that
-- is the newest of the history is an UPDATE's; any other is that of a row just inserted or moved.
CREATE TRIGGER states_insert AFTER INSERT ON states
BEGIN
  UPDATE states SET version = 1 + ifnull((SELECT max(v.version) FROM state_versions v
      WHERE v.agent_id = NEW.agent_id AND v.state_type = NEW.state_type
        AND ifnull(v.session_id, '') = ifnull(NEW.session_id, '')), 0)
    WHERE state_id = NEW.state_id;
  INSERT INTO agents (agent_id) SELECT NEW.agent_id
    WHERE NOT EXISTS (SELECT 1 FROM agents a WHERE a.agent_id = NEW.agent_id);
  INSERT INTO state_versions (agent_id, session_id, state_type, version, parent_version, checksum,
      created_at, metadata, data)
    SELECT agent_id, session_id, state_type, version, nullif(version - 1, 0), checksum,
      strftime('%Y-%m-%d %H:%M:%f', created_at), metadata, data
    FROM states s WHERE state_id = NEW.state_id AND NOT EXISTS (
      SELECT 1 FROM state_versions v WHERE v.agent_id = s.agent_id AND v.state_type = s.state_type
        AND ifnull(v.session_id, '') = ifnull(s.session_id, '') AND v.version = s.version);
END;

CREATE TRIGGER states_move AFTER UPDATE OF agent_id, session_id, state_type ON states
WHEN NEW.agent_id <> OLD.agent_id OR NEW.state_type <> OLD.state_type
  OR ifnull(NEW.session_id, '') <> ifnull(OLD.session_id, '')
BEGIN
  UPDATE states SET version = 1 + ifnull((SELECT max(v.version) FROM state_versions v
      WHERE v.agent_id = NEW.agent_id AND v.state_type = NEW.state_type
        AND ifnull(v.session_id, '') = ifnull(NEW.session_id, '')), 0)
    WHERE state_id = NEW.state_id;
  INSERT INTO agents (agent_id) SELECT NEW.agent_id
    WHERE NOT EXISTS (SELECT 1 FROM agents a WHERE a.agent_id = NEW.agent_id);
  INSERT INTO state_versions (agent_id, session_id, state_type, version, parent_version, checksum,
      created_at, metadata, data)
    SELECT agent_id, session_id, state_type, version, nullif(version - 1, 0), checksum,
      strftime('%Y-%m-%d %H:%M:%f', created_at), metadata, data
    FROM states s WHERE state_id = NEW.state_id AND NOT EXISTS (
      SELECT 1 FROM state_versions v WHERE v.agent_id = s.agent_id AND v.state_type = s.state_type
        AND ifnull(v.session_id, '') = ifnull(s.session_id, '') AND v.version = s.version);
END;

CREATE TRIGGER states_update AFTER UPDATE OF data, metadata ON states
WHEN NEW.version = OLD.version AND NEW.agent_id = OLD.agent_id AND NEW.state_type = OLD.state_type
  AND ifnull(NEW.session_id, '') = ifnull(OLD.session_id, '')
BEGIN
  UPDATE states SET version = OLD.version + 1,
      checksum = CASE WHEN NEW.checksum IS OLD.checksum AND NEW.data IS NOT OLD.data
        THEN NULL ELSE NEW.checksum END,
      created_at = CASE WHEN NEW.created_at = OLD.created_at
        THEN strftime('%Y-%m-%d %H:%M:%f', 'now') ELSE NEW.created_at END
    WHERE state_id = NEW.state_id;
END;

CREATE TRIGGER states_version AFTER UPDATE OF version ON states
WHEN NEW.version <> OLD.version AND OLD.version = (SELECT max(v.version) FROM state_versions v
  WHERE v.agent_id = NEW.agent_id AND v.state_type = NEW.state_type
    AND ifnull(v.session_id, '') = ifnull(NEW.session_id, ''))
BEGIN
  SELECT RAISE(ABORT, 'the version of a state only counts up by one') WHERE NEW.version <> OLD.version + 1;
  INSERT INTO state_versions (agent_id, session_id, state_type, version, parent_version, checksum,
      created_at, metadata, data)
    VALUES (NEW.agent_id, NEW.session_id, NEW.state_type, NEW.version, NEW.version - 1, NEW.checksum,
      strftime('%Y-%m-%d %H:%M:%f', NEW.created_at), NEW.metadata, NEW.data);
END;

CREATE TRIGGER state_versions_are_final BEFORE UPDATE OF agent_id, session_id, state_type, version,
  data, created_at ON state_versions
BEGIN
  SELECT RAISE(ABORT, 'state_versions is read-only: save a new version in states');
END;

-- What is erased for good goes from the history too: the engine says so while it does it.
CREATE TRIGGER state_versions_are_kept BEFORE DELETE ON state_versions
WHEN NOT EXISTS (SELECT 1 FROM sqlagent_meta WHERE name = 'erasing')
BEGIN
  SELECT RAISE(ABORT, 'state_versions is read-only: versions are kept');
END;

-- Memories ----------------------------------------------------------------------------------------

CREATE TABLE memories (
  memory_id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL CHECK (agent_id <> ''),
  kind TEXT NOT NULL DEFAULT 'episodic'
    CHECK (kind IN ('episodic', 'semantic', 'procedural', 'working')),
  tier TEXT NOT NULL DEFAULT 'short_term' CHECK (tier IN ('working', 'short_term', 'long_term')),
  content TEXT NOT NULL CHECK (typeof(content) = 'text' AND content <> ''),
  importance DOUBLE NOT NULL DEFAULT 0.5
    CHECK (typeof(importance) IN ('real', 'integer') AND importance BETWEEN 0 AND 1),
  emotion DOUBLE NOT NULL DEFAULT 0
    CHECK (typeof(emotion) IN ('real', 'integer') AND emotion BETWEEN -1 AND 1),
  pinned BOOLEAN NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1)),
  access_count INTEGER NOT NULL DEFAULT 0
    CHECK (typeof(access_count) = 'integer' AND access_count >= 0),
  stability_days DOUBLE NOT NULL DEFAULT 3.0 CHECK (stability_days > 0),
  last_access_at TIMESTAMP CHECK (last_access_at IS NULL OR julianday(last_access_at) IS NOT NULL),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
    CHECK (julianday(created_at) IS NOT NULL),
  expires_at TIMESTAMP CHECK (expires_at IS NULL OR julianday(expires_at) IS NOT NULL),
  valid_from TIMESTAMP CHECK (valid_from IS NULL OR julianday(valid_from) IS NOT NULL),
  valid_to TIMESTAMP CHECK (valid_to IS NULL OR julianday(valid_to) IS NOT NULL),
  superseded_by INTEGER REFERENCES memories (memory_id) ON DELETE SET NULL,
  archived_at TIMESTAMP CHECK (archived_at IS NULL OR julianday(archived_at) IS NOT NULL),
  speaker TEXT,
  source TEXT,
  user_id TEXT,
  session_id TEXT,
  metadata JSON TEXT CHECK (metadata IS NULL OR json_valid(metadata))
);
CREATE INDEX memories_of_agent ON memories (agent_id, created_at);
-- Finds a repeat of a text without a hash, which plain SQL does not have.
CREATE INDEX memories_by_text ON memories
  (agent_id, length(content), substr(content, 1, 24), substr(content, -24));
CREATE INDEX memories_superseded ON memories (superseded_by) WHERE superseded_by IS NOT NULL;

CREATE TABLE memory_vectors (
  memory_id INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  vector BLOB NOT NULL CHECK (typeof(vector) = 'blob' AND length(vector) > 0 AND length(vector) % 4 = 0)
);
CREATE INDEX memory_vectors_model ON memory_vectors (model);

CREATE VIRTUAL TABLE memories_fts USING fts5 (content, tokenize = 'porter unicode61');

CREATE TRIGGER memories_before_insert BEFORE INSERT ON memories
WHEN EXISTS (SELECT 1 FROM memories m WHERE m.memory_id = NEW.memory_id)
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'memories', m.memory_id, 'd', m.agent_id FROM memories m
    WHERE m.memory_id = NEW.memory_id AND m.agent_id <> NEW.agent_id;
  DELETE FROM memory_vectors WHERE memory_id = NEW.memory_id;
  DELETE FROM memories_fts WHERE rowid = NEW.memory_id;
END;

-- Each CJK character stands between spaces in the full text, so that unicode61 sees it as a word and
-- a phrase of characters finds a word. substr is linear in its offset, so the cost grows with the
-- square of the length: a text of over 4,000 characters goes in as it is, and the engine spaces it.
CREATE TRIGGER sqlagent_log_memories_insert AFTER INSERT ON memories
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('memories', NEW.memory_id, 'i', NEW.agent_id);
  INSERT INTO agents (agent_id) SELECT NEW.agent_id
    WHERE NOT EXISTS (SELECT 1 FROM agents a WHERE a.agent_id = NEW.agent_id);
  INSERT INTO memories_fts (rowid, content) VALUES (NEW.memory_id,
    CASE WHEN NEW.content GLOB '*[⺀-' || char(0x3FFFF) || ']*' AND length(NEW.content) <= 4000 THEN (
      WITH RECURSIVE place (i) AS (
        SELECT 1 UNION ALL SELECT i + 1 FROM place WHERE i < length(NEW.content))
      SELECT group_concat(CASE WHEN unicode(substr(NEW.content, i, 1)) >= 0x2E80
        THEN ' ' || substr(NEW.content, i, 1) || ' ' ELSE substr(NEW.content, i, 1) END, '')
      FROM place)
    ELSE NEW.content END);
END;

CREATE TRIGGER memories_times AFTER INSERT ON memories
WHEN NEW.created_at NOT GLOB '????-??-?? ??:??:??.???'
  OR NEW.expires_at NOT GLOB '????-??-?? ??:??:??.???'
  OR NEW.valid_from NOT GLOB '????-??-?? ??:??:??.???'
  OR NEW.valid_to NOT GLOB '????-??-?? ??:??:??.???'
  OR NEW.last_access_at NOT GLOB '????-??-?? ??:??:??.???'
  OR NEW.archived_at NOT GLOB '????-??-?? ??:??:??.???'
BEGIN
  UPDATE memories SET
    created_at = strftime('%Y-%m-%d %H:%M:%f', created_at),
    expires_at = strftime('%Y-%m-%d %H:%M:%f', expires_at),
    valid_from = strftime('%Y-%m-%d %H:%M:%f', valid_from),
    valid_to = strftime('%Y-%m-%d %H:%M:%f', valid_to),
    last_access_at = strftime('%Y-%m-%d %H:%M:%f', last_access_at),
    archived_at = strftime('%Y-%m-%d %H:%M:%f', archived_at)
  WHERE memory_id = NEW.memory_id;
END;

CREATE TRIGGER sqlagent_log_memories_update AFTER UPDATE ON memories
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'memories', OLD.memory_id, 'd', OLD.agent_id
    WHERE OLD.memory_id <> NEW.memory_id OR OLD.agent_id <> NEW.agent_id;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('memories', NEW.memory_id, 'u', NEW.agent_id);
END;

CREATE TRIGGER memories_content AFTER UPDATE OF memory_id, content ON memories
WHEN OLD.memory_id <> NEW.memory_id OR OLD.content <> NEW.content
BEGIN
  DELETE FROM memory_vectors WHERE memory_id IN (OLD.memory_id, NEW.memory_id);
  DELETE FROM memories_fts WHERE rowid IN (OLD.memory_id, NEW.memory_id);
  INSERT INTO memories_fts (rowid, content) VALUES (NEW.memory_id,
    CASE WHEN NEW.content GLOB '*[⺀-' || char(0x3FFFF) || ']*' AND length(NEW.content) <= 4000 THEN (
      WITH RECURSIVE place (i) AS (
        SELECT 1 UNION ALL SELECT i + 1 FROM place WHERE i < length(NEW.content))
      SELECT group_concat(CASE WHEN unicode(substr(NEW.content, i, 1)) >= 0x2E80
        THEN ' ' || substr(NEW.content, i, 1) || ' ' ELSE substr(NEW.content, i, 1) END, '')
      FROM place)
    ELSE NEW.content END);
END;

CREATE TRIGGER sqlagent_log_memories_delete AFTER DELETE ON memories
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('memories', OLD.memory_id, 'd', OLD.agent_id);
  DELETE FROM memory_vectors WHERE memory_id = OLD.memory_id;
  DELETE FROM memories_fts WHERE rowid = OLD.memory_id;
END;

CREATE TRIGGER memory_vectors_insert AFTER INSERT ON memory_vectors
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'memories', m.memory_id, 'u', m.agent_id FROM memories m WHERE m.memory_id = NEW.memory_id;
END;

CREATE TRIGGER memory_vectors_update AFTER UPDATE ON memory_vectors
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'memories', m.memory_id, 'u', m.agent_id FROM memories m WHERE m.memory_id = NEW.memory_id;
END;

CREATE TRIGGER memory_vectors_delete AFTER DELETE ON memory_vectors
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'memories', m.memory_id, 'u', m.agent_id FROM memories m WHERE m.memory_id = OLD.memory_id;
END;

-- A memory's decay now. `decayed_importance` is the seed's formula; `activation` the base level of
-- ACT-R in the constant-space form of Petrov (2006) with one recent use; `retention` the FSRS-4.5 curve,
-- 0.9 at an age of one stability; `strength` is bounded by 0 and 1 and never rises with age.
CREATE VIEW memory_strength AS
SELECT memory_id, agent_id, age_days,
  importance * exp(-0.1 * age_days) * ln(access_count + 1) AS decayed_importance,
  activation, retention,
  (0.2 + 0.8 * importance) * (0.5 * retention + 0.5 / (1.0 + exp(-activation))) AS strength
FROM (
  SELECT memory_id, agent_id, importance, access_count, age_days,
    ln(pow(used_days, -0.5) + CASE WHEN age <= used_days THEN access_count * 0.5 * pow(used_days, -0.5)
      ELSE access_count * (sqrt(age) - sqrt(used_days)) / (0.5 * (age - used_days)) END) AS activation,
    pow(1.0 + 19.0 / 81.0 * used_days / stability_days, -0.5) AS retention
  FROM (
    SELECT memory_id, agent_id, importance, access_count, stability_days,
      max(0.0, julianday('now') - julianday(created_at)) AS age_days,
      max(1.0 / 86400, julianday('now') - julianday(created_at)) AS age,
      max(1.0 / 86400, julianday('now') - julianday(ifnull(last_access_at, created_at))) AS used_days
    FROM memories));

-- Documents ---------------------------------------------------------------------------------------

-- `content_hash` is the engine's: NULL says that the chunks are still to be made.
CREATE TABLE documents (
  document_id INTEGER PRIMARY KEY,
  collection TEXT NOT NULL DEFAULT 'default' CHECK (collection <> ''),
  uri TEXT,
  title TEXT,
  content_hash TEXT,
  chunk_size INTEGER NOT NULL DEFAULT 512 CHECK (chunk_size BETWEEN 1 AND 1000000),
  overlap INTEGER NOT NULL DEFAULT 50 CHECK (overlap >= 0 AND overlap < chunk_size),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  updated_at TIMESTAMP,
  metadata JSON TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  content TEXT NOT NULL CHECK (typeof(content) = 'text')
);
CREATE INDEX documents_by_uri ON documents (collection, uri);
CREATE INDEX documents_pending ON documents (document_id) WHERE content_hash IS NULL;

CREATE TABLE chunks (
  chunk_id INTEGER PRIMARY KEY,
  document_id INTEGER NOT NULL,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  position INTEGER NOT NULL CHECK (position >= 0),
  heading TEXT,
  overlap_prev INTEGER NOT NULL DEFAULT 0,
  overlap_next INTEGER NOT NULL DEFAULT 0,
  content TEXT NOT NULL,
  UNIQUE (document_id, ordinal)
);

CREATE TABLE chunk_vectors (
  chunk_id INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  vector BLOB NOT NULL CHECK (typeof(vector) = 'blob' AND length(vector) > 0 AND length(vector) % 4 = 0)
);
CREATE INDEX chunk_vectors_model ON chunk_vectors (model);

CREATE VIRTUAL TABLE chunks_fts USING fts5 (content, tokenize = 'porter unicode61');

CREATE TRIGGER documents_before_insert BEFORE INSERT ON documents
WHEN EXISTS (SELECT 1 FROM documents d WHERE d.document_id = NEW.document_id)
BEGIN
  DELETE FROM chunks WHERE document_id = NEW.document_id;
END;

CREATE TRIGGER sqlagent_log_documents_insert AFTER INSERT ON documents
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('documents', NEW.document_id, 'i', NEW.collection);
END;

CREATE TRIGGER sqlagent_log_documents_update AFTER UPDATE ON documents
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'documents', OLD.document_id, 'd', OLD.collection WHERE OLD.document_id <> NEW.document_id;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('documents', NEW.document_id, 'u', NEW.collection);
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'chunks', c.chunk_id, 'd', OLD.collection FROM chunks c
    WHERE c.document_id = NEW.document_id AND OLD.collection <> NEW.collection;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'chunks', c.chunk_id, 'u', NEW.collection FROM chunks c
    WHERE c.document_id = NEW.document_id
      AND (OLD.collection <> NEW.collection OR OLD.title IS NOT NEW.title OR OLD.uri IS NOT NEW.uri
        OR OLD.metadata IS NOT NEW.metadata);
END;

CREATE TRIGGER documents_content AFTER UPDATE OF document_id, content, chunk_size, overlap ON documents
WHEN NEW.content_hash IS OLD.content_hash AND (OLD.document_id <> NEW.document_id
  OR OLD.content <> NEW.content OR OLD.chunk_size <> NEW.chunk_size OR OLD.overlap <> NEW.overlap)
BEGIN
  DELETE FROM chunks WHERE document_id IN (OLD.document_id, NEW.document_id);
  UPDATE documents SET content_hash = NULL, updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
    WHERE document_id = NEW.document_id;
END;

CREATE TRIGGER sqlagent_log_documents_delete AFTER DELETE ON documents
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('documents', OLD.document_id, 'd', OLD.collection);
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'chunks', c.chunk_id, 'd', OLD.collection FROM chunks c
    WHERE c.document_id = OLD.document_id;
  DELETE FROM chunks WHERE document_id = OLD.document_id;
END;

CREATE TRIGGER chunks_before_insert BEFORE INSERT ON chunks
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'chunks', c.chunk_id, 'd',
      (SELECT d.collection FROM documents d WHERE d.document_id = c.document_id)
    FROM chunks c WHERE c.document_id = NEW.document_id AND c.ordinal = NEW.ordinal;
END;

CREATE TRIGGER sqlagent_log_chunks_insert AFTER INSERT ON chunks
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope) VALUES ('chunks', NEW.chunk_id, 'i',
    (SELECT d.collection FROM documents d WHERE d.document_id = NEW.document_id));
  DELETE FROM chunk_vectors WHERE chunk_id = NEW.chunk_id;
  DELETE FROM chunks_fts WHERE rowid = NEW.chunk_id;
  INSERT INTO chunks_fts (rowid, content) VALUES (NEW.chunk_id,
    CASE WHEN NEW.content GLOB '*[⺀-' || char(0x3FFFF) || ']*' AND length(NEW.content) <= 4000 THEN (
      WITH RECURSIVE place (i) AS (
        SELECT 1 UNION ALL SELECT i + 1 FROM place WHERE i < length(NEW.content))
      SELECT group_concat(CASE WHEN unicode(substr(NEW.content, i, 1)) >= 0x2E80
        THEN ' ' || substr(NEW.content, i, 1) || ' ' ELSE substr(NEW.content, i, 1) END, '')
      FROM place)
    ELSE NEW.content END);
END;

CREATE TRIGGER sqlagent_log_chunks_update AFTER UPDATE ON chunks
BEGIN
  SELECT RAISE(ABORT, 'chunks follow from their document: change documents.content instead')
    WHERE OLD.chunk_id <> NEW.chunk_id OR OLD.content <> NEW.content
      OR OLD.document_id <> NEW.document_id;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope) VALUES ('chunks', NEW.chunk_id, 'u',
    (SELECT d.collection FROM documents d WHERE d.document_id = NEW.document_id));
END;

CREATE TRIGGER sqlagent_log_chunks_delete AFTER DELETE ON chunks
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope) VALUES ('chunks', OLD.chunk_id, 'd',
    (SELECT d.collection FROM documents d WHERE d.document_id = OLD.document_id));
  DELETE FROM chunk_vectors WHERE chunk_id = OLD.chunk_id;
  DELETE FROM chunks_fts WHERE rowid = OLD.chunk_id;
END;

CREATE TRIGGER chunk_vectors_insert AFTER INSERT ON chunk_vectors
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'chunks', c.chunk_id, 'u', d.collection
    FROM chunks c JOIN documents d ON d.document_id = c.document_id WHERE c.chunk_id = NEW.chunk_id;
END;

CREATE TRIGGER chunk_vectors_update AFTER UPDATE ON chunk_vectors
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'chunks', c.chunk_id, 'u', d.collection
    FROM chunks c JOIN documents d ON d.document_id = c.document_id WHERE c.chunk_id = NEW.chunk_id;
END;

CREATE TRIGGER chunk_vectors_delete AFTER DELETE ON chunk_vectors
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'chunks', c.chunk_id, 'u', d.collection
    FROM chunks c JOIN documents d ON d.document_id = c.document_id WHERE c.chunk_id = OLD.chunk_id;
END;

-- Vectors -----------------------------------------------------------------------------------------

CREATE TABLE collections (
  collection TEXT PRIMARY KEY NOT NULL CHECK (collection <> ''),
  dimensions INTEGER NOT NULL CHECK (dimensions BETWEEN 1 AND 65536),
  metric TEXT NOT NULL DEFAULT 'cosine' CHECK (metric IN ('cosine', 'l2', 'ip')),
  model TEXT,
  metadata JSON TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);

CREATE TABLE vectors (
  vector_id INTEGER PRIMARY KEY,
  collection TEXT NOT NULL CHECK (collection <> ''),
  id TEXT NOT NULL CHECK (id <> ''),
  metadata JSON TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  vector BLOB NOT NULL CHECK (typeof(vector) = 'blob' AND length(vector) > 0 AND length(vector) % 4 = 0),
  UNIQUE (collection, id)
);

CREATE TRIGGER vectors_before_insert BEFORE INSERT ON vectors
BEGIN
  SELECT RAISE(ABORT, 'vector does not have the dimensions of its collection')
    FROM collections c WHERE c.collection = NEW.collection AND c.dimensions <> length(NEW.vector) / 4;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'vectors', v.vector_id, 'd', v.collection FROM vectors v
    WHERE v.collection = NEW.collection AND v.id = NEW.id;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'vectors', v.vector_id, 'd', v.collection FROM vectors v
    WHERE v.vector_id = NEW.vector_id AND v.collection <> NEW.collection;
END;

CREATE TRIGGER sqlagent_log_vectors_insert AFTER INSERT ON vectors
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('vectors', NEW.vector_id, 'i', NEW.collection);
  INSERT INTO collections (collection, dimensions) SELECT NEW.collection, length(NEW.vector) / 4
    WHERE NOT EXISTS (SELECT 1 FROM collections c WHERE c.collection = NEW.collection);
END;

CREATE TRIGGER vectors_before_update BEFORE UPDATE ON vectors
BEGIN
  SELECT RAISE(ABORT, 'vector does not have the dimensions of its collection')
    FROM collections c WHERE c.collection = NEW.collection AND c.dimensions <> length(NEW.vector) / 4;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'vectors', v.vector_id, 'd', v.collection FROM vectors v
    WHERE v.collection = NEW.collection AND v.id = NEW.id AND v.vector_id <> OLD.vector_id;
END;

CREATE TRIGGER sqlagent_log_vectors_update AFTER UPDATE ON vectors
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'vectors', OLD.vector_id, 'd', OLD.collection
    WHERE OLD.vector_id <> NEW.vector_id OR OLD.collection <> NEW.collection;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('vectors', NEW.vector_id, 'u', NEW.collection);
  INSERT INTO collections (collection, dimensions) SELECT NEW.collection, length(NEW.vector) / 4
    WHERE NOT EXISTS (SELECT 1 FROM collections c WHERE c.collection = NEW.collection);
END;

CREATE TRIGGER sqlagent_log_vectors_delete AFTER DELETE ON vectors
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('vectors', OLD.vector_id, 'd', OLD.collection);
END;

-- The knowledge graph -----------------------------------------------------------------------------

CREATE TABLE entities (
  entity_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  kind TEXT,
  metadata JSON TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);

CREATE TABLE relations (
  relation_id INTEGER PRIMARY KEY,
  subject_id INTEGER NOT NULL REFERENCES entities (entity_id) ON DELETE CASCADE,
  predicate TEXT NOT NULL CHECK (predicate <> ''),
  object_id INTEGER NOT NULL REFERENCES entities (entity_id) ON DELETE CASCADE,
  weight DOUBLE NOT NULL DEFAULT 1.0,
  valid_from TIMESTAMP,
  valid_to TIMESTAMP,
  memory_id INTEGER REFERENCES memories (memory_id) ON DELETE SET NULL,
  chunk_id INTEGER,
  source TEXT,
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  UNIQUE (subject_id, predicate, object_id)
);
CREATE INDEX relations_by_object ON relations (object_id);
