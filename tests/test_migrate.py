"""Migrations: forward only, each whole or not at all, and no file is lost on the way."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

import sqlagent
from sqlagent import migrate

SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"


def schema(path: Path) -> list[tuple[Any, ...]]:
    """What the file's schema is, by a connection of our one library."""
    con = apsw.Connection(str(path))
    found = con.execute(SCHEMA).fetchall()
    con.close()
    return found


def change(path: Path, sql: str) -> None:
    """Change a file that nobody has open."""
    con = apsw.Connection(str(path))
    for _ in con.execute(sql):
        pass
    con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    con.close()


def refused(path: Path, match: str, **options: Any) -> sqlagent.Error:
    """The MigrationError of opening a file, which must be as it was, to the byte."""
    before = {p.name: p.read_bytes() for p in path.parent.iterdir() if p.is_file()}
    with pytest.raises(sqlagent.MigrationError, match=match) as caught:
        sqlagent.connect(path, **options)
    after = {p.name: p.read_bytes() for p in path.parent.iterdir() if p.is_file()}
    if options.get("read_only"):  # SQLite leaves an empty WAL beside a file that it may not change
        after = {name: data for name, data in after.items() if name in before}
    assert after == before
    return caught.value


def stretched(monkeypatch: pytest.MonkeyPatch, *more: str) -> list[migrate.Migration]:
    """Pretend that the migrations go on with these statements."""
    known = migrate.known()
    for sql in more:
        version = known[-1].version + 1
        name = f"{version:04}_more.sql"
        known = [*known, migrate.Migration(version, name, sql, migrate.sha256(sql.encode()))]
    monkeypatch.setattr(migrate, "known", lambda: known)
    return known


MORE = (
    "CREATE TABLE extra (id INTEGER PRIMARY KEY);",
    "ALTER TABLE extra ADD COLUMN note TEXT; CREATE INDEX extra_note ON extra (note);",
    "ALTER TABLE memories ADD COLUMN colour TEXT;",
)


@pytest.mark.parametrize("first", range(1, len(MORE) + 1))
def test_every_prefix_upgrades_to_the_same_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    whole, part = tmp_path / "whole.db", tmp_path / "part.db"
    with monkeypatch.context() as patch:
        stretched(patch, *MORE[: first - 1])
        con = sqlagent.connect(part, embedding_model="none")
        con.execute("SELECT remember('ada', 'the piano is tuned')")
        con.close()
    stretched(monkeypatch, *MORE)
    sqlagent.connect(whole).close()
    con = sqlagent.connect(part, embedding_model="none")
    assert con.execute("SELECT content FROM recall('ada', 'piano')").fetchall() == [
        ("the piano is tuned",)
    ]
    rows = con.execute("SELECT version FROM sqlagent_migrations ORDER BY version").fetchall()
    assert rows == [(m.version,) for m in migrate.known()]
    con.close()
    assert schema(part) == schema(whole)


def test_every_prefix_of_the_real_migrations(tmp_path: Path) -> None:
    known = migrate.known()
    whole = tmp_path / "whole.db"
    sqlagent.connect(whole).close()
    for count in range(len(known) + 1):
        path = tmp_path / f"{count}.db"
        con = apsw.Connection(str(path))
        for m in known[:count]:
            con.execute("BEGIN").fetchall()
            for sql in (migrate.TABLE, m.sql):
                con.execute(sql).fetchall()
            values = (m.version, m.name, m.checksum)
            con.execute(
                "INSERT INTO sqlagent_migrations (version, name, checksum) VALUES (?, ?, ?)", values
            )
            con.execute("COMMIT").fetchall()
        con.close()
        sqlagent.connect(path).close()
        assert schema(path) == schema(whole)


def test_opening_again_runs_nothing_and_says_nothing(migrated_db: Path) -> None:
    before = migrated_db.read_bytes()
    con = sqlagent.connect(migrated_db)
    assert con.messages == []
    con.close()
    assert migrated_db.read_bytes() == before
    assert [p.name for p in migrated_db.parent.iterdir()] == [migrated_db.name]


def test_a_new_file_says_nothing_and_leaves_no_copy(fresh_db: Path) -> None:
    con = sqlagent.connect(fresh_db)
    assert con.messages == []
    con.close()
    assert [p.name for p in fresh_db.parent.iterdir()] == [fresh_db.name]


