"""The certificate's files: which are taken, and what is said of those that are not."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import ConfigError
from enigma_fed.registry import tls
from enigma_fed.registry.settings import TlsSettings
from tests.support.certificates import Certificates, KeyForm, KeyKind

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("kind", ["RSA", "ECDSA"])
@pytest.mark.parametrize(("form", "head"), [("pkcs8", b"BEGIN PRIVATE"), ("traditional", b"")])
def test_rsa_and_ec_keys_are_taken_in_both_forms(
    certificates: Certificates, kind: KeyKind, form: KeyForm, head: bytes
) -> None:
    files = certificates.issue(kind, form, name=f"{kind}-{form}")
    assert (head or f"BEGIN {kind.removesuffix('DSA')} PRIVATE".encode()) in files.key.read_bytes()
    context = tls.make_context(files)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE
    assert tls.make_context(certificates_with_ca(certificates, files)).verify_mode == ssl.CERT_REQUIRED


def certificates_with_ca(certificates: Certificates, files: TlsSettings) -> TlsSettings:
    return msgspec.structs.replace(files, client_ca=certificates.client_ca_file())


def test_another_certificates_key_is_said_to_be_one(certificates: Certificates) -> None:
    files = certificates.issue(name="first")
    files.key.write_bytes(certificates.issue(name="second").key.read_bytes())
    with pytest.raises(ConfigError, match="the private key is not the certificate's") as caught:
        tls.make_context(files)
    assert str(files.key) in caught.value.detail
    files.key.write_bytes(certificates.issue("RSA", name="third").key.read_bytes())
    with pytest.raises(ConfigError, match="the private key is not the certificate's"):
        tls.make_context(files)


def test_invariant_8_a_locked_key_is_told_and_nobody_is_asked_for_its_password(
    certificates: Certificates,
) -> None:
    files = certificates.issue(form="locked", name="locked")
    with pytest.raises(ConfigError, match="is locked with a password") as caught:
        tls.make_context(files)
    assert "openssl pkey" in caught.value.hint


@pytest.mark.parametrize("broken", ["certificate", "key", "client_ca"])
def test_a_file_that_cannot_be_used_is_named(certificates: Certificates, broken: str) -> None:
    files = certificates_with_ca(certificates, certificates.issue(name="broken"))
    path: Path = getattr(files, broken)
    whole = path.read_bytes()
    for content, why in (
        (b"", "in PEM"),
        (b"no PEM", "in PEM"),
        (whole[: len(whole) // 2], "OpenSSL cannot"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=why) as caught:
            tls.make_context(files)
        assert str(path) in caught.value.detail
    path.write_bytes(whole)
    tls.make_context(files)
    path.write_bytes(whole + b"\n" * (limits.SECRET_FILE_BYTES - len(whole)))
    tls.make_context(files)
    path.write_bytes(whole + b"\n" * (limits.SECRET_FILE_BYTES - len(whole) + 1))
    with pytest.raises(ConfigError, match=f"{path} is larger than"):
        tls.make_context(files)
    path.unlink()
    with pytest.raises(ConfigError, match=f"{path}: no such file"):
        tls.make_context(files)


def test_a_certificate_near_its_end_is_told_in_time(certificates: Certificates) -> None:
    notice = timedelta(days=registry_limits.CERTIFICATE_NOTICE_DAYS)
    files = certificates.issue(name="short", not_after=NOW + notice)
    assert tls.advice(files, NOW - timedelta(seconds=1)) == ()
    [near] = tls.advice(files, NOW)
    assert near == f"the certificate {files.certificate} expires on 2026-12-04"
    [over] = tls.advice(files, NOW + notice)
    assert over == f"the certificate {files.certificate} has expired on 2026-12-04: clients refuse it"


def test_a_key_that_every_user_can_read_is_told(certificates: Certificates) -> None:
    files = certificates.issue(name="open")
    files.key.chmod(0o640)
    assert tls.advice(files, NOW) == ()
    files.key.chmod(0o644)
    [said] = tls.advice(files, NOW)
    assert said.endswith(f"chmod 600 {files.key}")


def test_advice_on_what_is_no_certificate_names_the_file(certificates: Certificates) -> None:
    files = certificates.issue(name="none")
    files.certificate.write_bytes(b"no PEM")
    with pytest.raises(ConfigError, match=f"{files.certificate} holds no certificate"):
        tls.advice(files, NOW)
