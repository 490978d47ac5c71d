"""TLS towards a registry: whose certificates are trusted, and which one this side shows."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError
from enigma_fed.storage import modes

_KEY: Final = b"PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: an authority trusted in place of the machine's, a certificate of ours and its key."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.2 and up, the other side's name checked; raises ConfigError, LooseModes. Blocks."""
    if files.key is not None and files.certificate is None:
        raise ConfigError("a key (--key) needs its certificate (--cert)")
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{files.ca} cannot be used as an authority's certificate: {_why(error)}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate is not None:
        _show(context, files.certificate, files.key or files.certificate)
    return context


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        with modes.opened(key) as file:
            if key == certificate and _KEY not in file.read(limits.SECRET_FILE_BYTES):
                raise ConfigError(f"{certificate} holds no private key", hint="Name the one: --key FILE")
            modes.check_file(key, os.fstat(file.fileno()))
        # A key with a passphrase must not stop at OpenSSL's own prompt.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        hint = "The key must be the certificate's own, in PEM, without a passphrase."
        raise ConfigError(f"{certificate} and {key} cannot be used: {_why(error)}", hint=hint) from None


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    if reason:
        return str(reason).replace("_", " ").lower()
    return getattr(error, "strerror", None) or "they are not PEM"
