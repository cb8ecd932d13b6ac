"""What a model is told: of the server, of each tool, and the resources' texts."""

from __future__ import annotations

from sqlagent.connection import Connection
from sqlagent.formats.cells import text
from sqlagent.formats.quote import quote_name
from sqlagent.serve.mcp import tools

INSTRUCTIONS = """\
This is sqlagent: a database of an agent's memories, states, documents, vectors, a graph and
business tables, in SQL. Recall before you answer, remember what will matter later (facts,
preferences, decisions; one sentence each), save_state what you are in the middle of. `query` takes
DuckDB's SQL; recall(), search(), knn(), neighbors() and the rest are table functions in it, listed
by SELECT name, signature, description FROM sqlagent_functions. Times are UTC."""

QUERY = """\
Run one SQL statement that reads, in DuckDB's dialect, and get its rows. Parameters: a list for ?,
an object for :name. Functions of the engine work in it, such as
SELECT * FROM recall('ada', 'what does Ann drink', k => 5). Rows, time and characters are limited:
`truncated` says what was left out."""
EXECUTE = """\
Run one SQL statement of any kind: INSERT, UPDATE, DELETE, CREATE TABLE, functions that write. It is
committed at once, or undone whole where it fails."""
LIST_TABLES = """\
The tables and views by name; `pattern` keeps those whose name contains it, `internal` adds the
engine's own bookkeeping."""
DESCRIBE_TABLE = (
    "The columns, keys and indexes of a table or view, with some rows (`sample`, 0-20)."
)
REMEMBER = """\
Remember one thing for an agent: a fact, a preference, an event, a way of doing. A repeat
strengthens the older memory. kind: episodic (default), semantic, procedural or working;
importance is 0 to 1."""
RECALL = """\
The memories of an agent that matter to a question, best first, by meaning, words, time and
strength. With token_budget, only as much as fits, in the order of time."""
SEARCH = """\
The passages of documents that answer a question, best first, by words and meaning. collection
narrows it; filter is an SQL condition on the documents and chunks."""
SAVE_STATE = """\
Save where an agent stands, as JSON; each save is a version. state_type: context (default),
working_memory, long_term_memory, task_state, relationship or embedding. With if_version it is saved
only while that version is still the newest."""
LOAD_STATE = """\
The newest states of an agent, or those at a time (`at`, such as 2026-01-31 12:00)."""

RECENT = (
    "SELECT memory_id, kind, content, created_at FROM memories"
    " WHERE agent_id = ? AND archived_at IS NULL AND superseded_by IS NULL"
    " ORDER BY pinned DESC, importance DESC, memory_id DESC LIMIT 20"
)


def schema(con: Connection) -> str:
    """Tables with their columns, and the functions, one a line."""
    lines = ["# Tables"]
    for table in tools.list_tables(con):
        found = con.execute(f"DESCRIBE {quote_name(table['name'])}").fetchall()
        columns = ", ".join(f"{name} {kind}".rstrip() for name, kind, *_ in found)
        lines.append(f"{table['name']} ({columns})")
    lines += ["", "# Functions"]
    known = con.execute("SELECT signature, description FROM sqlagent_functions ORDER BY name")
    lines += [f"{signature}: {description}" for signature, description in known]
    return "\n".join(lines) + "\n"


def agent_context(con: Connection, agent_id: str) -> str:
    """An agent's newest states, and what matters most of its memories, as Markdown."""
    lines = [f"# Agent {agent_id}", "", "## States"]
    for state in tools.load_state(con, agent_id):
        session = f", session {state['session_id']}" if state["session_id"] else ""
        lines.append(f"- {state['state_type']}{session} (version {state['version']}): "
                     f"{text(state['data'])}")  # fmt: skip
    lines += ["", "## Memories"]
    for memory_id, kind, content, at in con.execute(RECENT, (agent_id,)):
        lines.append(f"- [{memory_id}] {kind}, {text(at)}: {content}")
    return "\n".join(lines) + "\n"
