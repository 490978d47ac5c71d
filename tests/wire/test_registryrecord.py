"""An identity as a registry keeps it: one form for each, and nothing else is read."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.registryrecord import Record
from tests.support.registryusers import NOW_MS, User

ALICE: Final = User("alice")
PLAIN: Final = Record(user_id=ALICE.id, identity_bytes=ALICE.identity().encode(), registered_ms=NOW_MS)
CHANGED: Final = replace(PLAIN, changed=bytes(range(32)))
REVOKED: Final = replace(CHANGED, identity_bytes=b"", revoked=True)
AT: Final = NOW_MS.to_bytes(8, "big")


@pytest.mark.parametrize("record", [PLAIN, CHANGED, REVOKED])
def test_what_is_kept_is_read_as_it_was(record: Record) -> None:
    assert Record.decode(ALICE.id, record.encode()) == record


def test_the_bytes_are_those_that_are_written_down() -> None:
    assert PLAIN.encode() == b"\x01\x00" + AT + PLAIN.identity_bytes
    assert CHANGED.encode() == b"\x01\x02" + AT + bytes(range(32)) + PLAIN.identity_bytes
    assert REVOKED.encode() == b"\x01\x03" + AT + bytes(range(32))
    assert ALICE.id.value not in PLAIN.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN.encode()[:9],
        b"\x00" + PLAIN.encode()[1:],
        b"\x02" + PLAIN.encode()[1:],
        b"\x01\x04" + PLAIN.encode()[2:],
        b"\x01\x00" + AT,
        b"\x01\x01" + AT,
        b"\x01\x01" + AT + b"{}",
        b"\x01\x02" + AT + bytes(32),
        b"\x01\x02" + AT + bytes(31),
        b"\x01\x03" + AT + bytes(31),
        b"\x01\x03" + AT + bytes(33),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        Record.decode(ALICE.id, data)


def test_invariant_7_it_is_no_larger_than_an_identity_may_be() -> None:
    largest = b"\x01\x02" + AT + bytes(32) + b"x" * registry_limits.IDENTITY_BYTES
    assert len(Record.decode(ALICE.id, largest).identity_bytes) == registry_limits.IDENTITY_BYTES
    with pytest.raises(WireError):
        Record.decode(ALICE.id, largest + b"x")


@pytest.mark.parametrize(("record", "head"), [(CHANGED, bytes(range(32))), (REVOKED, bytes(range(32)))])
def test_the_head_is_the_newest_change(record: Record, head: bytes) -> None:
    assert record.head == head


def test_the_head_of_what_never_changed_is_its_registration() -> None:
    first: Any = LogEntry.registered(ALICE.identity(), NOW_MS)
    assert PLAIN.first_entry() == first
    assert PLAIN.head == first.hash
