-- Graphs over tables of the users' own, as CREATE PROPERTY GRAPH defines them: `sql` is the statement.
-- Whoever changes a row changes SQLite's schema cookie in the same transaction.
CREATE TABLE sqlagent_graphs (
  graph_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE CHECK (name <> ''),
  sql TEXT NOT NULL CHECK (sql <> ''),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);
