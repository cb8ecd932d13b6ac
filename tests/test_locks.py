"""No SQL and no Python library may open the live file a second time in this process.

POSIX locks belong to the process: closing any descriptor of the file drops ours, and the next
process to come takes the write lock under our transaction, whose commit is then lost.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sqlagent

TRY = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    con.execute('BEGIN IMMEDIATE')
    print('taken')
except sqlite3.OperationalError as error:
    print(error)
"""


READ = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1])
print(con.execute('SELECT content FROM memories').fetchall())
"""


def our_locks(path: Path) -> list[str]:
    """The locks of this process on the file and its -shm, from /proc/locks."""
    if not os.path.exists("/proc/locks"):
        pytest.skip("needs /proc/locks")
    inodes = set()
    for suffix in ("", "-shm"):
        seen = os.stat(f"{path}{suffix}")
        inodes.add(f"{os.major(seen.st_dev):02x}:{os.minor(seen.st_dev):02x}:{seen.st_ino}")
    with open("/proc/locks") as file:
        fields = [line.split() for line in file]
    return sorted(" ".join(f[1:]) for f in fields if f[4] == str(os.getpid()) and f[5] in inodes)


def kept(path: Path, before: list[str]) -> bool:
    """Whether the locks are still there. A lost lock does not come back, while one reading of
    /proc/locks may miss a line: the kernel hands it out page by page while others lock files."""
    return any(set(before) <= set(our_locks(path)) for _ in range(50))


@pytest.fixture
def held(
    words: sqlagent.Connection, fresh_db: Path, elsewhere: Callable[..., str]
) -> Iterator[sqlagent.Connection]:
    """A connection whose transaction has the write lock; it must still have it in the end."""
    (fresh_db.parent / "link.db").symlink_to(fresh_db)
    os.link(fresh_db, fresh_db.parent / "hard.db")
    words.execute("SELECT agent_id, count(*) FROM memories GROUP BY 1").fetchall()  # DuckDB is up
    words.execute("BEGIN")
    words.execute("SELECT remember('ada', 'must not be lost')")
    before = our_locks(fresh_db)
    assert any("WRITE" in lock for lock in before)
    yield words
    assert kept(fresh_db, before)
    assert elsewhere(TRY, fresh_db) == "database is locked"
    words.execute("COMMIT")
    assert elsewhere(READ, fresh_db) == "[('must not be lost',)]"


NAMES = [
    "agent.db",
    "./agent.db",
    "{dir}/agent.db",
    "link.db",
    "hard.db",
    "{dir}/../{name}/agent.db",
]
READS = [
    "SELECT * FROM sqlite_scan('{0}', 'agents')",
    "SELECT * FROM sqlite_query('{0}', 'SELECT 1')",
    "SELECT size FROM read_blob('{0}')",
    "SELECT content FROM read_text('{0}')",
    "SELECT * FROM read_csv('{0}')",
    "SELECT * FROM read_csv_auto(['{0}'])",
    "SELECT * FROM read_json('{0}')",
    "SELECT * FROM read_parquet('{0}')",
    "SELECT * FROM '{0}'",
    'SELECT * FROM "{0}"',
    "SELECT * FROM sniff_csv('{0}')",
    "SELECT * FROM parquet_metadata('{0}')",
    "SELECT count(*) FROM memories, read_blob('{0}')",
    "ATTACH '{0}' AS other (TYPE sqlite)",
    "ATTACH '{0}' AS other",
    "ATTACH 'file:{0}?mode=ro' AS other",
    "COPY memories TO '{0}'",
    "COPY (SELECT 1) TO '{0}' (FORMAT csv)",
    "COPY agents FROM '{0}'",
]


@pytest.fixture
def beside(fresh_db: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory is the file's."""
    monkeypatch.chdir(fresh_db.parent)
    return fresh_db


