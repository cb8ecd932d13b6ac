"""The schema: only what SQLite 3.40 has, all that the surface names, its rules in the file."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import sqlagent

SURFACE = {
    "agents": "agent_id metadata created_at ended_at",
    "sessions": "session_id agent_id metadata created_at ended_at",
    "states": "agent_id session_id state_type data metadata version checksum created_at",
    "state_versions": "agent_id session_id state_type data metadata version checksum created_at "
    "snapshot_name parent_version",
    "memories": "memory_id agent_id kind tier content importance emotion pinned access_count "
    "last_access_at created_at expires_at valid_from valid_to superseded_by archived_at speaker "
    "source user_id session_id metadata",
    "memory_strength": "memory_id age_days decayed_importance activation retention strength",
    "documents": "document_id uri title content collection content_hash",
    "chunks": "chunk_id document_id ordinal position content heading overlap_prev overlap_next",
    "vectors": "id collection vector metadata",
    "collections": "collection dimensions metric element_type model",
    "sqlagent_graphs": "name sql created_at",
    "sqlagent_comments": "table_name column_name comment",
    "sqlagent_sequences": "name data_type start_value min_value max_value increment_by cycles "
    "cache_size last_value is_called owner_table owner_column",
    "sqlagent_sequence_columns": "table_name column_name sequence",
    "sqlagent_vector_indexes": "name collection kind options created_at",
    "entities": "entity_id name",
    "relation_sources": "relation_id memory_id chunk_id created_at",
    "relations": "relation_id predicate weight valid_from valid_to memory_id chunk_id",
    "recall_feedback": "feedback_id agent_id query memory_id useful created_at reinforced_at",
    "recall_weights": "agent_id part weight judgements learned_at",
    "sqlagent_functions": "name",
    "sqlagent_settings": "name value",
    "sqlagent_migrations": "version name checksum",
    "sqlagent_change_log": "seq tbl pk op scope at",
    "sqlagent_change_entries": "seq tbl pk op scope at",
    "sqlagent_sync": "",
    "sqlagent_query_log": "",
    "sqlagent_import_rejects": "",
    "sqlagent_definitions": "name kind sql dialect created_at",
    "sqlagent_parts": "name rows data",
    "sqlagent_state_versions": "version_id agent_id blocks state_id",
    "sqlagent_state_parts": "part_id text",
    "sqlagent_state_blocks": "block_id parts sizes",
    "sqlagent_state_links": "agent_id version_id from_version_id",
    "sqlagent_state_shares": "family agent_id",
    "sqlagent_operations": "operation_id agent_id operation detail created_at undone_at",
    "sqlagent_operation_rows": "operation_id memory_id action reason before after",
    "memory_sources": "memory_id source_memory_id document_id position session_id turn",
    "memory_links": "memory_id related_id relation weight",
    "sqlagent_erasures": "erasure_id scope subject counts hash pending erased_at finished_at",
    "document_versions": "version_id document_id uri title content_hash characters replaced_at",
    "chunk_versions": "chunk_id version_id document_id ordinal position heading content",
    "current_facts": "memory_id agent_id kind content valid_from valid_to created_at",
    "chunk_texts": "chunk_id document_id collection uri title ordinal content own_content",
    "memory_guards": "agent_id memory_id guard reason count first_at at",
    "memory_fingerprints": "memory_id agent_id level fold",
    "sqlagent_users": "name verifier role can_log_in every_table every_agent",
    "sqlagent_grants": "user_name kind object privilege",
    "memory_policies": "name event action to_tier condition priority enabled",
    "langgraph_checkpoints": "thread_id checkpoint_ns checkpoint_id user_id metadata channels",
    "langgraph_values": "value_id thread_id encoding value",
    "langgraph_writes": "thread_id checkpoint_id task_id channel value",
    "langgraph_states": "thread_id checkpoint_ns checkpoint_id channel value",
    "langgraph_state_versions": "thread_id checkpoint_ns checkpoint_id channel value",
    "langgraph_items": "namespace key value created_at updated_at ttl_minutes expires_at",
    "langgraph_item_vectors": "item_id path vector_id",
    "session_items": "session_id role content item created_at",
}


@pytest.mark.parametrize("table", SURFACE)
def test_every_table_of_the_surface(words: sqlagent.Connection, table: str) -> None:
    cursor = words.execute(f"SELECT * FROM {table}")
    names = [c[0] for c in cursor.description or []]
    assert set(SURFACE[table].split()) <= set(names)
    words.execute(f"SELECT count(*) FROM {table}").fetchall()


def test_the_migrations_use_nothing_newer_than_3_40() -> None:
    import sqlagent.migrations as package

    newer = r"\b(unixepoch|jsonb\w*|string_agg|concat|concat_ws|octet_length|timediff|median|"
    newer += r"percentile\w*|json_array_insert|contentless_delete|unistr|if)\s*\("
    for path in sorted(Path(next(iter(package.__path__))).glob("*.sql")):
        text = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
        assert re.findall(newer, text) == []
        assert "AUTOINCREMENT" not in text.upper()


def test_every_own_table_begins_with_the_prefix_or_is_in_the_surface(
    words: sqlagent.Connection,
) -> None:
    known = {*SURFACE, "snapshots", "snapshot_versions", "memory_vectors", "chunk_vectors"}
    names = words.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    for (name,) in names.fetchall():
        full_text = re.match(r"(memories|chunks)_fts(_|$)", name)
        assert name in known or full_text or name.startswith(("sqlagent_", "sqlite_")), name


def test_a_full_text_table_stands_on_an_integer_primary_key(words: sqlagent.Connection) -> None:
    for table in ("memories", "chunks"):
        sql = f"SELECT sql FROM sqlite_master WHERE name = '{table}'"
        assert "_id INTEGER PRIMARY KEY" in words.execute(sql).fetchone()[0]


def test_the_file_is_in_wal_mode_and_writes_are_durable(words: sqlagent.Connection) -> None:
    assert words.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    handle = words.database.hold_bare()
    try:
        assert handle.execute("PRAGMA synchronous").fetchall() == [(2,)]
    finally:
        words.database.let_go()
    words.execute("SET synchronous = 'normal'")
    handle = words.database.hold_bare()
    try:
        assert handle.execute("PRAGMA synchronous").fetchall() == [(1,)]
    finally:
        words.database.let_go()


def test_the_change_log_only_rises(words: sqlagent.Connection) -> None:
    top = "SELECT max(seq) FROM sqlagent_change_log"
    words.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'x')")
    (first,) = words.execute(top).fetchone()
    words.execute("DELETE FROM memories")
    words.execute(f"DELETE FROM sqlagent_change_log WHERE seq < {first}")
    words.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'y')")
    (second,) = words.execute(top).fetchone()
    assert second > first
    with pytest.raises(sqlagent.IntegrityError, match="newest row of the change log"):
        words.execute("DELETE FROM sqlagent_change_log")
    assert words.execute("CALL sync()").fetchall()
    words.execute("INSERT INTO memories (agent_id, content) VALUES ('ada', 'z')")
    assert words.execute(top).fetchone()[0] > second


def test_the_change_log_trims_itself_whoever_writes(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    with sqlagent.connect(path) as con:
        con.execute("CREATE TABLE t (n INTEGER)")
        con.execute("SET route = 'duckdb'")
        total = "SELECT count(*), sum(n) FROM t"
        assert con.execute(total).fetchall() == [(0, None)]  # the table has its triggers now
        subprocess.run(
            [sys.executable, "-c", PLAIN_WRITER, str(path)], check=True, capture_output=True
        )
        low, high, kept = con.execute(
            "SELECT min(seq), max(seq), count(*) FROM sqlagent_change_log"
        ).fetchone()
        assert high >= 250_000 and 200_000 <= kept <= 201_000 and high - low < 201_000
        # The columns were further behind than the log goes back: they are read anew.
        assert con.execute(total).fetchall() == [(250_000, 250_000 * 250_001 // 2)]


PLAIN_WRITER = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1])
con.execute("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 250000) "
            "INSERT INTO t SELECT n FROM c")
con.commit()
"""

