"""The search index of one scope (an agent's memories, a collection's chunks or vectors) in memory.

Imports numpy, so it is itself imported only when something is searched. It knows no SQL and opens
no file of the system of record: its caller feeds it rows.
"""

from .links import CHUNKS, TURNS
from .rows import DOCUMENTS, MEMORIES, Hits, Linked, Query, Row, Weights
from .scope import ScopeIndex
from .words import query_terms, strip_names, terms

__all__ = [
    "CHUNKS",
    "DOCUMENTS",
    "MEMORIES",
    "TURNS",
    "Hits",
    "Linked",
    "Query",
    "Row",
    "ScopeIndex",
    "Weights",
    "query_terms",
    "strip_names",
    "terms",
]
