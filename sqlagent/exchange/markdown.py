"""Notes in Markdown: each note a memory, a long one a memory for each of its sections. What stands
before it between lines of `---` (front matter) says when, of whom, how important it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlagent.exchange.records import Memory, Record, share, when
from sqlagent.formats.typed import scalar

LONG = 2000  # characters: a longer note is taken by its sections
KINDS = ("episodic", "semantic", "procedural", "working")
TIERS = ("working", "short_term", "long_term")
OWN = {
    "kind", "type", "importance", "pinned", "user_id", "session_id", "agent_id", "agent", "speaker",
    "created_at", "created", "date", "tier",
}  # fmt: skip
FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)


def read(path: Path, agent: str | None) -> Iterator[Record]:
    """The notes of a folder, or one note; `source` is the path in the folder."""
    files = sorted(path.rglob("*.md")) if path.is_dir() else [path]
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        if any(part.startswith(".") for part in Path(name).parts):
            continue  # of an editor
        text = file.read_text(encoding="utf-8-sig", errors="replace")
        written = clock_of(file)
        yield from note(text, name, agent or "notes", written)


def clock_of(file: Path) -> str | None:
    """When a file was written last."""
    return when(datetime.fromtimestamp(file.stat().st_mtime, UTC))


def note(text: str, name: str, agent: str, written: str | None) -> Iterator[Memory]:
    """The memories of a note."""
    about, body = front_matter(text)
    kind = str(about.get("kind") or about.get("type") or "").lower()
    tier = str(about.get("tier") or "").lower()
    extra = {k: v for k, v in about.items() if k not in OWN}
    for place, (heading, content) in enumerate(sections(body)):
        yield Memory(
            str(about.get("agent_id") or about.get("agent") or agent), content,
            f"markdown:{name}" + (f"#{place + 1}" if place else ""),
            kind if kind in KINDS else "semantic", tier if tier in TIERS else "long_term",
            share(about.get("importance")), about.get("pinned") is True,
            speaker=_text(about.get("speaker")), session_id=_text(about.get("session_id")),
            user_id=_text(about.get("user_id")),
            created_at=next(
                (t for n in ("created_at", "created", "date") if (t := when(about.get(n)))), written
            ),
            metadata=extra | ({"heading": heading} if heading else {}) or None,
        )  # fmt: skip


def sections(body: str) -> list[tuple[str | None, str]]:
    """(heading, text) of a note whole, or of each section of a long one."""
    body = body.strip()
    if len(body) <= LONG:
        return [(None, body)] if body else []
    fenced = [m.span() for m in FENCE.finditer(body)]
    heads = [m for m in HEADING.finditer(body) if not any(a <= m.start() < b for a, b in fenced)]
    marks = [0, *(m.start() for m in heads if m.start()), len(body)]
    titles = {m.start(): m[2] for m in heads}
    parts = [(titles.get(a), body[a:b].strip()) for a, b in pairwise(marks)]
    return [(title, text) for title, text in parts if text]


def front_matter(text: str) -> tuple[Mapping[str, Any], str]:
    """(what stands before a note, the note): keys with values or lists, as YAML writes them."""
    found = FRONT.match(text)
    if found is None:
        return {}, text
    about: dict[str, Any] = {}
    key = None
    for line in found[1].splitlines():
        item = re.match(r"\s+-\s+(.*)$|-\s+(.*)$", line)
        pair = re.match(r"([A-Za-z_][\w -]*?)\s*:(?:\s+(.*))?$", line)
        if item is not None and key is not None:
            if not isinstance(about[key], list):
                about[key] = []
            about[key].append(value_of(item[1] or item[2] or ""))
        elif pair is not None:
            key = pair[1].strip().lower().replace(" ", "_")
            about[key] = value_of(pair[2] or "")
        elif key is not None and line.startswith((" ", "\t")) and isinstance(about[key], str):
            about[key] = f"{about[key]} {line.strip()}".strip(" |>")
    return about, text[found.end() :]


def value_of(text: str) -> Any:
    """A value of YAML's flow style, as far as notes use it."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [value_of(part) for part in text[1:-1].split(",") if part.strip()]
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return {"true": True, "false": False, "~": None, "": None}.get(text, scalar(text))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
