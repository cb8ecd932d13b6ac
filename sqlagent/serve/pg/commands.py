"""What a session does itself, told from a statement's first tokens; all else is the engine's.

`commands(text)` cuts a text into its statements. Of each it says the `verb`: one of the session's
(begin, set, declare, copy_in, listen …) with what its clause says, or 'engine'.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.clauses import Words
from sqlagent.parse.lexer import Token, lex, statements, unquote
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
    at = _Words(sql, tokens, 1)
    if first in _TRANSACTION and (first != "START" or second == "TRANSACTION"):
        return _transaction(at, _TRANSACTION[first])
    if first == "PREPARE" and second == "TRANSACTION":
        raise NotSupportedError("prepared transactions are not here", sql=sql, position=0)
    made = _MAKERS.get(first)
    return made(at) if made is not None else ("engine", None)


class _Words(Words):
    """Tokens, with names and errors as PostgreSQL has them."""

    def folded(self, what: str) -> str:
        """A name, folded as PostgreSQL folds it."""
        token = self.name(what)
        return token.name if token.kind == "quoted" else token.name.lower()

    def rest(self) -> str:
        """The text from here on."""
        token = self.token
        return "" if token is None else self.sql[token.start :]

    def wrong(self, wanted: str) -> ProgrammingError:
        token = self.token
        if token is not None:
            message, position = f'syntax error at or near "{token.text}"', token.start
        else:
            message, position = "syntax error at end of input", len(self.sql)
        return ProgrammingError(
            message, detail=f"expected {wanted}", sql=self.sql, position=position
        )


def modes(at: _Words) -> dict[str, Any]:
    """The modes of a transaction: isolation, read_only, deferrable."""
    found: dict[str, Any] = {}
    while at.word:
        if at.take("ISOLATION", "LEVEL"):
            for words, level in _LEVELS.items():
                if at.take(*words):
                    found["isolation"] = level
                    break
            else:
                raise at.wrong("an isolation level")
        elif at.take("READ", "ONLY"):
            found["read_only"] = True
        elif at.take("READ", "WRITE"):
            found["read_only"] = False
        elif at.take("DEFERRABLE") or at.take("NOT", "DEFERRABLE"):
            found["deferrable"] = True
        elif at.take("IMMEDIATE") or at.take("EXCLUSIVE"):  # SQLite's: the writer at once
            found["immediate"] = True
        elif not (at.take("DEFERRED") or (found and at.take(","))):
            raise at.wrong("a transaction mode")
    return found


def _transaction(at: _Words, verb: str) -> tuple[str, Any]:
    if verb == "begin":
        if not at.take("TRANSACTION"):
            at.take("WORK")
        return verb, modes(at)
    if verb in ("savepoint", "release"):
        if verb == "release":
            at.take("SAVEPOINT")
        name = at.folded("the name of a savepoint")
        at.end()
        return verb, name
    if not at.take("TRANSACTION"):
        at.take("WORK")
    if at.take("PREPARED"):
        raise NotSupportedError("prepared transactions are not here", sql=at.sql, position=0)
    if verb == "rollback" and at.take("TO"):
        at.take("SAVEPOINT")
        name = at.folded("the name of a savepoint")
        at.end()
        return "rollback_to", name
    chain = at.take("AND", "CHAIN")
    if not chain:
        at.take("AND", "NO", "CHAIN")
    at.end()
    return verb, chain


def _set(at: _Words) -> tuple[str, Any]:
    scope = "session"
    if at.take("SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"):
        return "characteristics", modes(at)
    if at.take("TRANSACTION"):
        if at.take("SNAPSHOT"):
            raise NotSupportedError("exported snapshots are not here", sql=at.sql, position=0)
        return "set_transaction", modes(at)
    if at.take("CONSTRAINTS"):
        return "constraints", at.tokens[-1].upper == "DEFERRED"
    if at.word in ("SESSION", "LOCAL") and len(at.tokens) > 2:
        scope = "local" if at.word == "LOCAL" else "session"
        at.at += 1
    if at.take("TIME", "ZONE"):
        zone = None if at.take("LOCAL") or at.take("DEFAULT") else _zone(at)
        at.end()
        return "set", ("timezone", zone, scope)
    if at.take("NAMES"):
        encoding = None if not at.word or at.take("DEFAULT") else _value(at)
        return "set", ("client_encoding", encoding, scope)
    if at.take("ROLE") or at.take("SESSION", "AUTHORIZATION") or at.take("AUTHORIZATION"):
        role = None if at.take("NONE") or at.take("DEFAULT") else _value(at)
        return "set_role", role
    name = at.folded("the name of a setting")
    while at.take("."):
        name += "." + at.folded("a name")
    if not (at.take("=") or at.take("TO")):
        raise at.wrong('"=" or TO')
    if at.take("DEFAULT"):
        at.end()
        return "set", (name, None, scope)
    values = [_value(at)]
    while at.take(","):
        values.append(_value(at))
    at.end()
    quoted = name == "search_path"
    if quoted:
        values = [v if v.isidentifier() and v == v.lower() else f'"{v}"' for v in values]
    return "set", (name, ", ".join(values), scope)


def _zone(at: _Words) -> str:
    """The zone of SET TIME ZONE, which may be INTERVAL '+08:00' HOUR TO MINUTE."""
    if not at.take("INTERVAL"):
        return _value(at)
    said = _value(at)
    if at.take("HOUR"):
        at.take("TO", "MINUTE")
    return said


def _value(at: _Words) -> str:
    """A value of SET: a word, a string or a number with its sign."""
    if at.at >= len(at.tokens):
        raise at.wrong("a value")
    sign = "-" if at.take("-") else ""
    at.take("+")
    token = at.tokens[min(at.at, len(at.tokens) - 1)]
    at.at += 1
    if token.kind == "string":
        return unquote(token)
    if token.kind in ("word", "number", "quoted"):
        return sign + token.name
    at.at -= 1
    raise at.wrong("a value")


def _show(at: _Words) -> tuple[str, Any]:
    if at.take("TIME", "ZONE"):
        name = "timezone"
    elif at.take("TRANSACTION", "ISOLATION", "LEVEL"):
        name = "transaction_isolation"
    elif at.take("SESSION", "AUTHORIZATION"):
        name = "session_authorization"
    else:
        name = at.folded("the name of a setting")
        while at.take("."):
            name += "." + at.folded("a name")
    return ("show", name) if not at.word else ("engine", None)


def _reset(at: _Words) -> tuple[str, Any]:
    if at.take("TIME", "ZONE"):
        return "set", ("timezone", None, "session")
    if at.take("ROLE") or at.take("SESSION", "AUTHORIZATION"):
        return "set_role", None
    name = at.folded("the name of a setting")
    while at.take("."):
        name += "." + at.folded("a name")
    at.end()
    return ("reset_all", None) if name == "all" else ("set", (name, None, "session"))


def _discard(at: _Words) -> tuple[str, Any]:
    what = at.folded("ALL, PLANS, SEQUENCES or TEMP")
    at.end()
    if what not in ("all", "plans", "sequences", "temp", "temporary"):
        at.at -= 1
        raise at.wrong("ALL, PLANS, SEQUENCES or TEMP")
    return "discard", what


def _declare(at: _Words) -> tuple[str, Any]:
    name = at.folded("the name of a cursor")
    options = {"binary": False, "scroll": None, "hold": False}
    while not at.take("CURSOR"):
        if at.take("BINARY"):
            options["binary"] = True
        elif at.take("NO", "SCROLL"):
            options["scroll"] = False
        elif at.take("SCROLL"):
            options["scroll"] = True
        elif not (at.take("INSENSITIVE") or at.take("ASENSITIVE")):
            raise at.wrong("CURSOR")
    if at.take("WITH", "HOLD"):
        options["hold"] = True
    else:
        at.take("WITHOUT", "HOLD")
    if not at.take("FOR"):
        raise at.wrong("FOR")
    if at.word not in ("SELECT", "WITH", "VALUES", "TABLE", "FROM", "("):
        raise at.wrong("a query")
    return "declare", (name, options, at.rest(), at.tokens[at.at].start)


def _fetch(at: _Words) -> tuple[str, Any]:
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
        if at.take("ALL"):
            found = ("forward", None) if sign > 0 else ("backward", None)
        elif at.at < len(at.tokens) and (at.tokens[at.at].kind == "number" or at.word in "+-"):
            found = ("forward", sign * _number(at))
        else:
            found = ("forward", sign)
    elif at.at < len(at.tokens) and (at.tokens[at.at].kind == "number" or at.word in ("+", "-")):
        found = ("forward", _number(at))
    if not at.take("FROM"):
        at.take("IN")
    name = at.folded("the name of a cursor")
    at.end()
    return verb, (*found, name)


def _number(at: _Words) -> int:
    sign = -1 if at.take("-") else 1
    at.take("+")
    if at.at < len(at.tokens) and at.tokens[at.at].kind == "number":
        text = at.tokens[at.at].text
        at.at += 1
        if text.isdigit():
            return sign * int(text)
        at.at -= 1
    raise at.wrong("a whole number")


def _close(at: _Words) -> tuple[str, Any]:
    name = at.folded("the name of a cursor")
    quoted = at.tokens[at.at - 1].kind == "quoted"
    at.end()
    return "close", None if name == "all" and not quoted else name


def _prepare(at: _Words) -> tuple[str, Any]:
    name = at.folded("the name of a statement")
    kinds: list[str] = []
    if at.take("("):
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
    if not at.take("AS"):
        raise at.wrong("AS")
    if not at.word:
        raise at.wrong("a statement")
    return "prepare", (name, kinds, at.rest(), at.tokens[at.at].start)


def _execute(at: _Words) -> tuple[str, Any]:
    name = at.folded("the name of a statement")
    values = ""
    if at.take("("):
        if at.tokens[-1].text != ")":
            at.at = len(at.tokens)
            raise at.wrong('")"')
        values = at.sql[at.tokens[at.at].start : at.tokens[-1].start]
    else:
        at.end()
    return "execute", (name, values.strip())


def _deallocate(at: _Words) -> tuple[str, Any]:
    if len(at.tokens) > 2:
        at.take("PREPARE")
    name = at.folded("the name of a statement")
    quoted = at.tokens[at.at - 1].kind == "quoted"
    at.end()
    return "deallocate", None if name == "all" and not quoted else name


def _copy(at: _Words) -> tuple[str, Any]:
    from sqlagent.serve.pg.copy_options import copy_command

    return copy_command(at.sql, at.tokens) or ("engine", None)


def _listen(at: _Words) -> tuple[str, Any]:
    name = at.folded("the name of a channel")
    at.end()
    return "listen", name


def _unlisten(at: _Words) -> tuple[str, Any]:
    name = None if at.take("*") else at.folded("the name of a channel, or *")
    at.end()
    return "unlisten", name


def _notify(at: _Words) -> tuple[str, Any]:
    name = at.folded("the name of a channel")
    payload = at.string("a payload") if at.take(",") else ""
    at.end()
    return "notify", (name, payload)


def _lock(at: _Words) -> tuple[str, Any]:
    at.take("TABLE")
    at.take("ONLY")
    names, mode = [at.folded("the name of a table")], "ACCESS EXCLUSIVE"
    while at.take(".") or at.take("*") or at.take(","):
        if at.word not in (",", "*", "."):
            names.append(at.folded("the name of a table"))
    if at.take("IN"):
        words = []
        while at.word and at.word != "MODE":
            words.append(at.word)
            at.at += 1
        mode = " ".join(words)
        if not at.take("MODE"):
            raise at.wrong("MODE")
    at.take("NOWAIT")
    at.end()
    return "lock", mode


_MAKERS = {
    "SET": _set, "SHOW": _show, "RESET": _reset, "DISCARD": _discard, "DECLARE": _declare,
    "FETCH": _fetch, "MOVE": _fetch, "CLOSE": _close, "PREPARE": _prepare, "EXECUTE": _execute,
    "DEALLOCATE": _deallocate, "COPY": _copy, "LISTEN": _listen, "UNLISTEN": _unlisten,
    "NOTIFY": _notify, "LOCK": _lock,
}  # fmt: skip
