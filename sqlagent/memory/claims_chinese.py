"""Chinese sentences as claims: relations, attributes, tastes, denials, values in a frame."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sqlagent.memory.claim_words import EXCLUSIVE_ZH, ONE_OF_EACH_ZH, WIDE, words
from sqlagent.memory.claims import Claim

CLAUSES_MAX = 8
# What makes a clause no plain statement of what is so now.
_UNSURE: Final = re.compile(
    r"如果|要是|假如|可能|也许|大概|或许|想要|想去|想在|想住|打算|计划|希望|觉得|认为|据说|听说|应该|曾经|以前|"
    r"过去|之前|原来|当时|去年|前年|小时候|有时|偶尔|或者|还是|好像|似乎|是否|是不是|什么|谁|哪|几点|多少|吗|"
    r"呢$|大约|左右$|至少|最多|差不多|将近|不一定|万一|除非|梦见|假装|差点|据称|要不|建议|考虑|说过?[:,，]|\d+多"
)
_ALSO: Final = re.compile(r"也|还(?!款|钱|书)|另外|同时|又")
_FILLERS: Final = re.compile(
    r"现在|目前|如今|一直|仍然|依然|非常|特别(?!行政)|真的|最近|其实|已经|今年|始终|绝对|完全|总是|从来(?=不|没)|"
    r"确实|当然|很(?!快)|十分(?!钟)|相当|暂时|(?<=[^一-龥]),|[“”\"'《》「」]|每天都|(?<=.)都(?!市)"
)
# These hold a 不, 没, 有 or 是 that denies or says nothing.
_WHOLE: Final = re.compile(
    "不错|不过(?![敏关问])|不久|不同|不但|不仅|不管|不论|不得不|差不多|对不起|没关系|不好意思|不少|不断|不可思议|不约而同|不锈钢|不丹|"
    "没收|没落|没问题|了不起|不在乎|不动产|不倒翁|要不"
)
_DONE: Final = re.compile(r"了(?!解|不起)|过(?!敏|程|年|节|期|滤|于|分|来|去)")
_NOT: Final = re.compile(r"从不|从没|不再|并不|并没有?|没有|不是|没|不|未|无法")
_DIGITS: Final = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_UNITS: Final = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_MEASURE: Final = (
    "个|只|条|本|张|件|台|辆|套|间|层|楼|号|岁|年|月|日|点|分钟|小时|天|周|公斤|千克|斤|克|毫米|厘米|公里|米|块|"
    "元|美元|欧元|角|人|口|位|次|杯|瓶|片|种|门|家|名|把|支|双|平方米|平米|度|折|倍|万|GB|MB|cm|kg|km|%"
)
_CHINESE_NUMBER: Final = re.compile(rf"([零〇一二两三四五六七八九十百千万]+)(?=半?(?:{_MEASURE}))")
_DAY: Final = r"(?:下|本|这|上)?(?:星期|周|礼拜)(?:[一二三四五六日天末])"
_DATE: Final = r"(?:\d{4}年)?\d{1,2}月(?:\d{1,2}[日号]?)?|\d{4}年|\d{4}-\d\d-\d\d"
_CLOCK = (
    r"(?:早上|上午|中午|下午|晚上|凌晨)?(?:\d{1,2}[点时](?:半|一刻|三刻|\d{1,2}分?)?|\d{1,2}:\d\d)"
)
_CLOCK += r"(?:整|钟)?|早上|上午|中午|下午|晚上"
_TIME: Final = re.compile(
    rf"^(?P<s>.{{1,16}}?)(?:的)?(?:时间)?(?:是在|定在|定于|改到|改在|安排在|推迟到|提前到|调整到|是|在|于|为|"
    rf"(?=(?:{_DAY}|{_CLOCK}|{_DATE})(?:开|举行|开始|出发|起飞|到期|截止|结束|关门|开门|到达|发车)))"
    rf"(?P<d>{_DATE})?(?P<w>{_DAY})?(?P<c>{_CLOCK})?(?:的)?"
    r"(?P<e>开|举行|开始|出发|起飞|到期|截止|结束|关门|开门|到达|发车|召开|进行|交付|上线)?$"
)
_PLACE: Final = r"(?P<v>[^,，、]{1,24})"
_RELATION: Final = re.compile(
    r"^(?P<s>.{1,16}?)(?:"
    rf"(?P<home>住在|居住在|定居在|定居于|家住|家在|搬到了?|搬去了?){_PLACE}"
    r"|在(?P<job_in>[^,，、]{1,16})(?:工作|上班|任职|就职|供职)"
    r"|(?:就职于|任职于|供职于|受雇于|入职了?)(?P<job_at>[^,，、]{1,16})"
    r"|在(?P<study>[^,，、]{1,16})(?:上学|读书|念书|上大学|读大学|就读)|就读于(?P<study_at>[^,，、]{1,16})"
    r"|(?:出生于|出生在|生于|出生地是)(?P<born>[^,，、]{1,16})"
    r"|(?<=公司|学校|总部|医院|酒店|仓库|工厂|大学|会场|婚礼|餐厅)(?:位于|在)(?P<site>[^,，、着在]{2,10})"
    r"|(?<=办公室|会议室)(?:位于|在)(?P<room>[^,，、着在]{2,10})"
    r"|来自(?P<from>[^,，、]{1,12})|是(?P<native>[^,，、的个一]{2,4})人"
    r"|(?:名叫|叫做|叫)(?P<name>[^,，、]{1,12})"
    r"|和(?P<married>[^,，、]{1,8})结婚了?"
    r"|(?:放|存|停|藏|收)在(?P<where>[^,，、]{1,16})"
    r")$"
)
_RELATION_WORD: Final = {
    "home": "住在", "job_in": "工作于", "job_at": "工作于", "study": "就读于", "study_at": "就读于",
    "born": "出生于", "from": "来自", "native": "来自", "name": "名叫", "married": "配偶",
    "where": "放在", "site": "位于", "room": "位于",
}  # fmt: skip
_NOT_NATIVE: Final = re.compile(r"^.?[好坏男女老大病盲聋诗工商军年主客家证候继承负责][轻熟生性]?$")
_ATTRIBUTE: Final = re.compile(
    rf"^(?P<s>.{{0,16}}?)的?(?P<a>最(?:喜欢|喜爱|爱)的[^是]{{1,8}}|(?:{ONE_OF_EACH_ZH}))(?:是|叫|为|：|:)(?P<v>[^,，、]{{1,24}})$"
)
_TASTE: Final = re.compile(
    r"^(?P<s>.{1,12}?)(?:(?P<no>不(?:再|怎么|太)?(?:喜欢|爱)|讨厌|厌恶|受不了|反感|恨)"
    r"|(?P<yes>喜欢|热爱|喜爱|爱好|爱(?=[吃喝看听玩打])))"
    r"(?P<v>[^,，]{1,16})$"
)
_PREFERS: Final = re.compile(
    r"^(?P<s>.{1,12}?)(?:比起|相比)(?P<w>.{1,10}?)更(?:喜欢|爱)(?P<v>.{1,12})$"
)
_PIVOT: Final = re.compile(
    r"[是在有为要需叫住重高花租]|年龄|价格|售价|工资|月薪|电话|手机号|密码|温度|面积|每月|每周|(?=\d+岁)"
)
_NUMBER: Final = re.compile(rf"(?<![第\d.])(\d[\d,]*(?:\.\d+)?)(?={_MEASURE}|$|[,，])")
# A clause that begins so has its subject elsewhere.
_NO_SUBJECT: Final = re.compile(
    r"^(?:[居出家就任定现后曾又并均于位死卒]$|成立|享年|终年|位于|死于|卒于|毕业|病逝|创立|始建|其|该|因|由|自|从|在|于|以|当)"
)
_OWNERLESS: Final = words("截止日期 会议时间 会议地点 密码 预算 房租 口令 版本 价格 首都 总部")
_UNKNOWN: Final = re.compile(r"^(?:他|她|它|这|那|您|你|大家|有人|人们|我们|咱们|哪)")


def read(sentence: str, me: str) -> Iterator[Claim]:
    """The claims of one sentence; `me` is whom "我" means."""
    subject = ""
    for n, clause in enumerate(re.split(r"[,，]", sentence.strip("。！!. "))[:CLAUSES_MAX]):
        text = _FILLERS.sub("", clause.replace(" ", ""))
        if not 3 <= len(text) <= 40 or _UNSURE.search(text):
            subject = ""
            continue
        text = _CHINESE_NUMBER.sub(_as_digits, text)
        text = re.sub(r"^(?:用户|我)(?=.)", lambda m: "用户" if me == "user" else me + "·", text)
        if re.match(r"^(?:住在|在|就职于|喜欢|不喜欢|讨厌|来自|叫|名叫)", text):
            if not subject:
                continue
            text = subject + text
        elif n and not text.startswith(subject or ("用户", f"{me}·")):
            continue
        if _UNKNOWN.match(text):
            continue
        for claim in _clause(text):
            if claim.rule == "relation":
                subject = claim.subject if claim.subject != "user" else "用户"
            yield claim


def _as_digits(match: re.Match[str]) -> str:
    text, total, digit = match[1], 0, 0
    if len(text) > 1 and not set(text) & set(_UNITS):
        return "".join(str(_DIGITS[c]) for c in text)
    for c in text:
        if c in _DIGITS:
            digit = _DIGITS[c]
        else:
            total = (
                (total or digit or 1) * _UNITS[c] if c == "万" else total + (digit or 1) * _UNITS[c]
            )
            digit = 0
    return str(total + digit)


def _who(text: str) -> str:
    text = text.rstrip("的·").strip()
    return "user" if text == "用户" else text


def _clause(text: str) -> Iterator[Claim]:
    yield from _denial(text)
    taste = re.search(r"喜欢|讨厌|爱|恨|厌恶|受不了|反感", text)
    if taste:
        yield from _tastes(text)
    if _NOT.search(_WHOLE.sub("", text)) or _ALSO.search(text):
        return
    if taste and "更" in text:
        yield from _preference(text)
    yield from _relations(text)
    yield from _attributes(text)
    moment = _times(text)
    if moment is not None:
        yield moment
    elif not _DONE.search(text.removesuffix("了")):
        yield from _framed(text)


def _relations(text: str) -> Iterator[Claim]:
    found = _RELATION.match(text)
    if found is None:
        return
    relation, value = next(
        (n, v) for n, v in found.groupdict().items() if v and n in _RELATION_WORD and n != "home"
    ) if not found["home"] else ("home", found["v"])  # fmt: skip
    subject = _who(found["s"])
    if not subject or _PIVOT_IN_SUBJECT.search(subject) or _NO_SUBJECT.match(subject):
        return
    if relation == "native" and _NOT_NATIVE.match(value):
        return
    value = value.removesuffix("里").removesuffix("了")
    word = _RELATION_WORD[relation]
    kind = (
        "wide" if value in WIDE else "some" if re.search(r"一[套间栋个]|\d[套间栋]", value) else ""
    )
    key = ("relation", subject, word, kind)
    yield Claim(key, value, True, "relation", subject, word)


_PIVOT_IN_SUBJECT: Final = re.compile(r"[是在]|喜欢|和.*和|、")


def _attributes(text: str) -> Iterator[Claim]:
    found = _ATTRIBUTE.match(text)
    if found is None:
        return
    subject, attribute = (
        _who(found["s"]),
        found["a"].replace("最爱的", "最喜欢的").replace("喜爱", "喜欢"),
    )
    if not subject and attribute not in _OWNERLESS:
        return
    if (
        _PIVOT_IN_SUBJECT.search(subject)
        or _NO_SUBJECT.match(subject)
        or re.match(r"^[不很在]", found["v"])
    ):
        return
    value = found["v"].removesuffix("的")
    if attribute in ("名字", "姓名") and subject:
        key: tuple[str, ...] = ("relation", subject, "名叫", "")
    else:
        key = ("attribute", subject, attribute)
    yield Claim(key, value, True, "attribute", subject or attribute, attribute)


def _tastes(text: str) -> Iterator[Claim]:
    found = _TASTE.match(text)
    if found is None or "最喜欢" in text or "更" in text:
        return
    subject = _who(found["s"]).rstrip("也还")
    if not subject or re.search(r"[是在的]", subject):
        return
    for part in re.split(r"、|和|跟|与|以及|或", found["v"])[:6]:
        thing = re.sub(r"^(?:吃|喝|看|听|玩|做|去)(?=.)", "", part).removesuffix("了")
        if thing:
            yield Claim(("taste", subject, thing), "", bool(found["yes"]), "taste", subject, "喜欢")


def _preference(text: str) -> Iterator[Claim]:
    found = _PREFERS.match(text)
    if found is None:
        return
    subject = _who(found["s"])
    a, b = (re.sub(r"^(?:吃|喝|看|听)(?=.)", "", x) for x in (found["v"], found["w"]))
    yield Claim(("prefers", subject, *sorted((a, b))), a, True, "preference", subject, "更喜欢")


def _denial(text: str) -> Iterator[Claim]:
    """The clause with its negation taken out: who denies it says the same otherwise."""
    text = _WHOLE.sub(lambda m: "".join(chr(0xE000 + ord(c) % 6000) for c in m[0]), text)
    denied = _NOT.findall(text)
    if len(denied) > 1 or re.search(r"(.)不\1", text):
        return
    frame = _NOT.sub("", text)
    done = bool(_DONE.search(frame))
    frame = re.sub(r"[了呢啊吧的有是也还会]", "", frame)
    if len(frame) < 3:
        return
    dated = bool(re.search(rf"{_DAY}|{_DATE}|昨天|今天", frame))
    if denied and denied[0].startswith(("没", "从没", "并没")):
        yield Claim(("did", frame), "", False, "denial", frame[:2], None)
        yield Claim(("denial", frame), "", False, "denial", frame[:2], None)
    elif done:
        if dated:
            yield Claim(("did", frame), "", True, "denial", frame[:2], None)
    else:
        yield Claim(("denial", frame), "", not denied, "denial", frame[:2], None)
        if frame.endswith(("素食者", "吃素")) and not denied:
            meat = ("denial", re.sub("素食者$|吃素$", "吃肉", frame))
            yield Claim(meat, "", False, "denial", frame[:2], None)


def _times(text: str) -> Claim | None:
    found = _TIME.match(text)
    if found is None or not (found["d"] or found["w"] or found["c"]):
        return None
    subject = _who(found["s"])
    if not subject or re.search(r"[了过每]", subject) or _NO_SUBJECT.match(subject):
        return None
    what = "w" if found["w"] else "d" if found["d"] else "c"
    value = re.sub("星期|礼拜", "周", found[what]).replace("周天", "周日").replace("号", "日")
    if what == "c":
        value = value.replace("点整", "点").replace("点钟", "点")
        value = re.sub(r"^(?:早上|上午|中午|下午|晚上|凌晨)(?=\d)", _half, value)
    event = (found["e"] or "").replace("召开", "开").replace("举行", "开").replace("进行", "开")
    event = "" if event in ("开", "开始") else event
    return Claim(("time", what, subject, event), value, True, "time", subject, "时间")


def _half(match: re.Match[str]) -> str:
    return "晚" if match[0] in ("下午", "晚上") else "早"


def _framed(text: str) -> Iterator[Claim]:
    """The clause with its numbers, or the exclusive word at its end, left open."""
    if _NO_SUBJECT.match(text):
        return
    pivot = _PIVOT.search(text)
    if pivot is not None and pivot.start() > 0:
        head, rest = text[: pivot.end()], text[pivot.end() :]
        numbers = _NUMBER.findall(rest)
        if numbers and not text.endswith("了") and not re.search(rf"{_DAY}|点|{_DATE}", text):
            frame = _NUMBER.sub("#", rest)
            values = " / ".join(n.replace(",", "") for n in numbers)
            subject = _who(head[: -len(pivot[0])]) or head
            yield Claim(("number", head, frame), values, True, "number", subject, pivot[0])
            return
    bare = text.removesuffix("了").removesuffix("的")
    for length in (4, 3, 2, 1):
        found = EXCLUSIVE_ZH.get(bare[-length:]) if len(bare) > length else None
        if found is not None:
            head = bare[:-length]
            if length == 1 and head[-1] not in "是" and re.search(r"[有在个只条]", head):
                return
            head = head.removesuffix("是").removesuffix("在").removesuffix("人")
            subject = _who(head)
            yield Claim(("opposites", head, found[0]), found[1], True, "opposites", subject, None)
            return
