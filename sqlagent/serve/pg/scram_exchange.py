"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: the server's side of the exchange (RFC 5802, RFC 5929)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from typing import Protocol

from sqlagent.serve.pg.messages import ProtocolError

PLAIN, PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"


class Verifier(Protocol):
    """What is known of a user's password."""

    @property
    def iterations(self) -> int: ...
    @property
    def salt(self) -> bytes: ...
    @property
    def stored_key(self) -> bytes: ...
    @property
    def server_key(self) -> bytes: ...


class Exchange:
    """One log-in. `certificate` is the server's, in DER, where the client came by TLS."""

    def __init__(self, mechanism: str, verifier: Verifier, certificate: bytes | None) -> None:
        self.mechanism = mechanism
        self.verifier = verifier
        self.certificate = certificate
        self._header = self._bare = self._first = ""
        self._nonce = ""

    def first(self, message: bytes) -> bytes:
        """The client's first message → the server's first."""
        text = _text(message)
        flag, _, rest = text.partition(",")
        identity, _, self._bare = rest.partition(",")
        self._header = f"{flag},{identity},"
        if flag.startswith("p="):
            if self.mechanism != PLUS or flag != "p=tls-server-end-point":
                raise _malformed("the channel binding is not tls-server-end-point")
        elif flag == "y":
            if self.mechanism == PLUS or self.certificate is not None:
                raise ProtocolError(
                    "SCRAM channel binding negotiation error",
                    detail="the client says that this server does not offer channel binding, "
                    "which it does",
                    sqlstate="28000",
                )
        elif flag != "n" or self.mechanism == PLUS:
            raise _malformed("the first attribute is wrong")
        parts = dict(p.split("=", 1) for p in self._bare.split(",") if "=" in p)
        if "m" in parts:
            raise _malformed("an extension is required that is not known")
        nonce = parts.get("r", "")
        if not nonce or "n" not in parts:
            raise _malformed("the user or the nonce is missing")
        self._nonce = nonce + base64.b64encode(os.urandom(18)).decode()
        salt = base64.b64encode(self.verifier.salt).decode()
        self._first = f"r={self._nonce},s={salt},i={self.verifier.iterations}"
        return self._first.encode()

    def final(self, message: bytes) -> bytes | None:
        """The client's final message → the server's; None where the password is wrong."""
        text = _text(message)
        without, _, proof_text = text.rpartition(",p=")
        parts = dict(p.split("=", 1) for p in without.split(",") if "=" in p)
        bound = self._header.encode()
        if self.mechanism == PLUS:
            bound += end_point(self.certificate or b"")
        try:
            proof = base64.b64decode(proof_text, validate=True)
            binding = base64.b64decode(parts.get("c", ""), validate=True)
        except (binascii.Error, ValueError):
            raise _malformed("the proof is not base64") from None
        if binding != bound:
            raise ProtocolError("SCRAM channel binding check failed", sqlstate="28000")
        if parts.get("r") != self._nonce or len(proof) != 32:
            raise _malformed("the nonce or the proof is wrong")
        said = f"{self._bare},{self._first},{without}".encode()
        signature = hmac.digest(self.verifier.stored_key, said, "sha256")
        key = bytes(a ^ b for a, b in zip(signature, proof, strict=True))
        if not hmac.compare_digest(hashlib.sha256(key).digest(), self.verifier.stored_key):
            return None
        server = hmac.digest(self.verifier.server_key, said, "sha256")
        return b"v=" + base64.b64encode(server)


def end_point(certificate: bytes) -> bytes:
    """tls-server-end-point: the certificate's hash, by its own signature's algorithm.

    RFC 5929: MD5 and SHA-1 become SHA-256. The algorithm is found by its identifier in the DER.
    """
    for identifier, name in _BY_SIGNATURE.items():
        if identifier in certificate:
            return hashlib.new(name, certificate).digest()
    return hashlib.sha256(certificate).digest()


# The DER of sha384/sha512 with RSA and with ECDSA; every other algorithm here means SHA-256.
_BY_SIGNATURE = {
    bytes.fromhex("06092a864886f70d01010c"): "sha384",
    bytes.fromhex("06092a864886f70d01010d"): "sha512",
    bytes.fromhex("06082a8648ce3d040303"): "sha384",
    bytes.fromhex("06082a8648ce3d040304"): "sha512",
}


def _text(message: bytes) -> str:
    try:
        return message.decode()
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None


def _malformed(why: str) -> ProtocolError:
    return ProtocolError("malformed SCRAM message", detail=why)
