-- The views of pg_catalog and information_schema over its tables. Each names the columns that it
-- knows; `store` gives it the others, as NULL, in PostgreSQL's order. A name with a dot is a name:
-- "information_schema.tables" is how the store keeps that relation.

-- VIEW pg_tables
SELECT n.nspname AS schemaname, c.relname AS tablename, pg_get_userbyid(c.relowner) AS tableowner,
  c.relhasindex AS hasindexes, c.relhasrules AS hasrules, c.relhastriggers AS hastriggers,
  c.relrowsecurity AS rowsecurity
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p');
-- VIEW pg_views
SELECT n.nspname AS schemaname, c.relname AS viewname, pg_get_userbyid(c.relowner) AS viewowner,
  pg_get_viewdef(c.oid) AS definition
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'v';
-- VIEW pg_matviews
SELECT n.nspname AS schemaname, c.relname AS matviewname, pg_get_userbyid(c.relowner) AS matviewowner,
  c.relhasindex AS hasindexes, c.relispopulated AS ispopulated, pg_get_viewdef(c.oid) AS definition
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'm';
-- VIEW pg_indexes
SELECT n.nspname AS schemaname, c.relname AS tablename, i.relname AS indexname,
  pg_get_indexdef(i.oid) AS indexdef
FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indrelid JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace;
-- VIEW pg_roles
SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
  rolconnlimit, '********' AS rolpassword, rolvaliduntil, rolbypassrls, oid
FROM pg_authid;
-- VIEW pg_user
SELECT rolname AS usename, oid AS usesysid, rolcreatedb AS usecreatedb, rolsuper AS usesuper,
  rolreplication AS userepl, rolbypassrls AS usebypassrls, '********' AS passwd
FROM pg_authid WHERE rolcanlogin;
-- VIEW pg_shadow
SELECT rolname AS usename, oid AS usesysid, rolcreatedb AS usecreatedb, rolsuper AS usesuper,
  rolreplication AS userepl, rolbypassrls AS usebypassrls
FROM pg_authid WHERE rolcanlogin;
-- VIEW pg_stat_user_tables
SELECT c.oid AS relid, n.nspname AS schemaname, c.relname AS relname, 0 AS seq_scan, 0 AS seq_tup_read,
  0 AS idx_scan, 0 AS idx_tup_fetch, 0 AS n_tup_ins, 0 AS n_tup_upd, 0 AS n_tup_del,
  coalesce(CAST(getvariable('tuples')[c.oid] AS BIGINT), CAST(greatest(c.reltuples, 0) AS BIGINT)) AS n_live_tup, 0 AS n_dead_tup
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname = 'public';
-- VIEW pg_stat_all_tables
SELECT c.oid AS relid, n.nspname AS schemaname, c.relname AS relname, 0 AS seq_scan, 0 AS seq_tup_read,
  coalesce(CAST(getvariable('tuples')[c.oid] AS BIGINT), CAST(greatest(c.reltuples, 0) AS BIGINT)) AS n_live_tup, 0 AS n_dead_tup
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm');
-- VIEW pg_stat_database
SELECT oid AS datid, datname, 1 AS numbackends, 0 AS xact_commit, 0 AS xact_rollback FROM pg_database;
-- VIEW pg_timezone_names
SELECT name, abbrev, utc_offset, is_dst FROM pg_timezone_names();
-- VIEW information_schema.information_schema_catalog_name
SELECT getvariable('database') AS catalog_name;
-- VIEW information_schema.schemata
SELECT getvariable('database') AS catalog_name, nspname AS schema_name,
  pg_get_userbyid(nspowner) AS schema_owner
