"""CREATE in PostgreSQL's words: tables, temporary ones, indexes, schemas, extensions."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import Token, is_name, quote, quote_name
from sqlagent.parse.parameters import edited
from sqlagent.plan.plans import Script
from sqlagent.plan.postgres import Edits
from sqlagent.plan.postgres.assigning import literal
from sqlagent.plan.postgres.parts import closed

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog

TEMPORARY = "pg_temp_"  # how the name of a temporary table begins in the file
_numbers = itertools.count(1)
_SERIAL = {"SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL4", "SERIAL8", "SERIAL2"}
_WHOLE = {"INT", "INTEGER", "BIGINT", "SMALLINT", "INT2", "INT4", "INT8"} | _SERIAL
UUID = (
    "(lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || "
    "substr(hex(randomblob(2)), 2) || '-' || substr('89AB', 1 + (abs(random()) & 3), 1) || "
    "substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))"
)
_NOW = "(strftime('%Y-%m-%d %H:%M:%f', 'now'))"
# The catalogs say a default as it was written: mappers compare it with what they would write.
_NOW_CALL = "(strftime('%Y-%m-%d %H:%M:%f', 'now') /* now() */)"
_MOMENTS = {
    "NOW", "CLOCK_TIMESTAMP", "STATEMENT_TIMESTAMP", "TRANSACTION_TIMESTAMP", "CURRENT_TIMESTAMP",
    "LOCALTIMESTAMP",
}  # fmt: skip
_OWN_EXTENSIONS = {"plpgsql", "uuid-ossp", "pgcrypto", "citext", "vector", "pg_trgm", "btree_gin"}
Edit = tuple[int, int, str]


def created(sql: str, tokens: list[Token], catalog: Catalog) -> Script | Edits | None:
    """CREATE TABLE, INDEX, SCHEMA, EXTENSION …; None where it is ours as it is."""
    words = [t.upper for t in tokens[:8]]
    kind = next(
        (w for w in words[1:] if w not in (
            "OR", "REPLACE", "TEMP", "TEMPORARY", "UNIQUE", "UNLOGGED", "GLOBAL", "LOCAL",
            "RECURSIVE",
        )), ""
    )  # fmt: skip
    if kind == "SCHEMA":
        return _schema(sql, tokens)
    if kind == "EXTENSION":
        name = tokens[5 if "EXISTS" in words else 2].name.lower()
        if name in _OWN_EXTENSIONS:
            return Script(())
        raise NotSupportedError(f'extension "{name}" is not here', sql=sql, position=0)
    if kind == "INDEX":
        return _index(sql, tokens)
    if kind == "TABLE":
        return _table(sql, tokens, words)
    if kind == "VIEW":
        return _view(tokens)
    return None


def _schema(sql: str, tokens: list[Token]) -> Script:
    """The schema public is there; there is no other."""
    names = [t.name.lower() for t in tokens[2:] if is_name(t)]
    rest = [n for n in names if n not in ("if", "not", "exists")]
    if rest[:1] != ["public"]:
        raise NotSupportedError(
            "CREATE SCHEMA is not here", sql=sql, position=tokens[1].start,
            hint="the tables of a file are all in schema public",
        )  # fmt: skip
    if "exists" not in names:
        raise ProgrammingError('schema "public" already exists', sqlstate="42P06")
    return Script(())


def _view(tokens: list[Token]) -> Edits | None:
    """CREATE VIEW … AS (SELECT …)."""
    at = next((i for i, t in enumerate(tokens) if t.upper == "AS" and not _depth(tokens, i)), None)
    found = _bare(tokens, at) if at is not None else []
    return Edits(tuple(found), True) if found else None


def _bare(tokens: list[Token], at: int) -> list[Edit]:
    """What follows AS without parentheses around the whole: SQLite has none there."""
    if at + 1 >= len(tokens) or tokens[at + 1].text != "(":
        return []
    end = _close(tokens, at + 1)
    rest = [t.upper for t in tokens[end + 1 :]]
    if rest not in ([], ["WITH", "DATA"], ["WITH", "NO", "DATA"]):
        return []
    first, last = tokens[at + 1], tokens[end]
    return [(first.start, first.start + 1, " "), (last.start, last.start + 1, " ")]


def _index(sql: str, tokens: list[Token]) -> Edits | None:
    """CREATE INDEX without what SQLite's has not: CONCURRENTLY, USING btree, INCLUDE, NULLS …"""
    found: list[Edit] = []
    place = 0
    while place < len(tokens):
        word = tokens[place].upper
        if word == "CONCURRENTLY" or (word == "ONLY" and tokens[place - 1].upper == "ON"):
            found.append(_gap(tokens, place, place))
        elif word == "USING" and place + 1 < len(tokens) and place > 3:
            method = tokens[place + 1].name.lower()
            if method not in ("btree", "hash"):
                return None  # a vector index's: ours; any other is refused where it is planned
            found.append(_gap(tokens, place, place + 1))
            place += 1
        elif word == "INCLUDE" and tokens[place + 1].text == "(":
            end = _close(tokens, place + 1)
            found.append(_gap(tokens, place, end))
            place = end
        elif word == "NULLS" and tokens[place + 1].upper in ("FIRST", "LAST"):
            found.append(_gap(tokens, place, place + 1))
            place += 1
        elif word in ("TEXT_PATTERN_OPS", "VARCHAR_PATTERN_OPS", "INT8_OPS", "TEXT_OPS"):
            found.append(_gap(tokens, place, place))
        elif word == "WITH" and tokens[place + 1].text == "(" and place > 4:
            end = _close(tokens, place + 1)
            found.append(_gap(tokens, place, end))
            place = end
        elif word == "TABLESPACE":
            found.append(_gap(tokens, place, place + 1))
            place += 1
        place += 1
    unnamed = _unnamed(tokens)
    if unnamed is not None:
        found.append(unnamed)
    return Edits(tuple(found)) if found else None


