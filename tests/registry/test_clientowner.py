"""Logs, facts and signed presence: what of them is believed."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from enigma_fed.base.registry_client_errors import (
    IdentityRefused,
    KeysChanged,
    RegistryAnswerBroken,
)
from enigma_fed.base.registry_errors import Unauthorized
from enigma_fed.registry.clienthttp import Answer, direct_session
from enigma_fed.registry.clientplace import Place
from enigma_fed.registry.clientrules import Keys
from enigma_fed.registry.clientstores import ClientStores
from enigma_fed.wire.ownerstatement import Action
from enigma_fed.wire.registrybodies import Presence
from tests.support.registryperson import NOW_MS, At, Wire, at, person
from tests.support.registryserver import registry


async def test_keys_that_their_owner_changed_are_believed_by_who_knew_the_old_ones(tmp_path: Path) -> None:
    async with at(tmp_path) as (alice, caller), direct_session(None) as session:
        own = await alice.registered()
        bob = At(Wire(Place.parse(caller.url), session), ClientStores(tmp_path / "bob"))
        assert (await bob.work.resolve(own.user_id)).keys is Keys.NEW
        await alice.changes.change(alice.own(), Action.ROTATE)
        await alice.changes.change(alice.own(), Action.UPDATE)
        found = await bob.work.resolve(own.user_id)
        assert found.keys is Keys.PROVED
        assert (await bob.work.resolve(own.user_id)).keys is Keys.SAME
        await alice.changes.change(alice.own(), Action.ROTATE)
        bob.wire.tamper = lambda path, answer: Answer(404, b"") if path == "/v1/log" else answer
        with pytest.raises(KeysChanged):
            await bob.work.resolve(own.user_id)


async def test_invariant_12_a_log_that_is_another_than_before_proves_nothing(tmp_path: Path) -> None:
    async with at(tmp_path) as (alice, _), registry() as forger, direct_session(None) as session:
        own = await alice.registered()
        await alice.changes.change(own, Action.ROTATE)
        bob = ClientStores(tmp_path / "bob")
        knows = At(alice.wire, bob)
        await knows.work.resolve(own.user_id)
        assert len(await knows.work.log(own.user_id)) == 2
        # The same URL, but a registry that begins the history anew with keys of its own.
        await forger.register(person().public())
        deceived = At(Wire(Place.parse(forger.url), session), bob)
        with pytest.raises(KeysChanged):
            await deceived.work.resolve(own.user_id)
        with pytest.raises(IdentityRefused, match="does not go on"):
            await deceived.work.log(own.user_id)


@pytest.mark.parametrize("path", ["/v1/registry", "/v1/log", "/v1/change"], ids=["facts", "log", "change"])
async def test_answers_that_break_the_format(tmp_path: Path, path: str) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        here.wire.tamper = lambda asked, answer: Answer(200, b"{}") if asked == path else answer
        with pytest.raises(RegistryAnswerBroken):
            await here.changes.change(own, Action.UPDATE)


async def test_invariant_12_a_log_with_a_forged_entry_is_not_believed(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, caller):
        own = await here.registered()
        await here.changes.change(own, Action.ROTATE)
        store = caller.server.registry.store
        first, second = store.log(own.user_id)
        forged = msgspec.structs.replace(second, signature=bytes(64))
        lies = ((forged,), (first, forged), (second,), (first, second, second), (second, first))
        for entries in lies:
            store.log = lambda user, entries=entries: entries  # type: ignore[method-assign,misc]
            with pytest.raises(IdentityRefused, match="log of changes"):
                await here.owner.log(own.user_id)
        store.log = lambda user: (first, second)  # type: ignore[method-assign]
        assert await here.owner.log(own.user_id) == (first, second)
        other = await here.registered("bob")
        with pytest.raises(IdentityRefused, match="another user"):
            await here.owner.log(other.user_id)


async def test_a_log_that_does_not_open_or_is_of_another(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        own, bob = await here.registered(), await here.registered("bob")

        def broken(path: str, answer: Answer) -> Answer:
            body = json.loads(answer.body)
            if path == "/v1/log":
                body["envelope"]["nonce"] = "00" * 24
            return Answer(answer.status, json.dumps(body).encode())

        here.wire.tamper = broken
        with pytest.raises(IdentityRefused, match="does not open"):
            await here.owner.log(own.user_id)
        other = bob.user_id.hex.encode()
        here.wire.tamper = lambda path, answer: Answer(
            200, answer.body.replace(own.user_id.hex.encode(), other)
        )
        with pytest.raises(IdentityRefused, match="another handle"):
            await here.owner.log(own.user_id)


async def test_presence_is_signed_with_the_keys_that_the_registry_holds(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, caller):
        own = await here.registered()
        presence = Presence(own.user_id, "https://home.example", NOW_MS)
        assert await here.work.announce(presence, own) == (True, 100)
        found = caller.server.registry.presences.find(own.user_id)
        assert found is not None
        assert found.signed
        assert await here.work.announce(presence, None) == (False, 100)
        stranger = person()
        with pytest.raises(Unauthorized, match="--unsigned"):
            await here.work.announce(presence, stranger)