FROM pg_namespace;
-- VIEW information_schema.tables
SELECT getvariable('database') AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
  CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN' ELSE 'BASE TABLE' END AS table_type,
  CASE WHEN c.relkind = 'v' THEN 'NO' ELSE 'YES' END AS is_insertable_into, 'NO' AS is_typed
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'f', 'p');
-- VIEW information_schema.columns
SELECT getvariable('database') AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
  a.attname AS column_name, CAST(a.attnum AS INTEGER) AS ordinal_position,
  CASE WHEN a.atthasdef THEN d.adbin END AS column_default,
  CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END AS is_nullable,
  CASE WHEN t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A' THEN 'ARRAY'
    ELSE format_type(a.atttypid, NULL) END AS data_type,
  _pg_char_max_length(a.atttypid, a.atttypmod) AS character_maximum_length,
  CASE WHEN a.atttypid IN (25, 1042, 1043) THEN 1073741824 END AS character_octet_length,
  _pg_numeric_precision(a.atttypid, a.atttypmod) AS numeric_precision,
  _pg_numeric_precision_radix(a.atttypid, a.atttypmod) AS numeric_precision_radix,
  _pg_numeric_scale(a.atttypid, a.atttypmod) AS numeric_scale,
  _pg_datetime_precision(a.atttypid, a.atttypmod) AS datetime_precision,
  getvariable('database') AS udt_catalog, 'pg_catalog' AS udt_schema, t.typname AS udt_name,
  CAST(a.attnum AS VARCHAR) AS dtd_identifier, 'NO' AS is_self_referencing,
  CASE WHEN a.attidentity IN ('a', 'd') THEN 'YES' ELSE 'NO' END AS is_identity,
  CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END AS identity_generation,
  CASE WHEN a.attidentity IN ('a', 'd') THEN '1' END AS identity_start,
  CASE WHEN a.attidentity IN ('a', 'd') THEN '1' END AS identity_increment,
  'NO' AS identity_cycle, CASE WHEN a.attgenerated = '' THEN 'NEVER' ELSE 'ALWAYS' END AS is_generated,
  CASE WHEN c.relkind = 'r' THEN 'YES' ELSE 'NO' END AS is_updatable
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND c.relkind IN ('r', 'v', 'f', 'p');
-- VIEW information_schema.views
SELECT getvariable('database') AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
  pg_get_viewdef(c.oid) AS view_definition, 'NONE' AS check_option, 'NO' AS is_updatable,
  'NO' AS is_insertable_into, 'NO' AS is_trigger_updatable, 'NO' AS is_trigger_deletable,
  'NO' AS is_trigger_insertable_into
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'v';
-- VIEW information_schema.table_constraints
SELECT getvariable('database') AS constraint_catalog, n.nspname AS constraint_schema,
  k.conname AS constraint_name, getvariable('database') AS table_catalog, n.nspname AS table_schema,
  c.relname AS table_name, CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE'
    WHEN 'f' THEN 'FOREIGN KEY' WHEN 'c' THEN 'CHECK' END AS constraint_type,
  'NO' AS is_deferrable, 'NO' AS initially_deferred, 'YES' AS enforced,
  CASE WHEN k.contype = 'u' THEN 'YES' END AS nulls_distinct
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
UNION ALL
SELECT getvariable('database'), n.nspname, n.oid || '_' || c.oid || '_' || a.attnum || '_not_null',
  getvariable('database'), n.nspname, c.relname, 'CHECK', 'NO', 'NO', 'YES', NULL
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND a.attnotnull AND c.relkind IN ('r', 'p');
-- VIEW information_schema.check_constraints
SELECT getvariable('database') AS constraint_catalog, n.nspname AS constraint_schema,
  k.conname AS constraint_name, regexp_replace(pg_get_constraintdef(k.oid), '^CHECK \((.*)\)$', '\1') AS check_clause
FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace WHERE k.contype = 'c'
UNION ALL
SELECT getvariable('database'), n.nspname, n.oid || '_' || c.oid || '_' || a.attnum || '_not_null',
  a.attname || ' IS NOT NULL'
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND a.attnotnull AND c.relkind IN ('r', 'p');
-- VIEW information_schema.key_column_usage
SELECT getvariable('database') AS constraint_catalog, s.nspname AS constraint_schema,
  s.conname AS constraint_name, getvariable('database') AS table_catalog, s.nspname AS table_schema,
  s.relname AS table_name, a.attname AS column_name, CAST(s.place AS INTEGER) AS ordinal_position,
  CASE WHEN s.contype = 'f' THEN CAST(list_position(u.conkey, s.other) AS INTEGER) END
    AS position_in_unique_constraint
FROM (SELECT n.nspname, k.conname, k.contype, k.conindid, c.relname, c.oid AS relid,
    unnest(k.conkey) AS attnum, unnest(range(1, len(k.conkey) + 1)) AS place,
    unnest(coalesce(k.confkey, list_transform(k.conkey, lambda x: NULL))) AS other
  FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE k.contype IN ('p', 'u', 'f')) AS s
JOIN pg_attribute AS a ON a.attrelid = s.relid AND a.attnum = s.attnum
LEFT JOIN pg_constraint AS u ON u.conindid = s.conindid AND u.contype IN ('p', 'u') AND s.contype = 'f';
-- VIEW information_schema.constraint_column_usage
SELECT getvariable('database') AS table_catalog, s.nspname AS table_schema, c.relname AS table_name,
  a.attname AS column_name, getvariable('database') AS constraint_catalog,
  s.nspname AS constraint_schema, s.conname AS constraint_name
FROM (SELECT n.nspname, k.conname, CASE WHEN k.contype = 'f' THEN k.confrelid ELSE k.conrelid END AS relid,
    unnest(CASE WHEN k.contype = 'f' THEN k.confkey ELSE k.conkey END) AS attnum
  FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace) AS s
