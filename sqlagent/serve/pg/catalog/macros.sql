-- Functions of PostgreSQL's catalogs, as macros: expressions alone, so that they may stand anywhere
-- (DuckDB has no subqueries in lambdas, in the ON of outer joins, …). What they look up is in
-- variables of the cursor, maps by oid, see `store`. One statement a macro, ended by a semicolon at
-- the end of a line.

CREATE MACRO pg_class_name(o) AS getvariable('class_names')[TRY_CAST(o AS UINTEGER)];
CREATE MACRO pg_type_name(o) AS getvariable('type_names')[TRY_CAST(o AS UINTEGER)];
CREATE MACRO pg_bare(x) AS replace(regexp_replace(CAST(x AS VARCHAR), '^"?(public|pg_catalog|information_schema)"?\.', ''), '"', '');

-- oid → text and text → oid of the reg… types
CREATE MACRO pg_regclass(x) AS coalesce(TRY_CAST(x AS UINTEGER), getvariable('class_oids')[lower(pg_bare(x))]);
CREATE MACRO pg_regclass_out(x) AS CASE WHEN TRY_CAST(x AS UINTEGER) = 0 THEN '-' ELSE coalesce(pg_class_name(x), CAST(x AS VARCHAR)) END;
CREATE MACRO pg_regtype(x) AS coalesce(TRY_CAST(x AS UINTEGER), getvariable('type_oids')[lower(regexp_replace(pg_bare(x), '\s*\([\d, ]*\)', ''))]);
CREATE MACRO pg_regtype_out(x) AS CASE WHEN TRY_CAST(x AS UINTEGER) = 0 THEN '-' ELSE coalesce(pg_type_name(x), CAST(x AS VARCHAR)) END;
CREATE MACRO pg_regproc(x) AS coalesce(TRY_CAST(x AS UINTEGER), getvariable('proc_oids')[lower(regexp_replace(pg_bare(x), '\(.*\)$', ''))]);
CREATE MACRO pg_regproc_out(x) AS CASE WHEN TRY_CAST(x AS UINTEGER) = 0 THEN '-' ELSE coalesce(getvariable('proc_names')[TRY_CAST(x AS UINTEGER)], CAST(x AS VARCHAR)) END;
CREATE MACRO pg_regnamespace(x) AS coalesce(TRY_CAST(x AS UINTEGER), getvariable('space_oids')[lower(replace(CAST(x AS VARCHAR), '"', ''))]);
CREATE MACRO pg_regnamespace_out(x) AS coalesce(getvariable('space_names')[TRY_CAST(x AS UINTEGER)], CAST(x AS VARCHAR));
CREATE MACRO pg_regrole(x) AS coalesce(TRY_CAST(x AS UINTEGER), getvariable('role_oids')[lower(replace(CAST(x AS VARCHAR), '"', ''))]);
CREATE MACRO pg_regrole_out(x) AS coalesce(getvariable('role_names')[TRY_CAST(x AS UINTEGER)], CAST(x AS VARCHAR));
CREATE MACRO pg_regclass_named(x) AS coalesce(pg_regclass(x), CASE WHEN x IS NOT NULL THEN error('relation "' || x || '" does not exist') END);
CREATE MACRO pg_regtype_named(x) AS coalesce(pg_regtype(x), CASE WHEN x IS NOT NULL THEN error('type "' || x || '" does not exist') END);
CREATE MACRO to_regclass(x) AS pg_regclass(x);
CREATE MACRO to_regtype(x) AS pg_regtype(x);
CREATE MACRO to_regproc(x) AS pg_regproc(x);
CREATE MACRO to_regnamespace(x) AS pg_regnamespace(x);
CREATE MACRO to_regrole(x) AS pg_regrole(x);

