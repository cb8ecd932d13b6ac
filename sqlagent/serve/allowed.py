"""What users of the server may use of the engines: lists of what is let through, by name.

What is not here is refused: functions that read files, settings, the environment, statistics of
columns or other databases, and those that an engine's later version may bring.
"""

from __future__ import annotations

from sqlagent.parse.words import names

# Of DuckDB: scalars, aggregates and macros that compute with their arguments alone.
DUCKDB = names(
    "abs acos acosh add age aggregate ago any_value apply approx_count_distinct approx_quantile "
    "approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last arg_min arg_min_null "
    "arg_min_nulls_last argmax argmin array_agg array_aggr array_aggregate array_append "
    "array_apply array_cat array_concat array_contains array_cosine_distance "
    "array_cosine_similarity array_cross_product array_distance array_distinct array_dot_product "
    "array_extract array_filter array_grade_up array_has array_has_all array_has_any "
    "array_indexof array_inner_product array_intersect array_length array_negative_dot_product "
    "array_negative_inner_product array_pop_back array_pop_front array_position array_prepend "
    "array_push_back array_push_front array_reduce array_resize array_reverse array_reverse_sort "
    "array_select array_slice array_sort array_to_json array_to_string "
    "array_to_string_comma_default array_transform array_unique array_value array_where array_zip "
    "ascii asin asinh atan atan2 atanh avg bar base64 bin bit_and bit_count bit_length bit_or "
    "bit_position bit_xor bitstring bitstring_agg bool_and bool_or can_cast_implicitly "
    "cardinality cast_to_type cbrt ceil ceiling century char_length character_length chr coalesce "
    "combine concat concat_ws constant_or_null contains corr cos cosh cot count count_if "
    "count_star countif covar_pop covar_samp create_sort_key cume_dist current_catalog "
    "current_database current_date current_localtime current_localtimestamp current_role "
    "current_schema current_time current_timestamp current_user damerau_levenshtein date_add "
    "date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname "
    "dayofmonth dayofweek dayofyear days_in_month decade decode degrees dense_rank divide "
    "editdist3 element_at encode ends_with entropy enum_code enum_first enum_last enum_range "
    "enum_range_boundary epoch epoch_ms epoch_ns epoch_us equi_width_bins era error even exists "
    "exp factorial favg fdiv fill filter finalize first first_value flatten floor fmod format "
    "format_bytes format_type from_base64 from_binary from_hex from_json from_json_strict fsum "
    "gamma gcd gen_random_uuid generate_series generate_subscripts geomean geometric_mean get_bit "
    "get_current_time get_current_timestamp get_type grade_up greatest greatest_common_divisor "
    "group_concat grouping grouping_id hamming hash hex histogram histogram_exact hour "
    "icu_sort_key if ifnull ilike_escape instr is_histogram_other_bin isfinite isinf isnan isodow "
    "isoyear jaccard jaro_similarity jaro_winkler_similarity json json_array json_array_length "
    "json_contains json_exists json_extract json_extract_path json_extract_path_text "
    "json_extract_string json_group_array json_group_object json_group_structure json_keys "
    "json_merge_patch json_object json_pretty json_quote json_structure json_transform "
    "json_transform_strict json_type json_valid json_value julian kahan_sum kurtosis kurtosis_pop "
    "lag last last_day last_value lcase lcm lead least least_common_multiple left left_grapheme "
    "len length length_grapheme levenshtein lgamma like_escape list list_aggr list_aggregate "
    "list_any_value list_append list_apply list_approx_count_distinct list_avg list_bit_and "
    "list_bit_or list_bit_xor list_bool_and list_bool_or list_cat list_concat list_contains "
    "list_cosine_distance list_cosine_similarity list_count list_distance list_distinct "
    "list_dot_product list_element list_entropy list_extract list_filter list_first list_grade_up "
    "list_has list_has_all list_has_any list_histogram list_indexof list_inner_product "
    "list_intersect list_kurtosis list_kurtosis_pop list_last list_mad list_max list_median "
    "list_min list_mode list_negative_dot_product list_negative_inner_product list_pack "
    "list_position list_prepend list_product list_reduce list_resize list_reverse "
    "list_reverse_sort list_select list_sem list_skewness list_slice list_sort list_stddev_pop "
    "list_stddev_samp list_string_agg list_sum list_transform list_unique list_value list_var_pop "
    "list_var_samp list_where list_zip listagg ln log log10 log2 lower lpad ltrim mad make_date "
    "make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz make_type map "
    "map_concat map_contains map_contains_entry map_contains_value map_entries map_extract "
    "map_extract_value map_from_entries map_keys map_values max max_by md5 md5_number "
    "md5_number_lower md5_number_upper mean median microsecond millennium millisecond min min_by "
    "minute mismatches mod mode month monthname multiply nanosecond nextafter nfc_normalize "
    "normalized_interval not_ilike_escape not_like_escape now nth_value ntile nullif octet_length "
    "ord parse_dirname parse_dirpath parse_filename parse_formatted_bytes parse_path percent_rank "
    "percentile_cont percentile_disc pg_size_pretty pg_sleep pg_typeof pi position pow power "
    "prefix printf product quantile quantile_cont quantile_disc quarter radians random range rank "
    "rank_dense reduce regexp_escape regexp_extract regexp_extract_all regexp_full_match "
    "regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regr_avgx "
    "regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy "
    "remap_struct repeat replace reservoir_quantile reverse right right_grapheme round round_even "
    "roundbankers row row_number row_to_json rpad rtrim second sem session_user set_bit sha1 "
    "sha256 sign signbit sin sinh skewness split split_part sqrt starts_with stddev stddev_pop "
    "stddev_samp str_split str_split_regex strftime string_agg string_split string_split_regex "
    "string_to_array strip_accents strlen strpos strptime struct_concat struct_contains "
    "struct_extract struct_extract_at struct_has struct_indexof struct_insert struct_keys "
    "struct_pack struct_position struct_update struct_values substr substring substring_grapheme "
    "subtract suffix sum sum_no_overflow sumkahan switch tan tanh time_bucket timezone "
    "timezone_hour timezone_minute to_base to_base64 to_binary to_centuries to_days to_decades "
    "to_hex to_hours to_json to_microseconds to_millennia to_milliseconds to_minutes to_months "
    "to_quarters to_seconds to_timestamp to_weeks to_years today transaction_timestamp translate "
    "trim trunc try try_strptime typeof ucase unbin unhex unicode union_extract union_tag "
    "union_value unnest unpivot_list upper url_decode url_encode user uuid uuid_extract_timestamp "
    "uuid_extract_version uuidv4 uuidv7 var_pop var_samp variance variant_extract "
    "variant_normalize variant_typeof version wavg week weekday weekofyear weighted_avg xor year "
    "yearweek formatreadabledecimalsize formatreadablesize"
)
DUCKDB_TABLES = names(
    "range generate_series unnest json_each json_tree repeat repeat_row icu_calendar_names "
    "pg_timezone_names values"
)
# Of SQLite: its functions but for those that load code, log, or tell how it was built.
SQLITE = names(
    "-> ->> abs acos acosh asin asinh atan atan2 atanh avg bm25 cast ceil ceiling changes char "
    "coalesce concat concat_ws cos cosh count cume_dist current_date current_time "
    "current_timestamp date datetime degrees dense_rank exp first_value floor format "
    "fts5_get_locale fts5_locale geopoly_area geopoly_bbox geopoly_blob geopoly_ccw "
    "geopoly_contains_point geopoly_group_bbox geopoly_json geopoly_overlap geopoly_regular "
    "geopoly_svg geopoly_within geopoly_xform glob group_concat hex highlight if ifnull iif instr "
    "json json_array json_array_insert json_array_length json_error_position json_extract "
    "json_group_array json_group_object json_insert json_object json_patch json_pretty json_quote "
    "json_remove json_replace json_set json_type json_valid jsonb jsonb_array jsonb_array_insert "
    "jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch "
    "jsonb_remove jsonb_replace jsonb_set julianday lag last_insert_rowid last_value lead length "
    "like likelihood likely ln log log10 log2 lower ltrim match max median min mod nth_value "
    "ntile nullif octet_length percent_rank percentile percentile_cont percentile_disc pi pow "
    "power printf quote radians random randomblob rank raise replace round row_number rtrim sign "
    "sin sinh snippet soundex sqlite_source_id sqlite_version sqrt strftime string_agg substr "
    "substring sum tan tanh time timediff total total_changes trim trunc typeof unhex unicode "
    "unistr unistr_quote unixepoch unlikely upper"
)
SQLITE_TABLES = names("json_each json_tree jsonb_each jsonb_tree generate_series")
# Pragmas that say how the schema is; of one table, where they name one.
PRAGMAS = names(
    "table_info table_xinfo table_list index_list index_info index_xinfo foreign_key_list "
    "foreign_key_check collation_list encoding user_version application_id data_version "
    "schema_version"
)
# What a user may set for the session: how statements are read and how results are weighed.
SETTABLE = names(
    "dialect route default_engine result_cache statement_timeout_ms recall_vector_weight "
    "recall_words_weight recall_context_weight recall_speaker_weight recall_session_weight "
    "recall_length_weight recall_time_weight recall_date_weight recall_answer_weight "
    "recall_opening_weight recall_decay_weight recall_activation_weight recall_retention_weight "
    "recall_recency_weight search_alpha search_context_weight search_coverage_weight "
    "search_document_weight search_exact_weight search_window_weight min_recall"
)
# The first words of statements: of every user, of who writes, and of who changes the schema.
READS = names(
    "SELECT WITH VALUES FROM TABLE EXPLAIN DESCRIBE DESC SHOW SUMMARIZE PIVOT PIVOT_WIDER UNPIVOT "
    "PIVOT_LONGER SET RESET BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE PRAGMA PLAN "
    "CALL"
)
WRITES = names("INSERT REPLACE UPDATE DELETE MERGE")
DEFINES = names(
    "CREATE DROP ALTER TRUNCATE REFRESH GRANT REVOKE ANALYZE REINDEX VACUUM COMMENT "
    "CLUSTER CHECKPOINT"
)
