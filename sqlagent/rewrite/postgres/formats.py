"""Formats of to_char(), to_timestamp() and to_date(): their pieces, and what DuckDB says for each.

Source: PostgreSQL's documentation, "Data Type Formatting Functions".
"""

from __future__ import annotations

import re

from sqlglot import exp

from sqlagent.errors import NotSupportedError

# The longest first: at each place the longest piece counts.
_PIECES = {
    "HH24": "%H", "HH12": "%I", "HH": "%I", "MI": "%M", "SSSSS": "seconds", "SSSS": "seconds",
    "SS": "%S", "MS": "%g", "US": "%f", "AM": "%p", "PM": "%p", "A.M.": "%p", "P.M.": "%p",
    "YYYY": "%Y", "Y,YYY": "comma", "YY": "%y", "IYYY": "%G", "MONTH": "Month", "MON": "%b",
    "MM": "%m", "DAY": "Day", "DY": "%a", "DDD": "%j", "DD": "%d", "ID": "%u", "D": "dow",
    "IW": "%V", "WW": "week", "W": "of month", "Q": "quarter", "CC": "century", "J": "julian",
    "TZ": "zone", "OF": "offset", "RM": "roman",
}  # fmt: skip
_PATTERN = re.compile(
    "(FM|TM|FX)?(" + "|".join(map(re.escape, sorted(_PIECES, key=len, reverse=True)))
    + r')(TH|th)?|"([^"]*)"|(.)', re.I | re.S
)  # fmt: skip


def text(value: exp.Expr, form: str) -> exp.Expr:
    """to_char() of a time: the pieces of the format, put together."""
    parts: list[exp.Expr] = []
    for match in _PATTERN.finditer(form):
        prefix, word, nth, quoted, other = match.groups()
        if word is None:
            parts.append(exp.Literal.string(quoted if quoted is not None else other))
            continue
        if nth:
            raise NotSupportedError("TH in a format of to_char() is not here")
        parts.append(_piece(value, word, (prefix or "").upper()))
    return _joined(value, parts)


def _joined(value: exp.Expr, parts: list[exp.Expr]) -> exp.Expr:
    """The parts as one text: neighbours that strftime() says together are said together."""
    merged: list[exp.Expr] = []
    for part in parts:
        last = merged[-1] if merged else None
        form = _strftime(part)
        before = _strftime(last) if last is not None else None
        if form is not None and before is not None:
            merged[-1] = _said(value, before + form)
        else:
            merged.append(part if form is None else _said(value, form))
    if not merged:
        return exp.Literal.string("")
    made = merged[0]
    for part in merged[1:]:
        made = exp.DPipe(this=made, expression=part)
    return exp.Paren(this=made) if len(merged) > 1 else made


def _said(value: exp.Expr, form: str) -> exp.Expr:
    found = exp.Anonymous(this="strftime", expressions=[value.copy(), exp.Literal.string(form)])
    found.meta["form"] = form
    return found


def _strftime(part: exp.Expr) -> str | None:
    if isinstance(part, exp.Literal):
        return part.name.replace("%", "%%")
    return part.meta.get("form")


def _piece(value: exp.Expr, word: str, prefix: str) -> exp.Expr:
    said = _PIECES[word.upper()]
    if said.startswith("%"):
        if prefix == "FM" and said[1] in "HIMSdmjV":
            return _said(value, f"%-{said[1]}")
        made = _said(value, said)
        return _cased(made, word) if said in ("%b", "%a", "%p") else made
    if said in ("Month", "Day"):
        made = _cased(_said(value, "%B" if said == "Month" else "%A"), word)
        if prefix in ("FM", "TM"):
            return made
        return _call("rpad", made, exp.Literal.number(9), exp.Literal.string(" "))
    if said == "zone":
        return exp.Literal.string("UTC")
    if said == "offset":
        return exp.Literal.string("+00")
    simple = {
        "quarter": _call("quarter", value.copy()),
        "dow": exp.Add(this=_call("dayofweek", value.copy()), expression=exp.Literal.number(1)),
        "century": _call("century", value.copy()),
        "week": _weeks(_call("dayofyear", value.copy())),
        "of month": _weeks(_call("dayofmonth", value.copy())),
        "julian": exp.cast(_call("floor", _call("julian", value.copy())), "BIGINT"),
        "seconds": exp.cast(
            exp.Mod(
                this=exp.cast(_call("floor", _call("epoch", value.copy())), "BIGINT"),
                expression=exp.Literal.number(86400),
            ),
            "BIGINT",
        ),
    }.get(said)
    if simple is None:
        raise NotSupportedError(f'"{word}" in a format of to_char() is not here')
    made = exp.cast(simple, "TEXT")
    width = {"week": 2, "century": 2}.get(said, 0)
    if width and prefix != "FM":
        return _call("lpad", made, exp.Literal.number(width), exp.Literal.string("0"))
    return made


