-- What an import did not take: which import, table, record and column, the value, the rule that it
-- broke, and the whole record, so that it can be mended and brought in again.
ALTER TABLE sqlagent_import_rejects ADD COLUMN import_id TEXT;
ALTER TABLE sqlagent_import_rejects ADD COLUMN table_name TEXT;
ALTER TABLE sqlagent_import_rejects ADD COLUMN record INTEGER;
ALTER TABLE sqlagent_import_rejects ADD COLUMN column_name TEXT;
ALTER TABLE sqlagent_import_rejects ADD COLUMN value TEXT;
ALTER TABLE sqlagent_import_rejects ADD COLUMN rule TEXT;
ALTER TABLE sqlagent_import_rejects ADD COLUMN content JSON;
CREATE INDEX sqlagent_import_rejects_import ON sqlagent_import_rejects (import_id);
