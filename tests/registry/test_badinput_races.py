"""What a registry does with requests that come at the same moment (docs/REGISTRY.md sections 3, 5 and 6)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from enigma_fed.identity.signing import verify
from enigma_fed.registry.settings import PowSettings
from enigma_fed.registry.store import RegistryStore
from enigma_fed.registry.storememory import MemoryStore
from enigma_fed.registry.storesqlite import SqliteStore
from enigma_fed.wire import ownerchange
from enigma_fed.wire.ownerstatement import Action
from tests.registry.test_http import solved
from tests.registry.test_owners import ALICE, change, rotated, updated
from tests.support.registryserver import RegistryCaller, registry, settings
from tests.support.registryusers import User

TOGETHER = 12


@pytest.fixture(params=["memory", "sqlite"])
async def caller(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RegistryCaller]:
    store: RegistryStore = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "registry")
    async with registry(store=store) as made:
        yield made


async def test_a_name_that_two_want_at_once_goes_to_one(caller: RegistryCaller) -> None:
    """And every answer says to whom: those of the same identity are all told that they have it."""
    one, other = ALICE.identity(), replace(ALICE.identity(), signature=b"another")
    answers = await asyncio.gather(*(caller.register(who) for who in [one, other] * (TOGETHER // 2)))
    statuses = [answer.status for answer in answers]
    assert Counter(statuses) == {200: TOGETHER // 2, 409: TOGETHER // 2}
    winner = one if statuses[0] == 200 else other
    assert set(statuses[::2]) == {statuses[0]}
    assert await caller.resolve(ALICE.id) == winner


async def test_invariant_12_of_changes_at_once_one_is_made(caller: RegistryCaller) -> None:
    assert (await caller.register(ALICE.identity())).status == 200
    bodies = [
        change(caller, Action.UPDATE, updated()),
        change(caller, Action.ROTATE, rotated()),
        change(caller, Action.REVOKE, None),
    ]
    answers = await asyncio.gather(*(caller.ask("POST", "/v1/change", body) for body in bodies * 3))
    made = {answer.body for answer in answers if answer.status == 200}
    assert len(made) == 1
    assert {answer.status for answer in answers} == {200, 409}
    entries = caller.server.registry.store.log(ALICE.id)
    assert len(entries) == 2
    assert ownerchange.check_chain(entries, verify).seq == 1


async def test_invariant_1_of_requests_at_once_a_solved_challenge_opens_one() -> None:
    async with registry(settings(pow=PowSettings(enabled=True, difficulty=4))) as caller:
        made = (await caller.ask("GET", "/pow/challenge")).json
        header = {"x-enigma-pow": solved(made["challenge"], made["difficulty"])}
        paths = [f"/check_user/{User(f'user {number}').id.hex}" for number in range(TOGETHER)]
        answers = await asyncio.gather(*(caller.ask("GET", path, headers=header) for path in paths))
    assert Counter(answer.status for answer in answers) == {200: 1, 400: TOGETHER - 1}
