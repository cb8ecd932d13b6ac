"""Source code: between definitions, at blank lines, between lines."""

from __future__ import annotations

import re

from sqlagent.chunking.places import LINE, Places, level_of

# Of files whose names end so, a line is what holds together.
_CODE = """
    .py .pyi .ipy .js .jsx .mjs .cjs .ts .tsx .java .kt .kts .scala .groovy .c .h .cc .cpp .cxx .hpp
    .hh .cs .go .rs .rb .php .swift .lua .pl .pm .r .jl .sh .bash .zsh .fish .ps1 .bat .sql .css
    .scss .less .vue .svelte .proto .graphql .dart .ex .exs .erl .hs .clj .zig .m .mm .tf .cmake
"""
_LINES = """
    .csv .tsv .json .jsonl .ndjson .toml .yaml .yml .ini .cfg .conf .properties .xml .log
"""
CODE_SUFFIXES = frozenset(_CODE.split())
LINE_SUFFIXES = CODE_SUFFIXES | frozenset(_LINES.split())

_BLANK = re.compile(r"\r?\n(?:[ \t]*\r?\n)++")

_INNER = frozenset(["", " ", "\t", ")", "]", "}"])


def code(text: str, size: int) -> Places:
    """Before what stands at the margin after a blank line, then at blank lines, then at lines."""
    blank = [m.span() for m in _BLANK.finditer(text)]
    top = [(end, start) for end, start in blank if text[start : start + 1] not in _INNER]
    lines = {m.span() for m in LINE.finditer(text)}
    return Places([level_of(top, 0.25), level_of(blank, 0.5), level_of(lines, 0)], 2, [], [])
