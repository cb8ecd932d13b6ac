"""The Lance engine: exact answers, fresh ones, and a dataset that may be lost or spoilt any time.

Importing lancedb takes seconds, so what needs it is slow.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sqlagent

PUT = "INSERT OR REPLACE INTO vectors (collection, id, vector) VALUES (?, ?, ?)"
KNN = "SELECT id, distance FROM knn(?, ?, k => ?)"
FILTERED = "SELECT id, distance FROM knn('c', ?, k => ?, filter => ?)"
WIDTH = 24


def connect(path: Path, **settings: Any) -> sqlagent.Connection:
    return sqlagent.connect(path, embedding_model="none", **settings)


@pytest.fixture
def lanced(fresh_db: Path) -> Iterator[sqlagent.Connection]:
    """A connection whose searches run on Lance, with 300 vectors in the collection c."""
    con = connect(fresh_db, vector_engine="lance")
    fill(con, "c", draw(300, 1))
    yield con
    con.close()


def draw(count: int, seed: int, width: int = WIDTH) -> Any:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def fill(con: sqlagent.Connection, collection: str, rows: Any, first: int = 0) -> None:
    con.executemany(
        PUT, [(collection, str(i), v.tobytes()) for i, v in enumerate(rows, start=first)]
    )


def folder(path: Path) -> Path:
    return Path(f"{path}.d", "lance")


def dataset(path: Path) -> Path:
    (found,) = folder(path).glob("*.lance")
    return found


def token(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dataset(path).with_suffix(".json").read_text())
    return found


def same(con: sqlagent.Connection, k: int = 10, collection: str = "c", seed: int = 9) -> list[str]:
    """The ids that Lance gives, after making sure that the exact path gives them too."""
    vector = draw(1, seed)[0].tobytes()
    answers = {}
    for engine in ("lance", "auto"):
        con.execute(f"SET vector_engine = '{engine}'")
        answers[engine] = con.execute(KNN, (collection, vector, k)).fetchall()
    con.execute("SET vector_engine = 'lance'")
    ids = [r[0] for r in answers["lance"]]
    assert ids == [r[0] for r in answers["auto"]]
    assert [r[1] for r in answers["lance"]] == pytest.approx([r[1] for r in answers["auto"]])
    return ids


# Fast: without lancedb ----------------------------------------------------------------------------


def test_the_setting_is_checked(words: sqlagent.Connection) -> None:
    assert words.execute("SHOW vector_engine").fetchone()[-1] == "auto"
    for value in ("lance", "auto", "AUTO"):
        words.execute(f"SET vector_engine = '{value}'")
    with pytest.raises(sqlagent.ProgrammingError, match="is one of auto, lance, not"):
        words.execute("SET vector_engine = 'faiss'")


def test_lancedb_is_imported_only_for_lance(fresh_db: Path, elsewhere: Callable[..., str]) -> None:
    code = """
import sys, struct, sqlagent
def ask(con):
    v = struct.pack('<2f', 1, 0)
    con.execute("INSERT INTO vectors (collection, id, vector) VALUES ('c', 'a', ?)", (v,))
    assert con.execute("SELECT id FROM knn('c', ?)", (v,)).fetchall() == [('a',)]
    con.execute("CALL sync()"), con.execute("CALL rebuild('vectors')")
    con.execute("DELETE FROM vectors")
