"""The file's full text: CJK characters stand between spaces, so that a phrase of them finds a
word."""

from __future__ import annotations

import re

_CJK = re.compile(r"([⺀-\U0003ffff])")


def space(text: str) -> str:
    """Text as the triggers put it into the full-text tables; linear, where the triggers' SQL is
    not."""
    return _CJK.sub(r" \1 ", text)
