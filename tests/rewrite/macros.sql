-- defaults
SELECT decay(0.5, n) FROM t
sqlite: SELECT (0.5e0 * EXP(-0.1e0 * n)) AS decay FROM t
duckdb: SELECT (0.5e0 * EXP(-0.1e0 * n)) AS decay FROM t

-- given
SELECT decay(x, n + 1, rate => 0.2) AS d FROM t
sqlite: SELECT (COALESCE(x * EXP(-0.2e0 * ((CASE WHEN typeof((n + 1)) = 'real' THEN json_extract('0', 'sqlagent: integer out of range') ELSE (n + 1) END))), CASE WHEN NOT x IS NULL AND NOT EXP(-0.2e0 * (n + 1)) IS NULL THEN json_extract('0', 'sqlagent: NaN') END)) AS d FROM t
duckdb: SELECT (x * EXP(-0.2e0 * (n + 1))) AS d FROM t

-- nested
SELECT decay(decay(x, 1), n) FROM t
sqlite: SELECT (COALESCE((x * EXP(-0.1e0 * 1)) * EXP(-0.1e0 * n), CASE WHEN NOT x IS NULL AND NOT EXP(-0.1e0 * 1) IS NULL AND NOT EXP(-0.1e0 * n) IS NULL THEN json_extract('0', 'sqlagent: NaN') END)) AS decay FROM t
duckdb: SELECT ((x * EXP(-0.1e0 * 1)) * EXP(-0.1e0 * n)) AS decay FROM t

-- parameters
SELECT decay(?, ?)
sqlite: SELECT (?1 * EXP(-0.1e0 * ?2)) AS decay
duckdb: SELECT ($1 * EXP(-0.1e0 * $2)) AS decay
