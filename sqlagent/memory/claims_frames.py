"""English statements in a frame: denials, and numbers, times and opposites after the verb."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sqlagent.memory.claim_words import DAYS, EXCLUSIVE, MONTHS, NUMBERS, words
from sqlagent.memory.claims import Claim

BE: Final = words("is are am")
_PIVOTS: Final = BE | words("""
has have costs cost starts start begins begin ends end opens open closes close takes take lasts last
weighs weigh measures contains contain holds hold leaves leave departs depart arrives arrive earns
earn pays pay charges wakes wake sleeps sleep needs need requires require expires expire stands sits
sit runs owns own lives live drinks drink eats eat smokes owes charge totals covers wears
""")
_TIMED: Final = BE | words("""
starts start begins begin ends end opens closes leaves departs arrives expires takes wakes wake
""")
# May stand between such a verb and a time that there is one of.
_TO_TIME: Final = words("""
on at by for in due scheduled set planned moved to from next this the of place held booked up
rescheduled postponed been every day daily o'clock
""")
PRONOUNS: Final = words(
    "he she it they this that these those who which what there we you one someone"
)
VERBS: Final = words("is are am was were has have had do does did will can may must born not never")
ARTICLES: Final = words("a an the any some no")


def subject_of(text: str) -> str | None:
    """A subject without its article; None for a clause, and for whom nobody knows."""
    parts = text.split()
    if parts and parts[0] in ("the", "a", "an"):
        parts = parts[1:]
    if parts[:2] == ["we", "'s"]:
        parts = ["our", *parts[2:]]
    if parts == ["we"]:
        return "our"
    if not parts or len(parts) > 6 or VERBS.intersection(parts) or "," in parts:
        return None
    return None if PRONOUNS.intersection(parts) or "and" in parts else " ".join(parts)


def stem(token: str) -> str:
    """A word without the ending of a plural or of he, she, it."""
    if len(token) < 4 or not token.endswith("s") or token.endswith(("ss", "us", "is")):
        return {"has": "have", "does": "do", "is": "be", "are": "be", "am": "be"}.get(token, token)
    if token.endswith("ies"):
        return token[:-3] + "y"
    if token.endswith(("ches", "shes", "sses", "xes", "zes", "oes")):
        return token[:-2]
    return token[:-1]


def denial(tokens: list[str]) -> Iterator[Claim]:
    """The sentence with its negation taken out: who denies it says the same otherwise."""
    frame, denied, past, on_day = [], 0, False, False
    for n, token in enumerate(tokens):
        if token in ("not", "never", "neither", "without") or (token == "no" and n):
            denied += 1
        elif token in ("do", "does", "did") and tokens[n + 1 : n + 2] in (["not"], ["never"]):
            past |= token == "did"
        elif token not in ARTICLES and token != "'s" and token != ",":
            on_day |= token in DAYS or token in MONTHS or token[0].isdigit()
            frame.append(stem(token))
    if denied > 1 or len(frame) < 2:
        return
    if denied == 0 and on_day:
        done = tuple(t[:-2] if t.endswith("ed") and len(t) > 4 else t for t in frame)
        if done != tuple(frame):
            yield Claim(("did", *done), "", True, "denial", frame[0], None)
    if past:
        if on_day:
            yield Claim(("did", *frame), "", False, "denial", frame[0], None)
        return
    if "be" in frame or not {"was", "were", "had"}.intersection(frame):
        yield Claim(("denial", *frame), "", not denied, "denial", frame[0], None)
    if frame[-2:] in (["be", "vegetarian"], ["be", "vegan"]) and not denied:
        meat = ("denial", *frame[:-2], "eat", "meat")
        yield Claim(meat, "", False, "denial", frame[0], None)


def framed(tokens: list[str]) -> Iterator[Claim]:
    """The sentence with its numbers, times and exclusive words after the verb left open."""
    pivot = next((n for n, t in enumerate(tokens) if n and t in _PIVOTS), None)
    if pivot is None or pivot + 1 >= len(tokens) or tokens[pivot - 1] == "and":
        return
    if subject_of(" ".join(tokens[:pivot])) is None or "and" in tokens[pivot:]:
        return
    head = [t for t in tokens[:pivot] if t not in ARTICLES]
    verb, rest = tokens[pivot], tokens[pivot + 1 :]
    if verb in _TIMED:
        moments, used = _moments(rest)
        if moments and used == len(rest):
            for kind, value in moments.items():
                key = ("time", kind, *head, stem(verb))
                yield Claim(key, value, True, "time", " ".join(head), stem(verb))
            return
    frame, numbers, opposites, numeric = [], [], [], False
    skip = False
    for n, token in enumerate(rest):
        if skip:
            skip = False
            continue
        amount = 0 if token == "no" and not n and verb in ("has", "have") else NUMBERS.get(token)
        if token[0] in "$€£¥" or token[0].isdigit():
            if token.count("-") == 2 or ":" in token:
                return
            symbol = token[0] if token[0] in "$€£¥" else ""
            frame.append("#" + symbol)
            numbers.append(token.lstrip("$€£¥ ").replace(",", "").rstrip("."))
            numeric = True
        elif amount is not None:
            frame.append("#")
            numbers.append(str(amount))
            numeric = True
        elif token in DAYS or (token in MONTHS and token != "may"):
            return  # both may be, on different days
        elif token in EXCLUSIVE and verb in (*BE, "has", "have"):
            if n and rest[n - 1] not in (*ARTICLES, *_TO_TIME, "painted", "colored", "coloured"):
                frame.append(token)  # "a big red car" says more than that
                continue
            name, word = EXCLUSIVE[token]
            frame.append("<" + name + ">")
            opposites.append(word)
        elif token not in ARTICLES:
            frame.append(stem(token))
    if bool(numeric) == bool(opposites):
        return
    indefinite = verb in ("has", "have") and rest[0] in ("a", "an")
    if indefinite or (opposites and len(frame) > 3):
        return
    rule = "number" if numeric else "opposites"
    key = (rule, *head, stem(verb), *frame)
    yield Claim(key, " / ".join(numbers or opposites), True, rule, " ".join(head), stem(verb))


def _moments(rest: list[str]) -> tuple[dict[str, str], int]:
    """The day, date and time that a verb's complement consists of, and how many words they take."""
    found: dict[str, str] = {}
    n = 0
    while n < len(rest):
        token, following = rest[n], rest[n + 1] if n + 1 < len(rest) else ""
        if token in DAYS:
            found["day"] = DAYS[token]
        elif token in MONTHS and re.fullmatch(r"\d{1,2}", following):
            found["date"] = f"{MONTHS[token]:02d}-{int(following):02d}"
            n += 1
        elif re.fullmatch(r"\d{1,2}", token) and following in MONTHS:
            found["date"] = f"{MONTHS[following]:02d}-{int(token):02d}"
            n += 1
        elif re.fullmatch(r"\d{4}-\d\d-\d\d", token):
            found["date"] = token
        elif re.fullmatch(r"\d{4}", token) and "date" in found:
            found["date"] = f"{token}-{found['date']}"
        elif re.fullmatch(r"\d{1,2}:\d\d|\d{1,2}", token) and (
            rest[n - 1] in ("at", "from", "by", "to", "until", "for", "up")
            or following in ("am", "pm")
        ):
            hour, _, minute = token.partition(":")
            sure = following in ("am", "pm") or int(hour) > 12
            late = 12 if following == "pm" and int(hour) < 12 else 0
            found["hour"] = f"{int(hour) + late}:{minute or '00'}" + ("" if sure else "?")
            n += following in ("am", "pm")
        elif token in MONTHS and rest[n - 1 : n] == ["in"]:
            found["month"] = str(MONTHS[token])
        elif token in ("noon", "midnight"):
            found["hour"] = "12:00" if token == "noon" else "0:00"
        elif token not in _TO_TIME and token != ",":
            return found, n
        n += 1
    return found, n


def dated(value: str) -> str:
    """A value that is a day, a date or a time alone, in one form; any other as it is."""
    parts = value.split()
    moments, used = _moments(parts)
    return next(iter(moments.values())) if used == len(parts) and len(moments) == 1 else value