-- Types
CREATE MACRO pg_type_sized(o, m) AS CASE WHEN m IS NULL OR m < 0 THEN '' WHEN o IN (1042, 1043, 1014, 1015) THEN '(' || (m - 4) || ')' WHEN o IN (1700, 1231) THEN '(' || ((m - 4) >> 16) || ',' || ((m - 4) & 65535) || ')' WHEN o IN (1083, 1114, 1184, 1266) THEN '(' || m || ')' ELSE '' END;
CREATE MACRO format_type(o, m) AS CASE WHEN o IS NULL THEN NULL WHEN o = 0 THEN '-' ELSE CASE WHEN pg_type_sized(o, m) <> '' AND o IN (1083, 1114, 1184, 1266) THEN replace(replace(pg_type_name(o), ' with', pg_type_sized(o, m) || ' with'), '  ', ' ') WHEN ends_with(coalesce(pg_type_name(o), ''), '[]') THEN left(pg_type_name(o), length(pg_type_name(o)) - 2) || pg_type_sized(o, m) || '[]' ELSE coalesce(pg_type_name(o), '???') || pg_type_sized(o, m) END END;

-- Definitions
CREATE MACRO pg_get_indexdef(o) AS getvariable('index_texts')[TRY_CAST(pg_regclass(o) AS UINTEGER)], (o, c, p) AS CASE WHEN c = 0 THEN getvariable('index_texts')[TRY_CAST(pg_regclass(o) AS UINTEGER)] ELSE getvariable('index_parts')[CAST(o AS VARCHAR) || '.' || c] END;
CREATE MACRO pg_get_constraintdef(o) AS getvariable('constraint_texts')[TRY_CAST(o AS UINTEGER)], (o, p) AS getvariable('constraint_texts')[TRY_CAST(o AS UINTEGER)];
CREATE MACRO pg_get_viewdef(o) AS getvariable('view_texts')[pg_regclass(o)], (o, p) AS getvariable('view_texts')[pg_regclass(o)];
CREATE MACRO pg_get_triggerdef(o) AS getvariable('trigger_texts')[TRY_CAST(o AS UINTEGER)], (o, p) AS getvariable('trigger_texts')[TRY_CAST(o AS UINTEGER)];
CREATE MACRO pg_get_ruledef(o) AS CAST(NULL AS VARCHAR), (o, p) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg_get_expr(e, r) AS CAST(e AS VARCHAR), (e, r, p) AS CAST(e AS VARCHAR);
CREATE MACRO pg_get_partkeydef(o) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg_get_partition_constraintdef(o) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg_get_statisticsobjdef(o) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg_get_statisticsobjdef_columns(o) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg_get_serial_sequence(t, c) AS getvariable('serials')[lower(replace(regexp_replace(t, '^("?public"?\.)', ''), '"', '')) || '.' || lower(c)];
CREATE MACRO pg_get_userbyid(o) AS coalesce(getvariable('role_names')[TRY_CAST(o AS UINTEGER)], 'unknown (OID=' || o || ')');
CREATE MACRO pg_get_function_arguments(o) AS coalesce(getvariable('proc_arguments')[TRY_CAST(o AS UINTEGER)], '');
CREATE MACRO pg_get_function_identity_arguments(o) AS coalesce(getvariable('proc_arguments')[TRY_CAST(o AS UINTEGER)], '');
CREATE MACRO pg_get_function_result(o) AS getvariable('proc_results')[TRY_CAST(o AS UINTEGER)];
CREATE MACRO pg_get_function_arg_default(o, n) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg_get_function_sqlbody(o) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg_get_functiondef(o) AS getvariable('proc_texts')[TRY_CAST(pg_regproc(o) AS UINTEGER)];
CREATE MACRO pg_get_replica_identity_index(o) AS CAST(NULL AS UINTEGER);

-- Comments
CREATE MACRO col_description(o, n) AS getvariable('comments')[CAST(o AS VARCHAR) || '.' || n];
CREATE MACRO obj_description(o) AS getvariable('comments')[CAST(o AS VARCHAR) || '.0'], (o, c) AS CASE WHEN c = 'pg_class' THEN getvariable('comments')[CAST(o AS VARCHAR) || '.0'] WHEN c = 'pg_proc' THEN getvariable('proc_comments')[TRY_CAST(o AS UINTEGER)] END;
CREATE MACRO shobj_description(o, c) AS CAST(NULL AS VARCHAR);

