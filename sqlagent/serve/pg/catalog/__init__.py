"""PostgreSQL's catalogs, pg_catalog and information_schema, over the engine's own."""
