"""What the CREATE TABLE of a table that is kept as columns says: columns, defaults, constraints."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sqlglot import exp, parse_one

from sqlagent.catalog import Column, Definition
from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import quote_name
from sqlagent.types import logical

USING = " USING columns"
_NESTED = ("STRUCT", "MAP", "UNION", "INTERVAL", "TIME", "BIT", "ENUM")
_TOO_WIDE = ("HUGEINT", "UHUGEINT", "INT128", "UINT128")


class Field(NamedTuple):
    """A column: its DuckDB type, and what it is where nothing is given."""

    name: str
    type: str
    not_null: bool = False
    default: str | None = None


class Layout(NamedTuple):
    """A table: `checks` are expressions of DuckDB's, `keys` the columns of PRIMARY KEY and
    UNIQUE."""

    name: str
    fields: tuple[Field, ...]
    checks: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()

    @property
    def sql(self) -> str:
        """The CREATE TABLE statement."""
        parts = [_declared(f) for f in self.fields]
        parts += [f"CHECK ({c})" for c in self.checks]
        parts += [f"UNIQUE ({', '.join(map(quote_name, k))})" for k in self.keys]
        return f"CREATE TABLE {quote_name(self.name)} ({', '.join(parts)}){USING}"

    @property
    def temporary(self) -> str:
        """The columns and checks, for a table that new rows go through; keys are looked at after
        all of them are there."""
        return ", ".join(
            [_declared(f) for f in self.fields] + [f"CHECK ({c})" for c in self.checks]
        )

    @property
    def definition(self) -> Definition:
        """What the file keeps of it."""
        shown = tuple(Column(f.name, f.type, f.not_null) for f in self.fields)
        return Definition(self.name, "columns", self.sql, "duckdb", 0, shown)


def _declared(field: Field) -> str:
    null = " NOT NULL" if field.not_null else ""
    default = f" DEFAULT {field.default}" if field.default is not None else ""
    return f"{quote_name(field.name)} {field.type}{null}{default}"


@lru_cache(maxsize=128)
def layout(sql: str) -> Layout:
    """The layout that `Layout.sql` was made of."""
    tree = parse_one(sql.removesuffix(USING), dialect="duckdb")
    return from_tree(tree, sql)


def from_tree(tree: exp.Expr, sql: str) -> Layout:
    """The layout of a CREATE TABLE's tree.

    Raises NotSupportedError for a constraint that is not kept, or a type that Parquet has not.
    """
    schema = tree.this
    if not isinstance(schema, exp.Schema) or not schema.expressions:
        raise ProgrammingError("expected columns or AS SELECT", sql=sql, position=0)
    fields: list[Field] = []
    checks: list[str] = []
    keys: list[tuple[str, ...]] = []
    required: set[str] = set()
    for part in schema.expressions:
        if isinstance(part, exp.ColumnDef):
            fields.append(_field(part, checks, keys, sql))
        else:
            _constraint(part, checks, keys, required, sql)
    names = [f.name.lower() for f in fields]
    for name in names:
        if names.count(name) > 1:
            raise ProgrammingError(
                f'the column "{name}" is there twice', sql=sql, position=0, sqlstate="42701"
            )
    for key in keys:
        for name in key:
            if name.lower() not in names:
                raise ProgrammingError(
                    f'unknown column "{name}" in a key', sql=sql, position=0, sqlstate="42703"
                )
    made = tuple(f._replace(not_null=f.not_null or f.name.lower() in required) for f in fields)
    return Layout(schema.this.name, made, tuple(checks), tuple(keys))


def _field(part: exp.ColumnDef, checks: list[str], keys: list[tuple[str, ...]], sql: str) -> Field:
    """One column, its checks and keys put with those of the table."""
    kind = part.args.get("kind")
    if kind is None:
        raise ProgrammingError(
            f'the column "{part.name}" needs a type', sql=sql, position=sql.find(part.name)
        )
    not_null, default = False, None
    for constraint in part.args.get("constraints") or []:
        inner = constraint.kind
        if isinstance(inner, exp.NotNullColumnConstraint):
            not_null = not inner.args.get("allow_null")
        elif isinstance(inner, exp.PrimaryKeyColumnConstraint):
            not_null = True
            keys.append((part.name,))
        elif isinstance(inner, exp.UniqueColumnConstraint):
            keys.append((part.name,))
        elif isinstance(inner, exp.DefaultColumnConstraint):
            default = inner.this.sql("duckdb")
        elif isinstance(inner, exp.CheckColumnConstraint):
            checks.append(inner.this.sql("duckdb"))
        else:
            raise _not_kept(inner, sql)
    return Field(part.name, type_of(kind, sql), not_null, default)


def type_of(kind: exp.Expr, sql: str = "") -> str:
    """A declared type as DuckDB's: whole numbers of 64 bits, as in every table of the file."""
    text = kind.sql("duckdb")
    upper = text.upper()
    if upper in _TOO_WIDE:
        raise NotSupportedError(
            f"{upper} is wider than Parquet keeps", hint="DECIMAL(38, 0) has 38 digits",
            sql=sql or None, position=0 if sql else None,
        )  # fmt: skip
    if upper.startswith(_NESTED) or upper.endswith("]"):
        return "DOUBLE" if upper == "TIMETZ" else text
    if isinstance(kind, exp.DataType) and kind.this in exp.DataType.TEMPORAL_TYPES:
        return text if upper != "DATETIME" else "TIMESTAMP"
    return (logical(text) or text).replace(", ", ",")


def _constraint(
    part: exp.Expr, checks: list[str], keys: list[tuple[str, ...]], required: set[str], sql: str
) -> None:
    """A constraint of the table."""
    if isinstance(part, exp.Constraint):
        for inner in part.expressions:
            _constraint(inner, checks, keys, required, sql)
    elif isinstance(part, exp.CheckColumnConstraint | exp.Check):
        checks.append(part.this.sql("duckdb"))
    elif isinstance(part, exp.PrimaryKey):
        names = tuple(e.name for e in part.expressions)
        keys.append(names)
        required.update(n.lower() for n in names)
    elif isinstance(part, exp.UniqueColumnConstraint):
        inner = part.this
        names = tuple(e.name for e in (inner.expressions if inner is not None else []))
        keys.append(names)
    else:
        raise _not_kept(part, sql)


def _not_kept(part: exp.Expr, sql: str) -> NotSupportedError:
    what = {
        "references": "FOREIGN KEY", "foreignkey": "FOREIGN KEY", "reference": "FOREIGN KEY",
        "computedcolumnconstraint": "GENERATED", "collatecolumnconstraint": "COLLATE",
        "generatedasidentitycolumnconstraint": "GENERATED",
    }.get(part.key, part.key)  # fmt: skip
    return NotSupportedError(
        f"a table that is kept as columns has no {what}",
        hint="NOT NULL, CHECK, UNIQUE, PRIMARY KEY and DEFAULT are kept; "
        "USING rows makes an ordinary table",
        sql=sql, position=0,
    )  # fmt: skip
