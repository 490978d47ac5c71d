"""Identities on the disk: found without their handle, opened only where they were put."""

from __future__ import annotations

from typing import Final

import pytest

from enigma_fed.base.errors import StoreDamaged
from enigma_fed.registry.atrest import BLIND_BYTES, OVERHEAD, AtRest, is_sound, subkey
from enigma_fed.wire.userid import UserId

KEY: Final = bytes(range(32))
OTHER: Final = bytes(range(1, 33))
NONCE: Final = bytes(range(24))
ALICE: Final = UserId.of("alice")


def test_invariant_8_the_blind_index_is_of_this_key_and_this_handle_alone() -> None:
    blinds = {AtRest(key).blind(user) for key in (KEY, OTHER) for user in (ALICE, UserId.of("bob"))}
    assert len(blinds) == 4
    assert {len(blind) for blind in blinds} == {BLIND_BYTES}
    assert all(map(is_sound, blinds))
    assert AtRest(KEY).blind(ALICE) == AtRest(KEY).blind(ALICE)


def test_invariant_8_nothing_of_what_is_sealed_stands_in_it() -> None:
    sealed = AtRest(KEY).seal(b"place", ALICE.value, NONCE)
    assert len(sealed) == OVERHEAD + len(ALICE.value)
    assert ALICE.value[:8] not in sealed
    assert AtRest(KEY).open(b"place", sealed) == ALICE.value


def test_invariant_5_what_was_moved_or_changed_or_is_of_another_key_does_not_open() -> None:
    rest = AtRest(KEY)
    sealed = rest.seal(b"place", b"content", NONCE)
    broken = [sealed[:-1], sealed[:24], b"", sealed[:-1] + bytes([sealed[-1] ^ 1]), b"\x01" + sealed[1:]]
    for each in broken:
        with pytest.raises(StoreDamaged):
            rest.open(b"place", each)
    with pytest.raises(StoreDamaged):
        rest.open(b"elsewhere", sealed)
    with pytest.raises(StoreDamaged):
        AtRest(OTHER).open(b"place", sealed)


def test_invariant_5_a_blind_index_that_a_disk_garbled_is_noticed() -> None:
    blind = AtRest(KEY).blind(ALICE)
    for bit in range(8 * len(blind)):
        garbled = bytearray(blind)
        garbled[bit // 8] ^= 1 << bit % 8
        assert not is_sound(bytes(garbled))
    assert not is_sound(blind[:-1])
    assert not is_sound(blind + b"\0")


def test_keys_for_different_purposes_have_nothing_to_do_with_each_other() -> None:
    assert len({subkey(KEY, b"a"), subkey(KEY, b"b"), subkey(OTHER, b"a"), KEY}) == 4
