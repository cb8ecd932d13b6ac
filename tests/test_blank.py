"""A new file is a copy of the image of its schema, whole or not there at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

import sqlagent
from sqlagent import blank, migrate


def rows_of(path: Path | str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of a file, and of its schema."""
    con = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
    found = {
        name: sorted(con.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
        for (name,) in con.execute(tables).fetchall()
    }
    found["sqlite_master"] = con.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    con.close()
    return found


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    """A file that the migrations made, one by one."""
    path = tmp_path / "migrated.db"
    con = apsw.Connection(str(path))
    migrate.upgrade(con, str(path), print)
    con.close()
    return path


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A file that was made from the image."""
    path = tmp_path / "made.db"
    assert blank.make(str(path))
    return path


def test_a_made_file_is_what_the_migrations_make(migrated: Path, made: Path) -> None:
    # What is another in each file is named in `blank`: a migration that writes more of it fails
    # here, for it would be the same in all files of a process.
    own, other = rows_of(migrated), rows_of(made)
    assert own["sqlite_master"] == other["sqlite_master"]
    assert own.keys() == other.keys()
    (id_own,), (id_other,) = own.pop("sqlagent_meta"), other.pop("sqlagent_meta")
    assert id_own[0] == id_other[0] and id_own != id_other
    for table, column in blank.TIMES:
        con = apsw.Connection(str(made), flags=apsw.SQLITE_OPEN_READONLY)
        names = [r[1] for r in con.execute(f"PRAGMA table_info({table})")]
        con.close()
        at = names.index(column)
        times = {row[at] for row in other[table]}
        assert len(times) == 1 and times != {blank.TIME}
        assert max(row[at] for row in own[table]) <= times.pop()[:19] + ".999"
        for found in (own, other):
            found[table] = [row[:at] + row[at + 1 :] for row in found[table]]
    assert own == other


def test_no_two_files_are_one(tmp_path: Path) -> None:
    ids = set()
    for n in range(5):
        path = tmp_path / f"{n}.db"
        assert blank.make(str(path))
        ids.add(rows_of(path)["sqlagent_meta"][0][1])
    assert len(ids) == 5


def test_it_is_whole_and_of_many_readers(made: Path) -> None:
    con = apsw.Connection(str(made), flags=apsw.SQLITE_OPEN_READONLY)
    assert con.execute("PRAGMA journal_mode").get == "wal"
    assert con.execute("PRAGMA integrity_check").get == "ok"
    con.close()


def test_a_file_has_the_rights_that_sqlite_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert blank.make(str(tmp_path / "a.db"))
        apsw.Connection(str(tmp_path / "b.db")).execute("CREATE TABLE t (a)")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("a.db", "b.db")}
    assert modes == {0o640}


@pytest.mark.parametrize("name", ["a.db", "a.db-journal", "a.db-wal", "a.db-shm"])
def test_what_is_there_stays(tmp_path: Path, name: str) -> None:
    # A journal or a log without its file would be played into ours.
    (tmp_path / name).write_bytes(b"")
    assert not blank.make(str(tmp_path / "a.db"))
    assert os.listdir(tmp_path) == [name]


def test_a_file_that_appears_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    link = os.link

    def late(*arguments: str) -> None:
        path.write_bytes(b"of another")
        link(*arguments)

    monkeypatch.setattr(os, "link", late)
    blank.make(str(path))
    assert path.read_bytes() == b"of another" and os.listdir(tmp_path) == ["a.db"]


def refuse(*_: object, **__: object) -> None:
    raise OSError(1, "Operation not permitted")


@pytest.mark.parametrize("name", ["link", "fsync"])
def test_where_no_link_can_be_made_the_migrations_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, name, refuse)
        assert not blank.make(str(tmp_path / "a.db"))
        assert os.listdir(tmp_path) == []
        with sqlagent.connect(tmp_path / "a.db") as con:
            assert con.execute("SELECT count(*) FROM memories").fetchall() == [(0,)]
        con.close()
    assert not list(tmp_path.glob("*.new-*"))


@pytest.fixture
def other_schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[migrate.Migration]]:
    """A list of migrations that a test may change."""
    found = migrate.known()
    monkeypatch.setattr(migrate, "known", lambda: list(found))
    yield found


def test_an_image_is_of_its_migrations(
    tmp_path: Path, other_schema: list[migrate.Migration]
) -> None:
    assert blank.make(str(tmp_path / "a.db"))
    sql = "CREATE TABLE later (a)"
    number = other_schema[-1].version + 1
    other_schema.append(migrate.Migration(number, "later.sql", sql, migrate.sha256(sql.encode())))
    assert blank.make(str(tmp_path / "b.db"))
    assert "later" not in rows_of(tmp_path / "a.db")
    assert rows_of(tmp_path / "b.db")["later"] == []


def test_values_that_cannot_be_told_apart_make_no_image(
    tmp_path: Path, other_schema: list[migrate.Migration]
) -> None:
    sql = f"CREATE TABLE later (a DEFAULT '{blank.TIME}')"
    number = other_schema[-1].version + 1
    other_schema.append(migrate.Migration(number, "later.sql", sql, migrate.sha256(sql.encode())))
    assert blank.image() is None
    assert not blank.make(str(tmp_path / "a.db"))
    con = sqlagent.connect(tmp_path / "a.db")
    assert con.execute("SELECT count(*) FROM later").fetchall() == [(0,)]
    con.close()
    memory = sqlagent.connect(":memory:")
    assert memory.execute("SELECT count(*) FROM later").fetchall() == [(0,)]
    memory.close()


def test_databases_in_memory_are_apart() -> None:
    one, two = sqlagent.connect(":memory:"), sqlagent.connect(":memory:")
    one.execute("SELECT remember('ada', 'likes tea')")
    assert two.execute("SELECT count(*) FROM memories").fetchall() == [(0,)]
    ids = {
        c.execute("SELECT value FROM sqlagent_meta WHERE name = 'file_id'").fetchall()[0][0]
        for c in (one, two)
    }
    assert len(ids) == 2
    one.close()
    two.close()
