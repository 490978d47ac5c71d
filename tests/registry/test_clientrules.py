"""What is thought of an identity beside what was seen before."""

from __future__ import annotations

import msgspec

from enigma_fed.registry.clientrules import (
    Keys,
    compare,
    fingerprint,
    leads_to,
    remembered,
    worth_writing,
)
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.ownerstatement import Action
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


def test_invariant_12_only_a_log_that_leads_from_the_known_keys_to_these_proves_them() -> None:
    first = LogEntry.registered(ALICE, 1)
    second = msgspec.structs.replace(first, seq=1, action=Action.UPDATE, identity=b"\x02" * 32)
    log, now = (first, second), b"\x02" * 32
    assert leads_to(log, SEEN, now)
    assert leads_to(log, msgspec.structs.replace(SEEN, head=first.hash), now)
    assert not leads_to(log, SEEN, b"\x03" * 32)  # it leads elsewhere
    assert not leads_to((second,), SEEN, now)  # it does not come from there
    assert not leads_to(log, msgspec.structs.replace(SEEN, identity=now), now)
    assert not leads_to(log, msgspec.structs.replace(SEEN, head=b"\x04" * 32), now)


def test_a_fingerprint_is_read_in_groups() -> None:
    assert fingerprint(bytes(range(32))) == "0001 0203 0405 0607 0809 0a0b 0c0d 0e0f"
