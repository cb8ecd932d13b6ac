"""Statements that are about the session: transactions, settings, channels, locks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlagent import config
from sqlagent.errors import ProgrammingError
from sqlagent.serve.pg.commands import Command
from sqlagent.serve.pg.outcome import Outcome, described, table
from sqlagent.serve.pg.settings import CANONICAL

if TYPE_CHECKING:
    from sqlagent.serve.pg.session import Session

# Modes that keep writers out; the others are what reading and writing take anyway.
_LOCKS = ("SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE", "SHARE", "ROW EXCLUSIVE",
          "SHARE UPDATE EXCLUSIVE")  # fmt: skip


def begin(session: Session, command: Command) -> Outcome:
    """BEGIN."""
    session.transactions.begin(command.said)
    return Outcome(command.tag)


def commit(session: Session, command: Command) -> Outcome:
    """COMMIT, whose tag may be ROLLBACK."""
    return Outcome(session.transactions.commit(command.said))


def rollback(session: Session, command: Command) -> Outcome:
    """ROLLBACK."""
    return Outcome(session.transactions.rollback(command.said))


def savepoint(session: Session, command: Command) -> Outcome:
    """SAVEPOINT."""
    session.transactions.savepoint(command.said)
    return Outcome("SAVEPOINT")


def release(session: Session, command: Command) -> Outcome:
    """RELEASE."""
    session.transactions.release(command.said)
    return Outcome("RELEASE")


def rollback_to(session: Session, command: Command) -> Outcome:
    """ROLLBACK TO."""
    session.transactions.rollback_to(command.said)
    return Outcome("ROLLBACK")


def set_transaction(session: Session, command: Command) -> Outcome:
    """SET TRANSACTION."""
    if session.transactions.open:
        session.transactions.modes(command.said)
    else:
        session.warn("SET TRANSACTION can only be used in transaction blocks", "25P01")
    return Outcome("SET")


def characteristics(session: Session, command: Command) -> Outcome:
    """SET SESSION CHARACTERISTICS AS TRANSACTION."""
    modes = command.said
    if "isolation" in modes:
        session.settings.set("default_transaction_isolation", modes["isolation"])
    if "read_only" in modes:
        session.settings.set("default_transaction_read_only", "on" if modes["read_only"] else "off")
    return Outcome("SET")


def constraints(session: Session, command: Command) -> Outcome:
    """SET CONSTRAINTS: foreign keys are looked at when the transaction commits, or at once."""
    if session.transactions.open:
        handle = session.connection.txn
        if handle is None:
            session.connection.begin()
            handle = session.connection.txn
        handle.execute(f"PRAGMA defer_foreign_keys = {'ON' if command.said else 'OFF'}")
    else:
        session.warn("SET CONSTRAINTS can only be used in transaction blocks", "25P01")
    return Outcome("SET CONSTRAINTS")


def set_(session: Session, command: Command) -> Outcome:
    """SET and RESET of one setting."""
    name, value, scope = command.said
    if scope == "local" and not session.transactions.open:
        session.warn("SET LOCAL can only be used in transaction blocks", "25P01")
        return Outcome(command.tag)
    if name.lower() not in CANONICAL and _is_engine(name):
        session.connection.execute(command.sql.replace("SESSION", "", 1)).close()
    else:
        session.settings.set(name, value, scope == "local")
    return Outcome(command.tag)


def _is_engine(name: str) -> bool:
    """Whether a setting is the engine's."""
    return name.lower() in config.SETTINGS or name.lower() in config.ALIASES


def set_role(session: Session, command: Command) -> Outcome:
    """SET ROLE and SET SESSION AUTHORIZATION: a user is who logged in."""
    if command.said is not None and command.said != session.user:
        raise ProgrammingError(f'permission denied to set role "{command.said}"', sqlstate="42501")
    return Outcome(command.tag)


def reset_all(session: Session, command: Command) -> Outcome:
    """RESET ALL."""
    session.settings.reset_all()
    return Outcome("RESET")


