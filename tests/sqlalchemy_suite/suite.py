"""All of SQLAlchemy's suite for dialects."""
# ruff: noqa: F403  # the suite is its names

from sqlalchemy.testing.suite import *
