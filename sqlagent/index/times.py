"""Time in words: whether a text tells a time, whether a question asks for one, and which dates it
names.

English, Chinese, Japanese and Korean. On LoCoMo a fifth of the turns tell a time, but .87 of those
that answer a question of "when", and .44 of those that answer another.
"""

import calendar
import math
import re
from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from .porter import stem
from .rows import Doubles

DAY_S: Final = 86400.0
_FADE_DAYS: Final = 5.0  # what is told of a day is told on it or soon after
_FAR_DAYS: Final = 14.0
_YEAR_ALONE: Final = 0.25
_YEARS_MAX: Final = 100  # so many years of rows are looked through for a day without a year

_ENGLISH: Final = """
    yesterday today tonight tomorrow ago last next since week weekend month year day
    monday tuesday wednesday thursday friday saturday sunday january february march april june july
    august september october november december night morning evening afternoon recently
    spring summer autumn fall winter"""
# Of two characters, as the index holds them.
_ASIAN: Final = """
    昨天 今天 明天 前天 后天 後天 昨晚 今晚 去年 今年 明年 前年 上周 下周 本周 这周 上週 下週 本週
    上月 下月 本月 上个 下个 上個 下個 周末 週末 星期 礼拜 禮拜 早上 上午 下午 晚上 年前 天前 周前
    月前 年初 年底 月初 月底 最近 刚刚 剛剛 春天 夏天 秋天 冬天 月份
    昨日 今日 明日 来年 先週 今週 来週 先月 今月 来月 曜日 時間
    어제 오늘 내일 작년 올해 내년 지난 다음 주말 요일 최근"""
_TOLD: Final = frozenset(stem(word) for word in _ENGLISH.split()) | frozenset(_ASIAN.split())
_NUMBERED: Final = re.compile(r"\d\s*[年月日号號년월일]")

_WHEN: Final = re.compile(
    r"^\W*(?:\w+,\s+)?(?:(?:and|but|so|since|until|till|tell\s+me|(?:can|could)\s+you\s+tell\s+me"
    r"|do\s+you\s+(?:know|remember))\s+)*(?:when\b|how\s+long\b|how\s+soon\b"
    r"|(?:(?:on|in|at|by|during|around|since|from|until)\s+)?(?:what|which)\s+"
    r"(?:exact\s+)?(?:date|day|time|week|weekend|month|year|season)\b)",
    re.IGNORECASE,
)
_WHEN_ASIAN: Final = re.compile(
    "什么时|什麼時|甚麼時|啥时候|何时|何時|几时|幾時|何年|何月|何日|哪一?[年天日月周週]|几月|幾月|几号|幾號|几点"
    "|幾點|几年|幾年|多久|多长时间|多長時間|いつ|何曜日|언제|며칠|몇\\s*[년월일시]"
)

_MONTHS: Final = {
    name.lower(): number
    for names in (calendar.month_name, calendar.month_abbr)
    for number, name in enumerate(names)
    if name
} | {"sept": 9}
_NAMED: Final = re.compile(
    r"(?:\b(\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?)?\b(" + "|".join(_MONTHS) + r")\b\.?"
    r"(?:\s+(\d{1,2})(?:st|nd|rd|th)?\b(?!:))?(?:,?\s+(?:of\s+)?((?:19|20)\d\d)\b)?",
    re.IGNORECASE,
)
_ISO: Final = re.compile(r"\b((?:19|20)\d\d)[-/.](\d{1,2})(?:[-/.](\d{1,2}))?\b")
_EASTERN: Final = re.compile(
    r"(?:((?:19|20)\d\d)\s*[年년]\s*)?(\d{1,2})\s*[月월]\s*(?:(\d{1,2})\s*[日号號일])?"
)
_YEAR: Final = re.compile(r"(?<![0-9A-Za-z])((?:19|20)\d\d)(?![0-9A-Za-z])")
_WORDS_THAT_ARE_MONTHS: Final = frozenset({"may", "march"})


class Day(NamedTuple):
    """A date as a question names it; a year, a month or a day may be left out."""

    year: int | None
    month: int | None
    day: int | None


def tells_time(terms: Iterable[str], text: str) -> bool:
    """Whether a text with these terms says when something was: "last week", "in 2021", 去年."""
    return any(map(is_timely, terms)) or is_numbered(text)


