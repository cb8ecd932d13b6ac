"""Completion in the shell: keywords, tables, columns, functions and dot commands by context.

Imported only by the interactive shell, with prompt_toolkit.
"""

import re
from collections.abc import Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from .catalog import Names
from .dots import DOTS

_KEYWORDS = """
    ALL ALTER ANALYZE AND AS ASC ATTACH BEGIN BETWEEN BY CALL CASE CAST CHECK COLUMN COMMIT CREATE
    CROSS DEFAULT DELETE DESC DESCRIBE DETACH DISTINCT DROP ELSE END EXCEPT EXISTS EXPLAIN FALSE
    FILTER FOREIGN FROM FULL FUNCTION GROUP HAVING IF ILIKE IN INDEX INNER INSERT INTERSECT INTO IS
    JOIN KEY LATERAL LEFT LIKE LIMIT MACRO NOT NULL NULLS OFFSET ON OR ORDER OUTER OVER PARTITION
    PRAGMA PRIMARY QUALIFY RECURSIVE REFERENCES RELEASE REPLACE RETURNING RIGHT ROLLBACK SAVEPOINT
    SELECT SET TABLE TEMP THEN TRIGGER TRUE UNION UNIQUE UPDATE USING VALUES VIEW WHEN WHERE WINDOW
    WITH
"""
KEYWORDS = _KEYWORDS.split()

_WORD = re.compile(r"[\w$]*$")
_QUALIFIED = re.compile(r'(?:"([^"]+)"|(\w+))\.[\w$]*$')
_BEFORE = re.compile(r"(\w+)\s+[\w$]*$")
_SOURCE = re.compile(
    r'\b(?:from|join|into|update)\s+"?(\w+)"?(?:\s+(?:as\s+)?(\w+))?', re.IGNORECASE
)
_WANT_TABLE = {"from", "join", "into", "update", "table", "describe"}


class SqlCompleter(Completer):
    """Offers what fits at the cursor; names come from the database, once after each statement."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        """Completions of the word before the cursor, those of the context first."""
        before = document.text_before_cursor
        if before.startswith("."):
            yield from _matching(before.lstrip("."), _dots(before))
            return
        match = _WORD.search(before)
        word = match.group() if match else ""
        if not word and not event.completion_requested and not before.endswith("."):
            return
        yield from _matching(word, self._offers(before, document.text))

    def _offers(self, before: str, text: str) -> Iterator[tuple[str, str]]:
        """(name, what it is), in the order to show them."""
        used = _tables_used(text)
        qualified = _QUALIFIED.search(before)
        if qualified:
            alias = qualified.group(1) or qualified.group(2)
            for column in self._names.columns(used.get(alias.lower(), alias)):
                yield column, "column"
            return
        previous = _BEFORE.search(before)
        if previous and previous.group(1).lower() in _WANT_TABLE:
            yield from ((name, "table") for name in self._names.tables())
            yield from _functions(self._names, table=True)
            return
        for table in dict.fromkeys(used.values()):
            yield from ((column, "column") for column in self._names.columns(table))
        yield from _functions(self._names, table=False)
        yield from ((keyword, "keyword") for keyword in KEYWORDS)
        yield from ((name, "table") for name in self._names.tables())


def _functions(names: Names, table: bool) -> Iterator[tuple[str, str]]:
    for name, kind in names.functions():
        if (kind == "table") is table:
            yield name + "(", f"{kind} function"


def _dots(before: str) -> Iterator[tuple[str, str]]:
    if " " not in before:
        yield from ((name, dot.usage.partition(" ")[2]) for name, dot in DOTS.items())


def _tables_used(text: str) -> dict[str, str]:
    """Names and aliases in FROM and the like, in lower case, to the table they stand for."""
    used = {}
    for match in _SOURCE.finditer(text):
        used[match.group(1).lower()] = match.group(1)
        if match.group(2):
            used[match.group(2).lower()] = match.group(1)
    return used


def _matching(word: str, offers: Iterable[tuple[str, str]]) -> Iterator[Completion]:
    seen = set()
    for name, what in offers:
        key = name.lower()
        if key.startswith(word.lower()) and key not in seen:
            seen.add(key)
            # Keywords follow the case that the user types in.
            shown = name.lower() if what == "keyword" and word.islower() else name
            yield Completion(shown, start_position=-len(word), display_meta=what)
