-- Users of `sqlagent serve`. A verifier is PostgreSQL's SCRAM-SHA-256 form; the password is nowhere.
-- Within its role a user has every table and every agent until the first grant narrows that; from
-- then on there is what is granted, and taking the last grant away leaves nothing.
CREATE TABLE sqlagent_users (
  name TEXT PRIMARY KEY NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
  verifier TEXT CHECK (verifier GLOB 'SCRAM-SHA-256$[1-9]*:?*$?*:?*'),
  role TEXT NOT NULL DEFAULT 'reader' CHECK (role IN ('reader', 'writer', 'admin')),
  can_log_in BOOLEAN NOT NULL DEFAULT 1 CHECK (can_log_in IN (0, 1)),
  every_table BOOLEAN NOT NULL DEFAULT 1 CHECK (every_table IN (0, 1)),
  every_agent BOOLEAN NOT NULL DEFAULT 1 CHECK (every_agent IN (0, 1)),
  connections_max INTEGER CHECK (connections_max >= 0),
  statement_timeout_ms INTEGER CHECK (statement_timeout_ms >= 0),
  rows_max INTEGER CHECK (rows_max >= 0),
  created_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);

-- `kind` 'table': `privilege` on the table `object`. 'agent': the rows of the agent `object`.
CREATE TABLE sqlagent_grants (
  user_name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('table', 'agent')),
  object TEXT NOT NULL CHECK (length(object) > 0),
  privilege TEXT NOT NULL CHECK (CASE kind
    WHEN 'table' THEN privilege IN ('select', 'insert', 'update', 'delete')
    ELSE privilege = 'use' END),
  granted_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  PRIMARY KEY (user_name, kind, object, privilege)
);

CREATE TRIGGER sqlagent_grants_user BEFORE INSERT ON sqlagent_grants
BEGIN
  SELECT RAISE(ABORT, 'a grant is to a user that exists')
    WHERE NOT EXISTS (SELECT 1 FROM sqlagent_users u WHERE u.name = NEW.user_name);
END;

CREATE TRIGGER sqlagent_grants_narrow AFTER INSERT ON sqlagent_grants
BEGIN
  UPDATE sqlagent_users SET every_table = 0
    WHERE name = NEW.user_name AND NEW.kind = 'table' AND every_table;
  UPDATE sqlagent_users SET every_agent = 0
    WHERE name = NEW.user_name AND NEW.kind = 'agent' AND every_agent;
END;

-- A user of the same name, made later, inherits nothing; and a user who is renamed keeps what is his.
CREATE TRIGGER sqlagent_users_after_delete AFTER DELETE ON sqlagent_users
BEGIN
  DELETE FROM sqlagent_grants WHERE user_name = OLD.name;
END;

CREATE TRIGGER sqlagent_users_after_rename AFTER UPDATE OF name ON sqlagent_users
WHEN NEW.name <> OLD.name
BEGIN
  UPDATE sqlagent_grants SET user_name = NEW.name WHERE user_name = OLD.name;
END;
