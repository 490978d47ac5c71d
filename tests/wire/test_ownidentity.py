"""Own identities: made as the registry's clients make them, kept without loss, never shown."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.identity.signing import verify
from enigma_fed.wire import ownidentity, publicidentity
from enigma_fed.wire.ownidentity import OwnIdentity, Registration, new_identity, renewed
from enigma_fed.wire.publicidentity import IdentityBundle
from enigma_fed.wire.userid import UserId

NOW_MS = 1_800_000_000_000


class Counted:
    """Bytes that differ each time and are the same in each run."""

    def __init__(self) -> None:
        self.next = 0

    def __call__(self, size: int) -> bytes:
        self.next += 1
        return bytes([self.next % 256, self.next // 256]).ljust(size, b"\x5a")


def made(name: str = "alice", **more: Any) -> OwnIdentity:
    return new_identity(name, Counted(), NOW_MS, **more)


def test_the_public_identity_is_one_that_registries_check() -> None:
    own = made("  Alice ")
    identity = own.public()
    assert own.name == identity.username_hint == "Alice"
    assert identity.user_id == UserId.of("Alice") == own.user_id
    assert identity.created_at_ms == NOW_MS
    publicidentity.check(identity, verify)
    bundle = IdentityBundle.found_in(identity.signature)
    assert bundle is not None
    assert uuid.UUID(bundle.device_id).version == 4
    assert uuid.UUID(bundle.device_id).variant == uuid.RFC_4122
    assert (bundle.signed_prekey_id, bundle.created_ms, bundle.expires_ms) == (1, NOW_MS, None)


def test_the_name_can_be_kept_back() -> None:
    identity = made(shows_name=False).public()
    assert identity.username_hint is None
    publicidentity.check(identity, verify)


@pytest.mark.parametrize("name", ["", " ", "a\n", "a" * 65])
def test_names_that_no_registry_takes(name: str) -> None:
    with pytest.raises(InputRefused):
        made(name)


def test_new_keys_keep_the_signing_key_or_not() -> None:
    own = made()
    before = own.keys[0]
    for signing in (False, True):
        after = renewed(before, Counted(), NOW_MS + 5, signing=signing)
        assert (after.signing_seed == before.signing_seed) is not signing
        assert after.encryption_secret == bytes([1 + signing, 0]).ljust(32, b"\x5a")
        assert after.prekey_secret != before.prekey_secret
        assert (after.prekey_id, after.created_ms, after.device_id) == (2, NOW_MS + 5, before.device_id)


def test_a_clock_that_was_set_back_makes_no_older_keys() -> None:
    assert renewed(made().keys[0], Counted(), 5, signing=False).created_ms == NOW_MS + 1


def test_the_number_of_a_prekey_starts_again() -> None:
    last = msgspec.structs.replace(made().keys[0], prekey_id=2**32 - 1)
    assert renewed(last, Counted(), NOW_MS, signing=False).prekey_id == 1


def many_keys(count: int) -> OwnIdentity:
    random, own = Counted(), made()
    for _ in range(count):
        own = own.with_keys(renewed(own.keys[0], random, NOW_MS, signing=True))
    return own


def test_keys_are_found_by_what_a_registry_holds() -> None:
    own = many_keys(2)
    for keys in own.keys:
        assert own.keys_of(own.public(keys).digest) is keys
    assert own.keys_of(bytes(32)) is None


def test_invariant_7_former_keys_are_bounded_but_for_those_that_a_registry_holds() -> None:
    most = registry_limits.FORMER_KEYS
    assert len(many_keys(most).keys) == most + 1
    full = many_keys(most + 1)
    assert len(full.keys) == most + 1
    oldest = full.keys[-1]
    held = full.with_registration(
        Registration(url="https://a.example", identity=full.public(oldest).digest, at=1)
    )
    after = held.with_keys(renewed(held.keys[0], Counted(), NOW_MS, signing=True))
    assert oldest in after.keys
    assert len(after.keys) == most + 1


def test_keys_that_registries_hold_are_never_dropped() -> None:
    own = many_keys(registry_limits.FORMER_KEYS)
    for number, keys in enumerate(own.keys):
        held = Registration(url=f"https://{number}.example", identity=own.public(keys).digest, at=1)
        own = own.with_registration(held)
    newer = renewed(own.keys[0], Counted(), NOW_MS, signing=True)
    assert own.with_keys(newer).keys == (newer, *own.keys)


def test_registrations_are_noted_once_each_and_bounded() -> None:
    own = made()
    for number in range(registry_limits.OWN_REGISTRIES + 1):
        own = own.with_registration(
            Registration(url=f"https://{number}.example", identity=bytes(32), at=number)
        )
    assert len(own.registrations) == registry_limits.OWN_REGISTRIES
    assert own.registered_at("https://0.example") is None
    again = Registration(url="https://1.example", identity=b"\x01" * 32, at=9)
    own = own.with_registration(again)
    assert own.registered_at("https://1.example") == again
    assert len(own.registrations) == registry_limits.OWN_REGISTRIES
    assert own.without_registration("https://1.example").registered_at("https://1.example") is None


def members(own: OwnIdentity) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(ownidentity.encode(own)))
    return found


def test_what_is_written_is_read() -> None:
    own = many_keys(2).with_registration(Registration(url="https://a.example", identity=bytes(32), at=1))
    assert ownidentity.decode(members(own)) == own


def changed(path: tuple[str | int, ...], value: object) -> Mapping[str, object]:
    own = made().with_registration(Registration(url="https://a.example", identity=bytes(32), at=1))
    whole = members(own)
    place: Any = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return whole


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), " alice"),
        (("name",), ""),
        (("name",), 1),
        (("shows_name",), "yes"),
        (("keys",), []),
        (("keys",), None),
        (("keys", 0), "x"),
        (("keys", 0, "signing_seed"), "secret"),
        (("keys", 0, "encryption_secret"), "0" * 63),
        (("keys", 0, "prekey_secret"), None),
        (("keys", 0, "prekey_id"), 2**32),
        (("keys", 0, "created_ms"), -1),
        (("keys", 0, "device_id"), 1),
        (("registrations", 0, "identity"), "0"),
        (("registrations", 0, "url"), None),
        (("registrations", 0, "at"), 1.5),
        (("registrations",), {}),
    ],
)
def test_what_is_refused(path: tuple[str | int, ...], value: object) -> None:
    with pytest.raises(WireError) as caught:
        ownidentity.decode(changed(path, value))
    assert "secret" not in str(caught.value).replace("encryption_secret", "").replace("prekey_secret", "")


def test_invariant_8_secrets_are_not_shown() -> None:
    own = made()
    shown = repr(own) + str(own.keys) + f"{own.keys[0]!r}"
    for secret in (own.keys[0].signing_seed, own.keys[0].encryption_secret, own.keys[0].prekey_secret):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
