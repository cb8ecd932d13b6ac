"""All of SQLAlchemy's suite for dialects."""

from sqlalchemy.testing.suite import *
