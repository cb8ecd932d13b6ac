-- What is known later than a time is looked up by the time; see sqlagent/memory/truth.py.
CREATE INDEX sqlagent_operations_by_time ON sqlagent_operations (agent_id, created_at);
CREATE INDEX sqlagent_operations_undone ON sqlagent_operations (agent_id, undone_at)
  WHERE undone_at IS NOT NULL;

-- The hashed keys of what memories claim, and a key 0 for each that was read: filled by the engine
-- once a policy decides what happens to contradictions. What changes is read again.
CREATE TABLE sqlagent_claims (
  claim_key INTEGER NOT NULL,
  memory_id INTEGER NOT NULL,
  PRIMARY KEY (claim_key, memory_id)
) WITHOUT ROWID;
CREATE INDEX sqlagent_claims_of_memory ON sqlagent_claims (memory_id);

CREATE TRIGGER memories_update_claims
AFTER UPDATE OF memory_id, agent_id, content, speaker, user_id ON memories
BEGIN
  DELETE FROM sqlagent_claims WHERE memory_id IN (OLD.memory_id, NEW.memory_id);
END;

CREATE TRIGGER memories_delete_claims AFTER DELETE ON memories
BEGIN
  DELETE FROM sqlagent_claims WHERE memory_id = OLD.memory_id;
END;
