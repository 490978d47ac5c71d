"""The log of changes: each entry bound to the one before, checkable from its first one with nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import WireError
from enigma_fed.identity.signing import verify
from enigma_fed.wire import canonicaljson, ownerchange
from enigma_fed.wire.ownerchange import LogEntry, check_chain, decode_log, encode_log
from enigma_fed.wire.ownerstatement import Action
from tests.support.identities import did
from tests.support.ownerchanges import OTHER_KEY, REGISTRY, change, log, rotated, updated
from tests.support.registryusers import NOW_MS, PEPPER, User

ALICE, BOB = User("alice"), User("bob")
LOG = log(ALICE)


def but(entry: LogEntry, **changes: Any) -> LogEntry:
    return msgspec.structs.replace(entry, **changes)


def test_a_log_holds_from_its_first_entry_on() -> None:
    for count in range(1, len(LOG) + 1):
        assert check_chain(LOG[:count], verify) == LOG[count - 1]


def test_an_entry_is_read_as_it_is_written_and_so_is_a_log() -> None:
    for entry in LOG:
        assert LogEntry.decode(entry.encode()) == entry
    assert decode_log(encode_log(LOG)) == tuple(LOG)


def test_the_hash_is_of_a_label_and_the_canonical_members() -> None:
    members = json.dumps(json.loads(LOG[1].encode()), sort_keys=True, separators=(",", ":")).encode()
    label = b"enigma-fed/registry/log/v1\n"
    assert LOG[1].hash == hashlib.blake2b(label + members, digest_size=32).digest()
    assert LOG[2].previous == LOG[1].hash


def test_an_entry_is_written_in_its_canonical_form() -> None:
    for entry in LOG:
        assert entry.encode() == canonicaljson.encode(json.loads(entry.encode()))


def test_an_entry_for_what_is_no_did_was_signed_by_nobody() -> None:
    shaped = "did:key:z6Mk" + "1" * 44
    entry = LogEntry.decode(LOG[1].encode().replace(str(REGISTRY).encode(), shaped.encode()))
    assert (entry.registry, entry.statement) == (shaped, None)


def test_an_entry_says_what_its_owner_signed() -> None:
    request = change(ALICE, Action.UPDATE, updated(ALICE), LOG[0].hash)
    assert LOG[1].statement == request.statement
    assert LOG[0].statement is None
    assert [entry.signing_public_key for entry in LOG[2:]] == [bytes(OTHER_KEY.verify_key)] * 2


def test_an_entry_knows_the_request_that_made_it() -> None:
    request = change(ALICE, Action.UPDATE, updated(ALICE), LOG[0].hash)
    assert [entry.is_of(request) for entry in LOG] == [False, True, False, False]
    assert not LOG[1].is_of(change(ALICE, Action.UPDATE, updated(ALICE), LOG[0].hash, key=OTHER_KEY))
    assert not LOG[1].is_of(change(ALICE, Action.UPDATE, updated(ALICE), LOG[0].hash, created_ms=1))


CHANGES: list[dict[str, Any]] = [
    {"seq": 9},
    {"action": Action.REGISTER},
    {"at_ms": 1},
    {"user": BOB.id},
    {"signing_public_key": bytes(32)},
    {"identity": bytes(32)},
    {"identity": None},
    {"previous": bytes(32)},
    {"registry": str(did(3))},
    {"registry": None},
    {"created_ms": 1},
    {"created_ms": None},
    {"signature": bytes(64)},
    {"signature": None},
    {"new_signature": bytes(64)},
]


@pytest.mark.parametrize("position", range(len(LOG)))
@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: str(*changes))
def test_invariant_12_nothing_in_a_log_can_be_changed_afterwards(
    position: int, changes: dict[str, Any]
) -> None:
    """Its last entry's time is bound by what comes after it alone."""
    forged = [*LOG]
    forged[position] = but(LOG[position], **changes)
    if forged == LOG or (position == 3 and "at_ms" in changes):
        assert check_chain(forged, verify)
        return
    with pytest.raises(WireError, match="the log of changes"):
        check_chain(forged, verify)


@pytest.mark.parametrize("entries", [[], LOG[1:], [LOG[0], LOG[2]], [*LOG, LOG[3]], [LOG[1], LOG[0]]])
def test_a_log_with_a_gap_is_none(entries: list[LogEntry]) -> None:
    with pytest.raises(WireError):
        check_chain(entries, verify)


