"""import_from: what another system keeps of an agent, from its own files."""

from __future__ import annotations

import json
from typing import Any

from sqlagent.context import Context
from sqlagent.functions import scalar


def read(ctx: Context, path: str, kind: str | None, agent_id: str | None) -> Any:
    """The records, before the writer is taken."""
    from sqlagent.exchange.bring import found

    return found(path, kind, agent_id)


@scalar("JSON", writes=True, prepare=read)
def import_from(
    ctx: Context, path: str, kind: str | None = None, agent_id: str | None = None
) -> str:
    """Brings in what another system keeps of an agent, from its own files, all of it or nothing.

    What was imported before is known by its `source` (or its key) and not imported again.

    | kind | files | becomes |
    |---|---|---|
    | 'mem0' | JSON or JSONL of get_all() or of a vector store's export; history.db | memories, what one replaced superseded; vectors; session_items |
    | 'langgraph' | the SQLite file of SqliteSaver, of SqliteStore | langgraph_checkpoints and what belongs to them; langgraph_items |
    | 'chroma' | the persistent folder | vectors and documents, by collection |
    | 'letta' | an agent file (.af) | the states working_memory and context, pinned memories, session_items |
    | 'markdown' | a folder of notes, or one | memories, with what their front matter says |

    Arguments:
      path: of the file or folder, on the machine where the engine runs.
      kind: one of those; without, the file tells.
      agent_id: whose it is to be; without, what the file says, else the kind's name ('notes' for
        notes).

    Returns: JSON: {"kind": "mem0", "memories": 12}, with how many rows came into which table.

    Errors: 'no such file or folder: "x"'; '"x.bin" is not known as anybody's'; what is wrong with
      a file, and where. Over the network nobody may call it.

    Cost: that of reading the file, in memory, and of its rows.

    Examples:
      SELECT import_from(NULL);
    """
    known, records = ctx.prepared if ctx.prepared is not None else read(ctx, path, kind, agent_id)
    from sqlagent.exchange.bring import bring

    return json.dumps({"kind": known, **bring(ctx.writer, records)})