con = sqlagent.connect(sys.argv[1], embedding_model="none")
ask(con)
con.execute("SET vector_engine = 'auto'")
ask(con)
con.execute("SET vector_engine = 'lance'")
con.execute("INSERT INTO vectors (collection, id, vector) VALUES ('c', 'a', x'0000803f00000000')")
ask(sqlagent.connect(":memory:", embedding_model="none", vector_engine="lance"))
print("lancedb" in sys.modules or "sqlagent.engines.lance" in sys.modules)
"""
    assert elsewhere(code, fresh_db) == "False"
    assert not folder(fresh_db).exists()


def test_a_name_is_readable_safe_and_its_own() -> None:
    from sqlagent.engines.lance_data import file_name

    names = ["docs", "Docs", "../../etc/passwd", "a/b", "a b", "記憶", "x" * 500, ".", "\0", "a'\""]
    made = [file_name(n) for n in names]
    assert len({n.lower() for n in made}) == len(names)
    assert all(n.replace("_", "").isalnum() and n.isascii() and len(n) < 60 for n in made)
    assert made[0].startswith("docs_") and made[5].startswith("collection_")


# With Lance ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_answers_are_those_of_the_exact_path(
    fresh_db: Path, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlagent.engines.lance.FEW", 0)  # so that Lance answers with filters too
    con = connect(fresh_db, vector_engine="lance")
    con.execute(
        "INSERT INTO collections (collection, dimensions, metric) VALUES ('c', ?, ?)",
        (WIDTH, metric),
    )
    rows = draw(2_000, 2)
    rows[3] = 0.0
    rows[4] *= np.float32(1e-22)
    rows[5] *= np.float32(1e12)
    rows[6] = -draw(1, 9)[0]
    fill(con, "c", rows)
    for k in (0, 1, 10, 500, 1_999, 1 << 29):
        assert len(same(con, k)) == min(k, 2_000)
    vectors = [v.tobytes() for v in draw(5, 3)] + [rows[5].tobytes()]
    if metric != "cosine":  # under which zeros have no direction, and asking for them is an error
        vectors.append(bytes(4 * WIDTH))
    conditions = ["vector_id % 7 = 0", "vector_id < 4", "vector_id > 9999", "id <> '17'", None]
    for vector in vectors:
        for condition in conditions:
            for k in (3, 1_500):
                answers = []
                for engine in ("lance", "auto"):
                    con.execute(f"SET vector_engine = '{engine}'")
                    answers.append(con.execute(FILTERED, (vector, k, condition)).fetchall())
                assert [r[0] for r in answers[0]] == [r[0] for r in answers[1]], (k, condition)
    con.close()


@pytest.mark.slow
@pytest.mark.parametrize(("few", "listed"), [(7, 5), (0, 5), (0, 9_999)])
def test_filters_of_any_width(
    lanced: sqlagent.Connection, few: int, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlagent.engines.lance.FEW", few)
    monkeypatch.setattr("sqlagent.engines.lance_data.LISTED", listed)
    query = draw(1, 4)[0].tobytes()
    for condition in ("vector_id < 6", "vector_id < 9", "vector_id > 40", "vector_id % 50 < 3"):
        answers = []
        for engine in ("lance", "auto"):
            lanced.execute(f"SET vector_engine = '{engine}'")
            answers.append(lanced.execute(FILTERED, (query, 7, condition)).fetchall())
        assert [r[0] for r in answers[0]] == [r[0] for r in answers[1]], condition
        assert answers[0]


FOREIGN = """
import sqlite3, struct, sys
con = sqlite3.connect(sys.argv[1], timeout=30)
with con:
    con.execute(sys.argv[2], tuple(bytes.fromhex(a) for a in sys.argv[3:]))
