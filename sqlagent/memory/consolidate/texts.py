"""Texts as they are compared: which words of one must be in the other for both to say the same.

Nothing here understands a text. So whatever could make a difference counts: a number, a name, a
preposition, a negation, the order of the words. Only case, punctuation, spaces and a few words that
change no fact are passed over; `sqlagent.memory.duplicates` reads a text so, for every new one too.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sqlagent.memory import duplicates
from sqlagent.memory.duplicates import Reading

CJK: Final = "\u2e80"
# Words that a sentence may have or lack and still say the same, beside those that are not read.
_SOFT: Final = "my our this too also simply wow so is am are s 的 啊 呀 哦 嗯 呢 嘛 ね よ"
_TURNS: Final = """
    no not never nor none nothing nobody neither without except unless if but only hardly barely
    almost nearly stop stopped quit former formerly maybe perhaps might may could would should
    was were been will had has have did can used wants want plans plan
    instead against deny denied refuse refused fail failed cancel cancelled canceled
    不 没 沒 未 无 無 非 别 別 莫 勿 否 除 若 假 如 戒 停 曾 前 可 能 或 也 又 再 才 只 仅
    一 二 两 兩 三 四 五 六 七 八 九 十 百 千 万 萬 亿 億 半 年 月 日 号 時 时 周 週 星 期"""
SOFT: Final = frozenset(_SOFT.split())
# Words that must not be the difference between two texts, however long these are.
TURNS: Final = frozenset(_TURNS.split())
_SENTENCE: Final = re.compile(
    r"[^.!?…。！？\n]+(?:\.(?=\d)[^.!?…。！？\n]*)*[.!?…。！？]*[\"'”’」』)）]*"
)
WORDS_MAX: Final = 400  # of a text are compared; a longer one only with its like, letter by letter


class Said(NamedTuple):
    """A text as it is compared: as it was read, and its words that count, in order."""

    read: Reading
    hard: tuple[str, ...]

    @property
    def form(self) -> tuple[object, ...]:
        """What is equal in texts that say the same."""
        if len(self.hard) > WORDS_MAX:
            return (self.read.fold,)
        return self.hard, self.read.hard, self.read.fold.endswith("?")


def said(text: str) -> Said:
    """A text as it is compared; of one that is all marks its letters as they are."""
    read = duplicates.read(text)._replace(features=frozenset())  # they are not looked at here
    return Said(read, tuple(u for u in read.units if u not in SOFT) or (read.fold or text,))


# Words that mean another day whenever they are said.
_DEIXIS: Final = re.compile(
    r"\b(?:today|yesterday|tomorrow|tonight|now|currently|ago"
    r"|(?:this|last|next) (?:morning|afternoon|evening|night|week|weekend|month|year|time"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day|spring|summer|autumn|fall|winter))\b"
    r"|[今昨明前后後][天晚早日年]|去年|[上下这這本](?:个|個)?(?:周|週|星期|礼拜|禮拜|月)|刚才|剛才|现在|現在"
    r"|今朝|来週|先週|来月|先月",
    re.IGNORECASE,
)


def deictic(text: str) -> bool:
    """Whether a text tells its time by when it was said: "this morning", 昨天."""
    return _DEIXIS.search(text) is not None


_NAME: Final = re.compile(r"(?<=[^\W_,;:)\"'] )[^\W\d_][\w'’]*")
_FIGURE: Final = re.compile(r"\d+(?:[.,:/-]\d+)*")


def specifics(text: str) -> set[str]:
    """The figures of a text, and its words with a capital that do not begin a sentence, folded."""
    names = (w for w in _NAME.findall(text) if w[0].isupper() and w.split("'")[0] != "I")
    return {w.split("'")[0].split("’")[0].casefold() for w in names} | set(_FIGURE.findall(text))


def turns(word: str) -> bool:
    """Whether a word that one text has and the other lacks makes them say different things."""
    return word in TURNS or not word[0].isalpha()


def sentences(text: str) -> list[tuple[int, int]]:
    """Position and length, in characters, of each sentence of a text, without outer spaces."""
    out = []
    for found in _SENTENCE.finditer(text):
        start, end = found.span()
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        if any(c.isalnum() for c in text[start:end]):
            out.append((start, end - start))
    return out
