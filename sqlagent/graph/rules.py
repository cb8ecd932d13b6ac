"""Relations in a text, without a model: what its sentences say of names, and what they name
together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import combinations
from typing import Final, NamedTuple

from sqlagent.graph.names import CHINESE, NAME, Name, found, inner
from sqlagent.memory.claims import claims
from sqlagent.memory.consolidate.texts import sentences
from sqlagent.parse.words import names as words

TOGETHER: Final = "mentioned_with"
NAMES_MAX: Final = 6  # of a sentence that are paired
SENTENCES_MAX: Final = 400  # of a text
SENTENCE_CHARACTERS: Final = 400


class Triple(NamedTuple):
    """A relation with the kinds of its ends, where the rule tells them."""

    subject: str
    predicate: str
    object: str
    subject_kind: str | None = None
    object_kind: str | None = None


# verb → predicate, and the kinds of the two
_VERBS: Final = (
    (r"works? (?:at|for)|worked (?:at|for)", "works_at", "person", "organisation"),
    (r"(?:lives?|lived|resides?) in", "lives_in", "person", "place"),
    (r"(?:is|am|are|was|'s|'m|got) married to|married", "married_to", "person", "person"),
    (r"knows?", "knows", "person", None),
    (r"met", "met", "person", None),
    (r"likes?|loves?|enjoys?", "likes", None, None),
    (r"dislikes?|hates?", "dislikes", None, None),
    (r"owns?", "owns", None, None),
    (r"(?:co-)?founded", "founded", "person", None),
    (r"manages?(?! to\b)", "manages", "person", None),
    (r"leads?|led", "leads", "person", None),
    (r"reports? to", "reports_to", "person", "person"),
    (r"stud(?:y|ies|ied) at|graduated from", "studies_at", "person", "organisation"),
    (r"(?:is|am|are) from|comes? from", "comes_from", "person", "place"),
    (r"(?:is|was) born in", "born_in", "person", "place"),
    (r"(?:is|are|was) (?:based|located|situated) in", "located_in", None, "place"),
    (r"plays?", "plays", None, None),
    (r"speaks?", "speaks", "person", "language"),
    (r"wrote|writes", "wrote", "person", None),
    (r"visited|visits?", "visited", "person", None),
    (r"bought|acquired", "bought", None, None),
    (r"uses?", "uses", None, None),
)  # fmt: skip
_OF: Final = (
    r"(?:is|am|was|'s|'m) (?:the |an? |now )*(?P<noun>[A-Za-z]+(?: [a-z]+)?) (?:of|at) (?:the )?"
)
_VERB: Final = re.compile(
    r"(?<![\w'])(?:" + "|".join(f"(?P<v{i}>{v[0]})" for i, v in enumerate(_VERBS)) + r")\s+"
    + rf"|(?<![\w]){_OF}(?=[A-Z])"
)  # fmt: skip
_SUBJECT: Final = re.compile(
    r"(?P<me>\bI)(?:\s+(?:also|now|still|currently|really))?\s*$"
    rf"|(?P<name>{NAME})(?:'s)?(?:,? who)?(?:\s+(?:also|now|still|currently|really|both))?\s*$"
    r"|(?P<same>(?:,|\band)(?:\s+(?:she|he|they|also|now|currently|then|and))*)\s*$"
)
_OBJECT: Final = re.compile(
    r"(?:(?:the|an?|his|her|my|their|our|to|with)\s+)*"
    rf"(?:(?P<name>{NAME})|(?P<thing>[a-z][\w'-]*(?: [\w'-]+){{0,3}}))"
)
_STOP: Final = re.compile(
    r"\b(?:and|but|or|because|since|when|while|with|in|on|at|for|to|of|from|by|every|very|so|as|"
    r"after|before|now|again|too|much|a lot|most|who|that|which|where|more|than|is|was|are|if)\b.*"
)
_IS_NAME: Final = re.compile(rf"(?!(?:Looks|Sounds|Feels|Seems|Tastes|Would|I['’]))(?:{NAME})")
_BARE: Final = words(
    "like love enjoy know own play speak use visit manage live work hate dislike reside study "
    "report lead come"
)
_NO_THING: Final = re.compile(
    r"(?:it|him|her|them|you|me|us|this|these|those|that|what|how|when|not|being|going|the|one|all|"
    r"each|everyone|everything|something|someone|nothing|anything|also|really|just|\w+'s|\w+'re|check|"
    r"see|hear|know|get|makes?)\b"
)
_UNSURE: Final = re.compile(
    r"\b(?:if|might|could|would|maybe|perhaps|whether|wants?|hopes?|unless|pretends?|not|never"
    r"|\w+n't)\b|如果|可能|也许|是否|不知道|没有",
    re.I,
)
# What follows a Chinese name; o2 is the other one, where it stands before the verb.
_CHINESE: Final = (
    (r"认识(?:了)?", "认识"),
    (r"(?:和|与|跟)(?P<o2>[一-鿿]{2,3}?)(?:已经|已)?结(?:了)?婚", "结婚"),
    (r"(?:嫁给|娶)(?:了)?", "结婚"),
    (r"创(?:立|办)(?:了)?", "创立"),
    (r"(?:毕业于|就读于)", "就读于"),
)
_ROLE: Final = re.compile(r"是(?P<o>[一-鿿]{2,3}?)的(?P<r>[一-鿿]{2,4}?)(?:$|[，。！；,.])")
_CHINESE_THING: Final = re.compile(r"[一-鿿\w]{2,12}")


def triples(text: str, speaker: str | None = None, user_id: str | None = None) -> list[Triple]:
    """The relations of a text, each once; `speaker` is who says "I", `user_id` the user."""
    text = unicodedata.normalize("NFKC", text.replace("’", "'"))
    me = speaker or user_id or "user"
    known = inner(text)
    out: dict[tuple[str, str, str], Triple] = {}
    for start, length in sentences(text)[:SENTENCES_MAX]:
        sentence = text[start : start + length].strip()
        if length > SENTENCE_CHARACTERS:
            continue
        said = list[Triple]()
        if sentence[-1:] not in ("?", "？"):
            if not _UNSURE.search(sentence):
                said += [*_english(sentence, me), *_chinese(sentence)]
            pairs = {(t.subject.casefold(), t.object.casefold()) for t in map(_tidy, said)}
            said += [  # the same words read twice are one relation
                t
                for t in map(_tidy, _claimed(sentence, me, speaker, user_id))
                if (t.subject.casefold(), t.object.casefold()) not in pairs
            ]
        for triple in said:
            triple = _tidy(triple)
            key = (triple.subject.casefold(), triple.predicate, triple.object.casefold())
            if key[0] != key[2] and triple.subject and triple.object:
                out.setdefault(key, triple)
        tied = {frozenset((t.subject.casefold(), t.object.casefold())) for t in said}
        for a, b in _together(sentence, known, tied):
            first, second = sorted((a, b), key=lambda n: n.text)
            triple = Triple(first.text, TOGETHER, second.text, first.kind, second.kind)
            out.setdefault((first.text.casefold(), TOGETHER, second.text.casefold()), triple)
    return list(out.values())


def _tidy(triple: Triple) -> Triple:
    return triple._replace(
        subject=triple.subject.strip(" .,'"), object=triple.object.strip(" .,;:!'")[:80]
    )


def _english(sentence: str, me: str) -> Iterator[Triple]:
    """`X works at Y and lives in Z`: verbs between names, the subject carried on."""
    subject: str | None = None
    for verb in _VERB.finditer(sentence):
        before = _SUBJECT.search(sentence[: verb.start()])
        if before is None:
            continue
        if before["name"]:
            subject = None if _bare(verb[0]) else _named(before["name"])
        elif before["me"]:
            subject = me
        thing = _OBJECT.match(sentence, verb.end())
        if subject is None or thing is None:
            continue
        name = thing["name"]
        if name is not None:
            name = _named(name)
            if name is None:
                continue
        else:
            name = _STOP.sub("", thing["thing"] or "").strip()
            if not name or _NO_THING.match(name):
                continue
        if verb["noun"]:
            yield Triple(subject, verb["noun"].lower().replace(" ", "_") + "_of", name)
            continue
        _, predicate, first, second = next(
            v for i, v in enumerate(_VERBS) if verb[f"v{i}"] is not None
        )
        if second == "place" and not thing["name"]:
            continue
        yield Triple(subject, predicate, name, first, second)


def _bare(verb: str) -> bool:
    """Whether a verb is not in its third person: "Sounds like", "Looks like fun"."""
    first = verb.split()[0]
    return first in _BARE


def _named(text: str) -> str | None:
    """A subject without what opens its sentence; None where nothing is left."""
    names = found("· " + text, frozenset((text,)))
    return names[-1].text if names else None


def _chinese(sentence: str) -> Iterator[Triple]:
    """Two people, or one and what he founded."""
    for match in CHINESE.finditer(sentence):
        rest = sentence[match.end() :]
        for pattern, predicate in _CHINESE:
            verb = re.match(pattern, rest)
            if verb is None:
                continue
            if "o2" in verb.re.groupindex:
                yield Triple(match[0], predicate, verb["o2"], "person", "person")
                continue
            after = rest[verb.end() :]
            who = CHINESE.match("，" + after, 1)
            thing = who or _CHINESE_THING.match(re.split(r"[，。！？、；的]", after)[0])
            if thing:
                yield Triple(match[0], predicate, thing[0], "person", "person" if who else None)
        role = _ROLE.match(rest)
        if role:
            yield Triple(match[0], role["r"], role["o"], "person", "person")


_KINDS: Final = {
    "works_at": "organisation", "lives_in": "place", "住在": "place", "工作于": "organisation",
}  # fmt: skip


def _claimed(sentence: str, me: str, speaker: str | None, user_id: str | None) -> Iterator[Triple]:
    """What the rules for contradictions read: homes, jobs, attributes and tastes."""
    english = sentence.isascii()
    for claim in claims(sentence, speaker, user_id):
        if claim.rule not in ("relation", "attribute", "taste") or claim.attribute is None:
            continue
        own = (speaker or "user").casefold()
        subject = me if claim.subject in ("user", own) else _as_written(sentence, claim.subject)
        value, predicate = claim.value, claim.attribute.replace(" ", "_").removeprefix("is_")
        if claim.rule == "taste":
            value = claim.key[2]
            if not claim.holds:
                predicate = "dislikes" if english else "不喜欢"
        elif not claim.holds:
            continue
        object = _as_written(sentence, value) if value else None
        if not subject or not object or subject == claim.attribute:
            continue
        if english and subject != me and not _IS_NAME.fullmatch(subject):
            continue
        if english and (" and " in object or len(object.split()) > 5):
            continue
        yield Triple(subject, predicate, object, None, _KINDS.get(predicate))


def _as_written(sentence: str, text: str) -> str | None:
    """A folded text with the sentence's own spelling; a stem with its ending; None if not there."""
    match = re.search(re.escape(text) + r"[a-z]{0,3}", sentence, re.I)
    return match[0] if match else None


def _together(
    sentence: str, known: frozenset[str], tied: set[frozenset[str]]
) -> Iterator[tuple[Name, Name]]:
    """The pairs of names of a sentence that no rule has tied."""
    names = list({n.text.casefold(): n for n in found(sentence, known)}.values())[:NAMES_MAX]
    for a, b in combinations(names, 2):
        if frozenset((a.text.casefold(), b.text.casefold())) not in tied:
            yield a, b
