"""Numbered SQL migrations: forward only, one transaction each, checksummed."""
