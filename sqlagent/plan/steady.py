"""Whether a text gives the same rows as long as its sources do: what a kept result needs.

An allow list: a call of anything else (the clock, chance, a sequence, a setting, a model) makes the
text unsteady. It is looked at as the engine is sent it, so views and macros are expanded already.
"""

from __future__ import annotations

from sqlagent.parse.lexer import Token, lex
from sqlagent.parse.words import OPENERS, names

# Words before a parenthesis that are no call, and types with arguments.
_WORDS = OPENERS | names(
    "OVER USING FILTER GROUP PARTITION ORDER HAVING QUALIFY DISTINCT EXCLUDE ANY SOME UNION "
    "EXCEPT INTERSECT LATERAL WITHIN UNNEST CAST TRY_CAST EXTRACT MATERIALIZED PIVOT UNPIVOT ROW "
    "VARCHAR CHAR DECIMAL NUMERIC TIMESTAMP TIME INTERVAL STRUCT MAP GROUPING SETS ROLLUP CUBE ALL "
    "ROWS RANGE GROUPS COLUMNS RENAME LIKE ILIKE GLOB SIMILAR ASOF ESCAPE SELECT RECURSIVE"
)
_CALLS = names(
    "abs acos acosh age any_value approx_count_distinct approx_quantile arbitrary arg_max "
    "arg_max_null arg_min arg_min_null argmax argmin array_agg array_append array_concat "
    "array_contains array_cosine_distance array_cosine_similarity array_distance array_distinct "
    "array_extract array_has array_has_all array_has_any array_inner_product array_length "
    "array_position array_prepend array_slice array_sort array_to_string array_unique array_value "
    "ascii asin asinh atan atan2 atanh avg bar base64 bin bit_and bit_count bit_length bit_or "
    "bit_xor bool_and bool_or cbrt ceil ceiling century char_length character_length chr coalesce "
    "concat concat_ws contains corr cos cosh cot count count_if count_star countif covar_pop "
    "covar_samp cume_dist damerau_levenshtein date date_diff date_part date_sub date_trunc "
    "datediff datepart datesub datetrunc date_add day dayname dayofmonth dayofweek dayofyear "
    "days_in_month decade decode degrees dense_rank divide editdist3 element_at encode ends_with "
    "entropy epoch epoch_ms epoch_ns epoch_us era even exp factorial favg first first_value "
    "flatten floor fmod format format_bytes from_base64 from_hex fsum gamma gcd generate_series "
    "geomean greatest greatest_common_divisor group_concat hamming hash hex histogram hour if "
    "ifnull instr isfinite isinf isnan isodow isoyear jaccard jaro_similarity "
    "jaro_winkler_similarity json json_array json_array_length json_contains json_each "
    "json_exists json_extract json_extract_path json_extract_path_text json_extract_string "
    "json_group_array json_group_object json_keys json_merge_patch json_object json_pretty "
    "json_quote json_structure json_transform json_tree json_type json_valid json_value julian "
    "kahan_sum kurtosis kurtosis_pop lag last last_day last_value lcase lcm lead least "
    "least_common_multiple left len length levenshtein lgamma list list_aggregate list_any_value "
    "list_append list_apply list_avg list_concat list_contains list_count list_distinct "
    "list_extract list_filter list_first list_has list_has_all list_has_any list_last list_max "
    "list_median list_min list_pack list_position list_prepend list_product list_reduce "
    "list_reverse list_reverse_sort list_select list_slice list_sort list_string_agg list_sum "
    "list_transform list_unique list_value list_zip listagg ln log log10 log2 lower lpad ltrim "
    "mad make_date make_time make_timestamp map map_concat map_contains map_entries map_extract "
    "map_extract_value map_from_entries map_keys map_values max max_by md5 mean median "
    "microsecond millennium millisecond min min_by minute mismatches mod mode month monthname "
    "multiply nth_value ntile nullif octet_length ord percent_rank pi position pow power prefix "
    "printf product quantile quantile_cont quantile_disc quarter radians range rank reduce "
    "regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace "
    "regexp_split_to_array regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope "
    "regr_sxx regr_sxy regr_syy repeat replace reverse right round row_number rpad rtrim second "
    "sem sha1 sha256 sign sin sinh skewness split split_part sqrt starts_with stddev stddev_pop "
    "stddev_samp str_split str_split_regex strftime string_agg string_split string_split_regex "
    "string_to_array strip_accents strlen strpos strptime struct_extract struct_insert struct_pack "
    "substr substring subtract suffix sum sum_no_overflow sumkahan tan tanh time_bucket to_days "
    "to_hours to_json to_microseconds to_milliseconds to_minutes to_months to_seconds "
    "to_timestamp to_weeks to_years translate trim trunc try_strptime typeof ucase unhex unicode "
    "unnest upper var_pop var_samp variance week weekday weekofyear xor year yearweek "
    "cosine_similarity l2_distance inner_product decayed_importance retention activation checksum "
    "read_csv read_csv_auto read_parquet parquet_scan read_json read_json_auto read_ndjson "
    "read_ndjson_auto"
)
# Words that are the clock, the user or chance without a parenthesis.
_UNSTEADY = names(
    "CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_LOCALTIME CURRENT_LOCALTIMESTAMP "
    "LOCALTIME LOCALTIMESTAMP CURRENT_USER SESSION_USER USER CURRENT_ROLE CURRENT_SCHEMA "
    "CURRENT_CATALOG CURRENT_DATABASE SAMPLE TABLESAMPLE COPY TODAY"
)
_OPENING = frozenset(("SELECT", "WITH", "FROM", "VALUES", "(", "PIVOT", "UNPIVOT"))
_TIMES = ("'now'", "'localtime'", "'today'", "'utc'")


