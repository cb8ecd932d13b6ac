"""What other systems keep of an agent comes in, from files as they write them; and goes out."""

from __future__ import annotations

import json
import sqlite3
import struct
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest
from conftest import python

import sqlagent
from sqlagent.cli import main
from sqlagent.exchange.bring import found
from sqlagent.exchange.markdown import front_matter, sections


def came(con: sqlagent.Connection, path: Path, **named: Any) -> dict[str, Any]:
    """What import_from() says."""
    given = "".join(f", {name} => ?" for name in named)
    sql = f"SELECT import_from(?{given})"
    return dict(json.loads(con.execute(sql, [str(path), *named.values()]).fetchone()[0]))


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


# mem0 -------------------------------------------------------------------------------------------


def test_mem0_memories_of_get_all(words: sqlagent.Connection, tmp_path: Path) -> None:
    first = {
        "id": "a-1", "memory": "喜欢绿茶", "hash": "h", "user_id": "ada", "agent_id": "helper",
        "metadata": {"category": "taste"}, "created_at": "2025-07-01T10:00:00-07:00",
        "updated_at": None, "categories": ["food"],
    }  # fmt: skip
    path = write(tmp_path / "m.json", {"results": [first, {"id": "a-2", "memory": "Has a cat"}]})
    assert came(words, path) == {"kind": "mem0", "memories": 2}
    rows = words.execute(
        "SELECT agent_id, content, user_id, source, created_at::VARCHAR, metadata FROM memories "
        "WHERE source = 'mem0:a-1'"
    ).fetchall()
    assert rows[0][:5] == ("helper", "喜欢绿茶", "ada", "mem0:a-1", "2025-07-01 17:00:00")
    assert json.loads(rows[0][5]) == {"category": "taste", "categories": ["food"]}
    assert words.execute("SELECT content FROM recall('helper', '绿茶')").fetchall() == [
        ("喜欢绿茶",)
    ]
    assert came(words, path) == {"kind": "mem0"}  # once is enough


def test_mem0_vectors_of_an_export(words: sqlagent.Connection, tmp_path: Path) -> None:
    lines = [
        {"id": str(n), "vector": [n + 1.0, 2.0], "payload": {"data": f"fact {n}", "user_id": "u"}}
        for n in range(3)
    ]
    path = write(tmp_path / "export.jsonl", "\n".join(map(json.dumps, lines)))
    assert came(words, path, agent_id="bob") == {"kind": "mem0", "memories": 3, "vectors": 3}
    assert words.execute("SELECT id FROM knn('mem0', [3.0, 2.0], k => 1)").fetchall() == [("2",)]
    lines[1]["vector"] = [1.0]
    lines[1]["payload"]["data"] = "other"
    bad = write(tmp_path / "bad.jsonl", "\n".join(map(json.dumps, lines)))
    with pytest.raises(sqlagent.DataError, match="expected 2 dimensions, not 1") as caught:
        came(words, bad, agent_id="eve")
    assert "vector 1 of collection mem0" in str(caught.value)
    assert words.execute("SELECT count(*) FROM memories WHERE agent_id = 'eve'").fetchall() == [
        (0,)
    ]


