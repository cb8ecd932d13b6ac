"""SQLite virtual tables: our table functions, as APSW sees them."""
