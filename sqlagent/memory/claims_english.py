"""English sentences as claims: relations, attributes, tastes, denials, values in a frame."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from sqlagent.memory.claim_words import (
    ONE_OF_EACH,
    PEOPLE,
    TYPED_ONLY,
    WIDE,
    words,
)  # fmt: skip
from sqlagent.memory.claims import Claim
from sqlagent.memory.claims_frames import (
    ARTICLES,
    PRONOUNS,
    VERBS,
    dated,
    denial,
    framed,
    stem,
    subject_of,
)  # fmt: skip

TOKENS_MAX = 24
_TOKEN: Final = re.compile(
    r"\d{4}-\d\d-\d\d|\d{1,2}:\d\d|[$€£¥]\s?\d[\d,]*(?:\.\d+)?|\d[\d,]*(?:\.\d+)?|'s\b"
    r"|[^\W\d_](?:[\w-]|'(?!s\b))*|[,/&%°]"
)
FULL: Final = {"can": "can", "won": "will", "shan": "shall"}
_SHORT: Final[tuple[tuple[re.Pattern[str], Any], ...]] = (
    (re.compile(r"\b(can|won|shan)n?'t\b", re.I), lambda m: FULL[m[1].lower()] + " not"),
    (re.compile(r"\bcannot\b", re.I), "can not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(it|that|he|she|there|what|here)'s\b", re.I), r"\1 is"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"\b(dr|mr|mrs|ms|st)\.", re.I), r"\1"),
    (re.compile(r"\ba\.m\.", re.I), "am"),
    (re.compile(r"\bp\.m\.", re.I), "pm"),
    (re.compile(r"\b(meat)[- ](?:eater|lover)\b", re.I), "carnivore"),
    (re.compile(r"\bno longer\b|\bnot any ?more\b", re.I), "not"),
    (re.compile(r"\bwill be\b"), "is"),
    (re.compile(r"\b(?:was|has been|got) (moved|rescheduled|postponed|scheduled|set|planned)\b"),
     r"is \1"),
    (re.compile(r"(\d)(?:st|nd|rd|th)\b"), r"\1"),
)  # fmt: skip

# What makes a sentence no plain statement of what is so now.
_SPELT: Final = {"favorite": "favourite", "color": "colour", "colored": "coloured"}
_UNSURE: Final = words("""
if maybe perhaps might could would should wants want wanted hope hopes hoped plan plans planned
planning considering consider think thinks thought believe believes said say says told asked wonder
whether unless probably used formerly previously once ago imagine dreamed pretend almost sometimes
either guess guesses seems seem sounds suppose wish wishes until till except unlike instead rather
rarely seldom hardly occasionally unsure doubts doubt possibly apparently allegedly supposedly
""")
_VAGUE: Final = words(
    "about around approximately roughly nearly least most over under more less than"
)
_ALSO: Final = words("also too another additionally both second other")
_ADVERBS: Final = words("""
now currently presently still really very actually just already quite always absolutely definitely
totally mostly nowadays anymore today's finally recently meanwhile well yes yeah no so but oh hey hi
okay ok truly simply much completely especially greatly permanently temporarily officially
""")
# There may be several of them, each with a name, a home and a trade.
_MANY: Final = words("""
sister brother friend cousin uncle aunt son daughter child kid colleague coworker neighbor neighbour
teacher classmate roommate student client customer nephew niece grandmother grandfather grandson
relative teammate pet somebody people user's guy man woman girl boy
""")
# What is in one place, so two towns exclude each other; of people it says where they are today.
_SITES: Final = words("""
office headquarters company shop store factory house flat apartment school university hospital hotel
warehouse server branch conference wedding event museum clinic studio restaurant home lab datacenter
""")
_RELATION: Final = re.compile(
    r"^(?P<s>.{1,50}?) (?:"
    r"(?P<home>lives?|reside?s?|(?:is|am) living|(?:is|am) based|(?:has|have) (?:moved|relocated)"
    r"|moved|relocated|(?:has|have) settled) (?:in|to|at|on)"
    r"|(?P<job_at>works?|(?:is|am) working|(?:is|am) employed) (?:at|for|by)"
    r"|(?P<job_in>works?|(?:is|am) working) in"
    r"|(?P<job>works?|(?:is|am) working|(?:is|am) employed) as"
    r"|(?P<name>(?:is|am) (?:called|named)|goes by)"
    r"|(?P<born>(?:was|were|is) born) (?:in|on)"
    r"|(?P<died>died) in"
    r"|(?P<founded>was (?:founded|built|established|released|published)) in"
    r"|(?P<study>stud(?:y|ies)|(?:is|am) studying) at"
    r"|(?P<from>(?:is|am) (?:originally )?from|comes? from|hails? from)"
    r"|(?P<married>(?:is|am) (?:married|engaged) to)"
    r"|(?P<boss>reports? to)"
    r"|(?P<site>is) in"
    r"|(?P<where>(?:is|am|are) (?:located|situated|kept|stored|parked|hidden)) (?:in|at|on|under)"
    r") (?P<v>.+)$"
)
_ATTRIBUTE: Final = re.compile(
    r"^(?:(?P<s>my|the|.{1,40}? 's) (?P<a>[^,]{2,40}?)|the (?P<b>[^,]{2,30}?) of (?P<o>.{2,40}?))"
    r" (?:is|am)(?: called| named)? (?P<v>.+)$"
)
_TASTE: Final = re.compile(
    r"^(?P<s>.{1,40}?) (?:(?P<no>(?:do|does|can) not (?:like|love|enjoy|stand|bear)"
    r"|never (?:likes?|enjoys?)|not (?:likes?|loves?|enjoys?)|hates?|dislikes?|detests?|loathes?"
    r"|(?:is|am) not (?:fond|a fan) of)|(?P<yes>likes?|loves?|enjoys?|adores?"
    r"|(?:is|am) (?:fond|a (?:big |great )?fan) of)) (?P<v>.+)$"
)
_PREFERS: Final = re.compile(r"^(?P<s>.{1,40}?) prefers? (?P<v>.+?)(?: (?:to|over) (?P<w>.+))?$")
_CUT: Final = re.compile(
    r" (?:,|because|since|with|which|who|whose|where|and (?:he|she|i|they|has|is|works|lives|likes)"
    r"|but|while|although|as well|near|for (?:\d+|many|several|the last|years)|together|alone)"
    r"(?: .*|$)"
)
_SEASON: Final = re.compile(
    r" (?:(?:in (?:the )?(?:summer|winter|spring|autumn|fall)|on (?:weekends?|weekdays)|during|when"
    r"|part of|half of|before|after|in \d{4}).*)$"
)  # fmt: skip


def read(sentence: str, me: str) -> Iterator[Claim]:
    """The claims of one sentence; `me` is whom "I" means."""
    text = sentence.strip(' .!"')
    for pattern, full in _SHORT:
        text = pattern.sub(full, text)
    cased = _TOKEN.findall(text)
    tokens = [t.lower() for t in cased]
    if not 2 <= len(tokens) <= TOKENS_MAX or _UNSURE.intersection(tokens):
        return
    keep = [n for n, t in enumerate(tokens) if t not in _ADVERBS or (t == "no" and n)]
    while keep and tokens[keep[0]] in (",", "and"):
        keep.pop(0)
    cased, tokens = [cased[n] for n in keep], [tokens[n] for n in keep]
    if len(tokens) < 2 or tokens[0] in PRONOUNS or tokens[0] in ("his", "her", "their", "its"):
        return
    tokens = [me if t == "i" else t for t in tokens]
    if tokens[0] == "the" and tokens[1] == "user":
        tokens, cased = tokens[1:], cased[1:]
    tokens = [_SPELT.get(t, t) for t in tokens]
    if tokens[0] == "our":
        tokens[:1], cased[:1] = ["we", "'s"], ["we", "'s"]
    if tokens[0] == "my":
        tokens[:1], cased[:1] = [me, "'s"], [me, "'s"]
    upper = {t.lower() for t in cased if t[0].isupper()} if sentence.lower() != sentence else None
    yield from denial(tokens)
    line = " ".join(tokens)
    also = bool(_ALSO.intersection(tokens))
    taste = _TASTE.match(line)
    if taste:
        yield from _tastes(taste)
    if "not" in tokens or "never" in tokens or also:
        return
    if " prefer" in line:
        yield from _preference(line)
    if _VAGUE.intersection(tokens):
        return
    yield from _relations(line, upper)
    if " is " in line:
        yield from _attributes(line, upper)
    yield from framed(tokens)


def _value(text: str) -> tuple[str, str]:
    """A value without what only explains it, and what restricts when it holds."""
    text = _CUT.sub("", f" {text}")[1:]
    season = _SEASON.search(text)
    when = season[0].strip() if season else ""
    value = text[: season.start()] if season else text
    return " ".join(t for t in value.split() if t not in ("the", ",")), when


def _relations(line: str, upper: set[str] | None) -> Iterator[Claim]:
    found = _RELATION.match(line)
    subject = subject_of(found["s"]) if found else None
    if found is None or subject is None or subject.split()[-1] in _MANY:
        return
    relation = next(n for n, v in found.groupdict().items() if v and n not in ("s", "v"))
    value, when = _value(found["v"])
    if not value or (relation == "site" and subject.split()[-1] not in _SITES):
        return
    value = dated(value)
    kind = _kind(value, upper, relation)
    attribute = {"home": "lives in", "job_at": "works at", "job_in": "works in", "job": "works as",
                 "name": "is called", "born": "was born in", "study": "studies at",
                 "from": "comes from", "married": "is married to", "boss": "reports to",
                 "where": "is kept in", "died": "died in",
                 "founded": "since", "site": "is in"}[relation]  # fmt: skip
    if relation == "home" and "moved" in (found["home"] or ""):
        kind += " moved" if kind == "lower" else ""
    key = ("relation", subject, attribute, kind, when)
    yield Claim(key, value, True, "relation", subject, attribute)


def _kind(value: str, upper: set[str] | None, relation: str) -> str:
    """Values of different kinds may both be: a town and its country, a town and a flat."""
    first = value.split()[0]
    if first in ("a", "an", "her", "his", "my", "their"):
        return "some"
    if first[0].isdigit():
        return "date" if "-" in first else "year" if len(first) == 4 else "number"
    if WIDE.intersection(value.split()) and len(value.split()) <= 2:
        return "wide"
    if relation in ("home", "job_in", "job_at", "from", "study", "site"):
        return "name" if upper is None or first in upper else "lower"
    return "name"


def _attributes(line: str, upper: set[str] | None) -> Iterator[Claim]:
    found = _ATTRIBUTE.match(line)
    if found is None:
        return
    owner = found["o"] if found["b"] else "" if found["s"] == "the" else found["s"][:-3]
    subject = subject_of(owner) if owner else ""
    attribute = found["b"] or found["a"]
    value, when = _value(found["v"])
    if subject is None or not value or VERBS.intersection(attribute.split()):
        return
    if " of " in attribute and not owner:
        attribute, _, owner = attribute.partition(" of ")
        subject = subject_of(owner)
        if subject is None:
            return
    noun = attribute.split()[-1]
    favourite = "favourite" in attribute
    if not favourite and (noun not in ONE_OF_EACH or noun in TYPED_ONLY):
        return
    first = value.split()[0]
    if first in ("in", "on", "at", "of", "to", "for", "from", "by", "as", "like", "being", "so"):
        return
    if noun in PEOPLE and upper is not None and first not in upper:
        return
    rest = " ".join(value.split()[1:]) if first in ("a", "an") else value
    rest = dated(rest)
    key = ("attribute", subject, attribute, when)
    yield Claim(key, rest or value, True, "attribute", subject or noun, attribute)


def _thing(text: str) -> str:
    """What is liked, in one form: "to swim" and "swimming", "a cat" and "cats"."""
    parts = [t for t in text.split() if t not in ARTICLES and t not in ("to", "lot", "all", "at")]
    if parts and parts[0].endswith("ing") and len(parts[0]) > 5:
        parts[0] = parts[0][:-3].rstrip("e")
        if parts[0][-2:-1] == parts[0][-1:] and parts[0][-1:] not in "ls":
            parts[0] = parts[0][:-1]
    return " ".join(stem(t).rstrip("e") for t in parts)


def _tastes(found: re.Match[str]) -> Iterator[Claim]:
    subject = subject_of(found["s"])
    if subject is None:
        return
    text = _CUT.sub("", f" {found['v']}")[1:]
    for part in re.split(r" (?:and|or|nor|&|,(?: (?:and|or))?) ", text)[:6]:
        thing = _thing(part)
        if thing and thing not in PRONOUNS and "," not in thing:
            key = ("taste", subject, thing)
            yield Claim(key, "", bool(found["yes"]), "taste", subject, "likes")


def _preference(line: str) -> Iterator[Claim]:
    found = _PREFERS.match(line)
    subject = subject_of(found["s"]) if found else None
    if found is None or subject is None:
        return
    value = _thing(_value(found["v"])[0])
    if found["w"]:
        other = _thing(_value(found["w"])[0])
        pair = " ".join(sorted((value, other)))
        yield Claim(("prefers", subject, pair), value, True, "preference", subject, "prefers")
    elif " " in value:
        key = ("prefers", subject, value.split()[-1], "")
        yield Claim(key, value, True, "preference", subject, "prefers")
