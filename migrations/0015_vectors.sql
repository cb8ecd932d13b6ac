-- Collections of any element type. `vectors.vector` holds little-endian float32 or float16, int8, or
-- one bit a dimension, the first the lowest of the first byte; a collection says which, and 'hamming'
-- is the metric of bits. What forbids that in the tables' own text is taken out of it, since SQLite
-- cannot alter a CHECK: no row moves (the way of SQLite's documentation of ALTER TABLE). The triggers
-- below say the same by collection.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, ' AND length(vector) > 0 AND length(vector) % 4 = 0', ' AND length(vector) > 0')
WHERE type = 'table' AND name = 'vectors';
UPDATE sqlite_schema
SET sql = replace(sql, '(''cosine'', ''l2'', ''ip'')', '(''cosine'', ''l2'', ''ip'', ''hamming'')')
WHERE type = 'table' AND name = 'collections';
PRAGMA writable_schema = RESET;

ALTER TABLE collections ADD COLUMN element_type TEXT NOT NULL DEFAULT 'float32'
  CHECK (element_type IN ('float32', 'float16', 'int8', 'binary'));

CREATE TRIGGER collections_metric AFTER INSERT ON collections
WHEN (NEW.element_type = 'binary') <> (NEW.metric = 'hamming')
BEGIN
  SELECT RAISE(ABORT, 'the metric hamming is for the element_type binary, and its only one')
    WHERE NEW.metric <> 'cosine';
  UPDATE collections SET metric = 'hamming' WHERE collection = NEW.collection;
END;

CREATE TRIGGER collections_before_update BEFORE UPDATE OF dimensions, element_type, metric ON collections
BEGIN
  SELECT RAISE(ABORT, 'the metric hamming is for the element_type binary, and its only one')
    WHERE (NEW.element_type = 'binary') <> (NEW.metric = 'hamming');
  SELECT RAISE(ABORT, 'a collection that has vectors keeps its dimensions and its element_type')
    WHERE (NEW.dimensions <> OLD.dimensions OR NEW.element_type <> OLD.element_type)
      AND EXISTS (SELECT 1 FROM vectors v WHERE v.collection = OLD.collection);
END;

DROP TRIGGER vectors_before_insert;
CREATE TRIGGER vectors_before_insert BEFORE INSERT ON vectors
BEGIN
  SELECT RAISE(ABORT, 'vector does not have the dimensions of its collection')
    FROM collections c WHERE c.collection = NEW.collection AND length(NEW.vector) <>
      CASE c.element_type WHEN 'float32' THEN 4 * c.dimensions WHEN 'float16' THEN 2 * c.dimensions
        WHEN 'int8' THEN c.dimensions ELSE (c.dimensions + 7) / 8 END;
  SELECT RAISE(ABORT, 'the first vector of a new collection is float32, of 4 bytes a dimension')
    WHERE length(NEW.vector) % 4 <> 0
      AND NOT EXISTS (SELECT 1 FROM collections c WHERE c.collection = NEW.collection);
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'vectors', v.vector_id, 'd', v.collection FROM vectors v
    WHERE v.collection = NEW.collection AND v.id = NEW.id;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'vectors', v.vector_id, 'd', v.collection FROM vectors v
    WHERE v.vector_id = NEW.vector_id AND v.collection <> NEW.collection;
END;

DROP TRIGGER vectors_before_update;
CREATE TRIGGER vectors_before_update BEFORE UPDATE ON vectors
BEGIN
  SELECT RAISE(ABORT, 'vector does not have the dimensions of its collection')
    FROM collections c WHERE c.collection = NEW.collection AND length(NEW.vector) <>
      CASE c.element_type WHEN 'float32' THEN 4 * c.dimensions WHEN 'float16' THEN 2 * c.dimensions
        WHEN 'int8' THEN c.dimensions ELSE (c.dimensions + 7) / 8 END;
  SELECT RAISE(ABORT, 'the first vector of a new collection is float32, of 4 bytes a dimension')
    WHERE length(NEW.vector) % 4 <> 0
      AND NOT EXISTS (SELECT 1 FROM collections c WHERE c.collection = NEW.collection);
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'vectors', v.vector_id, 'd', v.collection FROM vectors v
    WHERE v.collection = NEW.collection AND v.id = NEW.id AND v.vector_id <> OLD.vector_id;
END;

-- CREATE INDEX … ON vectors USING …: what was asked for. The index itself is derived, and lies in the
-- derived folder.
CREATE TABLE sqlagent_vector_indexes (
  name TEXT PRIMARY KEY NOT NULL CHECK (name <> ''),
  collection TEXT NOT NULL CHECK (collection <> ''),
  kind TEXT NOT NULL CHECK (kind IN ('exact', 'codes', 'ivf_pq', 'hnsw_sq')),
  options JSON TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(options)),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);
CREATE UNIQUE INDEX sqlagent_vector_indexes_of ON sqlagent_vector_indexes (collection);
