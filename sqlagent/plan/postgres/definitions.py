"""ALTER, DROP, TRUNCATE, COMMENT ON and maintenance in PostgreSQL's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.clauses import wrong
from sqlagent.parse.lexer import Token, is_name, lex, quote, quote_name, unquote
from sqlagent.plan.plans import Script
from sqlagent.plan.postgres import Edits

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog, Table


def nothing(sql: str, tokens: list[Token], catalog: Catalog) -> Script:
    """What needs nothing done: SQLite has one writer, and keeps its statistics itself."""
    for token in tokens[1:]:
        if token.text == "FULL":
            break
    return Script(())


def granted(sql: str, tokens: list[Token], catalog: Catalog) -> Script | None:
    """GRANT … ON … TO PUBLIC gives what everybody has: dbt says so. Others are not ours."""
    if len(tokens) > 2 and tokens[-1].name.lower() == "public" and tokens[0].upper == "GRANT":
        return Script(())
    return None


def truncated(sql: str, tokens: list[Token], catalog: Catalog) -> Script:
    """TRUNCATE [TABLE] [ONLY] a, b [RESTART IDENTITY] [CASCADE]: DELETE of each."""
    names = []
    for token in tokens[1:]:
        if token.upper in ("RESTART", "CONTINUE", "CASCADE", "RESTRICT"):
            break
        if is_name(token) and token.upper not in ("TABLE", "ONLY"):
            names.append(token)
    if not names:
        raise wrong(sql, tokens, 1, "the name of a table")
    for token in names:
        if catalog.table(token.name) is None:
            raise _unknown(token, sql)
    return Script(tuple(f"DELETE FROM {quote_name(t.name)}" for t in names))


def _unknown(token: Token, sql: str) -> ProgrammingError:
    return ProgrammingError(
        f'relation "{token.name}" does not exist', sql=sql, position=token.start, sqlstate="42P01"
    )


# Views -------------------------------------------------------------------------------------------


def reading(name: str, catalog: Catalog) -> list[Table]:
    """The views that read a table or view, those that read such a view before it."""
    found: list[Table] = []
    for view in catalog.tables.values():
        if view.kind not in ("view", "query") or view.sql is None or view.name.lower() == name:
            continue
        if name in _reads(view.sql):
            found += [v for v in reading(view.name.lower(), catalog) if v not in found]
            found.append(view)
    return list(dict.fromkeys(found))


def _reads(sql: str) -> set[str]:
    """The names after FROM, JOIN and commas in a view's text."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree = parse_one(sql, dialect="sqlite")
    except SqlglotError:
        return set()
    target = tree.this if isinstance(tree, exp.Create) else None
    return {t.name.lower() for t in tree.find_all(exp.Table) if t is not target}


