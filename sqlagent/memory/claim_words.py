"""The small vocabularies by which claims are read: what excludes what, and in whose words."""

from __future__ import annotations

import re
from typing import Final


def words(text: str) -> frozenset[str]:
    """A set of the words of a text."""
    return frozenset(text.split())


# Of each line a thing is one at most; `/` parts them, each may be several words.
_EXCLUSIVE: Final = """
open/closed|on/off|dead/alive|married/single/divorced/widowed/engaged|vegan/carnivore
left-handed/right-handed|male/female|enabled/disabled|possible/impossible|allowed/forbidden
legal/illegal|hot/cold|full/empty|cheap/expensive|safe/dangerous|easy/difficult|tall/short
rich/poor|true/false|public/private|free/paid|morning/afternoon/evening/night|wet/dry
left/right|upstairs/downstairs|locked/unlocked|mandatory/optional|asleep/awake|happy/unhappy
employed/unemployed|north/south/east/west|introvert/extrovert|approved/rejected|healthy/sick
red/blue/green/yellow/black/white/orange/purple/pink/brown/grey/silver/golden/beige/turquoise
vegetarian/carnivore|odd/even|early/late|busy/idle|online/offline|beginner/expert|guilty/innocent
"""
_SAME: Final = {"gray": "grey", "unwell": "sick", "ill": "sick", "shut": "closed", "gold": "golden"}
EXCLUSIVE: Final[dict[str, tuple[str, str]]] = {}
for _line in re.split(r"[|\n]", _EXCLUSIVE.strip()):
    for _word in _line.split("/"):
        EXCLUSIVE.setdefault(_word, (_line.split("/")[-1], _word))
for _word, _as in _SAME.items():
    EXCLUSIVE[_word] = EXCLUSIVE[_as]

_EXCLUSIVE_ZH: Final = """
开着/关着|开门/关门|已婚/未婚/离异/丧偶|左撇子/右撇子|男/女|免费/收费|允许/禁止|合法/非法
贵/便宜|热/冷|高/矮|大/小|素食者/肉食者|开启/关闭|打开/关上|早上/下午/晚上/中午|左边/右边|楼上/楼下|活着/去世
公开/保密|安全/危险|容易/困难|内向/外向|在线/离线|空/满|长/短|新/旧|真/假|胖/瘦|晴天/雨天
红色/蓝色/绿色/黄色/黑色/白色/橙色/紫色/粉色/棕色/灰色/银色/金色/米色|上班/休假|在职/离职
"""
_SAME_ZH: Final = {
    "单身": "未婚", "结婚": "已婚", "离婚": "离异", "上午": "早上", "早晨": "早上", "难": "困难",
    "吃素": "素食者", "傍晚": "晚上", "简单": "容易", "男性": "男", "女性": "女", "男生": "男",
    "女生": "女", "红": "红色", "蓝": "蓝色", "绿": "绿色", "黑": "黑色", "白": "白色",
    "黄": "黄色",
}  # fmt: skip
EXCLUSIVE_ZH: Final[dict[str, tuple[str, str]]] = {}
for _line in re.split(r"[|\n]", _EXCLUSIVE_ZH.strip()):
    for _word in _line.split("/"):
        EXCLUSIVE_ZH[_word] = (_line.split("/")[-1], _word)
for _word, _as in _SAME_ZH.items():
    EXCLUSIVE_ZH[_word] = EXCLUSIVE_ZH[_as]

_DAYS: Final = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip
DAYS: Final = {**{d: d for d in _DAYS}, **{d[:3]: d for d in _DAYS},
               "tues": "tuesday", "thurs": "thursday",
               "tomorrow": "tomorrow", "today": "today"}  # fmt: skip
for _word in ("sat", "sun", "wed"):  # words of their own
    del DAYS[_word]
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
MONTHS: Final = {
    **{m: n for n, m in enumerate(_MONTHS, 1)},
    **{m[:3]: n for n, m in enumerate(_MONTHS, 1) if m != "may"},
}
# Without "one", which is more often a pronoun.
NUMBERS: Final = {
    "zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip

# A thing or a person has one of each at a time: "the capital", "my boss", "Ada's birthday".
ONE_OF_EACH: Final = words("""
name nickname surname birthday birthplace age height weight phone number email address password
passcode pin code size color colour budget price cost salary deadline capital boss manager husband
wife spouse partner boyfriend girlfriend fiance fiancee mother father mom mum dad employer hometown
nationality language religion sign temperature version status rent fee limit speed distance length
width depth duration venue location destination origin owner landlord ceo president headquarters
currency timezone seat gate flight room locker floor username homepage title major profession
occupation meeting appointment wedding exam interview train bus party dentist doctor dog cat
""")
PEOPLE: Final = words("""
boss manager husband wife spouse partner boyfriend girlfriend fiance fiancee mother father mom mum
dad owner landlord ceo president dentist doctor
""")
# What such a noun is said to be besides: no value of it.
TYPED_ONLY: Final = words("""
meeting appointment wedding exam interview train bus party dog cat flight room seat gate locker
floor house
""")
ONE_OF_EACH_ZH: Final = (
    "名字|姓名|昵称|生日|年龄|身高|体重|电话|手机号|手机号码|电话号码|邮箱|地址|密码|尺码|鞋码|预算|价格|"
    "工资|月薪|截止日期|首都|老板|经理|丈夫|老公|妻子|老婆|男朋友|女朋友|妈妈|爸爸|母亲|父亲|雇主|家乡|"
    "老家|国籍|母语|星座|血型|职业|专业|房东|车牌号|座位|房间号|版本|状态|房租|学校|公司|总部|会议时间|时区|"
    "会议地点|目的地|颜色|班主任|口令|名称|职位|门牌号|宗教|用户名|微信号"
)

# Countries and continents: a town lies in one of them, so either may be said of the same home.
WIDE: Final = words("""
france germany italy spain portugal england scotland wales ireland britain uk usa us america canada
mexico brazil argentina chile peru china japan korea india pakistan russia ukraine poland austria
switzerland belgium netherlands holland denmark sweden norway finland iceland greece turkey israel
egypt morocco nigeria kenya ethiopia australia vietnam thailand indonesia malaysia philippines
taiwan europe asia africa california texas florida bavaria ontario scandinavia hungary romania
中国 美国 英国 法国 德国 日本 韩国 加拿大 澳大利亚 意大利 西班牙 俄罗斯 印度 巴西 泰国 越南
新西兰 瑞士 瑞典 挪威 荷兰 欧洲 亚洲 非洲 美洲 北美 江苏 浙江 广东 四川 山东 河南 河北 湖南 湖北
福建 安徽 陕西 云南
""")