def test_mem0_history_is_a_chain_of_what_was_true(
    words: sqlagent.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "history.db"
    python(MEM0, path)
    assert came(words, path) == {"kind": "mem0", "memories": 4, "session_items": 1}
    rows = words.execute(
        "SELECT source, content, valid_to::VARCHAR, superseded_by IS NOT NULL FROM memories "
        "ORDER BY source"
    ).fetchall()
    assert rows == [
        ("mem0:gone", "Works at Acme", "2025-03-01 00:00:00", False),
        ("mem0:one", "Lives in Rome", None, False),
        ("mem0:one@1", "Lives in Oslo", "2025-02-01 00:00:00", True),
        ("mem0:two", "Plays chess", None, False),
    ]
    told = words.execute("SELECT role, content FROM session_items").fetchall()
    assert told == [("user", "I moved to Rome")]


MEM0 = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1])
con.executescript('''
CREATE TABLE history (id TEXT PRIMARY KEY, memory_id TEXT, old_memory TEXT, new_memory TEXT,
  event TEXT, created_at DATETIME, updated_at DATETIME, is_deleted INTEGER, actor_id TEXT,
  role TEXT);
CREATE TABLE messages (id TEXT PRIMARY KEY, session_scope TEXT, role TEXT, content TEXT, name TEXT,
  created_at DATETIME);
INSERT INTO history VALUES
 ('1', 'one', NULL, 'Lives in Oslo', 'ADD', '2025-01-01T00:00:00', NULL, 0, 'ada', 'user'),
 ('2', 'one', 'Lives in Oslo', 'Lives in Rome', 'UPDATE', '2025-01-01', '2025-02-01', 0, 'ada',
  'user'),
 ('3', 'two', NULL, 'Plays chess', 'ADD', '2025-01-01', NULL, 0, NULL, NULL),
 ('4', 'gone', NULL, 'Works at Acme', 'ADD', '2025-01-01', NULL, 0, NULL, NULL),
 ('5', 'gone', 'Works at Acme', NULL, 'DELETE', '2025-01-01', '2025-03-01', 1, NULL, NULL);
INSERT INTO messages VALUES ('1', 'user_id=ada', 'user', 'I moved to Rome', NULL, '2025-02-01');
''')
"""


def test_the_history_that_mem0_itself_writes(words: sqlagent.Connection, tmp_path: Path) -> None:
    pytest.importorskip("mem0", reason="mem0ai is not installed")
    path = tmp_path / "history.db"
    python(
        "import sys; sys.path[:0] = eval(sys.argv[2])\n"
        "from mem0.memory.storage import SQLiteManager\n"
        "m = SQLiteManager(sys.argv[1])\n"
        "m.add_history('x', None, 'Has a dog', 'ADD', created_at='2025-01-01T00:00:00+00:00')\n"
        "m.add_history('x', 'Has a dog', 'Has two dogs', 'UPDATE',"
        " created_at='2025-01-01T00:00:00+00:00', updated_at='2025-02-01T00:00:00+00:00')\n"
        "m.close()",
        path, repr(sys.path),
    )  # fmt: skip
    assert came(words, path)["memories"] == 2
    current = "SELECT content FROM memories WHERE superseded_by IS NULL"
    assert words.execute(current).fetchall() == [("Has two dogs",)]


# Chroma -----------------------------------------------------------------------------------------


def chroma(folder: Path, *, indexed: int, queued: int) -> Path:
    """A folder as Chroma 1.x writes it: `indexed` vectors in an index, `queued` in the log."""
    folder.mkdir()
    con = sqlite3.connect(folder / "chroma.sqlite3")
    con.executescript(CHROMA)
    index = folder / "seg-v"
    index.mkdir()
    size, label_at, data_at = 4 + 8 + 8 + 8, 20, 12  # links, a vector of two, the label
    data = b"".join(
        bytes(12) + array("f", [n, 1.0]).tobytes() + struct.pack("<Q", n + 1)
        for n in range(indexed)
    )
    assert len(data) == size * indexed
    (index / "data_level0.bin").write_bytes(data)
    header = struct.pack(
        "<i6Qii3QdQ", 1, 0, 100, indexed, size, label_at, data_at, 0, 0, 1, 2, 1, 0.3, 9
    )
    (index / "header.bin").write_bytes(header)
    names = "{" + ", ".join(f"'k{n}': {n + 1}" for n in range(indexed)) + "}"
    python(
        "import pickle, sys; pickle.dump({'dimensionality': 2, 'id_to_label': eval(sys.argv[2])},"
        " open(sys.argv[1], 'wb'))", index / "index_metadata.pickle", names,
    )  # fmt: skip
    for n in range(indexed + queued):
        con.execute(
            "INSERT INTO embeddings VALUES (?, 'seg-m', ?, ?, '2025-01-01')", (n, f"k{n}", n)
        )
        con.execute("INSERT INTO embedding_metadata VALUES (?, 'n', NULL, ?, NULL, NULL)", (n, n))
        con.execute("INSERT INTO embedding_metadata VALUES (?, 'ok', NULL, NULL, NULL, 1)", (n,))
        text = f"note {n} 绿茶"
        con.execute(
            "INSERT INTO embedding_metadata VALUES (?, 'chroma:document', ?, NULL, NULL, NULL)",
            (n, text),
        )
    for seq in range(indexed):  # what the index has seen: of no weight any more
        con.execute(
            QUEUED.format(0),
            (seq + 1, f"k{seq}", array("f", [99.0, 99.0]).tobytes()),
        )  # fmt: skip
    for n in range(indexed, indexed + queued):
        con.execute(
            QUEUED.format(2),
            (n + 1, f"k{n}", array("f", [n, 1.0]).tobytes()),
        )  # fmt: skip
    con.execute("INSERT INTO max_seq_id VALUES ('seg-v', ?)", (indexed,))
    con.commit()
    con.close()
    return folder


QUEUED = """
INSERT INTO embeddings_queue
VALUES (?, '', {}, 'persistent://default/default/col', ?, ?, 'FLOAT32', NULL)
"""
CHROMA = """
CREATE TABLE collections (id TEXT PRIMARY KEY, name TEXT NOT NULL, dimension INTEGER,
  database_id TEXT NOT NULL, config_json_str TEXT, schema_str TEXT);
