"""What travels on a stream: the state to go on from, acknowledgements, frames; and their vectors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import cbor, stream, websocket
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState, Have, Unchanged, full_state_to_object
from tests.support import streamvectors
from tests.support.formatvectors import FOLDER

STATE = FullState(
    epoch=bytes(8), started=1, seq=2, ts=3, snapshot=Snapshot(cpu_tenths=4), signature=bytes(64)
)


def rows(name: str, *kinds: str) -> list[Any]:
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(row, id=row["name"]) for row in found if row.get("kind") in kinds]


@pytest.mark.parametrize("name", streamvectors.FILES)
def test_the_vectors_are_what_their_maker_makes(name: str) -> None:
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert json.loads(text) == streamvectors.FILES[name]()
    assert {"ok"} < {row["expect"] for row in json.loads(text)}


@pytest.mark.parametrize("row", rows("stream", "have"))
def test_have_vectors(row: dict[str, Any]) -> None:
    if row["expect"] == "ok":
        assert stream.write_have(stream.read_have(row["input"])) == row["input"]
        return
    with pytest.raises(WireError):
        stream.read_have(row["input"])


@pytest.mark.parametrize("row", rows("stream", "ack"))
def test_ack_vectors(row: dict[str, Any]) -> None:
    message = bytes.fromhex(row["hex"])
    if row["expect"] == "ok":
        assert stream.encode_ack(stream.decode_ack(message)) == message
        return
    with pytest.raises(WireError):
        stream.decode_ack(message)


@pytest.mark.parametrize("row", rows("stream", "frames"))
def test_frame_vectors(row: dict[str, Any]) -> None:
    """Whole or byte by byte, a connection brings the same."""
    data = bytes.fromhex(row["hex"])
    pieces = [data[at : at + 1] for at in range(len(data))]
    if row["expect"] == "ok":
        assert brought([data]) == brought(pieces) != []
        return
    for how in ([data], pieces):
        with pytest.raises(WireError):
            brought(how)


def brought(pieces: list[bytes]) -> list[websocket.Frame]:
    reader = websocket.FrameReader(limits.STREAM_MESSAGE_BYTES)
    return [frame for piece in pieces for frame in reader.feed(piece)]


def test_a_frame_holds_a_full_state() -> None:
    message = cbor.encode(full_state_to_object(STATE, binary=True))
    assert stream.decode_frame(message) == STATE


@pytest.mark.parametrize(
    "message",
    [
        b"",
        cbor.encode(Unchanged().to_object(binary=True)),
        cbor.encode([1]),
        cbor.encode([0] * (limits.BODY_ITEMS + 1)),
        cbor.encode(bytes(limits.REPLY_BYTES)),
    ],
    ids=["nothing", "unchanged", "a list", "too many values", "too long"],
)
def test_anything_else_is_no_frame(message: bytes) -> None:
    with pytest.raises(WireError):
        stream.decode_frame(message)


@given(st.binary(min_size=8, max_size=8), st.integers(0, limits.INTEGER_MAX))
def test_what_is_written_is_read(epoch: bytes, seq: int) -> None:
    assert stream.read_have(stream.write_have(Have(epoch, seq))) == Have(epoch, seq)
    assert stream.decode_ack(stream.encode_ack(seq)) == seq
