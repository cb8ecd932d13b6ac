-- What FSRS knows of a memory beside its stability: how hard it is to keep (1..10; 2.1181 is where one
-- that was met once, and kept well, begins), and when it was last recalled in vain.
-- `massed` is how many of access_count came in bursts: a recall a minute after another is hardly one
-- more, so what counts is access_count - massed. A foreign UPDATE of access_count counts in full.
ALTER TABLE memories ADD COLUMN difficulty DOUBLE NOT NULL DEFAULT 2.1181
  CHECK (typeof(difficulty) IN ('real', 'integer') AND difficulty BETWEEN 1 AND 10);
ALTER TABLE memories ADD COLUMN massed DOUBLE NOT NULL DEFAULT 0
  CHECK (typeof(massed) IN ('real', 'integer') AND massed >= 0);
ALTER TABLE memories ADD COLUMN lapsed_at TIMESTAMP CHECK (lapsed_at IS NULL
  OR (lapsed_at GLOB '????-??-?? ??:??:??.???' AND julianday(lapsed_at) IS NOT NULL));

-- What the sessions that go on are working with: few rows, found without reading the others.
CREATE INDEX memories_working ON memories (session_id, agent_id) WHERE tier = 'working';

-- A memory's decay now. `decayed_importance` is the seed's formula over the row as it is. `activation` is
-- ACT-R's base level in the constant-space form of Petrov (2006), d = 0.5, with one recent use exactly and
-- the others spread evenly: (sqrt(age) - sqrt(used)) / (0.5 * (age - used)) is 2 / (sqrt(age) + sqrt(used)),
-- which has no gap where both are the same. `retention` is the FSRS-4.5 curve, 0.9 after one stability.
-- `strength` adds retention and the logistic of activation, x / (1 + x) with x = exp(activation), by halves,
-- for as much as the importance lets it: within 0..1, never rising with age, never falling with a use.
DROP VIEW memory_strength;
CREATE VIEW memory_strength AS
SELECT memory_id, agent_id, age_days, idle_days, uses,
  importance * exp(-0.1 * age_days) * ln(access_count + 1) AS decayed_importance,
  ln(trace) AS activation, retention,
  (0.2 + 0.8 * importance) * (0.5 * retention + 0.5 / (1.0 + 1.0 / trace)) AS strength
FROM (
  SELECT memory_id, agent_id, importance, access_count, age_days, idle_days, uses,
    1.0 / sqrt(used) + 2.0 * uses / (sqrt(age) + sqrt(used)) AS trace,
    1.0 / sqrt(1.0 + 19.0 / 81.0 * used / stability_days) AS retention
  FROM (
    SELECT memory_id, agent_id, importance, access_count, stability_days,
      max(0.0, access_count - massed) AS uses,
      max(0.0, julianday('now') - julianday(created_at)) AS age_days,
      max(1.0 / 86400, julianday('now') - julianday(created_at)) AS age,
      max(0.0, julianday('now') - julianday(ifnull(last_access_at, created_at))) AS idle_days,
      max(1.0 / 86400, julianday('now') - julianday(ifnull(last_access_at, created_at))) AS used
    FROM memories));

-- What a life is by default; read them, change them, switch them off. None deletes anything, and what
-- they do can be undone. A policy that holds decides also where nothing is left to do, so what is long
-- term for a reason is not taken down by a policy of a lower priority. `settled_days` is how long ago an
-- operation last changed a memory: what has stepped down has a month until it goes.
INSERT INTO memory_policies (name, event, action, to_tier, condition, priority) VALUES
  ('what expired a month ago goes', 'maintenance', 'archive', NULL,
    'expires_at < now() - INTERVAL 30 DAY', 40),
  ('what is pinned or important stays', 'maintenance', 'promote', 'long_term',
    'pinned OR importance >= 0.9', 30),
  ('what is used again and again stays', 'maintenance', 'promote', 'long_term',
    'uses >= 3 AND idle_days < 10 * stability_days', 20),
  ('what was long term and has faded steps down', 'maintenance', 'demote', 'short_term',
    'tier = ''long_term'' AND strength < 0.1', 10),
  ('what was never used and has faded goes', 'maintenance', 'archive', NULL,
    'tier = ''short_term'' AND uses < 1 AND idle_days > 180 AND strength < 0.05 AND settled_days > 30', 0),
  ('what mattered in a session is kept', 'session_end', 'promote', 'short_term',
    'pinned OR importance >= 0.6 OR uses >= 0.5', 10),
  ('the rest of a session goes', 'session_end', 'archive', NULL, 'true', 0);
