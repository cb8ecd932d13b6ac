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

    Of mem0: JSON or JSONL, of get_all() or of a vector store's export, become memories and vectors
    (collection 'mem0'); history.db memories, what one replaced superseded, and session_items. Of
    LangGraph: the SQLite file of SqliteSaver becomes checkpoints, of SqliteStore langgraph_items.
    Chroma's persistent folder becomes vectors and documents, by collection. Letta's agent file
    (.af) becomes the states working_memory and context, pinned memories of its blocks, memories of
    what was said, and session_items. A folder of notes in Markdown, or one of them, becomes
    memories, with what their front matter says (kind, importance, date, ...).

    Arguments:
      path: of the file or folder, on the machine where the engine runs.
      kind: 'mem0', 'langgraph', 'chroma', 'letta' or 'markdown'; without, the file tells.
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
