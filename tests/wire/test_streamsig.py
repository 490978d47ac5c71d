"""The signatures of streams: vectors played to a gate, and nothing that passes as something else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from enigma_fed.base.errors import WireError
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import Unsigned
from enigma_fed.identity.signing import verify
from enigma_fed.wire import httpsig, streamsig
from enigma_fed.wire.state import Have
from tests.support.formatvectors import FOLDER
from tests.support.identities import key as vector_key
from tests.support.manualclock import ManualClock
from tests.support.signedcalls import FakeDoorkeeper, Receiver, call_body, key, signed_fields
from tests.support.streamcalls import play_stream, stream_fields

VECTORS = json.loads((FOLDER / "streamsig.json").read_text(encoding="utf-8"))
WALL = 1_800_000_000
A, B = key(1), key(2)


@pytest.mark.parametrize("row", [row for row in VECTORS if "headers" in row], ids=lambda row: row["name"])
def test_request_vectors(row: dict[str, Any]) -> None:
    """Each at a node past its first three minutes."""
    owner = vector_key(3)
    assert str(owner.did) == row["receiver"]
    doorkeeper = FakeDoorkeeper(owner.did, [Did.parse(text) for text in row["members"]])
    node = Receiver(owner, doorkeeper, ManualClock(wall=row["wall"] - 180))
    node.clock.advance(180)
    answer = play_stream(node, CIMultiDict((name, value) for name, value in row["headers"]))
    assert answer == ("passes" if row["expect"] == "ok" else row["expect"])


@pytest.mark.parametrize("row", [row for row in VECTORS if "opening" in row], ids=lambda row: row["name"])
def test_opening_vectors(row: dict[str, Any]) -> None:
    fields = CIMultiDict((name, value) for name, value in row["opening"])
    errors = {"malformed": WireError, "unsigned": Unsigned}
    if row["expect"] in errors:
        with pytest.raises(errors[row["expect"]]):
            streamsig.read_opening(fields, request_signature=row["request_signature"])
        return
    opening = streamsig.read_opening(fields, request_signature=row["request_signature"])
    held = verify(Did.parse(row["publisher"]).public_key, opening.signed.base, opening.signed.signature)
    assert held == (row["expect"] == "ok")
    assert not held or opening.epoch.hex() == row["epoch"]


@pytest.mark.parametrize("have", [None, Have(bytes(8), 7)])
@pytest.mark.parametrize("challenge", [None, "abc"])
def test_what_is_signed_is_read(have: Have | None, challenge: str | None) -> None:
    fields = stream_fields(A, B.did, WALL, have=have, challenge=challenge)
    request = streamsig.read_request(fields)
    assert request.have == have
    assert request.key == fields["Sec-WebSocket-Key"]
    assert (request.signed.challenge, request.signed.digest) == (challenge, "")
    assert verify(A.did.public_key, request.signed.base, request.signed.signature)


def test_invariant_2_no_call_verifies_as_a_stream_and_no_stream_as_a_call() -> None:
    call = signed_fields(A, B.did, call_body(), WALL)
    call["Sec-WebSocket-Key"] = stream_fields(A, B.did, WALL)["Sec-WebSocket-Key"]
    with pytest.raises(WireError, match="cover"):
        streamsig.read_request(call)
    stream = stream_fields(A, B.did, WALL)
    for name in ("Content-Type", "Content-Digest"):
        stream[name] = call[name]
    with pytest.raises(WireError, match="cover"):
        httpsig.read_request(stream, "application/json")


def test_invariant_2_method_and_path_of_a_stream_are_no_calls() -> None:
    base = streamsig.read_request(stream_fields(A, B.did, WALL)).signed.base.decode()
    assert base.startswith('"@method": GET\n"@path": /rpc/v1/stream\n')


@pytest.mark.parametrize("left_out", ["@method", "@path", "sec-websocket-key"])
def test_invariant_2_a_stream_that_covers_less_is_refused(left_out: str) -> None:
    fields = stream_fields(A, B.did, WALL)
    covered = {
        "@method": "GET",
        "@path": "/rpc/v1/stream",
        "sec-websocket-key": fields["Sec-WebSocket-Key"],
        "federation-audience": str(B.did),
    }
    del covered[left_out]
    quoted = {f'"{name}"': value for name, value in covered.items()}
    said = {"created": WALL, "nonce": "n" * 22, "challenge": None}
    fields.update(httpsig.sign_covered(A.sign, quoted, keyid=A.did.url, **said))  # type: ignore[arg-type]
    with pytest.raises(WireError, match="cover"):
        streamsig.read_request(fields)


def test_invariant_11_no_reply_to_a_call_opens_a_stream_and_no_opening_answers_a_call() -> None:
    request = stream_fields(A, B.did, WALL)["Signature"]
    reply = CIMultiDict(
        httpsig.sign_reply(
            B.sign,
            keyid=B.did.url,
            status=101,
            content_type="application/json",
            body=b"",
            request_signature=request,
            created=WALL,
        )
    )
    reply["Federation-Epoch"] = "00" * 8
    with pytest.raises(WireError, match="cover"):
        streamsig.read_opening(reply, request_signature=request)
    opening = CIMultiDict(
        streamsig.sign_opening(
            B.sign, keyid=B.did.url, epoch=bytes(8), request_signature=request, created=WALL
        )
    )
    for name in ("Content-Type", "Content-Digest"):
        opening[name] = reply[name]
    with pytest.raises(WireError, match="cover"):
        httpsig.read_reply(opening, status=101, content_type="application/json", request_signature=request)
