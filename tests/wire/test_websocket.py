"""The narrow part of RFC 6455 that a publisher speaks, with the library's own reader and writer as oracle."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import WSMsgType
from aiohttp._websocket.reader_py import WebSocketReader
from aiohttp.http_websocket import WebSocketWriter
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from enigma_fed.base.errors import WireError
from enigma_fed.wire import websocket
from enigma_fed.wire.websocket import Frame, FrameReader, Opcode

ASKED = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}


class Queue:
    """Where the library's reader puts messages."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._size, self._limit, self._stalled_reader = 0, 2**30, None

    def feed_data(self, message: Any, size: int) -> None:
        self.messages.append(message)


class Transport:
    """Where the library's writer puts bytes."""

    def __init__(self) -> None:
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return False


def test_the_handshake_of_the_rfc() -> None:
    """RFC 6455 section 1.3."""
    fields = websocket.upgrade_fields("dGhlIHNhbXBsZSBub25jZQ==")
    assert fields["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert fields["Upgrade"] == "websocket"
    assert fields["Connection"] == "Upgrade"


@pytest.mark.parametrize(
    "changes",
    [{}, {"Connection": "keep-alive, upgrade"}, {"Upgrade": "WebSocket"}],
    ids=["plain", "a list", "capitals"],
)
def test_what_asks_for_a_websocket(changes: dict[str, str]) -> None:
    websocket.check_upgrade(CIMultiDict(ASKED | changes))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Connection", "keep-alive"),
        ("Connection", "Upgraded"),
        ("Upgrade", "h2c"),
        ("Upgrade", "websocket, h2c"),
        ("Sec-WebSocket-Version", "8"),
        ("Sec-WebSocket-Version", "13, 8"),
    ],
)
def test_what_asks_for_something_else(name: str, value: str) -> None:
    with pytest.raises(WireError, match=name):
        websocket.check_upgrade(CIMultiDict(ASKED | {name: value}))


@pytest.mark.parametrize("name", ASKED)
def test_each_field_is_there_once(name: str) -> None:
    fields = CIMultiDict(ASKED)
    fields.add(name, ASKED[name])
    with pytest.raises(WireError, match="twice"):
        websocket.check_upgrade(fields)
    del fields[name]
    with pytest.raises(WireError, match=name):
        websocket.check_upgrade(fields)


@pytest.mark.parametrize("size", [0, 125, 126, 2**16 - 1, 2**16, 100_000])
def test_the_library_reads_what_we_write(size: int) -> None:
    queue: Any = Queue()
    reader = WebSocketReader(queue, 2**20, compress=False, decode_text=True)
    reader.feed_data(websocket.encode_frame(Opcode.BINARY, b"x" * size))
    assert [(each.type, bytes(each.data)) for each in queue.messages] == [(WSMsgType.BINARY, b"x" * size)]


def test_the_library_reads_our_close() -> None:
    queue: Any = Queue()
    WebSocketReader(queue, 64, compress=False, decode_text=True).feed_data(websocket.encode_close(4003))
    assert [(each.type, each.data) for each in queue.messages] == [(WSMsgType.CLOSE, 4003)]


@pytest.mark.parametrize("kind", [Opcode.BINARY, Opcode.CLOSE, Opcode.PING])
def test_we_read_what_the_library_writes(kind: Opcode) -> None:
    transport: Any = Transport()
    protocol: Any = None
    writer = WebSocketWriter(protocol, transport, use_mask=True, limit=2**30)
    for payload in (b"", b"some", b"x" * 64):
        asyncio.run(writer.send_frame(payload, kind))
    frames = list(FrameReader(64).feed(transport.sent))
    assert frames == [Frame(kind, payload) for payload in (b"", b"some", b"x" * 64)]


def test_invariant_7_only_whole_frames_of_three_kinds_are_read() -> None:
    """Of all first bytes: a binary message, a ping and a close, each whole and not compressed."""
    taken = set()
    for first in range(256):
        try:
            taken |= {frame.opcode for frame in FrameReader(64).feed(bytes((first, 0x80)) + bytes(4))}
        except WireError:
            continue
        assert first in {0x82, 0x88, 0x89}
    assert taken == {Opcode.BINARY, Opcode.CLOSE, Opcode.PING}


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_a_reader_holds_less_than_one_frame(pieces: list[bytes]) -> None:
    reader = FrameReader(16)
    try:
        for piece in pieces:
            for frame in reader.feed(piece):
                assert len(frame.payload) <= 16
            assert len(reader._held) < 2 + 4 + 16
    except WireError:
        pass
