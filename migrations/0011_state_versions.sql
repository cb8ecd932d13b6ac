-- Versions of states in little space. A version of over 4,096 bytes is cut into parts of about a
-- kilobyte, which it shares with the versions before it: a change of one key costs one part, one block
-- (the list of some dozens of parts) and the row of the version, whose `blocks` lists them; its `data`
-- is JSON's null then. A client that is not ours writes a version whole, by the triggers of `states`;
-- the engine cuts it later. Rows that are there stay as they are.

CREATE TABLE sqlagent_state_parts (
  part_id INTEGER PRIMARY KEY,
  text TEXT NOT NULL
);

-- The parts in their order as a JSON list, the bytes of each, and of all.
CREATE TABLE sqlagent_state_blocks (
  block_id INTEGER PRIMARY KEY,
  bytes INTEGER NOT NULL,
  parts JSON TEXT NOT NULL,
  sizes JSON TEXT NOT NULL
);

-- Agents that share parts because one was forked from another: whoever removes one looks at the rest.
CREATE TABLE sqlagent_state_shares (
  family INTEGER NOT NULL,
  agent_id TEXT NOT NULL,
  PRIMARY KEY (agent_id, family)
) WITHOUT ROWID;
CREATE INDEX sqlagent_state_shares_by_family ON sqlagent_state_shares (family, agent_id);

-- What a version of an agent came from beside the one before it: at a fork the first from the original,
-- at a merge the merged from the other side.
CREATE TABLE sqlagent_state_links (
  agent_id TEXT NOT NULL,
  version_id INTEGER NOT NULL,
  from_version_id INTEGER NOT NULL,
  PRIMARY KEY (agent_id, version_id, from_version_id)
) WITHOUT ROWID;
CREATE INDEX sqlagent_state_links_by_origin ON sqlagent_state_links (from_version_id);

DROP TRIGGER state_versions_are_final;
DROP TRIGGER state_versions_are_kept;
DROP TRIGGER states_insert;
DROP TRIGGER states_move;
DROP TRIGGER states_version;

-- A foreign key cannot point at a view: this small table is made anew.
CREATE TABLE sqlagent_snapshot_versions_before AS SELECT snapshot_id, version_id FROM snapshot_versions;
DROP TABLE snapshot_versions;

-- As in former times: views of the users go on to name state_versions, which is a view now.
PRAGMA legacy_alter_table = ON;
ALTER TABLE state_versions RENAME TO sqlagent_state_versions;
PRAGMA legacy_alter_table = OFF;
ALTER TABLE sqlagent_state_versions ADD COLUMN blocks JSON TEXT;
-- 1 where it is older than the one before it, by the times that were given: see the search by time.
ALTER TABLE sqlagent_state_versions ADD COLUMN back BOOLEAN;
UPDATE sqlagent_state_versions SET back = 1 WHERE created_at < (
  SELECT p.created_at FROM sqlagent_state_versions AS p
  WHERE p.agent_id = sqlagent_state_versions.agent_id
    AND p.state_type = sqlagent_state_versions.state_type
    AND ifnull(p.session_id, '') = ifnull(sqlagent_state_versions.session_id, '')
    AND p.version = sqlagent_state_versions.version - 1);
CREATE INDEX sqlagent_state_versions_back ON sqlagent_state_versions
  (agent_id, state_type, ifnull(session_id, '')) WHERE back = 1;

CREATE TABLE snapshot_versions (
  snapshot_id INTEGER NOT NULL REFERENCES snapshots (snapshot_id) ON DELETE CASCADE,
  version_id INTEGER NOT NULL REFERENCES sqlagent_state_versions (version_id),
  PRIMARY KEY (snapshot_id, version_id)
) WITHOUT ROWID;
INSERT INTO snapshot_versions SELECT snapshot_id, version_id FROM sqlagent_snapshot_versions_before;
DROP TABLE sqlagent_snapshot_versions_before;

