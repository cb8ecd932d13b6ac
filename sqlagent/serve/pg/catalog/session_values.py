"""What only the session can say, put into the tree as values when a statement is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.serve.pg.catalog.session import VERSION, session

if TYPE_CHECKING:
    from sqlagent.connection import Connection

_KEYWORDS: dict[type[exp.Expr], str] = {
    exp.CurrentUser: "current_user", exp.SessionUser: "session_user",
    exp.CurrentSchema: "current_schema", exp.CurrentCatalog: "current_database",
    exp.CurrentDatabase: "current_database", exp.CurrentVersion: "version",
    exp.CurrentSchemas: "current_schemas",
}  # fmt: skip


def filled(tree: exp.Expr, connection: Connection, values: list[Any], *, dry: bool) -> exp.Expr:
    """The tree with the session's values in place of the calls that ask for them.

    `values` are the statement's parameters. `dry`: to describe it, so that nothing is done.
    """
    asked = _Session(connection, values, dry)
    for node in list(tree.find_all(exp.Anonymous, exp.Column, *_KEYWORDS)):
        name = _KEYWORDS.get(type(node), "")
        given: list[exp.Expr] = []
        if isinstance(node, exp.Anonymous):
            name, given = node.name.lower(), node.expressions
        elif isinstance(node, exp.CurrentSchemas) and node.this is not None:
            given = [node.this]
        elif isinstance(node, exp.Column):
            if node.table or node.this.quoted or node.name.lower() not in _BARE:
                continue
            name = node.name.lower()
        answer = _ANSWERS.get(name)
        if answer is None:
            continue
        if name == "set_config" and any(_constant(g, values) is _UNKNOWN for g in given):
            new: exp.Expr = asked.later(node, given)
        elif name == "current_setting" and given and _constant(given[0], values) is _UNKNOWN:
            new = exp.Anonymous(this="current_setting_of", expressions=[given[0].copy()])
        else:
            new = answer(asked, given)
        if node is tree:
            return new
        if isinstance(node.parent, exp.Table):  # a row of it, in FROM
            alias = node.parent.args.get("alias")
            called = alias.name if isinstance(alias, exp.TableAlias) else name
            query = exp.select(exp.alias_(new, called, quoted=True))
            node.parent.replace(exp.Subquery(this=query, alias=exp.TableAlias(
                this=exp.to_identifier(called, quoted=True)
            )))  # fmt: skip
            continue
        node.replace(new)
    return tree


_BARE = frozenset(("current_role", "current_catalog", "session_user", "current_user", "user"))
_UNKNOWN = object()


def _constant(node: exp.Expr, values: list[Any]) -> Any:
    """The value of an argument that is a literal or a parameter."""
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else float(node.name)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Neg):
        inner = _constant(node.this, values)
        return -inner if isinstance(inner, float) else _UNKNOWN
    if isinstance(node, exp.Parameter) and node.name.isdigit():
        place = int(node.name) - 1
        return values[place] if place < len(values) else None
    if isinstance(node, exp.Interval):
        return _seconds(node)
    return _UNKNOWN


def _seconds(node: exp.Interval) -> Any:
    unit = {"SECOND": 1, "SECONDS": 1, "MINUTE": 60, "MINUTES": 60, "HOUR": 3600, "MS": 0.001}
    try:
        return float(node.this.name) * unit[str(node.args.get("unit")).upper()]
    except (KeyError, ValueError, AttributeError):
        return _UNKNOWN


class _Session:
    def __init__(self, connection: Connection, values: list[Any], dry: bool) -> None:
        self.connection, self.values, self.dry = connection, values, dry
        self.session = session(connection)

    def value(self, given: list[exp.Expr], place: int, default: Any = None) -> Any:
        """An argument's value. Raises NotSupportedError for what is not known before it runs."""
        if place >= len(given):
            return default
        found = _constant(given[place], self.values)
        if found is _UNKNOWN:
            raise NotSupportedError("the argument of a function of the session is a constant here")
        return found

    def later(self, node: exp.Expr, given: list[exp.Expr]) -> exp.Expr:
        """set_config() of what each row says: its arguments, for when the row is there."""
        outer = node.parent.parent if isinstance(node.parent, exp.Alias) else node.parent
        if not isinstance(outer, exp.Select) or outer.parent is not None or len(given) != 3:
            raise NotSupportedError("set_config() of rows stands alone in a SELECT here")
        if self.dry:
            return exp.Literal.string("")
        return exp.Anonymous(this="pg_set_config", expressions=[g.copy() for g in given])


def set_later(connection: Connection, rows: list[tuple[Any, ...]], place: int) -> Any:
    """The rows, with the settings set that their column `place` has the arguments of."""
    settings = session(connection).settings
    made = []
    for row in rows:
        name, value, local = row[place]
        if name is None:
            raise ProgrammingError("SET requires parameter name", sqlstate="22004")
        said = settings.set(str(name), value or "", str(local).lower() in ("true", "t", "on", "1"))
        made.append((*row[:place], said, *row[place + 1 :]))
    return made


def _text(value: str | None) -> exp.Expr:
    return exp.null() if value is None else exp.Literal.string(value)


def _number(value: int, kind: str = "INTEGER") -> exp.Expr:
    return exp.cast(exp.Literal.number(value), kind)


