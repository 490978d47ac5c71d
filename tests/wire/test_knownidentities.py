"""known.json: kept without loss, bounded."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.ids import Did
from enigma_fed.wire import knownidentities
from enigma_fed.wire.knownidentities import Known, KnownFile, keys_digest
from enigma_fed.wire.userid import UserId
from tests.support.registryusers import User

URL = "https://a.example"
DID = Did.parse("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")


def known(number: int = 1, url: str = URL, last_seen: int = 5, head: bytes | None = None) -> Known:
    return Known(
        url=url,
        user_id=UserId(number.to_bytes(32, "big")),
        keys=b"\x01" * 32,
        identity=b"\x02" * 32,
        first_seen=1,
        last_seen=last_seen,
        head=head,
    )


def test_each_registry_has_its_own_word() -> None:
    here, there = known(), known(url="https://b.example")
    file = KnownFile().with_identity(here).with_identity(there)
    assert file.find(URL, here.user_id) == here
    assert file.find("https://b.example", here.user_id) == there
    assert file.find("https://c.example", here.user_id) is None
    newer = known(last_seen=9)
    assert file.with_identity(newer).identities == (there, newer)


def test_invariant_7_the_one_seen_longest_ago_is_forgotten() -> None:
    most = registry_limits.KNOWN_IDENTITIES
    full = KnownFile(tuple(known(number, last_seen=10 + number) for number in range(1, most + 1)))
    assert len(full.with_identity(known(1, last_seen=99)).identities) == most
    after = full.with_identity(known(most + 1, last_seen=99))
    assert len(after.identities) == most
    assert after.find(URL, known(1).user_id) is None
    assert after.find(URL, known(2).user_id) is not None


def test_registries_have_a_did_and_are_bounded() -> None:
    file = KnownFile()
    for number in range(registry_limits.OWN_REGISTRIES + 1):
        file = file.with_registry(f"https://{number}.example", DID)
    assert len(file.registries) == registry_limits.OWN_REGISTRIES
    assert file.registry("https://0.example") is None
    assert file.registry("https://1.example") == DID
    assert len(file.with_registry("https://1.example", DID).registries) == registry_limits.OWN_REGISTRIES


def test_both_keys_count_and_where_one_ends() -> None:
    alice = User("alice").identity()
    digests = {
        keys_digest(alice),
        keys_digest(msgspec.structs.replace(alice, signing_public_key=b"x" * 32)),
        keys_digest(msgspec.structs.replace(alice, encryption_public_key=b"x" * 32)),
        keys_digest(msgspec.structs.replace(alice, signing_public_key=b"a", encryption_public_key=b"bc")),
        keys_digest(msgspec.structs.replace(alice, signing_public_key=b"ab", encryption_public_key=b"c")),
    }
    assert len(digests) == 5
    assert keys_digest(msgspec.structs.replace(alice, signature=b"other")) == keys_digest(alice)


def members(file: KnownFile) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(knownidentities.encode(file)))
    return found


FULL = KnownFile().with_identity(known()).with_identity(known(2, head=b"\x03" * 32)).with_registry(URL, DID)


def test_what_is_written_is_read() -> None:
    assert knownidentities.decode(members(FULL)) == FULL
    assert knownidentities.decode(members(KnownFile())) == KnownFile()


@pytest.mark.parametrize(
    ("list_", "name", "value"),
    [
        ("identities", "user_id", "0" * 63),
        ("identities", "keys", None),
        ("identities", "identity", "x"),
        ("identities", "head", "00"),
        ("identities", "first_seen", -1),
        ("identities", "url", 1),
        ("registries", "did", "did:key:zX"),
        ("registries", "url", None),
    ],
)
def test_what_is_refused(list_: str, name: str, value: object) -> None:
    broken = members(FULL)
    broken[list_][0][name] = value
    with pytest.raises(WireError, match=name):
        knownidentities.decode(broken)


@pytest.mark.parametrize("missing", ["identities", "registries"])
def test_a_file_without_a_list_is_not_read_as_empty(missing: str) -> None:
    broken = members(FULL)
    del broken[missing]
    with pytest.raises(WireError):
        knownidentities.decode(broken)