-- The versions that are still to be cut.
CREATE INDEX sqlagent_state_versions_whole ON sqlagent_state_versions (version_id)
  WHERE length(CAST(data AS BLOB)) > 4096;

CREATE VIEW state_versions AS
SELECT version_id, agent_id, session_id, state_type, version, parent_version, snapshot_name, checksum,
  created_at, metadata,
  CASE WHEN blocks IS NULL THEN data ELSE (
    SELECT group_concat(text, '') FROM (
      SELECT p.text FROM json_each(blocks) AS b
        CROSS JOIN sqlagent_state_blocks AS k ON k.block_id = b.value
        CROSS JOIN json_each(k.parts) AS e
        CROSS JOIN sqlagent_state_parts AS p ON p.part_id = e.value
      ORDER BY b.key, e.key)) END AS data
FROM sqlagent_state_versions;

CREATE TRIGGER state_versions_insert INSTEAD OF INSERT ON state_versions
BEGIN
  SELECT RAISE(ABORT, 'state_versions is read-only: save a new version in states');
END;

CREATE TRIGGER state_versions_update INSTEAD OF UPDATE ON state_versions
BEGIN
  SELECT RAISE(ABORT, 'state_versions is read-only: save a new version in states');
END;

CREATE TRIGGER state_versions_delete INSTEAD OF DELETE ON state_versions
BEGIN
  DELETE FROM sqlagent_state_versions WHERE version_id = OLD.version_id;
END;

-- A version never says anything else; being cut, its data becomes its blocks.
CREATE TRIGGER state_versions_are_final BEFORE UPDATE OF agent_id, session_id, state_type, version,
  data, created_at, blocks ON sqlagent_state_versions
WHEN NOT (OLD.blocks IS NULL AND NEW.blocks IS NOT NULL AND NEW.data = 'null'
  AND NEW.agent_id = OLD.agent_id AND NEW.session_id IS OLD.session_id
  AND NEW.state_type = OLD.state_type AND NEW.version = OLD.version
  AND NEW.created_at = OLD.created_at)
BEGIN
  SELECT RAISE(ABORT, 'state_versions is read-only: save a new version in states');
END;

-- What is erased for good goes from the history too: the engine says so while it does it.
CREATE TRIGGER state_versions_are_kept BEFORE DELETE ON sqlagent_state_versions
WHEN NOT EXISTS (SELECT 1 FROM sqlagent_meta WHERE name = 'erasing')
BEGIN
  SELECT RAISE(ABORT, 'state_versions is read-only: versions are kept');
END;

-- As in 0001, but for two things: a version that is older than the one before it says so, and while the
-- engine says that it is 'saving' it writes a row's first version itself.
CREATE TRIGGER states_insert AFTER INSERT ON states
WHEN NOT EXISTS (SELECT 1 FROM sqlagent_meta WHERE name = 'saving')
BEGIN
  UPDATE states SET version = 1 + ifnull((SELECT max(v.version) FROM sqlagent_state_versions v
      WHERE v.agent_id = NEW.agent_id AND v.state_type = NEW.state_type
        AND ifnull(v.session_id, '') = ifnull(NEW.session_id, '')), 0)
    WHERE state_id = NEW.state_id;
  INSERT INTO agents (agent_id) SELECT NEW.agent_id
    WHERE NOT EXISTS (SELECT 1 FROM agents a WHERE a.agent_id = NEW.agent_id);
  INSERT INTO sqlagent_state_versions (agent_id, session_id, state_type, version, parent_version,
      checksum, created_at, metadata, data, back)
    SELECT agent_id, session_id, state_type, version, nullif(version - 1, 0), checksum,
      strftime('%Y-%m-%d %H:%M:%f', created_at), metadata, data,
      (SELECT 1 FROM sqlagent_state_versions p WHERE p.agent_id = s.agent_id
        AND p.state_type = s.state_type AND ifnull(p.session_id, '') = ifnull(s.session_id, '')
        AND p.version = s.version - 1
        AND p.created_at > strftime('%Y-%m-%d %H:%M:%f', s.created_at))
    FROM states s WHERE state_id = NEW.state_id AND NOT EXISTS (
      SELECT 1 FROM sqlagent_state_versions v WHERE v.agent_id = s.agent_id
        AND v.state_type = s.state_type
        AND ifnull(v.session_id, '') = ifnull(s.session_id, '') AND v.version = s.version);