"""


@pytest.mark.slow
def test_what_foreign_clients_write_is_seen_at_once(
    lanced: sqlagent.Connection, fresh_db: Path, elsewhere: Callable[..., str]
) -> None:
    query = draw(1, 9)[0]
    before = same(lanced)
    born = token(fresh_db)["born"]
    insert = "INSERT INTO vectors (collection, id, vector) VALUES ('c', 'new', ?)"
    elsewhere(FOREIGN, fresh_db, insert, query.tobytes().hex())
    assert same(lanced) == ["new", *before[:9]]
    update = "UPDATE vectors SET vector = ? WHERE id = 'new'"
    elsewhere(FOREIGN, fresh_db, update, (-query).tobytes().hex())
    assert same(lanced) == before
    replace = (
        f"INSERT OR REPLACE INTO vectors (collection, id, vector) VALUES ('c', '{before[-1]}', ?)"
    )
    elsewhere(FOREIGN, fresh_db, replace, query.tobytes().hex())
    assert same(lanced) == [before[-1], *before[:-1]]
    elsewhere(FOREIGN, fresh_db, f"DELETE FROM vectors WHERE id IN ('{before[0]}', '{before[-1]}')")
    assert same(lanced)[:8] == before[1:9]
    elsewhere(FOREIGN, fresh_db, f"UPDATE vectors SET collection = 'd' WHERE id = '{before[1]}'")
    assert same(lanced)[:7] == before[2:9]
    assert same(lanced, collection="d") == [before[1]]
    tokens = [json.loads(p.read_text()) for p in folder(fresh_db).glob("*.json")]
    assert born in [t["born"] for t in tokens]  # it followed, and was not built anew


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:optimize:UserWarning")
def test_after_any_changes_it_is_as_if_built_anew(
    lanced: sqlagent.Connection, fresh_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlagent.engines.lance.COMPACT_AFTER", 7)
    monkeypatch.setattr("sqlagent.engines.lance.KEPT_S", 0)
    for module in ("lance", "lance_data"):
        monkeypatch.setattr(f"sqlagent.engines.{module}.rows_at_once", lambda dimensions: 16)
    rng = np.random.default_rng(11)
    same(lanced)
    born = token(fresh_db)["born"]
    for step in range(25):
        some = rng.integers(0, 400, rng.integers(1, 40)).tolist()
        if step % 3:
            rows = draw(len(some), step)
            rows[0] *= step % 2  # now and then one of zeros
            data = [("c", str(i), v.tobytes()) for i, v in zip(some, rows, strict=True)]
            lanced.executemany(PUT, data)
        else:
            lanced.executemany("DELETE FROM vectors WHERE id = ?", [(str(i),) for i in some])
        if step % 2:
            same(lanced, seed=step)
    known = lanced.execute("SELECT count(*) FROM vectors").fetchone()[0]
    assert len(same(lanced, 1_000)) == known
    assert token(fresh_db)["born"] == born and token(fresh_db)["changes"] < 7
    versions = len(list((dataset(fresh_db) / "_versions").glob("*.manifest")))
    assert versions < token(fresh_db)["version"] // 2


def spoil_files(path: Path, pattern: str, change: Callable[[bytes], bytes]) -> None:
    found = list(dataset(path).glob(pattern))
    assert found
    for file in found:
        file.write_bytes(change(file.read_bytes()))


def spoil_token(path: Path, **values: Any) -> None:
    file = dataset(path).with_suffix(".json")
    file.write_text(json.dumps(token(path) | values))


def foreign_write(path: Path) -> None:
    import lancedb

    lancedb.connect(folder(path)).open_table(dataset(path).stem).delete("vector_id % 2 = 0")


def replace_by_file(path: Path) -> None:
    found = dataset(path)
    shutil.rmtree(found)
    found.write_text("no folder")


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "derived folder gone": lambda p: shutil.rmtree(f"{p}.d"),
    "dataset gone": lambda p: shutil.rmtree(dataset(p)),
    "data gone": lambda p: shutil.rmtree(dataset(p) / "data"),
    "data cut": lambda p: spoil_files(p, "data/*", lambda b: b[: len(b) // 2]),
    "data empty": lambda p: spoil_files(p, "data/*", lambda b: b""),
    "data zeros": lambda p: spoil_files(p, "data/*", lambda b: bytes(len(b))),
    "manifests gone": lambda p: shutil.rmtree(dataset(p) / "_versions"),
    "manifests cut": lambda p: spoil_files(p, "_versions/*.manifest", lambda b: b[:-9]),
    "manifests rubbish": lambda p: spoil_files(p, "_versions/*.manifest", lambda b: b"x" * len(b)),
    "a file in its place": replace_by_file,
    "token gone": lambda p: dataset(p).with_suffix(".json").unlink(),
    "token rubbish": lambda p: dataset(p).with_suffix(".json").write_bytes(b"\xff\x00{"),
    "token of no object": lambda p: dataset(p).with_suffix(".json").write_text("[1]"),
    "token of another file": lambda p: spoil_token(p, file_id="0" * 32),
    "token of another history": lambda p: spoil_token(p, mark="('vectors', 1, 'i', '2020')"),
    "token of the future": lambda p: spoil_token(p, seq=10**30),
    "token of wrong types": lambda p: spoil_token(p, seq="x"),
    "written by others": foreign_write,
}


@pytest.mark.slow
@pytest.mark.parametrize("reopened", [False, True])
@pytest.mark.parametrize("kind", DAMAGE)
def test_whatever_happens_to_it_the_answers_stay(
    lanced: sqlagent.Connection, fresh_db: Path, kind: str, reopened: bool
) -> None:
    before = same(lanced)
    born = token(fresh_db)["born"]
    DAMAGE[kind](fresh_db)
    if reopened:
        lanced.close()
        lanced = connect(fresh_db, vector_engine="lance")
    assert same(lanced) == before
    fill(lanced, "c", draw(1, 9), 999)
    assert same(lanced) == ["999", *before[:9]]
    if reopened:  # else what the process holds open may have served still
        assert token(fresh_db)["born"] != born
        lanced.close()


@pytest.mark.slow
def test_a_process_that_dies_in_a_change(
    lanced: sqlagent.Connection, fresh_db: Path, elsewhere: Callable[..., str]
) -> None:
    before = same(lanced)
    born = token(fresh_db)["born"]
    fill(lanced, "c", draw(1, 9), 999)
    lanced.execute("DELETE FROM vectors WHERE id = ?", (before[0],))
    code = """