def _unnamed(tokens: list[Token]) -> Edit | None:
    """CREATE INDEX ON t (a) gets the name that PostgreSQL would choose."""
    at = next(i for i, t in enumerate(tokens) if t.upper == "INDEX") + 1
    while at < len(tokens) and tokens[at].upper in ("CONCURRENTLY",):
        at += 1
    if at >= len(tokens) or tokens[at].upper != "ON":
        return None
    names = [t.name for t in tokens[at + 1 :] if is_name(t)]
    names = [n for n in names if n.lower() not in ("using", "btree", "hash", "only", "asc", "desc")]
    return (tokens[at].start, tokens[at].start, quote_name("_".join([*names, "idx"])) + " ")


def _gap(tokens: list[Token], first: int, last: int) -> Edit:
    return (tokens[first].start, tokens[last].start + len(tokens[last].text), "")


def _close(tokens: list[Token], place: int) -> int:
    """Where the parenthesis at `place` ends."""
    depth = 0
    for at in range(place, len(tokens)):
        depth += (tokens[at].text == "(") - (tokens[at].text == ")")
        if not depth:
            return at
    return len(tokens) - 1


def _table(sql: str, tokens: list[Token], words: list[str]) -> Script | Edits | None:
    at = words.index("TABLE") + 1
    found = [
        _gap(tokens, i, i) for i in range(1, at - 1)
        if words[i] in ("UNLOGGED", "GLOBAL", "LOCAL", "TEMP", "TEMPORARY")
    ]  # fmt: skip
    temporary = bool({"TEMP", "TEMPORARY"} & set(words[:at]))
    unless = tokens[at : at + 1] and tokens[at].upper == "IF"
    at += 3 if unless else 0
    if at >= len(tokens) or not is_name(tokens[at]):
        return None
    name = tokens[at]
    filled = next((i for i, t in enumerate(tokens) if t.upper == "AS" and not _depth(tokens, i)), 0)
    more: list[str] = []
    if not filled:
        found += _columns(sql, tokens, at, more)
    found += _options(sql, tokens, at, filled)
    if filled:
        found += _bare(tokens, filled)
    if not temporary:
        if more:
            return Script((edited(sql, found), *more))
        return Edits(tuple(found)) if found else None
    real = f"{TEMPORARY}{os.getpid()}_{next(_numbers)}_{name.name.lower()}"
    found.append((name.start, name.start + len(name.text), quote_name(real)))
    return Script((edited(sql, found),), ((name.name.lower(), real),))


def _depth(tokens: list[Token], place: int) -> int:
    return sum((t.text == "(") - (t.text == ")") for t in tokens[:place])


