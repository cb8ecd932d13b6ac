"""Expressions: each node as a value in DuckDB's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlagent.errors import ProgrammingError, nearest
from sqlagent.parse.lite import nodes as n
from sqlagent.rewrite.lite import aggregates, compare, functions, operators
from sqlagent.rewrite.lite import values as v
from sqlagent.rewrite.lite.scope import Ambiguous, Found, Scope
from sqlagent.rewrite.lite.values import NULL, TEXT, TRUTH, Unsaid, Value
from sqlagent.types import affinity

if TYPE_CHECKING:
    from sqlagent.rewrite.lite.queries import Queries

_COMPARED = ("=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT")


class Expressions:
    """Lowers expressions in `scope`; `queries` lowers the SELECTs in them."""

    def __init__(self, sql: str, queries: Queries) -> None:
        self.sql = sql
        self.queries = queries
        self.scope = Scope(None)
        self.parameters: tuple[dict[int, int], tuple[str, ...]] | None = None
        self.seen: set[int] = set()  # the scopes whose columns an aggregate's arguments name

    def value(self, node: n.Expr) -> Value:
        """An expression. Raises Unsaid, ProgrammingError."""
        scope = self.scope
        if scope.grouped and not scope.within and scope.groups and not isinstance(node, n.Literal):
            same = self.group(node)
            if same is not None:
                return same
        found: Value = getattr(self, f"of_{type(node).__name__.lower()}")(node)
        return found

    def group(self, node: n.Expr) -> Value | None:
        """The group key that an expression is, if it is one."""
        if isinstance(node, n.Name) or self._has_aggregate(node):
            return None  # a name is looked up by itself
        scope = self.scope
        scope.grouped = False
        try:
            said = self.value(node)
        except (Unsaid, ProgrammingError):
            return None
        finally:
            scope.grouped = True
        return said if v.plain(said).sql in scope.groups else None

    def _has_aggregate(self, node: n.Expr) -> bool:
        return has_aggregate(node)

    def error(self, message: str, at: int, hint: str | None = None) -> ProgrammingError:
        """An error with its place in the user's text."""
        return ProgrammingError(message, sql=self.sql, position=at, hint=hint, sqlstate="42703")

    # Names --------------------------------------------------------------------------------------

    def of_literal(self, node: n.Literal) -> Value:
        return v.constant(node.value)

    def of_param(self, node: n.Param) -> Value:
        if self.parameters is None:
            raise Unsaid("a parameter, whose class is not known before it runs")
        numbers, kinds = self.parameters
        number = numbers[node.at]
        kind = kinds[number - 1]
        return v.constant(None) if kind == NULL else Value(v.cast(f"${number}", kind), kind)

    def of_name(self, node: n.Name) -> Value:
        """A column, of this SELECT or one around it; an output's alias; a string in quotes."""
        scope: Scope | None = self.scope
        try:
            while scope is not None:
                found = scope.find(node.table, node.column)
                if found is not None:
                    self.seen.add(id(scope))
                    if scope is not self.scope:
                        scope.used = True
                    return self.checked(found, node)
                alias = scope.aliases.get(node.column.lower()) if node.table is None else None
                if alias is not None:
                    return alias()
                scope = scope.parent
        except Ambiguous:
            raise self.error(f'ambiguous column "{node.column}"', node.at) from None
        if node.table is None:
            if node.quoted:
                return v.constant(node.column)
            word = node.column.upper()
            if word in ("TRUE", "FALSE"):
                return v.constant(int(word == "TRUE"))
            if word.startswith("CURRENT_"):
                raise Unsaid(word)
        known = [c.name for s in self.scope.sources for c in s.columns]
        said = f"{node.table}.{node.column}" if node.table else node.column
        raise self.error(f'unknown column "{said}"', node.at, nearest(node.column, known))

    def checked(self, found: Found, node: n.Name) -> Value:
        """A column where it may stand: in a grouped SELECT, a group key or what one decides."""
        scope, value = found.scope, found.value
        if not scope.grouped or scope.within or value.sql in scope.groups:
            return value
        key = found.source.key
        column = found.source.find(key.lower()) if key is not None else None
        if column is not None and found.source.value(column).sql in scope.groups:
            return value._replace(sql=v.call("any_value", value.sql))
        raise Unsaid(f'"{node.column}", which is neither grouped by nor aggregated')

    # Operators ----------------------------------------------------------------------------------

    def of_unary(self, node: n.Unary) -> Value:
        value = self.value(node.operand)
        if node.op == "+":
            return value._replace(affinity=None)
        if node.op == "NOT":
            return operators.negated(value)
        return operators.negative(value) if node.op == "-" else operators.inverted(value)

    def of_binary(self, node: n.Binary) -> Value:
        op = node.op
        left = self.value(node.left)
        if op.startswith("IS ") and op.endswith(("TRUE", "FALSE")):
            return self.is_true(left, op)
        right = self.value(node.right)
        if op in _COMPARED:
            return compare.compare(op, left, right)
        if op in ("->", "->>"):
            raise Unsaid(op)
        return operators.BINARY[op](op, left, right)

    def is_true(self, value: Value, op: str) -> Value:
        """IS [NOT] TRUE and FALSE."""
        if value.known:
            found = v.number(value.constant)
            same = found is not None and bool(found) is op.endswith("TRUE")
            return v.constant(int(same is ("NOT" not in op)))
        return Value(f"({v.truth(value)} {op})", TRUTH)

    def of_collate(self, node: n.Collate) -> Value:
        if node.name.upper() != "BINARY":
            raise Unsaid(f"COLLATE {node.name}")
        return self.value(node.value)

    def of_like(self, node: n.Like) -> Value:
        escape = self.value(node.escape) if node.escape is not None else None
        return operators.matches(node.op, self.value(node.text), self.value(node.pattern), escape)

    def of_between(self, node: n.Between) -> Value:
        value = self.value(node.value)
        low = compare.compare(">=", value, self.value(node.low))
        return operators.logic("AND", low, compare.compare("<=", value, self.value(node.high)))

    def of_isnull(self, node: n.IsNull) -> Value:
        value = v.plain(self.value(node.value))
        if value.known:
            return v.constant(int(value.constant is None))
        return Value(f"({value.sql} IS NULL)", TRUTH)

    def of_in(self, node: n.In) -> Value:
        value = self.value(node.value)
        if node.query is None:
            return compare.member(value, [self.value(i) for i in node.items])
        query = self.queries.inner(node.query)
        if len(query.columns) != 1:
            raise self.error(f"IN takes one column, not {len(query.columns)}", node.at)
        column = query.columns[0]
        item = Value("", column.kind, column.affinity)
        value = v.plain(value)
        if value.kind == NULL or column.kind == NULL:
            if value.kind != NULL:
                return Value(
                    f"({value.sql} IN (SELECT {_null(value.kind)} FROM ({query.sql})))", TRUTH
                )
            value = Value(_null(column.kind), column.kind, value.affinity)
        left, right = compare.with_affinity(value, item)
        if right is not item:
            raise Unsaid(f"{left.kind} IN a SELECT of {column.kind}")
        if left.known and left.kind == v.REAL and right.kind == v.INTEGER:
            whole = left.constant.is_integer() and abs(left.constant) < v.EXACT
            left = v.constant(int(left.constant)) if whole else v.constant("no integer")
        if left.kind == right.kind:
            return Value(f"({left.sql} IN ({query.sql}))", TRUTH)
        if {left.kind, right.kind} == {v.INTEGER, v.REAL}:
            raise Unsaid(f"{left.kind} IN a SELECT of {column.kind}")
        # Of another class, so never among them: false, or NULL where a NULL is on either side.
        null = f"EXISTS (FROM ({query.sql}) AS q(c) WHERE c IS NULL)"
        if not left.known:
            null = f"({null} OR ({left.sql} IS NULL AND EXISTS ({query.sql})))"
        return Value(f"(CASE WHEN {null} THEN CAST(NULL AS BOOLEAN) ELSE false END)", TRUTH)

    def of_case(self, node: n.Case) -> Value:
        base = self.value(node.base) if node.base is not None else None
        pairs = []
        for test, result in node.whens:
            said = self.value(test)
            if base is not None:
                said = compare.compare("=", base, said)
            pairs.append((said, self.value(result)))
        default = self.value(node.default) if node.default is not None else v.constant(None)
        return functions.case(pairs, default)

    def of_cast(self, node: n.Cast) -> Value:
        value = v.plain(self.value(node.value))
        kind = affinity(node.declared) if node.declared else "BLOB"
        if value.kind == NULL:
            return v.constant(None, kind)
        if kind == "INTEGER":
            return self.again(Value(v.integer(value), v.INTEGER), value, v.to_integer, kind)
        if kind == "REAL":
            return self.again(Value(v.real(value), v.REAL), value, _to_real, kind)
        if kind == "TEXT":
            return Value(v.text(value), TEXT, kind)
        if kind == "NUMERIC" and value.kind in (v.INTEGER, v.REAL):
            return value._replace(affinity=kind)
        raise Unsaid(f"CAST of {value.kind} AS {node.declared}")

    @staticmethod
    def again(said: Value, value: Value, convert: Any, kind: str) -> Value:
        """A cast, as a constant where its operand is one."""
        if value.known:
            return v.constant(convert(value.constant), kind)
        return said._replace(affinity=kind)

    # Calls and SELECTs --------------------------------------------------------------------------

    def of_scalar(self, node: n.Scalar) -> Value:
        query = self.queries.inner(node.query)
        if node.exists:
            return Value(f"(EXISTS ({query.sql}))", TRUTH)
        if len(query.columns) != 1:
            raise self.error(f"expected one column, not {len(query.columns)}", node.at)
        column = query.columns[0]
        return Value(f"({query.sql})", column.kind, column.affinity)

    def of_call(self, node: n.Call) -> Value:
        name = node.name.upper()
        if aggregates.is_aggregate(node) or name in aggregates.WINDOWS:
            return self.aggregate(node)
        if node.star or node.distinct or node.filter is not None or node.over is not None:
            raise self.error(f"{node.name}() is no aggregate", node.at)
        return functions.scalar(node.name, [self.value(a) for a in node.arguments])

    def aggregate(self, node: n.Call) -> Value:
        """An aggregate or window function."""
        scope = self.scope
        window = node.over is not None
        if not window and (scope.within or not scope.aggregates or node.name.upper() not in
                           aggregates.AGGREGATES):  # fmt: skip
            raise self.error(f"misuse of the aggregate {node.name}()", node.at)
        if node.name in ("sum", "total", "avg", "min", "max") and len(node.arguments) != 1:
            raise self.error(f"{node.name}() takes one argument", node.at)
        before, self.seen = self.seen, set()
        if not window:
            scope.within = True
        try:
            values = [self.value(a) for a in node.arguments]
            filter_ = "" if node.filter is None else v.truth(self.value(node.filter))
            order = self.order(node.order)
        finally:
            if not window:
                scope.within = False
        if self.seen and id(scope) not in self.seen:
            raise Unsaid(f"{node.name}() of an outer SELECT's columns")
        self.seen |= before
        tail = f" FILTER (WHERE {filter_})" if filter_ else ""
        if node.over is not None:
            tail += f" OVER ({self.over(node.over)})"
        if node.name.upper() in aggregates.WINDOWS:
            return aggregates.window(node, values, tail)
        return aggregates.aggregate(node, values, tail, f" {order}" if order else "")

    def over(self, over: n.Over) -> str:
        """The words of a window."""
        parts = []
        if over.partition:
            keys = ", ".join(v.plain(self.value(p)).sql for p in over.partition)
            parts.append(f"PARTITION BY {keys}")
        if over.order:
            parts.append(self.order(over.order))
        return " ".join([*parts, over.frame]).strip()

    def order(self, terms: tuple[n.Order, ...]) -> str:
        """ORDER BY of expressions; empty without terms."""
        said = []
        for term in terms:
            said.append(v.plain(self.value(term.value)).sql + direction(term))
        return f"ORDER BY {', '.join(said)}" if said else ""


def direction(term: n.Order) -> str:
    """The words after a term of ORDER BY: NULL is below everything."""
    nulls = term.nulls or ("LAST" if term.down else "FIRST")
    return f" {'DESC' if term.down else 'ASC'} NULLS {nulls}"


def _null(kind: str) -> str:
    return v.cast("NULL", kind)


def _to_real(value: Any) -> float | None:
    found = v.number(value)
    return None if found is None else float(found)


def has_aggregate(node: Any) -> bool:
    """Whether an expression has an aggregate of its own SELECT."""
    if isinstance(node, n.Call):
        if node.over is None and aggregates.is_aggregate(node):
            return True
    elif isinstance(node, n.Query):
        return False
    if isinstance(node, tuple):
        return any(has_aggregate(part) for part in node)
    return False
