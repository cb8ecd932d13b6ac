"""The best set of memories that fits into a number of tokens.

Taken best first; what does not fit is passed over, so that a smaller one further down may use the
rest. So the best memory that fits at all is always in the set. What nearly repeats a memory that
was taken is left out. The set comes in the order of time, not of scores: a set that grows, or that
another question asks for, then begins as before, and a prompt's cached prefix stays good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from sqlagent.search.twins import Twins


class Set(NamedTuple):
    """The ids that were taken, and why each other one that was looked at was not."""

    taken: list[int]
    left_out: dict[int, str]


@lru_cache(maxsize=4096)
def tokens_of(text: str) -> int:
    """token_count() of a text; those of recent texts are kept."""
    from sqlagent.embedding import count_tokens

    return count_tokens(text)


def best_set(
    rows: Iterable[tuple[int, str]],
    k: int,
    budget: int,
    count: Callable[[str], int] = tokens_of,
) -> Set:
    """Of (memory_id, content), best first: at most k that fit into `budget` tokens together."""
    twins, left = Twins(), budget
    taken: list[int] = []
    left_out: dict[int, str] = {}
    for memory_id, content in rows:
        if len(taken) == k:
            left_out[memory_id] = f"ranks below the {k} that were taken (k => {k})"
            continue
        if left <= 0 and budget:
            left_out[memory_id] = f"nothing is left of the {budget} tokens of token_budget"
            continue
        twin = twins.of(content)
        if twin is not None:
            left_out[memory_id] = f"near-duplicate of {twin}, which ranks higher"
            continue
        tokens = count(content)
        if tokens > left:
            left_out[memory_id] = (
                f"does not fit: it has {tokens} tokens, and {left} are left of the {budget} "
                "of token_budget"
            )
            continue
        left -= tokens
        taken.append(memory_id)
        twins.add(content, memory_id)
    return Set(taken, left_out)
