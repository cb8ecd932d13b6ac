"""What one user sees of a file: tables, the rows of agents in them, and functions.

A user of some agents sees the rows of these agents alone. Tables that hold what was made of other
agents' rows without saying whose it is, such as the full text, are not there for such a user.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from sqlagent.errors import ProgrammingError
from sqlagent.parse.lexer import lex, quote
from sqlagent.parse.words import names

if TYPE_CHECKING:
    from sqlagent.catalog import Catalog, Table
    from sqlagent.functions import Function
    from sqlagent.serve.users import Principal

ADMINS = names("sqlagent_users sqlagent_grants")
# Of ours, without an agent: shared by all, or about the engine itself.
SHARED = names(
    "documents chunks chunk_texts collections vectors entities relations document_versions "
    "chunk_versions relation_sources sqlagent_functions sqlagent_settings sqlagent_migrations "
    "sqlagent_vector_indexes"
)
# Of ours, with memory_id: whose row it is, the memory says.
OF_MEMORIES = names("memory_strength memory_sources memory_links current_facts")
AGENT_PARAMETERS = names("agent_id new_agent_id into_agent_id from_agent_id")
MEMORY_PARAMETERS = names("memory_id related_id other_id new_memory_id source_memory_id")
OPERATION_PARAMETERS = names("operation_id")
SESSION_PARAMETERS = names("session_id")
FILE_PARAMETERS = names("path file filename folder directory url")
# The tables that a function reads, by the first of its arguments or by its name.
_KNOWLEDGE = {
    "documents chunks": "search context cite chunk_at chunk_context parent_of index_document",
    "vectors collections": "knn within nearest_vectors measure_recall put_vector create_collection "
    "create_vector_index",
    "entities relations": "neighbors paths shortest_path subgraph draw_graph pagerank communities "
    "relate "
    "unrelate extract_graph",
}
# They compute with their arguments alone, or say how the engine is.
PURE = names(
    "activation checksum chunk_text cosine_similarity decayed_importance embed inner_product "
    "l2_distance retention token_count sqlagent_functions sqlagent_settings"
)
_STATES = names(
    "save_state snapshot restore fork merge_states state_at state_diff state_history watch"
)
# Rows that the parts of the user's own WITH have returned, and those that they have changed, for
# its other parts (see sqlagent.run.writing_with).
RETURNED = ("returned", "before")
# A writer's: which of them is by the table that a sequence goes with (see engines.sequences).
SEQUENCES = names("nextval currval lastval setval")
# What an admin alone may call: who may log in, and what everybody has asked.
ADMIN_FUNCTIONS = names(
    "create_user drop_user grant_table revoke_table grant_agent revoke_agent advise"
)


class PrivilegeError(ProgrammingError):
    """The user was not granted this."""

    sqlstate = "42501"


@lru_cache(maxsize=1)
def own_names() -> frozenset[str]:
    """The lower-case names of what the migrations make."""
    from sqlagent import migrate

    return frozenset(migrate.own_names(migrate.known()))


def tables_of(function: Function) -> tuple[str, ...]:
    """The tables whose rows a function gives or changes; none where it computes alone."""
    for tables, called in _KNOWLEDGE.items():
        if function.name in called.split():
            return tuple(tables.split())
    if function.name in PURE:
        return ()
    if function.name in _STATES:
        return ("states",)
    return ("memories",)


class Rights:
    """The rights of a principal, over whatever catalog there is at the moment."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.agents = principal.agents
        self._catalog: tuple[Catalog | None, Catalog | None] = (None, None)

    @property
    def limited(self) -> bool:
        """Whether there are tables or agents that the user does not see."""
        return self.agents is not None or self.principal.grants is not None

    @cached_property
    def agent_list(self) -> str:
        """The user's agents as SQL: a list of strings, of one that is no agent where empty."""
        return ", ".join(map(quote, sorted(self.agents or ()))) or "''"

    # Tables -------------------------------------------------------------------------------------

    def catalog(self, whole: Catalog) -> Catalog:
        """What of a catalog is there for the user."""
        if self._catalog[0] is whole and self._catalog[1] is not None:
            return self._catalog[1]
        if not self.limited:
            hidden = set() if self.principal.role == "admin" else set(ADMINS)
        else:
            hidden = {n for n, t in whole.tables.items() if not self.sees(t, whole)}
        tables = {n: t for n, t in whole.tables.items() if n not in hidden}
        definitions = {}
        for name, several in whole.definitions.items():
            kept = tuple(
                d for d in several
                if (self._clear(d.sql, whole) if d.kind.endswith("macro") else name not in hidden)
            )  # fmt: skip
            if kept:
                definitions[name] = kept
        made = whole._replace(tables=tables, definitions=definitions)
        self._catalog = (whole, made)
        return made

    def sees(self, table: Table, whole: Catalog) -> bool:
        """Whether a table is there for the user at all."""
        name = table.name.lower()
        if table.kind in RETURNED:
            return True
        if name in ADMINS and self.principal.role != "admin":
            return False
        grants = self.principal.grants
        if grants is not None and not any(granted == name for granted, _ in grants):
            return name in ("sqlagent_functions", "sqlagent_settings")
        if self.agents is None or self.condition(table) is not None:
            return True
        if name in own_names() or name.startswith("sqlagent_"):
            return name in SHARED
        if table.kind == "virtual":
            return False  # such as a full text index of the user's own, over any rows
        return table.kind in ("table", "columns") or self._clear(table.sql or "", whole)

    def _clear(self, sql: str, whole: Catalog) -> bool:
        """Whether a view or macro reads nothing but what the user sees whole."""
        if not self.limited:
            return True
        for token in lex(sql):
            if token.kind not in ("word", "quoted"):
                continue
            name = token.name.lower()
            table = whole.tables.get(name)
            if table is not None and table.sql != sql and (
                self.condition(table) is not None or not self.sees(table, whole)
            ):  # fmt: skip
                return False
            if name in _functions_of_rows():
                return False
        return True

    def condition(self, table: Table) -> str | None:
        """What is true of the rows of a table that are the user's; None: of all, or of none."""
        if table.name.lower() == "sqlagent_functions":
            return f"name IN ({self._callable})"
        if self.agents is None or not self._own_or_plain(table):
            return None
        if table.column("agent_id") is not None:
            return f"agent_id IN ({self.agent_list})"
        if table.name.lower() in OF_MEMORIES:
            return f"memory_id IN (SELECT memory_id FROM memories WHERE {self._memories})"
        return None

    @property
    def _callable(self) -> str:
        """The functions and macros that the user may call, as SQL: a list of strings."""
        from sqlagent.functions import functions

        seen = self._catalog[1]
        named = {n for n, f in functions().items() if self.calls(f)}
        return ", ".join(map(quote, sorted(named | set(seen.definitions if seen else ()))))

    @property
    def _memories(self) -> str:
        return f"agent_id IN ({self.agent_list})"

    def _own_or_plain(self, table: Table) -> bool:
        """Whether the rows are cut by a condition: of tables, and of views of ours."""
        if table.kind in ("table", "columns", "before"):
            return True
        return table.kind == "view" and table.name.lower() in own_names()

    def may(self, privilege: str, table: str) -> bool:
        """Whether a privilege on a table is granted, by role and by grant."""
        name = table.lower()
        if name in ADMINS or (name.startswith("sqlagent_") and privilege != "select"):
            return self.principal.role == "admin"
        if name in ("sqlagent_functions", "sqlagent_settings"):
            return privilege == "select"
        return self.principal.may(privilege, name)

    # Functions ----------------------------------------------------------------------------------

    def calls(self, function: Function) -> bool:
        """Whether the user may call a function of ours; its arguments are another matter."""
        principal = self.principal
        if FILE_PARAMETERS & {p.name for p in function.parameters}:
            return False  # it would open a file of the server's
        if function.name in ADMIN_FUNCTIONS:
            return principal.role == "admin" and not self.limited
        if function.name == "alter_user":
            return True  # one's own password: see calling.check_call
        if function.writes and not principal.writes:
            return False
        if function.name in PURE or function.name in SEQUENCES or principal.grants is None:
            return True
        needed = tables_of(function)
        if not all(principal.may("select", t) for t in needed):
            return False
        return not function.writes or all(
            principal.may(p, needed[0]) for p in ("insert", "update", "delete")
        )


@lru_cache(maxsize=1)
def _functions_of_rows() -> frozenset[str]:
    """The names of our functions that give rows of tables."""
    from sqlagent.functions import functions

    return frozenset(n for n, f in functions().items() if n not in PURE and f.kind != "macro")
