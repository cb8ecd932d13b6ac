-- What the knowledge graph rests on. A relation rests on each memory or chunk that it was learnt
-- from; a row of NULLs says that somebody stated it, so that it stays whatever else goes. One with
-- no row at all was stated too. An entity whose source is 'extract_graph' is there for its relations.
ALTER TABLE entities ADD COLUMN source TEXT;

CREATE TABLE relation_sources (
  source_id INTEGER PRIMARY KEY,
  relation_id INTEGER NOT NULL REFERENCES relations (relation_id) ON DELETE CASCADE,
  memory_id INTEGER,
  chunk_id INTEGER,
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);
CREATE UNIQUE INDEX relation_sources_once
  ON relation_sources (relation_id, ifnull(memory_id, 0), ifnull(chunk_id, 0));
CREATE INDEX relation_sources_by_memory ON relation_sources (memory_id, relation_id)
  WHERE memory_id IS NOT NULL;
CREATE INDEX relation_sources_by_chunk ON relation_sources (chunk_id, relation_id)
  WHERE chunk_id IS NOT NULL;

INSERT INTO relation_sources (relation_id, memory_id, chunk_id)
  SELECT relation_id, memory_id, chunk_id FROM relations
  WHERE memory_id IS NOT NULL OR chunk_id IS NOT NULL;

CREATE INDEX relations_by_memory ON relations (memory_id) WHERE memory_id IS NOT NULL;

-- Whichever client writes a relation with its memory or chunk.
CREATE TRIGGER sqlagent_relation_rests AFTER INSERT ON relations
WHEN NEW.memory_id IS NOT NULL OR NEW.chunk_id IS NOT NULL
BEGIN
  INSERT INTO relation_sources (relation_id, memory_id, chunk_id)
    SELECT NEW.relation_id, NEW.memory_id, NEW.chunk_id
    WHERE NOT EXISTS (SELECT 1 FROM relation_sources s WHERE s.relation_id = NEW.relation_id
      AND s.memory_id IS NEW.memory_id AND s.chunk_id IS NEW.chunk_id);
END;

CREATE TRIGGER sqlagent_relation_rests_anew AFTER UPDATE OF memory_id, chunk_id ON relations
WHEN (NEW.memory_id IS NOT NULL AND NEW.memory_id IS NOT OLD.memory_id)
  OR (NEW.chunk_id IS NOT NULL AND NEW.chunk_id IS NOT OLD.chunk_id)
BEGIN
  INSERT INTO relation_sources (relation_id, memory_id, chunk_id)
    SELECT NEW.relation_id, NEW.memory_id, NEW.chunk_id
    WHERE NOT EXISTS (SELECT 1 FROM relation_sources s WHERE s.relation_id = NEW.relation_id
      AND s.memory_id IS NEW.memory_id AND s.chunk_id IS NEW.chunk_id);
END;

CREATE TRIGGER sqlagent_relation_sources_memory AFTER DELETE ON memories
BEGIN
  DELETE FROM relation_sources WHERE memory_id = OLD.memory_id;
END;

-- What was read from a text that is now another one is no longer said.
CREATE TRIGGER sqlagent_relation_sources_changed AFTER UPDATE OF content ON memories
WHEN NEW.content <> OLD.content
BEGIN
  DELETE FROM relation_sources WHERE memory_id = OLD.memory_id AND relation_id IN
    (SELECT r.relation_id FROM relations r WHERE r.source = 'extract_graph');
END;

CREATE TRIGGER sqlagent_relation_sources_chunk AFTER DELETE ON chunks
BEGIN
  DELETE FROM relation_sources WHERE chunk_id = OLD.chunk_id;
END;

-- A relation whose last source goes, goes with it; any other names one that it still has.
CREATE TRIGGER sqlagent_relation_sources_gone AFTER DELETE ON relation_sources
BEGIN
  DELETE FROM relations WHERE relation_id = OLD.relation_id
    AND NOT EXISTS (SELECT 1 FROM relation_sources s WHERE s.relation_id = OLD.relation_id);
  UPDATE relations SET
    memory_id = (SELECT s.memory_id FROM relation_sources s
      WHERE s.relation_id = OLD.relation_id AND s.memory_id IS NOT NULL
      ORDER BY s.source_id LIMIT 1),
    chunk_id = (SELECT s.chunk_id FROM relation_sources s
      WHERE s.relation_id = OLD.relation_id AND s.chunk_id IS NOT NULL
      ORDER BY s.source_id LIMIT 1)
  WHERE relation_id = OLD.relation_id;
END;

-- SQLite checks foreign keys only where a client asks for it: so these say again what they say.
CREATE TRIGGER sqlagent_relation_gone AFTER DELETE ON relations
BEGIN
  DELETE FROM relation_sources WHERE relation_id = OLD.relation_id;
  DELETE FROM entities WHERE entity_id IN (OLD.subject_id, OLD.object_id)
    AND source = 'extract_graph'
    AND NOT EXISTS (SELECT 1 FROM relations r WHERE r.subject_id = entities.entity_id)
    AND NOT EXISTS (SELECT 1 FROM relations r WHERE r.object_id = entities.entity_id);
END;

CREATE TRIGGER sqlagent_entity_gone AFTER DELETE ON entities
BEGIN
  DELETE FROM relations WHERE subject_id = OLD.entity_id OR object_id = OLD.entity_id;
END;
