-- The query log: one row for each shape of a statement and the engine that ran it. A shape has no
-- literals. `calls` counts runs, of which `timed` were timed; `milliseconds` and `rows` are those
-- of a usual one (the median), `best_milliseconds` the fastest, `total_milliseconds` the sum over
-- all calls, of which those that were not timed are taken to be usual ones. `tables` are the
-- file's tables in it, parted by commas; `table_rows` how many rows they had together.
DELETE FROM sqlagent_query_log;

ALTER TABLE sqlagent_query_log ADD COLUMN timed INTEGER NOT NULL DEFAULT 0;

ALTER TABLE sqlagent_query_log ADD COLUMN best_milliseconds REAL;

ALTER TABLE sqlagent_query_log ADD COLUMN total_milliseconds REAL NOT NULL DEFAULT 0;

ALTER TABLE sqlagent_query_log ADD COLUMN tables TEXT NOT NULL DEFAULT '';

ALTER TABLE sqlagent_query_log ADD COLUMN table_rows INTEGER;

CREATE UNIQUE INDEX sqlagent_query_log_by_shape ON sqlagent_query_log (shape, engine);

CREATE INDEX sqlagent_query_log_by_time ON sqlagent_query_log (at);
