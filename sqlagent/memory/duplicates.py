"""Whether two texts say the same thing: equal once folded, or nearly and in nothing that counts.

Two texts are *folded-equal* where only case, punctuation, width and spacing differ. They are the
*same* where they are nearly alike and nothing in them `differs`: the numbers, times and negations
are equal one by one, the names are, and no word stands in the place of another ("green tea" and
"black tea" are alike, and not the same). What may differ are fillers and a few words that only one
of them has. Everything is linear in the length of the texts, and pure: no clock, no state.

Source: shingles and their resemblance are Broder's (1997, "On the resemblance and containment of
documents"); what `differs` holds apart was chosen on pairs in English, Chinese and Japanese.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from operator import add
from typing import NamedTuple

from sqlagent.memory import duplicate_words as words

SAME = 0.7  # from this similarity (0..1) on two texts are nearly alike

# Scripts that are written without spaces, or whose spaces say little.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\U0003ffff"
_RUN = re.compile(f"[{UNSPACED}]+|[^\\s{UNSPACED}]+")
_LOOSE = re.compile(f" (?=[{UNSPACED}])|(?<=[{UNSPACED}]) ")
_DIGIT = re.compile(r"\d")
# A sign or separator that is part of a number, as in -5, 1.5, 10:30 and 2026-01-31.
_IN_NUMBER = re.compile(r"((?<=\d)[^\w\s](?=\d)|(?<![^\s(])[-\u2212](?=\d))")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_CAPITAL = re.compile(r"(^|[.!?\u3002:;\n]\s*|\s)[\"'\u201c\u2018(\[]*([^\W\d_][\w'\u2019]*)")
_WIDE = tuple(zip("，！？：；（）", ",!?:;()", strict=True))
_CODE = re.compile(r"(?=\w*[a-z])(?=\w*[A-Z])\w+")


class Reading(NamedTuple):
    """A text as it is compared: its fold, units (words without fillers, or characters of a script
    without spaces), the numbers, times and negations among them in order, and its shingles."""

    text: str
    fold: str
    units: tuple[str, ...]
    hard: tuple[str, ...]
    features: frozenset[str]


class _Letters(dict[int, str]):
    """str.translate's table: letters, digits, marks and symbols stay, the rest is a space; an
    apostrophe goes without one. Filled as characters come, so each is looked up once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if character in "'\u2019\u2018`" or category == "Cf":
            kept = ""
        elif category[0] in "LNM" or character in "#%@&" or category in ("Sm", "Sc", "So"):
            kept = character
        else:
            kept = " "
        self[code] = kept
        return kept


_LETTERS = _Letters()


def fold(text: str) -> str:
    """A text without what its case, width, punctuation and spacing say.

    NFKC and casefold; punctuation is a space, spaces are one, and none stands beside a character of
    a script written without them. What is between two digits stays (1.5 is not 15), a minus before
    a number, symbols (C++, C#, $), and that there is a question. "" for a text of punctuation only.
    """
    if not text.isascii():
        for wide, narrow in _WIDE:  # alone, they would make a Chinese text be normalised: 14 µs
            text = text.replace(wide, narrow)
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    text = text.casefold()
    asks = "?" in text
    if _DIGIT.search(text):
        parts = _IN_NUMBER.split(text)
        parts[::2] = [p.translate(_LETTERS) for p in parts[::2]]
        plain = " ".join("".join(parts).split())
    else:
        plain = " ".join(text.translate(_LETTERS).split())
    if " " in plain and not plain.isascii():
        plain = _LOOSE.sub("", plain)
    return plain + " ?" if asks and plain else plain


@lru_cache(maxsize=16384)
def _unit(word: str) -> tuple[str, ...]:
    """A folded word as it is compared: none for a filler, several for a contraction."""
    if word in words.FILLERS:
        return ()
    if word in words.CONTRACTIONS:
        return words.CONTRACTIONS[word]
    if _DIGIT.search(word):
        return (_THOUSANDS.sub("", word),)
    if word in words.NUMBERS:
        return (words.NUMBERS[word],)
    if len(word) > 3 and word[-1] == "s" and word[-2] not in "suia" and word not in words.TIMES:
        word = word[:-1]
    return (words.SPELLINGS.sub(words.spelling, word),)


def _hard_word(unit: str) -> str | None:
    if unit in words.NEGATIONS:
        return "not"
    if unit in words.TIMES:
        return words.TIMES[unit]
    return unit if _DIGIT.search(unit) else None


