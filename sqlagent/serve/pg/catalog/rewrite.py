"""PostgreSQL's tree over the catalogs, in DuckDB's words: each step one difference of theirs."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from sqlagent.errors import NotSupportedError, ProgrammingError
from sqlagent.serve.pg.catalog import shells
from sqlagent.serve.pg.catalog.oids import table_oid
from sqlagent.serve.pg.catalog.spell import TYPE

# The reg… types that a macro pair reads and writes: pg_NAME and pg_NAME_out.
_REG = {
    "regclass": "regclass", "regtype": "regtype", "regproc": "regproc", "regprocedure": "regproc",
    "regnamespace": "regnamespace", "regrole": "regrole",
}  # fmt: skip
_CARRIER = {
    "oid": "UINTEGER", "xid": "UINTEGER", "cid": "UINTEGER", "int2vector": "SMALLINT[]",
    "oidvector": "UINTEGER[]", "cardinal_number": "INTEGER", "time_stamp": "TIMESTAMPTZ",
    "xid8": "UBIGINT",
}  # fmt: skip
ZERO_BASED = frozenset(
    ("indkey", "indclass", "indcollation", "indoption", "proargtypes", "tgattr", "partattrs")
)


def rewritten(tree: exp.Expr) -> exp.Expr:
    """The tree, changed in place (its root may be another)."""
    for step in _STEPS:
        for node in list(tree.find_all(*step.kinds)):  # type: ignore[attr-defined]
            new = step(node)
            if new is not None and new is not node:
                if node is tree:
                    tree = new
                else:
                    node.replace(new)
    return tree


def _on(
    *kinds: type[exp.Expr],
) -> Callable[[Callable[..., exp.Expr | None]], Callable[..., exp.Expr | None]]:
    def mark(step: Callable[..., exp.Expr | None]) -> Callable[..., exp.Expr | None]:
        step.kinds = kinds  # type: ignore[attr-defined]
        return step

    return mark


def pg_name(kind: exp.Expr | None) -> str:
    """The PostgreSQL-only type that a cast names, '' for one that DuckDB has too; [] for arrays."""
    if not isinstance(kind, exp.DataType):
        return ""
    if kind.this is exp.DataType.Type.ARRAY:
        inner = pg_name(kind.expressions[0]) if kind.expressions else ""
        return f"{inner}[]" if inner else ""
    text = kind.sql("postgres").lower()
    return text[len(TYPE) :] if text.startswith(TYPE) else ""


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of a function by its name."""
    return exp.Anonymous(this=name, expressions=list(arguments))


@_on(exp.Cast)
def _casts(node: exp.Cast) -> exp.Expr | None:
    """`x::regclass` is an oid, `x::regclass::text` a name."""
    name = pg_name(node.to)
    inner = node.this
    if not name:
        reg = _REG.get(pg_name(inner.to)) if isinstance(inner, exp.Cast) else None
        if isinstance(inner, exp.Column) and node.to.is_type(*exp.DataType.TEXT_TYPES):
            kinds = shells.attributes().get(inner.name.lower(), ())
            if len(kinds) == 1 and kinds[0] in _REG:  # typinput::text is the function's name
                return call(f"pg_{_REG[kinds[0]]}_out", inner)
        if reg and node.to.is_type(*exp.DataType.TEXT_TYPES):
            return call(f"pg_{reg}_out", _reg(reg, inner.this))
        if isinstance(inner, exp.Column) and inner.name in ZERO_BASED and node.to.is_type(
            *exp.DataType.TEXT_TYPES
        ):  # fmt: skip
            return call("array_to_string", inner, exp.Literal.string(" "))
        text = isinstance(inner, exp.Literal) and inner.is_string and inner.name[:1] == "{"
        if text and node.to.this is exp.DataType.Type.ARRAY:
            node.set("this", literal_array(inner))
        return None
    element = name.removesuffix("[]")
    if element in _REG and element == name:
        return _reg(_REG[name], inner)
    if name in ("regoper", "regoperator", "regconfig", "regdictionary", "regcollation"):
        return exp.cast(inner, "TEXT")
    carrier = "UINTEGER" if element in _REG else _CARRIER.get(element, "TEXT")
    if isinstance(inner, exp.Literal) and inner.is_string and name.endswith(("[]", "vector")):
        inner = literal_array(inner)
    return exp.cast(
        inner, exp.DataType.build(carrier + name[len(element) :], dialect="duckdb"), copy=False
    )


def _reg(name: str, inner: exp.Expr) -> exp.Expr:
    """The oid of what an expression names; of one that is given there must be such."""
    given = isinstance(inner, exp.Literal | exp.Parameter) and name in ("regclass", "regtype")
    return call(f"pg_{name}{'_named' if given else ''}", inner)


def literal_array(node: exp.Literal) -> exp.Expr:
    """The list of an array's text: '{a,"b c",NULL}', or a vector's '1 2'."""
    text = node.name.strip()
    if not text.startswith("{"):
        return exp.Array(expressions=[exp.Literal.string(x) for x in text.split()])
    import re

    found: list[exp.Expr] = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', text):
        if bare and bare.strip().upper() == "NULL":
            found.append(exp.null())
        else:
            found.append(exp.Literal.string(re.sub(r"\\(.)", r"\1", quoted) or bare.strip()))
    return exp.Array(expressions=found)


