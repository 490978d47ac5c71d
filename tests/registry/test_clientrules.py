"""What is thought of an identity beside what was seen before."""

from __future__ import annotations

import msgspec

from enigma_fed.registry.clientrules import Keys, compare, fingerprint, remembered, worth_writing
from tests.support.registryusers import User

URL = "https://a.example"
ALICE = User("alice").identity()
SEEN = remembered(None, URL, ALICE, 100)


def test_new_same_and_changed() -> None:
    assert compare(None, ALICE) is Keys.NEW
    assert compare(SEEN, ALICE) is Keys.SAME
    assert compare(SEEN, msgspec.structs.replace(ALICE, signature=b"another prekey")) is Keys.SAME
    for name in ("signing_public_key", "encryption_public_key"):
        assert compare(SEEN, msgspec.structs.replace(ALICE, **{name: b"other"})) is Keys.CHANGED


def test_what_is_remembered() -> None:
    assert (SEEN.url, SEEN.user_id, SEEN.first_seen, SEEN.last_seen) == (URL, ALICE.user_id, 100, 100)
    later = remembered(SEEN, URL, ALICE, 200, head=b"\x01" * 32)
    assert (later.first_seen, later.last_seen, later.head) == (100, 200, b"\x01" * 32)
    assert remembered(later, URL, ALICE, 300).head == b"\x01" * 32


def test_a_look_a_day_is_written_and_every_difference() -> None:
    assert worth_writing(None, SEEN)
    assert not worth_writing(SEEN, remembered(SEEN, URL, ALICE, 100 + 86_399))
    assert worth_writing(SEEN, remembered(SEEN, URL, ALICE, 100 + 86_400))
    assert worth_writing(SEEN, remembered(SEEN, URL, ALICE, 101, head=bytes(32)))
    assert worth_writing(SEEN, remembered(SEEN, URL, msgspec.structs.replace(ALICE, signature=b"other"), 101))


def test_a_fingerprint_is_read_in_groups() -> None:
    assert fingerprint(bytes(range(32))) == "0001 0203 0405 0607 0809 0a0b 0c0d 0e0f"
