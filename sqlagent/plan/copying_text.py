"""`COPY … TO 'file.md' (FORMAT markdown)`, from its tokens: what DuckDB has no writer for."""

from __future__ import annotations

from collections.abc import Callable
from posixpath import basename

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import Token, unquote
from sqlagent.plan.plans import CopyText

ENDS = (".md", ".markdown")


def destination(tokens: list[Token]) -> int:
    """The place of the TO that belongs to COPY; 0 where there is none."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.upper == "TO":
            return place
    return 0


def copy_text(
    sql: str, tokens: list[Token], protected: Callable[[str], str | None]
) -> CopyText | None:
    """The plan of COPY into Markdown; None for any other statement.

    Raises NotSupportedError for a path that is live here, ProgrammingError for an option.
    """
    place = destination(tokens)
    if place < 2 or place + 1 >= len(tokens) or tokens[place + 1].kind != "string":
        return None
    path = unquote(tokens[place + 1])
    options = [t.upper for t in tokens[place + 2 :] if t.text not in ("(", ")", ",", "WITH", "=")]
    options = [o.strip("'") for o in options if o != "WITH"]
    named = options[options.index("FORMAT") + 1 :][:1] if "FORMAT" in options else []
    if named != ["MARKDOWN"] and not (not named and path.lower().endswith(ENDS)):
        return None
    others = [o for o in options if o not in ("FORMAT", "MARKDOWN")]
    if others:
        raise ProgrammingError(
            f'COPY into Markdown has no option "{others[0].lower()}"', sql=sql,
            position=tokens[place + 2].start,
        )  # fmt: skip
    live = protected(path)
    if live is not None:
        raise NotSupportedError(
            f'"{basename(live)}" is open here: COPY would overwrite it', sql=sql,
            position=tokens[place + 1].start,
        )  # fmt: skip
    start, end = tokens[1].start, tokens[place - 1].start + len(tokens[place - 1].text)
    inner = sql[start:end]
    if tokens[1].text == "(":
        return CopyText(inner[1:-1].strip(), path)
    opening = next((t for t in tokens[1:place] if t.text == "("), None)
    if opening is None:
        return CopyText(f"SELECT * FROM {inner}", path)
    columns = sql[opening.start + 1 : end - 1]
    return CopyText(f"SELECT {columns} FROM {sql[start : opening.start]}", path)