@_on(exp.EQ, exp.NEQ, exp.ArrayContainsAll, exp.ArrayOverlaps)
def _arrays(node: exp.Binary) -> exp.Expr | None:
    """A list beside an array's text: `conkey = '{1}'`."""
    for one, other in (("this", "expression"), ("expression", "this")):
        column, text = node.args[one], node.args[other]
        if not (isinstance(column, exp.Column) and isinstance(text, exp.Literal)):
            continue
        kinds = shells.attributes().get(column.name.lower(), ())
        listed = len(kinds) == 1 and kinds[0].endswith("[]")
        if listed and text.is_string and text.name.strip().startswith("{"):
            node.set(other, literal_array(text))
    return None


@_on(exp.Any)
def _any(node: exp.Any) -> exp.Expr | None:
    """`x = ANY (list)` is list_contains(): DuckDB has no such join condition."""
    outer, inner = node.parent, node.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.Query | exp.Subquery) or not isinstance(outer, exp.Binary):
        return None
    if isinstance(inner, exp.Tuple):
        return None
    if isinstance(inner, exp.Literal) and inner.is_string:
        inner = literal_array(inner)
    other = outer.this if outer.expression is node else outer.expression
    if isinstance(outer, exp.EQ):
        found: exp.Expr = call("list_contains", inner.copy(), other.copy())
    elif isinstance(outer, exp.NEQ):
        found = exp.not_(call("list_contains", inner.copy(), other.copy()))
    else:
        return None
    outer.replace(found)
    return None


@_on(exp.Anonymous)
def _all(node: exp.Anonymous) -> exp.Expr | None:
    """`x <> ALL (list)` is no member of it."""
    outer = node.parent
    if node.name.lower() != "all" or not isinstance(outer, exp.NEQ) or not node.expressions:
        return None
    inner = node.expressions[0]
    if isinstance(inner, exp.Literal) and inner.is_string:
        inner = literal_array(inner)
    outer.replace(exp.not_(call("list_contains", inner.copy(), outer.this.copy())))
    return None


@_on(exp.Bracket)
def _vectors(node: exp.Bracket) -> exp.Expr | None:
    """The first of an int2vector has the number 0."""
    if isinstance(node.this, exp.Column) and node.this.name.lower() in ZERO_BASED:
        node.set("expressions", [exp.Add(this=e, expression=exp.Literal.number(1))
                                 for e in node.expressions])  # fmt: skip
    return None


@_on(exp.Column)
def _hidden(node: exp.Column) -> exp.Expr | None:
    """tableoid, xmin and ctid, which every table of PostgreSQL's has."""
    name = node.name.lower()
    if name in ("xmin", "xmax", "cmin", "cmax") and node.table:
        return exp.cast(exp.Literal.number(1), "UINTEGER", dialect="duckdb")
    if name != "tableoid":
        return None
    select = node.find_ancestor(exp.Select)
    for table in select.find_all(exp.Table) if select is not None else ():
        if not node.table or table.alias_or_name.lower() == node.table.lower():
            relation = shells.relations().get(table.name.lower())
            number = relation.oid if relation is not None else table_oid(table.name)
            found = exp.cast(exp.Literal.number(number), "UINTEGER", dialect="duckdb")
            return exp.alias_(found, name) if node.parent is select else found
    return None


@_on(exp.Func)
def _calls(node: exp.Func) -> exp.Expr | None:
    """Functions that DuckDB has under another name, or otherwise."""
    name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    given = node.expressions if isinstance(node, exp.Anonymous) else []
    column = given[0] if given and isinstance(given[0], exp.Column) else None
    if name == "generate_subscripts" and given:
        zero = "0" if column is not None and column.name.lower() in ZERO_BASED else ""
        if isinstance(node.parent, exp.Table | exp.Lateral):
            return call(f"pg_rows_of_subscripts{zero}", given[0])
        if zero:
            return call("pg_subscripts0", given[0])
    if name in ("json_build_object", "jsonb_build_object"):
        return call("json_object", *given)
    if name in ("json_build_array", "jsonb_build_array"):
        return call("json_array", *given)
    if name in ("json_agg", "jsonb_agg") and given:
        return call("to_json", exp.ArrayAgg(this=given[0]))
    if name in ("array_to_json", "row_to_json", "to_jsonb"):
        return call("to_json", *given[:1])
    if name == "encode" or isinstance(node, exp.Encode):
        arguments = given or [node.this, node.args.get("charset")]
        if len(arguments) == 2 and arguments[1] is not None:
            return call("pg_encode", *arguments)
    if name == "format" or isinstance(node, exp.Format):
        return _format(given or [node.this, *node.expressions])
    if name == "pg_partition_tree":
        raise NotSupportedError("partitions are not here")
    return None


