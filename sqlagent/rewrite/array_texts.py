"""PostgreSQL's array texts: `'{1,2}'::int[]` is a list, whichever engine runs it."""

from __future__ import annotations

from sqlglot import exp

from sqlagent.errors import ProgrammingError
from sqlagent.rewrite.context import Context


def array_texts(tree: exp.Expr, context: Context) -> exp.Expr:
    """A cast of `'{…}'` to an array becomes a list of casts, in PostgreSQL's dialect."""
    if context.dialect != "postgres":
        return tree
    for node in list(tree.find_all(exp.Cast)):
        value, kind = node.this, node.to
        if not (isinstance(value, exp.Literal) and value.is_string and kind.is_type("array")):
            continue
        text = value.name.strip()
        if not text.startswith("{"):
            continue
        items, end = _items(text, 1, context)
        if text[end:].strip():
            raise _malformed(text, context)
        inner = kind.expressions[0] if kind.expressions else exp.DataType.build("text")
        while inner.is_type("array") and inner.expressions:
            inner = inner.expressions[0]
        assert isinstance(inner, exp.DataType)  # of a type that has elements
        whole = inner.copy()
        for _ in range(_depth(items)):  # PostgreSQL's int[] is of any number of dimensions
            whole = exp.DataType(this=exp.DType.ARRAY, expressions=[whole], nested=True)
        made = exp.cast(_list(items, inner), whole)
        context.changed = True
        if node is tree:
            return made
        node.replace(made)
    return tree


_Items = list["str | _Items | None"]


def _depth(items: _Items) -> int:
    return 1 + max((_depth(i) for i in items if isinstance(i, list)), default=0)


def _list(items: _Items, kind: exp.DataType) -> exp.Expr:
    """The items as a list, each cast to the element's type."""
    parts: list[exp.Expr] = []
    for item in items:
        if isinstance(item, list):
            parts.append(_list(item, kind))
        elif item is None:
            parts.append(exp.null())
        else:
            parts.append(exp.cast(exp.Literal.string(item), kind.copy()))
    return exp.Array(expressions=parts)


def _items(text: str, at: int, context: Context) -> tuple[_Items, int]:
    """The items after a `{`, and the place after its `}`."""
    found: _Items = []
    word, quoted, was = "", False, False
    while at < len(text):
        char = text[at]
        if quoted:
            if char == "\\":
                at += 1
                word += text[at : at + 1]
            elif char == '"':
                quoted = False
            else:
                word += char
        elif char == '"':
            quoted = was = True
        elif char == "{":
            inner, at = _items(text, at + 1, context)
            found.append(inner)
            while at < len(text) and text[at].isspace():
                at += 1
            if text[at : at + 1] == ",":
                at += 1
                continue
            if text[at : at + 1] == "}":
                return found, at + 1
            raise _malformed(text, context)
        elif char in ",}":
            if was or word.strip():
                plain = word.strip()
                found.append(word if was else None if plain.upper() == "NULL" else plain)
            elif found or char == ",":
                raise _malformed(text, context)
            word, was = "", False
            if char == "}":
                return found, at + 1
        elif not was:
            word += char
        at += 1
    raise _malformed(text, context)


def _malformed(text: str, context: Context) -> ProgrammingError:
    place = context.sql.find(text)
    return ProgrammingError(
        f'malformed array literal: "{text}"', sql=context.sql,
        position=place if place >= 0 else None, sqlstate="22P02",
    )  # fmt: skip