-- What is seen, and who may
CREATE MACRO pg_table_is_visible(o) AS true;
CREATE MACRO pg_type_is_visible(o) AS true;
CREATE MACRO pg_function_is_visible(o) AS true;
CREATE MACRO pg_operator_is_visible(o) AS true;
CREATE MACRO pg_opclass_is_visible(o) AS true;
CREATE MACRO pg_opfamily_is_visible(o) AS true;
CREATE MACRO pg_collation_is_visible(o) AS true;
CREATE MACRO pg_conversion_is_visible(o) AS true;
CREATE MACRO pg_statistics_obj_is_visible(o) AS true;
CREATE MACRO pg_ts_config_is_visible(o) AS true;
CREATE MACRO pg_ts_dict_is_visible(o) AS true;
CREATE MACRO pg_ts_parser_is_visible(o) AS true;
CREATE MACRO pg_ts_template_is_visible(o) AS true;
CREATE MACRO pg_file_class(t) AS coalesce(pg_regclass(t) >= 1073741824, false);
CREATE MACRO pg_privilege(t, p) AS coalesce(list_has_any(getvariable('privileges')[lower(pg_bare(coalesce(pg_class_name(t), CAST(t AS VARCHAR))))], string_split(replace(upper(p), ' WITH GRANT OPTION', ''), ',')), NOT pg_file_class(t));
CREATE MACRO has_table_privilege(t, p) AS pg_privilege(t, p), (u, t, p) AS pg_privilege(t, p);
CREATE MACRO has_any_column_privilege(t, p) AS pg_privilege(t, p), (u, t, p) AS pg_privilege(t, p);
CREATE MACRO has_column_privilege(t, c, p) AS pg_privilege(t, p), (u, t, c, p) AS pg_privilege(t, p);
CREATE MACRO has_schema_privilege(s, p) AS upper(p) = 'USAGE' OR getvariable('may_create'), (u, s, p) AS upper(p) = 'USAGE' OR getvariable('may_create');
CREATE MACRO has_database_privilege(d, p) AS upper(p) IN ('CONNECT', 'TEMP', 'TEMPORARY') OR getvariable('may_create'), (u, d, p) AS upper(p) IN ('CONNECT', 'TEMP', 'TEMPORARY') OR getvariable('may_create');
CREATE MACRO has_function_privilege(f, p) AS true, (u, f, p) AS true;
CREATE MACRO has_type_privilege(t, p) AS true, (u, t, p) AS true;
CREATE MACRO has_language_privilege(t, p) AS true, (u, t, p) AS true;
CREATE MACRO has_sequence_privilege(s, p) AS true, (u, s, p) AS true;
CREATE MACRO has_tablespace_privilege(s, p) AS true, (u, s, p) AS true;
CREATE MACRO has_server_privilege(s, p) AS false, (u, s, p) AS false;
CREATE MACRO has_foreign_data_wrapper_privilege(s, p) AS false, (u, s, p) AS false;
CREATE MACRO has_parameter_privilege(s, p) AS false, (u, s, p) AS false;
CREATE MACRO pg_has_role(r, p) AS true, (u, r, p) AS true;
CREATE MACRO row_security_active(t) AS false;
CREATE MACRO acldefault(k, o) AS CAST([] AS VARCHAR[]);
CREATE MACRO aclexplode(a) AS unnest(CAST([] AS STRUCT(grantor UINTEGER, grantee UINTEGER, privilege_type VARCHAR, is_grantable BOOLEAN)[]));