CHANGES = [
    ("INSERT INTO memories (memory_id, agent_id, content) VALUES (9, 'a', 'x')",
     {("memories", 9, "a")}),
    ("UPDATE memories SET agent_id = 'b' WHERE memory_id = 9",
     {("memories", 9, "a"), ("memories", 9, "b")}),
    ("UPDATE memories SET memory_id = 8", {("memories", 9, "b"), ("memories", 8, "b")}),
    ("REPLACE INTO memories (memory_id, agent_id, content) VALUES (8, 'c', 'y')",
     {("memories", 8, "b"), ("memories", 8, "c")}),
    ("INSERT INTO memory_vectors VALUES (8, 'm', x'0000803f')", {("memories", 8, "c")}),
    ("DELETE FROM memories", {("memories", 8, "c")}),
    ("INSERT INTO vectors (vector_id, collection, id, vector) VALUES (1, 'p', 'a', x'0000803f')",
     {("vectors", 1, "p")}),
    ("REPLACE INTO vectors (vector_id, collection, id, vector) VALUES (2, 'p', 'a', x'0000803f')",
     {("vectors", 1, "p"), ("vectors", 2, "p")}),
    ("REPLACE INTO vectors (vector_id, collection, id, vector) VALUES (2, 'q', 'a', x'0000803f')",
     {("vectors", 2, "p"), ("vectors", 2, "q")}),
    ("UPDATE vectors SET collection = 'r'", {("vectors", 2, "q"), ("vectors", 2, "r")}),
    ("DELETE FROM vectors", {("vectors", 2, "r")}),
]  # fmt: skip


