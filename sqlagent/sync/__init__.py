"""From the change log to columns: what keeps DuckDB's copies of the file's tables fresh.

`log` says which rows changed, `columns` how a table is read and typed, `build` makes a copy, `snapshot`
keeps one on disk for the next process, `replicas` brings all of them up to the last commit.
"""
