"""Expressions by SQLite's precedences, which differ from those of DuckDB and of PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.parse.lexer import Token
from sqlagent.parse.lite import nodes as n
from sqlagent.parse.lite.literals import literal, number
from sqlagent.parse.words import names

if TYPE_CHECKING:
    from sqlagent.parse.lite.selects import Selects

# How tightly an operator binds; from https://sqlite.org/lang_expr.html.
_OR, _AND, _NOT, _EQUAL, _LESS, _BITS, _SUM, _PRODUCT, _JOINED, _COLLATE, _SIGN = range(1, 12)
_BINARY = {
    "OR": _OR, "AND": _AND, "=": _EQUAL, "==": _EQUAL, "<>": _EQUAL, "!=": _EQUAL, "<": _LESS,
    "<=": _LESS, ">": _LESS, ">=": _LESS, "&": _BITS, "|": _BITS, "<<": _BITS, ">>": _BITS,
    "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT, "||": _JOINED,
    "->": _JOINED, "->>": _JOINED,
}  # fmt: skip
_SAME = {"==": "=", "!=": "<>"}
_RESERVED = names(
    "AND AS BETWEEN BY CASE CROSS DISTINCT ELSE END ESCAPE EXCEPT EXISTS FROM FULL GROUP HAVING IN "
    "INNER INTERSECT INTO IS ISNULL JOIN LEFT LIMIT NATURAL NOT NOTNULL NULL ON OR ORDER OUTER "
    "RIGHT SELECT SET THEN UNION USING VALUES WHEN WHERE WINDOW"
)
_DEEP = 200  # levels of nesting; SQLite itself allows 1000 of an expression


class Expressions:
    """A cursor over tokens that reads expressions; `selects` reads what is in parentheses."""

    def __init__(self, sql: str, tokens: list[Token], selects: Selects) -> None:
        self.sql = sql
        self.tokens = tokens
        self.place = 0
        self.selects = selects
        self.depth = 0

    # Tokens -------------------------------------------------------------------------------------

    def text(self, ahead: int = 0) -> str:
        """The operator or symbol ahead; empty past the end, and for words and literals."""
        place = self.place + ahead
        if place < len(self.tokens) and self.tokens[place].kind == "op":
            return self.tokens[place].text
        return ""

    def upper(self, ahead: int = 0) -> str:
        """The word ahead in upper case; empty for anything else."""
        place = self.place + ahead
        return self.tokens[place].upper if place < len(self.tokens) else ""

    @property
    def at(self) -> int:
        """The offset of the next token."""
        if self.place < len(self.tokens):
            return self.tokens[self.place].start
        last = self.tokens[-1]
        return last.start + len(last.text)

    def take(self, *wanted: str) -> bool:
        """Pass over the words or symbols, where they are next."""
        for ahead, word in enumerate(wanted):
            if word not in (self.upper(ahead), self.text(ahead)):
                return False
        self.place += len(wanted)
        return True

    def need(self, wanted: str) -> None:
        """Pass over a word or symbol. Raises ProgrammingError where it is not next."""
        if not self.take(wanted):
            raise self.wrong()

    def wrong(self) -> ProgrammingError:
        """A syntax error at the next token."""
        if self.place >= len(self.tokens):
            return ProgrammingError("the statement ends too early", sql=self.sql, position=self.at)
        near = self.tokens[self.place].text
        return ProgrammingError(f'syntax error at or near "{near}"', sql=self.sql, position=self.at)

    def refused(self, what: str) -> NotSupportedError:
        """What this reader does not know, and SQLite may."""
        return NotSupportedError(
            f"dialect 'sqlite' on DuckDB: {what}", sql=self.sql, position=self.at,
            hint="SET route = 'auto'",
        )  # fmt: skip

    def named(self) -> str | None:
        """The next token as a name, passed over; None where it is none."""
        if self.place >= len(self.tokens):
            return None
        token = self.tokens[self.place]
        if token.kind == "quoted" or (token.kind == "word" and token.upper not in _RESERVED):
            self.place += 1
            return token.name
        return None

    # Expressions --------------------------------------------------------------------------------

    def expression(self, least: int = _OR) -> n.Expr:
        """An expression whose operators bind at least so tightly."""
        self.depth += 1
        if self.depth > _DEEP:
            raise self.refused("an expression nested too deeply")
        left = self.prefix()
        while True:
            found = self.infix(left, least)
            if found is None:
                self.depth -= 1
                return left
            left = found

    def prefix(self) -> n.Expr:
        """A value with the operators before it."""
        if self.upper() == "NOT":
            self.place += 1
            return n.Unary("NOT", self.expression(_EQUAL))
        symbol = self.text()
        if symbol in ("-", "+", "~") and symbol:
            self.place += 1
            following = self.tokens[self.place] if self.place < len(self.tokens) else None
            if symbol == "-" and following is not None and following.kind == "number":
                self.place += 1
                return n.Literal(number(following.text, negative=True))
            return n.Unary(symbol, self.expression(_SIGN))
        return self.value()

    def infix(self, left: n.Expr, least: int) -> n.Expr | None:
        """What an operator makes of `left`; None where none comes that binds so tightly."""
        at = self.at
        operator = self.text() or self.upper()
        level = _BINARY.get(operator)
        if level is not None:
            if level < least:
                return None
            self.place += 1
            operator = _SAME.get(operator, operator)
            return n.Binary(operator, left, self.expression(level + 1), at)
        if operator == "COLLATE" and least <= _COLLATE:
            self.place += 1
            name = self.named()
            if name is None:
                raise self.wrong()
            return n.Collate(left, name, at)
        if least > _EQUAL:
            return None
        if operator in ("ISNULL", "NOTNULL"):
            self.place += 1
            return _negated(n.IsNull(left), operator == "NOTNULL")
        if operator == "IS":
            return self.after_is(left, at)
        if self.take("NOT", "NULL"):
            return _negated(n.IsNull(left), True)
        negated = operator == "NOT" and self.upper(1) in names("LIKE GLOB BETWEEN IN MATCH REGEXP")
        word = self.upper(1) if negated else operator
        if word not in ("LIKE", "GLOB", "BETWEEN", "IN", "MATCH", "REGEXP"):
            return None
        self.place += 1 + negated
        if word == "BETWEEN":
            low = self.expression(_EQUAL)  # whatever binds tighter than its AND
            self.need("AND")
            return _negated(n.Between(left, low, self.expression(_LESS), at), negated)
        if word == "IN":
            return _negated(self.members(left, at), negated)
        if word in ("MATCH", "REGEXP"):
            raise self.refused(word)
        pattern = self.expression(_LESS)
        escape = self.expression(_LESS) if self.take("ESCAPE") else None
        return _negated(n.Like(word, left, pattern, escape, at), negated)

    def after_is(self, left: n.Expr, at: int) -> n.Expr:
        """IS, IS NOT, IS [NOT] DISTINCT FROM, IS [NOT] NULL, TRUE, FALSE."""
        self.place += 1
        negated = self.take("NOT")
        if self.take("DISTINCT", "FROM"):
            negated = not negated
        elif self.take("NULL"):
            return _negated(n.IsNull(left), negated)
        right = self.expression(_LESS)
        word = _truth(right)
        if word:
            return n.Binary(f"IS {'NOT ' * negated}{word}", left, n.Literal(None), at)
        return n.Binary("IS NOT" if negated else "IS", left, right, at)

    def members(self, left: n.Expr, at: int) -> n.In:
        """What follows IN: values, a SELECT, or the name of a table."""
        if self.take("("):
            if self.upper() in ("SELECT", "VALUES", "WITH"):
                query = self.selects.query()
                self.need(")")
                return n.In(left, (), query, at)
            items = () if self.text() == ")" else self.several()
            self.need(")")
            return n.In(left, items, None, at)
        start, name = self.at, self.named()
        if name is None:
            raise self.wrong()
        if self.text() == "." and self.take("."):
            name = self.named() or name
        if self.text() == "(":
            raise self.refused("IN a table function")
        source = n.Source(name, None, None, (), start)
        core = n.Core(
            False, (n.Star(None, start),), (n.Join("INNER", source, None, (), False),),
            None, (), None, (), start,
        )  # fmt: skip
        return n.In(left, (), n.Query((), (core,), (), (), None, None, start), at)

    def several(self) -> tuple[n.Expr, ...]:
        """Expressions parted by commas."""
        found = [self.expression()]
        while self.take(","):
            found.append(self.expression())
        return tuple(found)

    def value(self) -> n.Expr:
        """A literal, a column, a call, or something in parentheses."""
        if self.place >= len(self.tokens):
            raise self.wrong()
        token = self.tokens[self.place]
        at, kind, word = token.start, token.kind, token.upper
        if kind in ("number", "string", "blob"):
            self.place += 1
            return n.Literal(literal(token))
        if kind == "param":
            self.place += 1
            return n.Param(at)
        if self.take("("):
            return self.parenthesised(at)
        if word in ("NULL", "CASE", "CAST", "EXISTS") and (
            word in ("NULL", "CASE") or self.text(1) == "("
        ):
            self.place += 1
            if word == "NULL":
                return n.Literal(None)
            return getattr(self, f"after_{word.lower()}")(at)
        name = self.named()
        if name is None:
            if token.text == "[":
                raise self.refused("names in brackets")
            if word == "REPLACE" and self.text(1) == "(":
                self.place += 1
                return self.call("replace", at)
            raise self.wrong()
        if self.text() == "(" and kind == "word":
            return self.call(name, at)
        if self.take("."):
            column = self.named()
            if column is None:
                raise self.wrong()
            if self.take("."):  # schema.table.column
                name, column = column, self.named() or ""
            return n.Name(name, column, False, at)
        if word in ("TRUE", "FALSE"):
            return n.Name(None, name, False, at)
        return n.Name(None, name, kind == "quoted" and token.text[0] == '"', at)

    def parenthesised(self, at: int) -> n.Expr:
        """A SELECT as a value, or an expression."""
        if self.upper() in ("SELECT", "VALUES", "WITH"):
            query = self.selects.query()
            self.need(")")
            return n.Scalar(query, False, at)
        found = self.expression()
        if self.text() == ",":
            raise self.refused("row values")
        self.need(")")
        return found

    def after_exists(self, at: int) -> n.Expr:
        """EXISTS (SELECT …)."""
        self.need("(")
        query = self.selects.query()
        self.need(")")
        return n.Scalar(query, True, at)

    def after_case(self, at: int) -> n.Expr:
        """CASE … END."""
        base = None if self.upper() == "WHEN" else self.expression()
        whens = []
        while self.take("WHEN"):
            test = self.expression()
            self.need("THEN")
            whens.append((test, self.expression()))
        default = self.expression() if self.take("ELSE") else None
        self.need("END")
        return n.Case(base, tuple(whens), default, at)

    def after_cast(self, at: int) -> n.Expr:
        """CAST(value AS type)."""
        self.need("(")
        value = self.expression()
        self.need("AS")
        start = self.at
        depth = 0
        while self.place < len(self.tokens) and (depth or self.text() != ")"):
            depth += (self.text() == "(") - (self.text() == ")")
            self.place += 1
        declared = self.sql[start : self.at].strip()
        self.need(")")
        return n.Cast(value, declared, at)

    def call(self, name: str, at: int) -> n.Expr:
        """A function's arguments, FILTER and OVER."""
        self.need("(")
        star = distinct = False
        arguments: tuple[n.Expr, ...] = ()
        order: tuple[n.Order, ...] = ()
        if self.take("*"):
            star = True
        elif self.text() != ")":
            distinct = self.take("DISTINCT")
            if not distinct:
                self.take("ALL")
            arguments = self.several()
            if self.take("ORDER", "BY"):
                order = self.selects.order()
        self.need(")")
        filter_ = None
        if self.upper() == "FILTER" and self.text(1) == "(":
            self.place += 2
            self.need("WHERE")
            filter_ = self.expression()
            self.need(")")
        over = self.selects.over() if self.take("OVER") else None
        return n.Call(name.lower(), arguments, at, star, distinct, order, filter_, over)


def _truth(node: n.Expr) -> str:
    """TRUE or FALSE where an expression is that word, or IN () which SQLite reads as it."""
    if isinstance(node, n.Name) and node.table is None and not node.quoted:
        word = node.column.upper()
        return word if word in ("TRUE", "FALSE") else ""
    empty = node.operand if isinstance(node, n.Unary) and node.op == "NOT" else node
    if isinstance(empty, n.In) and not empty.items and empty.query is None:
        return "FALSE" if empty is node else "TRUE"
    return ""


def _negated(node: n.Expr, negated: bool) -> n.Expr:
    return n.Unary("NOT", node) if negated else node