def is_timely(term: str) -> bool:
    """Whether a term alone says when something was: a day, a month, a year."""
    return term in _TOLD or (len(term) == 4 and term.isdigit() and term[:2] in ("19", "20"))


def is_numbered(text: str) -> bool:
    """Whether a text has a numbered day, month or year of the East Asian kind."""
    return not text.isascii() and _NUMBERED.search(text) is not None


def asks_when(text: str) -> bool:
    """Whether a question asks for a time."""
    if _WHEN.match(text):
        return True
    return not text.isascii() and _WHEN_ASIAN.search(text) is not None


def asks(text: str) -> bool:
    """Whether a text ends in a question; what stands in brackets behind it does not count."""
    text = text.rstrip()
    if text.endswith("]"):
        text = text[: max(0, text.rfind("["))].rstrip()
    return "?" in text[-3:] or "\uff1f" in text[-3:]


def days_in(text: str) -> list[Day]:
    """The dates that a question names: "in May 2023", "on 8 May", 2023-05-08, 5月8日, "in 2021"."""
    found = []
    for day, name, after, year in _NAMED.findall(text):
        number = day or after
        if name.lower() in _WORDS_THAT_ARE_MONTHS and not (number or year or name[0].isupper()):
            continue
        found.append(_day(year, str(_MONTHS[name.lower()]), number))
    found += [_day(*groups) for groups in _ISO.findall(text)]
    if not text.isascii():
        found += [_day(*groups) for groups in _EASTERN.findall(text)]
    days = [day for day in found if day is not None]
    return days or [Day(int(year), None, None) for year in _YEAR.findall(text)]


def _day(year: str, month: str, day: str) -> Day | None:
    """None where there is no such date."""
    made = Day(int(year) if year else None, int(month), int(day) if day else None)
    try:
        date(made.year or 2000, made.month or 0, made.day or 1)
    except ValueError:
        return None
    return made


def nearness(created: Doubles, days: list[Day]) -> Doubles:
    """How near each time (epoch seconds) is to the nearest of these dates, 0 to 1.

    A day: exp(-days between / 5), 0 beyond 14. A month: 1 within it. A year alone: 1/4 within it,
    since the words of a question tell a year as well.
    """
    near = np.zeros(len(created))
    if not len(created):
        return near
    stamps = np.floor(created).astype(np.int64).astype("datetime64[s]")
    months = stamps.astype("datetime64[M]").astype(np.int64)
    for year, month, day in days:
        if month is None:
            within = months // 12 + 1970 == year
            np.maximum(near, np.where(within, _YEAR_ALONE, 0.0), out=near)
        elif day is None:
            if year is None:
                within = months % 12 == month - 1
            else:
                within = months == (year - 1970) * 12 + month - 1
            np.maximum(near, within.astype(np.float64), out=near)
        else:
            for each in _years(year, months):
                np.maximum(near, _near_day(created, each, month, day), out=near)
    return near


def _years(year: int | None, months: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Iterable[int]:
    if year is not None:
        return (year,)
    last = int(months.max()) // 12 + 1970
    return range(max(int(months.min()) // 12 + 1970, last - _YEARS_MAX), last + 1)


def _near_day(created: Doubles, year: int, month: int, day: int) -> Doubles:
    if day == 29 and month == 2 and not calendar.isleap(year):
        return np.zeros(len(created))
    start = calendar.timegm((year, month, day, 0, 0, 0)) / DAY_S
    between = np.abs(np.floor(created / DAY_S) - start)
    return np.where(between <= _FAR_DAYS, np.exp(between / -_FADE_DAYS), 0.0)


def bounded(
    decay: float | None, activation: float | None, retention: float | None
) -> tuple[float, float, float]:
    """The terms of memory_strength as parts of a score, each 0 to 1.

    Decayed importance d as d / (1 + d), the activation by the logistic, the retention as it is.
    """
    faded = max(0.0, decay or 0.0)
    active = 0.0 if activation is None else max(-60.0, min(60.0, activation))
    return (
        1.0 if math.isinf(faded) else faded / (1.0 + faded),
        0.0 if activation is None else 1.0 / (1.0 + math.exp(-active)),
        min(1.0, max(0.0, retention or 0.0)),
    )
