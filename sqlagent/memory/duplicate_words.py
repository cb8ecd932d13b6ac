"""The words that `duplicates` knows: which say nothing, which say when, how many, or not."""

from __future__ import annotations

import re


def _split(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Left out of a comparison: with or without them a text says the same.
FILLERS = _split("""
a an the really very just also actually well oh hey hi hello please ok okay so quite indeed
basically literally definitely that hmm um uh yeah yes
""")  # fmt: skip

# What a sentence begins with beside names.
COMMON = FILLERS | _split("""
i im ive id ill me my mine we our us you your he his him she her it its they their them this these
those there here who whom whose which what when where why how if then than because since while
although though but and or nor not no never in on at by to from of for with without about into over
under after before during as is are was were am be been being do does did done have has had will
would shall should can could may might must let lets some any each every all both most more much
many few other another one two user users assistant agent remember note today yesterday tomorrow
now still yet
""")  # fmt: skip

# What one text may have more than the other, a word or two, and say the same: of modal verbs, will.
LIGHT = _split("""
i me my we our you your he his she her they their it this these those there here some any and then
have has had been be am is are was were do doe did to of in on at for with by from as into onto
user remember note well too again then both all will
把 被 给 給 对 對 向 从 從 们 們 个 個 在 有 会 會 还 還 又 再 才 都
和 跟 与 與 我 你 他 她 它 们 这 這 那
里 裡 上 家 着 著 は が を に へ で と も の
""")

CONTRACTIONS = {
    "im": ("i", "am"), "ive": ("i", "have"), "youre": ("you", "are"), "youve": ("you", "have"),
    "its": ("it", "is"), "hes": ("he", "is"), "shes": ("she", "is"), "theyre": ("they", "are"),
    "theyve": ("they", "have"), "weve": ("we", "have"), "thats": ("is",), "theres": ("there", "is"),
    "dont": ("do", "not"), "doesnt": ("doe", "not"), "didnt": ("did", "not"), "isnt": ("is", "not"),
    "arent": ("are", "not"), "wasnt": ("was", "not"), "werent": ("were", "not"),
    "cant": ("can", "not"), "cannot": ("can", "not"), "couldnt": ("could", "not"),
    "wont": ("will", "not"), "wouldnt": ("would", "not"), "shouldnt": ("should", "not"),
    "hasnt": ("has", "not"), "havent": ("have", "not"), "hadnt": ("had", "not"),
    "mustnt": ("must", "not"), "aint": ("is", "not"), "theyll": ("they", "will"),
    "youll": ("you", "will"), "itll": ("it", "will"),
}  # fmt: skip

# As the units of a word are: without a plural's s.
NEGATIONS = _split("""
not no never none nothing nobody neither nor without hardly rarely seldom longer stopped stop quit
dislike disliked unable except refuse refused avoid avoided
""")  # fmt: skip

_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen twenty"""
NUMBERS = {
    word: str(number)
    for number, word in enumerate(_ONES.split())
} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80",
    "ninety": "90", "hundred": "100", "thousand": "1000", "million": "1000000", "dozen": "12",
    "half": "1/2", "once": "1x", "twice": "2x", "first": "1st", "second": "2nd", "third": "3rd",
    "fourth": "4th", "fifth": "5th",
}  # fmt: skip

_DATED = _split("""
monday tuesday wednesday thursday friday saturday sunday
january february march april may june july august september october november december
""")
_MOMENTS = _split("""
today tomorrow yesterday tonight morning afternoon evening night noon midnight weekend weekly daily
monthly yearly am pm last next ago soon later earlier already yet still spring summer autumn fall
winter week month year day hour minute
""")
TIMES = (
    {word: word for word in _MOMENTS | _DATED}
    | {word[:3]: word for word in _DATED}
    | {"tues": "tuesday", "thur": "thursday", "thurs": "thursday", "sept": "september"}
    | {word + "s": word for word in _DATED}
)

# One spelling of what is spelt in two ways.
SPELLINGS = re.compile(r"(?<=[a-z]{3})(?:our(?=$|e?[sd]$|ite$|ing$)|is(?=e[sd]?$|ing$|ation$))")


def spelling(match: re.Match[str]) -> str:
    """American, as the shorter one is."""
    return {"our": "or", "is": "iz"}[match[0]]


# Words of scripts without spaces that hold a numeral or a negation, and are none.
_IDIOMS = dict(
    pair.split("=")
    for pair in _split("""
非常= 特别= 一直= 一下= 一起=同 一样=样 一些=些 一点=点 一个=个 不错=好 不过=但 不但=且 差不多=约
别人=他人 无论=论 未来=将来 统一=统 第一次=初次 万一=若 一定=定 一般=般 一旦=旦
対して=対 一緒=緒 一番=番
""")
)
_NUMERALS = "〇零一二三四五六七八九十百千万亿億两兩"
# After a numeral it is one too: 十一点 is eleven o'clock.
UNSPACED_IDIOMS = re.compile(
    f"(?<![{_NUMERALS}])(?:{'|'.join(sorted(_IDIOMS, key=len, reverse=True))})"
)


def idiom(match: re.Match[str]) -> str:
    """What stands for an idiom in a comparison."""
    return _IDIOMS[match[0]]


UNSPACED_FILLERS = re.compile(
    "真的|其实|其實|とても|すごく|です|[的了呢吧啊呀嘛哦哈嗯也很就请請ねよだ]"
)
UNSPACED_HARD = re.compile(
    f"(?P<number>[{_NUMERALS}]+|半)"
    "|(?P<time>[今明昨后後前去上下本来來先每][天日年周週月晚早朝午夜期次回]|[月火水木金土日]曜"
    "|(?:周|星期|礼拜|禮拜)[日天]|早上|晚上|中午|夜里|春|夏|秋|冬|以前|以后|曾经|已经|还没|刚才|现在)"
    "|(?P<negation>[不没沒無无未非别勿莫否]|ない|なかった|ません|なく|않|안|못|없)"
)
DIGITS = str.maketrans("〇零一二三四五六七八九两兩", "0012345678922")


def unspaced_hard(match: re.Match[str]) -> str:
    """What a match says: a numeral of up to nine as its digit, so that 三 is 3."""
    if match["negation"]:
        return "not"
    if match["number"] and len(match[0]) == 1:
        return match[0].translate(DIGITS)
    return match[0]
