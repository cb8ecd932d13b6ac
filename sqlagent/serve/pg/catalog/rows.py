"""The rows of pg_catalog that speak of the file, made from its objects."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache
from typing import Any

from sqlagent.catalog import Table
from sqlagent.engines.sequences import Sequence
from sqlagent.parse.lexer import is_name, lex
from sqlagent.plan.view_types import select_of
from sqlagent.serve.pg.catalog import definitions, extension, said, shells, types
from sqlagent.serve.pg.catalog.objects import Index, Objects, kind_of, relkind
from sqlagent.serve.pg.catalog.oids import FIRST, OWNER, PG_CATALOG, PUBLIC, oid, table_oid

Row = dict[str, Any]
INFORMATION_SCHEMA = 13_207
_PG_CLASS, _PG_CONSTRAINT, _PG_PROC, _PG_TYPE, _PG_REWRITE = 1259, 2606, 1255, 1247, 2618
_BTREE, _HEAP = 403, 2
_ACTIONS = {
    "NO ACTION": "a", "RESTRICT": "r", "CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d"
}  # fmt: skip
# The relation's column by which rows of the file's objects are told from PostgreSQL's own.
REFRESHED = {
    "pg_class": "oid", "pg_attribute": "attrelid", "pg_attrdef": "oid", "pg_index": "indexrelid",
    "pg_constraint": "oid", "pg_description": "objoid", "pg_trigger": "oid", "pg_rewrite": "oid",
    "pg_depend": "objid", "pg_sequence": "seqrelid",
}  # fmt: skip


def system() -> dict[str, list[Row]]:
    """The rows of PostgreSQL's own relations in pg_class and pg_attribute."""
    classes, attributes = [], []
    for relation in shells.relations().values():
        space = PG_CATALOG if relation.schema == "pg_catalog" else INFORMATION_SCHEMA
        classes.append(
            _class(relation.oid, relation.name, relation.relkind, len(relation.columns), space)
        )
        for number, column in enumerate(relation.columns, 1):
            kind = types.oid_of('"char"' if column.kind == "char" else column.kind)
            attributes.append(
                _attribute(
                    relation.oid, column.name, kind or 25, number, -1, column.not_null, column.kind
                )
            )
    return {"pg_class": classes, "pg_attribute": attributes}


def of_objects(found: Objects) -> dict[str, list[Row]]:
    """The rows of everything in the file, by relation."""
    made: dict[str, list[Row]] = {name: [] for name in REFRESHED}
    made["pg_depend"] += extension.members(
        [(t.name, relkind(t)) for t in found.tables], [(k.table, k.target) for k in found.keys]
    )
    indexes: dict[str, list[Index]] = defaultdict(list)
    for index in found.indexes:
        indexes[index.table].append(index)
    primary = dict(found.primary)
    for table in found.tables:
        columns = primary.get(table.name)
        if columns and not any(i.origin == "pk" for i in indexes[table.name]):
            # The rowid itself is the key: SQLite has no index of that, PostgreSQL one for each key.
            names = [c.name for c in table.columns]
            parts = tuple((names.index(c) + 1 if c in names else 0, c, False) for c in columns)
            name = found.primary_names.get(table.name, f"{table.name}_pkey")
            indexes[table.name].insert(0, Index(name, table.name, True, "pk", parts, None))
    checks = Counter(table for table, _, _ in found.checks)
    for table in found.tables:
        _table(table, found, indexes[table.name], made, checks[table.name])
    for index in (i for table in found.tables for i in indexes[table.name]):
        _index(index, made)
    known = {t.name: [c.name.lower() for c in t.columns] for t in found.tables}
    for key in found.keys:
        number = oid("pg_constraint", f"{key.table}.{key.name}")
        mine = [known[key.table].index(c.lower()) + 1 for c in key.columns]
        others = [known[key.target].index(c.lower()) + 1 for c in key.others]
        target = next((i for i in indexes[key.target] if i.origin in ("pk", "u")), None)
        made["pg_constraint"].append(
            _constraint(number, key.name, "f", key.table, mine) | {
                "confrelid": table_oid(key.target), "confkey": others,
                "conindid": table_oid(target.name) if target is not None else 0,
                "confupdtype": _ACTIONS.get(key.on_update, "a"),
                "confdeltype": _ACTIONS.get(key.on_delete, "a"), "confmatchtype": "s",
            }
        )  # fmt: skip
        if target is not None:
            made["pg_depend"].append({
                "classid": _PG_CONSTRAINT, "objid": number, "objsubid": 0,
                "refclassid": _PG_CLASS, "refobjid": table_oid(target.name), "refobjsubid": 0,
                "deptype": "n",
            })  # fmt: skip
    for table_name, name, text in found.checks:
        number = oid("pg_constraint", f"{table_name}.{name}")
        said = {t.name.lower() for t in lex(text) if is_name(t)}
        about = [n for n, c in enumerate(known[table_name], 1) if c in said]
        made["pg_constraint"].append(_constraint(number, name, "c", table_name, about))
    for sequence in found.sequences:
        _sequence(sequence, made, known)
    # Internal: their texts are SQLite's, and whoever ran one elsewhere would run its body alone.
    for name, table_name, _ in found.triggers:
        made["pg_trigger"].append({
            "oid": oid("pg_trigger", name), "tgrelid": table_oid(table_name), "tgparentid": 0,
            "tgname": name, "tgfoid": 0, "tgtype": 5, "tgenabled": "O", "tgisinternal": True,
            "tgconstrrelid": 0, "tgconstrindid": 0, "tgconstraint": 0, "tgdeferrable": False,
            "tginitdeferred": False, "tgnargs": 0, "tgattr": [],
        })  # fmt: skip
    return made


