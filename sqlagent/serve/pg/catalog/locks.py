"""Advisory locks: a number that sessions of this server take in turn, and nothing else of it."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from sqlglot import exp

from sqlagent.errors import NotSupportedError

_guard = threading.Lock()
_held: dict[tuple[Any, ...], tuple[weakref.ref[Any], int]] = {}


def asked(session: Any, keys: tuple[Any, ...], wanted: bool | None, dry: bool) -> exp.Expr:
    """Take (`wanted` None or True) or give back (False) the lock of `keys`; what the call gives.

    Raises NotSupportedError where one that another session holds is waited for: ask by
    pg_try_advisory_lock().
    """
    if dry:
        return exp.convert(True) if wanted is not None else exp.Literal.string("")
    with _guard:
        holder, count = _held.get(keys, (lambda: None, 0))  # type: ignore[assignment, return-value]
        mine = holder() is session
        if wanted is False:
            if not mine:
                return exp.convert(False)
            if count > 1:
                _held[keys] = (holder, count - 1)
            else:
                del _held[keys]
            return exp.convert(True)
        free = mine or holder() is None
        if free:
            _held[keys] = (weakref.ref(session), count + 1 if mine else 1)
    if wanted:
        return exp.convert(free)
    if not free:
        raise NotSupportedError(
            "another session holds this advisory lock", hint="Ask with pg_try_advisory_lock()."
        )
    return exp.Literal.string("")
