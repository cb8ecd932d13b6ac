"""What stands over the portal's columns: the file's views, and macros, all in DuckDB's own SQL.

A view is what the planner would send to DuckDB for a SELECT of it; one that needs a function in
Python, or what only SQLite can do, is left out, and `sqlagent_portal` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from sqlagent.errors import Error
from sqlagent.functions import functions, sql_literal
from sqlagent.plan.plans import Duck
from sqlagent.sync.columns import literal, quoted
from sqlagent.sync.materialized import plain

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog
    from sqlagent.connection import Connection

# A parameter must not have the name of a column that a view's text names without its table: DuckDB
# takes one for the other when the macro is made. So what follows reads the columns themselves.
# Stand-ins for what is of extensions that a client may have: a macro is made only where the
# functions that it names exist, and loading an extension to make one would cost 0.3 to 1.5 s.
STAND_INS = {
    "sqlite_scan": "(path, name) AS TABLE SELECT 1",
    "lance_vector_search": "(path, name, query, k := 1, prefilter := true) AS TABLE SELECT 1",
}
SIMILAR = """CASE c.metric WHEN 'cosine' THEN 1 - distance WHEN 'ip' THEN -distance
    ELSE 1 / (1 + distance) END"""
DISTANCE = """CASE c.metric WHEN 'cosine' THEN list_cosine_distance(own, {query})
    WHEN 'l2' THEN list_distance(own, {query})
    WHEN 'ip' THEN -list_inner_product(own, {query}) END::DOUBLE"""
NEAREST = f"""
SELECT found.id, found.distance, {SIMILAR.replace("c.metric", "found.metric")} AS similarity,
  found.metadata
FROM (SELECT v.id, c.metric, v.metadata,
    {DISTANCE.format(query="vector::FLOAT[]")} AS distance
  FROM (SELECT vectors.id, vectors.collection AS space, vectors.vector AS own, vectors.metadata
    FROM columns.vectors) AS v
  JOIN (SELECT collections.collection AS space, metric FROM columns.collections) AS c USING (space)
  WHERE space = collection AND own IS NOT NULL) AS found
WHERE found.distance IS NOT NULL
"""
MACROS = {
    "cosine_similarity": "(a, b) AS list_cosine_similarity(a::DOUBLE[], b::DOUBLE[])",
    "l2_distance": "(a, b) AS list_distance(a::DOUBLE[], b::DOUBLE[])",
    "inner_product": "(a, b) AS list_inner_product(a::DOUBLE[], b::DOUBLE[])",
    "knn": f"(collection, vector, k := 10) AS TABLE {NEAREST} ORDER BY distance, id LIMIT k",
    "within": f"(collection, vector, radius) AS TABLE {NEAREST} AND distance <= radius "
    "ORDER BY distance, id",
    "near_memories": "(agent, vector, k := 10) AS TABLE "
    "SELECT m.memory_id, m.kind, m.content, m.created_at, "
    "list_cosine_similarity(v.embedding, vector::FLOAT[])::DOUBLE AS similarity "
    "FROM current_facts AS m JOIN (SELECT memory_id, memory_vectors.vector AS embedding "
    "FROM columns.memory_vectors) AS v ON v.memory_id = m.memory_id WHERE m.agent_id = agent "
    "AND len(v.embedding) = len(vector) ORDER BY similarity DESC, m.memory_id LIMIT k",
    "near_chunks": "(vector, k := 10) AS TABLE "
    "SELECT t.chunk_id, t.document_id, t.collection, t.uri, t.title, t.content, "
    "list_cosine_similarity(v.embedding, vector::FLOAT[])::DOUBLE AS similarity "
    "FROM chunk_texts AS t JOIN (SELECT chunk_id, chunk_vectors.vector AS embedding "
    "FROM columns.chunk_vectors) AS v ON v.chunk_id = t.chunk_id "
    "WHERE len(v.embedding) = len(vector) ORDER BY similarity DESC, t.chunk_id LIMIT k",
    "live": "(table_name) AS TABLE FROM sqlite_scan("
    "coalesce(getvariable('agent_db')::VARCHAR, {path}), table_name)",
    "lance_knn": "(dataset, query, k := 10) AS TABLE FROM lance_vector_search("
    "coalesce(getvariable('agent_lance')::VARCHAR, {lance}) || '/' || dataset || '.lance', "
    "'vector', query, k := k)",
}  # fmt: skip
PORTAL = """CREATE OR REPLACE VIEW main.sqlagent_portal AS
SELECT name, rows, seq AS log_entry, coalesce(note, '') AS note,
  (SELECT value::TIMESTAMP FROM sqlagent.state WHERE name = 'written_at') AS written_at
