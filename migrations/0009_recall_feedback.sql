-- What recall returned, and whether it was of use: written by any client, one row a memory. From it the
-- weights of recall are learnt. `reinforced_at` is the engine's: NULL says that what was useful has not
-- strengthened its memory yet.
CREATE TABLE recall_feedback (
  feedback_id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL CHECK (agent_id <> ''),
  query TEXT NOT NULL CHECK (typeof(query) = 'text' AND query <> ''),
  memory_id INTEGER NOT NULL,
  useful BOOLEAN NOT NULL DEFAULT 1 CHECK (useful IN (0, 1)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
    CHECK (julianday(created_at) IS NOT NULL),
  reinforced_at TIMESTAMP
);
CREATE INDEX recall_feedback_of_agent ON recall_feedback (agent_id, feedback_id);
CREATE INDEX recall_feedback_of_memory ON recall_feedback (memory_id);
CREATE INDEX recall_feedback_new ON recall_feedback (feedback_id)
  WHERE useful = 1 AND reinforced_at IS NULL;

CREATE TRIGGER recall_feedback_insert BEFORE INSERT ON recall_feedback
WHEN NOT EXISTS (
  SELECT 1 FROM memories m WHERE m.memory_id = NEW.memory_id AND m.agent_id = NEW.agent_id)
BEGIN
  SELECT RAISE(ABORT, 'recall_feedback.memory_id is a memory of its agent_id');
END;

CREATE TRIGGER recall_feedback_times AFTER INSERT ON recall_feedback
WHEN NEW.created_at NOT GLOB '????-??-?? ??:??:??.???'
BEGIN
  UPDATE recall_feedback SET created_at = strftime('%Y-%m-%d %H:%M:%f', created_at)
    WHERE feedback_id = NEW.feedback_id;
END;

-- The weights of an agent's recall that are not those of the settings; those of '' are for every agent
-- without weights of its own. `judgements` is how many rows of feedback a weight was learnt from; 0 says
-- that a user wrote it, and learning leaves it alone. A weight that is NULL is that of the settings:
-- learnt, and found to be no better.
CREATE TABLE recall_weights (
  agent_id TEXT NOT NULL DEFAULT '',
  part TEXT NOT NULL CHECK (part <> ''),
  weight DOUBLE CHECK (weight IS NULL OR (typeof(weight) IN ('real', 'integer') AND weight BETWEEN 0 AND 1000)),
  judgements INTEGER NOT NULL DEFAULT 0
    CHECK (typeof(judgements) = 'integer' AND judgements >= 0),
  learned_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
    CHECK (julianday(learned_at) IS NOT NULL),
  PRIMARY KEY (agent_id, part)
) WITHOUT ROWID;

-- Feedback that is changed or taken back takes with it what was learnt from it.
CREATE TRIGGER recall_feedback_update AFTER UPDATE OF agent_id, query, memory_id, useful
ON recall_feedback
BEGIN
  DELETE FROM recall_weights
    WHERE agent_id IN (OLD.agent_id, NEW.agent_id, '') AND judgements > 0;
END;

CREATE TRIGGER recall_feedback_delete AFTER DELETE ON recall_feedback
BEGIN
  DELETE FROM recall_weights WHERE agent_id IN (OLD.agent_id, '') AND judgements > 0;
END;

CREATE TRIGGER memories_delete_feedback AFTER DELETE ON memories
BEGIN
  DELETE FROM recall_feedback WHERE memory_id = OLD.memory_id;
END;
