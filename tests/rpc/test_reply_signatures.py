"""Which answers are signed: all after a signature that held, the challenge to a known DID, and no others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.base.errors import OperationFailed
from enigma_fed.identity.signing import verify
from enigma_fed.wire import contentdigest, httpsig, jsonrpc
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.records import TrustLevel
from tests.support.rpcserver import Reply, Server, serving, wire
from tests.support.signedcalls import call_body, fresh_nonce, key, legacy_fields, onion, signed_fields

A, B, STRANGER, GONE = key(1), key(2), key(4), key(5)
GET_STATE, JOIN, INSTALL = "federation.get-state", "federation.peer-joined", "package.install"
_SIGNING_FIELDS = ("Signature", "Signature-Input", "Content-Digest")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with wire() as wires:
        made = Server(wires)
        made.doorkeeper.tokens = {"open"}
        made.doorkeeper.legacy = {A.did}
        made.doorkeeper.tokenless_left = 1
        async with serving(made.endpoint.runner()) as port:
            wires.resolver.ports[str(onion(2))] = port
            yield made


def signed(sender: Any = A, method: str = GET_STATE, **how: Any) -> Callable[[Server], dict[str, Any]]:
    """A call; `created` is relative to now, `params` are its parameters."""

    def make(server: Server) -> dict[str, Any]:
        form = how.get("form", BodyForm.JSON)
        body = how.get("body") or call_body(method, how.get("params"), form)
        fields = signed_fields(
            sender,
            how.get("receiver", B.did),
            how.get("digest_of", body),
            server.clock.wall() + how.get("created", 0),
            challenge=how.get("challenge"),
            form=form,
            nonce=how.get("nonce"),
        )
        fields.update(how.get("fields", {}))
        return {"fields": fields, "body": body, "form": form}

    return make


def bare(body: bytes, **fields: str) -> Callable[[Server], dict[str, Any]]:
    head = {"Content-Type": "application/json", **{n.replace("_", "-"): v for n, v in fields.items()}}
    return lambda server: {"fields": CIMultiDict(head), "body": body, "form": BodyForm.JSON}


def legacy(seconds: float = 0) -> Callable[[Server], dict[str, Any]]:
    def make(server: Server) -> dict[str, Any]:
        text = datetime.fromtimestamp(server.clock.wall() + seconds, UTC).isoformat()
        return {"fields": legacy_fields(A, text), "body": call_body(), "form": BodyForm.JSON}

    return make


def untrusted(server: Server) -> None:
    server.doorkeeper.trust[A.did] = TrustLevel.UNTRUSTED


def trusted(server: Server) -> None:
    server.doorkeeper.trust[A.did] = TrustLevel.TRUSTED


def broken_inside(server: Server) -> None:
    async def fail(*_: object) -> None:
        raise OperationFailed("of the inner life")

    server.doorkeeper.admit = fail  # type: ignore[assignment, method-assign]


def busy(server: Server) -> None:
    server.endpoint._connections.active = limits.REQUESTS_IN_FLIGHT


def full(server: Server) -> None:
    server.endpoint._gate._nonces._per_key = 0


_TOKEN: Mapping[str, object] = MappingProxyType({"token": "open"})
NOTE = b'{"jsonrpc":"2.0","method":"%s"}'
# name: request, status, word (None: no error; "": empty body), signed, what is done before
OUTCOMES: dict[str, tuple[Callable[[Server], dict[str, Any]], int, str | None, bool, Any]] = {
    "a result": (signed(), 200, None, True, None),
    "a result in CBOR": (signed(form=BodyForm.CBOR), 200, None, True, None),
    "a result for itself": (signed(B), 200, None, True, None),
    "a join": (signed(STRANGER, JOIN, params=dict(_TOKEN)), 200, None, True, None),
    "a notification": (signed(body=NOTE % GET_STATE.encode()), 200, "", True, None),
    "a notification that fails": (signed(body=NOTE % b"test.trusted"), 200, "", True, None),
    "not allowed": (signed(), 200, "not-allowed", True, untrusted),
    "not allowed to itself": (signed(B, JOIN), 200, "not-allowed", True, None),
    "unknown peer": (signed(STRANGER), 200, "unknown-peer", True, None),
    "removed": (signed(GONE), 200, "removed", True, None),
    "no such method": (signed(method="no.such"), 200, "method-not-found", True, None),
    "no JSON": (signed(body=b"{"), 200, "parse-error", True, None),
    "no CBOR": (signed(body=b"\xff", form=BodyForm.CBOR), 200, "parse-error", True, None),
    "a batch": (signed(body=b"[]"), 200, "invalid-request", True, None),
    "params that are wrong": (signed(params={"wrong": 1}), 200, "invalid-params", True, None),
    "an inner failure": (signed(), 200, "internal", True, broken_inside),
    "refused": (signed(method=INSTALL, challenge="now"), 200, "refused", True, trusted),
    "an install without a challenge": (signed(method=INSTALL), 401, "stale", True, None),
    "a full table": (signed(), 429, "busy", True, full),
    "a challenge to a member": (signed(created=-999), 401, "stale", True, None),
    "a challenge to a member in CBOR": (signed(created=-999, form=BodyForm.CBOR), 401, "stale", True, None),
    "a challenge to itself": (signed(B, created=-999), 401, "stale", True, None),
    "a challenge to a stranger": (signed(STRANGER, created=-999), 401, "stale", False, None),
    "a challenge to a removed node": (signed(GONE, created=-999), 401, "stale", False, None),
    "too many at once": (signed(), 429, "busy", False, busy),
    "another type": (signed(fields={"Content-Type": "text/plain"}), 415, "unsupported-media", False, None),
    "an encoding": (signed(fields={"Content-Encoding": "gzip"}), 415, "unsupported-media", False, None),
    "too large": (signed(body=bytes(limits.REQUEST_BYTES + 1)), 413, "too-large", False, None),
    "malformed": (signed(fields={"Signature": "x"}), 400, "malformed", False, None),
    "wrong audience": (signed(receiver=A.did), 401, "wrong-audience", False, None),
    "bad challenge": (signed(challenge="x"), 401, "bad-challenge", False, None),
    "bad digest": (signed(digest_of=b"other"), 400, "bad-digest", False, None),
    "bad signature": (signed(fields={"Signature": f"fed=:{'A' * 86}==:"}), 401, "bad-signature", False, None),
    "an unknown token": (signed(STRANGER, JOIN), 401, "unknown-token", False, None),
    "a stranger's bad body": (signed(STRANGER, body=b"{"), 400, "parse-error", False, None),
    "unsigned": (bare(b"{}", Signature="x"), 401, "unsigned", False, None),
    "the old header set": (legacy(), 200, None, False, None),
    "the old header set, stale": (legacy(-999), 401, "stale", False, None),
    "a join without a token": (
        bare(b'{"method":"%s","params":{"did":"%s"}}' % (JOIN.encode(), str(STRANGER.did).encode())),
        200,
        "awaiting-approval",
        False,
        None,
    ),
}


def is_signed(request: dict[str, Any], reply: Reply) -> bool:
    """Whether the reply is B's, of this body and bound to this request; half a signature is an error."""
    present = {name for name in _SIGNING_FIELDS if name in reply.headers}
    if not present:
        return False
    assert present == set(_SIGNING_FIELDS)
    said = httpsig.read_reply(
        reply.headers,
        status=reply.status,
        content_type=request["form"].value,
        request_signature=request["fields"]["Signature"],
    )
    assert said.keyid == B.did.url
    assert contentdigest.matches(said.digest, reply.body)
    return verify(B.did.public_key, said.base, said.signature)