def dropped(sql: str, tokens: list[Token], catalog: Catalog) -> Script | Edits | None:
    """DROP of several, with CASCADE or RESTRICT; what reads a table goes with it, or keeps it."""
    words = [t.upper for t in tokens]
    kind = words[1] if len(words) > 1 else ""
    at = 2
    if kind == "MATERIALIZED":
        return None
    if kind == "SCHEMA":
        raise NotSupportedError("DROP SCHEMA is not here", sql=sql, position=0)
    if kind == "EXTENSION":
        return Script(())
    if kind not in ("TABLE", "VIEW", "INDEX"):
        return None
    if words[at : at + 1] == ["CONCURRENTLY"]:
        at += 1
    exists = words[at : at + 2] == ["IF", "EXISTS"]
    at += 2 if exists else 0
    cascade = words[-1] == "CASCADE"
    end = len(tokens) - (words[-1] in ("CASCADE", "RESTRICT"))
    names = [t for t in tokens[at:end] if is_name(t)]
    simple = len(names) == 1 and end == len(tokens) and words[2:3] != ["CONCURRENTLY"]
    if kind == "INDEX":
        return None if simple else Script(
            tuple(f"DROP INDEX {'IF EXISTS ' if exists else ''}{quote_name(t.name)}" for t in names)
        )  # fmt: skip
    parts: list[str] = []
    own: list[str] = []  # sequences of columns
    for token in names:
        found = catalog.table(token.name)
        if found is None and exists:
            continue
        if found is None:
            raise _unknown(token, sql)
        is_view = found.kind in ("view", "query")
        if (kind == "VIEW") != is_view and found.kind != "materialized":
            right = "view" if is_view else "table"
            raise ProgrammingError(
                f'"{token.name}" is not a {kind.lower()}', sql=sql, position=token.start,
                hint=f"Use DROP {right.upper()} to remove a {right}.", sqlstate="42809",
            )  # fmt: skip
        for view in reading(token.name.lower(), catalog):
            if not cascade:
                raise ProgrammingError(
                    f'cannot drop {kind.lower()} {token.name} because other objects depend on it',
                    detail=f"view {view.name} depends on {kind.lower()} {token.name}",
                    hint="Use DROP ... CASCADE to drop the dependent objects too.",
                    sql=sql, position=token.start, sqlstate="2BP01",
                )  # fmt: skip
            parts.append(f"DROP VIEW {quote_name(view.name)}")
        parts.append(f"DROP {kind} {quote_name(found.name)}")
        for (table, column), sequence in catalog.sequences.items():
            if table != found.name.lower():
                continue
            if sequence.lower() == f"{table}_{column}_seq":
                own.append(f"DROP SEQUENCE IF EXISTS {quote_name(sequence)} CASCADE")
            else:
                place = f"{quote_name(found.name)} ALTER COLUMN {quote_name(column)}"
                own.append(f"ALTER TABLE {place} DROP DEFAULT")
    dropped = tuple(
        name for name, real in catalog.temporary.items() if real in {t.name for t in names}
    )
    if simple and len(parts) == 1 and not dropped and not own:
        return None
    parts = list(dict.fromkeys([*own, *parts]))
    return Script(tuple(parts), tuple((name, None) for name in dropped))


# ALTER -------------------------------------------------------------------------------------------


def altered(sql: str, tokens: list[Token], catalog: Catalog) -> Script | Edits | None:
    """ALTER TABLE and VIEW: renames, columns, constraints that an index can keep."""
    words = [t.upper for t in tokens]
    kind = words[1] if len(words) > 1 else ""
    if kind not in ("TABLE", "VIEW", "INDEX"):
        return None
    at = 2
    exists = words[at : at + 2] == ["IF", "EXISTS"]
    at += 2 if exists else 0
    at += words[at : at + 1] == ["ONLY"]
    if at >= len(tokens) or not is_name(tokens[at]):
        return None
    name, rest = tokens[at], words[at + 1 :]
    found = catalog.table(name.name)
    if kind == "INDEX":
        return _index(sql, tokens, at)
    if found is None:
        if exists:
            return Script(())
        raise _unknown(name, sql)
    if rest[:2] in (["OWNER", "TO"], ["SET", "SCHEMA"]) or rest[:1] in (["CLUSTER"], ["REPLICA"]):
        return Script(())
    if rest[:2] == ["RENAME", "TO"] and found.kind in ("view", "query"):
        return _renamed(found, tokens[-1].name, catalog, sql)
    if kind == "VIEW":
        raise NotSupportedError(
            "of a view only the name changes", sql=sql, position=tokens[at].start,
            hint="CREATE OR REPLACE VIEW",
        )  # fmt: skip
    parts = []
    for first, last in _actions(tokens, at + 1):
        parts += _action(sql, tokens[first : last + 1], found, catalog)
    return Script(tuple(parts))


def _actions(tokens: list[Token], at: int) -> list[tuple[int, int]]:
    depth, first, found = 0, at, []
    for place in range(at, len(tokens)):
        depth += (tokens[place].text == "(") - (tokens[place].text == ")")
        if tokens[place].text == "," and not depth:
            found.append((first, place - 1))
            first = place + 1
    found.append((first, len(tokens) - 1))
    return found


def _text(sql: str, tokens: list[Token]) -> str:
    return sql[tokens[0].start : tokens[-1].start + len(tokens[-1].text)] if tokens else ""