CREATE TABLE collection_metadata (collection_id TEXT, key TEXT NOT NULL, str_value TEXT,
  int_value INTEGER, float_value REAL, bool_value INTEGER);
CREATE TABLE segments (id TEXT PRIMARY KEY, type TEXT NOT NULL, scope TEXT NOT NULL,
  collection TEXT NOT NULL);
CREATE TABLE embeddings (id INTEGER PRIMARY KEY, segment_id TEXT NOT NULL,
  embedding_id TEXT NOT NULL, seq_id BLOB NOT NULL, created_at TIMESTAMP);
CREATE TABLE embedding_metadata (id INTEGER, key TEXT NOT NULL, string_value TEXT,
  int_value INTEGER, float_value REAL, bool_value INTEGER, PRIMARY KEY (id, key));
CREATE TABLE embeddings_queue (seq_id INTEGER PRIMARY KEY, created_at TIMESTAMP,
  operation INTEGER NOT NULL, topic TEXT NOT NULL, id TEXT NOT NULL, vector BLOB, encoding TEXT,
  metadata TEXT);
CREATE TABLE max_seq_id (segment_id TEXT PRIMARY KEY, seq_id INTEGER);
INSERT INTO collections VALUES ('col', 'notes', 2, 'db', '{}',
  '{"keys": {"#embedding": {"float_list": {"vector_index": {"config": {"space": "l2"}}}}}}');
INSERT INTO segments VALUES ('seg-v', 'hnsw', 'VECTOR', 'col'),
  ('seg-m', 'sqlite', 'METADATA', 'col');