-- Sizes
CREATE MACRO pg_relation_size(o) AS coalesce(CAST(getvariable('sizes')[pg_regclass(o)] AS BIGINT), 0), (o, f) AS coalesce(CAST(getvariable('sizes')[pg_regclass(o)] AS BIGINT), 0);
CREATE MACRO pg_table_size(o) AS coalesce(CAST(getvariable('sizes')[pg_regclass(o)] AS BIGINT), 0);
CREATE MACRO pg_total_relation_size(o) AS coalesce(CAST(getvariable('totals')[pg_regclass(o)] AS BIGINT), CAST(getvariable('sizes')[pg_regclass(o)] AS BIGINT), 0);
CREATE MACRO pg_indexes_size(o) AS coalesce(CAST(getvariable('index_sizes')[pg_regclass(o)] AS BIGINT), 0);
CREATE MACRO pg_database_size(o) AS getvariable('file_size');
CREATE MACRO pg_tablespace_size(o) AS getvariable('file_size');
CREATE MACRO pg_size_pretty(n) AS CASE WHEN abs(n) < 10240 THEN n || ' bytes' WHEN abs(n) < 10485247 THEN CAST(round(n / 1024.0) AS BIGINT) || ' kB' WHEN abs(n) < 10736893952 THEN CAST(round(n / 1048576.0) AS BIGINT) || ' MB' WHEN abs(n) < 10994579406848 THEN CAST(round(n / 1073741824.0) AS BIGINT) || ' GB' ELSE CAST(round(n / 1099511627776.0) AS BIGINT) || ' TB' END;
CREATE MACRO pg_relation_filenode(o) AS pg_regclass(o);
CREATE MACRO pg_relation_filepath(o) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg_tablespace_location(o) AS '';
CREATE MACRO pg_column_size(x) AS length(CAST(x AS VARCHAR));
CREATE MACRO pg_relation_is_updatable(o, t) AS CASE WHEN getvariable('view_texts')[pg_regclass(o)] IS NULL THEN 28 ELSE 0 END;
CREATE MACRO pg_column_is_updatable(o, c, t) AS getvariable('view_texts')[pg_regclass(o)] IS NULL;
CREATE MACRO pg_relation_is_publishable(o) AS false;
CREATE MACRO pg_partition_root(o) AS pg_regclass(o);
CREATE MACRO pg_partition_ancestors(o) AS unnest([pg_regclass(o)]);
CREATE MACRO pg_rows_of_ancestors(o) AS TABLE SELECT pg_regclass(o) AS relid, CAST(1 AS BIGINT) AS ordinality;
CREATE MACRO pg_encoding_to_char(n) AS CASE n WHEN 6 THEN 'UTF8' WHEN 0 THEN 'SQL_ASCII' WHEN -1 THEN '' ELSE CAST(n AS VARCHAR) END;
CREATE MACRO pg_char_to_encoding(n) AS CASE upper(replace(n, '-', '')) WHEN 'UTF8' THEN 6 WHEN 'UNICODE' THEN 6 WHEN 'SQL_ASCII' THEN 0 ELSE -1 END;
CREATE MACRO pg_collation_for(x) AS '"default"';
CREATE MACRO pg_describe_object(c, o, n) AS coalesce('table ' || pg_class_name(o), CAST(o AS VARCHAR));
CREATE MACRO pg_identify_object(c, o, n) AS {'type': 'table', 'schema': 'public', 'name': pg_class_name(o), 'identity': pg_class_name(o)};
CREATE MACRO pg_indexam_has_property(o, p) AS CASE p WHEN 'can_order' THEN o = 403 WHEN 'can_unique' THEN o = 403 WHEN 'can_multi_col' THEN true WHEN 'can_exclude' THEN true WHEN 'can_include' THEN o = 403 END;
CREATE MACRO pg_index_has_property(o, p) AS CASE p WHEN 'clusterable' THEN true WHEN 'index_scan' THEN true WHEN 'bitmap_scan' THEN true WHEN 'backward_scan' THEN true END;
CREATE MACRO pg_index_column_has_property(o, c, p) AS CASE p WHEN 'asc' THEN true WHEN 'desc' THEN false WHEN 'nulls_first' THEN false WHEN 'nulls_last' THEN true WHEN 'orderable' THEN true WHEN 'returnable' THEN true WHEN 'search_nulls' THEN true ELSE false END;
CREATE MACRO pg_sequence_last_value(o) AS CAST(getvariable('last_values')[pg_regclass(o)] AS BIGINT);
CREATE MACRO pg_sequence_parameters(o) AS (SELECT {'start_value': seqstart, 'minimum_value': seqmin, 'maximum_value': seqmax, 'increment': seqincrement, 'cycle_option': seqcycle, 'cache_size': seqcache, 'data_type': seqtypid} FROM pg_sequence WHERE seqrelid = o);

