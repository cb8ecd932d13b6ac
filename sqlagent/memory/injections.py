"""What in a text looks like an instruction to a model that was slipped in, and is no memory.

A text is looked at as a model reads it: compatibility forms and hidden characters resolved, and
what is in base64 decoded. A finding names the kind: it is a suspicion, so nothing is thrown away
for it.

Source: the families of attacks in Greshake et al. (2023, "Not what you've signed up for") and in
OWASP's "LLM01: Prompt Injection".
"""

from __future__ import annotations

import binascii
import re
import unicodedata

_AI = r"(?:assistant|ai|a\.i\.|language model|llm|model|agent|chat ?bot|bot)"
_RULES = (
    r"(?:instructions?|prompts?|rules|guidelines|directions|directives|programming|constraints)"
)
_OVERRIDE = re.compile(
    rf"\b(?:ignore|disregard|forget|override|bypass|do not follow|don't follow|stop following)\s+"
    rf"(?:\w+\s+){{0,3}}?(?:previous|prior|above|earlier|preceding|your|system|safety|foregoing|existing)"
    rf"\s+(?:\w+\s+){{0,2}}?{_RULES}\b"
    rf"|\b(?:ignore|disregard|forget)\s+(?:everything|all|anything)\s+(?:\w+\s+)?"
    rf"(?:above|before|prior|you (?:were|have been) told)"
    rf"|\bnew (?:system )?instructions?\s*:"
    rf"|\bignor\w* (?:todas? )?(?:las|les|toutes les|tutte le|le) (?:instruc|instruct|istruz)\w* "
    rf"(?:anteriores|previas|précédentes|precedenti)"
    rf"|\bignorier\w* (?:alle |sie )*(?:vorherigen|bisherigen|obigen) (?:anweisungen|instruktionen)"
)
_ROLE = re.compile(
    rf"\byou are now (?:(?:an?|the|my|in|going to be|called) )?(?:[\w-]+ ){{0,3}}?"
    rf"(?:{_AI}|dan|unrestricted|uncensored|jailbroken|developer mode|god mode|admin mode|evil)\b"
    rf"|\bfrom now on,? (?:you|the {_AI}) (?:must|will|should|shall|are to|only)? ?"
    rf"(?:always|never|only|respond|answer|reply|act|ignore|obey|comply|pretend|recommend)\b"
    rf"|\bfrom now on,? (?:only )?(?:respond|answer|reply|act as|ignore|obey|comply|pretend)\b"
    rf"|\b(?:act|behave) as (?:if you (?:had|have) no|an? (?:unrestricted|uncensored|jailbroken))"
    rf"|\bpretend (?:that )?(?:you are|to be) (?:an? )?(?:[\w-]+ )?(?:{_AI}|unrestricted|dan)\b"
    rf"|\bdo anything now\b|\b(?:enable|enter|activate) (?:developer|jailbreak|god|dan) mode\b"
)
_REVEAL = re.compile(
    rf"\b(?:reveal|print|repeat|show|output|leak|tell me|display|disclose)\s+(?:\w+\s+){{0,3}}?"
    rf"(?:(?:system|hidden|initial|original|secret) {_RULES}|system message)"
    rf"|\b(?:send|forward|post|upload|exfiltrate|email|transmit)\s+(?:[\w']+\s+){{0,5}}?"
    rf"(?:passwords?|credentials|api keys?|secrets|memories|conversation|chat history|user data)\s+"
    rf"(?:\w+\s+){{0,2}}?to\s+(?:https?:|[\w.+-]+@|this (?:url|address))"
    rf"|\b(?:do not|don't|never) (?:tell|inform|mention (?:this|it) to|notify|alert|"
    rf"reveal this to) the user\b|\bwithout (?:telling|informing|asking|notifying) the user\b"
    rf"|\b(?:if|when) (?:you are )?an? {_AI} (?:\w+ ){{0,3}}?"
    rf"(?:reads?|sees?|reading|process\w*) this"
    rf"|\b(?:attention|important|note to)[:,]? (?:(?:all|the|any|every) )?{_AI}s?[:,]? "
    rf"(?:\w+ ){{0,2}}?(?:must|should|shall|you|ignore|always|never|send|recommend)"
)
_MARKER = re.compile(
    r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id)\|>"
    r"|\[/?inst\]|<</?sys>>|</?(?:system|system_prompt|instructions?)>"
    r"|(?:^|\n)\s*#{2,}\s*(?:system|new)?\s*(?:instruction|prompt|system message)s?\s*:?"
    r"|(?:^|\n)\s*\[?(?:system|developer)(?: (?:prompt|message|override|note))?\]?\s*:\s*"
    r"(?:you|ignore|the assistant|always|never|do not|respond|new|override|from now)"
    r"|\b(?:begin|end) (?:of )?system (?:prompt|message)"
)
_EAST = re.compile(
    "(?:忽略|无视|無視|忽視|忘记|忘掉|忘記|不要理会|不用理会|不要遵守|跳过|抛开).{0,8}"
    "(?:之前|以上|上面|上述|前面|先前|此前|原来|系统|你的|所有).{0,8}"
    "(?:指令|指示|提示|规则|規則|命令|设定|設定|限制|约束)"
    "|(?:你现在|从现在(?:开始|起)[，,]?你|你從現在起).{0,14}"
    "(?:助手|模型|机器人|人工智能|ai|管理员|开发者模式|不受.{0,4}限制|没有.{0,4}限制|必须服从|只能回答|只能推荐)"
    "|(?:输出|显示|透露|泄露|告诉我|打印|重复).{0,8}(?:系统提示|提示词|系统指令|初始指令)"
    "|(?:不要|别|不得|切勿)(?:告诉|通知|提醒|让)(?:用户|使用者)"
    "|(?:把|将).{0,12}(?:密码|密钥|凭证|记忆|聊天记录|对话).{0,6}(?:发送|发给|上传|转发|发到)"
    "|(?:以前|これまで|上記|前|先ほど)の.{0,6}(?:指示|命令|プロンプト|ルール)を.{0,4}(?:無視|忘れ)"
    "|(?:이전|위의|앞의).{0,8}(?:지시|명령|프롬프트|규칙).{0,6}무시"
)
# Bidirectional overrides, and invisible letters: tags spell a text that nobody sees.
_HIDDEN = re.compile(
    "[\u202d\u202e]|(?<!\U0001f3f4)(?<![\U000e0020-\U000e007f])[\U000e0000-\U000e007f]"
    "|[\u200b\u2060\u2061-\u2064\u180e\u00ad](?:.{0,40}?[\u200b\u2060\u2061-\u2064\u180e\u00ad]){2}",
    re.S,
)
_INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
_COMMENT = re.compile(r"<!--(.{3,}?)-->", re.S)
_COMMENTED = re.compile(rf"\b(?:{_AI}|ignore|instructions?|prompt|must|always|never|send|you)\b")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_PATTERNS = (("override", _OVERRIDE), ("role", _ROLE), ("exfiltration", _REVEAL))