def _sequence(sequence: Sequence, made: dict[str, list[Row]], known: dict[str, list[str]]) -> None:
    """A sequence, and the column that it goes with."""
    number = table_oid(sequence.name)
    kind = {"smallint": 21, "integer": 23}.get(sequence.data_type, 20)
    made["pg_class"].append(_class(number, sequence.name, "S", 3, PUBLIC))
    made["pg_sequence"].append({
        "seqrelid": number, "seqtypid": kind, "seqstart": sequence.start_value,
        "seqincrement": sequence.increment_by, "seqmax": sequence.max_value,
        "seqmin": sequence.min_value, "seqcache": sequence.cache_size,
        "seqcycle": bool(sequence.cycles),
    })  # fmt: skip
    for table, columns in known.items():
        if table.lower() != (sequence.owner_table or "").lower():
            continue
        column = (sequence.owner_column or "").lower()
        made["pg_depend"].append({
            "classid": _PG_CLASS, "objid": number, "objsubid": 0, "refclassid": _PG_CLASS,
            "refobjid": table_oid(table), "deptype": "a",
            "refobjsubid": columns.index(column) + 1 if column in columns else 0,
        })  # fmt: skip


def texts(found: Objects, made: dict[str, list[Row]]) -> dict[str, dict[Any, str]]:
    """What the functions of the catalogs give, by oid: names, definitions and comments."""
    classes = {r["oid"]: r["relname"] for r in made["pg_class"]}
    indexes, parts, constraints = {}, {}, {}
    by_oid = {table_oid(i.name): i for i in found.indexes}
    for row in made["pg_index"]:
        index = by_oid.get(row["indexrelid"]) or row["made"]
        indexes[row["indexrelid"]] = definitions.index(index)
        for place, text in enumerate(definitions.column(index), 1):
            parts[f"{row['indexrelid']}.{place}"] = text.removesuffix(" DESC")
    for row in made["pg_constraint"]:
        constraints[row["oid"]] = row.get("made", "")
    for key in found.keys:
        constraints[oid("pg_constraint", f"{key.table}.{key.name}")] = definitions.foreign(key)
    for table, name, text in found.checks:
        constraints[oid("pg_constraint", f"{table}.{name}")] = f"CHECK ({text})"
    views = {
        table_oid(t.name): definitions.view(t)
        for t in found.tables if relkind(t) in ("v", "m") and t.sql
    }  # fmt: skip
    return {
        "class_names": classes, "index_texts": indexes, "index_parts": parts,
        "constraint_texts": constraints, "view_texts": views,
        "trigger_texts": {oid("pg_trigger", n): sql for n, _, sql in found.triggers},
        "comments": {
            f"{table_oid(table)}.{_number(found, table, column)}": text
            for (table, column), text in found.comments.items()
        },
    }  # fmt: skip


