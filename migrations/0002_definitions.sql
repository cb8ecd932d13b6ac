-- What users define and plain SQLite has no place for: macros, views that SQLite cannot say,
-- materialised views, and the tables that are kept as columns. `sql` is the user's CREATE statement,
-- one row for each overload of a macro (`parameters` is how many it has); `columns` what a relation
-- shows, as [[name, type], …]. Whoever changes a row changes SQLite's schema cookie in the same
-- transaction, so that every plan made before is made anew.
CREATE TABLE sqlagent_definitions (
  definition_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL COLLATE NOCASE CHECK (name <> ''),
  kind TEXT NOT NULL
    CHECK (kind IN ('macro', 'table macro', 'view', 'materialized view', 'columns')),
  parameters INTEGER NOT NULL DEFAULT 0 CHECK (parameters >= 0),
  sql TEXT NOT NULL CHECK (sql <> ''),
  dialect TEXT NOT NULL DEFAULT 'duckdb' CHECK (dialect IN ('duckdb', 'sqlite', 'postgres')),
  columns JSON TEXT CHECK (columns IS NULL OR json_valid(columns)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  UNIQUE (name, kind, parameters)
);

-- The rows of the tables that are kept as columns: each part is a Parquet file of some of them. A part
-- is never changed: a change of its rows makes another, with a stamp that no other part ever had.
CREATE TABLE sqlagent_parts (
  part_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL COLLATE NOCASE CHECK (name <> ''),
  stamp TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(16)))),
  rows INTEGER NOT NULL CHECK (rows > 0),
  data BLOB NOT NULL CHECK (typeof(data) = 'blob')
);
CREATE INDEX sqlagent_parts_of_table ON sqlagent_parts (name, stamp, rows);