def find(text: str) -> str | None:
    """The kind of instruction that a text seems to hold: 'override', 'role', 'exfiltration',
    'marker', 'hidden', 'comment' or 'encoded'; None where it seems to hold none."""
    lower = text.lower()
    if not text.isascii():
        if _HIDDEN.search(text):
            return "hidden"
        if _INVISIBLE.search(text):
            text = _INVISIBLE.sub("", text)
        lower = unicodedata.normalize("NFKC", text).lower()
        if _EAST.search(lower):
            return "override"
    found = _plain(lower)
    if found is not None:
        return found
    if "<!--" in lower:
        for inside in _COMMENT.findall(lower):
            if len(inside.split()) >= 3 and _COMMENTED.search(inside):
                return "comment"
    for match in _BASE64.finditer(text):
        decoded = _decoded(match[0])
        if decoded is not None and (_plain(decoded) or _EAST.search(decoded)):
            return "encoded"
    return None


def _plain(lower: str) -> str | None:
    if _MARKER.search(lower):
        return "marker"
    flat = " ".join(lower.replace("\u2019", "'").split())
    return next((kind for kind, pattern in _PATTERNS if pattern.search(flat)), None)


def _decoded(code: str) -> str | None:
    """What base64 says, in lower case, where it is text."""
    code = code.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        text = binascii.a2b_base64(code + "=" * (-len(code) % 4)).decode("utf-8")
    except ValueError:
        return None
    return text.lower() if text.isprintable() or "\n" in text else None
