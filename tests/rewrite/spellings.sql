-- total
SELECT total(n) FROM t
sqlite: SELECT total(n) FROM t
duckdb: SELECT COALESCE(SUM(CAST(n AS DOUBLE)), CAST(0 AS DOUBLE)) FROM t

-- iif
SELECT iif(n > 0, 1, 2) FROM t
sqlite: SELECT IIF(n > 0, 1, 2) FROM t
duckdb: SELECT CASE WHEN n > 0 THEN 1 ELSE 2 END FROM t

-- division
SELECT n / 2 FROM t
sqlite: SELECT (CAST(n AS REAL) / 2) FROM t
duckdb: SELECT n / 2 FROM t

-- division by a column
SELECT x / nullif(n, 0) FROM t
sqlite: SELECT (COALESCE(x / NULLIF(n, 0), CASE WHEN NOT x IS NULL AND NOT NULLIF(n, 0) IS NULL THEN json_extract('0', 'sqlagent: a division by zero') END)) FROM t
duckdb: SELECT x / nullif(n, 0) FROM t

-- integer division
SELECT n // 2 FROM t
sqlite: SELECT (n / 2) FROM t
duckdb: SELECT n // 2 FROM t

-- ILIKE
SELECT id FROM t WHERE s ILIKE 'A%'
sqlite: SELECT id FROM t WHERE lower(s) LIKE lower('A%')
duckdb: SELECT id FROM t WHERE s ILIKE 'A%'

-- JSON text
SELECT metadata->>'$.topic' FROM memories
sqlite: SELECT CASE json_type(metadata, '$.topic') WHEN 'text' THEN (metadata ->> '$.topic') ELSE NULLIF((metadata -> '$.topic'), 'null') END FROM memories
duckdb: SELECT metadata->>'$.topic' FROM memories

-- order with NULLs
SELECT id FROM t ORDER BY n, id, s DESC
sqlite: SELECT id FROM t ORDER BY n NULLS LAST, id, s DESC
duckdb: SELECT id FROM t ORDER BY n, id, s DESC

-- a blob
SELECT id FROM t WHERE v = x'00ff' AND s LIKE 'a'
sqlite: SELECT id FROM t WHERE v = x'00ff' AND s LIKE 'a'
duckdb: SELECT id FROM t WHERE v = from_hex('00ff') AND s LIKE 'a'

-- a reserved word
SELECT at || 'x' FROM t
sqlite: SELECT at || 'x' FROM t
duckdb: SELECT "at" || 'x' FROM t

-- a group's parameter
SELECT n + :a, count(*) FROM t GROUP BY n + :a
sqlite: SELECT n + ?1, COUNT(*) FROM t GROUP BY n + ?1
duckdb: SELECT n + $1, count(*) FROM t GROUP BY n + $1

-- comments and strings
SELECT count(*) /* ? */ FROM t -- 'x'
WHERE s = $$it's$$
sqlite: SELECT COUNT(*) FROM t WHERE s = 'it''s'
duckdb: SELECT count(*)         FROM t        WHERE s = 'it''s'

-- a view
SELECT sum(age) FROM ages
sqlite: SELECT SUM(age) FROM ages
duckdb: SELECT SUM(age) FROM (SELECT id, (divide(epoch_us(make_timestamp(epoch_us(now()))) + 210866760000000500, 1000) / 86400000e0) - (divide(epoch_us(ts) + 210866760000000500, 1000) / 86400000e0) AS age, (n // 2) AS h FROM t WHERE ts > (make_timestamp(epoch_us(now())) + CAST('-1 day' AS INTERVAL))) AS ages("id", "age", "h")

-- bit by bit
SELECT id FROM t WHERE n & 1 = 1 OR s LIKE 'x'
sqlite: SELECT id FROM t WHERE n & 1 = 1 OR s LIKE 'x'
duckdb: SELECT id FROM t WHERE n & 1 = 1 OR s LIKE 'x'