@pytest.mark.parametrize("sql", READS)
def test_no_statement_opens_the_live_file(
    beside: Path, held: sqlagent.Connection, sql: str
) -> None:
    """Refused, or (our own table by its own file's name) answered by SQLite; never a lost lock."""
    locks = our_locks(beside)
    for name in NAMES:
        text = sql.format(name.format(dir=beside.parent, name=beside.parent.name))
        try:
            held.execute(text).fetchall()
        except sqlagent.Error:
            pass
        assert kept(beside, locks), text


MORE = [
    "SELECT * FROM read_blob('*.db')",
    "SELECT * FROM read_text('{dir}/**')",
    "SELECT * FROM read_text('agent.d?')",
    "SELECT * FROM read_blob('[a-z]*.db')",
    "SELECT * FROM read_blob('*')",
    "SELECT * FROM read_blob('agent.db-wal')",
    "SELECT * FROM read_blob('agent.db-shm')",
    "SELECT * FROM read_blob(['nothing.csv', 'agent.db'])",
    "SELECT * FROM read_blob('age' || 'nt.db')",
    "SELECT * FROM read_blob(concat('agent', '.db'))",
    "SELECT * FROM read_blob(replace('agent-db', '-', '.'))",
    "SELECT * FROM read_blob(reverse('bd.tnega'))",
    "SELECT * FROM read_blob((SELECT 'agent.db'))",
    "SELECT * FROM read_blob(lower('AGENT.DB'))",
    "SELECT * FROM read_blob(getvariable('path'))",
    "SELECT * FROM query('SELECT * FROM read_blob(''agent.db'')')",
    "SELECT * FROM query_table('agent.db')",
    "SELECT * FROM query('FROM ' || '''agent.db''')",
    "FROM read_blob('agent.db')",
    "FROM 'agent.db'",
    "SELECT (SELECT count(*) FROM read_blob('agent.db'))",
    "WITH x AS (SELECT * FROM read_blob('agent.db')) SELECT * FROM x",
    "SELECT * FROM memories WHERE content IN (SELECT content FROM read_text('agent.db'))",
    "INSERT INTO agents (agent_id) SELECT filename FROM read_blob('agent.db')",
    "CREATE TABLE t AS SELECT * FROM read_blob('agent.db')",
    "SELECT remember('ada', content) FROM read_text('agent.db')",
    "EXPLAIN ANALYZE SELECT * FROM read_blob('agent.db')",
    "DESCRIBE SELECT * FROM read_csv('agent.db')",
    "SUMMARIZE SELECT * FROM read_csv('agent.db')",
    "PIVOT read_csv('agent.db') ON a",
    "SELECT * FROM read_blob('file:agent.db')",
    "SELECT * FROM read_blob('file://{dir}/agent.db')",
    "SELECT * FROM read_blob('file:{dir}/agent.db')",
    "SELECT * FROM \"read_blob\"('agent.db')",
    "SELECT * FROM system.main.read_blob('agent.db')",
    "SELECT * FROM read_blob(path := 'agent.db')",
    "SELECT * FROM /* a comment */ read_blob /**/ ('agent.db')",
    "SELECT * FROM read_blob(E'agent\\x2edb')",
    "SELECT * FROM read_blob($$agent.db$$)",
    "SELECT * FROM read_blob(chr(97) || 'gent.db')",
    "SELECT * FROM glob('agent.db')",
    "EXPORT DATABASE '{dir}'",
    "IMPORT DATABASE '{dir}'",
    "INSTALL sqlite",
    "LOAD sqlite",
    "LOAD '{dir}/agent.db'",
    "SET file_search_path = '{dir}'",
    "SET home_directory = '{dir}'",
    "SET temp_directory = '{dir}/agent.db'",
    "PRAGMA enable_profiling = 'json'",
    "CREATE MACRO f() AS TABLE SELECT * FROM read_blob('agent.db')",
    "CREATE VIEW v AS SELECT * FROM read_blob('agent.db')",
    "VACUUM INTO '{dir}/agent.db'",
    "SELECT load_extension('{dir}/agent.db')",
    "SELECT writefile('{dir}/agent.db', 'x')",
    "SELECT readfile('{dir}/agent.db')",
]


