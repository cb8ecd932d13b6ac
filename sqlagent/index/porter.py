"""The Porter stemmer (M. F. Porter, 1980), with the two later rules that SQLite's FTS5 has too.

FTS5's `porter` tokenizer is the reference: a word of fewer than 3 or more than 63 bytes is left
alone, a suffix never eats the whole word, and `bli -> ble`, `logi -> log` belong to step 2.
"""

import re
from functools import lru_cache
from typing import Final

# In the pattern of a word (c = consonant, v = vowel) each "vc" is one measure.
_STAR_O: Final = re.compile(r"cvc$")

_STEP2: Final = (
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("logi", "log"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("ousli", "ous"),
    ("eli", "e"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
)
_STEP3: Final = (
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
)
_STEP4: Final = (
    *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent"),
    *("ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize"),
)
# No rule can start at any other last letter, so most numbers and many words return at once.
_LAST: Final = frozenset("cdegilmnrstuy")


def _pattern(word: str) -> str:
    """The word as c and v; a y is a vowel after a consonant."""
    out = []
    consonant = False
    for letter in word:
        consonant = not (letter in "aeiou" or (consonant and letter == "y"))
        out.append("c" if consonant else "v")
    return "".join(out)


def _measure(word: str) -> int:
    return _pattern(word).count("vc")


def _has_vowel(word: str) -> bool:
    return "v" in _pattern(word)


def _star_o(word: str) -> bool:
    """Ends consonant, vowel, consonant, where the last is not w, x or y."""
    return word[-1:] not in ("w", "x", "y") and _STAR_O.search(_pattern(word)) is not None


def _plural(word: str) -> str:
    if not word.endswith("s"):
        return word
    if word[-2] == "e":
        four = len(word) > 4 and word.endswith("sses")
        return word[:-2] if four or (len(word) > 3 and word[-3] == "i") else word[:-1]
    return word if word[-2] == "s" else word[:-1]


def _past(word: str) -> str:
    """Step 1b: -eed, -ed, -ing, and the repairs after the last two."""
    if len(word) > 3 and word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) else word
    if len(word) > 2 and word.endswith("ed"):
        base = word[:-2]
    elif len(word) > 3 and word.endswith("ing"):
        base = word[:-3]
    else:
        return word
    if not _has_vowel(base):
        return word
    if len(base) > 2 and base.endswith(("at", "bl", "iz")):
        return base + "e"
    last = base[-1]
    if len(base) > 1 and last == base[-2] and last not in "aeioulsz":
        return base[:-1]
    return base + "e" if _measure(base) == 1 and _star_o(base) else base


def _replace(word: str, rules: tuple[tuple[str, str], ...]) -> str:
    """The first suffix that fits decides, whether or not its stem is long enough."""
    for suffix, replacement in rules:
        if len(word) > len(suffix) and word.endswith(suffix):
            base = word[: -len(suffix)]
            return base + replacement if _measure(base) else word
    return word


def _strip(word: str) -> str:
    """Step 4: a suffix goes when two measures are left; -ion only after s or t."""
    for suffix in _STEP4:
        if len(word) > len(suffix) and word.endswith(suffix):
            base = word[: -len(suffix)]
            if suffix == "ion" and base[-1] not in "st":
                return word
            return base if _measure(base) > 1 else word
    return word


def _finish(word: str) -> str:
    if word.endswith("e"):
        base = word[:-1]
        measure = _measure(base)
        if measure > 1 or (measure == 1 and not _star_o(base)):
            word = base
    if len(word) > 1 and word.endswith("ll") and _measure(word[:-1]) > 1:
        word = word[:-1]
    return word


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The stem of a lower-case word, as FTS5's `porter` gives it: it counts UTF-8 bytes."""
    if not word.isascii():
        return _stem(word.encode().decode("latin-1")).encode("latin-1").decode()
    return _stem(word)


def _stem(word: str) -> str:
    if word[-1:] not in _LAST or not 3 <= len(word) < 64:
        return word
    word = _past(_plural(word))
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    return _finish(_strip(_replace(_replace(word, _STEP2), _STEP3)))
