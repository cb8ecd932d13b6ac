"""TLS: a certificate of the user's, or one that is made on the spot and signs itself."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess

from sqlagent.errors import OperationalError

DAYS = 825


def context(certificate: str, key: str | None = None) -> ssl.SSLContext:
    """The TLS 1.2+ context of a server. Raises OperationalError for files that are none."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        named = certificate if key is None else f"{certificate} and {key}"
        raise OperationalError(
            f"no certificate and key in {named}: {getattr(error, 'strerror', None) or error}",
            hint="--tls-cert and --tls-key are PEM files; the key has no passphrase.",
            sqlstate="58P01",
        ) from None
    return made


def der(certificate: str) -> bytes:
    """The first certificate of a PEM file, in DER."""
    with open(certificate, encoding="ascii", errors="replace") as file:
        text = file.read()
    start, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    body = text[text.index(start) : text.index(end) + len(end)]
    return ssl.PEM_cert_to_DER_cert(body)


def self_signed(folder: str, host: str) -> tuple[str, str]:
    """The paths of a certificate that signs itself and its key, made in `folder` the first time.

    Clients can verify it by the file itself, not by an authority. Raises OperationalError where
    neither the package cryptography nor openssl is there.
    """
    certificate, key = os.path.join(folder, "serve.crt"), os.path.join(folder, "serve.key")
    if os.path.exists(certificate) and os.path.exists(key) and _is_of(certificate, host):
        return certificate, key
    os.makedirs(folder, exist_ok=True)
    names = ["localhost", "127.0.0.1", "::1", *([host] if host and host[0] not in "/0:" else [])]
    try:
        made, secret = _by_cryptography(list(dict.fromkeys(names)))
    except ImportError:
        made, secret = _by_openssl(list(dict.fromkeys(names)), folder)
    _write(key, secret, 0o600)
    _write(certificate, made, 0o644)
    return certificate, key


def _is_of(certificate: str, host: str) -> bool:
    """Whether a kept certificate is still valid, and names the host."""
    import ssl
    import time

    try:
        found = ssl._ssl._test_decode_cert(certificate)  # type: ignore[attr-defined]  # no public parser
    except (OSError, ssl.SSLError):
        return False
    named = {str(n) for _, n in found.get("subjectAltName", ())}
    lasting = ssl.cert_time_to_seconds(found["notAfter"]) > time.time() + 86_400
    return lasting and (not host or host[0] in "/0:" or host in named)


def _by_cryptography(names: list[str]) -> tuple[bytes, bytes]:
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sqlagent")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives: list[x509.GeneralName] = []
    for text in names:
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(text)))
        except ValueError:
            alternatives.append(x509.DNSName(text))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), secret


def _by_openssl(names: list[str], folder: str) -> tuple[bytes, bytes]:
    program = shutil.which("openssl")
    if program is None:
        raise OperationalError(
            "a self-signed certificate needs the package cryptography, or openssl",
            hint="pip install cryptography, or give --tls-cert and --tls-key",
            sqlstate="58000",
        )
    kinds = ("IP" if n.replace(".", "").isdigit() or ":" in n else "DNS" for n in names)
    alternatives = ",".join(f"{k}:{n}" for k, n in zip(kinds, names, strict=True))
    key = os.path.join(folder, f"serve.key.{os.getpid()}")
    descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.close(descriptor)  # openssl writes into a file that is private already
    try:
        made = subprocess.run(
            [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", key, "-days", str(DAYS), "-subj", "/CN=sqlagent",
             "-addext", f"subjectAltName={alternatives}"],
            capture_output=True, check=True, timeout=60,
        ).stdout  # fmt: skip
        with open(key, "rb") as file:
            return made, file.read()
    except (subprocess.SubprocessError, OSError) as error:
        told = getattr(error, "stderr", b"") or str(error).encode()
        raise OperationalError(
            f"openssl made no certificate: {told.decode(errors='replace').strip()[-200:]}"
        ) from None
    finally:
        os.unlink(key)


def _write(path: str, data: bytes, mode: int) -> None:
    partial = f"{path}.{os.getpid()}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    os.replace(partial, path)
