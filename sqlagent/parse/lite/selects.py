"""SELECT, VALUES, WITH and compounds of them, by SQLite's grammar."""

from __future__ import annotations

from sqlagent.parse.lexer import Token
from sqlagent.parse.lite import nodes as n
from sqlagent.parse.lite.expressions import Expressions
from sqlagent.parse.words import names

_JOINS = names("JOIN INNER CROSS LEFT RIGHT FULL NATURAL OUTER")
_NO_ALIAS = names(
    "WHERE GROUP HAVING ORDER LIMIT UNION EXCEPT INTERSECT WINDOW ON USING FROM SET RETURNING "
    "INDEXED NOT AS OFFSET"
)


def parse_select(sql: str, tokens: list[Token]) -> n.Query:
    """The tree of a SELECT. Raises ProgrammingError, NotSupportedError for what is not known."""
    reader = Selects(sql, tokens)
    query = reader.query()
    if reader.e.text() == ";":
        reader.e.place += 1
    if reader.e.place < len(tokens):
        raise reader.e.wrong()
    return query


class Selects:
    """Reads queries from the tokens that `e` goes over."""

    def __init__(self, sql: str, tokens: list[Token]) -> None:
        self.sql = sql
        self.e = Expressions(sql, tokens, self)
        self.windows: dict[str, n.Over] = {}

    def query(self) -> n.Query:
        """A whole SELECT with its WITH, ORDER BY and LIMIT."""
        e, at = self.e, self.e.at
        e.depth += 1
        tables = self.tables() if e.take("WITH") else ()
        cores, operators = [self.core()], []
        while e.upper() in ("UNION", "EXCEPT", "INTERSECT"):
            operator = e.upper()
            e.place += 1
            operators.append("UNION ALL" if operator == "UNION" and e.take("ALL") else operator)
            cores.append(self.core())
        order = self.order() if e.take("ORDER", "BY") else ()
        limit = offset = None
        if e.take("LIMIT"):
            limit = e.expression()
            if e.take("OFFSET"):
                offset = e.expression()
            elif e.take(","):
                limit, offset = e.expression(), limit
        e.depth -= 1
        return n.Query(tables, tuple(cores), tuple(operators), order, limit, offset, at)

    def tables(self) -> tuple[n.Table, ...]:
        """The common table expressions."""
        e = self.e
        if e.take("RECURSIVE"):
            pass
        found = []
        while True:
            at, name = e.at, e.named()
            if name is None:
                raise e.wrong()
            columns = self.columns() if e.text() == "(" else ()
            e.need("AS")
            if e.take("NOT"):
                e.need("MATERIALIZED")
            else:
                e.take("MATERIALIZED")
            e.need("(")
            found.append(n.Table(name, columns, self.query(), at))
            e.need(")")
            if not e.take(","):
                return tuple(found)

    def columns(self) -> tuple[str, ...]:
        """Names in parentheses."""
        e = self.e
        e.need("(")
        found = []
        while True:
            name = e.named()
            if name is None:
                raise e.wrong()
            found.append(name)
            if not e.take(","):
                break
        e.need(")")
        return tuple(found)

    def core(self) -> n.Core:
        """One SELECT, or VALUES."""
        e, at = self.e, self.e.at
        if e.take("VALUES"):
            rows = []
            while True:
                e.need("(")
                rows.append(e.several())
                e.need(")")
                if not e.take(","):
                    return n.Core(False, (), (), None, (), None, tuple(rows), at)
        e.need("SELECT")
        distinct = e.take("DISTINCT")
        if not distinct:
            e.take("ALL")
        outputs = [self.output()]
        while e.take(","):
            outputs.append(self.output())
        joins = self.joins() if e.take("FROM") else ()
        where = e.expression() if e.take("WHERE") else None
        group: tuple[n.Expr, ...] = ()
        having = None
        if e.take("GROUP", "BY"):
            group = e.several()
        if e.take("HAVING"):
            having = e.expression()
        if e.upper() == "WINDOW":
            raise e.refused("named windows")
        return n.Core(distinct, tuple(outputs), joins, where, group, having, (), at)

    def output(self) -> n.Output | n.Star:
        """One result column."""
        e, at = self.e, self.e.at
        if e.take("*"):
            return n.Star(None, at)
        if e.text(1) == "." and e.text(2) == "*":
            name = e.named()
            if name is None:
                raise e.wrong()
            e.place += 2
            return n.Star(name, at)
        value = e.expression()
        last = e.tokens[e.place - 1]
        text = self.sql[at : last.start + len(last.text)]
        return n.Output(value, self.alias(), text)

    def alias(self) -> str | None:
        """[AS] name, where one stands next."""
        e = self.e
        if e.take("AS"):
            if e.place < len(e.tokens) and e.tokens[e.place].kind == "string":
                e.place += 1
                return e.tokens[e.place - 1].text[1:-1].replace("''", "'")
            name = e.named()
            if name is None:
                raise e.wrong()
            return name
        if e.upper() in _NO_ALIAS | _JOINS:
            return None
        if e.place < len(e.tokens) and e.tokens[e.place].kind == "string":
            e.place += 1
            return e.tokens[e.place - 1].text[1:-1].replace("''", "'")
        return e.named()

    def joins(self) -> tuple[n.Join, ...]:
        """The sources after FROM, each with how it is joined."""
        e = self.e
        found = [n.Join("INNER", self.source(), None, (), False)]
        while True:
            natural, kind = False, "INNER"
            if e.take(","):
                pass
            elif e.upper() in _JOINS:
                while not e.take("JOIN"):
                    word = e.upper()
                    if word not in _JOINS:
                        raise e.wrong()
                    natural = natural or word == "NATURAL"
                    kind = word if word in ("LEFT", "RIGHT", "FULL") else kind
                    e.place += 1
            else:
                return tuple(found)
            source = self.source()
            on: n.Expr | None = None
            using: tuple[str, ...] = ()
            if e.take("ON"):
                on = e.expression()
            elif e.take("USING"):
                using = self.columns()
            found.append(n.Join(kind, source, on, using, natural))

    def source(self) -> n.Source:
        """A table, a subquery, or joins in parentheses."""
        e, at = self.e, self.e.at
        if e.take("("):
            if e.upper() in ("SELECT", "VALUES", "WITH"):
                query = self.query()
                e.need(")")
                return n.Source("", query, self.alias(), (), at)
            inner = self.joins()
            e.need(")")
            return n.Source("", None, self.alias(), inner, at)
        token = e.tokens[e.place] if e.place < len(e.tokens) else None
        if token is not None and token.kind == "string":
            e.place += 1
            name: str | None = token.text[1:-1].replace("''", "'")
        else:
            name = e.named()
        if name is None:
            raise e.wrong()
        if e.take("."):
            if name.lower() != "main":
                raise e.refused(f'the schema "{name}"')
            name = e.named()
            if name is None:
                raise e.wrong()
        if e.text() == "(":
            raise e.refused(f"the table function {name}()")
        alias = self.alias()
        if e.take("INDEXED", "BY"):
            e.named()
        else:
            e.take("NOT", "INDEXED")
        return n.Source(name, None, alias, (), at)

    def order(self) -> tuple[n.Order, ...]:
        """The terms of ORDER BY."""
        e = self.e
        found = []
        while True:
            value = e.expression()
            down = e.take("DESC")
            if not down:
                e.take("ASC")
            nulls = ""
            if e.take("NULLS"):
                nulls = e.upper()
                if nulls not in ("FIRST", "LAST"):
                    raise e.wrong()
                e.place += 1
            found.append(n.Order(value, down, nulls))
            if not e.take(","):
                return tuple(found)

    def over(self) -> n.Over:
        """A window in parentheses."""
        e = self.e
        if not e.take("("):
            raise e.refused("named windows")
        partition: tuple[n.Expr, ...] = ()
        order: tuple[n.Order, ...] = ()
        if e.take("PARTITION", "BY"):
            partition = e.several()
        if e.take("ORDER", "BY"):
            order = self.order()
        frame = ""
        if e.upper() in ("ROWS", "RANGE", "GROUPS"):
            words = []
            while e.place < len(e.tokens) and e.text() != ")":
                token = e.tokens[e.place]
                if token.kind not in ("word", "number"):
                    raise e.refused("a frame that is computed")
                words.append(token.text.upper())
                e.place += 1
            frame = " ".join(words)
        e.need(")")
        return n.Over(partition, order, frame)