def _options(sql: str, tokens: list[Token], at: int, filled: int) -> list[Edit]:
    """What follows the columns, or the name: storage, which is all SQLite's own."""
    found: list[Edit] = []
    depth = 0
    place = at + 1
    while place < len(tokens):
        depth += (tokens[place].text == "(") - (tokens[place].text == ")")
        word = tokens[place].upper
        following = tokens[place + 1].text.upper() if place + 1 < len(tokens) else ""
        if not depth and (not filled or place < filled):
            if word == "WITH" and following == "(":
                end = _close(tokens, place + 1)
                found.append(_gap(tokens, place, end))
                place = end
            elif word == "WITHOUT" and following == "OIDS":
                found.append(_gap(tokens, place, place + 1))
            elif word == "ON" and following == "COMMIT":
                end = place + (3 if tokens[place + 2].upper == "PRESERVE" else 2)
                if tokens[place + 2].upper == "DELETE":
                    raise NotSupportedError("ON COMMIT DELETE ROWS is not here", sql=sql)
                end = min(place + 3, len(tokens) - 1) if end == place + 3 else place + 2
                found.append(_gap(tokens, place, end))
                place = end
            elif word == "TABLESPACE" or (word == "USING" and following == "HEAP"):
                found.append(_gap(tokens, place, place + 1))
                place += 1
            elif word in ("INHERITS", "PARTITION"):
                raise NotSupportedError(
                    f"{word} is not here", sql=sql, position=tokens[place].start
                )
        if (
            not depth
            and filled
            and word == "WITH"
            and following in ("NO", "DATA")
            and place > filled
        ):
            if following == "NO":
                found.append((tokens[place].start, tokens[place].start, "LIMIT 0 "))
                found.append(_gap(tokens, place, place + 2))
            else:
                found.append(_gap(tokens, place, place + 1))
            break
        place += 1
    return found


def _columns(sql: str, tokens: list[Token], at: int, more: list[str] | None = None) -> list[Edit]:
    """The columns of CREATE TABLE: serial and identity, types, defaults. `more` gets the statements
    that follow it, of sequences."""
    if at + 1 >= len(tokens) or tokens[at + 1].text != "(":
        return []
    found: list[Edit] = []
    parts = _split(tokens, at + 1)
    keys = [k for part in parts for k in _key(tokens, part)]
    for first, last in parts:
        word = tokens[first].upper
        if word == "LIKE":
            raise NotSupportedError(
                "CREATE TABLE … (LIKE …) is not here", sql=sql, position=tokens[first].start,
                hint="CREATE TABLE … AS SELECT * FROM … LIMIT 0",
            )  # fmt: skip
        if word == "EXCLUDE":
            raise NotSupportedError("EXCLUDE is not here", sql=sql, position=tokens[first].start)
        constraint = word in ("PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT")
        if not constraint:
            own = tokens[at].name if more is not None else ""
            found += _column(sql, tokens, first, last, keys, own, more)
    return found


def _split(tokens: list[Token], place: int) -> list[tuple[int, int]]:
    """The parts between the commas of the parenthesis at `place`: (first, last) tokens."""
    end, depth, first, parts = _close(tokens, place), 0, place + 1, []
    for at in range(place + 1, end):
        depth += (tokens[at].text in "([") - (tokens[at].text in ")]")
        if tokens[at].text == "," and not depth:
            parts.append((first, at - 1))
            first = at + 1
    parts.append((first, end - 1))
    return [p for p in parts if p[0] <= p[1]]


def _key(tokens: list[Token], part: tuple[int, int]) -> list[str]:
    """The column of a table's PRIMARY KEY, where it is one alone."""
    first, last = part
    words = [t.upper for t in tokens[first : last + 1]]
    if "PRIMARY" not in words or words[0] not in ("PRIMARY", "CONSTRAINT"):
        return []
    names = [t.name.lower() for t in tokens[first + words.index("KEY") + 2 : last] if is_name(t)]
    return names if len(names) == 1 else []


