"""Running CREATE, ALTER and DROP SEQUENCE, and what they fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.engines import sequences
from sqlagent.engines.definitions import bump
from sqlagent.engines.sequences import Sequence
from sqlagent.errors import Error, ProgrammingError
from sqlagent.run.writing import writing

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor
    from sqlagent.engines.writer import Handle
    from sqlagent.plan.plans import SequenceChange

_BITS = {"smallint": 15, "integer": 31, "bigint": 63}


class RunSequenceChange:
    """The runner of a statement about sequences."""

    def __init__(self, plan: SequenceChange, text: str) -> None:
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        verbs = {"create": self._create, "alter": self._alter, "drop": self._drop,
                 "fill": self._fill}  # fmt: skip

        def work(handle: Handle) -> None:
            handle.owner = connection
            verbs[self.plan.verb](handle)

        try:
            writing(connection, work, self.text, several=True)
        except Error as error:
            error.sql, error.position = self.text, None
            raise
        connection.schema_changed()

    def _create(self, handle: Handle) -> None:
        (name,), given = self.plan.names, dict(self.plan.options)
        taken = handle.execute(
            "SELECT 1 FROM sqlite_schema WHERE lower(name) = lower(?) AND type <> 'trigger' "
            "UNION ALL SELECT 1 FROM sqlagent_sequences WHERE name = ?", (name, name),
        ).fetchall()  # fmt: skip
        if taken and not self._left(handle, name):
            if self.plan.exists:
                return
            raise ProgrammingError(f'relation "{name}" already exists', sqlstate="42P07")
        start = given.pop("start_value", None)
        made = _bounded(Sequence(name), given)
        down = made.increment_by < 0
        first = start if start is not None else made.max_value if down else made.min_value
        _keep(handle, made._replace(start_value=int(first), last_value=int(first)))
        bump(handle)

    def _left(self, handle: Handle, name: str) -> bool:
        """Whether a sequence is left of a table that is gone, and the new one is to be of that."""
        owner = dict(self.plan.options).get("owner_table")
        return owner is not None and bool(
            handle.execute(
                "SELECT 1 FROM sqlagent_sequences AS s WHERE name = ?1 AND owner_table = ?2 "
                "AND NOT EXISTS (SELECT 1 FROM sqlagent_sequence_columns AS c "
                "WHERE c.sequence = s.name)", (name, owner),
            ).fetchall()
        )  # fmt: skip

    def _alter(self, handle: Handle) -> None:
        (name,), given = self.plan.names, dict(self.plan.options)
        found = sequences.find(handle, name)
        if found is None:
            if self.plan.exists:
                return
            raise ProgrammingError(f'relation "{name}" does not exist', sqlstate="42P01")
        rename = given.pop("rename", None)
        restarts, at = "restart" in given, given.pop("restart", None)
        start = given.pop("start_value", found.start_value)
        made = _bounded(found, given)._replace(start_value=int(start or 0))
        if restarts:
            made = made._replace(last_value=int(made.start_value if at is None else at))
            made = made._replace(is_called=0)
        known = handle.execute(
            "SELECT 1 FROM sqlagent_sequences WHERE name = ?", (found.name,)
        ).fetchall()
        _keep(handle, made)
        if restarts:
            sequences.forget(handle, found.name)
        if not known:  # of a numbered key: it fills its column from now on
            sequences.fill(handle, str(found.owner_table), str(found.owner_column), found.name)
        if rename is not None:
            self._rename(handle, found.name, str(rename))
        bump(handle)

    def _rename(self, handle: Handle, name: str, new: str) -> None:
        if sequences.find(handle, new) is not None:
            raise ProgrammingError(f'relation "{new}" already exists', sqlstate="42P07")
        handle.execute("UPDATE sqlagent_sequences SET name = ? WHERE name = ?", (new, name))
        handle.execute(
            "UPDATE sqlagent_sequence_columns SET sequence = ? WHERE sequence = ?", (new, name)
        )

    def _drop(self, handle: Handle) -> None:
        for name in self.plan.names:
            known = handle.execute(
                "SELECT 1 FROM sqlagent_sequences WHERE name = ?", (name,)
            ).fetchall()
            if not known:
                if self.plan.exists:
                    continue
                raise ProgrammingError(f'sequence "{name}" does not exist', sqlstate="42P01")
            users = handle.execute(
                "SELECT table_name, column_name FROM sqlagent_sequence_columns WHERE sequence = ?",
                (name,),
            ).fetchall()
            if users and not self.plan.cascade:
                table, column = users[0]
                raise ProgrammingError(
                    f"cannot drop sequence {name} because other objects depend on it",
                    detail=f"default value for column {column} of table {table} depends on "
                    f"sequence {name}",
                    hint="Use DROP ... CASCADE to drop the dependent objects too.",
                    sqlstate="2BP01",
                )
            handle.execute("DELETE FROM sqlagent_sequence_columns WHERE sequence = ?", (name,))
            handle.execute("DELETE FROM sqlagent_sequences WHERE name = ?", (name,))
        bump(handle)

    def _fill(self, handle: Handle) -> None:
        """ALTER TABLE … SET DEFAULT nextval('s')."""
        (text,), given = self.plan.names, dict(self.plan.options)
        name = sequences.named(text)
        if sequences.find(handle, name) is None:
            raise ProgrammingError(f'relation "{name}" does not exist', sqlstate="42P01")
        sequences.fill(handle, str(given["table"]), str(given["column"]), name)


def _bounded(found: Sequence, given: dict[str, Any]) -> Sequence:
    """A sequence with the given options, whose bounds are those of its type where not given."""
    kind = str(given.get("data_type", found.data_type))
    most = 2 ** _BITS[kind] - 1
    step = int(given.get("increment_by") or found.increment_by)
    if given.get("increment_by") == 0:
        raise ProgrammingError("INCREMENT must not be zero", sqlstate="22023")
    if given.get("cache_size", 1) < 1:
        raise ProgrammingError("CACHE must be greater than zero", sqlstate="22023")
    changes: dict[str, Any] = {
        k: v for k, v in given.items() if k not in ("min_value", "max_value")
    }
    made = found._replace(**changes)
    anew = found == Sequence(found.name) or "data_type" in given
    for name, least in (("min_value", -most - 1 if step < 0 else 1),
                        ("max_value", -1 if step < 0 else most)):  # fmt: skip
        said = given.get(name)
        if said is not None or name in given or anew:
            bound: dict[str, Any] = {name: least if said is None else said}
            made = made._replace(**bound)
    for name, at in (("MINVALUE", made.min_value), ("MAXVALUE", made.max_value)):
        if not -most - 1 <= at <= most:
            raise ProgrammingError(
                f"{name} ({at}) is out of range for sequence data type {kind}", sqlstate="22023"
            )
    if made.min_value >= made.max_value:
        raise ProgrammingError(
            f"MINVALUE ({made.min_value}) must be less than MAXVALUE ({made.max_value})",
            sqlstate="22023",
        )
    return made


def _keep(handle: Handle, made: Sequence) -> None:
    for what, value in (("START", made.start_value), ("RESTART", made.last_value)):
        if not made.min_value <= value <= made.max_value:
            raise ProgrammingError(
                f"{what} value ({value}) is not within MINVALUE ({made.min_value}) and MAXVALUE "
                f"({made.max_value})",
                sqlstate="22023",
            )
    sequences.keep(handle, made)
