"""SQLAlchemy's own suite for dialects: run by tests/test_sqlalchemy_suite.py, in a process of its
own, since its plugin takes pytest over."""

import pytest
import sqlagent.sqlalchemy  # noqa: F401  # registers the dialect

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")
from sqlalchemy.testing.plugin.pytestplugin import *
