"""Certificates: the registry's, and the ones that this side shows."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from enigma_fed.base.errors import ConfigError, LooseModes
from enigma_fed.base.registry_client_errors import RegistryNotTrusted, RegistryUnreachable
from enigma_fed.registry.clienthttp import Answer, connected, direct_session
from enigma_fed.registry.clientplace import Place
from enigma_fed.registry.clienttls import TlsFiles, client_context
from tests.support.smallregistry import SmallRegistry


class Authority:
    """An authority, a certificate of the registry's, and one of the client's, as files."""

    def __init__(self, folder: Path, kind: trustme.KeyType) -> None:
        self.authority = trustme.CA(key_type=kind)
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca))
        self.certificate, self.key = folder / "client.pem", folder / "client.key"
        client = self.authority.issue_cert("client.example", key_type=kind)
        client.cert_chain_pems[0].write_to_path(str(self.certificate))
        client.private_key_pem.write_to_path(str(self.key))
        self.key.chmod(0o600)
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert("127.0.0.1", key_type=kind).configure_cert(self.server)

    def demand(self) -> None:
        """Clients must show a certificate."""
        self.server.verify_mode = ssl.CERT_REQUIRED
        self.authority.configure_trust(self.server)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, trustme.KeyType.ECDSA)


async def ask(authority: Authority, files: TlsFiles, host: str = "127.0.0.1") -> Answer:
    context = client_context(files)
    async with SmallRegistry(tls=authority.server).running() as registry:
        place = Place.parse(registry.url.replace("127.0.0.1", host))
        async with connected(place, lambda place: direct_session(context)) as http:
            return await http.ask("GET", "/nodes")


@pytest.mark.parametrize("kind", [trustme.KeyType.RSA, trustme.KeyType.ECDSA], ids=["rsa", "ec"])
async def test_a_registry_of_an_authority_that_is_trusted(tmp_path: Path, kind: trustme.KeyType) -> None:
    authority = Authority(tmp_path, kind)
    assert (await ask(authority, TlsFiles(ca=authority.ca))).status == 200


async def test_one_of_another_authority(authority: Authority) -> None:
    with pytest.raises(RegistryNotTrusted, match=r"certificate does not hold.*--ca"):
        await ask(authority, TlsFiles())


async def test_one_of_another_name(authority: Authority) -> None:
    with pytest.raises(RegistryUnreachable, match="certificate does not hold"):
        await ask(authority, TlsFiles(ca=authority.ca), host="localhost")


async def test_a_certificate_of_ours_is_shown(authority: Authority) -> None:
    authority.demand()
    files = TlsFiles(authority.ca, authority.certificate, authority.key)
    assert (await ask(authority, files)).status == 200
    with pytest.raises(RegistryUnreachable, match="--cert FILE --key FILE"):
        await ask(authority, TlsFiles(authority.ca))


def test_old_versions_are_not_spoken(authority: Authority) -> None:
    assert client_context(TlsFiles(ca=authority.ca)).minimum_version == ssl.TLSVersion.TLSv1_2


def test_files_that_cannot_be_used(authority: Authority, tmp_path: Path) -> None:
    nothing, text = tmp_path / "none.pem", tmp_path / "text.pem"
    text.write_text("not PEM")
    text.chmod(0o600)
    for files in (
        TlsFiles(ca=nothing),
        TlsFiles(ca=text),
        TlsFiles(certificate=nothing, key=authority.key),
        TlsFiles(certificate=authority.certificate, key=nothing),
        TlsFiles(certificate=text, key=authority.key),
        TlsFiles(certificate=authority.certificate, key=text),
        TlsFiles(certificate=authority.certificate),
        TlsFiles(key=authority.key),
    ):
        authority.certificate.chmod(0o600)
        with pytest.raises(ConfigError):
            client_context(files)


def test_a_certificate_without_its_key_is_told_before_its_modes(authority: Authority) -> None:
    authority.certificate.chmod(0o644)
    with pytest.raises(ConfigError, match="--key FILE"):
        client_context(TlsFiles(certificate=authority.certificate))


def test_a_key_of_another_certificate(authority: Authority, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    authority.authority.issue_cert("other.example").private_key_pem.write_to_path(str(other))
    other.chmod(0o600)
    with pytest.raises(ConfigError, match="certificate's own"):
        client_context(TlsFiles(certificate=authority.certificate, key=other))


def test_invariant_8_a_key_that_others_can_read_is_not_used(authority: Authority) -> None:
    authority.key.chmod(0o640)
    with pytest.raises(LooseModes, match="chmod 600"):
        client_context(TlsFiles(certificate=authority.certificate, key=authority.key))


def test_a_key_with_a_passphrase_is_no_prompt(authority: Authority) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(authority.key.read_bytes(), None)
    authority.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="passphrase"):
        client_context(TlsFiles(certificate=authority.certificate, key=authority.key))
