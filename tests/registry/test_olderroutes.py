"""The routes of the older generation, where they are switched on."""

from __future__ import annotations

import json

from enigma_fed.registry.settings import PowSettings
from tests.support.registryserver import registry, settings
from tests.support.registryusers import User

ALICE, BOB = User("alice"), User("bob")
IN_CLEAR = b'{"identity":%b}' % ALICE.identity().encode()


async def test_they_are_off_unless_switched_on() -> None:
    async with registry() as caller:
        assert (await caller.ask("POST", "/register", IN_CLEAR)).status == 400
        assert (await caller.ask("GET", f"/resolve/{ALICE.id.hex}")).refusal[:2] == (404, "NOT_FOUND")


async def test_an_older_client_registers_and_resolves_in_clear() -> None:
    async with registry(settings(older_routes=True)) as caller:
        assert (await caller.ask("POST", "/register", IN_CLEAR)).body == b'{"ok":true}'
        found = await caller.ask("GET", f"/resolve/{ALICE.id.hex}")
        assert found.json == json.loads(IN_CLEAR)
        assert (await caller.ask("GET", f"/resolve/{BOB.id.hex}")).body == b'{"identity":null}'
        assert (await caller.ask("GET", "/resolve/short")).refusal == (400, "INVALID_INPUT", "handle")
        assert (await caller.register(ALICE.identity())).status == 200
        assert await caller.resolve(ALICE.id) == ALICE.identity()


async def test_the_rules_of_an_identity_hold_for_older_clients_too() -> None:
    forged = json.loads(IN_CLEAR)
    forged["identity"]["user_id"] = BOB.id.hex
    async with registry(settings(older_routes=True)) as caller:
        refused = await caller.ask("POST", "/register", json.dumps(forged).encode())
        assert refused.refusal == (400, "INVALID_INPUT", "identity.username_hint")


async def test_they_cost_a_proof_of_work_where_the_newer_ones_do() -> None:
    made = settings(older_routes=True, pow=PowSettings(enabled=True, difficulty=1))
    async with registry(made) as caller:
        assert (await caller.ask("GET", f"/resolve/{ALICE.id.hex}")).refusal[1] == "POW_REQUIRED"
