-- A save is its own entry of the change log. The history of states only grows, in the order of the
-- commits, as the log does: so both count in one sequence, and the version that a save writes is what
-- the log says of it. One row less is written by each save, and one page less goes to the disk.
--
-- sqlagent_change_log is a view now, of the entries that were written as such and of those versions that
-- are entries (`state_id` says of which row). Whoever reads it sees what it always was, and an INSERT
-- into it, as in the triggers of tables of users, goes to the entries under the next number of both.

DROP TRIGGER sqlagent_change_log_keeps_newest;
DROP TRIGGER sqlagent_change_log_trims_itself;

-- As in former times: triggers and views of users go on to name sqlagent_change_log.
PRAGMA legacy_alter_table = ON;
ALTER TABLE sqlagent_change_log RENAME TO sqlagent_change_entries;
PRAGMA legacy_alter_table = OFF;

-- The row of `states` that a version is the entry of; NULL where the entry is written down beside it.
ALTER TABLE sqlagent_state_versions ADD COLUMN state_id INTEGER;

-- Numbers of versions were counted by themselves until now: the log goes on above them.
INSERT INTO sqlagent_change_entries (seq, tbl, pk, op)
  SELECT max(version_id) + 1, 'sqlagent_state_versions', NULL, 'u' FROM sqlagent_state_versions
  HAVING max(version_id) >= ifnull((SELECT max(seq) FROM sqlagent_change_entries), 0);

-- Of the versions the newest 200,000 count, as of the entries. The casts give both halves one affinity,
-- without which SQLite would read all of the log for its last entry.
CREATE VIEW sqlagent_change_log AS
SELECT seq, tbl, pk, op, scope, at FROM sqlagent_change_entries
UNION ALL
SELECT version_id, CAST('states' AS TEXT), state_id, CAST('u' AS TEXT), agent_id, created_at FROM sqlagent_state_versions
WHERE state_id IS NOT NULL
  AND version_id > (SELECT max(version_id) FROM sqlagent_state_versions) - 200000;

CREATE TRIGGER sqlagent_change_log_insert INSTEAD OF INSERT ON sqlagent_change_log
BEGIN
  INSERT INTO sqlagent_change_entries (seq, tbl, pk, op, scope, at)
    VALUES (
      1 + max(ifnull((SELECT max(seq) FROM sqlagent_change_entries), 0),
        ifnull((SELECT max(version_id) FROM sqlagent_state_versions), 0)),
      NEW.tbl, NEW.pk, NEW.op, NEW.scope, ifnull(NEW.at, strftime('%Y-%m-%d %H:%M:%f', 'now')));
END;

-- What is written as a version goes with the history alone.
CREATE TRIGGER sqlagent_change_log_delete INSTEAD OF DELETE ON sqlagent_change_log
BEGIN
  DELETE FROM sqlagent_change_entries WHERE seq = OLD.seq;
END;

CREATE TRIGGER sqlagent_change_entries_keep_newest BEFORE DELETE ON sqlagent_change_entries
WHEN OLD.seq = (SELECT max(seq) FROM sqlagent_change_entries)
BEGIN
  SELECT RAISE(ABORT, 'the newest row of the change log cannot be deleted');
END;

-- As in 0005, but that numbers are left out where versions have them.
CREATE TRIGGER sqlagent_change_entries_trim_themselves AFTER INSERT ON sqlagent_change_entries
WHEN NEW.seq - 201000 >= (SELECT min(seq) FROM sqlagent_change_entries)
BEGIN
  DELETE FROM sqlagent_change_entries WHERE seq <= NEW.seq - 200000;
END;

-- A number is given once: where the newest version goes for good, the log has the next one.
CREATE TRIGGER sqlagent_state_versions_delete AFTER DELETE ON sqlagent_state_versions
WHEN OLD.version_id > ifnull((SELECT max(version_id) FROM sqlagent_state_versions), 0)
  AND OLD.version_id > ifnull((SELECT max(seq) FROM sqlagent_change_entries), 0)
BEGIN
  INSERT INTO sqlagent_change_entries (seq, tbl, pk, op)
    VALUES (OLD.version_id + 1, 'states', OLD.state_id, 'd');
END;

DROP TRIGGER states_insert;
DROP TRIGGER states_move;
DROP TRIGGER states_version;
DROP TRIGGER sqlagent_log_states_update;

