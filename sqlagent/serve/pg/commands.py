"""What a session does itself, told from a statement's first tokens; all else is the engine's.

`commands(text)` cuts a text into its statements. Of each it says the `verb`: one of the session's
(begin, set, declare, copy_in, listen …) with what its clause says, or 'engine'.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import Token, is_name, lex, statements, unquote
from sqlagent.serve.pg.tags import tag_of

_TRANSACTION = {
    "BEGIN": "begin", "START": "begin", "COMMIT": "commit", "END": "commit",
    "ROLLBACK": "rollback", "ABORT": "rollback", "SAVEPOINT": "savepoint", "RELEASE": "release",
}  # fmt: skip
_LEVELS = {
    ("READ", "COMMITTED"): "read committed", ("READ", "UNCOMMITTED"): "read uncommitted",
    ("REPEATABLE", "READ"): "repeatable read", ("SERIALIZABLE",): "serializable",
}  # fmt: skip


class Command(NamedTuple):
    """A statement: `sql` is its text, `start` its offset in the whole; `tag` the words of its
    CommandComplete; `tokens` have offsets in `sql`. `said` depends on the verb."""

    verb: str
    sql: str
    start: int
    tag: str
    tokens: tuple[Token, ...]
    said: Any = None


@lru_cache(maxsize=512)
def commands(text: str) -> tuple[Command, ...]:
    """The statements of a text. Raises ProgrammingError where it cannot be cut into tokens, or one
    of the session's own statements is wrong."""
    found = []
    for part in statements(lex(text)):
        start, last = part[0].start, part[-1]
        sql = text[start : last.start + len(last.text)]
        tokens = [t._replace(start=t.start - start) for t in part]
        verb, said = _recognised(sql, tokens)
        found.append(Command(verb, sql, start, tag_of(tokens), tuple(tokens), said))
    return tuple(found)


def _recognised(sql: str, tokens: list[Token]) -> tuple[str, Any]:
    words = [t.upper for t in tokens]
    first, second = words[0], words[1] if len(words) > 1 else ""
    at = _Cursor(sql, tokens)
    if first in _TRANSACTION and (first != "START" or second == "TRANSACTION"):
        return _transaction(at, _TRANSACTION[first])
    if first == "PREPARE" and second == "TRANSACTION":
        raise NotSupportedError("prepared transactions are not here", sql=sql, position=0)
    made = _MAKERS.get(first)
    return made(at) if made is not None else ("engine", None)


class _Cursor:
    """Tokens, read from left to right."""

    def __init__(self, sql: str, tokens: list[Token], at: int = 1) -> None:
        self.sql, self.tokens, self.at = sql, tokens, at

    @property
    def word(self) -> str:
        """The word here in upper case; the text of what is no word; '' at the end."""
        if self.at >= len(self.tokens):
            return ""
        token = self.tokens[self.at]
        return token.upper or token.text

    def took(self, *words: str) -> bool:
        """Whether these words come, which are then passed."""
        if [t.upper or t.text for t in self.tokens[self.at : self.at + len(words)]] == list(words):
            self.at += len(words)
            return True
        return False

    def name(self, what: str) -> str:
        """A name, folded as PostgreSQL folds it."""
        if self.at < len(self.tokens) and is_name(token := self.tokens[self.at]):
            self.at += 1
            return token.name if token.kind == "quoted" else token.name.lower()
        raise self.wrong(what)

    def string(self, what: str) -> str:
        """A string."""
        if self.at < len(self.tokens) and self.tokens[self.at].kind == "string":
            self.at += 1
            return unquote(self.tokens[self.at - 1])
        raise self.wrong(what)

    def end(self) -> None:
        """Raise where there is more."""
        if self.at < len(self.tokens):
            raise self.wrong("the end of the statement")

    def rest(self) -> str:
        """The text from here on."""
        return self.sql[self.tokens[self.at].start :] if self.at < len(self.tokens) else ""

    def wrong(self, wanted: str) -> ProgrammingError:
        """A syntax error here."""
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            message, position = f'syntax error at or near "{token.text}"', token.start
        else:
            message, position = "syntax error at end of input", len(self.sql)
        return ProgrammingError(
            message, detail=f"expected {wanted}", sql=self.sql, position=position
        )


