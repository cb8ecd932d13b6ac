"""Functions by name: what PostgreSQL calls so, as DuckDB says it."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.rewrite.postgres import formats

Make = Callable[[exp.Anonymous], exp.Expr | None]
# The same function under another name.
KEPT = {
    "every": "bool_and", "cardinality": "len", "jsonb_array_length": "json_array_length",
    "jsonb_build_object": "json_object", "json_build_object": "json_object",
    "jsonb_build_array": "json_array", "json_build_array": "json_array",
    "row_to_json": "to_json", "to_jsonb": "to_json", "array_to_json": "to_json",
    "regexp_split_to_array": "string_split_regex", "array_cat": "list_concat",
    "jsonb_object_agg": "json_group_object",
}  # fmt: skip
_NOW = ("clock_timestamp", "statement_timestamp", "transaction_timestamp")
_TEXT_SEARCH = (
    "to_tsvector", "to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery",
    "ts_rank", "ts_rank_cd", "ts_headline", "setweight", "tsvector_to_array",
)  # fmt: skip


def call(name: str, *given: exp.Expr) -> exp.Anonymous:
    """A call of a function by its name."""
    return exp.Anonymous(this=name, expressions=list(given))


def _constant(node: exp.Expr | None, what: str) -> str:
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    if isinstance(node, exp.Literal) and node.is_string:
        return str(node.name)
    raise NotSupportedError(f"{what} is a constant here")


def _given(node: exp.Anonymous, least: int, most: int | None = None) -> list[exp.Expr]:
    given = list(node.expressions)
    if not least <= len(given) <= (most or least):
        raise ProgrammingError(
            f"function {node.name.lower()} with {len(given)} arguments does not exist",
            sqlstate="42883",
        )
    return given


def _to_char(node: exp.Anonymous) -> exp.Expr | None:
    value, form = _given(node, 2)
    text = _constant(form, "the format of to_char()")
    if re.search(r"(?i)[90]", re.sub(r'"[^"]*"', "", text)):
        return formats.number(value, text)
    return formats.text(value, text)


def _of_epoch(node: exp.Expr, seconds: exp.Expr) -> exp.Expr:
    """to_timestamp() of seconds since 1970; in a write, where SQLite says it, to milliseconds."""
    if isinstance(node.root(), exp.Insert | exp.Update | exp.Delete):
        form = exp.Literal.string("%Y-%m-%d %H:%M:%f")
        return call("sq_strftime", form, seconds.copy(), exp.Literal.string("unixepoch"))
    return exp.UnixToTime(this=seconds.copy())


def _reads(kind: str) -> Make:
    def make(node: exp.Anonymous) -> exp.Expr | None:
        given = _given(node, 1, 2)
        if len(given) == 1:
            return _of_epoch(node, given[0]) if kind == "TIMESTAMP" else None
        form = _constant(given[1], f"the format of {node.name.lower().removeprefix('pg_')}()")
        value = given[0]
        if isinstance(value, exp.Literal) and value.is_string:
            found = formats.moment(value.name, form)
            if found is not None:
                text = found if kind == "TIMESTAMP" else found[:10]
                return exp.cast(exp.Literal.string(text), kind)
        read = call("strptime", exp.cast(value.copy(), "TEXT"),
                    exp.Literal.string(formats.reading(form)))  # fmt: skip
        return exp.cast(read, kind)

    return make


def _format(node: exp.Anonymous) -> exp.Expr | None:
    form, *rest = _given(node, 1, 100)
    parts: list[exp.Expr] = []
    for piece in re.split(r"(%[sIL%])", _constant(form, "the format of format()")):
        if piece == "%%":
            parts.append(exp.Literal.string("%"))
        elif piece in ("%s", "%I", "%L"):
            if not rest:
                raise ProgrammingError("too few arguments for format()", sqlstate="22023")
            value = exp.cast(rest.pop(0).copy(), "TEXT")
            parts.append({"%s": lambda v: v, "%I": _ident, "%L": _nullable}[piece](value))
        elif "%" in piece:
            raise NotSupportedError(f'the format "{form.name}" of format() is not here')
        elif piece:
            parts.append(exp.Literal.string(piece))
    return call("concat", *parts) if parts else exp.Literal.string("")


def _doubled(value: exp.Expr, mark: str) -> exp.Expr:
    inner = call("replace", value, exp.Literal.string(mark), exp.Literal.string(mark * 2))
    left = exp.DPipe(this=exp.Literal.string(mark), expression=inner)
    return exp.Paren(this=exp.DPipe(this=left, expression=exp.Literal.string(mark)))


def _ident(value: exp.Expr) -> exp.Expr:
    plain = call("regexp_full_match", value.copy(), exp.Literal.string("[a-z_][a-z0-9_]*"))
    return exp.Case(ifs=[exp.If(this=plain, true=value)], default=_doubled(value.copy(), '"'))


def _literal(value: exp.Expr) -> exp.Expr:
    return _doubled(exp.cast(value.copy(), "TEXT"), "'")


def _nullable(value: exp.Expr) -> exp.Expr:
    return exp.Coalesce(this=_literal(value), expressions=[exp.Literal.string("NULL")])


def _encode(node: exp.Anonymous) -> exp.Expr | None:
    value, form = _given(node, 2)
    said = _constant(form, "the form of encode()")
    blob = exp.cast(value.copy(), "BLOB") if isinstance(value, exp.Literal) else value.copy()
    if said == "hex":
        return call("lower", call("hex", blob))
    if said == "base64":
        return call("to_base64", blob)
    raise NotSupportedError(f'encode() to "{said}" is not here', hint="hex and base64 are")


def _decode(node: exp.Anonymous) -> exp.Expr | None:
    value, form = _given(node, 2)
    said = _constant(form, "the form of decode()")
    if said in ("hex", "base64"):
        return call({"hex": "unhex", "base64": "from_base64"}[said], value.copy())
    raise NotSupportedError(f'decode() from "{said}" is not here', hint="hex and base64 are")


def _groups(pattern: exp.Expr) -> int:
    try:
        return re.compile(_constant(pattern, "a pattern")).groups
    except re.error:
        return 0


def _options(given: list[exp.Expr]) -> list[exp.Expr]:
    flags = _constant(given[2], "the flags") if len(given) > 2 else ""
    kept = "".join(f for f in flags if f in "icmns")
    return [exp.Literal.string(kept)] if kept else []


def _regexp_match(node: exp.Anonymous) -> exp.Expr | None:
    """The texts of the first match, as an array; NULL without one."""
    given = _given(node, 2, 3)
    value, pattern = given[:2]
    options = _options(given)
    count = _groups(pattern)
    found = [
        call("regexp_extract", value.copy(), pattern.copy(), exp.Literal.number(n), *options)
        for n in (range(1, count + 1) if count else (0,))
    ]
    matches = call("regexp_matches", value.copy(), pattern.copy(), *options)
    return exp.Case(ifs=[exp.If(this=matches, true=exp.Array(expressions=found))])


def _regexp_matches(node: exp.Anonymous) -> exp.Expr | None:
    """A row for each match with the flag g, else for the first."""
    given = _given(node, 2, 3)
    if len(given) == 2 and isinstance(node.parent, exp.Where | exp.And | exp.Or | exp.Not):
        return None  # DuckDB's own, a condition
    flags = _constant(given[2], "the flags") if len(given) > 2 else ""
    if "g" not in flags:
        found = _regexp_match(call("regexp_match", *(g.copy() for g in given)))
        one = exp.Array(expressions=[found])
        return call("unnest", call("list_filter", one, _lambda("x", exp.not_(
            exp.Is(this=exp.column("x"), expression=exp.null())
        ))))  # fmt: skip
    if _groups(given[1]) > 1:
        raise NotSupportedError("regexp_matches() of several groups with the flag g is not here")
    every = call("regexp_extract_all", given[0].copy(), given[1].copy(),
                 exp.Literal.number(_groups(given[1])))  # fmt: skip
    return call("unnest", call("list_transform", every,
                               _lambda("x", exp.Array(expressions=[exp.column("x")]))))  # fmt: skip


def _lambda(name: str, body: exp.Expr) -> exp.Expr:
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name)])


def _elements(kind: str) -> Make:
    def make(node: exp.Anonymous) -> exp.Expr | None:
        (value,) = _given(node, 1)
        listed = call("from_json", value.copy(), exp.Literal.string(f'["{kind}"]'))
        return call("unnest", listed)

    return make


def _keys(node: exp.Anonymous) -> exp.Expr | None:
    return call("unnest", call("json_keys", *(g.copy() for g in _given(node, 1))))


def _aggregate(node: exp.Anonymous) -> exp.Expr | None:
    (value,) = _given(node, 1)
    return call("to_json", exp.ArrayAgg(this=value.copy()))


def _path(text: bool) -> Make:
    def make(node: exp.Anonymous) -> exp.Expr | None:
        given = _given(node, 2, 50)
        return path(given[0], [_constant(g, "a key") for g in given[1:]], text)

    return make


def path(value: exp.Expr, keys: list[str], text: bool) -> exp.Expr:
    """The value under some keys of a JSON."""
    said = "$" + "".join(
        f"[{k}]" if re.fullmatch(r"\d+", k) else '."' + k.replace('"', '\\"') + '"' for k in keys
    )
    name = "json_extract_string" if text else "json_extract"
    return call(name, value.copy(), exp.Literal.string(said))


def _typeof(node: exp.Anonymous) -> exp.Expr | None:
    kind = call("json_type", *(g.copy() for g in _given(node, 1)))
    said = {
        "BIGINT": "number", "UBIGINT": "number", "DOUBLE": "number", "VARCHAR": "string",
        "BOOLEAN": "boolean", "NULL": "null", "OBJECT": "object", "ARRAY": "array",
    }  # fmt: skip
    return exp.Case(this=kind, ifs=[
        exp.If(this=exp.Literal.string(k), true=exp.Literal.string(v)) for k, v in said.items()
    ])  # fmt: skip


def _now(node: exp.Anonymous) -> exp.Expr | None:
    _given(node, 0)
    return exp.CurrentTimestamp()


def _refused(reason: str, hint: str | None = None) -> Make:
    def make(node: exp.Anonymous) -> exp.Expr | None:
        raise NotSupportedError(f"{node.name.lower()}() is not here: {reason}", hint=hint)

    return make


def _octets(node: exp.Anonymous) -> exp.Expr | None:
    (value,) = _given(node, 1)
    if isinstance(value, exp.Cast) and value.to.is_type("varbinary", "bytea", "blob"):
        return None
    return call("strlen", exp.cast(value.copy(), "TEXT"))


def _array_upper(node: exp.Anonymous) -> exp.Expr | None:
    value, _ = _given(node, 2)
    return call("nullif", call("len", value.copy()), exp.Literal.number(0))


def _timezone(node: exp.Anonymous) -> exp.Expr | None:
    zone, value = _given(node, 2)
    return exp.AtTimeZone(this=value.copy(), zone=zone.copy())


def _nulls(wanted: bool) -> Make:
    def make(node: exp.Anonymous) -> exp.Expr | None:
        parts: list[exp.Expr] = []
        for value in node.expressions:
            test: exp.Expr = exp.Is(this=value.copy(), expression=exp.null())
            parts.append(exp.cast(exp.Paren(this=exp.not_(test) if wanted else test), "BIGINT"))
        made = parts[0]
        for part in parts[1:]:
            made = exp.Add(this=made, expression=part)
        return exp.Paren(this=made)

    return make


def _initcap(node: exp.Anonymous) -> exp.Expr | None:
    """Each word with a capital: letters and digits make a word."""
    (value,) = _given(node, 1)
    words = call("regexp_extract_all", call("lower", value.copy()),
                 exp.Literal.string(r"[\pL\pN]+|[^\pL\pN]+"))  # fmt: skip
    x = exp.column("x")
    first = call("upper", call("left", x, exp.Literal.number(1)))
    rest = call("substr", x.copy(), exp.Literal.number(2))
    capital = _lambda("x", exp.DPipe(this=first, expression=rest))
    return call("array_to_string", call("list_transform", words, capital), exp.Literal.string(""))


def _series(node: exp.Anonymous) -> exp.Expr | None:
    """Rows, where it does not stand in FROM; a step that is a text is an interval."""
    outer = node.parent
    given = node.expressions
    if len(given) == 3 and isinstance(given[2], exp.Literal) and given[2].is_string:
        first, last = (exp.cast(g.copy(), "TIMESTAMP") for g in given[:2])
        node = call("sq_generate_series", first, last, exp.cast(given[2].copy(), "INTERVAL"))
        if isinstance(outer, exp.Table):
            return node
    if isinstance(outer, exp.Table) or (
        isinstance(outer, exp.Anonymous) and outer.name.lower() == "unnest"
    ):
        return None
    return call("unnest", node.copy())


CALLS: dict[str, Make] = {
    "sq_generate_series": _series,
    "pg_to_char": _to_char, "pg_to_timestamp": _reads("TIMESTAMP"), "pg_to_date": _reads("DATE"),
    "pg_format": _format, "pg_encode": _encode, "pg_decode": _decode, "pg_initcap": _initcap,
    "regexp_match": _regexp_match, "regexp_matches": _regexp_matches,
    "jsonb_array_elements": _elements("JSON"), "json_array_elements": _elements("JSON"),
    "jsonb_array_elements_text": _elements("VARCHAR"),
    "json_array_elements_text": _elements("VARCHAR"),
    "jsonb_object_keys": _keys, "json_object_keys": _keys, "jsonb_agg": _aggregate,
    "json_agg": _aggregate, "jsonb_typeof": _typeof, "json_typeof": _typeof,
    "jsonb_extract_path": _path(False), "json_extract_path": _path(False),
    "jsonb_extract_path_text": _path(True), "json_extract_path_text": _path(True),
    "jsonb_path_query_first": lambda n: call("json_extract", *(g.copy() for g in _given(n, 2))),
    "jsonb_path_exists": lambda n: call("json_exists", *(g.copy() for g in _given(n, 2))),
    "quote_ident": lambda n: _ident(_given(n, 1)[0].copy()),
    "quote_literal": lambda n: _literal(_given(n, 1)[0]),
    "quote_nullable": lambda n: _nullable(_given(n, 1)[0]),
    "octet_length": _octets, "array_upper": _array_upper, "timezone": _timezone,
    "num_nulls": _nulls(False),
    "num_nonnulls": _nulls(True),
    **dict.fromkeys(_NOW, _now),
    **dict.fromkeys(_TEXT_SEARCH, _refused(
        "text is searched by words in other functions",
        "search(…), recall(…), or MATCH on a full-text table",
    )),
}  # fmt: skip