-- As in 0011, under the next number of the log.
CREATE TRIGGER states_insert AFTER INSERT ON states
WHEN NOT EXISTS (SELECT 1 FROM sqlagent_meta WHERE name = 'saving')
BEGIN
  UPDATE states SET version = 1 + ifnull((SELECT max(v.version) FROM sqlagent_state_versions v
      WHERE v.agent_id = NEW.agent_id AND v.state_type = NEW.state_type
        AND ifnull(v.session_id, '') = ifnull(NEW.session_id, '')), 0)
    WHERE state_id = NEW.state_id;
  INSERT INTO agents (agent_id) SELECT NEW.agent_id
    WHERE NOT EXISTS (SELECT 1 FROM agents a WHERE a.agent_id = NEW.agent_id);
  INSERT INTO sqlagent_state_versions (version_id, agent_id, session_id, state_type, version,
      parent_version, checksum, created_at, metadata, data, back)
    SELECT 1 + max(ifnull((SELECT max(seq) FROM sqlagent_change_entries), 0),
        ifnull((SELECT max(version_id) FROM sqlagent_state_versions), 0)),
      agent_id, session_id, state_type, version, nullif(version - 1, 0), checksum,
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
  INSERT INTO sqlagent_state_versions (version_id, agent_id, session_id, state_type, version,
      parent_version, checksum, created_at, metadata, data, back)
    SELECT 1 + max(ifnull((SELECT max(seq) FROM sqlagent_change_entries), 0),
        ifnull((SELECT max(version_id) FROM sqlagent_state_versions), 0)),
      agent_id, session_id, state_type, version, nullif(version - 1, 0), checksum,
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

-- A change that is no version, and a row that went from one agent to another.
CREATE TRIGGER sqlagent_log_states_update AFTER UPDATE ON states
WHEN NEW.version = OLD.version OR OLD.state_id <> NEW.state_id OR OLD.agent_id <> NEW.agent_id
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'states', OLD.state_id, 'd', OLD.agent_id
    WHERE OLD.state_id <> NEW.state_id OR OLD.agent_id <> NEW.agent_id;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('states', NEW.state_id, 'u', NEW.agent_id);
END;

-- Where the newest version is not the old one, another trigger or the engine writes the version: then
-- the entry is written down.
CREATE TRIGGER states_version AFTER UPDATE OF version ON states
WHEN NEW.version <> OLD.version
BEGIN
  SELECT RAISE(ABORT, 'the version of a state only counts up by one')
    WHERE NEW.version <> OLD.version + 1 AND OLD.version = (SELECT max(v.version)
      FROM sqlagent_state_versions v
      WHERE v.agent_id = NEW.agent_id AND v.state_type = NEW.state_type
        AND ifnull(v.session_id, '') = ifnull(NEW.session_id, ''));
  INSERT INTO sqlagent_state_versions (version_id, state_id, agent_id, session_id, state_type, version,
      parent_version, checksum, created_at, metadata, data, back)
    SELECT 1 + max(ifnull((SELECT max(seq) FROM sqlagent_change_entries), 0),
        ifnull((SELECT max(version_id) FROM sqlagent_state_versions), 0)),
      NEW.state_id, NEW.agent_id, NEW.session_id, NEW.state_type, NEW.version, NEW.version - 1,
      NEW.checksum, strftime('%Y-%m-%d %H:%M:%f', NEW.created_at), NEW.metadata, NEW.data,
      CASE WHEN p.created_at > strftime('%Y-%m-%d %H:%M:%f', NEW.created_at) THEN 1 END
    FROM (
      SELECT v.version, v.created_at FROM sqlagent_state_versions v
      WHERE v.agent_id = NEW.agent_id AND v.state_type = NEW.state_type
        AND ifnull(v.session_id, '') = ifnull(NEW.session_id, '')
      ORDER BY v.version DESC LIMIT 1) AS p
    WHERE p.version = OLD.version;
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    SELECT 'states', NEW.state_id, 'u', NEW.agent_id WHERE changes() = 0;
END;

-- Made anew only to be after the one that numbers the row: SQLite runs the last one made first, and
-- 'i' is the first that the log says of a row.
DROP TRIGGER sqlagent_log_states_insert;

CREATE TRIGGER sqlagent_log_states_insert AFTER INSERT ON states
BEGIN
  INSERT INTO sqlagent_change_log (tbl, pk, op, scope)
    VALUES ('states', NEW.state_id, 'i', NEW.agent_id);
END;
