"""PostgreSQL's protocol, version 3.0."""