def modes(at: _Cursor) -> dict[str, Any]:
    """The modes of a transaction: isolation, read_only, deferrable."""
    found: dict[str, Any] = {}
    while at.word:
        if at.took("ISOLATION", "LEVEL"):
            for words, level in _LEVELS.items():
                if at.took(*words):
                    found["isolation"] = level
                    break
            else:
                raise at.wrong("an isolation level")
        elif at.took("READ", "ONLY"):
            found["read_only"] = True
        elif at.took("READ", "WRITE"):
            found["read_only"] = False
        elif at.took("DEFERRABLE") or at.took("NOT", "DEFERRABLE"):
            found["deferrable"] = True
        elif at.took("IMMEDIATE") or at.took("EXCLUSIVE"):  # SQLite's: the writer at once
            found["immediate"] = True
        elif not (at.took("DEFERRED") or (found and at.took(","))):
            raise at.wrong("a transaction mode")
    return found


def _transaction(at: _Cursor, verb: str) -> tuple[str, Any]:
    if verb == "begin":
        if not at.took("TRANSACTION"):
            at.took("WORK")
        return verb, modes(at)
    if verb in ("savepoint", "release"):
        if verb == "release":
            at.took("SAVEPOINT")
        name = at.name("the name of a savepoint")
        at.end()
        return verb, name
    if not at.took("TRANSACTION"):
        at.took("WORK")
    if at.took("PREPARED"):
        raise NotSupportedError("prepared transactions are not here", sql=at.sql, position=0)
    if verb == "rollback" and at.took("TO"):
        at.took("SAVEPOINT")
        name = at.name("the name of a savepoint")
        at.end()
        return "rollback_to", name
    chain = at.took("AND", "CHAIN")
    if not chain:
        at.took("AND", "NO", "CHAIN")
    at.end()
    return verb, chain


def _set(at: _Cursor) -> tuple[str, Any]:
    scope = "session"
    if at.took("SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"):
        return "characteristics", modes(at)
    if at.took("TRANSACTION"):
        if at.took("SNAPSHOT"):
            raise NotSupportedError("exported snapshots are not here", sql=at.sql, position=0)
        return "set_transaction", modes(at)
    if at.took("CONSTRAINTS"):
        return "constraints", at.tokens[-1].upper == "DEFERRED"
    if at.word in ("SESSION", "LOCAL") and len(at.tokens) > 2:
        scope = "local" if at.word == "LOCAL" else "session"
        at.at += 1
    if at.took("TIME", "ZONE"):
        zone = None if at.took("LOCAL") or at.took("DEFAULT") else _zone(at)
        at.end()
        return "set", ("timezone", zone, scope)
    if at.took("NAMES"):
        encoding = None if not at.word or at.took("DEFAULT") else _value(at)
        return "set", ("client_encoding", encoding, scope)
    if at.took("ROLE") or at.took("SESSION", "AUTHORIZATION") or at.took("AUTHORIZATION"):
        role = None if at.took("NONE") or at.took("DEFAULT") else _value(at)
        return "set_role", role
    name = at.name("the name of a setting")
    while at.took("."):
        name += "." + at.name("a name")
    if not (at.took("=") or at.took("TO")):
        raise at.wrong('"=" or TO')
    if at.took("DEFAULT"):
        at.end()
        return "set", (name, None, scope)
    values = [_value(at)]
    while at.took(","):
        values.append(_value(at))
    at.end()
    quoted = name == "search_path"
    if quoted:
        values = [v if v.isidentifier() and v == v.lower() else f'"{v}"' for v in values]
    return "set", (name, ", ".join(values), scope)


def _zone(at: _Cursor) -> str:
    """The zone of SET TIME ZONE, which may be INTERVAL '+08:00' HOUR TO MINUTE."""
    if not at.took("INTERVAL"):
        return _value(at)
    said = _value(at)
    if at.took("HOUR"):
        at.took("TO", "MINUTE")
    return said


