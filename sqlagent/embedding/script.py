"""Whether a model can make sense of a text, by its script alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Model

SAMPLE_CHARS = 400
ENGLISH = frozenset({"en"})

# Patterns are compiled at first use: that takes 6 ms, which an import should not.
# Ideographs, kana and hangul are dense: one stands for about two letters of an alphabet.
_DENSE = (
    "[\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\uff66-\uffdc\U00020000-\U0003fffd]"
)
# Letters of every other script that is not Latin: Greek to Georgian, Ethiopic to Vedic, and so on.
_OTHER = (
    "[\u0370-\u10ff\u1200-\u1cff\u2c00-\u2c5f\u2c80-\u2dff\ua000-\ua6ff"
    "\ua840-\ua95f\ua980-\uaaff\uab70-\uabff\ufb13-\ufdff\ufe70-\ufeff]"
)
_LATIN = "[A-Za-z\u00c0-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a]"


def is_supported(model: Model, text: str) -> bool:
    """False when `text` is mostly in a script that `model` cannot read: its vector is then noise.

    Only the script is looked at (French passes for English) and only the first 400 characters.
    Models of other or unknown languages are taken to support everything.
    """
    if model.languages != ENGLISH or text.isascii():
        return True
    text = text[:SAMPLE_CHARS]
    foreign = 2 * len(re.findall(_DENSE, text)) + len(re.findall(_OTHER, text))
    return foreign == 0 or foreign <= len(re.findall(_LATIN, text))
