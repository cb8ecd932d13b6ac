-- Sequences: numbers that are given once. `last_value` is the last that was given, or with
-- `is_called` 0 the first that will be. `owner_table` and `owner_column` name the column with which
-- the sequence goes.
CREATE TABLE sqlagent_sequences (
  name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,
  data_type TEXT NOT NULL DEFAULT 'bigint' CHECK (data_type IN ('smallint', 'integer', 'bigint')),
  start_value INTEGER NOT NULL DEFAULT 1,
  min_value INTEGER NOT NULL DEFAULT 1,
  max_value INTEGER NOT NULL DEFAULT 9223372036854775807,
  increment_by INTEGER NOT NULL DEFAULT 1 CHECK (increment_by <> 0),
  cycles INTEGER NOT NULL DEFAULT 0 CHECK (cycles IN (0, 1)),
  cache_size INTEGER NOT NULL DEFAULT 1,
  last_value INTEGER NOT NULL DEFAULT 1,
  is_called INTEGER NOT NULL DEFAULT 0 CHECK (is_called IN (0, 1)),
  owner_table TEXT COLLATE NOCASE,
  owner_column TEXT COLLATE NOCASE,
  CHECK (min_value <= max_value AND last_value BETWEEN min_value AND max_value)
) WITHOUT ROWID;

-- Columns that a sequence fills where an INSERT leaves them out.
CREATE TABLE sqlagent_sequence_columns (
  table_name TEXT NOT NULL COLLATE NOCASE,
  column_name TEXT NOT NULL COLLATE NOCASE,
  sequence TEXT NOT NULL COLLATE NOCASE,
  PRIMARY KEY (table_name, column_name)
) WITHOUT ROWID;
