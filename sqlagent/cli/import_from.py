"""`sqlagent import SOURCE FILE --from KIND`: what another system keeps of an agent."""

import json
from collections.abc import Sequence

from .session import Session

KINDS = ("mem0", "langgraph", "chroma", "letta", "markdown")


def load_from(
    session: Session, sources: Sequence[str], kind: str | None, agent: str | None
) -> bool:
    """Brings in each source, a transaction each, and says what came; whether all went well."""
    import sqlagent

    well = True
    for source in sources:
        try:
            rows = session.rows(
                "SELECT import_from(?, kind => ?, agent_id => ?)", [source, kind, agent]
            )
        except sqlagent.Error as error:
            session.say(f"not imported: {source}: {error}")
            well = False
            continue
        told = json.loads(rows[0][0])
        known = told.pop("kind")
        counts = ", ".join(f"{n:,} into {table}" for table, n in told.items() if n)
        session.say(f"imported {source} ({known}): {counts or 'nothing that was not there'}")
    return well
