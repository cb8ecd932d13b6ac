"""Views of the file that DuckDB cannot read as SQLite says them: the same over its own columns."""

from __future__ import annotations

_LANGGRAPH = """
SELECT c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.agent_id, c.user_id, c.run_id, c.source,
  c.step, c.created_at, c.held.key AS channel,
  CASE WHEN v.encoding = 'list' THEN (
    SELECT '[' || string_agg(coalesce(i.value, 'null'), ',' ORDER BY l.n) || ']'
    FROM (SELECT unnest(from_json(v.value, '["BIGINT"]')) AS value_id,
        unnest(range(json_array_length(v.value)::BIGINT)) AS n) AS l
    JOIN langgraph_values AS i ON i.value_id = l.value_id)::JSON
  ELSE v.value END AS value
FROM (SELECT *, unnest(map_entries(CAST(channels AS MAP(VARCHAR, JSON[])))) AS held
  FROM langgraph_checkpoints) AS c
JOIN langgraph_values AS v ON v.value_id = CAST(c.held.value[1] AS BIGINT)
"""
STAND_INS = {
    "langgraph_state_versions": _LANGGRAPH,
    "langgraph_states": _LANGGRAPH
    + """
WHERE NOT EXISTS (SELECT 1 FROM langgraph_checkpoints AS n WHERE n.thread_id = c.thread_id
  AND n.checkpoint_ns = c.checkpoint_ns AND n.checkpoint_id > c.checkpoint_id)
""",
}