def _value(at: _Cursor) -> str:
    """A value of SET: a word, a string or a number with its sign."""
    if at.at >= len(at.tokens):
        raise at.wrong("a value")
    sign = "-" if at.took("-") else ""
    at.took("+")
    token = at.tokens[min(at.at, len(at.tokens) - 1)]
    at.at += 1
    if token.kind == "string":
        return unquote(token)
    if token.kind in ("word", "number", "quoted"):
        return sign + token.name
    at.at -= 1
    raise at.wrong("a value")


def _show(at: _Cursor) -> tuple[str, Any]:
    if at.took("TIME", "ZONE"):
        name = "timezone"
    elif at.took("TRANSACTION", "ISOLATION", "LEVEL"):
        name = "transaction_isolation"
    elif at.took("SESSION", "AUTHORIZATION"):
        name = "session_authorization"
    else:
        name = at.name("the name of a setting")
        while at.took("."):
            name += "." + at.name("a name")
    return ("show", name) if not at.word else ("engine", None)


def _reset(at: _Cursor) -> tuple[str, Any]:
    if at.took("TIME", "ZONE"):
        return "set", ("timezone", None, "session")
    if at.took("ROLE") or at.took("SESSION", "AUTHORIZATION"):
        return "set_role", None
    name = at.name("the name of a setting")
    while at.took("."):
        name += "." + at.name("a name")
    at.end()
    return ("reset_all", None) if name == "all" else ("set", (name, None, "session"))


def _discard(at: _Cursor) -> tuple[str, Any]:
    what = at.name("ALL, PLANS, SEQUENCES or TEMP")
    at.end()
    if what not in ("all", "plans", "sequences", "temp", "temporary"):
        at.at -= 1
        raise at.wrong("ALL, PLANS, SEQUENCES or TEMP")
    return "discard", what


def _declare(at: _Cursor) -> tuple[str, Any]:
    name = at.name("the name of a cursor")
    options = {"binary": False, "scroll": None, "hold": False}
    while not at.took("CURSOR"):
        if at.took("BINARY"):
            options["binary"] = True
        elif at.took("NO", "SCROLL"):
            options["scroll"] = False
        elif at.took("SCROLL"):
            options["scroll"] = True
        elif not (at.took("INSENSITIVE") or at.took("ASENSITIVE")):
            raise at.wrong("CURSOR")
    if at.took("WITH", "HOLD"):
        options["hold"] = True
    else:
        at.took("WITHOUT", "HOLD")
    if not at.took("FOR"):
        raise at.wrong("FOR")
    if at.word not in ("SELECT", "WITH", "VALUES", "TABLE", "FROM", "("):
        raise at.wrong("a query")
    return "declare", (name, options, at.rest(), at.tokens[at.at].start)


def _fetch(at: _Cursor) -> tuple[str, Any]:
    """(how, count, name): how is 'next', 'absolute' or 'relative'; count None is all."""
    verb = at.tokens[0].upper.lower()
    how, count = "forward", 1
    simple: dict[str, tuple[str, int | None]] = {
        "NEXT": ("forward", 1), "PRIOR": ("forward", -1), "FIRST": ("absolute", 1),
        "LAST": ("absolute", -1), "ALL": ("forward", None),
    }  # fmt: skip
    found: tuple[str, int | None] = (how, count)
    if at.word in simple and len(at.tokens) > 2:
        found = simple[at.word]
        at.at += 1
    elif at.word in ("ABSOLUTE", "RELATIVE") and len(at.tokens) > 2:
        how = at.word.lower()
        at.at += 1
        found = (how, _number(at))
    elif at.word in ("FORWARD", "BACKWARD") and len(at.tokens) > 2:
        sign = 1 if at.word == "FORWARD" else -1
        at.at += 1
        if at.took("ALL"):
            found = ("forward", None) if sign > 0 else ("backward", None)
        elif at.at < len(at.tokens) and (at.tokens[at.at].kind == "number" or at.word in "+-"):
            found = ("forward", sign * _number(at))
        else:
            found = ("forward", sign)
    elif at.at < len(at.tokens) and (at.tokens[at.at].kind == "number" or at.word in ("+", "-")):
        found = ("forward", _number(at))
    if not at.took("FROM"):
        at.took("IN")
    name = at.name("the name of a cursor")
    at.end()
    return verb, (*found, name)


