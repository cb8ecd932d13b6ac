"""What the dialect can, for SQLAlchemy's own test suite: each thing that is closed says why."""
# mypy: ignore-errors

from __future__ import annotations

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

OPEN = (
    "autocommit", "autoincrement_insert", "binary_comparisons", "check_constraint_reflection",
    "computed_columns", "computed_columns_reflect_persisted", "computed_columns_stored",
    "computed_columns_virtual", "create_table_as", "ctes", "ctes_on_dml", "ctes_with_values",
    "date", "date_coerces_from_datetime", "date_historic", "datetime", "datetime_historic",
    "datetime_literals", "delete_returning", "duplicate_key_raises_integrity_error",
    "emulated_lastrowid", "except_", "expression_server_defaults", "fetch_no_order_by",
    "fk_constraint_option_reflection_ondelete_noaction",
    "fk_constraint_option_reflection_ondelete_restrict",
    "fk_constraint_option_reflection_onupdate_restrict", "floats_to_four_decimals",
    "foreign_key_constraint_name_reflection",
    "foreign_key_constraint_option_reflection_ondelete",
    "foreign_key_constraint_option_reflection_onupdate", "foreign_key_ddl",
    "get_isolation_level_values", "implicit_decimal_binds", "index_ddl_if_exists",
    "index_reflection", "indexes_check_column_order", "infinity_floats", "insert_from_select",
    "insert_returning", "isolation_level", "json_array_indexes", "json_type",
    "legacy_unconditional_json_extract", "nullable_booleans", "order_by_col_from_union",
    "percent_schema_names", "precision_generic_float_type",
    "precision_numerics_enotation_small", "precision_numerics_many_significant_digits",
    "recursive_fk_cascade", "reflect_table_options", "reflects_pk_names", "regexp_match",
    "repeated_remote_col_foreign_keys", "sane_rowcount", "savepoints", "standalone_binds",
    "supports_bitwise_and", "supports_bitwise_not", "supports_bitwise_or",
    "supports_bitwise_shift", "supports_bitwise_xor", "supports_is_distinct_from",
    "symbol_names_w_double_quote", "table_ddl_if_exists", "table_reflection",
    "table_value_constructor", "time", "time_microseconds", "tuple_in", "tuple_in_w_empty",
    "unbounded_varchar", "unicode_data_no_special_types", "unicode_ddl",
    "unique_constraint_reflection", "update_from", "update_returning",
    "update_where_target_in_subquery", "uuid_data_type", "view_column_reflection", "views",
    "window_functions", "window_range", "window_range_numeric",
)  # fmt: skip

CLOSED = {
    "temporary_tables": "the file is the truth: there are no temporary tables",
    "temp_table_names": "there are no temporary tables",
    "temp_table_reflection": "there are no temporary tables",
    "temp_table_reflect_indexes": "there are no temporary tables",
    "has_temp_table": "there are no temporary tables",
    "create_temp_table_as": "there are no temporary tables",
    "temporary_views": "they are of one connection, and the suite looks with another",
    "schemas": "another schema is another file (ATTACH), and one transaction writes one file",
    "schema_reflection": "see schemas",
    "cross_schema_fk_reflection": "see schemas",
    "datetime_microseconds": "times are kept in milliseconds",
    "timestamp_microseconds": "times are kept in milliseconds",
    "implicitly_named_constraints": "SQLite gives no names to constraints without one",
    "sequences": "SQLite's file has none",
    "sequences_optional": "SQLite's file has none",
    "comment_reflection": "SQLite's file has no comments on tables",
    "unique_constraints_reflect_as_index": "they are reflected as what they are",
}


class Requirements(SuiteRequirements):
    """The suite's questions, answered."""


def _closed(why):
    @property
    def closed(self):
        return exclusions.closed(why)

    return closed


def _open(self):
    return exclusions.open()


for _name in OPEN:
    setattr(Requirements, _name, property(_open))
for _name, _why in CLOSED.items():
    setattr(Requirements, _name, _closed(_why))
