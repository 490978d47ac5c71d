"""The registry's certificate: TLS 1.2 and later, RSA or EC, client certificates where a CA is named.

docs/REGISTRY.md section 2.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import ConfigError
from enigma_fed.registry.settings import TlsSettings
from enigma_fed.storage import modes

_MISMATCH: Final = "the private key is not the certificate's"
_WORDS: Final = {
    "KEY_VALUES_MISMATCH": _MISMATCH,
    "NO_CERTIFICATE_ASSIGNED": _MISMATCH,  # keys of two kinds
    "EE_KEY_TOO_SMALL": "the key is too small: RSA needs 2048 bits or more",
    "CA_MD_TOO_WEAK": "the certificate is signed with a hash that is broken",
}
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_KEY: Final = b"PRIVATE KEY-----"


def make_context(tls: TlsSettings) -> ssl.SSLContext:
    """What a connection is accepted with; raises ConfigError, which names the files."""
    for path, mark in ((tls.certificate, _CERTIFICATE), (tls.key, _KEY), (tls.client_ca, _CERTIFICATE)):
        if path is not None and mark not in _read(path):
            raise ConfigError(f"{path} holds no {'private key' if mark is _KEY else 'certificate'} in PEM")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    _load(context, tls)
    if tls.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def advice(tls: TlsSettings, now: datetime) -> tuple[str, ...]:
    """What the owner should know of files that can be used: expiry near or past, a key that others can read.

    Raises ConfigError when the certificate cannot be read.
    """
    from cryptography import x509

    said = []
    if tls.key.stat().st_mode & 0o007:
        said.append(f"{tls.key} holds the private key and every user can read it: chmod 600 {tls.key}")
    try:
        certificate = x509.load_pem_x509_certificate(_read(tls.certificate))
    except ValueError:
        raise ConfigError(f"{tls.certificate} holds no certificate in PEM") from None
    end = certificate.not_valid_after_utc
    if end <= now:
        said.append(f"the certificate {tls.certificate} has expired on {end:%Y-%m-%d}: clients refuse it")
    elif end - now <= timedelta(days=registry_limits.CERTIFICATE_NOTICE_DAYS):
        said.append(f"the certificate {tls.certificate} expires on {end:%Y-%m-%d}")
    return tuple(said)


def now() -> datetime:
    """The time for `advice`."""
    return datetime.now(UTC)


def _read(path: Path) -> bytes:
    try:
        with modes.opened(path) as file:
            data = file.read(limits.SECRET_FILE_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise ConfigError(f"{path}: {reason}", hint="The file is named in the table `tls`.") from None
    if len(data) > limits.SECRET_FILE_BYTES:
        raise ConfigError(f"{path} is larger than {limits.SECRET_FILE_BYTES} bytes")
    return data


def _load(context: ssl.SSLContext, tls: TlsSettings) -> None:
    """OpenSSL itself looks whether key and certificate belong together."""
    asked = False

    def no_password() -> str:
        nonlocal asked
        asked = True
        return ""

    try:
        context.load_cert_chain(tls.certificate, tls.key, no_password)
    except OSError as error:
        if asked:
            hint = f"Without one: openssl pkey -in {tls.key} -out PLAIN.pem"
            raise ConfigError(f"{tls.key} is locked with a password", hint=hint) from None
        raise _refused(error, tls.certificate, tls.key) from None
    try:
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
    except OSError as error:
        raise _refused(error, tls.client_ca) from None


def _refused(error: OSError, *files: Path | None) -> ConfigError:
    """In words; an `ssl.SSLError` is an OSError too, and a file may go between two looks at it."""
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    why = _WORDS.get(reason or "", "OpenSSL cannot read this")
    return ConfigError(f"{why}: {', '.join(map(str, files))}")