def _user(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    from sqlagent.serve.pg.catalog.store import user

    return _text(user(asked.connection))


def _database(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    from sqlagent.serve.pg.catalog.store import database_name

    return _text(database_name(asked.connection))


def _schemas(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    names = ["public"]
    if asked.value(given, 0) in (True, "true", "t", "on"):
        names.insert(0, "pg_catalog")
    return exp.Array(expressions=[exp.Literal.string(n) for n in names])


def _version(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    import sqlagent

    return _text(f"PostgreSQL {VERSION} (sqlagent {sqlagent.__version__}) on SQLite and DuckDB")


def _setting(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    name = asked.value(given, 0)
    if name is None:
        return exp.null()
    found = asked.session.settings.get(str(name))
    if found is None and asked.value(given, 1) in (True, "true", "t", "on", "1"):
        return exp.cast(exp.null(), "TEXT")
    if found is None and not asked.dry:
        raise ProgrammingError(f'unrecognized configuration parameter "{name}"', sqlstate="42704")
    return _text(found)


def _set_config(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    name, value = asked.value(given, 0), asked.value(given, 1)
    local = asked.value(given, 2) in (True, "true", "t", "on", "1")
    if asked.dry:
        return exp.Literal.string("")
    if name is None:
        raise ProgrammingError("SET requires parameter name", sqlstate="22004")
    return _text(asked.session.settings.set(str(name), "" if value is None else str(value), local))


def _sleep(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    from sqlagent.serve.pg.catalog.waiting import sleep

    seconds = asked.value(given, 0)
    if not asked.dry and seconds is not None:
        sleep(asked.connection, float(seconds))
    return exp.Literal.string("")


def _notify(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    channel, payload = asked.value(given, 0), asked.value(given, 1)
    if not asked.dry:
        if not channel:
            raise ProgrammingError("channel name cannot be empty", sqlstate="22023")
        asked.session.tell(str(channel), "" if payload is None else str(payload))
    return exp.Literal.string("")


def _cancel(terminate: bool) -> Callable[[_Session, list[exp.Expr]], exp.Expr]:
    def answer(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
        pid = asked.value(given, 0)
        done = not asked.dry and pid is not None and asked.session.cancel_other(int(pid), terminate)
        return exp.convert(bool(done))

    return answer


def _lock(wait: bool) -> Callable[[_Session, list[exp.Expr]], exp.Expr]:
    def answer(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
        from sqlagent.serve.pg.catalog import locks

        key = tuple(asked.value(given, place) for place in range(len(given)))
        taken = asked.dry or locks.take(asked.connection, asked.session.owner, key, wait)
        return exp.Literal.string("") if wait else exp.convert(taken)

    return answer


def _unlock(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    from sqlagent.serve.pg.catalog import locks

    key = tuple(asked.value(given, place) for place in range(len(given)))
    return exp.convert(asked.dry or locks.give(asked.session.owner, key))


def _unlock_all(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    from sqlagent.serve.pg.catalog import locks

    if not asked.dry:
        locks.give_all(asked.session.owner)
    return exp.Literal.string("")


def _writer(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    """A lock to the end of the transaction is the writer's."""
    if not asked.dry and asked.connection.txn is None and asked.session.in_block:
        asked.connection.begin()
    return exp.Literal.string("")


def _try_writer(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    from sqlagent.errors import BusyError

    try:
        _writer(asked, given)
    except BusyError:
        return exp.convert(False)
    return exp.convert(True)


def _transaction(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    return _number(asked.connection.database.generation + 1000, "BIGINT")


def _started(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    at = asked.session.started.isoformat()
    return exp.cast(exp.Literal.string(at), "TIMESTAMPTZ", dialect="duckdb")


def _fixed(value: Any) -> Callable[[_Session, list[exp.Expr]], exp.Expr]:
    return lambda asked, given: exp.convert(value)


def _pid(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    return _number(asked.session.pid)


def _address(asked: _Session, given: list[exp.Expr]) -> exp.Expr:
    return exp.cast(_text(asked.session.address), "TEXT")


_ANSWERS: dict[str, Callable[[_Session, list[exp.Expr]], exp.Expr]] = {
    "current_user": _user, "session_user": _user, "user": _user, "current_role": _user,
    "current_database": _database, "current_catalog": _database, "version": _version,
    "current_schema": _fixed("public"), "current_schemas": _schemas, "pg_backend_pid": _pid,
    "current_setting": _setting, "set_config": _set_config, "pg_sleep": _sleep,
    "pg_sleep_for": _sleep, "pg_notify": _notify, "pg_cancel_backend": _cancel(False),
    "pg_terminate_backend": _cancel(True), "txid_current": _transaction,
    "pg_current_xact_id": _transaction, "pg_postmaster_start_time": _started,
    "pg_reload_conf": _fixed(True), "inet_client_addr": _address,
    "pg_client_encoding": lambda asked, given: _text(asked.session.settings["client_encoding"]),
    "pg_advisory_lock": _lock(True), "pg_advisory_xact_lock": _writer,
    "pg_try_advisory_lock": _lock(False), "pg_try_advisory_xact_lock": _try_writer,
    "pg_advisory_unlock": _unlock, "pg_advisory_unlock_all": _unlock_all,
}  # fmt: skip