FROM sqlagent.tables
UNION ALL SELECT substr(name, 6), NULL, NULL, value,
  (SELECT value::TIMESTAMP FROM sqlagent.state WHERE name = 'written_at')
FROM sqlagent.state WHERE name LIKE 'left %'"""


def views(
    connection: Connection, cursor: duckdb.DuckDBPyConnection, catalog: Catalog
) -> dict[str, str]:
    """Make the file's views; of each that is left out, why."""
    from sqlagent.run import plan_of

    left = {}
    made = set()
    for name, table in catalog.tables.items():
        if table.kind not in ("view", "query", "materialized"):
            continue
        try:
            run = plan_of(connection, f"SELECT * FROM {quoted(table.name)}", route="duckdb").run
            if not isinstance(run, Duck):
                left[name] = "only SQLite can read it"
                continue
            for inner in reversed(run.views):  # materialised ones, as their SELECT
                if inner.name.lower() not in made and inner.name.lower() != name:
                    cursor.execute(_view(inner.name, plain(inner)))
                    made.add(inner.name.lower())
            own = next((v for v in run.views if v.name.lower() == name), None)
            if name not in made:
                cursor.execute(_view(table.name, run.sql if own is None else plain(own)))
                made.add(name)
        except (Error, duckdb.Error) as error:
            left[name] = str(error).split("\n")[0]
    return left


def _view(name: str, select: str) -> str:
    return f"CREATE OR REPLACE VIEW main.{quoted(name)} AS {select}"


def macros(
    cursor: duckdb.DuckDBPyConnection, catalog: Catalog, path: str, lance: str
) -> dict[str, str]:
    """Make what needs no Python: ours, and the users' own; of each that is left out, why."""
    left = {}
    for name, body in STAND_INS.items():
        cursor.execute(f"CREATE OR REPLACE MACRO main.{name}{body}")
    for name, function in functions().items():
        if function.kind == "macro":
            given = ", ".join(
                p.name if p.required else f"{p.name} := {sql_literal(p.default)}"
                for p in function.parameters
            )
            cursor.execute(f"CREATE OR REPLACE MACRO main.{name}({given}) AS {function.body_sql}")
    for name, body in MACROS.items():
        filled = body.replace("{path}", literal(path)).replace("{lance}", literal(lance))
        try:
            cursor.execute(f"CREATE OR REPLACE MACRO main.{name}{filled}")
        except duckdb.CatalogException as error:  # of a table that is left out
            cursor.execute(f"DROP MACRO IF EXISTS main.{name}")
            cursor.execute(f"DROP MACRO TABLE IF EXISTS main.{name}")
            left[name] = str(error).split("\n")[0]
    for name in STAND_INS:
        cursor.execute(f"DROP MACRO TABLE main.{name}")
    for name, definitions in catalog.definitions.items():
        for definition in definitions:
            if definition.kind not in ("macro", "table macro"):
                continue
            try:
                if definition.dialect != "duckdb":
                    raise duckdb.NotSupportedError(f"it is written for {definition.dialect}")
                cursor.execute(_replacing(definition.sql))
            except duckdb.Error as error:
                left[name] = str(error).split("\n")[0]
    return left


def _replacing(sql: str) -> str:
    """CREATE MACRO as CREATE OR REPLACE, of no schema."""
    import re

    return re.sub(
        r"(?is)^\s*CREATE\s+(OR\s+REPLACE\s+)?(TEMP(ORARY)?\s+)?(MACRO|FUNCTION)\s+"
        r"(IF\s+NOT\s+EXISTS\s+)?",
        "CREATE OR REPLACE MACRO ",
        sql,
    )
