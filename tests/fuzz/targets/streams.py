"""Streams: the fields that open one, the messages on it, and the frames of WebSocket below them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.rpc_errors import Unsigned
from enigma_fed.wire import cbor, stream, streamsig, websocket
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState, Have, full_state_to_object
from tests.fuzz.target import REFUSED, Form, Target, attempt, header_text, to_bytes
from tests.fuzz.targets.identifiers import VECTORS
from tests.fuzz.targets.signatures import assert_parameters, from_fields, to_fields

_ASKED: Final = "fed=:AA==:"


def stream_request(data: bytes) -> bool:
    """The base of a stream's signature has a line for each component, and one for the parameters."""
    fields = to_fields(data)
    request = attempt(lambda: streamsig.read_request(fields), WireError, Unsigned)
    if not isinstance(request, streamsig.StreamRequest):
        return False
    signed = request.signed
    lines = signed.base.decode("ascii").split("\n")
    assert len(lines) == 5 + (request.have is not None) + (signed.challenge is not None)
    assert {'"@method": GET', '"@path": /rpc/v1/stream', f'"sec-websocket-key": {request.key}'} < set(lines)
    assert_parameters(lines[-1])
    assert len(request.key) == 24
    assert 0 < signed.expires - signed.created <= limits.SIGNATURE_LIFETIME
    return True


def stream_opening(data: bytes) -> bool:
    """The base of a `101`'s signature names the epoch and the request that it answers."""
    fields = to_fields(data)
    opening = attempt(lambda: streamsig.read_opening(fields, request_signature=_ASKED), WireError, Unsigned)
    if not isinstance(opening, streamsig.StreamOpening):
        return False
    lines = opening.signed.base.decode("ascii").split("\n")
    assert len(lines) == 4
    said = {'"@status": 101', f'"federation-epoch": {opening.epoch.hex()}', f'"signature";req: {_ASKED}'}
    assert said < set(lines)
    assert_parameters(lines[-1])
    return True


def stream_have(data: bytes) -> bool:
    """There is one text for each state to go on from."""
    text = header_text(data)
    have = attempt(lambda: stream.read_have(text), WireError)
    if not isinstance(have, Have):
        return False
    assert stream.write_have(have) == text
    assert len(have.epoch) == 8
    assert 0 <= have.seq <= limits.INTEGER_MAX
    return True


def stream_ack(data: bytes) -> bool:
    """There is one message for each number."""
    seq = attempt(lambda: stream.decode_ack(data), WireError)
    if not isinstance(seq, int):
        return False
    assert stream.encode_ack(seq) == data
    return True


def stream_frame(data: bytes) -> bool:
    """A frame of the publisher is read, or refused as malformed."""
    answer = attempt(lambda: stream.decode_frame(data), WireError)
    return answer is not REFUSED


def websocket_frames(data: bytes) -> bool:
    """What a connection brings does not depend on where it is cut, and no frame is longer than allowed."""
    whole = _brought([data])
    assert whole == _brought([data[at : at + 1] for at in range(len(data))])
    assert all(len(frame.payload) <= limits.STREAM_MESSAGE_BYTES for frame in whole[0])
    return whole[1] and bool(whole[0])


def websocket_upgrade(data: bytes) -> bool:
    """What asks for a WebSocket says so in three fields."""
    fields = to_fields(data)
    if attempt(lambda: websocket.check_upgrade(fields) or True, WireError) is not True:
        return False
    assert fields["Sec-WebSocket-Version"] == "13"
    assert "upgrade" in fields["Connection"].lower()
    return True


def _brought(pieces: list[bytes]) -> tuple[list[websocket.Frame], bool]:
    """The frames before the first that is refused, and whether none is."""
    reader = websocket.FrameReader(limits.STREAM_MESSAGE_BYTES)
    frames: list[websocket.Frame] = []
    try:
        for piece in pieces:
            frames += reader.feed(piece)
    except WireError:
        return frames, False
    return frames, True


def _signed(member: str) -> Iterable[bytes]:
    rows = json.loads((VECTORS / "streamsig.json").read_text(encoding="utf-8"))
    return sorted({from_fields(row[member]) for row in rows if member in row}, key=len)


def _messages(kind: str) -> Iterable[bytes]:
    rows = json.loads((VECTORS / "stream.json").read_text(encoding="utf-8"))
    said = [row for row in rows if row["kind"] == kind]
    return [bytes.fromhex(row["hex"]) if "hex" in row else to_bytes(row["input"]) for row in said]


def _frames() -> Iterable[bytes]:
    state = FullState(
        epoch=bytes(8), started=1, seq=2, ts=3, snapshot=Snapshot(cpu_tenths=4), signature=bytes(64)
    )
    yield cbor.encode(full_state_to_object(state, binary=True))
    yield cbor.encode({"unchanged": True})
    yield b""


def _upgrades() -> Iterable[bytes]:
    asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    yield from_fields(asked.items())
    yield from_fields(CIMultiDict({**asked, "Upgrade": "h2c"}).items())
    yield from_fields([*asked.items(), ("Upgrade", "websocket")])


TARGETS: Final = (
    Target("stream-request", stream_request, lambda: _signed("headers")),
    Target("stream-opening", stream_opening, lambda: _signed("opening")),
    Target("stream-have", stream_have, lambda: _messages("have"), longest=64),
    Target("stream-ack", stream_ack, lambda: _messages("ack"), Form.CBOR, longest=80),
    Target("stream-frame", stream_frame, _frames, Form.CBOR),
    Target("websocket-frames", websocket_frames, lambda: _messages("frames"), longest=600),
    Target("websocket-upgrade", websocket_upgrade, _upgrades, longest=400),
)
