"""Names of DuckDB's temporary tables in a write into columns: nobody else's have a blank."""

NEW = "sqlagent new"  # the rows that a statement makes or changes
ALL = "sqlagent all"  # the table as the transaction sees it, with the part of each row
SETS = "sqlagent sets"  # the sets of parameters of executemany
PART = "sqlagent part"
