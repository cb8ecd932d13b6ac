"""What was found as a section of a prompt, with numbered sources, within a number of tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sqlagent.chunking import sentences
from sqlagent.search.budget import tokens_of
from sqlagent.search.chunks import Found

SMALLEST = 24  # tokens of text below which a source that is cut short says nothing


class Prompt(NamedTuple):
    """The section, how many tokens it has, and which source is which number (JSON)."""

    content: str
    tokens: int
    citations: str


def head_of(number: int, one: Found) -> str:
    """The line over a source: `[1] guide.md: Title > Heading`."""
    names = " > ".join(part for part in (one.title, one.heading) if part)
    uri = one.uri or f"document {one.document_id}"
    return f"[{number}] {uri}: {names}" if names else f"[{number}] {uri}"


def prompt_of(
    found: Iterable[Found], budget: int, count: Callable[[str], int] = tokens_of
) -> Prompt:
    """The best of these that fit, in their order, each under a number from 1.

    What does not fit is passed over, so that a smaller one may use the rest; where nothing fits,
    the first sentences of the best that do.
    """
    blocks: list[str] = []
    cited: list[dict[str, object]] = []
    left = budget
    passed: list[Found] = []
    for one in found:
        block = f"{head_of(len(blocks) + 1, one)}\n{one.content.strip()}"
        tokens = count(block)
        if tokens > left:
            passed.append(one)
            continue
        blocks.append(block)
        cited.append(_citation(len(blocks), one, len(one.content.strip())))
        left -= tokens
    if not blocks and passed:
        one = passed[0]
        text = shortened(one.content.strip(), left - count(head_of(1, one)), count)
        if text:
            blocks.append(f"{head_of(1, one)}\n{text}")
            cited.append(_citation(1, one, len(text)))
    content = "\n\n".join(blocks)
    while blocks and count(content) > budget:  # a tokenizer may join what is written together
        blocks.pop()
        cited.pop()
        content = "\n\n".join(blocks)
    return Prompt(content, count(content) if content else 0, json.dumps(cited, ensure_ascii=False))


def shortened(text: str, budget: int, count: Callable[[str], int]) -> str:
    """The first sentences that fit; '' where that is next to nothing."""
    if budget < SMALLEST:
        return ""
    fits = ""
    for _, end in sentences(text):
        if count(text[:end]) > budget:
            break
        fits = text[:end]
    return fits


def _citation(number: int, one: Found, length: int) -> dict[str, object]:
    start = one.position + len(one.content) - len(one.content.lstrip())
    return {
        "number": number, "chunk_id": one.chunk_id, "document_id": one.document_id,
        "uri": one.uri, "title": one.title, "heading": one.heading, "position": start,
        "length": length, "score": one.score,
    }  # fmt: skip
