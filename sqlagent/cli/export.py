"""`sqlagent export FILE FOLDER`: an agent's rows as Parquet, JSON lines or Markdown."""

import os
from collections.abc import Sequence

from sqlagent.formats.quote import quote_text

from .options import Parser, UsageError, check_file
from .session import Session

FORMATS = {"parquet": "parquet", "jsonl": "json", "markdown": "markdown"}
ENDINGS = {"parquet": "parquet", "jsonl": "jsonl", "markdown": "md"}
# What belongs to an agent: a table, and the condition that says so. `?` is the agent.
TABLES = {
    "agents": "agent_id = ?",
    "sessions": "agent_id = ?",
    "session_items": "agent_id = ?",
    "states": "agent_id = ?",
    "state_versions": "agent_id = ?",
    "snapshots": "agent_id = ?",
    "memories": "agent_id = ?",
    "memory_strength": "memory_id IN (SELECT memory_id FROM memories WHERE agent_id = ?)",
    "memory_sources": "memory_id IN (SELECT memory_id FROM memories WHERE agent_id = ?)",
    "memory_links": "memory_id IN (SELECT memory_id FROM memories WHERE agent_id = ?)",
    "recall_feedback": "agent_id = ?",
    "langgraph_state_versions": "agent_id = ?",
}
# What is nobody's own: with every agent's rows.
SHARED = ("documents", "entities", "relations", "langgraph_items")
EXAMPLES = """\
examples:
  sqlagent export agent.db backup/ --agent ada
  sqlagent export agent.db notes/ --agent ada --format markdown
  sqlagent export agent.db all/ --format jsonl

A table a file, those without rows left out; without --agent, of all agents, with documents and
the graph. One query's rows: COPY (SELECT …) TO 'file.parquet', .jsonl, .csv or .md.
"""


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit status. Errors: UsageError, sqlagent.Error."""
    made = Parser(
        prog="sqlagent export",
        description="Writes an agent's rows into a folder, a table a file.",
        epilog=EXAMPLES,
    )
    made.add_argument("file", metavar="FILE", help="the database file")
    made.add_argument("folder", metavar="FOLDER", help="made if there is none")
    made.add_argument("--agent", metavar="NAME", help="of this agent alone")
    made.add_argument("--format", choices=tuple(FORMATS), default="parquet")
    options = made.parse_args(list(argv))
    check_file(options.file, must_exist=True)
    session = Session(options.file)
    try:
        return export(session, options.folder, options.agent, options.format)
    finally:
        session.close()


def export(session: Session, folder: str, agent: str | None, form: str) -> int:
    """Writes the files, all of one commit; returns the exit status."""
    if agent is not None and not session.rows(
        "SELECT 1 FROM agents WHERE agent_id = ? UNION ALL "
        "SELECT 1 FROM memories WHERE agent_id = ? LIMIT 1", [agent, agent],
    ):  # fmt: skip
        names = [n for (n,) in session.rows("SELECT agent_id FROM agents ORDER BY 1 LIMIT 20")]
        raise UsageError(f'no agent "{agent}"', f"There are: {', '.join(names) or 'none'}.")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UsageError(f'cannot make "{folder}": {error.strerror}') from error
    done = 0
    session.connection.execute("BEGIN")  # so that all tables are of one moment
    try:
        for table in [*TABLES, *(() if agent is not None else SHARED)]:
            where = f" WHERE {TABLES[table]}" if agent is not None else ""
            values = [agent] if agent is not None else []
            ((count,),) = session.rows(f"SELECT count(*) FROM {table}{where}", values)
            if not count:
                continue
            path = os.path.join(folder, f"{table}.{ENDINGS[form]}")
            session.rows(
                f"COPY (SELECT * FROM {table}{where}) TO {quote_text(path)} "
                f"(FORMAT {FORMATS[form]})", values,
            )  # fmt: skip
            done += 1
            session.say(f"{path}: {count:,} row{'' if count == 1 else 's'}")
    finally:
        session.connection.execute("ROLLBACK")
    if not done:
        session.say("there is nothing to export")
    return 0
