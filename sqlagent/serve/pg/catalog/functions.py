"""pg_proc: the functions of ours, and those of PostgreSQL's that its types point to."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlagent.functions import Function, functions
from sqlagent.serve.pg.catalog import shells, types
from sqlagent.serve.pg.catalog.oids import FIRST, OWNER, PG_CATALOG, PUBLIC, oid

_LANGUAGE = 12  # internal


def number(function: Function) -> int:
    """The oid of a function of ours."""
    return oid("pg_proc", function.name)


@lru_cache(maxsize=1)
def rows() -> dict[str, list[dict[str, Any]]]:
    """The rows of pg_proc."""
    found = []
    for row in shells.rows("pg_proc"):
        arguments = [int(x) for x in row["proargtypes"].split()]
        found.append(_row(
            int(row["oid"]), row["proname"], PG_CATALOG, int(row["prorettype"]), arguments,
            row["provolatile"], row["prosrc"],
        ))  # fmt: skip
    for function in functions().values():
        arguments = [_type(p.type) for p in function.parameters]
        table = function.kind == "table"
        returns = types.oid_of("record") if table else _type(function.returns)
        made = _row(
            number(function), function.name, PUBLIC, returns, arguments,
            "v" if function.writes else "s", function.name,
        )  # fmt: skip
        made["proretset"] = table
        made["proargnames"] = [p.name for p in function.parameters] or None
        made["pronargdefaults"] = sum(not p.required for p in function.parameters)
        found.append(made)
    return {"pg_proc": found}


@lru_cache(maxsize=1)
def texts() -> dict[str, dict[Any, Any]]:
    """What the macros look up of functions, by oid."""
    ours = functions().values()
    names = {int(r["oid"]): r["proname"] for r in shells.rows("pg_proc")}
    names |= {number(f): f.name for f in ours}
    return {
        "proc_names": names,
        "proc_oids": {name.lower(): o for o, name in names.items() if o >= FIRST}
        | {name: o for o, name in names.items() if o < FIRST},
        "proc_arguments": {number(f): _arguments(f) for f in ours},
        "proc_results": {number(f): _result(f) for f in ours},
        "proc_texts": {number(f): f"-- {f.signature}\n{f.doc}" for f in ours},
        "proc_comments": {number(f): f.doc.partition("\n\n")[0].replace("\n", " ") for f in ours},
    }


def _arguments(function: Function) -> str:
    from sqlagent.functions import sql_literal

    return ", ".join(
        f"{p.name} {_name(p.type)}"
        + ("" if p.required else f" DEFAULT {sql_literal(p.default)}")
        for p in function.parameters
    )  # fmt: skip


def _result(function: Function) -> str:
    if function.kind == "table":
        columns = ", ".join(f"{name} {_name(kind)}" for name, kind in function.columns)
        return f"TABLE({columns})"
    return _name(function.returns)


def _name(kind: str) -> str:
    name = types.of_logical(kind)[0]
    inner = name.removesuffix("[]")
    return types.FORMATTED.get(inner, inner) + name[len(inner) :]


def _type(kind: str) -> int:
    return types.oid_of(types.of_logical(kind)[0])


def _row(
    number: int, name: str, space: int, returns: int, arguments: list[int], volatile: str, code: str
) -> dict[str, Any]:
    return {
        "oid": number, "proname": name, "pronamespace": space, "proowner": OWNER,
        "prolang": _LANGUAGE, "procost": 1, "prorows": 0, "provariadic": 0, "prosupport": 0,
        "prokind": "f", "prosecdef": False, "proleakproof": False, "proisstrict": True,
        "proretset": False, "provolatile": volatile, "proparallel": "s",
        "pronargs": len(arguments), "pronargdefaults": 0, "prorettype": returns,
        "proargtypes": arguments, "prosrc": code,
    }  # fmt: skip
