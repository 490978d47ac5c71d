"""Which envelope keys open, seal and are shown."""

from __future__ import annotations

import pytest

from enigma_fed.base.registry_errors import (
    ExpiredEnvelopeKey,
    InputRefused,
    InternalFault,
    RegistryError,
    UnknownEnvelopeKey,
)
from enigma_fed.registry.keyring import Keyring
from enigma_fed.registry.settings import EnvelopeKey, EnvelopeSettings
from enigma_fed.wire import envelope as envelopes
from tests.support.registryserver import KEY
from tests.support.registryusers import PEPPER, User

ALICE = User("alice")
NOW = 1_000_000
OLD = EnvelopeKey(kid=b"oldest--", private_key=bytes([3]) * 32, active=False, not_after_ms=NOW)
SECOND = EnvelopeKey(kid=b"second--", private_key=bytes([4]) * 32, active=True)
LOW_ORDER = bytes(32)


def keyring(*keys: EnvelopeKey) -> Keyring:
    return Keyring(EnvelopeSettings(pepper=PEPPER, keys=keys))


def shown(made: Keyring, now: int) -> list[bytes]:
    return [key.kid for key in made.shown(now)]


def test_keys_are_shown_in_their_order_until_they_expire() -> None:
    made = keyring(OLD, KEY, SECOND)
    assert shown(made, NOW) == [OLD.kid, KEY.kid, SECOND.kid]
    assert shown(made, NOW + 1) == [KEY.kid, SECOND.kid]
    assert made.active(NOW).kid == KEY.kid


def test_a_key_that_is_no_longer_active_still_opens() -> None:
    made = keyring(EnvelopeKey(kid=KEY.kid, private_key=KEY.private_key, not_after_ms=NOW), SECOND)
    assert made.open(ALICE.sealed(), ALICE.id, NOW) == ALICE.identity().encode()
    with pytest.raises(ExpiredEnvelopeKey, match="envelope key"):
        made.open(ALICE.sealed(), ALICE.id, NOW + 1)
    with pytest.raises(UnknownEnvelopeKey, match="envelope key"):
        keyring(SECOND).open(ALICE.sealed(), ALICE.id, NOW)


def test_what_was_sealed_for_another_user_does_not_open() -> None:
    with pytest.raises(InputRefused) as caught:
        keyring(KEY).open(ALICE.sealed(), User("bob").id, NOW)
    assert caught.value.field == "envelope.ciphertext"


def test_keys_of_low_order_are_refused_both_ways() -> None:
    sealed = ALICE.sealed()
    low = envelopes.Envelope(sealed.kid, LOW_ORDER, sealed.nonce, sealed.ciphertext)
    with pytest.raises(InputRefused) as opened:
        keyring(KEY).open(low, ALICE.id, NOW)
    with pytest.raises(InputRefused) as made:
        keyring(KEY).seal(ALICE.id, LOW_ORDER, b"", bytes(24), NOW)
    assert (opened.value.field, made.value.field) == (
        "envelope.sender_pubkey",
        "requester_ephemeral_pubkey_hex",
    )


def test_without_an_active_key_nothing_is_sealed() -> None:
    made = keyring(EnvelopeKey(kid=KEY.kid, private_key=KEY.private_key, active=True, not_after_ms=NOW))
    theirs = envelopes.public_key(bytes([5]) * 32)
    made.seal(ALICE.id, theirs, b"", bytes(24), NOW)
    for late in (lambda: made.active(NOW + 1), lambda: made.seal(ALICE.id, theirs, b"", bytes(24), NOW + 1)):
        with pytest.raises(InternalFault) as caught:
            late()
        assert isinstance(caught.value, RegistryError)


def test_a_changed_configuration_counts_at_once() -> None:
    made = keyring(KEY)
    made.replace(EnvelopeSettings(pepper=PEPPER, keys=(SECOND, OLD)))
    assert shown(made, NOW) == [SECOND.kid, OLD.kid]
