"""A filter answered from facets: of a few distinct values in place of every row.

Comparisons with constants are made on the values themselves; any other condition is asked of the
engines, of one row for each value (or pair of values) that it is about. What cannot be told so
narrows nothing, and the rows that are left are asked the whole filter, where they are few.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sqlagent.context import Context
from sqlagent.errors import Error
from sqlagent.index.compare import Answer, answered
from sqlagent.search.conditions import Both, Leaf, Tree, leaves, parsed
from sqlagent.search.facets import store

if TYPE_CHECKING:
    from sqlagent.index.facets import Facets

# (a source of rows, a condition, its parameters) -> the vector_ids that pass
Ask = Callable[[Context, str, str, Any], frozenset[int]]

ASKED_MAX = 20_000  # rows that are asked the whole filter: 5 to 10 us each
VALUES_MAX = 65_536  # of one path, or combinations of several, that are asked a condition
PAIRS_MAX = 1 << 22  # combinations that there might be


def by_facets(
    context: Context, collection: str, condition: str, ask: Ask, named: str, chosen: str
) -> tuple[Any, int] | None:
    """(the sorted vector_ids that pass, the place in the log that this is of); None where a scan
    of the rows is needed. `named` and `chosen` are the sources of rows for a condition about their
    ids, and of listed rows."""
    tree = parsed(condition)
    told = leaves(tree)
    paths = frozenset[Any]().union(*(leaf.paths for leaf in told if leaf.paths is not None))
    if not paths:
        return None
    database = context.database
    with database.snapshot() as handle:
        own = Context(database, context.settings, handle, context.connection)
        facets, seq = store(database).get(handle, collection, paths)
        answer = Asking(own, collection, facets, ask, named, chosen).tree(tree)
        if answer is None:
            return None
        ids = facets.found(answer.mask)
        if not answer.exact:
            if len(ids) > ASKED_MAX:
                return None
            left = ask(own, chosen, condition, (collection, listing(ids)))
            ids = np.sort(np.fromiter(left, np.int64, len(left)))
        return ids, seq


class Asking:
    """One filter, and what it is asked of."""

    def __init__(
        self, context: Context, collection: str, facets: Facets, ask: Ask, named: str, chosen: str
    ) -> None:
        self.context, self.collection, self.facets = context, collection, facets
        self.ask, self.named, self.chosen = ask, named, chosen

    def tree(self, tree: Tree) -> Answer | None:
        """The rows that pass; None where that may be any."""
        if isinstance(tree, Leaf):
            return self.leaf(tree)
        left, right = self.tree(tree.left), self.tree(tree.right)
        if left is None or right is None:
            some = left or right
            return some._replace(exact=False) if some and isinstance(tree, Both) else None
        both = isinstance(tree, Both)
        mask = left.mask & right.mask if both else left.mask | right.mask
        return Answer(mask, left.exact and right.exact)

    def leaf(self, leaf: Leaf) -> Answer | None:
        """The same of one condition."""
        columns = self.facets.columns
        if leaf.compare is not None:
            answer = answered(columns[leaf.compare.path], leaf.compare)
            if answer is not None:
                return answer
        try:
            if leaf.named:
                found = self.ask(self.context, self.named, leaf.text, (self.collection,))
                ids = np.sort(np.fromiter(found, np.int64, len(found)))
                return Answer(self.facets.mask_of(ids), True)
            if leaf.paths and all(columns[path].values is not None for path in leaf.paths):
                return self.by_values(leaf)
        except Error:
            pass  # of a value that another condition keeps out, perhaps: a scan tells
        return None

    def by_values(self, leaf: Leaf) -> Answer | None:
        """Ask a condition of one row for each value, or combination of values."""
        facets, size = self.facets, 1
        combined: Any = None
        for path in sorted(leaf.paths or ()):
            column = facets.columns[path]
            count = len(column.values or ())
            size *= count
            if size > PAIRS_MAX:
                return None
            codes = column.codes.astype(np.intp)
            combined = codes if combined is None else combined * count + codes
        living = np.flatnonzero(facets.alive) if facets.alive is not None else None
        rows = np.arange(len(facets.ids)) if living is None else living
        first = np.full(size, -1, np.intp)
        first[combined[rows][::-1]] = rows[::-1]
        there = np.flatnonzero(first >= 0)
        if len(there) > VALUES_MAX:
            return None
        ids = facets.ids[first[there]]
        passed = self.ask(self.context, self.chosen, leaf.text, (self.collection, listing(ids)))
        truth = np.zeros(size, np.bool_)
        truth[there] = [i in passed for i in ids.tolist()]
        return Answer(truth.take(combined), True)


def listing(ids: Any) -> str:
    """Ids as a JSON list."""
    return "[" + ",".join(map(str, ids.tolist())) + "]"