END;

CREATE TRIGGER states_move AFTER UPDATE OF agent_id, session_id, state_type ON states
WHEN NEW.agent_id <> OLD.agent_id OR NEW.state_type <> OLD.state_type
  OR ifnull(NEW.session_id, '') <> ifnull(OLD.session_id, '')
BEGIN
  UPDATE states SET version = 1 + ifnull((SELECT max(v.version) FROM sqlagent_state_versions v
      WHERE v.agent_id = NEW.agent_id AND v.state_type = NEW.state_type
        AND ifnull(v.session_id, '') = ifnull(NEW.session_id, '')), 0)
    WHERE state_id = NEW.state_id;
  INSERT INTO agents (agent_id) SELECT NEW.agent_id
    WHERE NOT EXISTS (SELECT 1 FROM agents a WHERE a.agent_id = NEW.agent_id);
  INSERT INTO sqlagent_state_versions (agent_id, session_id, state_type, version, parent_version,
      checksum, created_at, metadata, data, back)
    SELECT agent_id, session_id, state_type, version, nullif(version - 1, 0), checksum,
      strftime('%Y-%m-%d %H:%M:%f', created_at), metadata, data,
      (SELECT 1 FROM sqlagent_state_versions p WHERE p.agent_id = s.agent_id
        AND p.state_type = s.state_type AND ifnull(p.session_id, '') = ifnull(s.session_id, '')
        AND p.version = s.version - 1
        AND p.created_at > strftime('%Y-%m-%d %H:%M:%f', s.created_at))
    FROM states s WHERE state_id = NEW.state_id AND NOT EXISTS (
      SELECT 1 FROM sqlagent_state_versions v WHERE v.agent_id = s.agent_id
        AND v.state_type = s.state_type
        AND ifnull(v.session_id, '') = ifnull(s.session_id, '') AND v.version = s.version);
END;

-- Where the engine has written the version before the row, the newest is not the old one any more.
CREATE TRIGGER states_version AFTER UPDATE OF version ON states
WHEN NEW.version <> OLD.version AND OLD.version = (SELECT max(v.version)
  FROM sqlagent_state_versions v
  WHERE v.agent_id = NEW.agent_id AND v.state_type = NEW.state_type
    AND ifnull(v.session_id, '') = ifnull(NEW.session_id, ''))
BEGIN
  SELECT RAISE(ABORT, 'the version of a state only counts up by one') WHERE NEW.version <> OLD.version + 1;
  INSERT INTO sqlagent_state_versions (agent_id, session_id, state_type, version, parent_version,
      checksum, created_at, metadata, data, back)
    VALUES (NEW.agent_id, NEW.session_id, NEW.state_type, NEW.version, NEW.version - 1, NEW.checksum,
      strftime('%Y-%m-%d %H:%M:%f', NEW.created_at), NEW.metadata, NEW.data,
      (SELECT 1 FROM sqlagent_state_versions p WHERE p.agent_id = NEW.agent_id
        AND p.state_type = NEW.state_type
        AND ifnull(p.session_id, '') = ifnull(NEW.session_id, '') AND p.version = OLD.version
        AND p.created_at > strftime('%Y-%m-%d %H:%M:%f', NEW.created_at)));
END;

