-- What agent frameworks keep here: LangGraph's checkpoints and store, and the items of sessions.
-- The tables of LangGraph bear its name: a user may well have a table "checkpoints".

-- A checkpoint of a thread. `channels` says what each channel holds: {"messages": [value_id, version]}.
-- `checkpoint` is what else LangGraph keeps in one. Where that or the metadata is no plain JSON,
-- `encoded` has both, exactly, as `encoding` says, and the two columns show them as far as JSON can.
CREATE TABLE langgraph_checkpoints (
  checkpoint_key INTEGER PRIMARY KEY,
  thread_id TEXT NOT NULL,
  checkpoint_ns TEXT NOT NULL DEFAULT '',
  checkpoint_id TEXT NOT NULL,
  parent_checkpoint_id TEXT,
  agent_id TEXT,
  user_id TEXT,
  run_id TEXT,
  source TEXT,
  step INTEGER,
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  metadata JSON TEXT NOT NULL CHECK (json_valid(metadata)),
  checkpoint JSON TEXT CHECK (checkpoint IS NULL OR json_valid(checkpoint)),
  channels JSON TEXT NOT NULL CHECK (json_valid(channels)),
  encoding TEXT,
  encoded BLOB
);
CREATE UNIQUE INDEX langgraph_checkpoints_key
  ON langgraph_checkpoints (thread_id, checkpoint_ns, checkpoint_id);
CREATE INDEX langgraph_checkpoints_of_run ON langgraph_checkpoints (run_id)
  WHERE run_id IS NOT NULL;

-- The values of a thread's channels, each once however many checkpoints hold it. `encoding` is 'json'
-- (the value is exactly `value`), 'list' (`value` lists the value_ids of the elements, so that a
-- conversation that grows by a message grows by a message here), or the name that LangGraph's
-- serializer gave `encoded`; `value` shows that then, or is NULL where it is encrypted.
CREATE TABLE langgraph_values (
  value_id INTEGER PRIMARY KEY,
  thread_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  encoding TEXT NOT NULL,
  value JSON TEXT CHECK (value IS NULL OR json_valid(value)),
  encoded BLOB
);
CREATE UNIQUE INDEX langgraph_values_key ON langgraph_values (thread_id, digest);

-- What the tasks of a step wrote, until the next checkpoint has it. idx is negative for errors,
-- interrupts and the like.
CREATE TABLE langgraph_writes (
  write_key INTEGER PRIMARY KEY,
  thread_id TEXT NOT NULL,
  checkpoint_ns TEXT NOT NULL DEFAULT '',
  checkpoint_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  idx INTEGER NOT NULL,
  task_path TEXT NOT NULL DEFAULT '',
  channel TEXT NOT NULL,
  encoding TEXT NOT NULL,
  value JSON TEXT CHECK (value IS NULL OR json_valid(value)),
  encoded BLOB
);
CREATE UNIQUE INDEX langgraph_writes_key
  ON langgraph_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx);

-- Whoever deletes a checkpoint: its writes go with it, and the values with a thread's last one.
CREATE TRIGGER langgraph_checkpoints_delete AFTER DELETE ON langgraph_checkpoints
BEGIN
  DELETE FROM langgraph_writes WHERE thread_id = OLD.thread_id
    AND checkpoint_ns = OLD.checkpoint_ns AND checkpoint_id = OLD.checkpoint_id;
  DELETE FROM langgraph_values WHERE thread_id = OLD.thread_id AND NOT EXISTS
    (SELECT 1 FROM langgraph_checkpoints AS c WHERE c.thread_id = OLD.thread_id);
END;

-- What each channel held at each checkpoint, and what each holds now.
CREATE VIEW langgraph_state_versions AS
SELECT c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.agent_id, c.user_id, c.run_id, c.source,
  c.step, c.created_at, e.key AS channel,
  CASE v.encoding WHEN 'list' THEN (
    SELECT json_group_array(json(p.value)) FROM (
      SELECT i.value FROM json_each(v.value) AS j
        CROSS JOIN langgraph_values AS i ON i.value_id = j.value
      ORDER BY j.key) AS p)
  ELSE v.value END AS value
FROM langgraph_checkpoints AS c
  CROSS JOIN json_each(c.channels) AS e
  CROSS JOIN langgraph_values AS v ON v.value_id = json_extract(e.value, '$[0]');

CREATE VIEW langgraph_states AS
SELECT c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.agent_id, c.user_id, c.run_id, c.source,
  c.step, c.created_at, e.key AS channel,
  CASE v.encoding WHEN 'list' THEN (
    SELECT json_group_array(json(p.value)) FROM (
      SELECT i.value FROM json_each(v.value) AS j
        CROSS JOIN langgraph_values AS i ON i.value_id = j.value
      ORDER BY j.key) AS p)
  ELSE v.value END AS value
FROM langgraph_checkpoints AS c
  CROSS JOIN json_each(c.channels) AS e
  CROSS JOIN langgraph_values AS v ON v.value_id = json_extract(e.value, '$[0]')
WHERE NOT EXISTS (SELECT 1 FROM langgraph_checkpoints AS n WHERE n.thread_id = c.thread_id
  AND n.checkpoint_ns = c.checkpoint_ns AND n.checkpoint_id > c.checkpoint_id);

-- The items of LangGraph's store. A namespace is its labels with dots between. What an item's texts
-- mean is in `vectors`, under its item_id.
CREATE TABLE langgraph_items (
  item_id INTEGER PRIMARY KEY,
  namespace TEXT NOT NULL CHECK (namespace <> ''),
  key TEXT NOT NULL,
  value JSON TEXT NOT NULL CHECK (json_valid(value)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  updated_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  ttl_minutes DOUBLE CHECK (ttl_minutes IS NULL OR ttl_minutes > 0),
  expires_at TIMESTAMP CHECK (expires_at IS NULL OR julianday(expires_at) IS NOT NULL)
);
CREATE UNIQUE INDEX langgraph_items_key ON langgraph_items (namespace, key);
CREATE INDEX langgraph_items_expiring ON langgraph_items (expires_at)
  WHERE expires_at IS NOT NULL;

-- Which vector of `vectors` an item's text is; path is the field that it came from.
CREATE TABLE langgraph_item_vectors (
  item_id INTEGER NOT NULL,
  path TEXT NOT NULL,
  vector_id INTEGER NOT NULL,
  PRIMARY KEY (item_id, path)
) WITHOUT ROWID;
CREATE INDEX langgraph_item_vectors_by_vector ON langgraph_item_vectors (vector_id);

CREATE TRIGGER langgraph_items_delete AFTER DELETE ON langgraph_items
BEGIN
  DELETE FROM vectors WHERE vector_id IN
    (SELECT vector_id FROM langgraph_item_vectors WHERE item_id = OLD.item_id);
  DELETE FROM langgraph_item_vectors WHERE item_id = OLD.item_id;
END;

-- The items of a session: messages, tool calls and their outputs, in their order.
CREATE TABLE session_items (
  item_id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL CHECK (session_id <> ''),
  agent_id TEXT,
  kind TEXT NOT NULL DEFAULT 'message',
  role TEXT,
  content TEXT,
  item JSON TEXT NOT NULL CHECK (json_valid(item)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);
CREATE INDEX session_items_of_session ON session_items (session_id, item_id);
