"""Bodies and answers of the versioned routes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from enigma_fed.base.errors import WireError
from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.identity.signing import verify
from enigma_fed.wire import registryv1 as v1
from enigma_fed.wire.registrybodies import Presence
from enigma_fed.wire.registryv1 import PresenceQuery, PresenceView, RegistryFacts, SignedPresence
from tests.support.identities import did
from tests.support.registryusers import NOW_MS, User

ALICE = User("alice")
PRESENCE = Presence(ALICE.id, "https://registry.example", NOW_MS)
SIGNATURE = ALICE.signing_key.sign(v1.presence_message(PRESENCE, did(9))).signature
SIGNED = SignedPresence(PRESENCE, did(9), SIGNATURE)
VIEW = PresenceView("local", 1, 2, 3, signed=True)
FACTS = RegistryFacts(did(9), ("change", "log"), {"identity_bytes": 5})


def test_a_signed_presence_is_read_as_it_is_written() -> None:
    found = SignedPresence.decode(SIGNED.encode())
    assert found == SIGNED
    assert verify(bytes(ALICE.signing_key.verify_key), found.message, found.signature)
    assert found.message.startswith(b'enigma-fed/registry/presence/v1\n{"addr":')


def test_the_signature_covers_the_trimmed_address() -> None:
    padded = json.loads(SIGNED.encode()) | {"addr": f"  {PRESENCE.address} "}
    assert SignedPresence.decode(json.dumps(padded).encode()) == SIGNED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_id": "x"}, "user_id"),
        ({"addr": " "}, "addr"),
        ({"ts_ms": 0}, "ts_ms"),
        ({"ts_ms": 2**53}, "ts_ms"),
        ({"registry": "x"}, "registry"),
        ({"signature": "00"}, "signature"),
        ({"more": 1}, "body"),
    ],
)
def test_what_is_refused_names_the_member(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputRefused) as caught:
        SignedPresence.decode(json.dumps(json.loads(SIGNED.encode()) | changes).encode())
    assert caught.value.field == field


def test_a_query_is_read_as_it_is_written() -> None:
    assert PresenceQuery.decode(PresenceQuery(ALICE.id).encode()) == PresenceQuery(ALICE.id)
    with pytest.raises(InputRefused):
        PresenceQuery.decode(b'{"user_id":"x"}')


READERS: dict[str, tuple[Callable[[bytes], object], bytes, object]] = {
    "presence": (v1.read_presence, v1.presence_found(VIEW), VIEW),
    "nobody": (v1.read_presence, v1.presence_found(None), None),
    "facts": (v1.read_facts, FACTS.to_json(), FACTS),
    "changed": (v1.read_changed, v1.changed(3, bytes(32)), (3, bytes(32))),
    "announced": (v1.read_announced, v1.announced(60), 60),
}


@pytest.mark.parametrize(("read", "data", "value"), READERS.values(), ids=READERS)
def test_an_answer_is_read_as_it_was_written(
    read: Callable[[bytes], object], data: bytes, value: object
) -> None:
    assert read(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"presence":{}}',
        b'{"presence":1}',
        b'{"did":"x","features":[],"limits":{}}',
        FACTS.to_json().replace(b"5", b'"5"'),
        FACTS.to_json().replace(b'{"identity_bytes":5}', b"[]"),
        FACTS.to_json().replace(b'["change","log"]', b"{}"),
        b'{"seq":1,"head":"00"}',
        b'{"ok":false,"reannounce_after":1}',
        b'{"ok":true,"reannounce_after":-1}',
    ],
)
@pytest.mark.parametrize(("read", "_data", "_value"), READERS.values(), ids=READERS)
def test_an_answer_that_breaks_the_format(
    read: Callable[[bytes], object], _data: bytes, _value: object, data: bytes
) -> None:
    with pytest.raises(WireError, match="the registry's answer"):
        read(data)


def test_invariant_8_no_address_stands_in_a_traceback() -> None:
    assert "registry.example" not in repr(SIGNED)
    assert "local" not in repr(VIEW)


def test_a_later_registry_may_say_more_of_itself() -> None:
    more = json.loads(FACTS.to_json()) | {"more": 1, "features": ["change", 7, "log"]}
    assert v1.read_facts(json.dumps(more).encode()) == FACTS