JOIN pg_class AS c ON c.oid = s.relid
JOIN pg_attribute AS a ON a.attrelid = s.relid AND a.attnum = s.attnum;
-- VIEW information_schema.constraint_table_usage
SELECT getvariable('database') AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
  getvariable('database') AS constraint_catalog, n.nspname AS constraint_schema,
  k.conname AS constraint_name
FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace
JOIN pg_class AS c ON c.oid = CASE WHEN k.contype = 'f' THEN k.confrelid ELSE k.conrelid END
WHERE k.contype IN ('p', 'u', 'f');
-- VIEW information_schema.referential_constraints
SELECT getvariable('database') AS constraint_catalog, n.nspname AS constraint_schema,
  k.conname AS constraint_name, getvariable('database') AS unique_constraint_catalog,
  n.nspname AS unique_constraint_schema, u.conname AS unique_constraint_name,
  'NONE' AS match_option,
  CASE k.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
    WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END AS update_rule,
  CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
    WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END AS delete_rule
FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace
LEFT JOIN pg_constraint AS u ON u.conindid = k.conindid AND u.contype IN ('p', 'u')
WHERE k.contype = 'f';
-- VIEW information_schema.triggers
SELECT getvariable('database') AS trigger_catalog, 'public' AS trigger_schema, t.tgname AS trigger_name,
  getvariable('database') AS event_object_catalog, 'public' AS event_object_schema,
  c.relname AS event_object_table, pg_get_triggerdef(t.oid) AS action_statement,
  'ROW' AS action_orientation
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid;
-- VIEW information_schema.routines
SELECT getvariable('database') AS specific_catalog, n.nspname AS specific_schema,
  p.proname || '_' || p.oid AS specific_name, getvariable('database') AS routine_catalog,
  n.nspname AS routine_schema, p.proname AS routine_name,
  CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS routine_type,
  format_type(p.prorettype, NULL) AS data_type, 'EXTERNAL' AS routine_body
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace;
-- VIEW information_schema.table_privileges
SELECT pg_get_userbyid(c.relowner) AS grantor, current_user AS grantee,
  getvariable('database') AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
  p.privilege AS privilege_type, 'NO' AS is_grantable,
  CASE WHEN p.privilege = 'SELECT' THEN 'YES' ELSE 'NO' END AS with_hierarchy
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace,
  (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS p(privilege)
WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname = 'public' AND pg_privilege(c.oid, p.privilege);
-- VIEW information_schema.role_table_grants
SELECT pg_get_userbyid(c.relowner) AS grantor, current_user AS grantee,
  getvariable('database') AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
  p.privilege AS privilege_type, 'NO' AS is_grantable,
  CASE WHEN p.privilege = 'SELECT' THEN 'YES' ELSE 'NO' END AS with_hierarchy
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace,
  (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS p(privilege)
WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname = 'public' AND pg_privilege(c.oid, p.privilege);
-- VIEW information_schema.column_privileges
SELECT pg_get_userbyid(c.relowner) AS grantor, current_user AS grantee,
  getvariable('database') AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
  a.attname AS column_name, p.privilege AS privilege_type, 'NO' AS is_grantable
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid,
  (VALUES ('SELECT'), ('INSERT'), ('UPDATE')) AS p(privilege)
WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname = 'public' AND pg_privilege(c.oid, p.privilege);
-- VIEW information_schema.enabled_roles
SELECT rolname AS role_name FROM pg_authid;
-- VIEW information_schema.character_sets
SELECT 'UTF8' AS character_set_name, 'UCS' AS character_repertoire, 'UTF8' AS form_of_use,
  getvariable('database') AS default_collate_catalog, 'pg_catalog' AS default_collate_schema,
  'C' AS default_collate_name;
-- VIEW pg_sequences
SELECT n.nspname AS schemaname, c.relname AS sequencename, pg_get_userbyid(c.relowner) AS sequenceowner,
  s.seqtypid AS data_type, s.seqstart AS start_value, s.seqmin AS min_value, s.seqmax AS max_value,
  s.seqincrement AS increment_by, s.seqcycle AS cycle, s.seqcache AS cache_size,
  pg_sequence_last_value(c.oid) AS last_value
FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace;
-- VIEW information_schema.sequences
SELECT getvariable('database') AS sequence_catalog, n.nspname AS sequence_schema,
  c.relname AS sequence_name, format_type(s.seqtypid, NULL) AS data_type,
  CASE s.seqtypid WHEN 21 THEN 16 WHEN 23 THEN 32 ELSE 64 END AS numeric_precision,
  2 AS numeric_precision_radix, 0 AS numeric_scale, CAST(s.seqstart AS VARCHAR) AS start_value,
  CAST(s.seqmin AS VARCHAR) AS minimum_value, CAST(s.seqmax AS VARCHAR) AS maximum_value,
  CAST(s.seqincrement AS VARCHAR) AS increment,
  CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END AS cycle_option
FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace;
