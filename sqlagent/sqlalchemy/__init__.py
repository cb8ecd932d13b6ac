"""SQLAlchemy on an agent's file: `create_engine("sqlagent:///agent.db")`.

The URL's query takes connect()'s settings (`sqlagent:///agent.db?embedding_model=none`),
`read_only=true` and `timeout=5`. `insert` has ON CONFLICT; `Vector(n)` is FLOAT[n]. Importing this
package registers the dialect where the package was not installed with its entry points.
"""

from __future__ import annotations

from sqlagent.errors import NotSupportedError

try:
    from sqlalchemy.dialects import registry
    from sqlalchemy.dialects.sqlite import insert
except ImportError as missing:
    raise NotSupportedError(
        f"sqlagent.sqlalchemy needs the package sqlalchemy: {missing}",
        hint="pip install sqlagent[sqlalchemy]",
    ) from None

from sqlagent.sqlalchemy.dialect import SqlAgentDialect
from sqlagent.sqlalchemy.types import Nested, Vector

for _name in ("sqlagent", "sqlagent.sqlagent"):  # the second is sqlagent+sqlagent://
    registry.register(_name, "sqlagent.sqlalchemy.dialect", "SqlAgentDialect")

__all__ = ["Nested", "SqlAgentDialect", "Vector", "insert"]