def _action(sql: str, tokens: list[Token], table: Table, catalog: Catalog) -> list[str]:
    """One action of ALTER TABLE as statements of SQLite's."""
    words = [t.upper or t.text for t in tokens]
    head = f"ALTER TABLE {quote_name(table.name)}"
    if words[:1] == ["ADD"] and words[1] in ("CONSTRAINT", "UNIQUE", "PRIMARY", "FOREIGN", "CHECK"):
        return _constraint(sql, tokens, table)
    if words[:1] == ["ADD"]:
        at = 2 if words[1] == "COLUMN" else 1
        if words[at : at + 3] == ["IF", "NOT", "EXISTS"]:
            at += 3
            if table.column(tokens[at].name) is not None:
                return []
        return [f"{head} ADD COLUMN {_defined(sql, tokens[at:])}"]
    if words[:1] == ["DROP"]:
        at = 1 + (words[1] in ("COLUMN", "CONSTRAINT"))
        exists = words[at : at + 2] == ["IF", "EXISTS"]
        at += 2 if exists else 0
        name = tokens[at]
        if words[1] == "CONSTRAINT":
            return [f"{head} {_text(sql, tokens)}"]
        if exists and table.column(name.name) is None:
            return []
        return [f"{head} DROP COLUMN {quote_name(name.name)}"]
    if words[:1] == ["RENAME"]:
        return [f"{head} {_text(sql, tokens)}", *_followed(tokens, table, catalog)]
    if words[:1] == ["ALTER"]:
        at = 2 if words[1] == "COLUMN" else 1
        rest = words[at + 1 :]
        if rest[:3] in (["SET", "NOT", "NULL"], ["DROP", "NOT", "NULL"]):
            return [f"{head} ALTER COLUMN {quote_name(tokens[at].name)} {' '.join(rest[:3])}"]
        if rest[:2] in (["SET", "STATISTICS"], ["SET", "STORAGE"]):
            return []
        changes = (["TYPE"], ["SET", "DATA"], ["SET", "DEFAULT"], ["DROP", "DEFAULT"])
        if any(rest[: len(c)] == c for c in changes):
            return [f"{head} {_text(sql, tokens)}"]
        raise wrong(sql, tokens, at + 1, "TYPE, or SET or DROP DEFAULT or NOT NULL")
    if words[:1] in (["SET"], ["RESET"], ["ENABLE"], ["DISABLE"], ["VALIDATE"], ["OWNER"]):
        return []
    raise wrong(sql, tokens, 0, "ADD, DROP, RENAME or ALTER COLUMN")


def _followed(tokens: list[Token], table: Table, catalog: Catalog) -> list[str]:
    """What keeps the sequences of a table with it, and with its columns, under another name."""
    if not any(name == table.name.lower() for name, _ in catalog.sequences):
        return []
    old, new = quote(table.name), quote(tokens[-1].name)
    if len(tokens) == 3:
        return [
            f"UPDATE sqlagent_sequence_columns SET table_name = {new} WHERE table_name = {old}",
            f"UPDATE sqlagent_sequences SET owner_table = {new} WHERE owner_table = {old}",
        ]
    column = quote(tokens[-3].name)
    return [
        f"UPDATE sqlagent_sequence_columns SET column_name = {new} "
        f"WHERE table_name = {old} AND column_name = {column}",
        f"UPDATE sqlagent_sequences SET owner_column = {new} "
        f"WHERE owner_table = {old} AND owner_column = {column}",
    ]


def _defined(sql: str, tokens: list[Token]) -> str:
    """A column's definition, in the words of CREATE TABLE."""
    from sqlagent.parse.parameters import edited
    from sqlagent.plan.postgres.tables import _column

    text = _text(sql, tokens)
    own = [t._replace(start=t.start - tokens[0].start) for t in tokens]
    return edited(text, _column(text, own, 0, len(own) - 1, []))