def _format(arguments: list[exp.Expr]) -> exp.Expr | None:
    """format('%I.%s', a, b), of a text that is known."""
    if not arguments or not isinstance(arguments[0], exp.Literal):
        return None
    import re

    parts: list[exp.Expr] = []
    rest = list(arguments[1:])
    for piece in re.split(r"(%[sIL%])", arguments[0].name):
        if piece == "%%":
            parts.append(exp.Literal.string("%"))
        elif piece in ("%s", "%I", "%L"):
            if not rest:
                raise ProgrammingError("too few arguments for format()", sqlstate="22023")
            value = exp.cast(rest.pop(0), "TEXT")
            wrap = {"%I": "quote_ident", "%L": "quote_nullable"}.get(piece)
            parts.append(call(wrap, value) if wrap else value)
        elif piece:
            parts.append(exp.Literal.string(piece))
    return call("concat", *parts) if parts else exp.Literal.string("")


@_on(exp.Table)
def _only(node: exp.Table) -> exp.Expr | None:
    """FROM ONLY t, and pg_catalog's schema where it was left."""
    if node.db.lower() in ("pg_catalog", "public"):
        node.set("db", None)
        node.set("catalog", None)
    node.set("only", None)
    inner = node.this
    if isinstance(inner, exp.Anonymous) and inner.name.lower() == "aclexplode":
        inner.set("this", "pg_rows_of_acl")
    elif isinstance(inner, exp.Anonymous) and inner.name.lower() == "pg_partition_ancestors":
        inner.set("this", "pg_rows_of_ancestors")
        node.set("ordinality", None)
    return _one_row(node) or _scalar_rows(node)


def _scalar_rows(node: exp.Expr) -> exp.Expr | None:
    """The alias of a function with one value a row is the name of that value too."""
    inner, alias = node.this, node.args.get("alias")
    scalar = isinstance(node, exp.Unnest | exp.GenerateSeries) or isinstance(
        inner, exp.GenerateSeries | exp.Unnest
    )
    scalar = scalar or (isinstance(inner, exp.Anonymous) and inner.name.lower() in _SCALAR_ROWS)
    if not scalar or not isinstance(alias, exp.TableAlias) or alias.this is None:
        return None
    if not alias.args.get("columns"):
        alias.set("columns", [alias.this.copy()])
    return None


def _together(node: exp.Unnest) -> exp.Expr | None:
    """`unnest(a, b) WITH ORDINALITY AS u(x, y, n)`: several lists side by side."""
    alias = node.args.get("alias")
    names = [c.name for c in alias.columns] if isinstance(alias, exp.TableAlias) else []
    offset = node.args.get("offset")
    if isinstance(offset, exp.Identifier):
        names.append(offset.name)
    lists = list(node.expressions)
    numbers = call("range", exp.Literal.number(1), exp.Add(
        this=call("len", lists[0].copy()), expression=exp.Literal.number(1)
    ))  # fmt: skip
    wanted = [*(x.copy() for x in lists), *([numbers] if len(names) > len(lists) else [])]
    names += [f"unnest{n}" for n in range(len(names), len(wanted))]
    columns = [
        exp.alias_(call("unnest", x), name, quoted=True)
        for x, name in zip(wanted, names, strict=False)
    ]
    return exp.Subquery(
        this=exp.select(*columns), alias=exp.TableAlias(this=alias.this) if alias else None
    )


def _one_row(node: exp.Table) -> exp.Expr | None:
    """A function of one value in FROM: a row of it, by the alias's name."""
    alias = node.args.get("alias")
    inner = node.this
    name = inner.name.lower() if isinstance(inner, exp.Anonymous) else ""
    if not isinstance(inner, exp.StringToArray) and name not in ("string_to_array", "now"):
        return None
    named = alias.name if isinstance(alias, exp.TableAlias) else "string_to_array"
    query = exp.select(exp.alias_(inner.copy(), named, quoted=True))
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(named)))


_SCALAR_ROWS = frozenset((
    "generate_series", "unnest", "pg_rows_of_subscripts", "pg_rows_of_subscripts0",
    "regexp_split_to_table", "string_to_table",
))  # fmt: skip


@_on(exp.Unnest, exp.Lateral)
def _unnests(node: exp.Unnest | exp.Lateral) -> exp.Expr | None:
    if isinstance(node, exp.Unnest) and len(node.expressions) > 1:
        return _together(node)
    _scalar_rows(node)
    if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Anonymous):
        return exp.Table(this=node.this, alias=node.args.get("alias"))  # lateral as it is
    return None


@_on(exp.Column)
def _bare_columns(node: exp.Column) -> exp.Expr | None:
    if node.args.get("db") is not None:
        node.set("db", None)
        node.set("catalog", None)
    return None


@_on(exp.Lock)
def _locks(node: exp.Lock) -> exp.Expr | None:
    node.pop()
    return None


# Casts inside out: find_all goes from the outside in, so the outer of two sees the inner as it was.
_STEPS = (
    _casts,
    _arrays,
    _any,
    _all,
    _vectors,
    _hidden,
    _calls,
    _only,
    _unnests,
    _bare_columns,
    _locks,
)
