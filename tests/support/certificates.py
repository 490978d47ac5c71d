"""Certificates for tests of TLS: of one CA, RSA or EC, their keys in any of the forms that PEM has."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path
from typing import Literal

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from enigma_fed.registry.settings import TlsSettings

KeyKind = Literal["RSA", "ECDSA"]
KeyForm = Literal["pkcs8", "traditional", "locked"]


class Certificates:
    """One CA, and a folder for the files that it makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.client_ca = trustme.CA()

    def issue(
        self,
        kind: KeyKind = "ECDSA",
        form: KeyForm = "pkcs8",
        *,
        name: str = "server",
        not_after: datetime | None = None,
    ) -> TlsSettings:
        """A certificate for 127.0.0.1 and its key as files; what was there under that name is replaced."""
        issued = self.ca.issue_cert("127.0.0.1", key_type=trustme.KeyType[kind], not_after=not_after)
        settings = TlsSettings(certificate=self.folder / f"{name}.pem", key=self.folder / f"{name}.key")
        settings.certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        settings.key.write_bytes(in_form(issued.private_key_pem.bytes(), form))
        settings.key.chmod(0o600)
        return settings

    def client_ca_file(self) -> Path:
        """The file of the CA whose clients may connect."""
        path = self.folder / "clients.pem"
        self.client_ca.cert_pem.write_to_path(str(path))
        return path

    def trusting(self) -> ssl.SSLContext:
        """A client that trusts the CA."""
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context


def in_form(pem: bytes, form: KeyForm) -> bytes:
    """The private key as PKCS#8, in its older form of its own (PKCS#1, SEC1), or locked with a password."""
    shape = PrivateFormat.TraditionalOpenSSL if form == "traditional" else PrivateFormat.PKCS8
    lock = BestAvailableEncryption(b"secret") if form == "locked" else NoEncryption()
    return load_pem_private_key(pem, None).private_bytes(Encoding.PEM, shape, lock)