-- The server
CREATE MACRO pg_is_in_recovery() AS false;
CREATE MACRO pg_is_wal_replay_paused() AS false;
CREATE MACRO pg_is_in_backup() AS false;
CREATE MACRO pg_last_wal_receive_lsn() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg_last_wal_replay_lsn() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg_last_xact_replay_timestamp() AS CAST(NULL AS TIMESTAMPTZ);
CREATE MACRO pg_current_wal_lsn() AS '0/0';
CREATE MACRO pg_is_other_temp_schema(o) AS false;
CREATE MACRO pg_my_temp_schema() AS CAST(0 AS UINTEGER);
CREATE MACRO pg_blocking_pids(p) AS CAST([] AS INTEGER[]);
CREATE MACRO pg_safe_snapshot_blocking_pids(p) AS CAST([] AS INTEGER[]);
CREATE MACRO pg_jit_available() AS false;
CREATE MACRO pg_stat_get_numscans(o) AS CAST(0 AS BIGINT);
CREATE MACRO pg_stat_get_tuples_returned(o) AS CAST(0 AS BIGINT);
CREATE MACRO pg_stat_get_live_tuples(o) AS CAST(0 AS BIGINT);
CREATE MACRO pg_stat_get_dead_tuples(o) AS CAST(0 AS BIGINT);
CREATE MACRO pg_stat_get_last_analyze_time(o) AS CAST(NULL AS TIMESTAMPTZ);
CREATE MACRO txid_current_if_assigned() AS CAST(NULL AS BIGINT);
CREATE MACRO pg_export_snapshot() AS '00000003-0000001B-1';
CREATE MACRO pg_xact_commit_timestamp(x) AS CAST(NULL AS TIMESTAMPTZ);
CREATE MACRO inet_client_addr() AS CAST(NULL AS VARCHAR);
CREATE MACRO inet_server_addr() AS CAST(NULL AS VARCHAR);
CREATE MACRO inet_client_port() AS CAST(NULL AS INTEGER);
CREATE MACRO pg_conf_load_time() AS current_timestamp;

-- Arrays and rows
CREATE MACRO array_lower(a, d) AS CASE WHEN len(a) > 0 AND d = 1 THEN 1 END;
CREATE MACRO array_upper(a, d) AS CASE WHEN len(a) > 0 AND d = 1 THEN CAST(len(a) AS INTEGER) END;
CREATE MACRO array_ndims(a) AS CASE WHEN len(a) > 0 THEN 1 END;
CREATE MACRO cardinality(a) AS CAST(len(a) AS INTEGER);
CREATE MACRO array_remove(a, x) AS list_filter(a, lambda v: v IS DISTINCT FROM x);
CREATE MACRO array_positions(a, x) AS list_filter(range(1, len(a) + 1), lambda i: a[i] IS NOT DISTINCT FROM x);
CREATE MACRO string_to_array(s, d) AS string_split(s, d), (s, d, n) AS list_transform(string_split(s, d), lambda v: nullif(v, n));
CREATE MACRO generate_subscripts(a, d) AS unnest(range(1, len(a) + 1)::INTEGER[]), (a, d, r) AS unnest(list_reverse(range(1, len(a) + 1))::INTEGER[]);
CREATE MACRO pg_subscripts0(a) AS unnest(range(0, len(a))::INTEGER[]);
CREATE MACRO _pg_expandarray(a) AS unnest(list_transform(range(1, len(a) + 1), lambda i: {'x': a[i], 'n': CAST(i AS INTEGER)}));

