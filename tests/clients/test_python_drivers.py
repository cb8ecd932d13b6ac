"""Drivers and mappers of Python's that speak PostgreSQL, each where it is installed: psycopg2,
pg8000, aiopg, SQLAlchemy over several of them, peewee, Tortoise, pandas, and DuckDB's extension."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import io
from typing import Any
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.slow


def _given(server: dict[str, str]) -> dict[str, Any]:
    return {"host": server["PGHOST"], "port": int(server["PGPORT"]), "user": server["PGUSER"],
            "password": server["PGPASSWORD"]}  # fmt: skip


def _url(server: dict[str, str], scheme: str) -> str:
    return "{scheme}://{PGUSER}:{word}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(
        scheme=scheme, word=quote(server["PGPASSWORD"]), **server
    )


def test_psycopg2(server: dict[str, str]) -> None:
    psycopg2 = pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    from psycopg2 import extras

    connection = psycopg2.connect(dbname=server["PGDATABASE"], **_given(server))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE p2 (id int PRIMARY KEY, n text, v float8)")
            rows = [(i, f"字{i}", i * 1.5) for i in range(500)]
            extras.execute_values(
                cursor, "INSERT INTO p2 VALUES %s ON CONFLICT (id) DO NOTHING", rows
            )
            extras.execute_batch(cursor, "UPDATE p2 SET v = v + %s WHERE id = %s", [(1, 1), (2, 2)])
            cursor.copy_from(io.StringIO("900\ta\t1\n901\t\\N\t2\n"), "p2")
        with connection, connection.cursor("named", cursor_factory=extras.RealDictCursor) as named:
            named.itersize = 100
            named.execute("SELECT * FROM p2 ORDER BY id")
            assert sum(1 for _ in named) == 502
        with connection, connection.cursor() as cursor:
            given = ({"a": 1}, [1, 2], decimal.Decimal("1.20"), datetime.date(2024, 1, 1))
            cursor.execute("SELECT %s::jsonb, %s, %s, %s", (extras.Json(given[0]), *given[1:]))
            assert cursor.fetchone() == given
        with pytest.raises(psycopg2.errors.UniqueViolation), connection:
            connection.cursor().execute("INSERT INTO p2 VALUES (1, 'again', 0)")
        with connection:
            connection.cursor().execute("DROP TABLE p2")
    finally:
        connection.close()


def test_pg8000(server: dict[str, str]) -> None:
    pg8000 = pytest.importorskip("pg8000.dbapi", reason="pg8000 is not installed")
    connection = pg8000.connect(database=server["PGDATABASE"], **_given(server))
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE p8 (id bigserial PRIMARY KEY, a int[], at timestamptz, b bytea)")
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    sql = "INSERT INTO p8 (a, at, b) VALUES (%s, %s, %s) RETURNING id"
    cursor.execute(sql, ([1, 2], moment, b"\1"))
    assert cursor.fetchone() == [1]
    connection.commit()
    cursor.executemany("INSERT INTO p8 (b) VALUES (%s)", [(b"2",), (b"3",)])
    connection.commit()
    cursor.execute("SELECT a, at, b FROM p8 WHERE id = %s", (1,))
    assert cursor.fetchall() == ([[1, 2], moment, b"\1"],)
    cursor.execute("DROP TABLE p8")
    connection.commit()
    connection.close()


def test_aiopg(server: dict[str, str]) -> None:
    aiopg = pytest.importorskip("aiopg", reason="aiopg is not installed")

    async def ask() -> Any:
        async with (
            aiopg.create_pool(dbname=server["PGDATABASE"], **_given(server)) as pool,
            pool.acquire() as connection, connection.cursor() as cursor,
        ):  # fmt: skip
            await cursor.execute("SELECT name FROM users WHERE id = %s", (2,))
            return await cursor.fetchone()

    assert asyncio.run(ask()) == ("王",)


@pytest.mark.parametrize("driver", ["psycopg2", "pg8000", "psycopg"])
def test_sqlalchemy(server: dict[str, str], driver: str) -> None:
    sa = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    pytest.importorskip(driver, reason=f"{driver} is not installed")
    from sqlalchemy import orm

    engine = sa.create_engine(_url(server, f"postgresql+{driver}"))
    base: Any = orm.declarative_base()

    class Parent(base):  # type: ignore[misc]
        __tablename__ = f"sa_{driver}_parents"
        id = sa.Column(sa.Integer, primary_key=True)
        name = sa.Column(sa.String(20))
        day = sa.Column(sa.Date)
        amount = sa.Column(sa.Numeric(10, 2))
        data = sa.Column(sa.JSON)
        tags = sa.Column(sa.ARRAY(sa.String))
        at = sa.Column(sa.DateTime(timezone=True), server_default=sa.func.now())
        children = orm.relationship("Child")

    class Child(base):  # type: ignore[misc]
        __tablename__ = f"sa_{driver}_children"
        id = sa.Column(sa.Integer, primary_key=True)
        parent_id = sa.Column(sa.ForeignKey(Parent.id))
        label = sa.Column(sa.String, unique=True)

    try:
        base.metadata.create_all(engine)
        with orm.Session(engine) as session:
            session.add_all(
                Parent(name=f"n{i}", day=datetime.date(2024, 1, 1), amount=decimal.Decimal(i),
                       data={"k": i}, tags=["a", "字"], children=[Child(label=str(i))])
                for i in range(20)
            )  # fmt: skip
            session.commit()
            found = session.execute(
                sa.select(Parent.day, sa.func.sum(Parent.amount), sa.func.count())
                .join(Parent.children).group_by(Parent.day)
            ).all()  # fmt: skip
            assert found == [(datetime.date(2024, 1, 1), decimal.Decimal(190), 20)]
            last = session.scalars(sa.select(Parent).order_by(Parent.id.desc()).limit(1)).one()
            assert (last.data, last.tags) == ({"k": 19}, ["a", "字"]) and last.at.tzinfo is not None
            cut = sa.select(sa.func.date_trunc("month", Parent.at)).limit(1)
            assert session.scalar(cut).day == 1
            session.commit()
        inspector = sa.inspect(engine)
        assert inspector.get_pk_constraint("orders")["name"] == "orders_pkey"
        meta = sa.MetaData()
        meta.reflect(engine, views=True)
        assert {"users", "orders", "user_totals"} <= set(meta.tables)
        assert {i.name for i in meta.tables["orders"].indexes} >= {"ix_orders_user"}
    finally:
        base.metadata.drop_all(engine)
        engine.dispose()


def test_sqlalchemy_with_asyncpg(server: dict[str, str]) -> None:
    pytest.importorskip("asyncpg", reason="asyncpg is not installed")
    pytest.importorskip("greenlet", reason="SQLAlchemy's asyncio needs greenlet")
    sa = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    from sqlalchemy.ext.asyncio import create_async_engine

    async def ask() -> Any:
        engine = create_async_engine(_url(server, "postgresql+asyncpg"))
        async with engine.connect() as connection:
            columns = await connection.run_sync(lambda c: sa.inspect(c).get_columns("users"))
            found = await connection.execute(
                sa.text("SELECT name FROM users WHERE id = :id"), {"id": 2}
            )
            row = found.one()
        await engine.dispose()
        return [c["name"] for c in columns][:2], row[0]

    assert asyncio.run(ask()) == (["id", "email"], "王")


def test_peewee(server: dict[str, str]) -> None:
    peewee = pytest.importorskip("peewee", reason="peewee is not installed")
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    database = peewee.PostgresqlDatabase(server["PGDATABASE"], **_given(server))

    class Person(peewee.Model):  # type: ignore[misc]
        name = peewee.CharField(unique=True)
        born = peewee.DateField(null=True)

        class Meta:
            database = None

    class Pet(peewee.Model):  # type: ignore[misc]
        owner = peewee.ForeignKeyField(Person, backref="pets", on_delete="CASCADE")
        name = peewee.CharField(index=True)

    database.bind([Person, Pet])
    with database:
        database.create_tables([Person, Pet])
        with database.atomic():
            ann = Person.create(name="Ann", born=datetime.date(2000, 1, 1))
            Pet.create(owner=ann, name="Rex")
            Person.insert_many([{"name": f"p{i}"} for i in range(5)]).execute()
        counts = Person.select(Person.name, peewee.fn.COUNT(Pet.id)).join(
            Pet, peewee.JOIN.LEFT_OUTER
        ).group_by(Person.name).order_by(Person.name).tuples()  # fmt: skip
        assert next(iter(counts)) == ("Ann", 1)
        assert [i.columns for i in database.get_indexes("pet")]
        assert [k.dest_table for k in database.get_foreign_keys("pet")] == ["person"]
        ann.delete_instance()
        assert Pet.select().count() == 0
        database.drop_tables([Pet, Person])


def test_pandas(server: dict[str, str]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    sa = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    engine = sa.create_engine(_url(server, "postgresql+psycopg2"))
    frame = pandas.DataFrame({
        "a": range(300), "b": [i / 3 for i in range(300)], "c": ["x", "字", None] * 100,
        "d": pandas.date_range("2024-01-01", periods=300, freq="h"), "e": [True, False, True] * 100,
    })  # fmt: skip
    try:
        frame.to_sql("framed", engine, if_exists="replace", index=False)
        frame.to_sql("framed", engine, if_exists="append", index=False, method="multi")
        back = pandas.read_sql_table("framed", engine)
        assert back.shape == (600, 5) and str(back["d"].dtype).startswith("datetime64")
        pieces = pandas.read_sql("SELECT * FROM framed", engine, chunksize=250)
        assert [len(p) for p in pieces] == [250, 250, 100]
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE IF EXISTS framed"))
        engine.dispose()


def test_duckdb_attaches_it(server: dict[str, str]) -> None:
    """Scans in ranges of ctid by COPY in binary; UPDATE and DELETE by ctid."""
    pytest.importorskip("duckdb_extension_postgres_scanner", reason="needs its DuckDB extension")
    import duckdb

    from sqlagent.engines import extensions

    with duckdb.connect() as connection:
        extensions.load(connection, "postgres_scanner")
        text = "host={PGHOST} port={PGPORT} dbname={PGDATABASE} user={PGUSER} ".format(**server)
        text += f"password=''{server['PGPASSWORD']}''"
        connection.execute(f"ATTACH '{text}' AS pg (TYPE postgres)")

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(sql).fetchall()

        assert ask("SELECT name FROM pg.users WHERE id = 2") == [("王",)]
        assert ask("SELECT email, total FROM pg.user_totals") == [("ada@example.org", 10.0)]
        ask("CREATE TABLE pg.made AS SELECT i AS id, 'x' || i AS t, i * 1.5 AS d, [i, i + 1] AS l, "
            "DATE '2024-01-01' + i::INT AS day FROM range(2000) AS r(i)")  # fmt: skip
        assert ask("SELECT count(*), sum(id), max(day), sum(d) FROM pg.made") == [
            (2000, 1_999_000, datetime.date(2029, 6, 22), decimal.Decimal("2998500.0"))
        ]
        assert ask("UPDATE pg.made SET t = 'changed' WHERE id = 5") == [(1,)]
        assert ask("DELETE FROM pg.made WHERE id > 100") == [(1899,)]
        assert ask("SELECT t FROM pg.made WHERE id = 5") == [("changed",)]
        ask("BEGIN")
        ask("INSERT INTO pg.made (id, t) VALUES (9000, '字')")
        assert ask("SELECT t FROM pg.made WHERE id = 9000") == [("字",)]
        ask("ROLLBACK")
        assert ask("SELECT count(*) FROM pg.made") == [(101,)]
        ask("DROP TABLE pg.made")