def _number(at: _Cursor) -> int:
    sign = -1 if at.took("-") else 1
    at.took("+")
    if at.at < len(at.tokens) and at.tokens[at.at].kind == "number":
        text = at.tokens[at.at].text
        at.at += 1
        if text.isdigit():
            return sign * int(text)
        at.at -= 1
    raise at.wrong("a whole number")


def _close(at: _Cursor) -> tuple[str, Any]:
    name = at.name("the name of a cursor")
    quoted = at.tokens[at.at - 1].kind == "quoted"
    at.end()
    return "close", None if name == "all" and not quoted else name


def _prepare(at: _Cursor) -> tuple[str, Any]:
    name = at.name("the name of a statement")
    kinds: list[str] = []
    if at.took("("):
        start, depth = at.at, 1
        while depth:
            if not at.word:
                raise at.wrong('")"')
            depth += (at.word == "(") - (at.word == ")")
            if (depth == 1 and at.word == ",") or not depth:
                end = at.tokens[at.at].start
                kinds.append(at.sql[at.tokens[start].start : end].strip())
                start = at.at + 1
            at.at += 1
    if not at.took("AS"):
        raise at.wrong("AS")
    if not at.word:
        raise at.wrong("a statement")
    return "prepare", (name, kinds, at.rest(), at.tokens[at.at].start)


def _execute(at: _Cursor) -> tuple[str, Any]:
    name = at.name("the name of a statement")
    values = ""
    if at.took("("):
        if at.tokens[-1].text != ")":
            at.at = len(at.tokens)
            raise at.wrong('")"')
        values = at.sql[at.tokens[at.at].start : at.tokens[-1].start]
    else:
        at.end()
    return "execute", (name, values.strip())


def _deallocate(at: _Cursor) -> tuple[str, Any]:
    if len(at.tokens) > 2:
        at.took("PREPARE")
    name = at.name("the name of a statement")
    quoted = at.tokens[at.at - 1].kind == "quoted"
    at.end()
    return "deallocate", None if name == "all" and not quoted else name


def _copy(at: _Cursor) -> tuple[str, Any]:
    from sqlagent.serve.pg.copy_options import copy_command

    return copy_command(at.sql, at.tokens) or ("engine", None)


def _listen(at: _Cursor) -> tuple[str, Any]:
    name = at.name("the name of a channel")
    at.end()
    return "listen", name


def _unlisten(at: _Cursor) -> tuple[str, Any]:
    name = None if at.took("*") else at.name("the name of a channel, or *")
    at.end()
    return "unlisten", name


def _notify(at: _Cursor) -> tuple[str, Any]:
    name = at.name("the name of a channel")
    payload = at.string("a payload") if at.took(",") else ""
    at.end()
    return "notify", (name, payload)


def _lock(at: _Cursor) -> tuple[str, Any]:
    at.took("TABLE")
    at.took("ONLY")
    names, mode = [at.name("the name of a table")], "ACCESS EXCLUSIVE"
    while at.took(".") or at.took("*") or at.took(","):
        if at.word not in (",", "*", "."):
            names.append(at.name("the name of a table"))
    if at.took("IN"):
        words = []
        while at.word and at.word != "MODE":
            words.append(at.word)
            at.at += 1
        mode = " ".join(words)
        if not at.took("MODE"):
            raise at.wrong("MODE")
    at.took("NOWAIT")
    at.end()
    return "lock", mode


_MAKERS = {
    "SET": _set, "SHOW": _show, "RESET": _reset, "DISCARD": _discard, "DECLARE": _declare,
    "FETCH": _fetch, "MOVE": _fetch, "CLOSE": _close, "PREPARE": _prepare, "EXECUTE": _execute,
    "DEALLOCATE": _deallocate, "COPY": _copy, "LISTEN": _listen, "UNLISTEN": _unlisten,
    "NOTIFY": _notify, "LOCK": _lock,
}  # fmt: skip