import os, sys, sqlagent
from sqlagent.engines import lance
lance.listed = lambda ids: os._exit(7)  # new rows are in, old ones are not out
con = sqlagent.connect(sys.argv[1], embedding_model="none", vector_engine="lance")
con.execute("SELECT id FROM knn('c', ?)", (bytes.fromhex(sys.argv[2]),)).fetchall()
"""
    with pytest.raises(AssertionError):
        elsewhere(code, fresh_db, draw(1, 9)[0].tobytes().hex())
    assert token(fresh_db)["version"] is None
    assert same(lanced) == ["999", *before[1:10]]
    assert token(fresh_db)["born"] == born


CROWD = """
import struct, sys, sqlagent
me = sys.argv[2]
con = sqlagent.connect(sys.argv[1], embedding_model="none", vector_engine="lance")
sql = "SELECT id FROM knn('c', ?, k => 400)"
print("ready"), sys.stdin.readline()
for i in range(12):
    v = struct.pack('<24f', *[(i * 7 + j) % 11 - 5 for j in range(24)])
    name = f"{me}-{i}"
    con.execute("INSERT INTO vectors (collection, id, vector) VALUES ('c', ?, ?)", (name, v))
    found = {r[0] for r in con.execute(sql, (v,))}
    assert name in found, f"{name} is not found"
    assert {f"{me}-{j}" for j in range(0, i, 2)}.isdisjoint(found), "a deleted row is found"
    assert {f"{me}-{j}" for j in range(1, i, 2)} <= found, "a row is lost"
    if i % 2 == 0:
        con.execute("DELETE FROM vectors WHERE id = ?", (name,))
print("done")
"""


@pytest.mark.slow
def test_processes_at_once(
    lanced: sqlagent.Connection, fresh_db: Path, child: Callable[..., Any]
) -> None:
    same(lanced)
    both = [child(CROWD, fresh_db, name) for name in ("a", "b")]
    for process in both:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    shutil.rmtree(folder(fresh_db))  # and they begin with nothing
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        out, error = process.communicate(timeout=60)
        assert out == "done\n", error
    assert len(same(lanced, 1_000)) == 300 + 12
    assert token(fresh_db)["version"] is not None


@pytest.mark.slow
def test_a_foreign_client_reads_the_dataset(
    lanced: sqlagent.Connection, fresh_db: Path, elsewhere: Callable[..., str]
) -> None:
    lanced.execute("UPDATE vectors SET metadata = '{\"page\": 3}' WHERE id = '5'")
    lanced.execute("INSERT INTO vectors (collection, id, vector) VALUES ('c', ?, ?)",
                   ("naïve 記憶", draw(1, 5)[0].tobytes()))  # fmt: skip
    same(lanced)
    code = """
