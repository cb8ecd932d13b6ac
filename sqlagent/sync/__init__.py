"""From the change log to columns: what keeps DuckDB's copies of the file's tables fresh.

`log` says which rows changed, `columns` how a table is read and typed, `build` makes a copy,
`delta` brings one up to date, `snapshot` keeps one on disk for the next process, `private` lays a
transaction's own rows over it, `replicas` has all of them at the last commit for each query.
"""