def _weeks(day: exp.Expr) -> exp.Expr:
    less = exp.Paren(this=exp.Sub(this=day, expression=exp.Literal.number(1)))
    return exp.Add(this=exp.IntDiv(this=less, expression=exp.Literal.number(7)),
                   expression=exp.Literal.number(1))  # fmt: skip


def _cased(made: exp.Expr, word: str) -> exp.Expr:
    if word.isupper():
        return _call("upper", made)
    return _call("lower", made) if word.islower() else made


def _call(name: str, *given: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(given))


# to_timestamp() and to_date() ---------------------------------------------------------------------

_READ = {"MONTH": "%B", "DAY": "%A", "SSSSS": None, "SSSS": None, "MS": "%g", "HH": "%I"}


def reading(form: str) -> str:
    """The strptime() format of a format that reads. Raises NotSupportedError for what has none."""
    parts = []
    for match in _PATTERN.finditer(form):
        _, word, _, quoted, other = match.groups()
        if word is None:
            parts.append((quoted if quoted is not None else other).replace("%", "%%"))
            continue
        said = _READ.get(word.upper(), _PIECES[word.upper()])
        if said is None or not said.startswith("%"):
            raise NotSupportedError(f'"{word}" in a format that reads a time is not here')
        parts.append(said)
    return "".join(parts)


def moment(value: str, form: str) -> str | None:
    """The time that a text says in a format, in ISO form; None where it is not one.

    >>> moment("2024-01-02 03:04:05.25", "YYYY-MM-DD HH24:MI:SS.US")
    '2024-01-02 03:04:05.250000'
    """
    from datetime import datetime

    said = reading(form).replace("%g", "%f")
    try:
        return datetime.strptime(value.strip(), said).isoformat(" ", "microseconds")
    except ValueError:
        return None


# Numbers -----------------------------------------------------------------------------------------


def _wide(made: exp.Expr, width: int) -> exp.Expr:
    """The width to pad to: never less than there is."""
    most = _call("greatest", exp.Literal.number(width), _call("length", made.copy()))
    return exp.cast(most, "INT")


def number(value: exp.Expr, form: str) -> exp.Expr:
    """to_char() of a number in a format of 9, 0, comma, point, FM, a sign and other characters."""
    trimmed = form.upper().startswith("FM")
    body = re.sub(r'(?i)^FM|"[^"]*"', "", form)
    match = re.fullmatch(r"([^90.,]*)([90,G]*)(?:([.D])([90]*))?([^90.,]*)", body, re.I)
    if match is None:
        raise NotSupportedError(f'the format "{form}" of to_char() is not here')
    before, whole, point, part, after = match.groups()
    if re.search(r"(?i)[A-Z]", (before + after).upper().replace("MI", "").replace("S", "").replace(
        "L", ""
    )):  # fmt: skip
        raise NotSupportedError(f'the format "{form}" of to_char() is not here')
    digits = len(part or "")
    grouped = "," if "," in whole or "G" in whole.upper() else ""
    bare = re.sub("[,Gg]", "", whole)
    real = exp.cast(value.copy(), "DOUBLE")
    size = _call("round", _call("abs", real), exp.Literal.number(digits))
    made = _call("format", exp.Literal.string(f"{{:{grouped}.{digits}f}}"), size)
    if "0" in bare:
        least = len(whole) - whole.index("0") + (digits + 1 if digits else 0)
        made = _call("lpad", made, _wide(made, least), exp.Literal.string("0"))
    else:
        made = _replaced(made, r"^0\.", ".")
    if trimmed and digits and "0" not in (part or ""):
        made = _replaced(_replaced(made, r"(\.\d*?)0+$", r"\1"), r"^\.$", "0.")
    most = exp.Literal.number("1" + "0" * len(bare))
    template = re.sub("[90]", "#", whole.replace("G", ",")) + ("." + "#" * digits if point else "")
    over = exp.GTE(this=size.copy(), expression=most)
    made = exp.Case(ifs=[exp.If(this=over, true=exp.Literal.string(template))], default=made)
    minus = exp.LT(this=real.copy(), expression=exp.Literal.number(0))
    sign = exp.Case(ifs=[exp.If(this=minus, true=exp.Literal.string("-"))],
                    default=exp.Literal.string(""))  # fmt: skip
    made = exp.DPipe(this=sign, expression=made)
    if not trimmed:
        width = len(whole) + (digits + 1 if point else 0) + 1
        made = _call("lpad", made, _wide(made, width), exp.Literal.string(" "))
    head, tail = (re.sub(r"(?i)MI|S", "", x).replace("L", "$") for x in (before, after))
    for text_, left in ((head, True), (tail, False)):
        if text_:
            said = exp.Literal.string(text_)
            made = exp.DPipe(this=said if left else made, expression=made if left else said)
    return exp.Paren(this=made) if isinstance(made, exp.DPipe) else made


def _replaced(value: exp.Expr, pattern: str, new: str) -> exp.Expr:
    return _call("regexp_replace", value, exp.Literal.string(pattern), exp.Literal.string(new))
