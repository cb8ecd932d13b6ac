-- What was erased for good: a receipt for each, with nothing of the content. `subject` is the salted
-- SHA-256 of the id that was named, `counts` the rows by table, `hash` the SHA-256 of the list of the
-- rows' keys (see erase() in the reference). `log_seq` is the change log's place: what was derived
-- before it may hold what was erased. `pending` is what has still to be done to the files, and an
-- erasure is over when nothing is: the next connection goes on with it.
CREATE TABLE sqlagent_erasures (
  erasure_id INTEGER PRIMARY KEY,
  scope TEXT NOT NULL CHECK (scope IN ('agent', 'user', 'memory', 'document')),
  subject TEXT NOT NULL,
  salt TEXT NOT NULL,
  counts JSON TEXT NOT NULL CHECK (json_valid(counts)),
  hash TEXT NOT NULL,
  copies BOOLEAN NOT NULL DEFAULT 0 CHECK (copies IN (0, 1)),
  log_seq INTEGER NOT NULL,
  pending JSON TEXT NOT NULL CHECK (json_valid(pending)),
  erased_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  finished_at TIMESTAMP
);
CREATE INDEX sqlagent_erasures_open ON sqlagent_erasures (erasure_id) WHERE finished_at IS NULL;
