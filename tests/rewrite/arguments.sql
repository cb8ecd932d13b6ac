-- named
SELECT id FROM near('a', x'00', k => 3)
sqlite: SELECT id FROM near('a', x'00', 3, NULL)
duckdb: SELECT id FROM near('a', from_hex('00'), 3, NULL) AS near

-- named by :=
SELECT id FROM near('a', ?, filter := 'id > 1')
sqlite: SELECT id FROM near('a', ?1, NULL, 'id > 1')
duckdb: SELECT id FROM near('a', $1, NULL, 'id > 1') AS near

-- out of order
SELECT id FROM near(vector => ?, name => 'a') WHERE id LIKE 'x%'
sqlite: SELECT id FROM near('a', ?1, NULL, NULL) AS near WHERE id LIKE 'x%'
duckdb: SELECT id FROM near('a', $1, NULL, NULL) AS near WHERE id LIKE 'x%'

-- twice
SELECT id FROM near('a', ?, k => 1, k => 2)
error: near got its argument "k" twice

-- unknown name
SELECT id FROM near('a', ?, kk => 1)
error: near has no argument "kk"

-- missing
SELECT id FROM near('a')
error: near needs its argument vector

-- too many
SELECT tokens('a', 'b')
error: tokens takes at most 1 arguments, 2 were given

-- a scalar
SELECT tokens(text => s) FROM t
sqlite: SELECT tokens(s) FROM t
duckdb: SELECT tokens(s) FROM t

-- a constant vector
SELECT id FROM near('a', [1.0, -2])
sqlite: SELECT id FROM near('a', x'0000803f000000c0', NULL, NULL) AS near
duckdb: SELECT id FROM near('a', [1.0, -2], NULL, NULL) AS near
