"""Which error wins when two neighbouring checks fail at once, over HTTP (PROTOCOL section 1.2)."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator

import pytest
from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.wire.records import TrustLevel
from tests.support.rpcserver import Server, serving, wire
from tests.support.signedcalls import call_body, fresh_nonce, key, onion, signed_fields

A, B, STRANGER, GONE = key(1), key(2), key(4), key(5)
JOIN = "federation.peer-joined"
OF_A_MEMBER = {
    "type": (415, "unsupported-media"),
    "size": (413, "too-large"),
    "form": (400, "malformed"),
    "audience": (401, "wrong-audience"),
    "time": (401, "stale"),
    "digest": (400, "bad-digest"),
    "signature": (401, "bad-signature"),
    "nonce": (401, "replayed"),
    "trust": (200, "not-allowed"),
    "body": (200, "parse-error"),
}
OF_A_JOIN = {
    "type": (415, "unsupported-media"),
    "form": (400, "malformed"),
    "own size": (413, "too-large"),
    "audience": (401, "wrong-audience"),
    "time": (401, "stale"),
    "body": (400, "parse-error"),
    "params": (400, "invalid-params"),
    "token": (401, "unknown-token"),
    "digest": (400, "bad-digest"),
    "signature": (401, "bad-signature"),
    "nonce": (401, "replayed"),
}
"""The words and statuses, in the order of the checks."""


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with wire() as wires:
        made = Server(wires)
        made.doorkeeper.tokens = {"open"}
        async with serving(made.endpoint.runner()) as port:
            wires.resolver.ports[str(onion(2))] = port
            yield made


class Fault:
    """A request of one sender, and the faults that are put into it."""

    def __init__(self, server: Server, *, join: bool) -> None:
        self.server = server
        self.join = join
        self.sender = STRANGER if join else A
        self.nonce = fresh_nonce()

    def body(self, faults: set[str]) -> bytes:
        params: dict[str, object] = {"token": "open"} if self.join else {}
        if "token" in faults:
            params["token"] = "unknown"
        if "params" in faults:
            params["wrong"] = 1
        body = b"{" if "body" in faults else call_body(JOIN if self.join else "federation.get-state", params)
        if "own size" in faults:
            body = body.ljust(limits.STRANGER_REQUEST_BYTES + 1)
        return body.ljust(limits.REQUEST_BYTES + 1) if "size" in faults else body

    def fields(self, faults: set[str], body: bytes) -> CIMultiDict[str]:
        receiver = A.did if "audience" in faults else B.did
        created = self.server.clock.wall() - (3600 if "time" in faults else 0)
        signed = b"another body" if "digest" in faults else body
        fields = signed_fields(self.sender, receiver, signed, created, nonce=self.nonce)
        if "signature" in faults:
            fields["Signature"] = signed_fields(GONE, B.did, body, created)["Signature"]
        if "type" in faults:
            fields["Content-Type"] = "text/plain"
        if "form" in faults:
            fields["Signature-Input"] += ";more=1"
        return fields

    async def play(self, *names: str) -> tuple[int, str]:
        faults = set(names)
        if "nonce" in faults:
            plain = self.body(set())
            await self.server.send(self.fields(set(), plain), plain)
        level = TrustLevel.UNTRUSTED if "trust" in faults else TrustLevel.OBSERVER
        self.server.doorkeeper.trust[A.did] = level
        body = self.body(faults)
        reply = await self.server.send(self.fields(faults, body), body)
        said = json.loads(reply.body)
        return reply.status, said["error"]["data"]["code"] if "error" in said else "ok"


@pytest.mark.parametrize("join", [False, True], ids=["member", "join"])
async def test_without_a_fault_it_is_served(server: Server, join: bool) -> None:
    assert await Fault(server, join=join).play() == (200, "ok")


@pytest.mark.parametrize(("first", "second"), [*itertools.pairwise(OF_A_MEMBER)])
async def test_of_a_members_two_faults_the_first_is_told(server: Server, first: str, second: str) -> None:
    assert await Fault(server, join=False).play(first, second) == OF_A_MEMBER[first]
    assert await Fault(server, join=False).play(second) == OF_A_MEMBER[second]


@pytest.mark.parametrize(("first", "second"), [*itertools.pairwise(OF_A_JOIN)])
async def test_of_a_joins_two_faults_the_first_is_told(server: Server, first: str, second: str) -> None:
    assert await Fault(server, join=True).play(first, second) == OF_A_JOIN[first]
    assert await Fault(server, join=True).play(second) == OF_A_JOIN[second]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", call_body("no.such"), b'{"jsonrpc":"2.0","id":1,"method":"a"}']
)
async def test_who_may_nothing_hears_nothing_of_its_body(server: Server, body: bytes) -> None:
    """Trust stands before the body, whatever is wrong with that."""
    server.doorkeeper.trust[A.did] = TrustLevel.UNTRUSTED
    reply = await server.send(signed_fields(A, B.did, body, server.clock.wall()), body)
    assert json.loads(reply.body)["error"]["data"]["code"] == "not-allowed"
