"""The reference of the README, written from the code: `python -m sqlagent.reference README.md`.

Each function's docstring is its entry, each setting's description its row. What stands between the
two marker comments of the file is replaced; `--check` writes nothing and exits with 1 where it
differs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

from sqlagent.config import SETTINGS, Setting
from sqlagent.functions import Function, functions, sql_literal

START = "<!-- reference: written by `make reference` -->"
END = "<!-- /reference -->"
SECTIONS = ("Arguments", "Returns", "Errors", "Cost", "Source", "Examples")
GROUPS = (
    ("Functions that write", lambda f: f.writes),
    ("Functions that return rows", lambda f: f.kind == "table"),
    ("Functions that return a value", lambda f: True),
)


def sections(doc: str) -> dict[str, str]:
    """A docstring by its sections; what stands before the first is under ''."""
    found: dict[str, list[str]] = {"": []}
    current = ""
    for line in doc.splitlines():
        word, colon, rest = line.partition(":")
        if colon and word in SECTIONS:
            current = word
            found[current] = [rest.strip()] if rest.strip() else []
        else:
            found[current].append(line)
    return {name: "\n".join(lines).strip("\n").rstrip() for name, lines in found.items()}


def arguments(text: str) -> list[tuple[list[str], str]]:
    """The entries of an Arguments section: names that share a text, and the text on one line."""
    found: list[tuple[list[str], str]] = []
    for line in dedent(text).splitlines():
        if line.startswith(" ") and found:
            names, meaning = found[-1]
            found[-1] = (names, f"{meaning} {line.strip()}")
        elif line.strip():
            head, _, meaning = line.partition(": ")
            found.append(([name.strip() for name in head.split(",")], meaning.strip()))
    return found


def examples(function: Function) -> list[str]:
    """The statements of a function's Examples, without their semicolons."""
    text = dedent(sections(function.doc).get("Examples", ""))
    return [s.strip() for s in text.split(";\n") if s.strip()] if text else []


def entry(function: Function) -> str:
    """A function's entry, as Markdown."""
    parts = sections(function.doc)
    types = {p.name: p.type.replace("[*]", "[]") for p in function.parameters}
    returns = "rows" if function.kind == "table" else function.returns
    lines = [f"#### {function.name}", "", f"`{function.signature}` → {returns}", "", parts[""], ""]
    for names, meaning in arguments(parts.get("Arguments", "")):
        shown = ", ".join(f"`{name}`" for name in names)
        lines.append(f"- {shown} ({types[names[0]]}): {meaning}")
    if lines[-1]:
        lines.append("")
    if function.columns:
        columns = ", ".join(f"`{column}` {kind}" for column, kind in function.columns)
        lines += [f"Columns: {columns}.", ""]
    for section in SECTIONS[1:-1]:
        if section in parts:
            lines += [f"{section}: {' '.join(parts[section].split())}", ""]
    if function.body_sql:
        lines += [f"It is SQL (`udfs/{function.name}.sql`), inlined into the statement.", ""]
    if "Examples" in parts:
        lines += ["```sql norun", dedent(parts["Examples"]), "```", ""]
    return "\n".join(lines)


def settings_table() -> str:
    """Every setting, as a Markdown table."""
    lines = ["| setting | default | takes | what it does |", "|---|---|---|---|"]
    for name, setting in SETTINGS.items():
        default = "on" if setting.default is True else sql_literal(setting.default)
        lines.append(f"| `{name}` | `{default}` | {taken(setting)} | {setting.description} |")
    return "\n".join(lines)


def taken(setting: Setting) -> str:
    """What a setting may be."""
    if isinstance(setting.values, tuple):
        return ", ".join(f"`'{value}'`" for value in setting.values)
    names = {bool: "`on`, `off`", str: "a text", int: "a whole number from 0"}
    return names.get(setting.values, "a number from 0")


def reference() -> str:
    """The whole reference, as Markdown, without the markers."""
    left = dict(functions())
    parts = []
    for title, belongs in GROUPS:
        members = [f for f in left.values() if belongs(f)]
        for function in members:
            del left[function.name]
        parts += [f"### {title}\n"] + [entry(f) for f in members]
    parts += ["### Settings in full\n", settings_table()]
    return "\n".join(parts).strip() + "\n"


def replaced(text: str) -> str:
    """The text with the reference between its markers written anew; ValueError without markers."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"the markers {START} and {END} are not there")
    return f"{before}{START}\n\n{reference()}\n{END}{after}"


def main(argv: Sequence[str]) -> int:
    """Write the reference into a file; 1 where `--check` finds it old, 2 for wrong usage."""
    paths = [a for a in argv if a != "--check"]
    if len(paths) != 1:
        print("usage: python -m sqlagent.reference [--check] README.md", file=sys.stderr)
        return 2
    path = Path(paths[0])
    try:
        old = path.read_text(encoding="utf-8")
        new = replaced(old)
    except (OSError, ValueError) as error:
        print(f"error: {path}: {error}", file=sys.stderr)
        return 2
    if "--check" not in argv:
        if new != old:
            path.write_text(new, encoding="utf-8")
        return 0
    if new != old:
        print(
            f"{path}: the reference is not the code's; `make reference` writes it", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