def test_invariant_12_nothing_follows_after_the_end() -> None:
    new = rotated(ALICE)
    request = change(ALICE, Action.UPDATE, new, LOG[-1].hash, key=OTHER_KEY)
    with pytest.raises(WireError):
        check_chain([*LOG, LogEntry.following(LOG[-1], request, NOW_MS, new)], verify)
    request = change(ALICE, Action.UPDATE, new, LOG[-2].hash, key=OTHER_KEY)
    assert check_chain([*LOG[:-1], LogEntry.following(LOG[-2], request, NOW_MS, new)], verify)


def test_invariant_12_a_rotation_needs_both_signatures_and_another_key() -> None:
    first = LOG[0]
    for request, new in (
        (change(ALICE, Action.ROTATE, rotated(ALICE), first.hash, new_key=BOB.signing_key), rotated(ALICE)),
        (change(ALICE, Action.ROTATE, updated(ALICE), first.hash, new_key=ALICE.signing_key), updated(ALICE)),
        (change(ALICE, Action.UPDATE, rotated(ALICE), first.hash), rotated(ALICE)),
        (change(ALICE, Action.UPDATE, updated(ALICE), first.hash, new_key=OTHER_KEY), updated(ALICE)),
    ):
        with pytest.raises(WireError):
            check_chain([first, LogEntry.following(first, request, NOW_MS, new)], verify)


def test_entries_are_of_one_registry() -> None:
    second = change(ALICE, Action.UPDATE, updated(ALICE), LOG[1].hash, registry=did(3))
    entries = [*LOG[:2], LogEntry.following(LOG[1], second, NOW_MS, updated(ALICE))]
    with pytest.raises(WireError, match="several registries"):
        check_chain(entries, verify)


def entry_text(**changes: Any) -> bytes:
    return json.dumps(json.loads(LOG[1].encode()) | changes).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": -1},
        {"seq": 2**53},
        {"action": "delete"},
        {"at_ms": "x"},
        {"user_id": "x"},
        {"signing_public_key": "abc"},
        {"signing_public_key": 5},
        {"identity": "00"},
        {"previous": None},
        {"registry": "x"},
        {"registry": 1},
        {"created_ms": 2**53},
        {"signature": "00"},
        {"new_signature": "00"},
        {"more": 1},
    ],
)
def test_what_is_no_entry(changes: dict[str, Any]) -> None:
    for read, data in (
        (LogEntry.decode, entry_text(**changes)),
        (decode_log, b'{"entries":[' + entry_text(**changes) + b"]}"),
    ):
        with pytest.raises(WireError, match="the log of changes: entry"):
            read(data)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"entries":{}}', b'{"entries":[],"more":1}'])
def test_what_is_no_log(data: bytes) -> None:
    for read in (LogEntry.decode, decode_log):
        with pytest.raises(WireError):
            read(data)


def test_invariant_7_a_log_is_bounded() -> None:
    most = registry_limits.LOG_BYTES
    assert decode_log(b'{"entries":[]}'.ljust(most)) == ()
    with pytest.raises(WireError):
        decode_log(b'{"entries":[]}'.ljust(most + 1))


def test_the_key_of_a_sealed_log_is_bound_to_all_that_it_is_for() -> None:
    values = [PEPPER, ALICE.id, bytes([1]) * 32, bytes(8), bytes([2]) * 32, bytes([3]) * 32]
    keys = {ownerchange.log_key(*values)}  # type: ignore[arg-type]
    for position, other in enumerate([bytes(32), BOB.id, bytes(32), bytes([1]) * 8, bytes(32), bytes(32)]):
        keys.add(ownerchange.log_key(*values[:position], other, *values[position + 1 :]))  # type: ignore[arg-type]
    assert len(keys) == 7
    assert {len(key) for key in keys} == {32}


def test_the_registry_of_these_tests_is_in_the_log() -> None:
    assert {entry.registry for entry in LOG[1:]} == {str(REGISTRY)}


def test_invariant_8_no_handle_stands_in_a_traceback() -> None:
    assert repr(LOG[1]) == "LogEntry(1, update)"
