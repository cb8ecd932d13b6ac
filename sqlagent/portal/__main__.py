"""`python -m sqlagent.portal FILE`: bring the portal of a file up to date, and end."""

from __future__ import annotations

import os
import sys


def main(path: str) -> int:
    """0: the portal is up to date, or another process is at it."""
    import sqlagent
    from sqlagent.portal.refresh import refresh

    if not os.path.exists(path):
        return 1
    os.nice(10)  # whoever waits for an answer goes first
    with sqlagent.connect(
        path, embedding_model="none", portal="off", query_log="off"
    ) as connection:
        refresh(connection, wait=False)
    connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
