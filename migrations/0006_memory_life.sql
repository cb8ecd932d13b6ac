-- What was done to memories beyond plain writes (superseded, forgotten, merged, moved to another tier),
-- and how each row that it touched was before and after: so each can be shown, and undone whole.
-- Columns of `before` and `after` are named; a content is never among them, since none is changed.
CREATE TABLE sqlagent_operations (
  operation_id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL CHECK (agent_id <> ''),
  operation TEXT NOT NULL CHECK (operation <> ''),
  detail JSON TEXT CHECK (detail IS NULL OR json_valid(detail)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  undone_at TIMESTAMP
);
CREATE INDEX sqlagent_operations_open ON sqlagent_operations (agent_id, operation)
  WHERE undone_at IS NULL;

-- `before` NULL: the operation made this memory; undoing it takes it back by archiving it.
CREATE TABLE sqlagent_operation_rows (
  operation_id INTEGER NOT NULL,
  memory_id INTEGER NOT NULL,
  action TEXT NOT NULL CHECK (action <> ''),
  reason TEXT,
  before JSON TEXT CHECK (before IS NULL OR json_valid(before)),
  after JSON TEXT CHECK (after IS NULL OR json_valid(after)),
  PRIMARY KEY (operation_id, memory_id)
) WITHOUT ROWID;
CREATE INDEX sqlagent_operation_rows_of_memory ON sqlagent_operation_rows (memory_id);

-- What a memory was made from: another memory, a place in a document (position and length in
-- characters), a turn of a session. A memory that a live one was made from is not forgotten.
CREATE TABLE memory_sources (
  source_row_id INTEGER PRIMARY KEY,
  memory_id INTEGER NOT NULL,
  source_memory_id INTEGER,
  document_id INTEGER,
  chunk_id INTEGER,
  position INTEGER CHECK (position >= 0),
  length INTEGER CHECK (length >= 0),
  session_id TEXT,
  turn INTEGER,
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  CHECK (source_memory_id IS NOT NULL OR document_id IS NOT NULL OR session_id IS NOT NULL),
  CHECK (source_memory_id IS NULL OR source_memory_id <> memory_id)
);
CREATE INDEX memory_sources_of ON memory_sources (memory_id);
CREATE INDEX memory_sources_by_memory ON memory_sources (source_memory_id)
  WHERE source_memory_id IS NOT NULL;
CREATE INDEX memory_sources_by_document ON memory_sources (document_id)
  WHERE document_id IS NOT NULL;

-- Memories that belong together, besides what superseded what and what was made from what.
CREATE TABLE memory_links (
  link_id INTEGER PRIMARY KEY,
  memory_id INTEGER NOT NULL,
  related_id INTEGER NOT NULL CHECK (related_id <> memory_id),
  relation TEXT NOT NULL DEFAULT 'related' CHECK (relation <> ''),
  weight DOUBLE NOT NULL DEFAULT 1.0,
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  UNIQUE (memory_id, related_id, relation)
);
CREATE INDEX memory_links_back ON memory_links (related_id);

CREATE TRIGGER memories_delete_links AFTER DELETE ON memories
BEGIN
  DELETE FROM memory_sources
    WHERE memory_id = OLD.memory_id OR source_memory_id = OLD.memory_id;
  DELETE FROM memory_links WHERE memory_id = OLD.memory_id OR related_id = OLD.memory_id;
END;

-- What happens to memories by itself: on `event`, to those that `condition` (SQL over the columns of
-- memories and memory_strength) holds for. NULL in agent_id, user_id or kind stands for any. Of the
-- policies of an event that hold for a memory, the one of the highest priority decides.
CREATE TABLE memory_policies (
  policy_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  event TEXT NOT NULL CHECK (event IN ('maintenance', 'session_end', 'contradiction')),
  action TEXT NOT NULL CHECK (action IN ('promote', 'demote', 'archive', 'keep', 'supersede', 'ask')),
  to_tier TEXT CHECK (to_tier IN ('working', 'short_term', 'long_term')),
  agent_id TEXT,
  user_id TEXT,
  kind TEXT,
  condition TEXT NOT NULL DEFAULT 'true' CHECK (condition <> ''),
  priority INTEGER NOT NULL DEFAULT 0,
  enabled BOOLEAN NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  CHECK ((action IN ('promote', 'demote')) = (to_tier IS NOT NULL))
);
