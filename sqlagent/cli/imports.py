"""`sqlagent import SOURCE FILE --into TABLE`: data files into tables, text files into documents."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlagent.documents.folder import source_of
from sqlagent.documents.rows import holds_documents

from .import_documents import Indexer
from .import_from import KINDS, load_from
from .import_rows import Rules, load_rows, reader_of, table_exists
from .options import Parser, UsageError, check_file
from .progress import Progress
from .session import Session

EXAMPLES = """\
examples:
  sqlagent import people.csv agent.db --into people
  sqlagent import 'logs/*.parquet' agent.db --into logs --replace
  sqlagent import memories.jsonl agent.db --into memories
  sqlagent import sales.csv agent.db --into sales --check 'amount > 0' --on-error reject
  sqlagent import sales.csv agent.db --into sales --key sale_id --evolve
  sqlagent import handbook/ agent.db --into documents --collection handbook
  sqlagent import points.parquet agent.db --into vectors --collection points
  sqlagent import chroma/ memories.json agent.af agent.db
  sqlagent import notes/ agent.db --from markdown --agent ada

Without --into, SOURCE is what another system keeps of an agent: mem0 (JSON, history.db),
LangGraph's SQLite files, Chroma's folder, Letta's agent file, notes in Markdown. What was imported
is not imported again.
A table that does not exist is made with the file's columns; else columns are matched by name.
Records are checked as by COPY … FROM: values must be of their columns' types, and meet --check and
--key. The first that does not keeps its file out; under --on-error reject only it is kept out, with
the reason: SELECT record, column_name, value, reason, content FROM sqlagent_import_rejects.
A folder or pattern of files goes into documents, each under its path in the folder as uri: text,
Markdown, HTML, source code, CSV, JSON, e-mail; with the extra [documents] PDF, DOCX, PPTX, XLSX.
What is there already and has not changed is skipped, what has changed replaced (--replace: all of
it; --append: added once more); documents whose files are gone are told.
Each data file, and each batch of documents, is one transaction. What cannot be read is reported,
noted in sqlagent_import_rejects, and does not stop the rest; the exit status is then 1.
"""

# A file of ours emptied by --replace would be every agent's memory gone.
_KEPT = """
    agents sessions states state_versions snapshots snapshot_versions memories memory_strength
    memory_vectors memory_sources memory_links memory_policies memory_guards memory_fingerprints
    recall_feedback recall_weights documents chunks chunk_vectors document_versions chunk_versions
    vectors collections entities relations relation_sources current_facts chunk_texts
    langgraph_checkpoints langgraph_values langgraph_writes langgraph_states
    langgraph_state_versions langgraph_items langgraph_item_vectors session_items
"""


GONE_SHOWN = 10


class Import(NamedTuple):
    """What to load, into which table, and how."""

    sources: list[str]
    table: str
    existing: str = ""  # 'replace', 'append' or '' for the table's own default
    collection: str | None = None  # None: the default one
    encoding: str | None = None
    rules: Rules = Rules()


class _Done:
    """What has been loaded so far: it is told at the end, also after Ctrl-C."""

    def __init__(self, session: Session) -> None:
        self.rows = 0
        self.rejected = 0  # records that a rule kept out
        self.files = 0
        self.rejects: list[tuple[str, str]] = []
        self._session = session

    def reject(self, source: str, reason: str) -> None:
        """Notes a file that was not loaded."""
        self.rejects.append((source, reason))
        self._session.say(f"not imported: {source}: {reason}")

    def record(self) -> None:
        """Writes the rejects into their table, where there is one."""
        if self.rejects and table_exists(self._session, "sqlagent_import_rejects"):
            sql = "INSERT INTO sqlagent_import_rejects (source, reason) VALUES (?, ?)"
            for source, reason in self.rejects:
                self._session.rows(sql, [source, reason])


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit status. Errors: UsageError, sqlagent.Error."""
    made = Parser(
        prog="sqlagent import",
        usage="sqlagent import SOURCE [SOURCE …] FILE (--into TABLE | --from KIND) [options]",
        description="Loads files into a database.",
        epilog=EXAMPLES,
    )
    add = made.add_argument
    add("sources", nargs="+", metavar="SOURCE", help="csv, tsv, parquet, json, jsonl; or a folder")
    add("file", metavar="FILE", help="the database file; made if there is none")
    add("--into", metavar="TABLE", help="a table, or documents")
    add("--from", dest="kind", choices=KINDS, help="whose files they are; else they tell")
    add("--agent", metavar="NAME", help="whose what comes from elsewhere is to be")
    how = made.add_mutually_exclusive_group()
    how.add_argument("--replace", action="store_true", help="in place of what is there")
    how.add_argument("--append", action="store_true", help="besides what is there")
    add("--collection", metavar="NAME", help="of the documents, or of all vectors")
    add("--encoding", metavar="NAME", help="of text files (default: as they look)")
    add("--check", metavar="SQL", action="append", default=[],
        help="a condition that each record must meet; several may be given")  # fmt: skip
    add("--key", metavar="COLUMNS", help="columns that no two records may share")
    add("--on-error", choices=("stop", "reject"), default="stop",
        help="a bad record ends the import (stop), or goes to sqlagent_import_rejects")  # fmt: skip
    add(
        "--max-rejects",
        metavar="N",
        type=int,
        help="with --on-error reject: import nothing when more are rejected",
    )
    add("--evolve", action="store_true", help="add columns and widen types as the file needs")
    options = made.parse_intermixed_args(list(argv))
    existing = "replace" if options.replace else "append" if options.append else ""
    vectors = options.collection if (options.into or "").lower() == "vectors" else None
    rules = Rules(
        options.check, options.key, options.on_error == "reject", options.max_rejects,
        options.evolve, vectors,
    )  # fmt: skip
    wanted = Import(
        options.sources, options.into or "", existing, options.collection, options.encoding, rules
    )
    elsewhere = options.into is None or options.kind is not None
    if options.into is not None and (options.kind is not None or options.agent is not None):
        raise UsageError("--into is for files of rows and texts; --from, --agent for the others'")
    if not elsewhere:
        _check(wanted)
    new = not check_file(options.file)
    session = Session(options.file)
    try:
        if new:
            session.say(f"created {options.file}")
        if elsewhere:
            return 0 if load_from(session, options.sources, options.kind, options.agent) else 1
        return 0 if load(session, wanted) else 1
    finally:
        session.close()


