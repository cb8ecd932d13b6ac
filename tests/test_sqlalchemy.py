"""The dialect of SQLAlchemy: types, reflection, transactions, pandas; its own suite is
tests/test_sqlalchemy_suite.py's."""

from __future__ import annotations

import datetime
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="sqlalchemy is not installed")

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import sqlagent
from sqlagent.sqlalchemy import Nested, Vector, insert


@pytest.fixture
def engine(fresh_db: Path) -> Iterator[sa.Engine]:
    made = sa.create_engine(f"sqlagent:///{fresh_db}?embedding_model=none")
    yield made
    made.dispose()


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40), unique=True)
    total: Mapped[Decimal | None] = mapped_column(sa.Numeric(18, 6))
    at: Mapped[datetime.datetime | None]
    day: Mapped[datetime.date | None]
    paid: Mapped[bool | None]
    about: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    meaning: Mapped[list[float] | None] = mapped_column(Vector(3))
    __table_args__ = (
        sa.CheckConstraint("total >= 0", name="positive"),
        sa.Index("orders_by_day", "day"),
    )


def test_every_type_comes_back_as_itself(engine: sa.Engine) -> None:
    Base.metadata.create_all(engine)
    given = {
        "name": "茶", "total": Decimal("123456789012.345678"), "paid": True,
        "at": datetime.datetime(2026, 1, 2, 3, 4, 5, 678000), "day": datetime.date(2026, 1, 2),
        "about": {"k": [1, None, "x"]}, "meaning": [1.0, 0.5, -2.0],
    }  # fmt: skip
    with Session(engine) as session:
        session.add(Order(**given))
        session.commit()
        order = session.scalars(sa.select(Order)).one()
        assert {name: getattr(order, name) for name in given} == given
        where = (Order.at > datetime.datetime(2026, 1, 1)) & Order.paid & (Order.day.isnot(None))
        assert session.scalar(sa.select(Order.about["k"][2].as_string()).where(where)) == "x"
        near = sa.func.cosine_similarity(Order.meaning, [1.0, 0.5, -2.0])
        assert session.scalar(sa.select(near)) == pytest.approx(1.0)


def test_reflection_says_what_was_made(engine: sa.Engine) -> None:
    Base.metadata.create_all(engine)
    with engine.begin() as con:
        con.execute(sa.text("CREATE VIEW big AS SELECT id, total FROM orders WHERE total > 9"))
        con.execute(sa.text("CREATE TABLE lines (n INT, of_order INT REFERENCES orders (id), "
                            "tags VARCHAR[], PRIMARY KEY (n, of_order))"))  # fmt: skip
    found = sa.inspect(engine)
    kinds = {c["name"]: c["type"] for c in found.get_columns("orders")}
    assert isinstance(kinds["meaning"], Vector) and kinds["meaning"].dimensions == 3
    assert isinstance(kinds["total"], sa.Numeric) and kinds["total"].scale == 6
    assert isinstance(kinds["about"], sa.JSON) and isinstance(kinds["at"], sa.DATETIME)
    assert isinstance(kinds["name"], sa.VARCHAR) and kinds["name"].length == 40
    assert found.get_pk_constraint("lines")["constrained_columns"] == ["n", "of_order"]
    assert found.get_foreign_keys("lines")[0]["referred_table"] == "orders"
    assert isinstance(found.get_columns("lines")[2]["type"], Nested)
    assert found.get_unique_constraints("orders")[0]["column_names"] == ["name"]
    assert [i["name"] for i in found.get_indexes("orders")] == ["orders_by_day"]
    assert found.get_check_constraints("orders")[0]["name"] == "positive"
    assert {"big", "memory_strength"} <= set(found.get_view_names())
    ours = {"memories", "states", "documents", "vectors", "langgraph_checkpoints"}
    names = set(found.get_table_names())
    assert ours <= names and not any(n.endswith("_fts_data") for n in names)
    memories = {c["name"]: c["type"] for c in found.get_columns("memories")}
    assert isinstance(memories["created_at"], sa.TIMESTAMP)
    assert isinstance(memories["metadata"], sa.JSON)
    table = sa.Table("memories", sa.MetaData(), autoload_with=engine)
    with engine.begin() as con:
        con.execute(table.insert().values(agent_id="ada", content="绿茶"))
        assert con.execute(sa.text("SELECT content FROM recall(:a, :q)"),
                           {"a": "ada", "q": "绿茶"}).scalar() == "绿茶"  # fmt: skip


def test_own_tables_can_be_left_out(fresh_db: Path) -> None:
    engine = sa.create_engine(f"sqlagent:///{fresh_db}?embedding_model=none&own_tables=false")
    Base.metadata.create_all(engine)
    assert sa.inspect(engine).get_table_names() == ["orders"]
    assert sa.inspect(engine).get_view_names() == []
    metadata = sa.MetaData()
    metadata.reflect(engine)
    assert list(metadata.tables) == ["orders"]
    engine.dispose()


