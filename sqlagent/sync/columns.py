"""How a table's rows become columns: types, what is checked, and rows as Arrow.

A value crosses over as one of SQLite's storage classes, checked, and DuckDB casts it to its logical
type. A value that does not fit its declared type makes the whole table not columnar: an answer
from it would differ from SQLite's. (pyarrow is imported on first use.)
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlagent.engines.schema import VECTORS
from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.sync.log import literal, quoted, rowid_name
from sqlagent.types import logical

if TYPE_CHECKING:
    import apsw
    import pyarrow

EXACT_DIGITS = 15  # decimal digits that a float64, which SQLite stores, keeps


class NotColumnar(NotSupportedError):
    """A table that cannot be columns, as `reason` says; SQLite can still read it."""

    def __init__(self, table: str, reason: str) -> None:
        super().__init__(
            f'table "{table}" cannot be read as columns: {reason}',
            hint="Store values of the declared type, or SET route = 'sqlite'",
        )
        self.table = table
        self.reason = reason


# A vector that is not float32 crosses over as a text that says what it is, and becomes FLOATs.
NUMBERS = """CASE WHEN collection IN (
    SELECT c.collection FROM collections c WHERE c.element_type <> 'float32')
  THEN (SELECT c.element_type || ' ' || c.dimensions || ' ' || hex(vector) FROM collections c
    WHERE c.collection = vectors.collection)
  WHEN length(vector) % 4 = 0 THEN vector END"""


class Field(NamedTuple):
    """A column: `stored` is the storage class it crosses over in, `read` SQLite's expression.

    `cast` is DuckDB's expression over the crossed value, with {0} where its name belongs; `guessed`
    says that `type` comes from the values, for a column without a declared type.
    """

    name: str
    type: str
    stored: str
    read: str
    cast: str
    guessed: bool = False


class Shape(NamedTuple):
    """A table's columns. `key` is the expression for its rowid (None: WITHOUT ROWID), `key_column`
    the INTEGER PRIMARY KEY that is the rowid (None: a hidden column holds it). `declared` is what
    the file says, to see changes.
    """

    name: str
    key: str | None
    key_column: str | None
    fields: tuple[Field, ...]
    declared: tuple[Any, ...]

    @property
    def hidden(self) -> bool:
        return self.key is not None and self.key_column is None

    @property
    def key_name(self) -> str:
        """The column of the copy that holds the rowid."""
        return self.key_column if self.key_column is not None else HIDDEN

    @property
    def select(self) -> str:
        """SQLite's SELECT of the rowid (NULL where there is none) and the columns."""
        key = self.key if self.key is not None else "NULL"
        return f"SELECT {', '.join([key, *(f.read for f in self.fields)])} FROM {quoted(self.name)}"

    def casts(self) -> list[str]:
        """DuckDB's expressions that make the copy's columns from `k, c0, c1, …`."""
        hidden = ["k"] if self.hidden else []
        return hidden + [f.cast.format(f"c{i}") for i, f in enumerate(self.fields)]

    def columns(self) -> list[tuple[str, str]]:
        """The copy's columns: (name, DuckDB type)."""
        hidden = [(HIDDEN, "BIGINT")] if self.hidden else []
        return hidden + [(f.name, f.type) for f in self.fields]


HIDDEN = "sqlagent rowid"  # a blank in it: nobody's column is called so


def declared(connection: apsw.Connection, table: str) -> tuple[Any, ...] | None:
    """What the file says of a table: (name, kind, without rowid, columns); None: it has none."""
    row = connection.execute(
        "SELECT name, type, wr FROM pragma_table_list(?) WHERE schema = 'main'", (table,)
    ).fetchone()
    if row is None:
        return None
    info = connection.execute(
        "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?) WHERE hidden <> 1", (row[0],)
    ).fetchall()
    return (*row, tuple(info))


def describe(connection: apsw.Connection, table: str, only: Collection[str] | None = None) -> Shape:
    """The shape of a table, or of `only` some of its columns, as the file has it now.

    Raises ProgrammingError, NotColumnar.
    """
    says = declared(connection, table)
    if says is None:
        raise ProgrammingError(f'table "{table}" does not exist', sqlstate="42P01")
    name, kind, without_rowid, info = says
    keys = [c for c in info if c[2]]
    key: str | None = None
    key_column: str | None = None
    if kind == "table" and not without_rowid:
        if (
            len(keys) == 1
            and (keys[0][1] or "").upper() == "INTEGER"
            and _is_rowid(connection, name)
        ):
            key_column = keys[0][0]
            key = quoted(key_column)
        else:
            key = rowid_name([c[0] for c in info])
    fields = tuple(
        _field(connection, name, c[0], c[1]) for c in info if only is None or c[0] in only
    )
    return Shape(name, key, key_column, fields, says)


