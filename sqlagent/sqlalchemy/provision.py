"""How SQLAlchemy's own test suite makes its databases; imported by that suite alone."""
# mypy: ignore-errors

from __future__ import annotations

import apsw
from sqlalchemy import event
from sqlalchemy.testing.provision import (
    create_db,
    drop_db,
    follower_url_from_main,
    post_configure_engine,
    stop_test_class_outside_fixtures,
    temp_table_keyword_args,
    upsert,
)


@create_db.for_db("sqlagent")
def _create_db(cfg, eng, ident):
    pass


@drop_db.for_db("sqlagent")
def _drop_db(cfg, eng, ident):
    pass


@follower_url_from_main.for_db("sqlagent")
def _follower(url, ident):
    return url.set(database=f"{url.database}.{ident}.db")


@post_configure_engine.for_db("sqlagent")
def _post_configure(url, engine, follower_ident):
    """Some tests want a second schema whatever the requirements say: it is another file."""
    path = f"{url.database}.test_schema.db"
    escaped = path.replace("'", "''")
    apsw.Connection(path).execute("PRAGMA user_version = 1")  # a file that is there

    @event.listens_for(engine, "connect")
    def attach(connection, record):
        connection.execute(f"ATTACH '{escaped}' AS test_schema")


@stop_test_class_outside_fixtures.for_db("sqlagent")
def _stop(config, db, cls):
    db.dispose()


@temp_table_keyword_args.for_db("sqlagent")
def _temporary(cfg, eng):
    return {"prefixes": ["TEMPORARY"]}


@upsert.for_db("sqlagent")
def _upsert(
    cfg, table, returning, *, set_lambda=None, sort_by_parameter_order=False, index_elements=None
):
    from sqlagent.sqlalchemy import insert

    statement = insert(table)
    if set_lambda:
        statement = statement.on_conflict_do_update(set_=set_lambda(statement.excluded))
    else:
        statement = statement.on_conflict_do_nothing()
    return statement.returning(*returning, sort_by_parameter_order=sort_by_parameter_order)
