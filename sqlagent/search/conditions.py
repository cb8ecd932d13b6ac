"""A filter's text as a tree: AND and OR over conditions, each with the columns that it is about.

Reads the condition alone, and decides nothing by guessing: whatever is not known here is a
condition about all of a row (`paths` is None).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from sqlagent.index.compare import Compare
from sqlagent.index.facets import WHOLE_MAX, Path

CREATED: Path = ("\0created_at",)  # no key of JSON metadata is written so
CASTS = {"INT": "INT", "BIGINT": "BIGINT", "DOUBLE": "DOUBLE"}


class Leaf(NamedTuple):
    """A condition that is neither AND nor OR."""

    text: str
    paths: frozenset[Path] | None  # whose values alone decide it
    named: bool  # it is about the row's id alone
    compare: Compare | None


class Both(NamedTuple):
    """AND of two."""

    left: Any
    right: Any


class Either(NamedTuple):
    """OR of two."""

    left: Any
    right: Any


Tree = Leaf | Both | Either


@lru_cache(256)
def parsed(condition: str) -> Tree:
    """The tree of a condition, which is known to be one."""
    import sqlglot

    try:
        tree = sqlglot.parse_one(f"SELECT 1 WHERE {condition}\n", dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        return Leaf(condition, None, False, None)
    return tree_of(tree.args["where"].this)


def tree_of(node: Any) -> Tree:
    """The tree of an expression."""
    from sqlglot import exp

    node = node.unnest()
    if isinstance(node, exp.And):
        return Both(tree_of(node.left), tree_of(node.right))
    if isinstance(node, exp.Or):
        return Either(tree_of(node.left), tree_of(node.right))
    paths, named = about(node)
    return Leaf(node.sql("duckdb"), paths, named, compare_of(node) if paths else None)


def leaves(tree: Tree) -> list[Leaf]:
    """The conditions of a tree."""
    return [tree] if isinstance(tree, Leaf) else [*leaves(tree.left), *leaves(tree.right)]


def about(node: Any) -> tuple[frozenset[Path] | None, bool]:
    """(the paths whose values decide a condition, None where something else does; whether it is
    about ids alone)."""
    from sqlglot import exp

    if node.find(exp.Query, exp.Star, exp.Window, exp.AggFunc, exp.Lambda):
        return None, False
    found: set[Path] = set()
    names = set()
    for column in node.find_all(exp.Column):
        name = column.name.lower()
        names.add(name)
        if len(column.parts) > 1:
            return None, False
        if name == "created_at":
            found.add(CREATED)
        elif name == "metadata":
            path, _ = path_of(column.parent, column)
            if not path:
                return None, False
            found.add(path)
        elif name not in ("id", "collection"):
            return None, False
    if "id" in names:
        return None, names == {"id"}
    return frozenset(found), False


def path_of(parent: Any, column: Any) -> tuple[Path, bool]:
    """(The keys by which a part of the metadata is read, whether they are all of its path); no
    keys where it is not read by a constant path."""
    from sqlglot import exp

    if not isinstance(parent, (exp.JSONExtract, exp.JSONExtractScalar)):
        return (), False
    path = parent.expression
    if parent.this is not column or parent.expressions or not isinstance(path, exp.JSONPath):
        return (), False
    parts = path.expressions
    if not parts or not isinstance(parts[0], exp.JSONPathRoot):
        return (), False
    keys: list[str] = []
    for part in parts[1:]:
        key = part.this if isinstance(part, exp.JSONPathKey) else None
        if not isinstance(key, str) or not plain(key):
            break
        keys.append(key)
    return tuple(keys), len(keys) == len(parts) - 1


def plain(key: str) -> bool:
    """Whether a key can be written in a path of SQLite."""
    return key not in ("", "*") and not set(key) & {'"', "\\", "\0"}


def compare_of(node: Any) -> Compare | None:
    """The comparison that a condition is; None where it is another."""
    from sqlglot import exp

    if isinstance(node, exp.Not):
        inner = compare_of(node.this.unnest())
        return None if inner is None else negated(inner)
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        return made(node.this, "null", [])
    if isinstance(node, exp.In) and node.expressions and not node.args.get("query"):
        return made(node.this, "in", node.expressions)
    if isinstance(node, exp.Between) and not node.args.get("symmetric"):
        return made(node.this, "between", [node.args["low"], node.args["high"]])
    ops = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
    op = ops.get(type(node))
    if op is None:
        return None
    if constant(node.this) is not None:
        turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
        return made(node.expression, turned.get(op, op), [node.this])
    return made(node.this, op, [node.expression])


def negated(compare: Compare) -> Compare | None:
    """NOT of a comparison: of a value that is NULL neither holds."""
    other = {"=": "<>", "<": ">=", "<=": ">", "in": "not in", "null": "not null"}
    both = {**other, **{b: a for a, b in other.items()}}
    return compare._replace(op=both[compare.op]) if compare.op in both else None


def made(side: Any, op: str, constants: list[Any]) -> Compare | None:
    """A comparison of a part of the metadata with constants."""
    from sqlglot import exp

    values = [constant(node) for node in constants]
    if any(value is None for value in values):
        return None
    side, cast = side.unnest(), None
    if type(side) is exp.Cast and not side.args.get("format"):
        kind = side.to.sql("duckdb")
        if kind not in ("TEXT", "VARCHAR"):
            if kind not in CASTS:
                return None
            cast = CASTS[kind]
        side = side.this.unnest()
    column = side.this if isinstance(side, exp.JSONExtractScalar) else None
    if not isinstance(column, exp.Column) or column.name.lower() != "metadata":
        return None
    path, whole = path_of(side, column)
    return Compare(path, cast, op, tuple(values)) if path and whole else None  # type: ignore[arg-type]  # no None is left


def constant(node: Any) -> str | int | float | None:
    """A text, a whole number that a double holds, or a decimal of few digits."""
    from sqlglot import exp

    node = node.unnest()
    if isinstance(node, exp.Neg):
        inner = constant(node.this)
        return -inner if isinstance(inner, (int, float)) else None
    if not isinstance(node, exp.Literal):
        return None
    text = str(node.this)
    if node.is_string:
        return text
    if text.isdigit():
        return int(text) if len(text) < 17 and int(text) <= WHOLE_MAX else None
    plain = text.replace(".", "", 1)
    return float(text) if plain.isdigit() and len(plain) <= 15 else None