def load(session: Session, wanted: Import) -> bool:
    """Loads it all and says what is in; whether nothing was rejected.

    Errors: UsageError when a source names nothing; KeyboardInterrupt, once it has said what stays.
    """
    _check(wanted)
    found = [(source, _paths(source)) for source in wanted.sources]
    done = _Done(session)
    try:
        if _as_documents(wanted, found):
            _load_documents(session, wanted, found, done)
        else:
            _load_tables(session, wanted, [path for _, paths in found for path in paths], done)
    finally:
        done.record()
    return not done.rejects and not done.rejected


def _check(wanted: Import) -> None:
    table = wanted.table.lower()
    own = table in _KEPT.split() or table.startswith("sqlagent_")
    if wanted.existing == "replace" and own and table != "documents":
        raise UsageError(
            f'"{table}" is a table of the engine, which --replace would empty',
            f"Delete what should go: DELETE FROM {table} WHERE …",
        )
    if wanted.collection is not None and table not in ("documents", "vectors"):
        raise UsageError(f'a collection is of documents or vectors, not of "{table}"')


def _paths(source: str) -> list[Path]:
    """The files and folders that a source stands for. Errors: UsageError when there are none."""
    path = Path(source)
    if path.exists():
        return [path]
    if any(mark in source for mark in "*?["):
        matches = sorted(Path(match) for match in glob.glob(source, recursive=True))
        if matches:
            return matches
        raise UsageError(f'nothing matches "{source}"')
    raise UsageError(f'no such file or folder: "{source}"')


def _as_documents(wanted: Import, found: list[tuple[str, list[Path]]]) -> bool:
    """Text files to be indexed, or rows? A data file is rows of documents where its records have a
    `content`, else a document like others."""
    paths = [path for _, paths in found for path in paths]
    data = [path for path in paths if path.is_file() and reader_of(path)]
    if wanted.table.lower() == "documents" and (
        len(data) < len(paths) or not all(map(holds_documents, data))
    ):
        return True
    for path in paths:
        if path not in data:
            kind = "a folder" if path.is_dir() else "no csv, tsv, parquet, json or jsonl file"
            raise UsageError(f'"{path}" is {kind}', "Text files go --into documents.")
    return False


def _load_tables(session: Session, wanted: Import, paths: list[Path], done: _Done) -> None:
    import sqlagent

    empty_first = wanted.existing == "replace"
    if empty_first and wanted.table.lower() == "documents":
        raise UsageError("--replace would empty documents", "Import the text files themselves.")
    try:
        with Progress(len(paths), "files") as progress:
            for path in paths:
                progress.begin(str(path))
                try:
                    rows, rejected = load_rows(
                        session, path, wanted.table, wanted.rules, empty_first=empty_first
                    )
                    done.rows += rows
                    done.rejected += rejected
                    done.files += 1
                    empty_first = False
                except (sqlagent.Error, UsageError) as error:
                    done.reject(str(path), str(error))
                progress.step()
    finally:
        _tell(session, done.rows, "row", done.files, wanted.table)
        if done.rejected:
            session.say(
                f"rejected {done.rejected:,} record{'' if done.rejected == 1 else 's'}: "
                "SELECT reason, content FROM sqlagent_import_rejects"
            )


def _load_documents(
    session: Session, wanted: Import, found: list[tuple[str, list[Path]]], done: _Done
) -> None:
    sources = [source_of(source) for source, _ in found]
    count = sum(len(source.files) for source in sources)
    if not count:
        raise UsageError(f'no files that can be read as documents in "{wanted.sources[0]}"')
    indexer = Indexer(session, wanted.collection, wanted.existing, wanted.encoding)
    gone: list[str] = []
    try:
        with Progress(count, "documents") as progress:

            def step(uri: str) -> None:
                progress.begin(uri)
                progress.step()

            gone = indexer.add_all(sources, done.reject, step)
    finally:
        _tell(session, indexer.indexed, "document", None, f"collection {indexer.collection}")
        if indexer.unchanged:
            session.say(
                f"{indexer.unchanged:,} were there already, unchanged "
                "(--replace indexes them afresh)"
            )
    for uri in gone[:GONE_SHOWN]:
        session.say(f"no longer there, but in documents: {uri}")
    if len(gone) > GONE_SHOWN:
        session.say(f"… and {len(gone) - GONE_SHOWN:,} more")


def _tell(session: Session, count: int, what: str, files: int | None, into: str) -> None:
    of = "" if files is None else f" of {files:,} file{'' if files == 1 else 's'}"
    session.say(f"imported {count:,} {what}{'' if count == 1 else 's'}{of} into {into}")
