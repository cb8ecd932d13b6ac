"""The pattern of a GRAPH_TABLE as SQL/PGQ writes it (ISO/IEC 9075-16), read from its tokens.

graph MATCH [p =] (a:person)-[r:knows]->{1,3}(b WHERE …), … [WHERE …] COLUMNS (…)
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import Token, is_name, unquote

HOPS_MAX = 16  # of a quantified edge
_AFTER = ("WHERE", "COLUMNS")


class Vertex(NamedTuple):
    """`(a:person|company WHERE …)`: `where` are tokens, empty for none."""

    name: str | None
    labels: tuple[str, ...]
    where: tuple[Token, ...]
    at: int


class Edge(NamedTuple):
    """`-[r:knows]->{1,3}`: `direction` is 'out', 'in' or 'both'; `hops` None for a plain edge."""

    name: str | None
    labels: tuple[str, ...]
    where: tuple[Token, ...]
    direction: str
    hops: tuple[int, int] | None
    at: int


class Path(NamedTuple):
    """Vertices with an edge between each two."""

    name: str | None
    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]


class Match(NamedTuple):
    """A whole GRAPH_TABLE; `columns` are the tokens of each of its outputs."""

    graph: Token
    paths: tuple[Path, ...]
    where: tuple[Token, ...]
    columns: tuple[tuple[Token, ...], ...]


class Reader:
    """Reads the tokens between the parentheses of a GRAPH_TABLE; ProgrammingError with a caret."""

    def __init__(self, sql: str, tokens: list[Token], end: int) -> None:
        self.sql, self.tokens, self.end, self.place = sql, tokens, end, 0
        self.labels: set[int] = (
            set()
        )  # where `:label` stands, which the lexer takes for a parameter

    # Tokens ---------------------------------------------------------------------------------------

    def see(self, offset: int = 0) -> str:
        """A token's text, words in upper case; empty after the last."""
        at = self.place + offset
        if at >= len(self.tokens):
            return ""
        return self.tokens[at].upper or self.tokens[at].text

    def take(self) -> Token:
        """The next token."""
        self.place += 1
        return self.tokens[self.place - 1]

    def position(self) -> int:
        """Where the next token stands; at the end, the closing parenthesis."""
        return self.tokens[self.place].start if self.place < len(self.tokens) else self.end

    def wrong(self, wanted: str, hint: str | None = None) -> NoReturn:
        """Raise what was wanted, and what came."""
        came = f'"{self.tokens[self.place].text}"' if self.see() else "the end of GRAPH_TABLE"
        raise ProgrammingError(
            f"expected {wanted}, not {came}", sql=self.sql, position=self.position(), hint=hint
        )

    def expect(self, text: str, wanted: str | None = None) -> None:
        """Take a token that has to be there."""
        if self.see() != text:
            self.wrong(wanted or f'"{text}"')
        self.place += 1

    def name(self, wanted: str) -> Token:
        """Take a name."""
        if self.place >= len(self.tokens) or not is_name(self.tokens[self.place]):
            self.wrong(wanted)
        return self.take()

    def until(self, stops: tuple[str, ...]) -> tuple[Token, ...]:
        """Take the tokens of an expression, up to one of these outside its own brackets."""
        start, depth = self.place, 0
        while self.see() and (depth or self.see() not in stops):
            depth += (self.see() in ("(", "[", "{")) - (self.see() in (")", "]", "}"))
            self.place += 1
        if self.place == start:
            self.wrong("a condition")
        return tuple(self.tokens[start : self.place])

    # The pattern ----------------------------------------------------------------------------------

    def match(self) -> Match:
        """The whole of it."""
        graph = self.name("the name of a graph, agent_graph")
        self.expect("MATCH", "MATCH and a pattern")
        paths = [self.path()]
        while self.see() == ",":
            self.place += 1
            paths.append(self.path())
        where: tuple[Token, ...] = ()
        if self.see() == "WHERE":
            self.place += 1
            where = self.until(("COLUMNS",))
        self.expect("COLUMNS", "COLUMNS (…)" if where else "an edge, a comma, WHERE or COLUMNS (…)")
        self.expect("(", '"(" and the columns')
        columns = [self.until((",", ")"))]
        while self.see() == ",":
            self.place += 1
            columns.append(self.until((",", ")")))
        self.expect(")")
        if self.see():
            self.wrong("the end of GRAPH_TABLE")
        return Match(graph, tuple(paths), where, tuple(columns))

    def path(self) -> Path:
        """One path pattern."""
        called = None
        if self.see(1) == "=" and self.tokens[self.place].kind in ("word", "quoted"):
            called = self.take().name
            self.place += 1
        vertices, edges = [self.vertex()], list[Edge]()
        while self.see() in ("-", "<", "->"):
            edges.append(self.edge())
            vertices.append(self.vertex())
        return Path(called, tuple(vertices), tuple(edges))

    def vertex(self) -> Vertex:
        """`(…)`."""
        at = self.position()
        self.expect("(", "a vertex, such as (a)")
        name, labels, where = self.inside(")")
        return Vertex(name, labels, where, at)

    def inside(self, close: str) -> tuple[str | None, tuple[str, ...], tuple[Token, ...]]:
        """`name:label|label WHERE …` and the bracket that closes it."""
        name, labels, where = None, list[str](), tuple[Token, ...]()
        if self.see() not in (close, ":", "IS", "WHERE") and self.see()[:1] != ":":
            name = self.name("a variable, a label or a condition").name
        if self.see()[:1] == ":" and len(self.see()) > 1:  # `:knows` is a parameter to the lexer
            self.labels.add(self.tokens[self.place].start)
            labels.append(self.take().text[1:])
        elif self.see() in (":", "IS"):
            self.place += 1
            labels.append(self.label())
        while labels and self.see() == "|":
            self.place += 1
            labels.append(self.label())
        if self.see() == "WHERE":
            self.place += 1
            where = self.until((close,))
        self.expect(close)
        return name, tuple(labels), where

    def label(self) -> str:
        """A label: a name, or a string for one that is none."""
        if self.place < len(self.tokens) and self.tokens[self.place].kind == "string":
            return unquote(self.take())
        return self.name("a label").name

    def edge(self) -> Edge:
        """`-[…]->`, `<-[…]-`, `-[…]-`, or without brackets."""
        at = self.position()
        left = self.see() == "<"
        self.place += left
        name, labels, where = None, tuple[str, ...](), tuple[Token, ...]()
        right = False
        if self.see() == "->" and not left:  # the short form
            self.place, right = self.place + 1, True
        else:
            self.expect("-", '"-"')
            if self.see() == "[":
                self.place += 1
                name, labels, where = self.inside("]")
                if self.see() == "->":
                    self.place, right = self.place + 1, True
                else:
                    self.expect("-", '"-" or "->"')
            elif self.see() == "->":
                self.place, right = self.place + 1, True
            elif self.see() == "-":
                self.place += 1
        direction = "both" if left == right else "in" if left else "out"
        return Edge(name, labels, where, direction, self.hops(), at)

    def hops(self) -> tuple[int, int] | None:
        """`{n}`, `{m,n}`, `{,n}`; there is always a bound."""
        bounded = f"Say how many at most, {HOPS_MAX} or fewer: {{1,3}}"
        if self.see() in ("*", "+"):
            self.wrong("a bound", bounded)
        if self.see() != "{":
            return None
        self.place += 1
        low = self.whole() if self.see() != "," else 0
        high = low
        if self.see() == ",":
            self.place += 1
            if self.see() == "}":
                self.wrong("a bound", bounded)
            high = self.whole()
        if high < max(low, 1) or high > HOPS_MAX:
            self.place -= 1
            self.wrong(f"a number from {max(low, 1)} to {HOPS_MAX}")
        self.expect("}")
        return (low, high)

    def whole(self) -> int:
        """A whole number."""
        if not self.see().isdecimal():
            self.wrong("a whole number")
        return int(self.take().text)
