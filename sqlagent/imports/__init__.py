"""Data coming in: a file is read into a stage in DuckDB, checked as a whole, and written at once.

The stage holds every record as text beside its values in the table's types, so that what is wrong
is found by set operations, with the record's number, column and value. Then one transaction of the
writer changes the table where it may grow, inserts what passed, and keeps what did not with the
reason. SQLite itself is the judge of the table's own constraints.
(The package is imported with the first COPY … FROM: it imports duckdb.)
"""