"""


def test_chroma_vectors_of_its_index_and_of_its_log(
    words: sqlagent.Connection, tmp_path: Path
) -> None:
    folder = chroma(tmp_path / "store", indexed=40, queued=5)
    assert came(words, folder) == {"kind": "chroma", "vectors": 45, "documents": 45}
    near = words.execute("SELECT id, metadata FROM knn('notes', [42.0, 1.0], k => 1)").fetchall()
    assert near[0][0] == "k42"
    assert json.loads(near[0][1]) == {"n": 42, "ok": True, "document": "note 42 绿茶"}
    metric = words.execute("SELECT metric FROM collections WHERE collection = 'notes'").fetchall()
    assert metric == [("l2",)]
    hits = words.execute(
        "SELECT uri FROM search('note 7', collection => 'notes', k => 1)"
    ).fetchall()
    assert hits == [("chroma:notes/k7",)]
    assert came(words, folder) == {"kind": "chroma", "vectors": 0, "documents": 0}


def test_a_pickle_that_names_code_is_not_run(words: sqlagent.Connection, tmp_path: Path) -> None:
    folder = chroma(tmp_path / "store", indexed=2, queued=0)
    mark = tmp_path / "ran"
    evil = f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode()
    (folder / "seg-v" / "index_metadata.pickle").write_bytes(evil)
    with pytest.raises(sqlagent.DataError, match=r"posix\.system, which is not run"):
        came(words, folder)
    assert not mark.exists()
    (folder / "seg-v" / "index_metadata.pickle").write_bytes(b"\x80\x03}.")
    (folder / "seg-v" / "header.bin").write_bytes(bytes(100))
    with pytest.raises(sqlagent.DataError, match="not as hnswlib writes it"):
        came(words, folder)
    assert words.execute("SELECT count(*) FROM vectors").fetchall() == [(0,)]


def test_a_folder_that_chroma_itself_writes(words: sqlagent.Connection, tmp_path: Path) -> None:
    pytest.importorskip("chromadb", reason="chromadb is not installed")
    folder = tmp_path / "store"
    python(
        "import sys; sys.path[:0] = eval(sys.argv[2])\n"
        "import chromadb\n"
        "c = chromadb.PersistentClient(sys.argv[1])\n"
        "space = {'hnsw:space': 'cosine'}\n"
        "t = c.create_collection('texts', embedding_function=None, metadata=space)\n"
        "for k in range(2):\n"
        "    t.add(ids=[f'{k}-{i}' for i in range(1000)],\n"
        "          embeddings=[[1.0 + i, 1.0 + k] for i in range(1000)],\n"
        "          documents=[f'text {k} {i}' for i in range(1000)])\n"
        "t.delete(ids=['0-5']); t.update(ids=['0-6'], embeddings=[[-1.0, 0.0]])\n",
        folder, repr(sys.path),
    )  # fmt: skip
    told = came(words, folder)
    assert (told["vectors"], told["documents"]) == (1999, 1999)
    near = words.execute("SELECT id FROM knn('texts', [-1.0, 0.0], k => 1)").fetchall()
    assert near == [("0-6",)]


# Letta ------------------------------------------------------------------------------------------

AGENT_FILE = {
    "agents": [{
        "name": "Sam", "id": "agent-0", "block_ids": ["block-0", "block-1"], "memory_blocks": [],
        "system": "You are Sam.", "description": "A friend", "agent_type": "letta_v1_agent",
        "messages": [
            {"id": "message-0", "role": "system", "content": [{"type": "text", "text": "You are"}],
             "created_at": "2025-10-31T22:56:56.459100+00:00"},
            {"id": "message-1", "role": "user", "content": [{"type": "text", "text": "你好"}],
             "created_at": "2025-10-31T23:00:00+00:00"},
            {"id": "message-2", "role": "assistant", "content": [{"type": "text", "text": "Hi"}],
             "tool_calls": [{"name": "look"}], "created_at": "2025-10-31T23:00:01+00:00"},
        ],
    }],
    "blocks": [
        {"id": "block-0", "label": "human", "value": "First name: Chad"},
        {"id": "block-1", "label": "persona", "value": "I am Sam."},
        {"id": "block-2", "label": "other", "value": "of another agent"},
    ],
    "groups": [], "files": [], "sources": [], "tools": [], "mcp_servers": [],
}  # fmt: skip


def test_lettas_agent_file_of_both_forms(words: sqlagent.Connection, tmp_path: Path) -> None:
    path = write(tmp_path / "sam.af", AGENT_FILE)
    told = came(words, path)
    assert told == {"kind": "letta", "memories": 4, "states": 2, "session_items": 3}
    state = words.execute(
        "SELECT data->>'human', data->>'persona' FROM states WHERE state_type = 'working_memory'"
    )
    assert state.fetchall() == [("First name: Chad", "I am Sam.")]
    said = words.execute(
        "SELECT speaker, content, created_at::VARCHAR FROM memories WHERE kind = 'episodic' "
        "ORDER BY 3"
    ).fetchall()
    assert said[0] == ("user", "你好", "2025-10-31 23:00:00")
    assert words.execute("SELECT count(*) FROM memories WHERE pinned").fetchall() == [(2,)]
    assert came(words, path) == {"kind": "letta", "session_items": 0}
    first = {
        "agent_type": "memgpt_agent", "name": "Old", "system": "s",
        "core_memory": [{"label": "human", "value": "Name: Ada"}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
    }  # fmt: skip
    old = write(tmp_path / "old.af", first)
    assert came(words, old, agent_id="ada")["memories"] == 2
    assert words.execute(
        "SELECT agent_id FROM states WHERE data->>'human' = 'Name: Ada'"
    ).fetchall() == [("ada",)]


# Notes ------------------------------------------------------------------------------------------

NOTE = """---
kind: procedural
importance: 0.9
pinned: true
tags: [tea, "绿茶"]
people:
  - Ada
  - Bob
