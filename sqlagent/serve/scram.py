"""SCRAM-SHA-256 (RFC 5802, RFC 7677) in PostgreSQL's form: verifiers, never passwords.

A verifier is `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, in base64. A password is
normalised by SASLprep (RFC 4013) first, and taken as it is where that forbids it, as PostgreSQL
does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import stringprep
import unicodedata
from typing import NamedTuple

ITERATIONS = 4096
SALT_BYTES = 16
_FORM = re.compile(r"SCRAM-SHA-256\$(\d{1,9}):([^$:]+)\$([^$:]+):([^$:]+)")
_PROHIBITED = (
    stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3,
    stringprep.in_table_c4, stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7,
    stringprep.in_table_c8, stringprep.in_table_c9, stringprep.in_table_a1,
)  # fmt: skip


class Verifier(NamedTuple):
    """What the server keeps of a password: enough to check it, not to say it."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    def __str__(self) -> str:
        salt, stored, server = (
            base64.b64encode(x).decode() for x in (self.salt, self.stored_key, self.server_key)
        )
        return f"SCRAM-SHA-256${self.iterations}:{salt}${stored}:{server}"

    def fits(self, password: str) -> bool:
        """Whether this is the verifier of `password`; takes as long where it is not."""
        again = make(password, salt=self.salt, iterations=self.iterations)
        return hmac.compare_digest(again.stored_key, self.stored_key)


def make(password: str, *, salt: bytes | None = None, iterations: int = ITERATIONS) -> Verifier:
    """The verifier of a password, by default with a salt of its own."""
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return Verifier(
        iterations, salt, hashlib.sha256(client_key).digest(),
        hmac.digest(salted, b"Server Key", "sha256"),
    )  # fmt: skip


def parse(text: str) -> Verifier | None:
    """A verifier of its text; None where it is none."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    try:
        salt, stored, server = (base64.b64decode(x, validate=True) for x in found.groups()[1:])
    except binascii.Error:
        return None
    iterations = int(found[1])
    if not salt or not 1 <= iterations <= 10_000_000 or {len(stored), len(server)} != {32}:
        return None
    return Verifier(iterations, salt, stored, server)


def made_up(name: str, secret: bytes) -> Verifier:
    """The verifier of a user that does not exist: the same each time, fitting no password."""
    seed = hmac.digest(secret, name.encode("utf-8", "surrogateescape"), "sha512")
    return Verifier(ITERATIONS, seed[:SALT_BYTES], seed[16:48], seed[32:64])


def prepared(password: str) -> bytes:
    """A password as SCRAM takes it: by SASLprep, or as it is where SASLprep has no form of it."""
    if password.isascii():
        plain = all(" " <= c <= "~" for c in password)
        return password.encode("ascii") if plain else password.encode()
    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c
        for c in password if not stringprep.in_table_b1(c)
    )  # fmt: skip
    form = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not form or any(test(c) for c in form for test in _PROHIBITED) or not _one_way(form):
        form = password
    return form.encode("utf-8", "surrogatepass")


def _one_way(text: str) -> bool:
    """RFC 3454's rule for texts that are written from right to left."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(map(stringprep.in_table_d2, text))
