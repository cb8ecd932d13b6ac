-- How a memory is found by what it says, whatever its case, punctuation and spacing: `fold` is a hash
-- of the agent and the folded text, `band_1` … `band_4` of what near-duplicates have in common. Plain
-- SQL has no hash, so whoever writes leaves a row of level 0, and the engine fills it when it comes by:
-- level 1 with the fold, 2 with the bands too. A hash only proposes: the texts themselves decide.
CREATE TABLE memory_fingerprints (
  memory_id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL,
  level INTEGER NOT NULL DEFAULT 0 CHECK (level BETWEEN 0 AND 2),
  fold INTEGER,
  band_1 INTEGER,
  band_2 INTEGER,
  band_3 INTEGER,
  band_4 INTEGER
);
CREATE INDEX memory_fingerprints_open ON memory_fingerprints (agent_id) WHERE level = 0;
CREATE INDEX memory_fingerprints_half ON memory_fingerprints (agent_id) WHERE level = 1;
CREATE INDEX memory_fingerprints_fold ON memory_fingerprints (fold) WHERE fold IS NOT NULL;
CREATE INDEX memory_fingerprints_1 ON memory_fingerprints (band_1) WHERE band_1 IS NOT NULL;
CREATE INDEX memory_fingerprints_2 ON memory_fingerprints (band_2) WHERE band_2 IS NOT NULL;
CREATE INDEX memory_fingerprints_3 ON memory_fingerprints (band_3) WHERE band_3 IS NOT NULL;
CREATE INDEX memory_fingerprints_4 ON memory_fingerprints (band_4) WHERE band_4 IS NOT NULL;

INSERT INTO memory_fingerprints (memory_id, agent_id) SELECT memory_id, agent_id FROM memories;

CREATE TRIGGER memories_fingerprint_insert AFTER INSERT ON memories
BEGIN
  DELETE FROM memory_fingerprints WHERE memory_id = NEW.memory_id;
  DELETE FROM memory_guards WHERE memory_id = NEW.memory_id;
  INSERT INTO memory_fingerprints (memory_id, agent_id) VALUES (NEW.memory_id, NEW.agent_id);
END;

CREATE TRIGGER memories_fingerprint_update AFTER UPDATE OF memory_id, agent_id, content ON memories
WHEN OLD.memory_id <> NEW.memory_id OR OLD.agent_id <> NEW.agent_id OR OLD.content <> NEW.content
BEGIN
  DELETE FROM memory_fingerprints WHERE memory_id IN (OLD.memory_id, NEW.memory_id);
  INSERT INTO memory_fingerprints (memory_id, agent_id) VALUES (NEW.memory_id, NEW.agent_id);
  DELETE FROM memory_guards WHERE memory_id IN (OLD.memory_id, NEW.memory_id)
    AND guard IN ('secret', 'injection');
END;

CREATE TRIGGER memories_fingerprint_delete AFTER DELETE ON memories
BEGIN
  DELETE FROM memory_fingerprints WHERE memory_id = OLD.memory_id;
  DELETE FROM memory_guards WHERE memory_id = OLD.memory_id;
END;

-- What the guards on the way in met, once a memory and guard: the same said again ('repeat'), text of
-- recall that came back ('loop'), what looks like a secret or an instruction. Never any content.
CREATE TABLE memory_guards (
  guard_id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL,
  memory_id INTEGER NOT NULL,
  guard TEXT NOT NULL CHECK (guard IN ('repeat', 'loop', 'secret', 'injection')),
  reason TEXT,
  count INTEGER NOT NULL DEFAULT 1 CHECK (count > 0),
  first_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  UNIQUE (memory_id, guard)
);
CREATE INDEX memory_guards_of_agent ON memory_guards (agent_id, guard);