def _number(found: Objects, table: str, column: str) -> int:
    if not column:
        return 0
    known = next((t for t in found.tables if t.name.lower() == table), None)
    names = [c.name.lower() for c in known.columns] if known is not None else []
    return names.index(column) + 1 if column in names else 0


def _table(
    table: Table, found: Objects, indexes: list[Index], made: dict[str, list[Row]], checks: int
) -> None:
    number = table_oid(table.name)
    kind = relkind(table)
    row = _class(number, table.name, kind, len(table.columns), PUBLIC)
    row["relhasindex"], row["relchecks"] = bool(indexes), checks
    # Keys are triggers to PostgreSQL: psql asks for them where a table has any.
    row["relhastriggers"] = any(t[1] == table.name for t in found.triggers) or any(
        table.name in (k.table, k.target) for k in found.keys
    )
    made["pg_class"].append(row)
    if kind in ("v", "m"):
        row["relhasrules"] = True
        rule = oid("pg_rewrite", table.name)
        made["pg_rewrite"].append({
            "oid": rule, "rulename": "_RETURN", "ev_class": number, "ev_type": "1",
            "ev_enabled": "O", "is_instead": True,
        })  # fmt: skip
        made["pg_depend"] += _read_by(rule, number, table, found)
    for place, column in enumerate(table.columns, 1):
        name, kind_oid, modifier = kind_of(column)
        attribute = _attribute(
            number, column.name, kind_oid, place, modifier, column.not_null, name
        )
        given = found.defaults.get((table.name, column.name))
        default = None if given is None else definitions.default(given, column)
        if default is not None:
            attribute["atthasdef"] = True
            made["pg_attrdef"].append({
                "oid": oid("pg_attrdef", f"{table.name}.{column.name}"), "adrelid": number,
                "adnum": place, "adbin": default,
            })  # fmt: skip
        if kind == "r" and table.key == column.name and column.type == "BIGINT":
            attribute["attidentity"] = "d"  # SQLite numbers the rows of a key that is the rowid
        made["pg_attribute"].append(attribute)
        comment = found.comments.get((table.name.lower(), column.name.lower()))
        if comment is not None:
            made["pg_description"].append(_description(number, place, comment))
    comment = found.comments.get((table.name.lower(), ""))
    if comment is not None:
        made["pg_description"].append(_description(number, 0, comment))


def _read_by(rule: int, view: int, table: Table, found: Objects) -> list[Row]:
    """What the rule of a view depends on: the view itself, and the tables that it reads."""
    known = {t.name.lower(): t.name for t in found.tables}
    reads = [known[n.lower()] for n in said.query(select_of(table))[1] if n.lower() in known]
    of = [(view, "i"), *((table_oid(name), "n") for name in reads)]
    return [
        {"classid": _PG_REWRITE, "objid": rule, "objsubid": 0, "refclassid": _PG_CLASS,
         "refobjid": number, "refobjsubid": 0, "deptype": kind}
        for number, kind in of
    ]  # fmt: skip


def _description(number: int, place: int, text: str) -> Row:
    return {"objoid": number, "classoid": _PG_CLASS, "objsubid": place, "description": text}


