"""Claims: what a memory says of whom, so that two that cannot both hold are found by their keys.

A claim is a key (the subject and what is said of it, with the place of the value left open), a
value, and whether it is said to hold. Two claims of one key cannot both hold where both hold with
values that exclude each other, or where of one value one holds and the other does not. So the rules
need no pairs: memories are read one by one, and only those that share a key are compared.

Rules of grammar and small vocabularies, English and Chinese; no model. They leave out what they are
not sure of: questions, guesses, wishes, reported speech, the past, pronouns of unknown reference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple

SENTENCES_MAX = 24  # of a memory are read
SENTENCE_CHARACTERS = 200  # a longer one is no plain statement
_CJK: Final = re.compile(r"[㐀-鿿]")
_KANA: Final = re.compile(r"[぀-ヿ가-힣]")
_SPLIT: Final = re.compile(r"(?<=[.!?。！？])(?=\s|[㐀-鿿]|$)\s*|[\n;；]+")
_SAID_BY: Final = re.compile(r"^(user|assistant|[A-Z][\w-]{0,24}): ")


class Claim(NamedTuple):
    """One statement. `subject` and `attribute` say what it is about, in words."""

    key: tuple[str, ...]
    value: str
    holds: bool
    rule: str
    subject: str
    attribute: str | None


# How sure a rule is, as an order rather than a probability: a plain denial of the same words is
# surer than two values of a relation, and that than two words that exclude each other.
SCORES: Final = {
    "denial": 1.0, "relation": 0.9, "attribute": 0.9, "number": 0.85, "time": 0.85, "taste": 0.8,
    "opposites": 0.8, "preference": 0.7,
}  # fmt: skip


def claims(text: str, speaker: str | None = None, user_id: str | None = None) -> list[Claim]:
    """The claims of a memory; `speaker` is who says "I", `user_id` whom "the user" means."""
    text = unicodedata.normalize("NFKC", text.replace("’", "'")).strip()
    said = _SAID_BY.match(text)
    if said:
        speaker, text = said[1], text[said.end() :]
    me = (speaker or "user").casefold()
    if me in ("user", "human", "用户", "我"):
        me = "user"
    return list(_named(text, me, user_id))


def _named(text: str, me: str, user_id: str | None) -> Iterator[Claim]:
    from sqlagent.memory import claims_chinese, claims_english

    for sentence in _SPLIT.split(text)[:SENTENCES_MAX]:
        sentence = sentence.strip()
        if not 3 <= len(sentence) <= SENTENCE_CHARACTERS or sentence[-1] in "?？":
            continue
        if not _CJK.search(sentence):
            found = claims_english.read(sentence, me)
        elif not _KANA.search(sentence):
            found = claims_chinese.read(sentence, me)
        else:
            continue
        for claim in found:
            if claim.subject == "user" and user_id:
                claim = claim._replace(key=(*claim.key, user_id))
            yield claim


def exclude(a: str, b: str) -> bool:
    """Whether two values of one key cannot both be: neither is a part of the other."""
    if a == b:
        return False
    if ":" in a and ":" in b and (a[-1] == "?" or b[-1] == "?"):  # a time without am or pm
        return _minutes(a) % 720 != _minutes(b) % 720
    if _CJK.search(a) or _CJK.search(b):
        return a not in b and b not in a
    first, second = set(a.split()), set(b.split())
    if first <= second or second <= first:
        return False
    dates = "-" in a and "-" in b and a[-1:].isdigit()
    return not (dates and (a.endswith(b) or b.endswith(a)))  # one may lack the year


def _minutes(value: str) -> int:
    hour, _, minute = value.rstrip("?").partition(":")
    return 60 * int(hour) + int(minute)


def cannot_both_hold(a: Claim, b: Claim) -> bool:
    """Whether two claims of one key contradict each other."""
    if a.holds and b.holds:
        return bool(a.value) and exclude(a.value, b.value)
    return a.holds != b.holds and a.value == b.value