def test_every_change_is_in_the_log_under_its_old_and_new_scope(
    words: sqlagent.Connection, shell: Callable[[object, str], str]
) -> None:
    """By Debian's sqlite3, whose recursive_triggers and foreign_keys are off."""
    path = words.database.path
    for sql, wanted in CHANGES:
        (before,) = words.execute("SELECT max(seq) FROM sqlagent_change_log").fetchone()
        shell(path, sql)
        rows = words.execute(
            "SELECT tbl, pk, scope FROM sqlagent_change_log WHERE seq > ?", (before or 0,)
        ).fetchall()
        assert wanted <= set(rows), sql


def test_our_tables_may_be_extended_by_a_foreign_client(
    words: sqlagent.Connection, shell: Callable[[object, str], str]
) -> None:
    shell(
        words.database.path,
        "ALTER TABLE memories ADD COLUMN mood TEXT DEFAULT 'calm';"
        "CREATE INDEX memories_mood ON memories (mood);",
    )
    words.execute("SELECT remember('ada', 'The lamp is green')")
    assert words.execute("SELECT mood, count(*) FROM memories GROUP BY mood").fetchall() == [
        ("calm", 1)
    ]
    assert words.execute("SELECT content FROM recall('ada', 'lamp')").fetchall()
    path = words.database.path
    words.close()
    again = sqlagent.connect(path, embedding_model="none")
    assert again.execute("SELECT mood FROM memories").fetchall() == [("calm",)]
    again.close()


def test_foreign_keys_hold_for_our_own_writes(words: sqlagent.Connection) -> None:
    with pytest.raises(sqlagent.IntegrityError) as caught:
        words.execute("INSERT INTO relations (subject_id, predicate, object_id) VALUES (1, 'x', 2)")
    assert caught.value.sqlstate == "23503"
    words.execute("INSERT INTO entities (entity_id, name) VALUES (1, 'Ada'), (2, 'Bob')")
    words.execute("INSERT INTO relations (subject_id, predicate, object_id) VALUES (1, 'x', 2)")
    words.execute("DELETE FROM entities WHERE entity_id = 2")
    assert words.execute("SELECT count(*) FROM relations").fetchone() == (0,)


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("INSERT INTO agents (agent_id) VALUES ('ada'), ('ada')", "23505"),
        ("INSERT INTO agents (agent_id) VALUES (NULL)", "23502"),
        ("INSERT INTO agents (agent_id) VALUES ('')", "23514"),
        ("INSERT INTO agents (agent_id, metadata) VALUES ('ada', '{')", "23514"),
        ("INSERT INTO memories (memory_id, agent_id, content) VALUES ('x', 'ada', 'y')", "42804"),
        ("INSERT INTO nowhere VALUES (1)", "42P01"),
        ("INSERT INTO agents (nonsense) VALUES (1)", "42703"),
        ("CREATE TABLE agents (a)", "42P07"),
    ],
)
def test_sqlstates(words: sqlagent.Connection, sql: str, state: str) -> None:
    with pytest.raises(sqlagent.DatabaseError) as caught:
        words.execute(sql)
    assert caught.value.sqlstate == state
    assert words.execute("SELECT count(*) FROM agents").fetchone() == (0,)
