"""What an owner's signature changes, the log of it, and signed presence."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace
from nacl.signing import SigningKey

from enigma_fed.identity.signing import verify
from enigma_fed.wire import envelope as envelopes
from enigma_fed.wire import ownerchange, registryv1
from enigma_fed.wire.envelope import Envelope
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.ownerstatement import Action, ChangeRequest, Statement
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registrybodies import Presence, RegisterRequest, ResolveRequest
from enigma_fed.wire.registryv1 import SignedPresence
from enigma_fed.wire.userid import UserId
from tests.support.registryserver import OWN, Answer, RegistryCaller, registration, registry, settings
from tests.support.registryusers import PEPPER, User
from tests.support.signedcalls import key

ALICE, BOB = User("alice"), User("bob")
NEW_KEY = SigningKey(bytes([42]) * 32)


@pytest.fixture
async def caller() -> AsyncIterator[RegistryCaller]:
    async with registry() as made:
        assert (await made.register(ALICE.identity())).status == 200
        yield made


def rotated(signing: SigningKey = NEW_KEY) -> PublicIdentity:
    """Alice with another signing key, as a client without a bundle registers it."""
    return replace(
        ALICE.identity(), signing_public_key=bytes(signing.verify_key), signature=b"no bundle any more"
    )


def updated() -> PublicIdentity:
    return replace(ALICE.identity(), signature=ALICE.bundle(signed_prekey_id=2).encode())


def head(caller: RegistryCaller) -> bytes:
    record = caller.server.registry.store.find(ALICE.id)
    assert record is not None
    return record.head


def change(
    caller: RegistryCaller,
    action: Action,
    new: PublicIdentity | None,
    signer: SigningKey | None = None,
    **how: Any,
) -> bytes:
    """The body of a `/v1/change` that the registered key signs, if no other does."""
    statement = Statement(
        action=action,
        user=ALICE.id,
        registry=how.get("registry", OWN.did),
        previous=how.get("previous") or head(caller),
        created_ms=how.get("created_ms", int(caller.clock.wall() * 1000)),
        identity=None if new is None else new.digest,
    )
    sign = (signer or ALICE.signing_key).sign
    return ChangeRequest(
        statement=statement,
        signature=sign(statement.message).signature,
        new_signature=NEW_KEY.sign(statement.message).signature if action is Action.ROTATE else None,
        envelope=None if new is None else RegisterRequest.decode(registration(new)).envelope,
    ).encode()


async def ask(caller: RegistryCaller, body: bytes) -> Answer:
    return await caller.ask("POST", "/v1/change", body)


async def log(caller: RegistryCaller, user: UserId) -> tuple[LogEntry, ...] | None:
    """The log, out of its envelope."""
    secret = os.urandom(32)
    mine = envelopes.public_key(secret)
    answer = await caller.ask("POST", "/v1/log", ResolveRequest(user, mine).encode())
    if answer.json["envelope"] is None:
        return None
    sealed = Envelope.from_object(answer.json["envelope"])
    shared = envelopes.shared_secret(secret, sealed.sender_public_key, "")
    opened_with = ownerchange.log_key(PEPPER, user, shared, sealed.kid, sealed.sender_public_key, mine)
    return ownerchange.decode_log(envelopes.unseal(opened_with, user, sealed.nonce, sealed.ciphertext))


async def test_an_update_by_the_registered_key(caller: RegistryCaller) -> None:
    answer = await ask(caller, change(caller, Action.UPDATE, updated()))
    assert registryv1.read_changed(answer.body) == (1, head(caller))
    assert await caller.resolve(ALICE.id) == updated()
    assert (await caller.register(updated())).status == 200
    assert (await caller.register(ALICE.identity())).status == 409


async def test_invariant_12_a_rotation_by_both_keys_and_the_new_one_counts_from_then_on(
    caller: RegistryCaller,
) -> None:
    assert (await ask(caller, change(caller, Action.ROTATE, rotated()))).status == 200
    assert await caller.resolve(ALICE.id) == rotated()
    by_the_old_one = await ask(caller, change(caller, Action.REVOKE, None))
    assert by_the_old_one.refusal[:2] == (401, "UNAUTHORIZED")
    assert (await ask(caller, change(caller, Action.REVOKE, None, NEW_KEY))).status == 200


async def test_a_revoked_handle_stays_taken_and_resolves_to_nobody(caller: RegistryCaller) -> None:
    assert (await ask(caller, change(caller, Action.REVOKE, None))).status == 200
    assert await caller.resolve(ALICE.id) is None
    assert (await caller.ask("GET", f"/check_user/{ALICE.id.hex}")).body == b'{"exists":true}'
    assert (await caller.register(ALICE.identity())).status == 409
    again = change(caller, Action.REVOKE, None)
    assert (await ask(caller, again)).status == 404


async def test_invariant_12_a_statement_is_good_once(caller: RegistryCaller) -> None:
    body = change(caller, Action.UPDATE, updated())
    assert (await ask(caller, body)).status == 200
    assert (await ask(caller, change(caller, Action.UPDATE, ALICE.identity()))).status == 200
    assert (await ask(caller, body)).status == 409
    assert await caller.resolve(ALICE.id) == ALICE.identity()


async def test_invariant_12_a_statement_that_was_overtaken_changes_nothing(caller: RegistryCaller) -> None:
    late = change(caller, Action.REVOKE, None)
    assert (await ask(caller, change(caller, Action.UPDATE, updated()))).status == 200
    assert (await ask(caller, late)).refusal == (409, "CONFLICT", None)
    assert await caller.resolve(ALICE.id) == updated()


async def test_a_request_whose_answer_was_lost_gets_it_again(caller: RegistryCaller) -> None:
    for action, new in ((Action.UPDATE, updated()), (Action.REVOKE, None)):
        body = change(caller, action, new)
        first, again = await ask(caller, body), await ask(caller, body)
        assert (again.status, again.body) == (200, first.body)
    record = caller.server.registry.store.find(ALICE.id)
    assert record is not None
    assert len(caller.server.registry.store.log(ALICE.id)) == 3


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"signer": BOB.signing_key}, 401),
        ({"registry": key(5).did}, 400),
        ({"created_ms": 0}, 400),
        ({"previous": bytes(32)}, 409),
    ],
    ids=["another key", "another registry", "long ago", "another log"],
)
async def test_invariant_12_what_the_owner_did_not_say_here_and_now(
    caller: RegistryCaller, how: dict[str, Any], status: int
) -> None:
    assert (await ask(caller, change(caller, Action.UPDATE, updated(), **how))).status == status
    assert await caller.resolve(ALICE.id) == ALICE.identity()


async def test_who_is_not_registered_has_nothing_to_change(caller: RegistryCaller) -> None:
    body = change(caller, Action.REVOKE, None).replace(ALICE.id.hex.encode(), BOB.id.hex.encode())
    assert (await ask(caller, body)).refusal[:2] == (401, "UNAUTHORIZED")


async def test_who_is_registered_is_not_told_to_who_signs_nothing(caller: RegistryCaller) -> None:
    told = set()
    for user, previous in ((ALICE, bytes(32)), (BOB, bytes(32)), (ALICE, head(caller))):
        body = change(caller, Action.REVOKE, None, NEW_KEY, previous=previous)
        told.add((await ask(caller, body.replace(ALICE.id.hex.encode(), user.id.hex.encode()))).refusal)
    assert told == {(401, "UNAUTHORIZED", None)}
    assert (await ask(caller, change(caller, Action.REVOKE, None))).status == 200
    assert (await ask(caller, change(caller, Action.REVOKE, None, NEW_KEY))).refusal in told


async def test_an_owner_whose_key_was_rotated_meanwhile_is_told_of_the_change(caller: RegistryCaller) -> None:
    late = change(caller, Action.UPDATE, updated())
    assert (await ask(caller, change(caller, Action.ROTATE, rotated()))).status == 200
    assert (await ask(caller, late)).refusal == (409, "CONFLICT", None)


async def test_invariant_12_the_log_tells_every_change_from_the_first(caller: RegistryCaller) -> None:
    await ask(caller, change(caller, Action.UPDATE, updated()))
    await ask(caller, change(caller, Action.ROTATE, rotated()))
    entries = await log(caller, ALICE.id)
    assert entries is not None
    assert [entry.action for entry in entries] == [Action.REGISTER, Action.UPDATE, Action.ROTATE]
    assert ownerchange.check_chain(entries, verify).hash == head(caller)
    assert await log(caller, BOB.id) is None


async def test_a_bundle_can_be_demanded() -> None:
    async with registry(settings(require_bundle=True)) as caller:
        assert (await caller.register(rotated())).refusal == (400, "INVALID_INPUT", "identity.signature")
        assert (await caller.register(ALICE.identity())).status == 200
        refused = await ask(caller, change(caller, Action.ROTATE, rotated()))
        assert refused.refusal == (400, "INVALID_INPUT", "identity.signature")


def announcement(
    caller: RegistryCaller, user: User = ALICE, signer: User = ALICE, to: Any = OWN.did
) -> bytes:
    said = Presence(user.id, "signed", int(caller.clock.wall() * 1000))
    message = SignedPresence(said, to, b"").message
    return SignedPresence(said, to, signer.signing_key.sign(message).signature).encode()


async def test_a_signed_announcement_holds_against_unsigned_ones(caller: RegistryCaller) -> None:
    answer = await caller.ask("POST", "/v1/announce", announcement(caller))
    assert registryv1.read_announced(answer.body) == 100
    await caller.ask("POST", "/announce", Presence(ALICE.id, "forged", 1).encode())
    found = caller.server.registry.presences.find(ALICE.id)
    assert found is not None
    assert (found.addr, found.signed) == ("signed", True)


async def test_invariant_12_a_signed_announcement_is_its_owners_and_for_this_registry(
    caller: RegistryCaller,
) -> None:
    for body, refusal in (
        (announcement(caller, signer=BOB), (401, "UNAUTHORIZED", None)),
        (announcement(caller, BOB, BOB), (401, "UNAUTHORIZED", None)),
        (announcement(caller, to=key(5).did), (400, "INVALID_INPUT", "registry")),
    ):
        assert (await caller.ask("POST", "/v1/announce", body)).refusal == refusal


async def test_a_presence_goes_with_the_key_that_it_was_for(caller: RegistryCaller) -> None:
    presences = caller.server.registry.presences
    await caller.ask("POST", "/announce", Presence(ALICE.id, "here", 1).encode())
    await ask(caller, change(caller, Action.UPDATE, updated()))
    assert presences.find(ALICE.id) is not None
    await ask(caller, change(caller, Action.ROTATE, rotated()))
    assert presences.find(ALICE.id) is None


async def test_the_facts_of_a_registry(caller: RegistryCaller) -> None:
    facts = registryv1.read_facts((await caller.ask("GET", "/v1/registry")).body)
    assert facts.did == OWN.did
    assert "change" in facts.features
    assert "sync" not in facts.features
    assert facts.limits["presence_ttl_seconds"] == 300
