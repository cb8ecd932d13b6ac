-- What COMMENT ON said of tables, views and columns ('' where it is of the whole).
CREATE TABLE sqlagent_comments (
  table_name TEXT NOT NULL,
  column_name TEXT NOT NULL DEFAULT '',
  comment TEXT NOT NULL,
  PRIMARY KEY (table_name, column_name)
) WITHOUT ROWID;
