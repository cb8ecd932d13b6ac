"""Words whose exchange turns a statement into its contrary, in English and Chinese."""

from __future__ import annotations

_ENGLISH = """
    increase/decrease increases/decreases increased/decreased rise/fall rises/falls rose/fell
    grow/shrink grew/shrank more/less more/fewer higher/lower high/low large/small larger/smaller
    open/closed opens/closes opened/closed before/after first/last early/late earlier/later
    allow/forbid allows/forbids allowed/forbidden always/never free/paid with/without
    success/failure succeeded/failed accept/reject accepted/rejected enable/disable
    enabled/disabled minimum/maximum least/most north/south east/west left/right up/down
    hot/cold warm/cold fast/slow faster/slower old/new cheap/expensive safe/dangerous
    win/lose won/lost buy/sell bought/sold arrives/leaves arrive/leave arrived/left
    required/optional public/private legal/illegal true/false
"""
_CHINESE = """
    增加/减少 上升/下降 提高/降低 增长/下降 扩大/缩小 高于/低于 多于/少于 大于/小于 超过/不足
    开放/关闭 开门/关门 打开/关闭 之前/之后 以前/以后 最早/最晚 最大/最小 最高/最低 最多/最少
    允许/禁止 可以/不可 免费/收费 成功/失败 接受/拒绝 启用/禁用 北部/南部 东部/西部 向左/向右
    必须/无需 公开/秘密
    合法/非法 买入/卖出 到达/离开 出发/到达 支持/反对
"""


def _pairs(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pair in text.split():
        one, other = pair.split("/")
        found[one] = (*found.get(one, ()), other)
        found[other] = (*found.get(other, ()), one)
    return found


# What an answer says beside what it claims.
_EMPTY = """
    yes no ok okay sure thanks thank hello hi please sorry well right exactly indeed correct
    certainly welcome note answer summary conclusion here are following below
"""
EMPTY = frozenset(_EMPTY.split())
# The hundred commonest family names of one character.
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢"
    "姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常"
)
CONTRARY = _pairs(_ENGLISH)
CONTRARY_CHINESE = _pairs(_CHINESE)