def discard(session: Session, command: Command) -> Outcome:
    """DISCARD: what a pool says before it gives a connection to somebody else."""
    if command.said == "all":
        if session.transactions.open:
            raise ProgrammingError(
                "DISCARD ALL cannot run inside a transaction block", sqlstate="25001"
            )
        session.close_portals(held=False)
        for portal in list(session.portals.values()):
            portal.close()
        session.portals.clear()
        session.statements.clear()
        session.settings.reset_all()
        session.shared.hub.change(session, "unlisten", None)
        session.connection.plans.clear()
        session.connection.temporary.clear()
    elif command.said == "plans":
        session.connection.plans.clear()
    elif command.said in ("temp", "temporary"):
        session.connection.plans.clear()
        session.connection.temporary.clear()
    return Outcome(command.tag)


def show(session: Session, command: Command) -> Outcome:
    """SHOW."""
    name = command.said
    if name == "all":
        rows = [(n, v, "") for n, v in sorted(session.settings.values.items())]
        rows += [
            (n, config.shown(session.connection.settings[n]), s.description)
            for n, s in config.SETTINGS.items()
        ]
        kinds = [("name", "VARCHAR"), ("setting", "VARCHAR"), ("description", "VARCHAR")]
        return table("SHOW", kinds, rows)
    value = session.settings.get(name)
    if value is not None:
        return table("SHOW", [(session.settings.known(name) or name, "VARCHAR")], [(value,)])
    if _is_engine(name):
        key = config.ALIASES.get(name.lower(), name.lower())
        said = config.shown(session.connection.settings[key])
        return table("SHOW", [(key, "VARCHAR")], [(said,)])
    if _is_table(session, name):
        cursor = session.connection.execute(command.sql)
        return Outcome("SHOW", described(cursor._described() or ()), cursor._iter)
    raise ProgrammingError(f'unrecognized configuration parameter "{name}"', sqlstate="42704")


def _is_table(session: Session, name: str) -> bool:
    """Whether SHOW asks for tables, or for the columns of one."""
    from sqlagent.serve.pg.describe import catalog_of_cached

    return name in ("tables", "databases") or (
        catalog_of_cached(session.connection).table(name) is not None
    )


def show_columns(session: Session, command: Command) -> Any:
    """The columns of SHOW."""
    name = command.said
    if name == "all":
        return described([("name", "VARCHAR"), ("setting", "VARCHAR"), ("description", "VARCHAR")])
    if session.settings.get(name) is not None or _is_engine(name):
        key = session.settings.known(name) or config.ALIASES.get(name.lower(), name.lower())
        return described([(key, "VARCHAR")])
    if _is_table(session, name):
        from sqlagent.serve.pg.describe import describe

        return describe(session.connection, command.sql, ()).columns
    return described([(name, "VARCHAR")])


def listen(session: Session, command: Command) -> Outcome:
    """LISTEN and UNLISTEN, which hold from COMMIT on."""
    change = (command.verb, command.said)
    if session.transactions.open:
        session.transactions.listening.append(change)
    else:
        session.publish([change], [])
    return Outcome(command.tag)


def notify(session: Session, command: Command) -> Outcome:
    """NOTIFY, which is sent at COMMIT."""
    channel, payload = command.said
    if len(payload.encode()) >= 8000:
        raise ProgrammingError("payload string too long", sqlstate="22023")
    if session.transactions.open:
        session.transactions.notices.append((channel, payload))
    else:
        session.publish([], [(channel, payload)])
    return Outcome("NOTIFY")


def lock(session: Session, command: Command) -> Outcome:
    """LOCK TABLE: the file has one writer, which a mode that keeps writers out takes."""
    if not session.transactions.open:
        raise ProgrammingError(
            "LOCK TABLE can only be used in transaction blocks", sqlstate="25P01"
        )
    if command.said in _LOCKS:
        session.transactions.statement(True, "LOCK TABLE")
        if session.connection.txn is None:
            session.connection.begin()
    return Outcome("LOCK TABLE")


HANDLERS: dict[str, Callable[[Any, Command], Outcome]] = {
    "begin": begin, "commit": commit, "rollback": rollback, "savepoint": savepoint,
    "release": release, "rollback_to": rollback_to, "set_transaction": set_transaction,
    "characteristics": characteristics, "constraints": constraints, "set": set_,
    "set_role": set_role, "reset_all": reset_all, "discard": discard, "show": show,
    "listen": listen, "unlisten": listen, "notify": notify, "lock": lock,
}  # fmt: skip
