"""COPY vectors, and INSERT … SELECT of them: in bulk, all or nothing, or with rejects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

import sqlagent

LOG = "SELECT op, pk, scope FROM sqlagent_change_log WHERE tbl = 'vectors' ORDER BY seq"


def table(matrix: Any, **more: list[Any]) -> pa.Table:
    flat = pa.array(matrix.astype(np.float32).reshape(-1))
    columns = {"id": [f"v{i}" for i in range(len(matrix))]}
    lists = pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])
    return pa.table({**columns, **more, "vector": lists})


@pytest.fixture
def matrix() -> Any:
    return np.random.default_rng(4).standard_normal((500, 12)).astype(np.float32)


@pytest.mark.parametrize("form", ["parquet", "arrow", "table", "insert", "lists", "doubles"])
def test_every_way_in_keeps_the_same(
    words: sqlagent.Connection, tmp_path: Path, matrix: Any, form: str
) -> None:
    given = table(matrix, metadata=[f'{{"名": {i}}}' for i in range(500)])
    path = tmp_path / f"x.{'arrow' if form == 'arrow' else 'parquet'}"
    if form == "lists":
        column = pa.array([row.tolist() for row in matrix], pa.list_(pa.float32()))
        given = given.set_column(2, "vector", column)
    if form == "doubles":
        column = pa.array([row.tolist() for row in matrix], pa.list_(pa.float64()))
        given = given.set_column(2, "vector", column)
    if form == "arrow":
        feather.write_feather(given, str(path))
    else:
        pq.write_table(given, path)
    if form == "table":
        words.execute("COPY vectors FROM ? (COLLECTION 'c')", (given,))
    elif form == "insert":
        words.execute(
            "INSERT INTO vectors (collection, id, metadata, vector) "
            f"SELECT 'c', id, metadata, vector FROM '{path}'"
        )
    else:
        done = words.execute(f"COPY vectors FROM '{path}' (COLLECTION 'c')").fetchone()
        assert done[:2] == (500, 0)
    with words.database.read() as handle:
        rows = handle.execute("SELECT vector_id, id, metadata, vector FROM vectors").fetchall()
        log = handle.execute(LOG).fetchall()
    assert [(r[1], r[2]) for r in rows] == [(f"v{i}", f'{{"名": {i}}}') for i in range(500)]
    assert b"".join(r[3] for r in rows) == matrix.tobytes()
    assert log == [("i", r[0], "c") for r in rows]
    assert words.execute("SELECT collection, dimensions FROM collections").fetchall() == [("c", 12)]
    found = words.execute("SELECT id FROM knn('c', ?, k => 1)", (matrix[77],)).fetchall()
    assert found == [("v77",)]


BAD = {
    "nan": "not finite", "infinite": "not finite", "zeros": "no direction", "short": "expected 12",
    "none": "NULL or empty", "repeat": "UNIQUE", "nameless": "id is NULL", "json": "CHECK",
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_row_stops_all_or_is_kept_aside(
    words: sqlagent.Connection, tmp_path: Path, matrix: Any, what: str
) -> None:
    rows: list[Any] = [row.tolist() for row in matrix[:40]]
    ids: list[Any] = [f"v{i}" for i in range(40)]
    metadata = ["{}"] * 40
    if what == "nan":
        rows[20][3] = float("nan")
    elif what == "infinite":
        rows[20][3] = float("-inf")
    elif what == "zeros":
        rows[20] = [0.0] * 12
    elif what == "short":
        rows[20] = rows[20][:5]
    elif what == "none":
        rows[20] = None
    elif what == "repeat":
        ids[20] = "v3"
    elif what == "nameless":
        ids[20] = None
    else:
        metadata[20] = "{oops"
    path = tmp_path / "x.parquet"
    given = {"collection": ["c"] * 40, "id": ids, "vector": rows, "metadata": metadata}
    pq.write_table(pa.table(given), path)
    with pytest.raises(sqlagent.DataError, match=f"record 21 of x.parquet: .*{BAD[what]}"):
        words.execute(f"COPY vectors FROM '{path}'")
    with words.database.read() as handle:
        assert handle.execute("SELECT (SELECT count(*) FROM vectors), count(*) FROM collections "
                              ).fetchone() == (0, 0)  # fmt: skip
        assert handle.execute(LOG).fetchall() == []
    done = words.execute(f"COPY vectors FROM '{path}' (ON_ERROR reject)").fetchone()
    assert done[:2] == (39, 1)
    kept = words.execute("SELECT record, reason, table_name FROM sqlagent_import_rejects")
    (reject,) = kept.fetchall()
    assert reject[0] == 21 and BAD[what] in reject[1] and reject[2] == "vectors"
    with words.database.read() as handle:
        assert len(handle.execute(LOG).fetchall()) == 39
    with pytest.raises(sqlagent.DataError, match="more records are rejected"):
        words.execute(f"COPY vectors FROM '{path}' (ON_ERROR reject, MAX_REJECTS 3)")
    assert words.execute("SELECT count(*) FROM vectors").fetchone() == (39,)


def test_several_collections_and_kinds_at_once(words: sqlagent.Connection, matrix: Any) -> None:
    words.execute("SELECT create_collection('half', 12, 'l2', 'float16')")
    words.execute("SELECT create_collection('位', 12, element_type => 'binary')")
    names = [("half", "位", "new")[i % 3] for i in range(500)]
    words.execute("COPY vectors FROM ?", (table(matrix, collection=names),))
    sql = "SELECT collection, count(*) FROM vectors GROUP BY ALL ORDER BY ALL"
    assert words.execute(sql).fetchall() == [("half", 167), ("new", 166), ("位", 167)]
    for place, name in enumerate(("half", "位", "new")):
        found = words.execute(f"SELECT id FROM knn('{name}', ?, k => 1)", (matrix[place],))
        assert found.fetchall() == [(f"v{place}",)]
    assert all(ok for _, ok, _ in words.execute("CALL check()").fetchall())


def test_the_users_own_triggers_see_every_row(words: sqlagent.Connection, matrix: Any) -> None:
    words.execute("CREATE TABLE seen (id TEXT)")
    words.database.write(
        lambda h: h.execute(
            "CREATE TRIGGER mine AFTER INSERT ON vectors "
            "BEGIN INSERT INTO seen VALUES (NEW.id); END"
        ).fetchall()
    )
    words.execute("COPY vectors FROM ? (COLLECTION 'c')", (table(matrix),))
    assert words.execute("SELECT count(*) FROM seen").fetchone() == (500,)
    with words.database.read() as handle:
        assert len(handle.execute(LOG).fetchall()) == 500


def test_in_a_transaction_that_is_undone(words: sqlagent.Connection, matrix: Any) -> None:
    words.execute("COPY vectors FROM ? (COLLECTION 'c')", (table(matrix[:10]),))
    words.execute("BEGIN")
    words.execute("COPY vectors FROM ? (COLLECTION 'd')", (table(matrix),))
    assert len(words.execute("SELECT id FROM knn('d', ?, k => 5)", (matrix[0],)).fetchall()) == 5
    words.execute("ROLLBACK")
    with pytest.raises(sqlagent.ProgrammingError, match='unknown collection "d"'):
        words.execute("SELECT id FROM knn('d', ?)", (matrix[0],)).fetchall()
    words.execute("INSERT INTO vectors (collection, id, vector) VALUES ('c', 'x', ?)", (matrix[3],))
    with words.database.read() as handle:
        assert len(handle.execute(LOG).fetchall()) == 11


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("COPY vectors FROM '{p}'", 'no column "collection"'),
        ("COPY vectors FROM '{p}' (COLLECTION '')", "the name of a collection"),
        ("COPY memories FROM '{p}' (COLLECTION 'c')", "COLLECTION is for vectors"),
        ("COPY vectors (id, id) FROM '{p}' (COLLECTION 'c')", 'no column "vector"'),
    ],
)
def test_what_cannot_be_copied(
    words: sqlagent.Connection, tmp_path: Path, matrix: Any, sql: str, error: str
) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(table(matrix), path)
    with pytest.raises(sqlagent.Error, match=error):
        words.execute(sql.format(p=path))
    assert words.execute("SELECT count(*) FROM vectors").fetchone() == (0,)


def test_a_file_that_is_no_arrow(words: sqlagent.Connection, tmp_path: Path) -> None:
    (tmp_path / "x.arrow").write_bytes(b"nothing of the kind")
    with pytest.raises(sqlagent.DataError, match=r'"x.arrow" cannot be read'):
        words.execute(f"COPY vectors FROM '{tmp_path / 'x.arrow'}' (COLLECTION 'c')")


def test_csv_with_a_check(words: sqlagent.Connection, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('id,vector\n甲,"[1,2]"\n乙,"[0,0]"\n丙,"nope"\n丁,"[3,4]"\n', encoding="utf-8")
    copy = f"COPY vectors FROM '{path}' (COLLECTION 'c', ON_ERROR reject, CHECK 'id <> ''甲''')"
    assert words.execute(copy).fetchone()[:2] == (1, 3)
    rows = words.execute("SELECT record FROM sqlagent_import_rejects ORDER BY ALL").fetchall()
    assert rows == [(1,), (2,), (3,)]


def test_a_file_is_imported_into_a_collection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlagent.cli import main

    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"甲{n}", "vector": [1.0, n, 0.0], "metadata": {"n": n}} for n in range(9)]
    bad = [{"id": "short", "vector": [1.0]}, {"id": "zeros", "vector": [0, 0, 0]}]
    for name, lines in (("good.jsonl", rows), ("bad.jsonl", bad)):
        (tmp_path / name).write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    into = ["agent.db", "--into", "vectors", "--collection", "点's"]
    assert main(["import", "good.jsonl", *into]) == 0
    assert main(["import", "bad.jsonl", *into]) == 1
    assert "expected 3 dimensions, not 1" in capsys.readouterr().err
    assert main(["import", "bad.jsonl", *into, "--on-error", "reject"]) == 1
    assert (
        main(["import", "good.jsonl", "agent.db", "--into", "memories", "--collection", "c"]) == 2
    )
    con = sqlagent.connect(tmp_path / "agent.db", embedding_model="none")
    found = con.execute(
        "SELECT id FROM knn(?, [1.0, 3.0, 0.0], k => 1, filter => ?)",
        ("点's", "(metadata->>'n')::INT > 2"),
    ).fetchall()
    assert found == [("甲3",)]
    assert con.execute("SELECT count(*) FROM vectors").fetchone() == (9,)
    reasons = con.execute("SELECT count(*) FROM sqlagent_import_rejects WHERE record IS NOT NULL")
    assert reasons.fetchone() == (2,)
    con.close()