def test_transactions_savepoints_and_levels(engine: sa.Engine) -> None:
    Base.metadata.create_all(engine)
    with engine.connect() as con:
        assert con.get_isolation_level() == "READ COMMITTED"
        con.execute(insert(Order).values(name="a"))
        nested = con.begin_nested()
        con.execute(insert(Order).values(name="b"))
        nested.rollback()
        con.execute(insert(Order).values(name="a").on_conflict_do_update(
            index_elements=["name"], set_={"total": 5}))  # fmt: skip
        returned = con.execute(insert(Order).returning(Order.id), [{"name": "c"}, {"name": "d"}])
        assert returned.scalars().all() == [2, 3]
        con.rollback()
        assert con.scalar(sa.select(sa.func.count()).select_from(Order)) == 0
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as con:
        con.execute(insert(Order).values(name="kept"))
        con.rollback()
    with engine.connect() as con, pytest.raises(sa.exc.IntegrityError):
        con.execute(insert(Order).values(name="kept"))
    serializable = engine.execution_options(isolation_level="SERIALIZABLE")
    with serializable.connect() as con:
        con.execute(sa.select(Order))
        other = sqlagent.connect(engine.url.database or "", timeout=0.05)
        with other, pytest.raises(sqlagent.BusyError):
            other.execute("DELETE FROM orders")
        other.close()
        assert con.scalar(sa.select(Order.name)) == "kept"


def test_many_threads_share_an_engine(engine: sa.Engine) -> None:
    Base.metadata.create_all(engine)

    def work(i: int) -> None:
        for n in range(20):
            with Session(engine) as session:
                session.add(Order(name=f"{i}-{n}", total=Decimal(n)))
                session.commit()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with engine.connect() as con:
        rows = con.execute(sa.select(sa.func.count(), sa.func.sum(Order.total))).one()
    assert tuple(rows) == (120, Decimal("1140"))


def test_pandas_writes_and_reads(engine: sa.Engine) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "n": [1, 2, 3], "x": [0.5, None, 2.5], "t": ["a", "茶", None], "b": [True, False, True],
        "at": pandas.to_datetime(["2026-01-01T00:00:00", "2026-01-02T03:04:05", None]),
    })  # fmt: skip
    frame.to_sql("frame", engine, index=False)
    frame.to_sql("frame", engine, index=False, if_exists="append", method="multi")
    with engine.begin() as con:
        back = pandas.read_sql("SELECT * FROM frame WHERE n < 3 ORDER BY n", con)
        assert back["n"].tolist() == [1, 1, 2, 2] and back["t"].tolist() == ["a", "a", "茶", "茶"]
        assert back["at"].iloc[2] == pandas.Timestamp("2026-01-02 03:04:05")
        assert back["b"].tolist() == [True, True, False, False]
        whole = pandas.read_sql_table("frame", con, parse_dates=["at"])
        assert whole.shape == (6, 5)
        assert pandas.read_sql(sa.text("SELECT sum(n) AS s FROM frame"), con)["s"][0] == 12
    frame.to_sql("frame", engine, index=False, if_exists="replace")
    with engine.connect() as con:
        assert con.execute(sa.text("SELECT count(*) FROM frame")).scalar() == 3


def test_ibis_reads_what_its_backend_is_handed(engine: sa.Engine) -> None:
    ibis = pytest.importorskip("ibis", reason="ibis is not installed")
    with sqlagent.connect(engine.url.database or "") as con:
        con.execute("CREATE TABLE sales (city VARCHAR, amount DOUBLE)")
        con.executemany("INSERT INTO sales VALUES (?, ?)", [("Rome", 2.0), ("Oslo", 3.0)] * 3)
        sales = ibis.table({"city": "string", "amount": "float64"}, name="sales")
        total = sales.group_by("city").agg(total=sales.amount.sum()).order_by("city")
        rows = con.execute(ibis.to_sql(total, dialect="duckdb")).fetchall()
        assert rows == [("Oslo", 9.0), ("Rome", 6.0)]
        table = ibis.memtable(con.execute("SELECT * FROM sales").arrow())
        assert table.amount.sum().execute() == 15.0


def test_memory_is_one_database_for_an_engine() -> None:
    engine = sa.create_engine("sqlagent://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Order(name="x"))
        session.commit()
    with Session(engine) as session:
        assert session.scalars(sa.select(Order.name)).all() == ["x"]
    engine.dispose()


def test_a_url_takes_settings_and_says_what_is_wrong(fresh_db: Path) -> None:
    sa.create_engine(f"sqlagent:///{fresh_db}").connect().close()
    reading = sa.create_engine(f"sqlagent:///{fresh_db}?read_only=true&timeout=0.5")
    with (
        reading.connect() as con,
        pytest.raises(sa.exc.OperationalError, match=r"readonly|read-only"),
    ):
        con.execute(sa.text("CREATE TABLE t (n INT)"))
    with pytest.raises(sa.exc.ProgrammingError, match='unknown setting "colour"'):
        sa.create_engine(f"sqlagent:///{fresh_db}?colour=red").connect()
    with reading.connect() as con, pytest.raises(sa.exc.ProgrammingError, match="Did you mean"):
        con.execute(sa.text("SELECT * FROM memoriez"))


def test_the_entry_point_names_the_dialect() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["sqlalchemy.dialects"]["sqlagent"].partition(":")
    code = f"import {module} as m; assert m.{name}.name == 'sqlagent'"
    subprocess.run([sys.executable, "-c", code], check=True)
