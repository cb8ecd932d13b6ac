"""Object identifiers: a function of the name, so that they are the same after a restart.

PostgreSQL counts; a client keeps an oid no longer than its session, but two servers of one file, or
one that was started again behind a pool, must agree. Identifiers below 16384 are the system's own.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

FIRST = 1 << 30  # above every oid of PostgreSQL's own, below 2**31: many clients use an int4
PUBLIC = 2200  # the schema public, as every PostgreSQL numbers it
PG_CATALOG = 11
OWNER = 10  # the role that owns the file


@lru_cache(maxsize=65536)
def oid(kind: str, name: str) -> int:
    """The identifier of an object: `kind` is its catalog ('pg_class', 'pg_proc', 'pg_authid', …).

    Names are compared as SQLite compares them, without case. In [2**30, 2**31): among 1,000 names
    two agree with a probability of 0.05 %.

    >>> oid("pg_class", "memories") == oid("pg_class", "Memories")
    True
    """
    digest = blake2b(f"{kind}\0{name.lower()}".encode(), digest_size=4).digest()
    return FIRST | (int.from_bytes(digest, "big") & (FIRST - 1))


def table_oid(name: str) -> int:
    """The oid of a table or view of the file, as RowDescription and pg_class have it.

    The attribute number of a column is its place among the table's columns, from 1.
    """
    return oid("pg_class", name)