def _constraint(sql: str, tokens: list[Token], table: Table) -> list[str]:
    """UNIQUE is an index that SQLite can add; a key or a check would need the table made anew."""
    words = [t.upper or t.text for t in tokens]
    name = tokens[2].name if words[1] == "CONSTRAINT" else ""
    at = 3 if name else 1
    if words[at : at + 1] == ["UNIQUE"] and words[at + 1] == "(":
        columns = [t.name for t in tokens[at + 2 :] if is_name(t)]
        name = name or "_".join([table.name, *columns, "key"])
        listed = ", ".join(map(quote_name, columns))
        return [f"CREATE UNIQUE INDEX {quote_name(name)} ON {quote_name(table.name)} ({listed})"]
    if words[at : at + 1] in (["CHECK"], ["PRIMARY"], ["FOREIGN"]):
        end = len(tokens) - 2 * (words[-2:] == ["NOT", "VALID"])
        return [f"ALTER TABLE {quote_name(table.name)} {_text(sql, tokens[:end])}"]
    raise NotSupportedError(
        f"a {' '.join(words[at : at + 2])} is not added to a table here", sql=sql,
        position=tokens[0].start, hint="CREATE TABLE has its keys from the start",
    )  # fmt: skip


def _index(sql: str, tokens: list[Token], at: int) -> Script | None:
    raise NotSupportedError("indexes are not altered here", sql=sql, position=tokens[0].start,
                            hint="DROP INDEX and CREATE INDEX")  # fmt: skip


def _renamed(view: Table, new: str, catalog: Catalog, sql: str) -> Script:
    """A view under another name: SQLite renames none, so it is made anew."""
    if catalog.table(new) is not None:
        raise ProgrammingError(f'relation "{new}" already exists', sqlstate="42P07")
    body = _body(view.sql or "")
    if view.kind != "view" or body is None:
        raise NotSupportedError(f'the view "{view.name}" is not renamed here', sql=sql, position=0)
    names = ", ".join(quote_name(c.name) for c in view.columns)
    return Script(
        (f"DROP VIEW {quote_name(view.name)}", f"CREATE VIEW {quote_name(new)} ({names}) AS {body}")
    )


def _body(sql: str) -> str | None:
    tokens = lex(sql)
    for place, token in enumerate(tokens):
        if token.upper == "AS" and tokens[place + 1 :]:
            return sql[tokens[place + 1].start :]
    return None


# COMMENT ON --------------------------------------------------------------------------------------

_COMMENT = re.compile(r"(?is)\bIS\b")


def commented(sql: str, tokens: list[Token], catalog: Catalog) -> Script:
    """COMMENT ON TABLE, VIEW or COLUMN, kept in `sqlagent_comments`; of others nothing is kept."""
    words = [t.upper for t in tokens]
    if words[1:2] != ["ON"] or "IS" not in words:
        raise wrong(sql, tokens, 1, "ON")
    last = tokens[-1]
    text = "NULL" if last.upper == "NULL" else quote(unquote(last))
    if last.kind != "string" and last.upper != "NULL":
        raise wrong(sql, tokens, len(tokens) - 1, "a string or NULL")
    kind, named = words[2], [t for t in tokens[3 : words.index("IS")] if is_name(t)]
    if kind == "MATERIALIZED":
        kind, named = "VIEW", named[1:]
    if kind not in ("TABLE", "VIEW", "COLUMN"):
        return Script(())
    if len(named) < 1 + (kind == "COLUMN"):
        raise wrong(sql, tokens, 3, "a name")
    table = catalog.table(named[0].name)
    if table is None:
        raise _unknown(named[0], sql)
    column = named[1].name if kind == "COLUMN" else ""
    if column and table.column(column) is None:
        raise ProgrammingError(
            f'column "{column}" of relation "{table.name}" does not exist', sql=sql,
            position=named[1].start, sqlstate="42703",
        )  # fmt: skip
    key = f"{quote(table.name)}, {quote(column)}"
    forget = f"DELETE FROM sqlagent_comments WHERE (table_name, column_name) = ({key})"
    if text == "NULL":
        return Script((forget,))
    return Script((
        forget,
        f"INSERT INTO sqlagent_comments (table_name, column_name, comment) VALUES ({key}, {text})",
    ))  # fmt: skip
