"""The steps of a plan as lines of text: a tree, with what each part is sent and gives."""

from __future__ import annotations

from typing import Any

Step = dict[str, Any]
HEAD = ("engine", "does", "rows", "time_ms", "operator", "children", "operators", "plan")


def lines(step: Step) -> list[str]:
    """A step as lines; its operators hang below it."""
    head = f"{step['engine']}: {step['does']}"
    if "time_ms" in step:
        head += f" ({step['rows']:,} rows, {step['time_ms']:,} ms)"
    found = [head]
    children = step.get("operators") or step.get("plan") or []
    bar = "│ " if children else "  "
    for name, value in step.items():
        if name in HEAD or value in (None, "", [], {}):
            continue
        title = name.removesuffix("_ms").removesuffix("_mb").replace("_", " ")
        first, *rest = f"{title}: {_said(name, value)}".split("\n")
        found.append(f"{bar}{first}")
        found += [f"{bar}  {line}" for line in rest]
    return found + _branches(children)


def _said(name: str, value: Any) -> str:
    if isinstance(value, dict) and name != "times_ms":
        return ", ".join(f"{k} {v}" for k, v in value.items())
    if isinstance(value, dict):
        return ", ".join(f"{k} {v:,} ms" for k, v in value.items())
    if name.endswith("_mb"):
        return f"{value:,} MB"
    if isinstance(value, list):
        return ("; " if name in ("columns", "views", "search") else ", ").join(map(str, value))
    return str(value)


def _branches(nodes: list[Step]) -> list[str]:
    """Operators below what they give their rows to."""
    found = []
    for place, node in enumerate(nodes):
        last = place == len(nodes) - 1
        found.append(f"{'└ ' if last else '├ '}{_operator(node)}")
        found += [f"{'  ' if last else '│ '}{line}" for line in _branches(node["children"])]
    return found


def _operator(node: Step) -> str:
    """An operator on one line: what it works on, the rows it gave and was thought to give."""
    details = [
        f"{v}" if k in ("table", "function") else f"{k} {v}"
        for k, v in node.items()
        if k not in ("operator", "children", "rows", "rows_estimated", "time_ms")
    ]
    text = " ".join([node["operator"], *(d if len(d) < 80 else d[:79] + "…" for d in details)])
    guess = node.get("rows_estimated")
    if "rows" in node:
        thought = f", {guess:,} estimated" if guess is not None else ""
        return f"{text} ({node['rows']:,} rows{thought}, {node['time_ms']:,} ms)"
    return f"{text} (about {guess:,} rows)" if guess is not None else text
