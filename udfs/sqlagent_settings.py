"""sqlagent_settings: what SET can say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlagent.config import SETTINGS, shown
from sqlagent.context import Context
from sqlagent.functions import table


@table("name VARCHAR", "value VARCHAR", "default_value VARCHAR", "description VARCHAR")
def sqlagent_settings(ctx: Context) -> Iterator[tuple[Any, ...]]:
    """Every setting of this connection: its value now, its default, and what it does.

    Examples:
      SELECT name, value FROM sqlagent_settings;
    """
    for name, setting in SETTINGS.items():
        value = ctx.settings.get(name, setting.default)
        yield name, shown(value), shown(setting.default), setting.description
