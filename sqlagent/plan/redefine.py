"""ALTER TABLE beyond what SQLite has: types, defaults, keys and the names of constraints.

ALTER TABLE t ALTER [COLUMN] c [SET DATA] TYPE type [COLLATE …] [USING expression]
ALTER TABLE t ALTER [COLUMN] c SET DEFAULT expression | DROP DEFAULT
ALTER TABLE t ADD [CONSTRAINT name] PRIMARY KEY (…) | FOREIGN KEY (…) … | CHECK (…)
ALTER TABLE t DROP CONSTRAINT [IF EXISTS] name [CASCADE | RESTRICT]
ALTER TABLE t RENAME CONSTRAINT name TO name
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import Token, is_name, lex
from sqlagent.parse.parameters import edited
from sqlagent.parse.table_text import TableText, declared
from sqlagent.plan.plans import Redefine, SequenceChange
from sqlagent.plan.postgres.numbering import default_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sqlagent.catalog import Catalog

WHY = "SQLite has no such ALTER TABLE: its definition is changed, and what that means for its rows"


def redefine(
    sql: str, tokens: list[Token], catalog: Catalog, settings: Mapping[str, Any]
) -> Redefine | SequenceChange | None:
    """The plan of such a statement; None for any other, of a view, or of a table of columns."""
    words = [t.upper for t in tokens]
    if words[:2] != ["ALTER", "TABLE"] or len(words) < 5 or settings.get("dialect") == "sqlite":
        return None
    at = 4 if words[2:4] == ["IF", "EXISTS"] else 2
    at += words[at : at + 1] == ["ONLY"]
    table = catalog.table(tokens[at].name)
    if table is None or table.kind != "table":
        return None
    rest, left = tokens[at + 1 :], words[at + 1 :]
    plan = Redefine(table.name, "", why=WHY)
    if left[:1] == ["ALTER"]:
        at = 2 if left[1] == "COLUMN" else 1
        return _column(sql, rest, at, plan)
    if left[:2] == ["RENAME", "CONSTRAINT"] and len(rest) >= 5 and left[3] == "TO":
        return plan._replace(verb="rename", name=rest[2].name, text=rest[4].name)
    if left[:2] == ["DROP", "CONSTRAINT"] and len(rest) > 2:
        exists = left[2:4] == ["IF", "EXISTS"]
        place = 4 if exists else 2
        if place >= len(rest):
            return None
        return plan._replace(verb="drop", name=rest[place].name, exists=exists)
    if left[:1] == ["ADD"]:
        named = left[1:2] == ["CONSTRAINT"]
        kind = left[3 if named else 1] if len(left) > 3 else ""
        if kind in ("PRIMARY", "FOREIGN", "CHECK"):
            text = _cut(sql, rest[1:])
            if "USING" in left:
                raise NotSupportedError("ADD CONSTRAINT … USING INDEX is not here", sql=sql)
            return plan._replace(verb="add", name=rest[2].name if named else "", text=text)
    return None


def _column(
    sql: str, tokens: list[Token], at: int, plan: Redefine
) -> Redefine | SequenceChange | None:
    words = [t.upper for t in tokens]
    if at + 2 >= len(tokens) or not is_name(tokens[at]):
        return None
    plan = plan._replace(column=tokens[at].name)
    then = words[at + 1 :]
    if then[:2] == ["DROP", "DEFAULT"]:
        return plan._replace(verb="default")
    if then[:2] == ["SET", "DEFAULT"] and len(then) > 2:
        sequence = default_of(tokens[at + 3 :])
        if sequence is not None:
            goal = (("table", plan.table), ("column", plan.column))
            return SequenceChange("fill", (sequence,), goal)
        return plan._replace(verb="default", text=_said(sql, "DEFAULT", tokens[at + 3 :]))
    place = at + 2 if then[:1] == ["TYPE"] else at + 4 if then[:3] == ["SET", "DATA", "TYPE"] else 0
    if not place or place >= len(tokens):
        return None
    end = next(
        (i for i in range(place, len(words)) if words[i] in ("USING", "COLLATE")), len(words)
    )
    using = next((i for i in range(place, len(words)) if words[i] == "USING"), len(words))
    if end == place:
        raise ProgrammingError("expected a type", sql=sql, position=tokens[place].start)
    kind = _said(sql, "", tokens[place:end])
    return plan._replace(verb="type", text=kind, using=_cut(sql, tokens[using + 1 :]))


def _cut(sql: str, tokens: list[Token]) -> str:
    return sql[tokens[0].start : tokens[-1].start + len(tokens[-1].text)] if tokens else ""


def _said(sql: str, word: str, tokens: list[Token]) -> str:
    """A type, or DEFAULT and its value, in the words that CREATE TABLE would keep."""
    from sqlagent.plan.ddl import _types, defaults
    from sqlagent.plan.postgres.tables import _columns

    kind = "VARCHAR DEFAULT" if word else ""
    text = f"CREATE TABLE t (c {kind} {_cut(sql, tokens)})"
    lexed = lex(text)
    place = next((i for i, t in enumerate(lexed) if t.text == "("), 0) - 1
    text = edited(text, _columns(text, lexed, place))
    lexed = lex(text)
    text = edited(text, [*defaults(lexed), *_types(text, lexed)])
    made = TableText(text)
    if not word:
        return declared(made.elements[0])
    return next((c.text for c in made.clauses(0) if c.kind == "DEFAULT"), "DEFAULT NULL")
