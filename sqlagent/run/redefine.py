"""Running a Redefine: a table's definition is written anew, in one transaction.

What does not change where rows are kept (types, defaults, CHECKs, foreign keys, names) is written
into `sqlite_schema` in place, as "Making Other Kinds Of Table Schema Changes" of SQLite's
documentation says, so that rowids, indexes, triggers and views stay. A key has an index of its own:
for that the table is made anew and filled, by the twelve steps of the same page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import apsw

from sqlagent.engines import schema, sequences
from sqlagent.engines.sqlite import translate
from sqlagent.errors import DataError, Error, IntegrityError, NotSupportedError, ProgrammingError
from sqlagent.migrate import refuse_own
from sqlagent.parse.lexer import lex, quote_name
from sqlagent.parse.table_text import Clause, TableText, declared, known_as
from sqlagent.run.writing import fail, limited, open_handle
from sqlagent.sync.log import LOG, rowid_name
from sqlagent.types import affinity, logical
from sqlagent.values import stored

if TYPE_CHECKING:
    from sqlagent.connection import Connection
    from sqlagent.cursor import Cursor
    from sqlagent.engines.writer import Handle
    from sqlagent.plan.plans import Redefine

_SAVEPOINT = '"sqlagent redefine"'
_MADE = "sqlagent converted"
_NUMBERS = ("BIGINT", "DOUBLE", "DECIMAL")
_MOMENTS = ("DATE", "TIMESTAMP", "TIME")


class RunRedefine:
    """The runner of ALTER TABLE of what SQLite's does not alter."""

    def __init__(self, plan: Redefine, text: str) -> None:
        self.plan = plan
        self.text = text

    def __call__(self, connection: Connection, cursor: Cursor, parameters: Any) -> None:
        refuse_own(f"ALTER TABLE {quote_name(self.plan.table)}")
        own = connection.txn is None
        if own:
            connection.begin()
        try:
            handle = open_handle(connection)
            handle.execute(f"SAVEPOINT {_SAVEPOINT}")
            try:
                Change(connection, handle, self.plan).run()
            except BaseException:
                if handle.in_transaction:
                    handle.execute(f"ROLLBACK TO {_SAVEPOINT}")
                    handle.execute(f"RELEASE {_SAVEPOINT}")
                    handle.execute("PRAGMA writable_schema = RESET")
                raise
            handle.execute(f"RELEASE {_SAVEPOINT}")
        except BaseException as error:
            if own:
                connection.rollback()
            fail(connection)
            translated = translate(error)
            if isinstance(translated, Error):
                translated.sql, translated.position = self.text, None
            raise translated from None
        connection.schema_changed()
        if own and connection.autocommit:
            connection.commit()


