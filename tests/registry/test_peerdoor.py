"""Who is a peer: signed for this registry and route, fresh, and once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from enigma_fed.base import limits, registry_limits
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.identity.signing import verify
from enigma_fed.wire import contentdigest, httpsig, registryv1
from enigma_fed.wire.registrybodies import SyncRequest
from tests.support.registryserver import OWN, Answer, RegistryCaller, registry, settings
from tests.support.registryusers import User
from tests.support.signedcalls import fresh_nonce, key

PEER, STRANGER = key(1), key(2)
ALICE, BOB = User("alice"), User("bob")
BODY = SyncRequest((ALICE.identity(),)).encode()


@pytest.fixture
async def caller() -> AsyncIterator[RegistryCaller]:
    async with registry(settings(allow_sync=True, peers=(PEER.did,))) as made:
        made.clock.advance(60)
        yield made


def signed(
    caller: RegistryCaller, to: str, body: bytes, sender: NodeKey = PEER, **how: Any
) -> dict[str, str]:
    """The fields of a request that a peer signs now."""
    digest = contentdigest.of(body)
    audience = str(how.get("audience", OWN.did))
    covered = {
        '"@method"': "POST",
        '"@path"': how.get("path", to),
        '"content-type"': "application/json",
        '"content-digest"': digest,
        httpsig.AUDIENCE_COMPONENT: audience,
    }
    fields = httpsig.sign_covered(
        sender.sign,
        covered,
        keyid=sender.did.url,
        created=int(how.get("created", caller.clock.wall())),
        nonce=how.get("nonce") or fresh_nonce(),
        challenge=how.get("challenge"),
    )
    return {httpsig.CONTENT_DIGEST: digest, httpsig.AUDIENCE: audience, **fields}


async def post(caller: RegistryCaller, path: str, body: bytes, fields: dict[str, str]) -> Answer:
    return await caller.ask("POST", path, body, fields)


async def test_a_peers_signature_opens_sync(caller: RegistryCaller) -> None:
    answer = await post(caller, "/sync", BODY, signed(caller, "/sync", BODY))
    assert (answer.status, answer.body) == (200, b'{"merged":1}')
    assert await caller.resolve(ALICE.id) == ALICE.identity()


async def test_invariant_1_a_request_is_taken_once(caller: RegistryCaller) -> None:
    fields = signed(caller, "/sync", BODY)
    statuses = [(await post(caller, "/sync", BODY, fields)).status for _ in range(2)]
    assert statuses == [200, 401]


@pytest.mark.parametrize(
    "how",
    [
        {"sender": STRANGER},
        {"audience": key(3).did},
        {"path": "/v1/presence"},
        {"created": 1_800_000_000 + 60 - limits.FRESHNESS_WINDOW - 1},
        {"created": 1_800_000_000 + 60 + registry_limits.PEER_CLOCK_AHEAD + 1},
        {"challenge": "made-up"},
    ],
    ids=["no peer", "for another registry", "for another route", "stale", "of a time to come", "challenge"],
)
async def test_invariant_1_what_is_not_for_here_and_now_is_refused(
    caller: RegistryCaller, how: dict[str, Any]
) -> None:
    answer = await post(caller, "/sync", BODY, signed(caller, "/sync", BODY, **how))
    assert answer.refusal == (401, "UNAUTHORIZED", None)
    assert answer.headers["WWW-Authenticate"] == "EnigmaFed"


async def test_invariant_1_a_signature_is_for_its_own_body(caller: RegistryCaller) -> None:
    other = SyncRequest((BOB.identity(),)).encode()
    assert (await post(caller, "/sync", other, signed(caller, "/sync", BODY))).status == 401
    fields = signed(caller, "/sync", BODY) | {httpsig.CONTENT_DIGEST: contentdigest.of(other)}
    assert (await post(caller, "/sync", other, fields)).status == 401


async def test_invariant_1_without_a_signature_sync_is_refused_whatever_it_brings(
    caller: RegistryCaller,
) -> None:
    for body in (BODY, b"nonsense"):
        assert (await post(caller, "/sync", body, {})).status == 401


async def test_sync_is_off_unless_it_is_switched_on() -> None:
    async with registry(settings(peers=(PEER.did,))) as caller:
        caller.clock.advance(60)
        assert (await post(caller, "/sync", BODY, signed(caller, "/sync", BODY))).status == 401


async def test_nodes_are_added_by_peers_or_where_it_is_open(caller: RegistryCaller) -> None:
    body = json.dumps({"nodes": [{"base_url": "https://Example.org:443/"}]}).encode()
    assert (await post(caller, "/nodes", body, {})).status == 401
    assert (await post(caller, "/nodes", body, signed(caller, "/nodes", body))).body == b'{"merged":1}'
    listed = await caller.ask("GET", "/nodes")
    assert listed.json == {"nodes": [{"base_url": "https://example.org"}]}
    async with registry(settings(nodes_open=True)) as open_one:
        assert (await post(open_one, "/nodes", body, {})).body == b'{"merged":1}'


async def test_invariant_1_what_was_signed_around_our_start_is_not_taken() -> None:
    """Captured before a restart it would be fresh, and nobody remembers its nonce."""
    ahead = registry_limits.PEER_CLOCK_AHEAD
    async with registry(settings(allow_sync=True, peers=(PEER.did,))) as caller:
        fields = signed(caller, "/sync", BODY, created=caller.clock.wall() + ahead)
        early = await post(caller, "/sync", BODY, fields)
        assert early.refusal[:2] == (503, "UNAVAILABLE")
        assert int(early.headers["Retry-After"]) >= 1
        caller.clock.advance(ahead)
        assert (await post(caller, "/sync", BODY, fields)).status == 503
        caller.clock.advance(1)
        assert (await post(caller, "/sync", BODY, signed(caller, "/sync", BODY))).status == 200


async def test_invariant_1_a_clock_that_is_set_back_makes_nothing_fresh_again(caller: RegistryCaller) -> None:
    fields = signed(caller, "/sync", BODY)
    assert (await post(caller, "/sync", BODY, fields)).status == 200
    caller.clock.advance(limits.NONCE_MEMORY + 1)
    assert (await post(caller, "/sync", BODY, signed(caller, "/sync", BODY))).status == 200
    caller.clock.step_wall(-limits.NONCE_MEMORY - 1)
    assert (await post(caller, "/sync", BODY, fields)).status == 401


async def test_a_peer_that_asks_too_often_is_told_when_to_come_back(caller: RegistryCaller) -> None:
    nonces = caller.server.peers.nonces
    for number in range(limits.NONCES_PER_KEY):
        nonces.use(PEER.did.public_key, f"used-{number}", until=10**9, now=0)
    answer = await post(caller, "/sync", BODY, signed(caller, "/sync", BODY))
    assert answer.refusal[:2] == (503, "UNAVAILABLE")
    assert answer.headers["Retry-After"] == str(registry_limits.PEER_BUSY_PAUSE)


async def test_invariant_1_presence_is_told_to_peers_and_signed_for_them(caller: RegistryCaller) -> None:
    await caller.register(ALICE.identity())
    announced = json.dumps({"user_id": ALICE.id.hex, "addr": "here", "ts_ms": 5}).encode()
    await caller.ask("POST", "/announce", announced)
    body = registryv1.PresenceQuery(ALICE.id).encode()
    assert (await post(caller, "/v1/presence", body, {})).status == 401
    fields = signed(caller, "/v1/presence", body)
    answer = await post(caller, "/v1/presence", body, fields)
    view = registryv1.read_presence(answer.body)
    assert view is not None
    assert (view.address, view.ts_ms, view.signed) == ("here", 5, False)
    reply = httpsig.read_reply(
        answer.headers,  # type: ignore[arg-type]
        status=200,
        content_type="application/json",
        request_signature=fields[httpsig.SIGNATURE],
    )
    assert contentdigest.matches(reply.digest, answer.body)
    assert verify(OWN.did.public_key, reply.base, reply.signature)
    nobody = registryv1.PresenceQuery(BOB.id).encode()
    found = await post(caller, "/v1/presence", nobody, signed(caller, "/v1/presence", nobody))
    assert found.body == b'{"presence":null}'