date: 2025-05-01
title: 'It''s tea'
---
# Tea

Brew 绿茶 at 80 degrees.
"""


def test_notes_in_markdown(words: sqlagent.Connection, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / ".obsidian").mkdir()
    write(folder / "tea.md", NOTE)
    write(folder / ".obsidian" / "x.md", "not a note")
    code = "```\n# no heading\n```\n"
    write(
        folder / "deep" / "long.md",
        "\n".join(f"## Part {n}\n{code}" + "word " * 300 for n in range(3)),
    )
    assert came(words, folder, agent_id="ada") == {"kind": "markdown", "memories": 4}
    row = words.execute(
        "SELECT kind, importance, pinned, created_at::VARCHAR, content, metadata FROM memories "
        "WHERE source = 'markdown:tea.md'"
    ).fetchall()[0]
    assert row[:4] == ("procedural", 0.9, True, "2025-05-01 00:00:00")
    assert row[4].startswith("# Tea") and json.loads(row[5]) == {
        "tags": ["tea", "绿茶"], "people": ["Ada", "Bob"], "title": "It's tea",
    }  # fmt: skip
    parts = words.execute(
        "SELECT source, metadata->>'heading' FROM memories WHERE source LIKE '%long.md%' ORDER BY 1"
    ).fetchall()
    assert parts == [("markdown:deep/long.md", "Part 0"), ("markdown:deep/long.md#2", "Part 1"),
                     ("markdown:deep/long.md#3", "Part 2")]  # fmt: skip
    assert came(words, folder, agent_id="ada") == {"kind": "markdown"}
    assert front_matter("no front\n---\n") == ({}, "no front\n---\n")
    assert sections("  \n") == [] and front_matter("---\na: 1\n---\n")[1] == ""


# LangGraph --------------------------------------------------------------------------------------


def test_langgraphs_sqlite_files(words: sqlagent.Connection, tmp_path: Path) -> None:
    pytest.importorskip("langgraph.checkpoint.base", reason="langgraph-checkpoint is not installed")
    from langgraph.checkpoint.base import empty_checkpoint
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    from sqlagent.langgraph import SqlAgentSaver, SqlAgentStore

    path, serde = tmp_path / "checkpoints.sqlite", JsonPlusSerializer()
    con = sqlite3.connect(path)
    con.executescript(
        "CREATE TABLE checkpoints (thread_id TEXT NOT NULL, "
        "checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL, "
        "parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, "
        "metadata BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));"
        "CREATE TABLE writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', "
        "checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL, "
        "channel TEXT NOT NULL, type TEXT, value BLOB, "
        "PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));"
        "CREATE TABLE store (prefix text NOT NULL, key text NOT NULL, value text NOT NULL, "
        "created_at TIMESTAMP, updated_at TIMESTAMP, PRIMARY KEY (prefix, key));"
        "INSERT INTO store VALUES ('users.ada', 'k', '{\"a\": 1}', '2025-01-01 00:00:00', "
        "'2025-01-02 00:00:00');"
    )
    parent = None
    for step in range(3):
        point = empty_checkpoint()
        point["channel_values"] = {"messages": [f"m{i}" * 40 for i in range(30 + step)]}
        point["channel_versions"] = {"messages": step + 1}
        about = json.dumps({"source": "loop", "step": step}).encode()
        con.execute("INSERT INTO checkpoints VALUES ('t', '', ?, ?, ?, ?, ?)",
                    (point["id"], parent, *serde.dumps_typed(point), about))  # fmt: skip
        con.execute("INSERT INTO writes VALUES ('t', '', ?, 'task', 0, 'messages', ?, ?)",
                    (point["id"], *serde.dumps_typed({"x": step})))  # fmt: skip
        parent = point["id"]
    con.commit()
    con.close()
    told = came(words, path)
    assert told == {"kind": "langgraph", "langgraph": 6, "langgraph_items": 1}
    saver, store = SqlAgentSaver(words), SqlAgentStore(words)
    tuples = [*saver.list({"configurable": {"thread_id": "t"}})]
    assert [len(t.checkpoint["channel_values"]["messages"]) for t in tuples] == [32, 31, 30]
    assert tuples[0].parent_config == tuples[1].config and tuples[0].metadata["step"] == 2
    assert tuples[0].pending_writes == [("task", "messages", {"x": 2})]
    item = store.get(("users", "ada"), "k")
    assert item is not None and item.value == {"a": 1} and item.updated_at.day == 2
    assert came(words, path)["langgraph_items"] == 0
    assert len([*saver.list(None)]) == 3


# What is wrong, and the command line --------------------------------------------------------------


def test_what_cannot_be_read_is_said(words: sqlagent.Connection, tmp_path: Path) -> None:
    for value, why in (
        ({"results": [{"id": "1"}]}, "record 1 of .* has no text under"),
        ({"results": "x"}, 'no list of memories under "results"'),
        ({"results": ["x"]}, "record 1 of .* is no object"),
    ):
        with pytest.raises(sqlagent.DataError, match=why):
            came(words, write(tmp_path / "m.json", value))
    with pytest.raises(sqlagent.DataError, match="no such file or folder"):
        came(words, tmp_path / "nothing")
    with pytest.raises(sqlagent.DataError, match="is not known as anybody's"):
        came(words, write(tmp_path / "x.bin", "x"))
    with pytest.raises(sqlagent.DataError, match="is no JSON"):
        came(words, write(tmp_path / "x.json", "{"))
    with pytest.raises(sqlagent.ProgrammingError, match="kind is one of mem0"):
        came(words, tmp_path / "x.bin", kind="zep")
    with pytest.raises(sqlagent.DataError, match="no agent file of Letta"):
        came(words, write(tmp_path / "y.json", {"a": 1}), kind="letta")
    assert words.execute("SELECT import_from(NULL)").fetchall() == [(None,)]
    assert words.execute("SELECT count(*) FROM memories").fetchall() == [(0,)]
    with pytest.raises(sqlagent.DataError):
        found(str(tmp_path / "nothing"), None, None)


def test_the_command_line_imports_and_exports(tmp_path: Path, capsys: Any) -> None:
    file, folder = str(tmp_path / "agent.db"), tmp_path / "out"
    notes = write(tmp_path / "tea.md", NOTE)
    other = write(tmp_path / "m.json", {"results": [{"id": "1", "memory": "x", "agent_id": "bob"}]})
    assert main(["import", str(notes), str(other), file]) == 0
    assert main(["import", str(notes), file, "--from", "markdown", "--agent", "ada"]) == 0
    assert main(["import", str(tmp_path / "no.json"), file, "--from", "mem0"]) == 1
    assert main(["import", str(notes), file, "--into", "t", "--from", "mem0"]) == 2
    said = capsys.readouterr().err
    assert "imported" in said and "(markdown): 1 into memories" in said and "no such file" in said
    for form, ending in (("parquet", "parquet"), ("jsonl", "jsonl"), ("markdown", "md")):
        assert main(["export", file, str(folder), "--agent", "ada", "--format", form]) == 0
        assert (folder / f"memories.{ending}").is_file()
    lines = (folder / "memories.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["agent_id"] for line in lines] == ["ada"]
    assert "绿茶" in (folder / "memories.md").read_text(encoding="utf-8")
    with sqlagent.connect(":memory:") as con:
        path = str(folder / "memories.parquet")
        assert con.execute(f"SELECT agent_id FROM '{path}'").fetchall() == [("ada",)]
    assert main(["export", file, str(folder), "--agent", "nobody"]) == 2
    assert main(["export", file, str(tmp_path / "all"), "--format", "jsonl"]) == 0
    assert len((tmp_path / "all" / "memories.jsonl").read_text().splitlines()) == 3


def test_copy_into_markdown(words: sqlagent.Connection, tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    sql = f"COPY (SELECT ? AS \"a|b\", '绿茶' AS t) TO '{path}' (FORMAT markdown)"
    assert words.execute(sql, ["x|y\nz"]).rowcount == 1
    head, rule, row = path.read_text(encoding="utf-8").strip().splitlines()
    assert head == r"| a\|b | t |" and rule == "|---|---|" and row == r"| x\|y<br>z | 绿茶 |"
    words.execute("CREATE TABLE t (a INTEGER, b VARCHAR)")
    words.execute("INSERT INTO t VALUES (1, 'to')")
    assert words.execute(f"COPY t (b, a) TO '{path}'").rowcount == 1
    assert path.read_text().splitlines()[0] == "| b | a |"
    for wrong, why in (
        (f"COPY t TO '{path}' (FORMAT markdown, HEADER false)", 'no option "header"'),
        (f"COPY t TO '{tmp_path}/no/x.md'", "cannot write"),
        (f"COPY nothing TO '{path}'", 'unknown table "nothing"'),
        (f"COPY t TO '{words.database.path}' (FORMAT markdown)", "is open here"),
    ):
        with pytest.raises(sqlagent.Error, match=why):
            words.execute(wrong)
    assert path.read_text().splitlines()[0] == "| b | a |"  # as it was
    assert [p.name for p in tmp_path.glob("*.tmp")] == []


def test_nobody_imports_over_the_network() -> None:
    from types import SimpleNamespace

    from sqlagent.functions import functions
    from sqlagent.serve.rights import Rights

    admin = SimpleNamespace(
        role="admin", writes=True, grants=None, agents=None, may=lambda *_: True
    )
    rights = SimpleNamespace(principal=admin, limited=False)
    assert not Rights.calls(rights, functions()["import_from"])  # type: ignore[arg-type]


def test_the_importers_open_nothing_with_pythons_sqlite(tmp_path: Path) -> None:
    code = (
        "import sys, sqlagent\n"
        "sys.addaudithook(lambda e, a: e == 'sqlite3.connect' and sys.exit(7))\n"
        "con = sqlagent.connect(':memory:', embedding_model='none')\n"
        "print(con.execute('SELECT import_from(?)', [sys.argv[1]]).fetchall())"
    )
    folder = chroma(tmp_path / "store", indexed=3, queued=0)
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0 and '"vectors": 3' in done.stdout, done.stderr