def read(text: str) -> Reading:
    """A text read once, to be compared with many."""
    folded = fold(text)
    units: list[str] = []
    hard: list[str] = []
    shingles: set[str] = set()
    for run in folded.split() if folded.isascii() else _RUN.findall(folded):
        if run[0] < "\u0e00":
            for unit in _unit(run):
                shingles.add(unit)
                if units:
                    last = units[-1]
                    shingles.add(last + unit if last >= "\u0e00" else last + " " + unit)
                units.append(unit)
                found = _hard_word(unit)
                if found is not None:
                    hard.append(found)
            continue
        run = words.UNSPACED_IDIOMS.sub(words.idiom, run)
        hard += map(words.unspaced_hard, words.UNSPACED_HARD.finditer(run))
        run = words.UNSPACED_FILLERS.sub("", run).translate(words.DIGITS)
        if units and run:
            shingles.add(units[-1] + run[0])
        shingles.update(map(add, run, run[1:]))
        units += run
    if len(units) == 1:
        shingles.add(units[0])
    return Reading(text, folded, tuple(units), tuple(hard), frozenset(shingles))


def features(text: str) -> frozenset[str]:
    """The shingles of a text: words and pairs of words, pairs of characters where a script has no
    spaces; fillers are left out."""
    return read(text).features


def similarity(a: str, b: str) -> float:
    """How alike two texts are, 0..1: shared shingles over all (Jaccard); 1 where folded-equal."""
    return alike(read(a), read(b))


def alike(a: Reading, b: Reading) -> float:
    """`similarity` of two texts that were read."""
    if a.fold == b.fold:
        return 1.0
    shared = len(a.features & b.features)
    return shared / max(1, len(a.features) + len(b.features) - shared)


def differs(a: str, b: str) -> bool:
    """Whether two texts differ in what counts, however alike they are: a number, time, negation or
    name, a word in the place of another, or words that say something and are more than a tenth."""
    return apart(read(a), read(b))


def apart(a: Reading, b: Reading) -> bool:
    """`differs` of two texts that were read."""
    if a.fold == b.fold:
        return _codes_differ(a.text, b.text)
    if a.hard != b.hard or a.fold.endswith(" ?") != b.fold.endswith(" ?"):
        return True
    if a.units == b.units:
        return _codes_differ(a.text, b.text)
    count_a, count_b = Counter(a.units), Counter(b.units)
    more, less = count_a - count_b, count_b - count_a
    if more and less:
        return True  # one word in the place of another
    extra = more or less
    tenth = min(len(a.units), len(b.units)) // 10
    if sum(extra.values()) > max(2, tenth):
        return True
    if sum(n for unit, n in extra.items() if unit not in words.LIGHT) > tenth:
        return True
    return _names_differ(a, b, extra)


def same(a: str, b: str, threshold: float = SAME) -> bool:
    """Whether two texts say the same thing: alike from the threshold on, and nothing differs."""
    return same_read(read(a), read(b), threshold)


def same_read(a: Reading, b: Reading, threshold: float = SAME) -> bool:
    """`same` of two texts that were read; the cheap test comes first."""
    return a.hard == b.hard and alike(a, b) >= threshold and not apart(a, b)


def folded_equal(a: str, b: str) -> bool:
    """Whether only case, punctuation, width and spacing differ, and no code such as aB3x and Ab3X
    does by its case."""
    folded = fold(a)
    return folded != "" and folded == fold(b) and not _codes_differ(a, b)


def _codes_differ(a: str, b: str) -> bool:
    """Whether a password-like word, of both cases beyond the first letter, changes its case."""
    codes_a, codes_b = ({w for w in _CODE.findall(t) if _is_code(w)} for t in (a, b))
    if codes_a == codes_b or not codes_a or not codes_b:
        return False
    lower_b = {w.lower(): w for w in codes_b}
    return any(lower_b.get(w.lower(), w) != w for w in codes_a)


def _is_code(word: str) -> bool:
    return not word[1:].islower() if word.isalpha() else True


def _names(text: str) -> tuple[set[str], set[str]]:
    """Capitalised words, folded: within sentences, and those that begin one."""
    within: set[str] = set()
    first: set[str] = set()
    for before, word in _CAPITAL.findall(text):
        if word[0].isupper():
            (first if before.strip() or not before else within).add(fold(word))
    return within, first - words.COMMON


def _names_differ(a: Reading, b: Reading, extra: Counter[str]) -> bool:
    """Whether a name stands elsewhere or in one text only. A word that begins a sentence counts
    where the other text does not have it at all."""
    (names_a, first_a), (names_b, first_b) = _names(a.text), _names(b.text)
    names = {u for n in (names_a | names_b) - words.COMMON for u in _unit(n)}
    if [u for u in a.units if u in names] != [u for u in b.units if u in names]:
        return True
    return any(u in extra for n in first_a | first_b for u in _unit(n))