class Change:
    """One change of one table."""

    def __init__(self, connection: Connection, handle: Handle, plan: Redefine) -> None:
        self.connection = connection
        self.handle = handle
        self.plan = plan
        found = handle.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)",
            (plan.table,),
        ).fetchone()
        if found is None:
            raise ProgrammingError(f'relation "{plan.table}" does not exist', sqlstate="42P01")
        self.table, sql = str(found[0]), str(found[1])
        self.text = TableText(sql)

    def run(self) -> None:
        """Make it."""
        verbs = {"type": self._type, "default": self._default, "add": self._add,
                 "drop": self._drop, "rename": self._rename}  # fmt: skip
        with limited(self.connection, self.handle):
            verbs[self.plan.verb]()

    # Columns ------------------------------------------------------------------------------------

    def _element(self) -> int:
        place = self.text.column(self.plan.column)
        if place < 0:
            raise ProgrammingError(
                f'column "{self.plan.column}" of relation "{self.table}" does not exist',
                sqlstate="42703",
            )
        return place

    def _default(self) -> None:
        place = self._element()
        for clause in self.text.clauses(place):
            if clause.kind == "DEFAULT":
                self.text.remove(place, clause)
        if self.plan.text:
            self.text.add(place, self.plan.text)
        if (self.table.lower(), self.plan.column.lower()) in sequences.columns(self.handle):
            sequences.fill(self.handle, self.table, self.plan.column, None)
        self._rewrite()

    def _type(self) -> None:
        plan, place = self.plan, self._element()
        clauses = self.text.clauses(place)
        if any(c.kind == "GENERATED" for c in clauses):
            raise NotSupportedError(f'"{plan.column}" is generated: its type is its expression\'s')
        alias = self._rowid_alias()
        if alias is not None and alias.lower() == plan.column.lower():
            if logical(plan.text) != "BIGINT" or plan.using:
                raise NotSupportedError(
                    f'"{plan.column}" numbers the rows: it stays a whole number'
                )
            return  # SQLite's rowid holds 64 bits, whatever it is called
        old = declared(self.text.elements[place])
        value = plan.using or self._cast(old)
        if value:
            self._convert(value)
        self._check_length()
        self.text.retype(place, plan.text)
        self._rewrite()
        if value:
            self._fill()

    def _cast(self, old: str) -> str:
        """The expression that makes a value of the new type; '' where it stays as it is."""
        column, before, after = self.plan.column, logical(old), logical(self.plan.text)
        if before == after and affinity(old) == affinity(self.plan.text):
            return ""
        if self.connection.settings["dialect"] == "postgres" and not _assigns(before, after):
            said = self.plan.text.lower().removesuffix(" text")
            raise ProgrammingError(
                f'column "{column}" cannot be cast automatically to type {said}',
                hint=f'You might need to specify "USING {column}::{said}".', sqlstate="42804",
            )  # fmt: skip
        return f"CAST({quote_name(column)} AS {after})" if after else quote_name(column)

    def _check_length(self) -> None:
        found = re.match(r"(?i)(?:var)?char(?:acter)?(?:\s+varying)?\s*\((\d+)\)", self.plan.text)
        if found is None or self.plan.using:
            return
        column = quote_name(self.plan.column)
        if self._any(f"length({column}) > {int(found[1])}"):
            raise DataError(
                f"value too long for type character varying({found[1]})", sqlstate="22001"
            )

    def _keys(self) -> list[str]:
        """What names a row: the rowid, or the primary key of a table without one."""
        info = self.handle.execute(f"PRAGMA table_xinfo({quote_name(self.table)})").fetchall()
        if not self.text.without_rowid:
            name = rowid_name([str(c[1]) for c in info])
            if name is None:
                raise NotSupportedError(f'no name for the row ids of "{self.table}" is left')
            return [name]
        return [str(c[1]) for c in sorted(info, key=lambda c: c[5]) if c[5]]

    def _convert(self, value: str) -> None:
        """Keep the new value of each row, made while the column is still what it was."""
        keys = self._keys()
        try:
            found = self._read(self.table, keys, value)
        except NotSupportedError:
            if self.text.without_rowid:
                raise
            found = self._read_copy(keys[0], value)
        ids = ", ".join(f"k{n}" for n in range(len(keys)))
        # Of the keys' own types: an index of another affinity is not looked into.
        typed = ["k0 INTEGER"] if not self.text.without_rowid else [
            f"k{n} {declared(self.text.elements[self.text.column(key)])}"
            for n, key in enumerate(keys)
        ]  # fmt: skip
        self.handle.execute(f"DROP TABLE IF EXISTS temp.{quote_name(_MADE)}")
        self.handle.execute(
            f"CREATE TEMP TABLE {quote_name(_MADE)} ({', '.join(typed)}, v, PRIMARY KEY ({ids})) "
            "WITHOUT ROWID"
        )
        marks = ", ".join("?" * (len(keys) + 1))
        self.handle.executemany(
            f"INSERT INTO temp.{quote_name(_MADE)} VALUES ({marks})",
            [tuple(map(stored, row)) for row in found],
        )

    def _read(self, table: str, keys: list[str], value: str) -> list[tuple[Any, ...]]:
        """The keys and the new value of each row, by whichever engine can say it."""
        from sqlagent.cursor import Cursor
        from sqlagent.run import make, plan_of

        names = ", ".join(map(quote_name, keys))
        alias = quote_name(self.table)
        sql = f"SELECT {names}, ({value}) FROM {quote_name(table)} AS {alias}"
        planned = plan_of(self.connection, sql)
        cursor = Cursor(self.connection)
        make(self.connection.database, planned)(self.connection, cursor, ())
        return cursor.fetchall()

    def _read_copy(self, key: str, value: str) -> list[tuple[Any, ...]]:
        """The same for DuckDB, which has no rowids: of a copy with a column of them."""
        table, copy = quote_name(self.table), f"{self.table} (converted)"
        columns = self.text.columns
        names = [quote_name(name) for name in columns]
        kinds = [
            f"{quote_name(name)} {declared(self.text.elements[self.text.column(name)])}"
            for name in columns
        ]
        handle = self.handle
        handle.execute(
            f"CREATE TABLE {quote_name(copy)} (sqlagent_key INTEGER, {', '.join(kinds)})"
        )
        listed = ", ".join(names)
        handle.execute(f"INSERT INTO {quote_name(copy)} SELECT {key}, {listed} FROM {table}")
        try:
            return self._read(copy, ["sqlagent_key"], value)
        finally:
            if handle.in_transaction:
                handle.execute(f"DROP TABLE {quote_name(copy)}")

    def _fill(self) -> None:
        """Put the new values into the rows: no trigger fires, as none does in PostgreSQL."""
        table, keys = quote_name(self.table), self._keys()
        same = " AND ".join(f"k{n} = {table}.{quote_name(k)}" for n, k in enumerate(keys))
        column, handle = quote_name(self.plan.column), self.handle
        not_null = any(c.kind == "NOT NULL" for c in self.text.clauses(self._element()))
        if (
            not_null
            and handle.execute(
                f"SELECT 1 FROM temp.{quote_name(_MADE)} WHERE v IS NULL LIMIT 1"
            ).fetchall()
        ):
            raise self._nulls(self.plan.column)
        handle.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        try:
            handle.execute(
                f"UPDATE {table} SET {column} = (SELECT v FROM temp.{quote_name(_MADE)} "
                f"WHERE {same})"
            )
        finally:
            handle.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)
        handle.execute(f"DROP TABLE temp.{quote_name(_MADE)}")
        handle.execute(f"REINDEX {table}")
        self._log()

    # Constraints --------------------------------------------------------------------------------

    def _add(self) -> None:
        plan = self.plan
        self.text.elements.append(plan.text)
        clause = self.text.clauses(len(self.text.elements) - 1)[0]
        others = self.text.elements[:-1]
        before = TableText(f"{self.text.head}{', '.join(others)}{self.text.tail}")
        name = plan.name or known_as(self.table, self.text)[-1][0]
        if any(name.lower() == n.lower() for n, _, _ in known_as(self.table, before)):
            raise ProgrammingError(
                f'constraint "{name}" for relation "{self.table}" already exists', sqlstate="42710"
            )
        if clause.kind == "PRIMARY":
            if any(c.kind == "PRIMARY" for _, _, c in known_as(self.table, before)):
                raise ProgrammingError(
                    f'multiple primary keys for table "{self.table}" are not allowed',
                    sqlstate="42P16",
                )
            self._key_is_whole(clause)
            self._rebuild()
        elif clause.kind == "CHECK":
            condition = clause.text[len("CHECK") :].strip()
            if self._any(f"NOT {condition}"):
                raise IntegrityError(
                    f'check constraint "{name}" of relation "{self.table}" is violated by some row',
                    sqlstate="23514",
                )
            self._rewrite()
        else:
            self._rewrite()
            self._check_keys(name)

    def _key_is_whole(self, clause: Clause) -> None:
        """The columns of a primary key hold no NULL, now and from now on."""
        for column in clause.columns:
            place = self.text.column(column)
            if place < 0:
                raise ProgrammingError(
                    f'column "{column}" named in key does not exist', sqlstate="42703"
                )
            if self._any(f"{quote_name(column)} IS NULL"):
                raise self._nulls(column)
            if not any(c.kind == "NOT NULL" for c in self.text.clauses(place)):
                self.text.add(place, "NOT NULL")

    def _check_keys(self, name: str) -> None:
        broken = self.handle.execute(f"PRAGMA foreign_key_check({quote_name(self.table)})")
        for _, rowid, target, _ in broken:
            raise IntegrityError(
                f'insert or update on table "{self.table}" violates foreign key constraint '
                f'"{name}"',
                detail=f'The row with rowid {rowid} names none of "{target}".', sqlstate="23503",
            )  # fmt: skip

    def _found(self) -> tuple[int, Clause] | None:
        wanted = self.plan.name.lower()
        for name, place, clause in known_as(self.table, self.text):
            if name.lower() == wanted:
                return place, clause
        return None

    def _index(self) -> tuple[str, str] | None:
        """The UNIQUE index under the constraint's name: ADD UNIQUE makes one."""
        row = self.handle.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL "
            "AND lower(name) = lower(?) AND lower(tbl_name) = lower(?)",
            (self.plan.name, self.table),
        ).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def _drop(self) -> None:
        found = self._found()
        if found is not None:
            place, clause = found
            self.text.remove(place, clause)
            if clause.kind in ("PRIMARY", "UNIQUE"):
                self._rebuild()
            else:
                self._rewrite()
            return
        index = self._index()
        if index is not None:
            self.handle.execute(f"DROP INDEX {quote_name(index[0])}")
        elif not self.plan.exists:
            raise self._missing()

    def _rename(self) -> None:
        new, found = self.plan.text, self._found()
        names = {name.lower() for name, _, _ in known_as(self.table, self.text)}
        if new.lower() in names:
            raise ProgrammingError(
                f'constraint "{new}" for relation "{self.table}" already exists', sqlstate="42710"
            )
        if found is not None:
            self.text.rename(*found, new)
            self._rewrite()
            return
        index = self._index()
        if index is None:
            raise self._missing()
        tokens = lex(index[1])
        named = next(t for t in tokens if t.name == index[0])
        end = named.start + len(named.text)
        self.handle.execute(f"DROP INDEX {quote_name(index[0])}")
        self.handle.execute(index[1][: named.start] + quote_name(new) + index[1][end:])

    def _missing(self) -> ProgrammingError:
        return ProgrammingError(
            f'constraint "{self.plan.name}" of relation "{self.table}" does not exist',
            sqlstate="42704",
        )

    def _nulls(self, column: str) -> IntegrityError:
        return IntegrityError(
            f'column "{column}" of relation "{self.table}" contains null values', sqlstate="23502"
        )

    def _any(self, condition: str) -> bool:
        """Whether a row meets a condition of SQLite's."""
        sql = f"SELECT 1 FROM {quote_name(self.table)} WHERE {condition} LIMIT 1"
        return bool(self.handle.execute(sql).fetchall())

    # The definition -----------------------------------------------------------------------------

    def _rewrite(self) -> None:
        """Write the definition in its place."""
        self._try()
        handle = self.handle
        number = schema.version(handle)
        handle.execute("PRAGMA writable_schema = ON")
        handle.execute(
            "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?",
            (self.text.sql, self.table),
        )
        handle.execute(f"PRAGMA schema_version = {number + 1}")
        handle.execute("PRAGMA writable_schema = RESET")
        handle.execute(f"SELECT 1 FROM {quote_name(self.table)} LIMIT 0").fetchall()

    def _try(self) -> None:
        """Raise what SQLite says of the definition, before it is anywhere in the file."""
        with apsw.Connection(":memory:") as empty:
            empty.execute(self.text.sql)

    def _rebuild(self) -> None:
        """Make the table anew by its definition, with its rows, indexes and triggers."""
        handle, table = self.handle, quote_name(self.table)
        self._refuse_children()
        if self.text.without_rowid:
            raise NotSupportedError(f'the key of "{self.table}", WITHOUT ROWID, does not change')
        others = handle.execute(
            "SELECT sql FROM sqlite_schema WHERE lower(tbl_name) = lower(?) "
            "AND type IN ('index', 'trigger') AND sql IS NOT NULL", (self.table,),
        ).fetchall()  # fmt: skip
        info = handle.execute(f"PRAGMA table_xinfo({table})").fetchall()
        columns = [quote_name(str(c[1])) for c in info if not c[6]]
        new = quote_name(f"{self.table} (new)")
        self._try()
        handle.execute(f"CREATE TABLE {new} ({', '.join(self.text.elements)}{self.text.tail}")
        numbered = handle.execute(
            "SELECT 1 FROM pragma_table_info(?) WHERE pk AND upper(type) = 'INTEGER' "
            "AND (SELECT sum(pk > 0) FROM pragma_table_info(?)) = 1",
            (f"{self.table} (new)",) * 2,
        ).fetchall()
        if not numbered:
            columns.append(self._keys()[0])
        names = ", ".join(columns)
        try:
            handle.execute(f"INSERT INTO {new} ({names}) SELECT {names} FROM {table}")
        except apsw.ConstraintError as error:
            raise IntegrityError(
                f'could not create a unique index for "{self.table}"',
                detail=str(error).replace(f"{self.table} (new)", self.table), sqlstate="23505",
            ) from None  # fmt: skip
        handle.execute("PRAGMA legacy_alter_table = ON")  # views may name what is not there now
        try:
            handle.execute(f"DROP TABLE {table}")
            handle.execute(f"ALTER TABLE {new} RENAME TO {table}")
        finally:
            handle.execute("PRAGMA legacy_alter_table = OFF")
        for (sql,) in others:
            handle.execute(str(sql))
        self._log()
        self._check_keys("")

    def _refuse_children(self) -> None:
        """Without its key, rows of other tables would name nothing; and a table that they name
        cannot be made anew while they do."""
        found = self.handle.execute(
            "SELECT t.name FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS f "
            "WHERE t.schema = 'main' AND t.type = 'table' AND lower(f.\"table\") = lower(?1) "
            "AND lower(t.name) <> lower(?1)", (self.table,),
        ).fetchall()  # fmt: skip
        for (name,) in found:
            raise ProgrammingError(
                f'the key of "{self.table}" cannot change because other objects depend on it',
                detail=f'a foreign key of table "{name}" is to it',
                hint=f'Drop that first: ALTER TABLE "{name}" DROP CONSTRAINT …', sqlstate="2BP01",
            )  # fmt: skip

    def _rowid_alias(self) -> str | None:
        info = self.handle.execute(f"PRAGMA table_info({quote_name(self.table)})").fetchall()
        keys = [c for c in info if c[5]]
        alias = len(keys) == 1 and str(keys[0][2]).upper() == "INTEGER"
        return str(keys[0][1]) if alias and not self.text.without_rowid else None

    def _log(self) -> None:
        """Whoever reads the log is to read the whole table again."""
        self.handle.execute(f"INSERT INTO {LOG} (tbl, pk, op) VALUES (?, NULL, 'd')", (self.table,))


def _assigns(before: str | None, after: str | None) -> bool:
    """Whether PostgreSQL casts one type to the other by itself, where a value is assigned."""
    if before is None or after in (None, "VARCHAR", before):
        return True
    kinds = [str(k).split("(")[0] for k in (before, after)]
    return (
        kinds[0] == kinds[1]
        or all(k in _NUMBERS for k in kinds)
        or (all(k in _MOMENTS for k in kinds) and kinds[0] != "TIME")
    )