-- The change log has states and sessions too, so that an index, columns and watch() hear of them. A
-- file may have such triggers from its analyses.
DROP TRIGGER IF EXISTS sqlagent_log_states_insert;
DROP TRIGGER IF EXISTS sqlagent_log_states_update;
DROP TRIGGER IF EXISTS sqlagent_log_states_delete;
DROP TRIGGER IF EXISTS sqlagent_log_states_before_insert;
DROP TRIGGER IF EXISTS sqlagent_log_states_before_update;
DROP TRIGGER IF EXISTS sqlagent_log_sessions_insert;
DROP TRIGGER IF EXISTS sqlagent_log_sessions_update;
DROP TRIGGER IF EXISTS sqlagent_log_sessions_delete;
DROP TRIGGER IF EXISTS sqlagent_log_sessions_before_insert;
DROP TRIGGER IF EXISTS sqlagent_log_sessions_before_update;
DROP TRIGGER IF EXISTS sqlagent_log_state_versions_insert;
DROP TRIGGER IF EXISTS sqlagent_log_state_versions_update;
DROP TRIGGER IF EXISTS sqlagent_log_state_versions_delete;
DROP TRIGGER IF EXISTS sqlagent_log_state_versions_before_insert;
DROP TRIGGER IF EXISTS sqlagent_log_state_versions_before_update;

CREATE TRIGGER sqlagent_log_states_insert AFTER INSERT ON states
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('states', NEW.state_id, 'i', NEW.agent_id);
END;

CREATE TRIGGER sqlagent_log_states_update AFTER UPDATE ON states
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'states', OLD.state_id, 'd', OLD.agent_id
    WHERE OLD.state_id <> NEW.state_id OR OLD.agent_id <> NEW.agent_id;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('states', NEW.state_id, 'u', NEW.agent_id);
END;

CREATE TRIGGER sqlagent_log_states_delete AFTER DELETE ON states
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('states', OLD.state_id, 'd', OLD.agent_id);
END;

CREATE TRIGGER sqlagent_log_states_before_insert BEFORE INSERT ON states
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'states', s.state_id, 'd', s.agent_id FROM states s WHERE s.agent_id = NEW.agent_id
      AND s.state_type = NEW.state_type AND ifnull(s.session_id, '') = ifnull(NEW.session_id, '');
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'states', s.state_id, 'd', s.agent_id FROM states s WHERE s.state_id = NEW.state_id;
END;

CREATE TRIGGER sqlagent_log_states_before_update
BEFORE UPDATE OF state_id, agent_id, session_id, state_type ON states
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'states', s.state_id, 'd', s.agent_id FROM states s WHERE s.agent_id = NEW.agent_id
      AND s.state_type = NEW.state_type AND ifnull(s.session_id, '') = ifnull(NEW.session_id, '')
      AND s.state_id <> OLD.state_id;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'states', s.state_id, 'd', s.agent_id FROM states s WHERE s.state_id = NEW.state_id
      AND s.state_id <> OLD.state_id;
END;

CREATE TRIGGER sqlagent_log_sessions_insert AFTER INSERT ON sessions
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('sessions', NEW.rowid, 'i', NEW.agent_id);
END;

CREATE TRIGGER sqlagent_log_sessions_update AFTER UPDATE ON sessions
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'sessions', OLD.rowid, 'd', OLD.agent_id
    WHERE OLD.rowid <> NEW.rowid OR OLD.agent_id <> NEW.agent_id;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('sessions', NEW.rowid, 'u', NEW.agent_id);
END;

CREATE TRIGGER sqlagent_log_sessions_delete AFTER DELETE ON sessions
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('sessions', OLD.rowid, 'd', OLD.agent_id);
END;

CREATE TRIGGER sqlagent_log_sessions_before_insert BEFORE INSERT ON sessions
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'sessions', s.rowid, 'd', s.agent_id FROM sessions s
    WHERE s.session_id = NEW.session_id OR s.rowid = NEW.rowid;
END;

CREATE TRIGGER sqlagent_log_sessions_before_update BEFORE UPDATE OF session_id ON sessions
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'sessions', s.rowid, 'd', s.agent_id FROM sessions s
    WHERE s.session_id = NEW.session_id AND s.rowid <> OLD.rowid;
END;