def _is_rowid(connection: apsw.Connection, table: str) -> bool:
    """Whether an INTEGER PRIMARY KEY is the rowid: with DESC it has an index instead."""
    return not connection.execute(
        "SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", (table,)
    ).fetchone()


def _field(connection: apsw.Connection, table: str, name: str, declaration: str) -> Field:
    kind = logical(declaration)
    if kind == "BLOB" and name == "vector" and table in VECTORS:
        kind = "FLOAT[]"  # as the catalog has it
        if table == "vectors":
            return field(name, kind)._replace(read=NUMBERS)
    if kind is None:
        kind = _guess(connection, table, name)
        return Field(name, kind, _STORED[kind], quoted(name), "{0}", True)
    return field(name, kind)


_STORED = {"BIGINT": "INTEGER", "DOUBLE": "REAL", "VARCHAR": "TEXT", "BLOB": "BLOB"}


def _guess(connection: apsw.Connection, table: str, column: str) -> str:
    """The logical type of the values of a column without a declared one."""
    found = {
        r[0]
        for r in connection.execute(
            f"SELECT DISTINCT typeof({quoted(column)}) FROM {quoted(table)}"
        )
    } - {"null"}
    for kinds, kind in (
        ({"integer"}, "BIGINT"),
        ({"integer", "real"}, "DOUBLE"),
        ({"text"}, "VARCHAR"),
        ({"blob"}, "BLOB"),
    ):
        if found and found <= kinds:
            return kind
    if found:
        raise NotColumnar(table, f'column "{column}" holds {" and ".join(sorted(found))} values')
    return "VARCHAR"


def _wrong(kind: str) -> str:
    return f"error('a value is no {kind}: ' || {{0}})"


def field(name: str, kind: str) -> Field:
    """The column `name` of logical type `kind`.

    >>> field("seen", "BOOLEAN").read
    '"seen"'
    """
    column = quoted(name)
    if kind in _STORED:
        return Field(name, kind, _STORED[kind], column, "{0}")
    # An x'' in place of what is no text is refused further on, where a text is checked for.
    text = f"CASE WHEN typeof({column}) IN ('text', 'null') THEN {column} ELSE x'' END"
    if kind == "BOOLEAN":
        cast = f"CASE WHEN {{0}} NOT IN (0, 1) THEN {_wrong(kind)}::BOOLEAN ELSE {{0}} = 1 END"
        return Field(name, kind, "INTEGER", column, cast)
    if kind == "TIMESTAMP":
        return Field(name, kind, "TEXT", text, _TIMESTAMP)
    if kind == "DATE":
        # The length and the first character refuse a time of day, 'epoch' and 'infinity'.
        cast = (
            "CASE WHEN length({0}) <> 10 OR {0} < '0' OR {0} >= ':' THEN "
            f"{_wrong(kind)}::DATE ELSE CAST({{0}} AS DATE) END"
        )
        return Field(name, kind, "TEXT", text, cast)
    if kind == "JSON":
        number = f"CASE WHEN typeof({column}) IN ('integer', 'real') THEN CAST({column} AS TEXT)"
        return Field(name, kind, "TEXT", f"{number} {text[5:]}", "CAST({0} AS JSON)")
    decimal = re.fullmatch(r"DECIMAL\((\d+)(?:,(\d+))?\)", kind)
    if decimal:
        exact = int(decimal[1]) <= EXACT_DIGITS
        number = f"CASE WHEN typeof({column}) IN ('integer', 'real') THEN CAST({column} AS TEXT)"
        cast = (
            f"CASE WHEN CAST(CAST({{0}} AS {kind}) AS DOUBLE) <> CAST({{0}} AS DOUBLE) THEN "
            f"{_wrong(kind)}::{kind} ELSE CAST({{0}} AS {kind}) END"
        )
        if exact:
            return Field(name, kind, "REAL", column, cast)
        return Field(name, kind, "TEXT", f"{number} {text[5:]}", cast)
    if re.fullmatch(r"FLOAT\[\d*\]", kind):
        return Field(name, kind, "VECTOR", column, f"CAST({{0}} AS {kind})")
    if kind.endswith("]") or kind.startswith("STRUCT("):
        return Field(name, kind, "TEXT", text, f"CAST(CAST({{0}} AS JSON) AS {kind})")
    return Field(name, kind, "TEXT", text, f"CAST({{0}} AS {kind})")  # TIME, UUID


