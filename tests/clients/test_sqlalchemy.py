"""SQLAlchemy over PostgreSQL's own dialect: reflection whole, tables made and filled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

sa = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
pytest.importorskip("psycopg", reason="psycopg is not installed")


@pytest.fixture(scope="module")
def engine(server: dict[str, str]) -> Iterator[Any]:
    url = sa.URL.create(
        "postgresql+psycopg", server["PGUSER"], server["PGPASSWORD"], server["PGHOST"],
        int(server["PGPORT"]), server["PGDATABASE"],
    )  # fmt: skip
    made = sa.create_engine(url)
    yield made
    made.dispose()


def test_what_there_is(engine: Any) -> None:
    inspector = sa.inspect(engine)
    assert {"users", "orders", "memories"} <= set(inspector.get_table_names())
    assert "user_totals" in inspector.get_view_names()
    assert inspector.get_schema_names() == ["information_schema", "public"]
    assert inspector.has_table("users") and not inspector.has_table("nosuch")
    assert inspector.get_sequence_names() == inspector.get_materialized_view_names() == []
    assert inspector.get_enums() == inspector.get_domains() == []
    assert "SELECT u.email" in inspector.get_view_definition("user_totals")


def test_columns(engine: Any) -> None:
    columns = {c["name"]: c for c in sa.inspect(engine).get_columns("users")}
    assert list(columns) == [
        "id", "email", "name", "age", "balance", "created", "data", "active",
    ]  # fmt: skip
    assert {n: str(c["type"]) for n, c in columns.items()} == {
        "id": "BIGINT", "email": "VARCHAR(255)", "name": "TEXT", "age": "BIGINT",
        "balance": "NUMERIC(10, 2)", "created": "TIMESTAMP", "data": "JSONB",
        "active": "BOOLEAN",
    }  # fmt: skip
    assert [n for n, c in columns.items() if not c["nullable"]] == ["id", "email", "active"]
    assert columns["email"]["comment"] == "where to write"


def test_keys_and_indexes(engine: Any) -> None:
    inspector = sa.inspect(engine)
    assert inspector.get_pk_constraint("users")["constrained_columns"] == ["id"]
    [key] = inspector.get_foreign_keys("orders")
    assert (key["constrained_columns"], key["referred_table"], key["referred_columns"]) == (
        ["user_id"], "users", ["id"],
    )  # fmt: skip
    assert key["options"] == {"ondelete": "CASCADE"}
    found = inspector.get_indexes("orders")
    assert {i["name"]: (i["column_names"], i["unique"]) for i in found} == {
        "ix_orders_user": (["user_id"], False), "ix_orders_note": (["user_id", "note"], True),
    }  # fmt: skip
    [unique] = inspector.get_unique_constraints("users")
    assert unique["column_names"] == ["email"]
    [check] = inspector.get_check_constraints("users")
    assert check["sqltext"] == "age > 0"
    assert inspector.get_table_comment("users") == {"text": "people 人"}


def test_everything_reflected_at_once(engine: Any) -> None:
    metadata = sa.MetaData()
    metadata.reflect(engine, views=True)
    assert {"users", "orders", "user_totals", "memories"} <= set(metadata.tables)
    users = metadata.tables["users"]
    with engine.connect() as connection:
        found = connection.execute(sa.select(users.c.name).where(users.c.id == 2)).scalar_one()
    assert found == "王"


def test_tables_made_and_filled(engine: Any) -> None:
    metadata = sa.MetaData()
    table = sa.Table(
        "made", metadata, sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime, server_default=sa.func.now()),
        sa.Column("price", sa.Numeric(10, 2)), sa.Column("data", sa.JSON),
        sa.Column("done", sa.Boolean, index=True),
    )  # fmt: skip
    metadata.create_all(engine)
    try:
        with engine.begin() as connection:
            made = connection.execute(table.insert().values(name="a", price=1, data={"x": [1]}))
            assert made.inserted_primary_key == (1,)
            connection.execute(table.insert(), [{"name": "b"}, {"name": "é"}])
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
            connection.execute(table.insert().values(name=None))
        with engine.connect() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.id)).all()
        assert [(r.id, r.name, r.data) for r in rows] == [
            (1, "a", {"x": [1]}), (2, "b", None), (3, "é", None),
        ]  # fmt: skip
    finally:
        metadata.drop_all(engine)
    assert not sa.inspect(engine).has_table("made")