@pytest.mark.parametrize("name", OUTCOMES)
async def test_invariant_11_each_answer_is_signed_or_not(server: Server, name: str) -> None:
    make, status, word, is_to_be_signed, prepare = OUTCOMES[name]
    request = make(server)
    if request["fields"].get("Federation-Challenge") == "now":
        request = await challenged(server)
    if prepare is not None:
        prepare(server)
    reply = await server.send(request["fields"], request["body"])
    assert reply.status == status
    assert ("WWW-Authenticate" in reply.headers) is (status == 401)
    if name != "another type":
        assert reply.headers["Content-Type"] == request["form"].value
    assert said(request["form"], reply.body) == word
    assert is_signed(request, reply) is is_to_be_signed


async def challenged(server: Server) -> dict[str, Any]:
    """An install that answers its challenge."""
    nonce = fresh_nonce()
    first = signed(method=INSTALL, nonce=nonce)(server)
    reply = await server.send(first["fields"], first["body"])
    challenge = jsonrpc.decode_outcome(BodyForm.JSON, reply.body, 1).challenge
    return signed(method=INSTALL, nonce=nonce, challenge=challenge)(server)


def said(form: BodyForm, body: bytes) -> str | None:
    """The word of the error; "" for an empty body, None for a result."""
    return jsonrpc.decode_outcome(form, body, 1).error if body else ""


async def test_what_is_not_for_the_endpoint_is_not_signed(server: Server) -> None:
    request = signed()(server)
    for target, method, status in (
        ("/rpc/v1?a", "POST", 400),
        ("/other", "POST", 404),
        ("/rpc/v1", "PUT", 405),
    ):
        reply = await server.send(request["fields"], request["body"], target=target, method=method)
        assert reply.status == status
        assert not is_signed(request, reply)


async def test_errors_before_the_body_was_read_have_no_id(server: Server) -> None:
    for name, (make, *_) in OUTCOMES.items():
        if name in ("too large", "wrong audience", "bad challenge", "bad digest", "bad signature", "no JSON"):
            request = make(server)
            reply = await server.send(request["fields"], request["body"])
            assert b'"id":null' in reply.body, name
