"""What a registry finds on its own disk, once it is unsealed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from enigma_fed.base.errors import WireError
from enigma_fed.wire.registryrecord import Record
from enigma_fed.wire.userid import UserId
from tests.fuzz.target import Target, attempt

_USER: Final = UserId(bytes(32))
_AT: Final = bytes(8)


def stored_identity(data: bytes) -> bool:
    """There is one form for each; a revoked one has no content, and every other has some."""
    record = attempt(lambda: Record.decode(_USER, data), WireError)
    if not isinstance(record, Record):
        return False
    assert record.encode() == data
    assert record.revoked == (record.identity_bytes == b"")
    assert record.changed is None or record.head == record.changed
    return True


def _seeds() -> Iterable[bytes]:
    yield from (
        b"\x01\x00" + _AT + b"{}",
        b"\x01\x02" + _AT + bytes(32) + b"{}",
        b"\x01\x03" + _AT + bytes(32),
    )
    yield from (
        b"",
        b"\x01\x00" + _AT,
        b"\x02\x00" + _AT + b"{}",
        b"\x01\x01" + _AT + b"{}",
        b"\x01\x04" + _AT,
    )


TARGETS: Final = (Target("registry-record", stored_identity, _seeds, longest=128),)