def test_an_edited_migration_is_refused(migrated_db: Path) -> None:
    change(migrated_db, "UPDATE sqlagent_migrations SET checksum = 'abc' WHERE version = 1")
    error = refused(migrated_db, "0001_initial.sql was edited after it ran")
    assert error.hint


def test_a_newer_file_is_refused(migrated_db: Path) -> None:
    change(
        migrated_db,
        "INSERT INTO sqlagent_migrations (version, name, checksum) "
        "VALUES (9999, '9999_x.sql', 'c')",
    )
    refused(migrated_db, "the file has schema version 9999, this sqlagent knows")
    refused(migrated_db, "the file has schema version 9999", read_only=True)


def test_a_gap_is_refused(migrated_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = stretched(monkeypatch, *MORE)
    change(
        migrated_db,
        "INSERT INTO sqlagent_migrations (version, name, checksum) "
        f"VALUES ({known[-1].version}, 'x', '{known[-1].checksum}')",
    )
    refused(migrated_db, "is missing from the file")


def test_a_migration_that_fails_leaves_the_file_at_the_one_before(
    migrated_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema(migrated_db)
    stretched(monkeypatch, "CREATE TABLE extra (a); CREATE TABLE extra (a);")
    with pytest.raises(sqlagent.MigrationError, match=r"0\d+_more.sql does not run"):
        sqlagent.connect(migrated_db)
    assert schema(migrated_db) == before
    monkeypatch.undo()
    con = sqlagent.connect(migrated_db)
    assert con.execute("SELECT remember('ada', 'still here')").fetchone() == (1,)
    con.close()


def test_a_database_that_is_newly_made_but_empty(fresh_db: Path) -> None:
    fresh_db.touch()
    con = sqlagent.connect(fresh_db)
    assert con.messages == []
    con.close()


def test_an_ordinary_file_gets_our_tables_beside_its_own_after_a_copy(
    shop_db: Path, shell: Callable[[object, str], str]
) -> None:
    before = shop_db.read_bytes()
    con = sqlagent.connect(shop_db, embedding_model="none")
    (message,) = con.messages
    copy = Path(message.split(" ")[-1])
    assert copy.name in message and copy.parent == shop_db.parent
    assert con.execute("SELECT id, total FROM orders ORDER BY id").fetchall() == [
        (1, 5.0),
        (2, 50.0),
    ]
    assert con.execute("SELECT sum(total) FROM orders").fetchone() == (55.0,)
    assert con.execute("SELECT id FROM big").fetchall() == [(2,)]
    con.execute("SELECT remember('ada', 'Order 2 was large')")
    assert con.execute("SELECT content FROM recall('ada', 'order')").fetchall()
    con.close()
    assert shell(copy, ".dump") == shell(_written(shop_db.parent / "old.db", before), ".dump")
    assert shell(copy, "SELECT count(*) FROM sqlite_master WHERE name LIKE 'sqlagent%'") == "0"


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_second_upgrade_does_not_overwrite_the_first_copy(shop_db: Path, tmp_path: Path) -> None:
    original = tmp_path / "original"
    shutil.copy(shop_db, original)
    first = sqlagent.connect(shop_db)
    first.close()
    shutil.copy(original, shop_db)
    second = sqlagent.connect(shop_db)
    second.close()
    assert first.messages != second.messages
    for message in first.messages + second.messages:
        assert Path(message.split(" ")[-1]).exists()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE memories (id INTEGER PRIMARY KEY, text TEXT)",
        "CREATE TABLE Memories (id INTEGER PRIMARY KEY, text TEXT)",
        "CREATE VIEW documents AS SELECT 1 AS a",
        "CREATE TABLE x (a); CREATE INDEX states_key ON x (a)",
        "CREATE TABLE sqlagent_whatever (a)",
        "CREATE TABLE memories_fts_data (a)",
        "CREATE TABLE recall (a)",
        "CREATE TABLE sqlagent_settings (a)",
    ],
)
def test_a_name_of_ours_that_is_taken_is_named_and_the_file_left(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "theirs.db"
    change(path, sql)
    error = refused(path, "the file has a (table|view|index) ")
    name = sql.split("; ")[-1].split(" ")[2]
    assert f'"{name}"' in error.message and "ATTACH" in (error.hint or "")


def test_a_read_only_connection_migrates_nothing(shop_db: Path) -> None:
    refused(shop_db, "opened read-only", read_only=True)


MIGRATE = """
import sys
import sqlagent
print('go', flush=True)
sqlagent.connect(sys.argv[1]).close()
print('done', flush=True)
"""
IN_THE_MIDDLE = """
import os, signal, sys
import apsw
import sqlagent
left = int(sys.argv[2])
class Killed(apsw.Connection):
    pass
from sqlagent.engines import sqlite
plain = sqlite.Handle.execute
def execute(self, sql, *rest, **more):
    if 'CREATE TABLE memories' in sql:
        def stop(cursor, text, bindings):
            global left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return True
        self.exec_trace = stop
    return plain(self, sql, *rest, **more)
sqlite.Handle.execute = execute
sqlagent.connect(sys.argv[1]).close()
print('done', flush=True)
"""


@pytest.mark.parametrize("after", [0, 1, 7, 40, 60])
def test_killed_in_the_middle_of_a_migration(
    shop_db: Path, child: Callable[..., Any], after: int, problems: Callable[..., Any]
) -> None:
    """Whatever statement was the last, the next process finds the file as it was, and goes on."""
    process = child(IN_THE_MIDDLE, shop_db, after)
    out, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, (out, err)
    con = sqlagent.connect(shop_db)
    assert con.execute("SELECT count(*) FROM orders").fetchone() == (2,)
    assert problems(con) == []
    con.close()
    assert schema(shop_db)


@pytest.mark.slow
def test_killed_at_random_moments_of_opening(
    tmp_path: Path, shop_db: Path, child: Callable[..., Any], problems: Callable[..., Any]
) -> None:
    rng = random.Random(3)
    path = tmp_path / "victim.db"
    for _ in range(40):
        for old in tmp_path.glob("victim.db*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copy(shop_db, path)
        process = child(MIGRATE, path)
        assert process.stdout.readline() == "go\n"
        time.sleep(rng.random() * 0.15)
        process.kill()
        process.wait()
        con = sqlagent.connect(path)
        assert con.execute("SELECT sum(total) FROM orders").fetchone() == (55.0,)
        assert problems(con) == []
        con.close()


def test_many_processes_open_a_new_file_at_once(fresh_db: Path, child: Callable[..., Any]) -> None:
    code = MIGRATE.replace("print('go', flush=True)", "sys.stdin.readline()")
    processes = [child(code, fresh_db) for _ in range(6)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, "done\n"), err
    con = sqlagent.connect(fresh_db)
    assert con.execute("SELECT count(*) FROM sqlagent_migrations").fetchone() == (
        len(migrate.known()),
    )
    con.close()
    assert list(fresh_db.parent.glob("*before*")) == []


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist"])
def test_a_file_that_lost_its_wal_mode_gets_it_back(
    migrated_db: Path, shell: Callable[[object, str], str], mode: str
) -> None:
    shell(migrated_db, f"PRAGMA journal_mode = {mode};")
    con = sqlagent.connect(migrated_db)
    assert con.messages == []
    assert con.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    con.close()


def test_the_copy_has_what_is_still_in_the_wal(tmp_path: Path, child: Callable[..., Any]) -> None:
    path = tmp_path / "shop.db"
    writer = child(
        "import sqlite3, sys\n"
        "con = sqlite3.connect(sys.argv[1])\n"
        "con.execute('PRAGMA journal_mode = WAL')\n"
        "con.execute('CREATE TABLE orders (id INTEGER PRIMARY KEY)')\n"
        "con.execute('INSERT INTO orders VALUES (7)')\n"
        "con.commit()\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n",
        path,
    )
    assert writer.stdout.readline() == "ready\n"
    con = sqlagent.connect(path)
    copy = con.messages[0].split(" ")[-1]
    con.close()
    kept = apsw.Connection(copy)
    assert kept.execute("SELECT id FROM orders").fetchall() == [(7,)]
    kept.close()


def test_an_unfinished_copy_is_not_left_behind(
    shop_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform != "linux" or not os.path.exists("/dev/full"):
        pytest.skip("needs Linux")
    before = shop_db.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises((sqlagent.OperationalError, OSError), match="No space"):
        sqlagent.connect(shop_db)
    monkeypatch.undo()
    assert shop_db.read_bytes() == before
    assert [p.name for p in shop_db.parent.iterdir()] == [shop_db.name]
