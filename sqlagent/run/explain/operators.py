"""DuckDB's operators as a tree: from its EXPLAIN as JSON, and from its profile of a run."""

from __future__ import annotations

import json
import re
from typing import Any

Node = dict[str, Any]
DETAILS = ("Table", "Function", "Filters", "Groups", "Aggregates", "Conditions", "Join Type",
           "Expression", "Top", "Order By")  # fmt: skip
# Copies and views have numbers behind their names in DuckDB.
PHYSICAL = re.compile(r'(?:sqlagent\.)?"?columns"?\."(.+?)(?: view| parts)? \d+"')
PASSED = ("EXPLAIN_ANALYZE", "QUERY_ROOT", "RESULT_COLLECTOR")


def estimated(text: str) -> list[Node]:
    """The operators of `EXPLAIN (FORMAT json)`."""
    return [n for child in json.loads(text) for n in _planned(child)]


def _planned(found: Node) -> list[Node]:
    children = [n for child in found.get("children", ()) for n in _planned(child)]
    return [_node(found.get("name", ""), found.get("extra_info") or {}, children)]


def profile_of(profiles: list[Node], sql: str) -> Node | None:
    """Of the profiles of a run, that of the statement itself: operators, peak memory in MB."""
    own = [p for p in profiles if sql.strip() in str(p.get("query_name", ""))] or profiles
    if not own or not own[-1].get("children"):
        return None
    profile = own[-1]
    memory = int(profile.get("system_peak_buffer_memory") or 0)
    operators = [n for child in profile["children"] for n in _profiled(child)]
    return {"operators": operators, "memory_mb": round(memory / (1 << 20), 1)}


def _profiled(found: Node) -> list[Node]:
    children = [n for child in found.get("children", ()) for n in _profiled(child)]
    name = str(found.get("operator_name") or found.get("operator_type") or "").strip()
    if name in PASSED:
        return children
    node = _node(name, found.get("extra_info") or {}, children)
    node["rows"] = int(found.get("operator_cardinality") or 0)
    node["time_ms"] = round(1000 * float(found.get("operator_timing") or 0), 3)
    return [node]


def _node(name: str, extra: Node, children: list[Node]) -> Node:
    node: Node = {"operator": name.strip()}
    for key in DETAILS:
        value = extra.get(key)
        if value:
            text = value if isinstance(value, str) else ", ".join(map(str, value))
            node[key.lower()] = PHYSICAL.sub(r"\1", " ".join(text.split()))
    guess = str(extra.get("Estimated Cardinality", "")).lstrip("~")
    if guess.isdigit():
        node["rows_estimated"] = int(guess)
    node["children"] = children
    return node