def _column(
    sql: str,
    tokens: list[Token],
    first: int,
    last: int,
    keys: list[str],
    table: str = "",
    more: list[str] | None = None,
) -> list[Edit]:
    """One column: `id serial primary key` is SQLite's INTEGER PRIMARY KEY, which numbers rows; any
    other is filled from a sequence, by the statements that `more` gets."""
    found: list[Edit] = []
    words = [t.upper for t in tokens[first : last + 1]]
    kind = first + 1
    if kind > last:
        return []
    whole = tokens[kind].upper in _WHOLE
    own = any(w == "PRIMARY" for w in words[1:])
    keyed = own or tokens[first].name.lower() in keys
    identity = _identity(tokens, first, last)
    drawn = _drawn(tokens, first, last)
    numbered = tokens[kind].upper in _SERIAL or identity is not None or drawn is not None
    if numbered:
        options = _identity_options(sql, tokens, identity)
        plain = keyed and drawn is None and not options
        if not whole or (more is None and not plain):
            raise NotSupportedError(
                f'only a column of whole numbers is numbered: "{tokens[first].name}" is none'
                if not whole else "a column that is numbered is not added to a table here",
                sql=sql, position=tokens[first].start,
                hint=None if not whole else "ADD COLUMN, CREATE SEQUENCE, SET DEFAULT nextval(…)",
            )  # fmt: skip
        said = "INTEGER" if keyed else _SIZES.get(tokens[kind].upper, tokens[kind].text)
        if not plain and not keyed and drawn is None and "NOT" not in words:
            said += " NOT NULL"
        found.append((tokens[kind].start, tokens[kind].start + len(tokens[kind].text), said))
        if identity is not None:
            found.append(_gap(tokens, *identity))
        if not plain and more is not None:
            more += _sequence(tokens, first, kind, table, drawn, options)
    elif tokens[kind].upper in ("JSONB", "BYTEA", "BPCHAR"):
        said = {"JSONB": "JSONB TEXT", "BYTEA": "BLOB", "BPCHAR": "TEXT"}[tokens[kind].upper]
        array = kind < last and tokens[kind + 1].text == "["
        if not array:
            text = tokens[kind]
            found.append((text.start, text.start + len(text.text), said))
    found += _sized_time(tokens, kind, last)
    place = kind + 1
    while place <= last:
        word = tokens[place].upper
        if word == "DEFAULT":
            kind_text = _declared(sql, tokens, kind, last)
            place = _default(sql, tokens, place, last, found, None if numbered else kind_text)
        elif word == "ARRAY" and place == _type_end(tokens, kind, last):
            found.append((tokens[place].start, tokens[place].start + 5, "[]"))
            if (
                place + 3 <= last
                and tokens[place + 1].text == "["
                and tokens[place + 2].text != "]"
            ):
                found.append(_gap(tokens, place + 1, place + 3))  # its size says nothing
        elif word == "COLLATE" and place < last:
            end = place + 3 if place + 2 <= last and tokens[place + 2].text == "." else place + 1
            found.append(_gap(tokens, place, end))
            place = end
        elif word in ("STORAGE", "COMPRESSION") and place < last:
            found.append(_gap(tokens, place, place + 1))
            place += 1
        place += 1
    return found


def _sized_time(tokens: list[Token], kind: int, last: int) -> list[Edit]:
    """`timestamp(3) with time zone` as timestamptz(3): SQLite's types end with the size."""
    words = [t.upper or t.text for t in tokens[kind : min(last, kind + 6) + 1]]
    if words[0] not in ("TIMESTAMP", "TIME") or words[1:2] != ["("] or words[3:4] != [")"]:
        return []
    if words[4:7] not in (["WITH", "TIME", "ZONE"], ["WITHOUT", "TIME", "ZONE"]):
        return []
    found = [_gap(tokens, kind + 4, kind + 6)]
    if words[4] == "WITH":
        first = tokens[kind]
        found.append((first.start, first.start + len(first.text), f"{first.text}TZ"))
    return found


_SIZES = {
    "SERIAL": "INTEGER", "SERIAL4": "INTEGER", "BIGSERIAL": "BIGINT", "SERIAL8": "BIGINT",
    "SMALLSERIAL": "SMALLINT", "SERIAL2": "SMALLINT",
}  # fmt: skip


def _drawn(tokens: list[Token], first: int, last: int) -> str | None:
    """The name in `DEFAULT nextval('s')`."""
    from sqlagent.plan.postgres.numbering import default_of

    for place in range(first, last):
        if tokens[place].upper == "DEFAULT" and place < last:
            return default_of(tokens[place + 1 : default_end(tokens, place + 1, last) + 1])
    return None


def _identity_options(sql: str, tokens: list[Token], identity: tuple[int, int] | None) -> str:
    """What `AS IDENTITY (START WITH 100 …)` says of its sequence."""
    if identity is None or tokens[identity[1]].text != ")":
        return ""
    place = next(i for i in range(identity[0], identity[1]) if tokens[i].text == "(")
    inner = tokens[place + 1 : identity[1]]
    return sql[inner[0].start : inner[-1].start + len(inner[-1].text)] if inner else ""


