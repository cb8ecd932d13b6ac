"""CREATE, ALTER and DROP USER, GRANT and REVOKE, by tokens: calls of functions of ours."""

from __future__ import annotations

from sqlagent.functions import sql_literal
from sqlagent.parse.clauses import Words
from sqlagent.parse.lexer import Token, is_name, unquote

_ROLES = ("READER", "WRITER", "ADMIN")
_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
# PostgreSQL's words for attributes that have no meaning here, or one of ours.
_FLAGS = {
    "LOGIN": "can_log_in => true", "NOLOGIN": "can_log_in => false", "SUPERUSER": "role => 'admin'",
    "INHERIT": "", "NOINHERIT": "", "NOSUPERUSER": "", "NOCREATEDB": "", "NOCREATEROLE": "",
    "NOREPLICATION": "", "NOBYPASSRLS": "",
}  # fmt: skip


def user_statement(sql: str, tokens: list[Token]) -> str | None:
    """The statement as a SELECT of calls; None for any other."""
    word = tokens[0].upper
    if word in ("GRANT", "REVOKE"):
        return _Words(sql, tokens).granting()
    second = tokens[1].upper if len(tokens) > 1 else ""
    if word in ("CREATE", "ALTER", "DROP") and second in ("USER", "ROLE"):
        return _Words(sql, tokens).user()
    return None


class _Words(Words):
    """The tokens of a statement, read as values of SQL."""

    def named(self, what: str) -> str:
        """A name as a value; an unquoted one as it is spelled."""
        return sql_literal(self.name(what).name)

    def value(self, what: str) -> str:
        """A string or parameter as it is written, or NULL."""
        token = self.token
        if token is None or not (token.kind in ("string", "param") or token.upper == "NULL"):
            raise self.wrong(what)
        self.at += 1
        return sql_literal(unquote(token)) if token.kind == "string" else token.text

    def number(self) -> str:
        """A whole number, with its sign."""
        sign = "-" if self.take("-") else ""
        token = self.token
        if token is None or token.kind != "number":
            raise self.wrong("a number")
        self.at += 1
        return sign + token.text

    # Users --------------------------------------------------------------------------------------

    def user(self) -> str:
        """CREATE, ALTER or DROP USER."""
        verb = self.word.lower()
        self.at = 2
        if verb == "drop":
            exists = self.take("IF", "EXISTS")
            name = self.named("the name of a user")
            self.end()
            call = f"drop_user({name})"
            if not exists:
                return f"SELECT {call}"
            return f"SELECT {call} FROM sqlagent_users WHERE name = {name}"
        name = self.named("the name of a user")
        options = self.options()
        if verb == "alter":
            return f"SELECT alter_user({', '.join([name, *options])})"
        first = [o for o in options if o.startswith(("password", "role"))]
        rest = [o for o in options if o not in first]
        calls = [f"create_user({', '.join([name, *first])})"]
        if rest:
            calls.append(f"alter_user({', '.join([name, *rest])})")
        return f"SELECT {', '.join(calls)}"

    def options(self) -> list[str]:
        """[WITH] PASSWORD '…', ROLE writer, CONNECTION LIMIT 5, LOGIN …, as arguments."""
        found: list[str] = []
        self.take("WITH")
        while self.at < len(self.tokens):
            word = self.word
            if word in ("ENCRYPTED", "PASSWORD"):
                self.take("ENCRYPTED")
                self.need("PASSWORD")
                found.append(f"password => {self.value('a password')}")
            elif self.take("CONNECTION", "LIMIT"):
                limit = self.number()
                found.append(f"connections_max => {'0' if limit == '-1' else limit}")
            elif self.take("STATEMENT_TIMEOUT"):
                found.append(f"statement_timeout_ms => {self.number()}")
            elif self.take("ROWS", "LIMIT"):
                found.append(f"rows_max => {self.number()}")
            elif word == "ROLE":
                self.at += 1
                found.append(f"role => {self.role()}")
            elif word in _FLAGS:
                self.at += 1
                found += [_FLAGS[word]] if _FLAGS[word] else []
            else:
                raise self.wrong("PASSWORD, ROLE or LOGIN")
        return found

    def role(self) -> str:
        """The name of a role, as a value."""
        if self.word not in _ROLES:
            raise self.wrong("reader, writer or admin")
        self.at += 1
        return f"'{self.tokens[self.at - 1].text.lower()}'"

    # Grants -------------------------------------------------------------------------------------

    def granting(self) -> str:
        """GRANT privileges ON tables TO users, GRANT USE ON AGENT …, GRANT role TO users."""
        grants = self.word == "GRANT"
        self.at = 1
        to = "TO" if grants else "FROM"
        if self.word in _ROLES:
            granted = self.role()
            role = granted if grants else "'reader'"
            self.need(to)
            calls = [f"alter_user({user}, role => {role})" for user in self.names("a user")]
            self.end()
            return f"SELECT {', '.join(calls)}"
        verb = "grant" if grants else "revoke"
        if self.take("USE") or self.take("USAGE"):
            self.need("ON")
            objects = self.agents()
            self.need(to)
            calls = [f"{verb}_agent({u}, {o})" for u in self.names("a user") for o in objects]
        else:
            privileges = self.privileges()
            self.need("ON")
            objects = self.tables()
            self.need(to)
            calls = [
                f"{verb}_table({u}, {o}, {sql_literal(privileges)})"
                for u in self.names("a user") for o in objects
            ]  # fmt: skip
        self.end()
        return f"SELECT {', '.join(calls)}"

    def names(self, what: str) -> list[str]:
        """Names between commas, as values."""
        found = [self.named(what)]
        while self.take(","):
            found.append(self.named(what))
        return found

    def privileges(self) -> str:
        """SELECT, INSERT … or ALL [PRIVILEGES], as the functions take them."""
        if self.take("ALL"):
            self.take("PRIVILEGES")
            return "all"
        found = []
        while True:
            if self.word not in _PRIVILEGES:
                raise self.wrong("SELECT, INSERT, UPDATE, DELETE or ALL")
            found.append(self.word.lower())
            self.at += 1
            if not self.take(","):
                return ", ".join(found)

    def tables(self) -> list[str]:
        """Tables between commas, or ALL TABLES [IN SCHEMA public], as values."""
        if self.take("ALL", "TABLES"):
            if self.take("IN", "SCHEMA"):
                self.named("the name of a schema")
            return ["'*'"]
        self.take("TABLE")
        found = []
        while True:
            name = self.named("the name of a table")
            if self.take("."):
                name = self.named("the name of a table")
            found.append(name)
            if not self.take(","):
                return found

    def agents(self) -> list[str]:
        """AGENT 'a', 'b', or ALL AGENTS, as values."""
        if self.take("ALL", "AGENTS"):
            return ["'*'"]
        self.need("AGENT")
        found = []
        while True:
            token = self.token
            named = token is not None and is_name(token)
            found.append(self.named("an agent") if named else self.value("an agent"))
            if not self.take(","):
                return found