CREATE MACRO pg_get_keywords() AS TABLE SELECT keyword_name AS word, CASE keyword_category WHEN 'reserved' THEN 'R' WHEN 'unreserved' THEN 'U' WHEN 'column_name' THEN 'C' ELSE 'T' END AS catcode, keyword_category AS catdesc FROM duckdb_keywords();
CREATE MACRO getdatabaseencoding() AS 'UTF8';
CREATE MACRO pg_options_to_table(o) AS TABLE SELECT split_part(x, '=', 1) AS option_name, substr(x, strpos(x, '=') + 1) AS option_value FROM (SELECT unnest(CAST(o AS VARCHAR[])) AS x);
CREATE MACRO pg_rows_of_acl(a) AS TABLE SELECT CAST(NULL AS UINTEGER) AS grantor, CAST(NULL AS UINTEGER) AS grantee, CAST(NULL AS VARCHAR) AS privilege_type, CAST(NULL AS BOOLEAN) AS is_grantable WHERE a IS NULL AND false;
CREATE MACRO pg_rows_of_subscripts(a) AS TABLE SELECT unnest(range(1, len(a) + 1)::INTEGER[]) AS generate_subscripts;
CREATE MACRO pg_rows_of_subscripts0(a) AS TABLE SELECT unnest(range(0, len(a))::INTEGER[]) AS generate_subscripts;

-- Texts
CREATE MACRO quote_ident(x) AS CASE WHEN regexp_full_match(x, '[a-z_][a-z0-9_]*') THEN x ELSE '"' || replace(x, '"', '""') || '"' END;
CREATE MACRO quote_literal(x) AS '''' || replace(CAST(x AS VARCHAR), '''', '''''') || '''';
CREATE MACRO quote_nullable(x) AS coalesce('''' || replace(CAST(x AS VARCHAR), '''', '''''') || '''', 'NULL');
CREATE MACRO pg_encode(x, f) AS CASE WHEN f = 'hex' THEN lower(hex(x)) ELSE base64(CAST(x AS BLOB)) END;
CREATE MACRO regexp_match(s, p) AS CASE WHEN regexp_matches(s, p) THEN [regexp_extract(s, p, CASE WHEN contains(p, '(') THEN 1 ELSE 0 END)] END;
CREATE MACRO pg_set_config(n, v, l) AS [CAST(n AS VARCHAR), CAST(v AS VARCHAR), CAST(l AS VARCHAR)];
CREATE MACRO current_setting_of(n) AS getvariable('settings')[lower(n)];

-- information_schema's own
CREATE MACRO _pg_char_max_length(t, m) AS CASE WHEN m >= 4 AND t IN (1042, 1043) THEN m - 4 END;
CREATE MACRO _pg_numeric_precision(t, m) AS CASE WHEN t = 21 THEN 16 WHEN t = 23 THEN 32 WHEN t = 20 THEN 64 WHEN t = 1700 AND m >= 4 THEN ((m - 4) >> 16) & 65535 WHEN t = 700 THEN 24 WHEN t = 701 THEN 53 END;
CREATE MACRO _pg_numeric_precision_radix(t, m) AS CASE WHEN t IN (20, 21, 23, 700, 701) THEN 2 WHEN t = 1700 THEN 10 END;
CREATE MACRO _pg_numeric_scale(t, m) AS CASE WHEN t IN (20, 21, 23) THEN 0 WHEN t = 1700 AND m >= 4 THEN (m - 4) & 65535 END;
CREATE MACRO _pg_datetime_precision(t, m) AS CASE WHEN t = 1082 THEN 0 WHEN t IN (1083, 1114, 1184, 1266, 1186) THEN CASE WHEN m < 0 THEN 6 ELSE m END END;
