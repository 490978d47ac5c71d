"""Update, rotate and revoke at a registry of this program, also when answers get lost or lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from enigma_fed.base.errors import Conflict
from enigma_fed.base.registry_client_errors import (
    HandleTaken,
    IdentityRefused,
    KeysChanged,
    NotOffered,
    NotRegistered,
    RegistryBusy,
    RegistryUnreachable,
)
from enigma_fed.registry.clienthttp import Answer, direct_session
from enigma_fed.registry.clientplace import Place
from enigma_fed.wire.ownerstatement import Action
from enigma_fed.wire.registrybodies import Presence
from enigma_fed.wire.userid import UserId
from tests.support.registryperson import NOW_MS, URL, At, Wire, at, person
from tests.support.registryserver import registry


async def test_update_keeps_the_signing_key(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        assert await here.changes.change(own, Action.UPDATE) is not None
        own = here.own()
        assert [keys.prekey_id for keys in own.keys] == [2, 1]
        assert own.keys[0].signing_seed == own.keys[1].signing_seed
        assert await here.held() == own.public().digest
        noted = own.registered_at(URL)
        assert noted is not None
        assert noted.identity == own.public().digest


async def test_rotate_changes_it_and_the_old_one_counts_no_more(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        first = await here.registered()
        await here.changes.change(first, Action.ROTATE)
        second = here.own()
        assert second.keys[0].signing_seed != second.keys[1].signing_seed
        assert await here.held() == second.public().digest
        await here.changes.change(second, Action.UPDATE)
        assert await here.held() == here.own().public().digest
        entries = await here.work.log(first.user_id)
        assert [entry.action for entry in entries] == [Action.REGISTER, Action.ROTATE, Action.UPDATE]


async def test_revoke_is_for_good(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        assert await here.changes.change(own, Action.REVOKE) is not None
        assert await here.held() is None
        assert here.own().registrations == ()
        assert await here.changes.change(here.own(), Action.REVOKE) is None
        for action in (Action.UPDATE, Action.ROTATE):
            with pytest.raises(HandleTaken, match="for good"):
                await here.changes.change(here.own(), action)
        with pytest.raises(HandleTaken, match="revoked"):
            await here.work.register(here.own())


async def test_a_revocation_whose_answer_gets_lost(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        here.wire.lost = 1
        assert await here.changes.change(own, Action.REVOKE) is not None
        assert await here.held() is None


@pytest.mark.parametrize("action", [Action.UPDATE, Action.ROTATE])
async def test_a_lost_answer_is_made_up_for_within_the_command(tmp_path: Path, action: Action) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        here.wire.lost = 1
        assert await here.changes.change(own, action) is not None
        assert len(here.own().keys) == 2
        assert await here.held() == here.own().public().digest


@pytest.mark.parametrize("action", [Action.UPDATE, Action.ROTATE])
async def test_a_command_whose_answers_all_get_lost_is_repeated_and_makes_no_more_keys(
    tmp_path: Path, action: Action
) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        here.wire.lost = 100
        with pytest.raises(RegistryUnreachable):
            await here.changes.change(own, action)
        here.wire.lost = 0
        assert len(here.own().keys) == 2
        assert await here.changes.change(here.own(), action) is None  # it had arrived
        assert len(here.own().keys) == 2
        assert await here.held() == here.own().public().digest
        assert await here.changes.change(here.own(), action) is not None
        assert len(here.own().keys) == 3


@pytest.mark.parametrize("action", [Action.UPDATE, Action.ROTATE])
async def test_a_command_that_never_arrived_is_repeated_with_the_same_keys(
    tmp_path: Path, action: Action
) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()

        def cut(path: str) -> None:
            if path == "/v1/change":
                raise RegistryUnreachable("no way")

        here.wire.before = cut
        with pytest.raises(RegistryUnreachable):
            await here.changes.change(own, action)
        here.wire.before = lambda path: None
        kept = here.own()
        assert len(kept.keys) == 2
        assert await here.held() == own.public().digest
        assert await here.changes.change(kept, action) is not None
        assert here.own().keys == kept.keys
        assert await here.held() == kept.public().digest


async def test_invariant_8_new_keys_are_on_the_disk_before_the_registry_hears_of_them(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        seen: list[int] = []
        here.wire.before = lambda path: seen.append(len(here.own().keys)) if path == "/v1/change" else None
        await here.changes.change(own, Action.ROTATE)
        assert seen == [2]


async def test_a_second_registry_gets_the_newest_keys(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _), registry() as other:
        own = await here.registered()
        async with direct_session(None) as session:
            there = At(Wire(Place.parse(other.url), session), here.stores)
            there.work.url = "https://b.example"
            there.stores.learn(lambda known: known)
            await there.work.register(own)
            await here.changes.change(here.own(), Action.ROTATE)
            with pytest.raises(Conflict, match="registry rotate NAME"):
                await there.changes.change(there.own(), Action.UPDATE)
            await there.changes.change(there.own(), Action.ROTATE)
            assert len(there.own().keys) == 2
            assert await there.held() == there.own().public().digest
            await here.changes.change(here.own(), Action.UPDATE)
            await there.changes.change(there.own(), Action.UPDATE)
            assert len(there.own().keys) == 3
            assert await there.held() == there.own().public().digest


async def test_somebody_elses_name(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, caller):
        await caller.register(person().public())
        with here.stores.locked():
            here.stores.create(person())
        for action in (Action.UPDATE, Action.ROTATE, Action.REVOKE):
            with pytest.raises(HandleTaken, match="not of this identity"):
                await here.changes.change(here.own(), action)
        assert len(here.own().keys) == 1


async def test_a_name_that_is_not_registered(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        with here.stores.locked():
            here.stores.create(person())
        with pytest.raises(NotRegistered, match="registry register NAME"):
            await here.changes.change(here.own(), Action.UPDATE)
        with pytest.raises(NotRegistered):
            await here.work.log(UserId.of("alice"))


async def test_a_registry_of_the_first_generation(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        here.wire.tamper = lambda path, answer: Answer(404, b"") if path.startswith("/v1/") else answer
        with pytest.raises(NotOffered, match="no changes"):
            await here.changes.change(own, Action.UPDATE)
        with pytest.raises(NotOffered, match="/v1/log"):
            await here.work.log(own.user_id)
        assert await here.work.announce(Presence(own.user_id, "local", NOW_MS), own) == (False, 100)


async def test_invariant_12_a_registry_that_says_to_be_another_than_before(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        await here.changes.change(own, Action.UPDATE)
        other = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"

        def lie(path: str, answer: Answer) -> Answer:
            if path != "/v1/registry":
                return answer
            return Answer(200, json.dumps({**json.loads(answer.body), "did": other}).encode())

        here.wire.tamper = lie
        with pytest.raises(KeysChanged, match="--accept-new-registry"):
            await here.changes.change(here.own(), Action.UPDATE)
        # What is signed for another registry is of no use to this one, and its log says whose it is.
        with pytest.raises(IdentityRefused, match="another registry"):
            await here.changes.change(here.own(), Action.UPDATE, accept_did=True)


async def test_a_change_that_was_acknowledged_and_not_made(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        real = here.wire.ask

        async def swallow(
            method: str, path: str, body: bytes | None = None, fields: Mapping[str, str] | None = None
        ) -> Answer:
            if path == "/v1/change":
                return Answer(200, json.dumps({"seq": 1, "head": "00" * 32}).encode())
            return await real(method, path, body, fields)

        here.wire.ask = swallow  # type: ignore[method-assign]
        with pytest.raises(RegistryBusy, match="another change"):
            await here.changes.change(own, Action.UPDATE)
        here.wire.ask = real  # type: ignore[method-assign]
        here.wire.tamper = lambda path, answer: (
            Answer(200, json.dumps({"seq": 1, "head": "00" * 32}).encode())
            if path == "/v1/change"
            else answer
        )
        with pytest.raises(IdentityRefused, match="acknowledged"):
            await here.changes.change(here.own(), Action.UPDATE)


async def test_who_loses_the_race_is_told(tmp_path: Path) -> None:
    async with at(tmp_path) as (here, _):
        own = await here.registered()
        raced = False

        async def race(
            method: str, path: str, body: bytes | None = None, fields: Mapping[str, str] | None = None
        ) -> Answer:
            nonlocal raced
            if path == "/v1/change" and not raced:
                raced = True
                await here.changes.change(here.own(), Action.ROTATE)
            return await Wire.ask(here.wire, method, path, body, fields)

        here.wire.ask = race  # type: ignore[method-assign]
        with pytest.raises(RegistryBusy, match="came between"):
            await here.changes.change(own, Action.UPDATE)
        own, raced = here.own(), True
        await here.changes.change(own, Action.UPDATE)
        assert await here.held() == here.own().public().digest