import sys, lancedb
table = lancedb.connect(sys.argv[1]).open_table(sys.argv[2])
(row,) = table.search().where("id = '5'").to_list()
print(table.count_rows(), table.schema.names, row["metadata"], len(row["vector"]))
print(table.count_rows("id = 'naïve 記憶'"), row["created_at"][:2])
"""
    told = elsewhere(code, folder(fresh_db), dataset(fresh_db).stem)
    names = "['vector_id', 'id', 'vector', 'metadata', 'created_at']"
    assert told == f'301 {names} {{"page": 3}} {WIDTH}\n1 20'


@pytest.mark.slow
def test_sync_and_rebuild(lanced: sqlagent.Connection, fresh_db: Path) -> None:
    fill(lanced, "d", draw(20, 5))
    same(lanced), same(lanced, collection="d")
    fill(lanced, "c", draw(50, 6), 500)
    lanced.execute("DELETE FROM vectors WHERE collection = 'd'")
    lanced.execute("DELETE FROM collections WHERE collection = 'd'")
    lanced.execute("SET vector_engine = 'auto'")
    did = {row[0]: row[1] for row in lanced.execute("CALL sync()")}
    assert did["lance"] == 2
    import lancedb

    table = lancedb.connect(folder(fresh_db)).open_table(dataset(fresh_db).stem)  # there is one
    assert table.count_rows() == 350
    lanced.execute("CALL rebuild('vectors')")
    assert not list(folder(fresh_db).glob("*.lance"))
    same(lanced)


@pytest.mark.slow
def test_a_collection_made_anew_with_other_dimensions(lanced: sqlagent.Connection) -> None:
    same(lanced)
    lanced.execute("DELETE FROM vectors")
    assert same(lanced) == []
    lanced.execute("DELETE FROM collections")
    fill(lanced, "c", draw(30, 5, 8))
    rows = lanced.execute(KNN, ("c", draw(30, 5, 8)[7].tobytes(), 1)).fetchall()
    assert rows == [("7", pytest.approx(0.0, abs=1e-6))]


@pytest.mark.slow
def test_a_copy_that_goes_its_own_way(lanced: sqlagent.Connection, fresh_db: Path) -> None:
    before = same(lanced)
    lanced.close()
    twin = fresh_db.with_name("twin.db")
    shutil.copy(fresh_db, twin)
    con = connect(fresh_db, vector_engine="lance")
    fill(con, "c", draw(1, 9), 999)
    assert same(con)[0] == "999"
    con.close()
    shutil.copytree(f"{fresh_db}.d", f"{twin}.d", dirs_exist_ok=True)
    con = connect(twin, vector_engine="lance")
    fill(con, "c", draw(3, 7), 600)
    assert same(con, 1_000)[0] != "999" and "999" not in same(con, 1_000)
    assert set(before) <= set(same(con, 13))
    con.close()


@pytest.mark.slow
def test_read_only_and_in_a_transaction(lanced: sqlagent.Connection, fresh_db: Path) -> None:
    before = same(lanced)
    with lanced:
        lanced.execute("BEGIN")
        fill(lanced, "c", draw(1, 9), 999)
        assert same(lanced) == ["999", *before[:9]]
        lanced.execute("ROLLBACK")
    assert same(lanced) == before
    fill(lanced, "c", draw(1, 9), 999)
    lanced.close()
    for _ in range(2):
        files = sorted((str(f), f.stat().st_mtime_ns) for f in folder(fresh_db).rglob("*"))
        reader = connect(fresh_db, vector_engine="lance", read_only=True)
        assert same(reader) == ["999", *before[:9]]
        reader.close()
        assert files == sorted((str(f), f.stat().st_mtime_ns) for f in folder(fresh_db).rglob("*"))
        shutil.rmtree(folder(fresh_db))
        folder(fresh_db).mkdir()


@pytest.mark.slow
def test_where_no_folder_can_be(fresh_db: Path) -> None:
    con = connect(fresh_db, vector_engine="lance")
    fill(con, "c", draw(40, 1))
    shutil.rmtree(f"{fresh_db}.d", ignore_errors=True)
    Path(f"{fresh_db}.d").write_text("a file")
    assert len(same(con)) == 10
    con.close()
    assert Path(f"{fresh_db}.d").read_text() == "a file"


@pytest.mark.slow
def test_a_process_that_holds_the_lock(fresh_db: Path, child: Callable[..., Any]) -> None:
    con = connect(fresh_db, vector_engine="lance", timeout=0.2)
    fill(con, "c", draw(40, 1))
    same(con)
    code = """
import fcntl, sys
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_EX)
print("held"), sys.stdin.readline()
"""
    holder = child(code, dataset(fresh_db).with_suffix(".lock"))
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(sqlagent.OperationalError, match=r"a Lance dataset was busy for 0\.2 s"):
        same(con)
    fill(con, "c", draw(1, 9), 999)  # nobody who writes to the file waits for it
    holder.communicate("go\n")
    assert same(con)[0] == "999"
    con.close()


@pytest.mark.slow
def test_numbers_and_texts_that_are_none(
    lanced: sqlagent.Connection, fresh_db: Path, elsewhere: Callable[..., str]
) -> None:
    before = same(lanced)
    sql = (
        "INSERT INTO vectors (collection, id, metadata, vector) "
        "VALUES ('c', CAST(x'ff4{}' AS TEXT), 5, ?)"
    )
    nan = np.full(WIDTH, np.nan, np.float32).tobytes().hex()
    elsewhere(FOREIGN, fresh_db, sql.format(1), nan)
    elsewhere(FOREIGN, fresh_db, sql.format(2), (-draw(1, 9)[0]).tobytes().hex())
    assert same(lanced) == before
    assert len(same(lanced, 300)) == 300
    import lancedb

    table = lancedb.connect(folder(fresh_db)).open_table(dataset(fresh_db).stem)
    (row,) = table.search().where("metadata = '5'").to_list()
    assert row["id"] == "\ufffdB"
