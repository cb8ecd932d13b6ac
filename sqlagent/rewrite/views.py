"""A view of the file, on DuckDB, is its SELECT in its place: the columns are of tables alone."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import SqlglotError

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import lex
from sqlagent.rewrite.context import Context
from sqlagent.rewrite.stand_ins import STAND_INS

# `state_versions` puts texts together as only SQLite can: this is the same over DuckDB's columns.
STATE_VERSIONS = """
SELECT v.version_id, v.agent_id, v.session_id, v.state_type, v.version, v.parent_version,
  v.snapshot_name, v.checksum, v.created_at, v.metadata,
  CASE WHEN v.blocks IS NULL THEN v.data ELSE (
    SELECT string_agg(p.text, '' ORDER BY l.n, e.n)
    FROM (SELECT unnest(from_json(v.blocks, '["BIGINT"]')) AS block_id,
        unnest(range(json_array_length(v.blocks)::BIGINT)) AS n) AS l
    JOIN (SELECT block_id, unnest(from_json(parts, '["BIGINT"]')) AS part_id,
        unnest(range(json_array_length(parts)::BIGINT)) AS n
      FROM sqlagent_state_blocks) AS e ON e.block_id = l.block_id
    JOIN sqlagent_state_parts AS p ON p.part_id = e.part_id)::JSON END AS data
FROM sqlagent_state_versions AS v
"""
WITHOUT_DATA = """
SELECT version_id, agent_id, session_id, state_type, version, parent_version, snapshot_name,
  checksum, created_at, metadata, NULL AS data
FROM sqlagent_state_versions
"""


def views(tree: exp.Expr, context: Context) -> exp.Expr:
    """Every view as a subquery; its text is SQLite's, and may name other views."""
    from sqlglot import parse_one

    ctes = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
    for _ in range(16):
        found = [
            n for n in tree.find_all(exp.Table)
            if isinstance(n.this, exp.Identifier) and n.name.lower() not in ctes
            and (t := context.catalog.table(n.name)) is not None and t.kind == "view"
        ]  # fmt: skip
        if not found:
            break
        for node in found:
            ours = node.name.lower() == "state_versions"
            stand_in = STAND_INS.get(node.name.lower())
            if stand_in is not None:
                inner: exp.Expr | None = parse_one(stand_in, dialect="duckdb")
            else:
                inner = _state_versions(tree) if ours else _select(node.name, context)
            if inner is None:
                return tree
            alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name))
            alias = alias.copy()
            if not alias.columns:
                # The names that the file's catalog has: engines name expressions differently.
                names = context.catalog.tables[node.name.lower()].columns
                alias.set("columns", [exp.to_identifier(c.name, quoted=True) for c in names])
            new = exp.Subquery(this=inner, alias=alias)
            new.set("joins", node.args.get("joins"))
            node.replace(new)
            context.changed = True
        context.names.read(tree)
    return tree


def _state_versions(tree: exp.Expr) -> exp.Expr:
    """The view's SELECT for DuckDB; nothing is put together for a statement that reads no data."""
    from sqlglot import parse_one

    return parse_one(STATE_VERSIONS if _reads_data(tree) else WITHOUT_DATA, dialect="duckdb")


def _reads_data(tree: exp.Expr) -> bool:
    """Whether a statement may read a column `data`: by name, by *, as a whole row, by a join."""
    if any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        return True
    if any(join.method == "NATURAL" for join in tree.find_all(exp.Join)):
        return True
    if tree.find(exp.Columns, exp.Pivot) is not None:
        return True
    rows = {t.alias_or_name.lower() for t in tree.find_all(exp.Table, exp.Subquery, exp.CTE)}
    return any(c.name.lower() in rows for c in tree.find_all(exp.Column) if not c.table) or any(
        i.name.lower() == "data" for i in tree.find_all(exp.Identifier)
    )


def _select(name: str, context: Context) -> exp.Expr | None:
    """A view's SELECT as a tree; None, with a doubt, where only SQLite can read it."""
    from sqlagent.parse.tree import parse_definition

    table = context.catalog.table(name)
    sql = (table.sql if table else None) or ""
    tokens = lex(sql)
    if tokens and tokens[0].upper not in ("SELECT", "WITH", "VALUES"):
        start = next((i for i, t in enumerate(tokens) if t.upper == "AS"), 0)
        tokens = tokens[start + 1 :]
    try:
        return parse_definition(sql, tokens)
    except (SqlglotError, ProgrammingError, IndexError):
        context.doubts.append(f'the view "{name}", which only SQLite can read')
        return None
