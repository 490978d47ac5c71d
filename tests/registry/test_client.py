"""A registry asked by hand: what is sent, and what of its answers is believed."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from enigma_fed.base.clock import SystemClock
from enigma_fed.base.errors import ConfigError
from enigma_fed.base.registry_client_errors import IdentityRefused, NotOffered, RegistryAnswerBroken
from enigma_fed.base.registry_errors import IdentityConflict, UnknownEnvelopeKey
from enigma_fed.registry import powsolver
from enigma_fed.registry.client import RegistryClient
from enigma_fed.registry.clientcalls import Calls, Patience
from enigma_fed.registry.clienthttp import connected, direct_session
from enigma_fed.registry.clientplace import Place
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registrybodies import Presence
from tests.support.registryperson import NOW_MS, person
from tests.support.smallregistry import PEPPER, SmallRegistry, refusal, said


async def solver(challenge: str, difficulty: int, seconds: float) -> str:
    return await powsolver.solve(challenge, difficulty, seconds=seconds)


@asynccontextmanager
async def asking(registry: SmallRegistry, pepper: bytes | None = PEPPER) -> AsyncIterator[RegistryClient]:
    async with (
        registry.running(),
        connected(Place.parse(registry.url), lambda place: direct_session(None)) as http,
    ):
        calls = Calls(http, SystemClock(), solver, Patience())
        yield RegistryClient(calls, pepper, os.urandom, lambda: NOW_MS)


async def test_what_is_registered_is_found_again() -> None:
    registry, alice = SmallRegistry(), person().public()
    async with asking(registry) as client:
        assert await client.resolve(alice.user_id) is None
        assert not await client.check(alice.user_id)
        await client.register(alice)
        assert await client.resolve(alice.user_id) == alice
        assert await client.check(alice.user_id)
    assert registry.identities[alice.user_id.hex] == alice.encode()


async def test_a_second_owner_of_a_name_is_a_conflict() -> None:
    async with asking(SmallRegistry()) as client:
        await client.register(person().public())
        with pytest.raises(IdentityConflict):
            await client.register(person().public())


async def test_no_name_and_no_secret_leaves_in_clear() -> None:
    registry, own = SmallRegistry(), person("a name that stands out")
    async with asking(registry) as client:
        await client.register(own.public())
        await client.resolve(own.user_id)
    for _, path, _, body in registry.asked:
        assert b"stands out" not in body
        assert own.public().signing_public_key.hex().encode() not in body
        assert "stands" not in path


async def test_work_is_done_where_it_is_asked_for() -> None:
    registry = SmallRegistry(difficulty=6)
    alice = person().public()
    async with asking(registry) as client:
        await client.register(alice)
        assert await client.resolve(alice.user_id) == alice
        assert await client.check(alice.user_id)
    assert "GET /pow/challenge?route=/resolve" in registry.paths()
    assert "GET /pow/challenge?route=/check_user" in registry.paths()


async def test_a_key_that_went_between_two_requests_is_asked_for_anew() -> None:
    registry = SmallRegistry()
    stale = {"kid_hex": "ff" * 8, "x25519_public_key_hex": registry.public_key.hex(), "active": True}
    registry.answers["/envelope_pubkeys"] = [said([stale])]
    async with asking(registry) as client:
        await client.register(person().public())
    assert registry.paths().count("POST /register") == 2


async def test_a_registry_that_knows_none_of_its_own_keys_is_asked_twice_and_no_more() -> None:
    registry = SmallRegistry()
    unknown = refusal(400, "INVALID_INPUT", "invalid input: unknown envelope key")
    registry.always["/register"] = unknown
    async with asking(registry) as client:
        with pytest.raises(UnknownEnvelopeKey):
            await client.register(person().public())
    assert registry.paths().count("POST /register") == 2


async def test_which_key_is_taken() -> None:
    registry = SmallRegistry()

    def key(number: int, active: bool, not_after: int | None = None) -> dict[str, object]:
        return {
            "kid_hex": f"{number:016x}",
            "x25519_public_key_hex": registry.public_key.hex(),
            "active": active,
            "not_after_epoch_ms": not_after,
        }

    for keys, taken in (
        ([key(1, False), key(2, True, NOW_MS - 1), key(3, True), key(4, True)], 3),
        ([key(1, False), key(2, True, NOW_MS - 1)], 2),
        ([key(1, True, NOW_MS + 1), key(2, True)], 1),
        ([key(1, False), key(2, False)], 1),
    ):
        registry.always["/envelope_pubkeys"] = said(keys)
        async with asking(registry) as client:
            assert (await client.sealed(person().public())).kid == taken.to_bytes(8, "big")


async def test_a_registry_with_the_singular_route_alone() -> None:
    registry = SmallRegistry()
    registry.always["/envelope_pubkeys"] = lambda request: web.Response(status=404)
    one = {"kid_hex": registry.kid, "x25519_public_key_hex": registry.public_key.hex(), "active": True}
    registry.always["/envelope_pubkey"] = said(one)
    async with asking(registry) as client:
        await client.register(person().public())
        registry.always["/envelope_pubkey"] = lambda request: web.Response(status=404)
        with pytest.raises(NotOffered, match="/envelope_pubkey"):
            await client.keys()


async def test_no_key_and_keys_that_everybody_opens() -> None:
    registry = SmallRegistry()
    registry.always["/envelope_pubkeys"] = said([])
    async with asking(registry) as client:
        with pytest.raises(RegistryAnswerBroken, match="no envelope key"):
            await client.keys()
        low = {"kid_hex": registry.kid, "x25519_public_key_hex": "00" * 32, "active": True}
        registry.always["/envelope_pubkeys"] = said([low])
        with pytest.raises(RegistryAnswerBroken, match="everybody"):
            await client.register(person().public())


async def test_without_the_pepper_nothing_is_sent() -> None:
    registry = SmallRegistry()
    async with asking(registry, pepper=None) as client:
        with pytest.raises(ConfigError, match="--pepper-file"):
            await client.resolve(person().user_id)
        with pytest.raises(ConfigError, match="--pepper-file"):
            await client.register(person().public())
    assert registry.asked == []


class Liar:
    """Answers /resolve with what a test wants, properly sealed."""

    def __init__(self, registry: SmallRegistry, plain: bytes, **changes: object) -> None:
        self.registry, self.plain, self.changes = registry, plain, changes

    async def answer(self, request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.read())
        handle = asked["handle"]
        requester = bytes.fromhex(asked["requester_ephemeral_pubkey_hex"])
        envelope = self.registry.envelope(handle, requester, self.plain)
        envelope.update({name: value for name, value in self.changes.items() if name in envelope})
        return web.json_response({"handle": self.changes.get("handle", handle), "envelope": envelope})


async def resolved(plain: bytes, pepper: bytes = PEPPER, **changes: object) -> PublicIdentity | None:
    registry = SmallRegistry()
    liar = Liar(registry, plain, **changes)
    async with asking(registry, pepper) as client:
        registry.lies["/resolve"] = liar.answer
        return await client.resolve(person().user_id)


ALICE = person()
OTHER = person("bob")


async def test_a_liar_that_does_not_lie_is_believed() -> None:
    assert await resolved(ALICE.public().encode()) == ALICE.public()


def with_members(identity: PublicIdentity, **changes: object) -> bytes:
    return json.dumps({**json.loads(identity.encode()), **changes}, separators=(",", ":")).encode()


LIES = {
    "another user": OTHER.public().encode(),
    "no identity": b"{}",
    "no JSON": b"\xff",
    "nothing": b"",
    "too large": b" " * 40_000,
    "another name": with_members(ALICE.public(), username_hint="bob"),
    "another encryption key": with_members(ALICE.public(), encryption_public_key=[1] * 32),
    "another signing key": with_members(ALICE.public(), signing_public_key=[1] * 32),
    "a bundle of another user": with_members(ALICE.public(), signature=list(OTHER.public().signature)),
    "no keys": with_members(ALICE.public(), signing_public_key=[]),
}


@pytest.mark.parametrize("plain", LIES.values(), ids=LIES.keys())
async def test_invariant_12_what_an_envelope_may_not_hold(plain: bytes) -> None:
    with pytest.raises(IdentityRefused, match="its envelope holds"):
        await resolved(plain)


async def test_keys_of_any_length_are_an_identity() -> None:
    plain = with_members(ALICE.public(), signing_public_key=[1], encryption_public_key=[2, 3], signature=[4])
    found = await resolved(plain)
    assert found is not None
    assert found.signing_public_key == b"\x01"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"nonce": "00" * 24}, "does not open"),
        ({"sender_pubkey": "09" * 32}, "does not open"),
        ({"sender_pubkey": "00" * 32}, "does not open"),
        ({"ciphertext": "AAAAAAAAAAAAAAAAAAAAAA=="}, "does not open"),
        ({"kid": "ff" * 8}, "does not advertise"),
        ({"handle": "00" * 32}, "another handle"),
    ],
)
async def test_invariant_12_envelopes_that_do_not_hold(changes: dict[str, object], why: str) -> None:
    with pytest.raises(IdentityRefused, match=why):
        await resolved(ALICE.public().encode(), **changes)


async def test_another_pepper_opens_nothing() -> None:
    with pytest.raises(IdentityRefused, match="--pepper-file"):
        await resolved(ALICE.public().encode(), pepper=b"\x07" * 32)


@pytest.mark.parametrize(
    "body", [[], {"handle": 1}, {"envelope": None}, {"handle": "x", "envelope": None}, "x"]
)
async def test_answers_that_break_the_format(body: object) -> None:
    registry = SmallRegistry()
    registry.always["/resolve"] = said(body)
    async with asking(registry) as client:
        with pytest.raises(RegistryAnswerBroken):
            await client.resolve(ALICE.user_id)


async def test_strict_replies_of_the_others() -> None:
    registry = SmallRegistry()
    wrong = said({"ok": True, "exists": True, "merged": 1, "nodes": []})
    registry.always = dict.fromkeys(("/announce", f"/check_user/{ALICE.user_id.hex}", "/nodes"), wrong)
    async with asking(registry) as client:
        for work in (
            client.announce(Presence(ALICE.user_id, "local", 1)),
            client.check(ALICE.user_id),
            client.nodes(),
            client.add_nodes(["https://a.example"]),
        ):
            with pytest.raises(RegistryAnswerBroken):
                await work


async def test_announcing() -> None:
    registry = SmallRegistry()
    async with asking(registry) as client:
        assert await client.announce(Presence(ALICE.user_id, "https://a.example", 5)) == 150
    assert registry.presences[ALICE.user_id.hex]["addr"] == "https://a.example"


async def test_nodes() -> None:
    registry = SmallRegistry(nodes=["https://a.example"])
    async with asking(registry) as client:
        assert await client.add_nodes(["https://a.example", "https://b.example"]) == 1
        assert await client.nodes() == ("https://a.example", "https://b.example")
