"""The words and functions that a plain statement may use, because both engines read them alike."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


# Words that open a section of a statement, and the section's name.
SECTIONS = {
    "SELECT": "select", "FROM": "from", "JOIN": "from", "WHERE": "where", "ON": "where",
    "ORDER": "order", "LIMIT": "limit", "OFFSET": "limit", "SET": "set", "VALUES": "values",
    "RETURNING": "select", "INTO": "from", "UPDATE": "from",
}  # fmt: skip
READ_WORDS = frozenset(SECTIONS) - {"SET", "VALUES", "RETURNING", "INTO", "UPDATE"} | names(
    "ALL AND OR NOT NULL IS IN BETWEEN AS INNER CROSS LEFT OUTER BY ASC DESC EXISTS CASE "
    "WHEN THEN ELSE END TRUE FALSE NULLS FIRST LAST"
)
WRITE_WORDS = READ_WORDS | names(
    "INSERT REPLACE UPDATE DELETE INTO VALUES SET RETURNING DEFAULT IGNORE ABORT FAIL "
    "ROLLBACK CONFLICT DO NOTHING CURRENT_TIMESTAMP"
)
# Keywords that a parenthesis may follow; `left(` and `first(` are calls of functions.
OPENERS = names(
    "SELECT ALL AND OR NOT IS IN BETWEEN WHERE ON WHEN THEN ELSE CASE EXISTS VALUES FROM JOIN "
    "SET LIMIT OFFSET BY AS RETURNING CONFLICT DEFAULT REPLACE"
)
# Words that make an expression true or false: SQLite gives 1 and 0 for them, DuckDB booleans.
TRUTH_WORDS = names("AND OR NOT IS IN BETWEEN EXISTS TRUE FALSE")
COMPARISONS = frozenset(("=", "==", "<>", "!=", "<", "<=", ">", ">="))
ARITHMETIC = frozenset("+-*")
OTHER_OPERATORS = frozenset("(),.;")

# The same result on both engines for every argument of the types that they are written for.
READ_FUNCTIONS = names("coalesce ifnull nullif abs length trim ltrim rtrim replace substr")
# What may follow a source and is no alias of it.
CLAUSES = names(
    "UNION INTERSECT EXCEPT GROUP HAVING WINDOW QUALIFY USING NATURAL RIGHT FULL ASOF SEMI ANTI "
    "POSITIONAL FETCH FOR TABLESAMPLE SAMPLE PIVOT UNPIVOT PIVOT_WIDER PIVOT_LONGER LATERAL "
    "INDEXED AT WITH"
)
MIXING = names("coalesce ifnull nullif")  # what they give depends on the types of all arguments
# Writes always run on SQLite, so its own spellings are meant.
WRITE_FUNCTIONS = READ_FUNCTIONS | names(
    "strftime date time datetime julianday unixepoch lower upper json json_array "
    "json_object json_set json_insert json_replace json_remove json_patch json_quote "
    "random randomblob zeroblob hex char last_insert_rowid changes instr"
)
# Declared types whose comparisons need a pass: text, numbers and times are not the same thing.
PLAIN_TYPES = frozenset(("BIGINT", "DOUBLE", "VARCHAR", "JSON", "UUID", "BLOB"))
NUMBERS = frozenset(("BIGINT", "DOUBLE"))
TEXTS = frozenset(("VARCHAR", "JSON", "UUID"))