def unsteady(sql: str) -> str | None:
    """What in DuckDB's text of a read may change from run to run; None: nothing.

    >>> unsteady("SELECT sum(v) FROM t WHERE at > now()")
    'now()'
    """
    tokens = lex(sql)
    if not tokens or tokens[0].text.upper() not in _OPENING:
        return "what is not a SELECT"
    for place, token in enumerate(tokens):
        if token.upper in _UNSTEADY and not _named(tokens, place):
            return token.upper
        if token.kind == "string" and token.text.lower() in _TIMES:
            return token.text
        if place + 1 < len(tokens) and tokens[place + 1].text == "(" and not _known(tokens, place):
            return f"{token.name}()"
    return None


def _named(tokens: list[Token], place: int) -> bool:
    """Whether a word can only be a name: the column of a table, or an alias after AS."""
    return place > 0 and (tokens[place - 1].text == "." or tokens[place - 1].upper == "AS")


def _known(tokens: list[Token], place: int) -> bool:
    """Whether what stands before a parenthesis is a word of SQL, or a call that is steady."""
    token = tokens[place]
    if token.kind == "word":
        if token.upper in _WORDS or token.text.lower() in _CALLS:
            return True
    elif token.kind == "quoted":
        if token.name.lower() in _CALLS:
            return True
    else:
        return True
    # `WITH name (columns) AS`, `) AS alias (columns)`: names, not calls.
    before = tokens[place - 1].upper if place else ""
    if before in ("AS", "WITH", "RECURSIVE"):
        return True
    depth = 0
    for at in range(place + 1, len(tokens)):
        depth += (tokens[at].text == "(") - (tokens[at].text == ")")
        if not depth:
            after = tokens[at + 1].upper if at + 1 < len(tokens) else ""
            return after == "AS" and tokens[place - 1].text == "," and _is_cte(tokens, at + 2)
    return False


def _is_cte(tokens: list[Token], place: int) -> bool:
    """Whether AS is followed by a CTE's body, so that the name before was the CTE's."""
    if place < len(tokens) and tokens[place].upper in ("NOT", "MATERIALIZED"):
        return True
    if place + 1 >= len(tokens) or tokens[place].text != "(":
        return False
    return tokens[place + 1].text.upper() in _OPENING