def _sequence(
    tokens: list[Token], first: int, kind: int, table: str, drawn: str | None, options: str
) -> list[str]:
    """The statements that fill a column from a sequence: its own, or one that it names."""
    column = tokens[first].name if tokens[first].kind == "quoted" else tokens[first].name.lower()
    place = f"ALTER TABLE {quote_name(table)} ALTER COLUMN {quote_name(column)} SET DEFAULT"
    if drawn is not None:
        return [f"{place} nextval({quote(drawn)})"]
    name = quote_name(f"{table}_{column}_seq")
    size = _SIZES.get(tokens[kind].upper, tokens[kind].upper).lower()
    size = {"int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint"}.get(
        size, size
    )
    return [
        f"CREATE SEQUENCE {name} AS {size} {options} "
        f"OWNED BY {quote_name(table)}.{quote_name(column)}",
        f"{place} nextval({quote(name)})",
    ]


def _type_end(tokens: list[Token], kind: int, last: int) -> int:
    """The last token of a column's type, but for the size of an array."""
    at = kind
    while at < last and tokens[at + 1].upper not in _TYPE_ENDS:
        if tokens[at].upper == "ARRAY":
            break
        at += 1
    return at


def _declared(sql: str, tokens: list[Token], kind: int, last: int) -> str:
    """The text of a column's type."""
    end = tokens[_type_end(tokens, kind, last)]
    text = sql[tokens[kind].start : end.start + len(end.text)]
    return text[:-5].rstrip() + "[]" if end.upper == "ARRAY" else text


def _identity(tokens: list[Token], first: int, last: int) -> tuple[int, int] | None:
    """GENERATED … AS IDENTITY (…), from token to token."""
    for place in range(first, last + 1):
        if tokens[place].upper != "GENERATED":
            continue
        for at in range(place + 1, last + 1):
            if tokens[at].upper == "IDENTITY":
                if at < last and tokens[at + 1].text == "(":
                    return place, _close(tokens, at + 1)
                return place, at
            if tokens[at].text == "(":
                return None
    return None


def _default(
    sql: str, tokens: list[Token], place: int, last: int, found: list[Edit], kind: str | None
) -> int:
    """A DEFAULT of a column of type `kind` in SQLite's words; the last token of it. Of a column
    that is numbered (None) it goes away."""
    end = default_end(tokens, place + 1, last)
    if kind is None:
        found.append(_gap(tokens, place, end))
        return end
    value = tokens[place + 1 : end + 1]
    start, stop = value[0].start, value[-1].start + len(value[-1].text)
    while len(value) > 2 and value[0].text == "(" and closed(value, 0) == len(value) - 1:
        value = value[1:-1]
    words = [t.upper or t.text for t in value]
    names = {w for w in words if w}
    if names & _MOMENTS or (words[0] == "(" and names & _MOMENTS):
        dated = "DATE" in names
        found.append(
            (
                start,
                stop,
                "(date('now'))"
                if dated
                else _NOW_CALL
                if words[0] == "NOW" and len(words) == 3
                else _NOW,
            )
        )
    elif words[0] == "CURRENT_DATE":
        pass
    elif words[0] in ("GEN_RANDOM_UUID", "UUID_GENERATE_V4"):
        found.append((start, stop, UUID))
    elif words[:1] == ["ARRAY"]:
        found.append((start, stop, "'[]'"))
    elif value[0].kind == "string" and (len(value) == 1 or value[1].text == "::"):
        said = literal(sql, value[0], kind)
        found.append((start, stop, said if said is not None else value[0].text))
    else:
        depth = 0
        for at, token in enumerate(value):
            depth += (token.text == "(") - (token.text == ")")
            if token.text == "::" and not depth:
                found.append((token.start, value[-1].start + len(value[-1].text), ""))
                break
            if token.text == "::":
                name = value[at + 1]
                found.append((token.start, name.start + len(name.text), ""))
    return end


_ENDS = {
    "NOT", "NULL", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "CONSTRAINT", "GENERATED", "COLLATE",
    "DEFERRABLE", "INITIALLY",
}  # fmt: skip


_TYPE_ENDS = _ENDS | {"DEFAULT", "STORAGE", "COMPRESSION", "AUTOINCREMENT"}


def default_end(tokens: list[Token], place: int, last: int) -> int:
    """The last token of the expression after DEFAULT, which begins at `place`."""
    depth = 0
    for at in range(place, last + 1):
        depth += (tokens[at].text in "([") - (tokens[at].text in ")]")
        after = tokens[at + 1].upper if at < last else ""
        if not depth and (at == last or (after in _ENDS and at >= place)):
            return at
    return last
