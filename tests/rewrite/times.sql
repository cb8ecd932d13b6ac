-- ISO form with an offset
SELECT memory_id FROM memories WHERE created_at > '2026-01-01T02:00:00+02:00'
sqlite: SELECT memory_id FROM memories WHERE created_at > '2026-01-01 00:00:00.000'
duckdb: SELECT memory_id FROM memories WHERE created_at > CAST('2026-01-01 00:00:00.000' AS TIMESTAMP)

-- a parameter
SELECT memory_id FROM memories WHERE created_at > ?
sqlite: SELECT memory_id FROM memories WHERE created_at > strftime('%Y-%m-%d %H:%M:%f', ?1)
duckdb: SELECT memory_id FROM memories WHERE created_at > make_timestamp(epoch_us(CAST($1 AS TIMESTAMPTZ)))

-- a user's column
SELECT id FROM t WHERE ts > '2026-01-01'
sqlite: SELECT id FROM t WHERE strftime('%Y-%m-%d %H:%M:%f', ts) > '2026-01-01 00:00:00.000'
duckdb: SELECT id FROM t WHERE ts > '2026-01-01'

-- two dates
SELECT id FROM t WHERE d BETWEEN '2026-01-01' AND ?
sqlite: SELECT id FROM t WHERE d BETWEEN '2026-01-01' AND date(?1)
duckdb: SELECT id FROM t WHERE d BETWEEN '2026-01-01' AND $1

-- now less an interval
SELECT id FROM t WHERE ts < now() - INTERVAL 7 DAY
sqlite: SELECT id FROM t WHERE strftime('%Y-%m-%d %H:%M:%f', ts) < strftime('%Y-%m-%d %H:%M:%f', 'now', '-7 day')
duckdb: SELECT id FROM t WHERE ts < (make_timestamp(epoch_us(now())) + CAST('-7 day' AS INTERVAL))

-- a month ends where it ends
SELECT ts + INTERVAL 1 MONTH FROM t
sqlite: SELECT strftime('%Y-%m-%d %H:%M:%f', ts, '+1 month', 'floor') FROM t
duckdb: SELECT ts + INTERVAL 1 MONTH FROM t

-- SQLite's spelling
SELECT memory_id FROM memories WHERE created_at > datetime('now', '-1 day')
sqlite: SELECT memory_id FROM memories WHERE created_at > strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 day')
duckdb: SELECT memory_id FROM memories WHERE created_at > (make_timestamp(epoch_us(now())) + CAST('-1 day' AS INTERVAL))

-- a bound modifier
SELECT memory_id FROM memories WHERE created_at > datetime('now', ?)
sqlite: SELECT memory_id FROM memories WHERE created_at > strftime('%Y-%m-%d %H:%M:%f', 'now', ?1)
duckdb: SELECT memory_id FROM memories WHERE created_at > CAST(sqlite_datetime(now(), $1) AS TIMESTAMP)

-- both strftimes
SELECT strftime('%Y', ts), strftime(ts, '%Y') FROM t
sqlite: SELECT strftime('%Y', ts), strftime('%Y', ts) FROM t
duckdb: SELECT strftime(ts, '%Y'), strftime(ts, '%Y') FROM t

-- date
SELECT date(ts, 'start of month') FROM t
sqlite: SELECT date(ts, 'start of month') FROM t
duckdb: SELECT CAST(date_trunc('month', ts) AS DATE) FROM t

-- parts
SELECT year(ts), extract(month FROM ts) FROM t
sqlite: SELECT CAST(strftime('%Y', strftime('%Y-%m-%d %H:%M:%f', ts)) AS INTEGER), CAST(strftime('%m', strftime('%Y-%m-%d %H:%M:%f', ts)) AS INTEGER) FROM t
duckdb: SELECT year(ts), extract(month FROM ts) FROM t

-- julianday
SELECT julianday(ts) FROM t
sqlite: SELECT julianday(ts) FROM t
duckdb: SELECT (divide(epoch_us(ts) + 210866760000000500, 1000) / 86400000e0) FROM t

-- no time
SELECT id FROM t WHERE ts > 'soon'
error: expected a time such as 2026-01-31 12:00:00, not 'soon'
