"""Which values of a column a comparison with constants holds for, where that is sure.

The dialect's meaning of `metadata->>'a' = 3` is a cast of the text to the number's type, which
fails where a text is no such number. So a comparison is answered here only where every value of the
column is of the kind that it is about; whatever else is asked of the engines.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from .facets import INT32, NUMBERS, SMALL, TEXT, TRUTH, WHOLE, Column, Path, sum_of
from .rows import Mask

Value = str | int | float
CASTS: Final = {None: SMALL, "INT": SMALL, "BIGINT": SMALL | WHOLE, "DOUBLE": NUMBERS}
_ORDER: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Compare(NamedTuple):
    """`metadata->>path`, perhaps cast, against constants: `op` is =, <>, <, <=, >, >=, in, not in,
    between, null or not null."""

    path: Path
    cast: str | None  # INT, BIGINT, DOUBLE
    op: str
    values: tuple[Value, ...]

    @property
    def textual(self) -> bool:
        return self.cast is None and all(isinstance(v, str) for v in self.values)

    @property
    def numeric(self) -> bool:
        whole = self.cast is None  # with a fraction the text becomes a DECIMAL of its digits
        if whole and self.op not in ("=", "<>", "in", "not in"):
            return False  # an error: a text is not ordered with a number
        return all(
            (isinstance(v, int) and (abs(v) < INT32 or not whole))
            or (isinstance(v, float) and not whole)
            for v in self.values
        )  # fmt: skip


class Answer(NamedTuple):
    """The rows for which a comparison holds; where it is not exact, all of them and others."""

    mask: Mask
    exact: bool


def answered(column: Column, compare: Compare) -> Answer | None:
    """The rows for which a comparison holds; None where this column cannot tell."""
    op, coded = compare.op, column.values is not None
    if op in ("null", "not null"):
        if compare.cast is not None:
            return None
        if coded:
            null = np.array([text is None for text in column.texts()], np.bool_)
            return Answer(column.spread(null == (op == "null")), True)
        return Answer((column.codes == 0) == (op == "null"), True)
    if compare.textual:
        return textual(column, compare)
    if not compare.numeric or column.kinds & ~CASTS[compare.cast]:
        return None
    figures = column.figures()
    if len(figures) == 0 and len(column.codes):
        return None
    holds = held(figures, compare) & ~np.isnan(figures)
    return Answer(column.spread(holds) if coded else holds, True)


def textual(column: Column, compare: Compare) -> Answer | None:
    """The same of texts; a wide column tells equal ones alone, by their checksums."""
    if column.kinds & ~(TEXT | TRUTH | SMALL | WHOLE):
        return None  # other numbers and objects are spelled anew
    op, values = compare.op, compare.values
    if column.values is None:
        if op not in ("=", "in"):
            return None
        sums = np.array([sum_of('"' + str(v) + '"') for v in values if "\\" not in str(v)])
        if len(sums) < len(values):
            return None
        return Answer(np.isin(column.codes, sums.astype(np.uint32)), False)
    if op in ("in", "not in"):
        wanted = frozenset(values)
        truth = [t is not None and (t in wanted) == (op == "in") for t in column.texts()]
    elif op == "between":
        low, high = str(values[0]), str(values[1])
        truth = [t is not None and low <= t <= high for t in column.texts()]
    else:
        test, value = _ORDER[op], str(values[0])
        truth = [t is not None and test(t, value) for t in column.texts()]
    return Answer(column.spread(np.array(truth, np.bool_)), True)


def held(figures: Any, compare: Compare) -> Mask:
    """Of each number whether the comparison holds; of NaN it may be anything."""
    op, values = compare.op, compare.values
    if op in ("in", "not in"):
        return np.isin(figures, np.array(values, np.float64), invert=op == "not in")
    if op == "between":
        return np.asarray((figures >= float(values[0])) & (figures <= float(values[1])))
    return np.asarray(_ORDER[op](figures, float(values[0])))
