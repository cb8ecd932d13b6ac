-- What is known later than a time is looked up by the time; see sqlagent/memory/truth.py.
CREATE INDEX sqlagent_operations_by_time ON sqlagent_operations (agent_id, created_at);
CREATE INDEX sqlagent_operations_undone ON sqlagent_operations (agent_id, undone_at)
  WHERE undone_at IS NOT NULL;
