"""What a registry keeps and tells, whoever asks how often."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from enigma_fed.registry.clientaddress import ClientKey
from enigma_fed.registry.settings import EnvelopeSettings
from enigma_fed.registry.store import Record, Registered
from enigma_fed.registry.storememory import MemoryStore
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registrybodies import Presence, SyncRequest
from enigma_fed.wire.userid import UserId
from tests.support.registryserver import KEY, RegistryCaller, registration, registry, settings
from tests.support.registryusers import PEPPER, User

ALICE, BOB = User("alice"), User("bob")
ANYBODY = ClientKey("198.51.100.1")


@pytest.fixture
async def caller() -> AsyncIterator[RegistryCaller]:
    async with registry() as made:
        yield made


async def test_an_identical_registration_gets_the_same_answer(caller: RegistryCaller) -> None:
    later = replace(ALICE.identity(), created_at_ms=ALICE.identity().created_at_ms + 1)
    for who in (ALICE.identity(), ALICE.identity(), later):
        assert (await caller.register(who)).body == b'{"ok":true}'
    assert await caller.resolve(ALICE.id) == ALICE.identity()


async def test_another_identity_does_not_get_a_handle_that_is_taken(caller: RegistryCaller) -> None:
    await caller.register(ALICE.identity())
    other = replace(ALICE.identity(), signature=b"other")
    assert (await caller.register(other)).refusal == (409, "CONFLICT", None)
    assert await caller.resolve(ALICE.id) == ALICE.identity()


class Overtaken(MemoryStore):
    """A store in which somebody else always registers between the look and the write."""

    async def register(self, record: Record) -> Registered:
        return Registered.CONFLICT


async def test_who_is_overtaken_is_told() -> None:
    async with registry(store=Overtaken()) as caller:
        assert (await caller.register(ALICE.identity())).status == 409


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"who": ALICE.identity(user_id=BOB.id), "handle": ALICE.id}, "handle"),
        ({"who": ALICE.identity(username_hint="bob")}, "identity.username_hint"),
        ({"who": ALICE.identity(signature=BOB.bundle().encode())}, "identity.signature"),
        ({"who": ALICE.identity(), "plaintext": b"no identity"}, "identity"),
    ],
)
async def test_invariant_12_what_contradicts_itself_is_refused(
    caller: RegistryCaller, how: dict[str, Any], field: str
) -> None:
    answer = await caller.ask("POST", "/register", registration(**how))
    assert answer.refusal == (400, "INVALID_INPUT", field)
    assert "envelope key" not in answer.json["error"]["message"]
    assert await caller.resolve(ALICE.id) is None


async def test_an_identity_of_any_kind_is_kept_as_it_is(caller: RegistryCaller) -> None:
    """Keys of any length, no hint, nothing that would be a signature."""
    odd = PublicIdentity(
        user_id=UserId(bytes(range(32))),
        username_hint=None,
        signing_public_key=b"k",
        encryption_public_key=b"ey",
        signature=b"sig",
        created_at_ms=1,
    )
    assert (await caller.register(odd)).status == 200
    assert await caller.resolve(odd.user_id) == odd


async def test_invariant_12_of_a_sync_what_holds_and_is_new_is_kept(caller: RegistryCaller) -> None:
    service = caller.server.registry
    await caller.register(ALICE.identity())
    carol, dave = User("carol"), User("dave")
    offered = (
        ALICE.identity(signature=b"other"),
        BOB.identity(username_hint="carol"),
        carol.identity(),
        carol.identity(signature=b"second"),
        dave.identity(),
    )
    assert await service.sync(SyncRequest(offered).encode()) == b'{"merged":2}'
    assert await caller.resolve(ALICE.id) == ALICE.identity()
    assert await caller.resolve(BOB.id) is None
    assert await caller.resolve(carol.id) == carol.identity()


async def test_one_bad_node_is_enough_to_refuse_a_list(caller: RegistryCaller) -> None:
    service = caller.server.registry
    with pytest.raises(Exception, match="invalid input"):
        await service.add_nodes(
            b'{"nodes":[{"base_url":"https://example.org"},{"base_url":"http://10.0.0.1"}]}'
        )
    assert json.loads(service.nodes()) == {"nodes": []}


async def test_invariant_7_only_who_is_registered_is_present(caller: RegistryCaller) -> None:
    service = caller.server.registry
    said = Presence(ALICE.id, "here", 1).encode()
    service.announce(said, ANYBODY)
    assert service.presences.find(ALICE.id) is None
    await caller.register(ALICE.identity())
    service.announce(said, ANYBODY)
    assert service.presences.find(ALICE.id) is not None


async def test_check_user_can_be_switched_off() -> None:
    async with registry(settings(check_user=False)) as caller:
        answer = await caller.ask("GET", f"/check_user/{ALICE.id.hex}")
    assert answer.refusal == (400, "FEATURE_DISABLED", None)


async def test_a_changed_configuration_counts_at_once(caller: RegistryCaller) -> None:
    new = replace(KEY, kid=b"new one!", private_key=bytes([9]) * 32)
    retired = replace(KEY, active=False)
    caller.server.reload(
        settings(envelope=EnvelopeSettings(pepper=PEPPER, keys=(new, retired)), older_routes=True)
    )
    assert (await caller.ask("GET", "/envelope_pubkey")).json["kid_hex"] == new.kid.hex()
    assert (await caller.register(ALICE.identity())).status == 200  # sealed to the key of before
    assert (await caller.ask("GET", f"/resolve/{ALICE.id.hex}")).status == 200
    assert await caller.resolve(ALICE.id) == ALICE.identity()
