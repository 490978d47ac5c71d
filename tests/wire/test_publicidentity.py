"""Identities: what is read, what is written, and which contradict themselves."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from enigma_fed.base.registry_errors import InputRefused, TooLarge
from enigma_fed.identity.signing import verify
from enigma_fed.wire.publicidentity import IdentityBundle, PublicIdentity, check
from tests.support.registryusers import NOW_MS, User

ALICE, BOB = User("alice"), User("bob")
FIELDS = [
    "user_id", "username_hint", "signing_public_key", "encryption_public_key", "signature", "created_at_ms",
]  # fmt: skip


def members(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(ALICE.identity().encode())
    return found | changes


def as_text(found: object) -> bytes:
    return msgspec.json.encode(found)


def test_it_is_written_compactly_in_the_order_of_the_wire() -> None:
    written = User("zoë").identity().encode()
    assert list(msgspec.json.decode(written)) == FIELDS
    assert b" " not in written
    assert '"username_hint":"zoë"'.encode() in written
    assert b'"username_hint":null' in ALICE.identity(username_hint=None).encode()


def test_it_is_read_in_any_form_of_json() -> None:
    alice = ALICE.identity()
    turned = dict(reversed(members().items()))
    for text in (alice.encode(), as_text(turned), msgspec.json.format(alice.encode(), indent=2)):
        assert PublicIdentity.decode(text) == alice
    without = members()
    del without["username_hint"]
    assert PublicIdentity.decode(as_text(without)).username_hint is None
    assert PublicIdentity.decode(as_text(members(user_id=ALICE.id.hex.upper()))) == alice


def test_keys_have_any_length_and_the_signature_is_any_bytes() -> None:
    odd = ALICE.identity(signing_public_key=b"\x01", encryption_public_key=b"\x02\x03", signature=b"\xff")
    assert PublicIdentity.decode(odd.encode()) == odd
    check(odd, verify)


@pytest.mark.parametrize("indent", [0, 1])
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_id": "00"}, "user_id"),
        ({"user_id": 1}, "user_id"),
        ({"username_hint": ""}, "username_hint"),
        ({"username_hint": "a\n"}, "username_hint"),
        ({"username_hint": 1}, "username_hint"),
        ({"signing_public_key": []}, "signing_public_key"),
        ({"signing_public_key": [256]}, "signing_public_key"),
        ({"encryption_public_key": [-1]}, "encryption_public_key"),
        ({"encryption_public_key": [1.0]}, "encryption_public_key"),
        ({"encryption_public_key": [True]}, "encryption_public_key"),
        ({"encryption_public_key": "AQID"}, "encryption_public_key"),
        ({"signature": []}, "signature"),
        ({"signature": None}, "signature"),
        ({"created_at_ms": 0}, "created_at_ms"),
        ({"created_at_ms": -1}, "created_at_ms"),
        ({"created_at_ms": 2**64}, "created_at_ms"),
        ({"created_at_ms": 1.0}, "created_at_ms"),
        ({"created_at_ms": "1"}, "created_at_ms"),
    ],
)
def test_what_is_refused_names_the_member(changes: dict[str, Any], field: str, indent: int) -> None:
    text = as_text(members(**changes))
    with pytest.raises(InputRefused) as caught:
        PublicIdentity.decode(msgspec.json.format(text, indent=indent) if indent else text)
    assert caught.value.field == f"identity.{field}"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"", "identity"),
        (b"[]", "identity"),
        (b"{}", "identity.created_at_ms"),
        (b"\xff", "identity"),
        (as_text(members(more=1)), "identity"),
        (as_text(members()).replace(b'{"user', b'{"created_at_ms":1,"user'), "identity"),
    ],
)
def test_what_is_no_identity(text: bytes, field: str) -> None:
    with pytest.raises(InputRefused) as caught:
        PublicIdentity.decode(text)
    assert caught.value.field == field
    assert "envelope key" not in caught.value.message


def test_invariant_7_one_that_is_too_large_is_not_looked_at() -> None:
    with pytest.raises(TooLarge):
        PublicIdentity.decode(b"[" * 100_000)


def test_the_largest_time() -> None:
    late = ALICE.identity(created_at_ms=2**64 - 1)
    assert PublicIdentity.decode(late.encode()) == late


def test_its_digest_is_of_the_compact_text() -> None:
    written = ALICE.identity().encode()
    assert ALICE.identity().digest == hashlib.blake2b(written, digest_size=32).digest()


def test_it_says_the_same_with_another_time() -> None:
    assert ALICE.identity().says_the_same(ALICE.identity(created_at_ms=1))
    assert not ALICE.identity().says_the_same(ALICE.identity(username_hint=None))


def test_invariant_8_no_identity_stands_in_a_traceback() -> None:
    assert "alice" not in repr(ALICE.identity())
    assert ALICE.id.hex[:8] not in repr(ALICE.identity())
    assert "0b6b7a52" not in repr(ALICE.bundle())


def test_a_bundle_is_read_as_it_is_written() -> None:
    for bundle in (ALICE.bundle(), ALICE.bundle(expires_ms=NOW_MS)):
        assert IdentityBundle.found_in(bundle.encode()) == bundle
    assert IdentityBundle.found_in(b"any") is None
    check(ALICE.identity(), verify)
    check(ALICE.identity(username_hint=None), verify)


def bundle_text(**changes: Any) -> bytes:
    prefix = b"enigma-id-v2:"
    return prefix + as_text(msgspec.json.decode(ALICE.bundle().encode().removeprefix(prefix)) | changes)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"device_id": "0b6b7a529c1b4f6e8a536f7d8f2f4c11"}, ".device_id"),
        ({"user_id_hex": "x"}, ".user_id_hex"),
        ({"identity_dh_pub": [1] * 31}, ".identity_dh_pub"),
        ({"identity_sig_pub": [1] * 33}, ".identity_sig_pub"),
        ({"signed_prekey_id": 2**32}, ".signed_prekey_id"),
        ({"signed_prekey_pub": []}, ".signed_prekey_pub"),
        ({"signed_prekey_sig": [0] * 63}, ".signed_prekey_sig"),
        ({"created_ms": -1}, ".created_ms"),
        ({"expires_ms": "never"}, ".expires_ms"),
        ({"more": 1}, ""),
    ],
)
def test_a_bundle_that_is_none(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputRefused) as caught:
        check(ALICE.identity(signature=bundle_text(**changes)), verify)
    assert caught.value.field == "identity.signature" + field


def test_a_bundle_that_is_no_json() -> None:
    with pytest.raises(InputRefused):
        check(ALICE.identity(signature=b"enigma-id-v2:{"), verify)


@pytest.mark.parametrize(
    "identity",
    [
        ALICE.identity(signature=BOB.bundle().encode()),
        ALICE.identity(signature=ALICE.bundle(user_id=BOB.id).encode()),
        ALICE.identity(signing_public_key=bytes(BOB.signing_key.verify_key)),
        ALICE.identity(encryption_public_key=bytes(32)),
        ALICE.identity(signature=ALICE.bundle(signed_prekey_sig=bytes(64)).encode()),
        ALICE.identity(signature=ALICE.bundle(signed_prekey_pub=bytes(32)).encode()),
    ],
    ids=["of another", "id", "signing key", "exchange key", "prekey signature", "prekey"],
)
def test_invariant_4_a_bundle_that_contradicts_its_identity_is_refused(identity: PublicIdentity) -> None:
    with pytest.raises(InputRefused) as caught:
        check(identity, verify)
    assert caught.value.field == "identity.signature"


def test_invariant_4_a_name_that_is_not_the_handles_is_refused() -> None:
    with pytest.raises(InputRefused) as caught:
        check(ALICE.identity(username_hint="bob"), verify)
    assert caught.value.message == "invalid input: handle does not match identity"
    check(ALICE.identity(username_hint=" alice "), verify)
