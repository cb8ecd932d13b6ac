"""What in a text looks like a secret: keys, tokens, passwords, private keys, card numbers.

Each pattern is one that its issuer documents (a prefix and a length), or a word such as "password"
with a value that no sentence would have in its place. A finding says the kind and where, never
what.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Finding(NamedTuple):
    """What was found, and where: from `start` to `end`, in characters."""

    kind: str
    start: int
    end: int


_ISSUED = re.compile(
    r"(?P<private_key>-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)"
    r"|\b(?P<api_key>(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{22,}|glpat-[\w-]{20,}|npm_[A-Za-z0-9]{36}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}|AIza[\w-]{35}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|sk-(?:[a-z]{2,12}\d{0,2}-)*[A-Za-z0-9_]{20,}|hf_[A-Za-z]{30,}|SG\.[\w-]{16,}\.[\w-]{16,}"
    r"|dop_v1_[0-9a-f]{64}|pypi-[\w-]{50,})"
    r"|\b(?P<token>eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}|[Bb]earer\s+(?=\S*\d)[\w.~+/-]{20,}=*)"
)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]*:(?P<value>[^\s/@]{3,})@[\w.-]+", re.I)
_NAMED = re.compile(
    r"\b(?P<name>pass(?:word|wd|code|phrase)|pwd|pin(?:[ -]?code)?"
    r"|(?:wi-?fi|door|access|entry) code"
    r"|(?:api|secret|access|private|encryption|licen[cs]e)[_ -]?key|client[_ -]?secret"
    r"|(?:access|auth|api|bearer|refresh|bot)[_ -]?token|secret|token)s?\b"
    r"(?:[ \t]+(?:for|of|to|on)(?:[ \t]+[\w'’.-]+){1,4}?)?"
    r"[\"'*`]*[ \t]*(?P<sign>=>|:=|[:=：]|\bis\b(?:[ \t]+now\b)?|\bwas changed to\b|\bto\b"
    r"|\bcontraseña es\b)[ \t]*(?P<quote>[\"'“‘`*]*)(?P<value>[^\s\"'“”’`]{4,})",
    re.I,
)
_NAMED_EAST = re.compile(
    r"(?:密码|密碼|口令|密钥|密鑰|令牌|パスワード|暗証番号|合言葉|비밀번호|암호)"
    r"[^\s，。；,;:：=]{0,6}?\s*(?:改成了?|改为|设为|设成|是|为|為|は|는|은|[:：=])\s*"
    r"(?P<quote>[\"'“「‘]?)(?P<value>[!-~]{4,}|(?<=[\"“「])[^\s”」\"]{2,}(?=[”」\"]))"
)
_CARD = re.compile(r"(?<![\d.-])(?:\d[ -]?){12,18}\d(?![\d-])")
_ISSUERS = re.compile(r"4|5[1-5]|2[2-7]|3[47]|35|6(?:011|2|4[4-9]|5)")
_MARKS_EAST = ("密", "口令", "令牌", "パスワ", "暗証", "合言葉", "비밀", "암호")
_NO_VALUES = """
password passwd secret token example changeme your_password yourpassword redacted required null none
true false string undefined expired invalid incorrect wrong hidden missing unknown optional reset
stored hashed encrypted forgotten changed written rotated
"""
_PLACEHOLDERS = frozenset(_NO_VALUES.split())


def find(text: str) -> Iterator[Finding]:
    """What looks like a secret, in no particular order."""
    for match in _ISSUED.finditer(text):
        yield Finding(str(match.lastgroup), *match.span())
    for match in _URL.finditer(text):
        if _plausible(match["value"]):
            yield Finding("password", *match.span("value"))
    for match in _NAMED.finditer(text):
        value = match["value"].rstrip(".,;:!?)]}")
        if _is_value(match["name"].lower(), match["sign"], match["quote"], value):
            yield Finding(_kind(match["name"]), *match.span("value"))
    if not text.isascii() and any(mark in text for mark in _MARKS_EAST):
        for match in _NAMED_EAST.finditer(text):
            value = match["value"].rstrip(".,;:!?)]}")
            if match["quote"] or (_plausible(value) and (_mixed(value) or len(value) >= 6)):
                yield Finding("password", *match.span("value"))
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _ISSUERS.match(digits) and luhn(digits) and len(set(digits)) > 2:
            yield Finding("card_number", *match.span())


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others: ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _kind(name: str) -> str:
    name = name.lower()
    if "key" in name or "token" in name:
        return "api_key" if "key" in name else "token"
    return "password"


def _plausible(value: str) -> bool:
    """Whether a value is one, and not what stands for it: ***, <password>, ${TOKEN}, required."""
    plain = value.strip("<>[]{}()$%*_x.\"'").lower()
    return len(plain) >= 4 and plain not in _PLACEHOLDERS and value[0] not in "<$%{[("


def _mixed(value: str) -> bool:
    """Whether it has what a word has not: a digit, or a symbol within."""
    return any(c.isdigit() for c in value) or any(c in "!@#$%^&*+=_~" for c in value[1:-1])


def _is_value(name: str, sign: str, quote: str, value: str) -> bool:
    if not _plausible(value):
        return False
    if name.startswith("pin") or name.endswith(" code"):
        return re.fullmatch(r"#?\d{4,8}#?", value) is not None
    if "key" in name or "token" in name or name == "secret":
        # A key of a map or a token of a text has short values; a secret one is long and mixed.
        return len(value) >= 8 and _mixed(value) and re.fullmatch(r"[\d.,%]+", value) is None
    if _mixed(value):
        return True
    return len(value) >= 6 and (sign in ("=", ":", "=>", ":=", "：") or bool(quote.strip("*")))
