"""Node classes and functions that SQLite says as DuckDB does; `alike` has their conditions."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.parse.words import names

AGGREGATES = (exp.AggFunc, exp.Window, exp.Group, exp.Having, exp.Distinct, exp.SetOperation)
EXACT = frozenset((
    exp.Select, exp.From, exp.Where, exp.Column, exp.Identifier, exp.Table, exp.Alias,
    exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.And, exp.Or, exp.Not, exp.Is, exp.Exists,
    exp.Subquery, exp.Case, exp.If, exp.Order, exp.Offset, exp.Placeholder, exp.Tuple,
    exp.CTE, exp.With, exp.Coalesce, exp.Nullif, exp.Having, exp.Union, exp.Except,
    exp.Intersect, exp.Filter, exp.WindowSpec, exp.Var, exp.DataType, exp.DataTypeParam,
    exp.Insert, exp.Update, exp.Delete, exp.Schema, exp.Returning, exp.OnConflict, exp.Values,
    exp.Escape, exp.Ordered, exp.JSONPath, exp.JSONPathRoot, exp.JSONPathKey,
    exp.JSONPathSubscript, exp.JSONExtractScalar, exp.JSONExtract, exp.Extract, exp.Year,
    exp.Month, exp.Day, exp.Interval, exp.CurrentTimestamp, exp.CurrentDate, exp.Div, exp.IntDiv,
    exp.TimestampTrunc, exp.DateTrunc, exp.Array, exp.Kwarg, exp.PropertyEQ, exp.HexString,
    exp.Create, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag, exp.Lead, exp.FirstValue,
    exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseNot, exp.LastValue, exp.Ntile, exp.CumeDist,
    exp.PercentRank, exp.Count, exp.Like, exp.ILike, exp.Lower, exp.Upper,
))  # fmt: skip
NUMERIC = (exp.Exp, exp.Ln, exp.Sqrt, exp.Pow, exp.Sin, exp.Cos, exp.Abs, exp.Sign)
TEXTUAL = (exp.Length, exp.Replace, exp.Substring, exp.StrPosition)
NUMBERS = frozenset(("BIGINT", "DOUBLE", "HUGEINT", "NULL", None))
TEXTS = frozenset(("VARCHAR", "JSON", "UUID", "NULL", None))
READ_CALLS = names(
    "json_array_length json_valid sq_strftime sq_date sq_datetime sq_time sq_julianday "
    "sq_unixepoch sq_blob sq_total now get_current_timestamp"
)
# SQLite's alone: they force its route.
SQLITE_CALLS = names(
    "last_insert_rowid changes total_changes snippet highlight bm25 subtype "
    "sqlite_compileoption_get sqlite_compileoption_used "
    "jsonb jsonb_array jsonb_array_insert sq_jsonb_extract jsonb_group_array "
    "jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set"
)
# SQLite's scalars, which DuckDB calls too: the same by construction.
SHARED_CALLS = names(
    "sqlite_version sqlite_source_id randomblob zeroblob likely unlikely likelihood sq_char quote "
    "sq_soundex timediff unistr unistr_quote sq_json_array_insert json_error_position json_insert "
    "json_patch sq_json_remove json_replace sq_json_set sq_printf sq_format"
)
# Writes always run on SQLite, so these of its own are meant there.
READ_CALLS |= SHARED_CALLS
WRITE_CALLS = (
    SQLITE_CALLS
    | SHARED_CALLS
    | names(
        "json sq_json json_array json_object json_quote json_extract json_type random hex typeof "
        "lower upper round max min sq_printf format instr substr unicode printf "
        "json_group_array json_group_object iif ifnull sq_json_extract sq_replace"
    )
)
WRITE_CLASSES = (
    exp.Lower, exp.Upper, exp.Round, exp.Rand, exp.Max, exp.Min, exp.GroupConcat, exp.Hex,
    exp.Unicode, exp.JSONObject, exp.JSONArray, exp.Trim, exp.Concat, exp.ParseJSON,
    exp.JSONType, exp.Glob, exp.Match, exp.BitwiseLeftShift, exp.BitwiseRightShift,
)  # fmt: skip
