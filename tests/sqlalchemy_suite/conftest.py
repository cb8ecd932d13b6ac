"""SQLAlchemy's own suite for dialects: run by tests/test_sqlalchemy_suite.py, in a process of its
own, since its plugin takes pytest over."""
# ruff: noqa: E402, F403  # the plugin is its names, and asserts are rewritten before it is imported

import pytest

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

from sqlalchemy.testing.plugin.pytestplugin import *