# DuckDB's cast to TIMESTAMP drops an offset without a word, so only texts that can have none take
# the fast cast; the others go through an instant. It also wants seconds where an offset follows.
_TIMESTAMP = (
    "CASE WHEN {0} < '0' OR {0} >= ':' THEN " + _wrong("TIMESTAMP") + "::TIMESTAMP"
    " WHEN length({0}) = 23 AND {0}[20] = '.' OR length({0}) = 19 AND {0}[17] = ':'"
    " THEN CAST({0} AS TIMESTAMP)"
    " WHEN {0}[17] IN ('Z', '+', '-')"
    " THEN CAST(CAST({0}[:16] || ':00' || {0}[17:] AS TIMESTAMPTZ) AS TIMESTAMP)"
    " ELSE CAST(CAST({0} AS TIMESTAMPTZ) AS TIMESTAMP) END"
)

_KINDS: dict[str, set[type]] = {
    "INTEGER": {int},
    "REAL": {int, float},
    "TEXT": {str},
    "BLOB": {bytes},
    "VECTOR": {bytes},
}


def to_arrow(shape: Shape, rows: list[tuple[Any, ...]]) -> pyarrow.Table:
    """Rows of `shape.select` as the Arrow table `k, c0, c1, …`. Raises NotColumnar."""
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) if rows else [()] * (len(shape.fields) + 1)
    arrays = [pa.array(columns[0], pa.int64())]
    for f, values in zip(shape.fields, columns[1:], strict=True):
        kinds = set(map(type, values)) - {type(None)}
        if f.read == NUMBERS:
            kinds -= {str}
        if not kinds <= _KINDS[f.stored]:
            odd = next(v for v in values if v is not None and type(v) not in _KINDS[f.stored])
            shown = repr(odd) if len(repr(odd)) <= 40 else type(odd).__name__
            raise NotColumnar(
                shape.name, f'column "{f.name}" is declared {f.type} and holds {shown}'
            )
        if f.stored == "VECTOR":
            arrays.append(_vectors(shape.name, f, values))
        elif f.stored == "REAL":
            if int in kinds:  # pyarrow refuses an int that a float64 cannot hold to the unit
                values = tuple(None if v is None else float(v) for v in values)
            arrays.append(pa.array(values, pa.float64()))
        else:
            kind = {"INTEGER": pa.int64(), "TEXT": pa.string(), "BLOB": pa.binary()}[f.stored]
            arrays.append(pa.array(values, kind))
    return pa.table(arrays, names=["k", *(f"c{i}" for i in range(len(shape.fields)))])


def as_floats(values: tuple[bytes | str | None, ...]) -> list[bytes | None]:
    """Vectors of all types as float32 bytes; None for one whose size is not its collection's."""
    from sqlagent.elements import Space, decoded

    out = [v if isinstance(v, bytes) else None for v in values]
    if not any(isinstance(v, str) for v in values):
        return out
    told: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
    for place, value in enumerate(values):
        if isinstance(value, str):
            kind, dimensions, data = value.split(" ")
            told.setdefault((kind, dimensions), []).append((place, bytes.fromhex(data)))
    for (kind, dimensions), vectors in told.items():
        space = Space(int(dimensions), element_type=kind)
        fit = [(place, data) for place, data in vectors if len(data) == space.size]
        matrix = decoded(space, [data for _, data in fit]).astype("<f4", copy=False)
        for (place, _), row in zip(fit, matrix, strict=True):
            out[place] = row.tobytes()
    return out


def _vectors(table: str, f: Field, given: tuple[bytes | str | None, ...]) -> pyarrow.Array:
    """float32 little-endian bytes as lists, without looking at a number in Python."""
    import pyarrow as pa

    values = as_floats(given)
    size = f.type[6:-1]
    length = 4 * int(size) if size else 0
    for v in values:
        if v is not None and (len(v) != length if size else len(v) % 4):
            raise NotColumnar(table, f'column "{f.name}" is {f.type} and holds {len(v)} bytes')
    blank = bytes(length)
    data = b"".join(blank if v is None else v for v in values)
    flat = pa.Array.from_buffers(pa.float32(), len(data) // 4, [None, pa.py_buffer(data)])
    missing = pa.array([v is None for v in values], pa.bool_())
    if size:
        return pa.FixedSizeListArray.from_arrays(flat, int(size), mask=missing)
    offsets = [0]
    for v in values:
        offsets.append(offsets[-1] + len(v or b"") // 4)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat, mask=missing)


def reads(shape: Shape) -> str:
    """The view over the copy `{0}` that hides the rowid."""
    return f"SELECT {', '.join(quoted(f.name) for f in shape.fields)} FROM {{0}}"


__all__ = ["Field", "NotColumnar", "Shape", "describe", "field", "literal", "quoted", "to_arrow"]