def _index(index: Index, made: dict[str, list[Row]]) -> None:
    number, table = table_oid(index.name), table_oid(index.table)
    made["pg_class"].append(
        _class(number, index.name, "i", len(index.columns), PUBLIC) | {"relam": _BTREE}
    )
    kinds = {
        r["attnum"]: r["atttypid"] for r in made["pg_attribute"] if r["attrelid"] == table
    }  # fmt: skip
    for place, (column, text, _) in enumerate(index.columns, 1):
        name = text.strip('"') if column else "expr"
        made["pg_attribute"].append(
            _attribute(number, name, kinds.get(column, 25), place, -1, False, "")
        )
    count = len(index.columns)
    classes = [_opclass(kinds.get(column, 25)) for column, _, _ in index.columns]
    made["pg_index"].append({
        "indexrelid": number, "indrelid": table, "indnatts": count, "indnkeyatts": count,
        "indisunique": index.unique, "indnullsnotdistinct": False,
        "indisprimary": index.origin == "pk", "indisexclusion": False, "indimmediate": True,
        "indisclustered": False, "indisvalid": True, "indcheckxmin": False, "indisready": True,
        "indislive": True, "indisreplident": False, "indkey": [c for c, _, _ in index.columns],
        "indcollation": [0] * count, "indclass": classes,
        "indoption": [3 if down else 0 for _, _, down in index.columns], "indpred": index.where,
        "indexprs": ", ".join(t for c, t, _ in index.columns if not c) or None, "made": index,
    })  # fmt: skip
    if index.origin in ("pk", "u"):
        kind = "p" if index.origin == "pk" else "u"
        constraint = oid("pg_constraint", f"{index.table}.{index.name}")
        columns = [c for c, _, _ in index.columns]
        made["pg_constraint"].append(
            _constraint(constraint, index.name, kind, index.table, columns)
            | {"conindid": number, "made": definitions.unique(index)}
        )
        made["pg_depend"].append({
            "classid": _PG_CLASS, "objid": number, "objsubid": 0, "refclassid": _PG_CONSTRAINT,
            "refobjid": constraint, "refobjsubid": 0, "deptype": "i",
        })  # fmt: skip


def _class(number: int, name: str, kind: str, columns: int, space: int) -> Row:
    stored = kind == "r" or kind == "i"
    return {
        "oid": number, "relname": name, "relnamespace": space, "reltype": 0, "reloftype": 0,
        "relowner": OWNER, "relam": _HEAP if kind == "r" else 0, "relfilenode": number,
        "reltablespace": 0, "relpages": 0, "reltuples": -1.0 if stored else 0.0,
        "relallvisible": 0, "reltoastrelid": 0, "relhasindex": False, "relisshared": False,
        "relpersistence": "p", "relkind": kind, "relnatts": columns, "relchecks": 0,
        "relhasrules": False, "relhastriggers": False, "relhassubclass": False,
        "relrowsecurity": False, "relforcerowsecurity": False, "relispopulated": True,
        "relreplident": "d" if number >= FIRST and kind == "r" else "n", "relispartition": False,
        "relrewrite": 0, "relfrozenxid": 0, "relminmxid": 0,
    }  # fmt: skip


def _attribute(
    relation: int, name: str, kind: int, number: int, modifier: int, not_null: bool, named: str
) -> Row:
    known = _types().get(kind, {})
    return {
        "attrelid": relation, "attname": name, "atttypid": kind, "attstattarget": -1,
        "attlen": int(known.get("typlen", -1)), "attnum": number,
        "attndims": 1 if named.endswith("[]") else 0, "attcacheoff": -1, "atttypmod": modifier,
        "attbyval": known.get("typbyval") == "t", "attalign": known.get("typalign", "i"),
        "attstorage": known.get("typstorage", "x"), "attcompression": "", "attnotnull": not_null,
        "atthasdef": False, "atthasmissing": False, "attidentity": "", "attgenerated": "",
        "attisdropped": False, "attislocal": True, "attinhcount": 0,
        "attcollation": int(known.get("typcollation", 0)),
    }  # fmt: skip


def _constraint(number: int, name: str, kind: str, table: str, columns: list[int] | None) -> Row:
    return {
        "oid": number, "conname": name, "connamespace": PUBLIC, "contype": kind,
        "condeferrable": False, "condeferred": False, "convalidated": True,
        "conrelid": table_oid(table), "contypid": 0, "conindid": 0, "conparentid": 0,
        "confrelid": 0, "confupdtype": " ", "confdeltype": " ", "confmatchtype": " ",
        "conislocal": True, "coninhcount": 0, "connoinherit": kind != "c", "conkey": columns,
    }  # fmt: skip


@cache
def _types() -> dict[int, dict[str, str]]:
    return {int(row["oid"]): row for row in shells.rows("pg_type")}


@cache
def _opclass(kind: int) -> int:
    """The default btree class of a type; text's where it has none of its own."""
    found = {
        int(r["opcintype"]): int(r["oid"]) for r in shells.rows("pg_opclass")
        if r["opcmethod"] == "403" and r["opcdefault"] == "t"
    }  # fmt: skip
    return found.get(kind, found[25])