@pytest.mark.parametrize("sql", MORE)
def test_no_disguise_opens_the_live_file(beside: Path, held: sqlagent.Connection, sql: str) -> None:
    locks = our_locks(beside)
    held.execute("SAVEPOINT s")
    try:
        held.execute(sql.format(dir=beside.parent)).fetchall()
    except sqlagent.Error:
        pass
    held.execute("ROLLBACK TO s")
    assert kept(beside, locks)


@pytest.mark.parametrize("name", [*NAMES, "*.db", "file:agent.db"])
def test_no_parameter_opens_the_live_file(
    beside: Path, held: sqlagent.Connection, name: str
) -> None:
    locks = our_locks(beside)
    path = name.format(dir=beside.parent, name=beside.parent.name)
    for function in ("read_blob", "read_text", "read_csv", "sniff_csv", "read_parquet"):
        for values in ((path,), ([path],)):
            with pytest.raises(sqlagent.Error):
                held.execute(f"SELECT * FROM {function}(?)", values).fetchall()
        with pytest.raises(sqlagent.Error):
            held.execute(f"SELECT * FROM {function}(:p)", {"p": path}).fetchall()
        with pytest.raises(sqlagent.Error):
            held.execute(f"SELECT * FROM {function}(? || ?)", (path[:3], path[3:])).fetchall()
        with pytest.raises(sqlagent.Error):
            held.execute(f"SELECT ?2, * FROM {function}(?1)", (path, "none.csv")).fetchall()
        with pytest.raises(sqlagent.Error):
            sql = f"SELECT $a, * FROM {function}($b) WHERE $c"
            held.execute(sql, {"c": True, "a": "none.csv", "b": path}).fetchall()
    assert kept(beside, locks)


def test_a_macro_or_variable_made_before_is_no_way_around(
    beside: Path, held: sqlagent.Connection
) -> None:
    locks = our_locks(beside)
    for sql in (
        "SET VARIABLE path = 'agent.db'",
        "CREATE TEMP MACRO g(p) AS TABLE SELECT * FROM read_blob(p)",
        "SELECT * FROM g('agent.db')",
        "SELECT * FROM read_blob(getvariable('path'))",
        "PREPARE s AS SELECT * FROM read_blob('agent.db')",
        "EXECUTE s",
    ):
        try:
            held.execute(sql).fetchall()
        except sqlagent.Error:
            pass
        assert kept(beside, locks), sql


@pytest.mark.parametrize("name", ["agent.db", "link.db", "hard.db", "file:agent.db?mode=ro"])
def test_pythons_sqlite3_is_refused_in_this_process(
    beside: Path, held: sqlagent.Connection, name: str
) -> None:
    with pytest.raises(sqlagent.OperationalError, match="second SQLite library"):
        sqlite3.connect(name, uri=name.startswith("file:"))
    with pytest.raises(sqlagent.OperationalError, match="second SQLite library"):
        sqlite3.connect(beside)
    other = sqlite3.connect(":memory:")
    other.close()


def test_after_it_is_closed_pythons_sqlite3_may(migrated_db: Path) -> None:
    con = sqlagent.connect(migrated_db)
    con.close()
    other = sqlite3.connect(migrated_db)
    assert other.execute("SELECT count(*) FROM memories").fetchone() == (0,)
    other.close()


def test_our_own_work_keeps_the_lock(beside: Path, held: sqlagent.Connection) -> None:
    """Copies for columns, codes, other connections, their end: none may drop the lock."""
    locks = our_locks(beside)
    other = sqlagent.connect(beside, embedding_model="none")
    queries = (
        "SELECT agent_id, count(*) FROM memories GROUP BY 1",
        "SELECT * FROM recall('ada', 'lost')",
        "SELECT content FROM memories",
        "SELECT count(*) FROM range(100000) r, memories m",
    )
    for sql in queries:
        other.execute(sql).fetchall()
        held.execute(sql).fetchall()
        assert kept(beside, locks), sql
    other.close()
    assert kept(beside, locks)
    read_only = sqlagent.connect(beside, read_only=True, embedding_model="none")
    for sql in queries:
        read_only.execute(sql).fetchall()
    read_only.close()
    assert kept(beside, locks)
