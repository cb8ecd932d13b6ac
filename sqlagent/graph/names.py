"""Names in a text, without a model: capitalised sequences, titles in quotes, Chinese names.

Chinese personal names are found by their surnames (the hundred most frequent ones cover 85% of
people) where the words around them say that a name stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlagent.parse.words import names as words

# What opens a sentence or is spelled with a capital, and is no name by itself.
_NONE: Final = words("""
the a an this that these those i you he she it we they my your his her its our their there here
what when where who whom whose why how which if but and or so because as at in on by for from to
with of after before during since while until yes no not please thanks thank hello hi hey ok okay
today yesterday tomorrow tonight now then also just let can could would should will may might must
do does did is are was were be been have has had some many most all every each any another other one
two three four five six seven eight nine ten first second last next more less few both either
neither maybe perhaps well oh ah wow sure great good nice cool yeah sorry dear mr mrs ms dr prof sir
monday tuesday wednesday thursday friday saturday sunday january february march april june july
august september october november december am pm only even still never always often sometimes
i'm i've i'd i'll it's that's there's he's she's we're they're you're don't didn't can't
""")
_LETTERS: Final = "A-Za-z0-9À-ɏ"
_PART: Final = rf"[A-ZÀ-Þ](?:[{_LETTERS}]|['’-](?=[{_LETTERS}]))*(?<!['’]s)"
NAME: Final = rf"{_PART}(?:\s+(?:(?:of|de|da|di|van|von|der|la|le|bin|al)\s+)?{_PART}){{0,3}}"
_NAME: Final = re.compile(rf"\b{NAME}")
_QUOTED: Final = re.compile(
    r"《([^《》]{1,40})》|“([^“”]{2,40})”|「([^「」]{1,40})」|\"([^\"]{2,40})\""
)
_SURNAMES: Final = (
    "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|[王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董"
    "袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱"
    "严武戴莫孔向汤]"
)
_BEFORE: Final = (
    r"(?:^|(?<=[\s，。！？、；：“”「」（）,.!?和与跟同是叫认识给对向找把被请让替问天日晚早午时]))"
)
_AFTER: Final = (
    r"(?=$|[\s，。！？、；：“”「」（）,.!?]|在|说|是|和|与|跟|同|的|住|喜|讨厌|爱|认识|工作|去|来|有|告诉|也|把|给"
    r"|对|买|教|就|结婚|会|想|今|昨|明|从|嫁|娶|担任|毕业|创|写|养)"
)
CHINESE: Final = re.compile(rf"{_BEFORE}(?:{_SURNAMES})[一-鿿]{{1,2}}?{_AFTER}")
LENGTH_MAX: Final = 80  # characters of a name


class Name(NamedTuple):
    """A name, where it begins and ends in the text, and its kind where that is known."""

    text: str
    start: int
    end: int
    kind: str | None = None


def found(sentence: str, known: frozenset[str] = frozenset()) -> list[Name]:
    """The names of a sentence in order; `known` are names that a first word alone may be."""
    out = list[Name]()
    for name in sorted([*_quoted(sentence), *_chinese(sentence), *_capitals(sentence, known)],
                       key=lambda n: (n.start, -n.end)):  # fmt: skip
        if (not out or name.start >= out[-1].end) and len(name.text) <= LENGTH_MAX:
            out.append(name)
    return out


def inner(text: str) -> frozenset[str]:
    """The names that stand within a sentence of a text: there a capital says that it is one."""
    return frozenset(
        one
        for match in _NAME.finditer(text)
        if match.start() and text[: match.start()].rstrip(" \t\"'“(")[-1:] not in (*".!?\n:", "")
        for one in (match[0], match[0].split()[0])
    )


def _quoted(sentence: str) -> Iterator[Name]:
    for match in _QUOTED.finditer(sentence):
        text = next(t for t in match.groups() if t is not None).strip()
        if text and (text[0].isupper() or match[0][0] == "《"):
            yield Name(text, match.start(), match.end(), "work" if match[0][0] == "《" else None)


def _chinese(sentence: str) -> Iterator[Name]:
    for match in CHINESE.finditer(sentence):
        yield Name(match[0], match.start(), match.end(), "person")


def _capitals(sentence: str, known: frozenset[str]) -> Iterator[Name]:
    opening = len(sentence) - len(sentence.lstrip(" \"'“(-*#>"))
    for match in _NAME.finditer(sentence):
        start, text = match.start(), match[0]
        while text and text.split()[0].lower() in _NONE:
            rest = text[len(text.split()[0]) :].lstrip()
            start += len(text) - len(rest)
            text = rest
        if len(text) < 2 or text.startswith(("I'", "I’")):
            continue
        # A first word has its capital anyway.
        if start == opening and " " not in text and text not in known:
            continue
        yield Name(text, start, start + len(text))
