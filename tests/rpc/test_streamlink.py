"""One connection below the rules: what waits, how it says goodbye, and when it stops listening."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.rpc.streamlink import StreamLink
from enigma_fed.wire.stream import CloseCode
from enigma_fed.wire.websocket import Frame, Opcode, encode_close, encode_frame
from tests.support.streams import masked

LITTLE = 4096
GOODBYE = masked(Opcode.CLOSE, b"\x03\xe8")


class Transport:
    """Keeps what is written; `stuck` bytes wait to be sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.stuck = 0
        self.aborted = False

    def write(self, data: bytes) -> None:
        assert not self.aborted
        self.sent.append(data)

    def get_write_buffer_size(self) -> int:
        return self.stuck

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Rules:
    """A subscription that notes what it is told, and refuses the payload `no`."""

    def __init__(self, link: StreamLink) -> None:
        self.link = link
        self.told: list[object] = []

    def opened(self) -> None:
        self.told.append("opened")

    def took(self, frame: Frame) -> None:
        if frame.payload == b"no":
            raise WireError("no")
        self.told.append(frame.payload)

    def end(self, code: CloseCode) -> None:
        self.told.append(code)
        self.link.close(code)

    def lost(self) -> None:
        self.told.append("lost")


class Scene:
    """A link that is being served."""

    def __init__(self) -> None:
        self.transport = Transport()
        transport: Any = self.transport
        self.link = StreamLink(transport)
        self.rules = Rules(self.link)
        self.serving = asyncio.create_task(self.link.serve(self.rules))

    async def begun(self) -> Scene:
        await asyncio.sleep(0)
        return self

    async def over(self) -> None:
        async with asyncio.timeout(10):
            await self.serving


@pytest.fixture
async def scene() -> Scene:
    return await Scene().begun()


async def test_nothing_is_ready_before_it_serves_and_while_older_bytes_wait() -> None:
    made = Scene()
    assert not made.link.ready
    await made.begun()
    assert made.rules.told == ["opened"]
    assert made.link.ready
    made.transport.stuck = LITTLE
    assert made.link.ready, "an event loop may send a turn later"
    made.transport.stuck = LITTLE + 1
    assert not made.link.ready
    made.transport.stuck = 0
    made.transport.aborted = True
    assert not made.link.ready
    made.link.feed_eof()
    await made.over()


async def test_a_ping_is_answered_once_it_was_taken(scene: Scene) -> None:
    scene.link.send(b"state")
    scene.link.feed_data(masked(Opcode.PING, b"x") + masked(Opcode.BINARY, b"y"))
    assert scene.rules.told == ["opened", b"x", b"y"]
    assert scene.transport.sent == [encode_frame(Opcode.BINARY, b"state"), encode_frame(Opcode.PONG, b"x")]
    scene.link.feed_eof()
    await scene.over()


async def test_its_goodbye_is_returned_and_ends_it_at_once(scene: Scene) -> None:
    scene.link.feed_data(GOODBYE + masked(Opcode.PING, b"after"))
    assert scene.rules.told == ["opened", CloseCode.DONE]
    assert scene.transport.sent == [encode_close(1000)]
    await scene.over()
    assert not scene.transport.aborted, "what says goodbye is still sent"


async def test_our_goodbye_waits_for_its_own_and_takes_nothing_else(scene: Scene) -> None:
    scene.link.close(CloseCode.REPLACED)
    scene.link.close(CloseCode.SLOW)
    assert scene.transport.sent == [encode_close(4001)]
    scene.link.feed_data(masked(Opcode.PING, b"x"))
    assert not scene.serving.done()
    assert not scene.link.ready
    scene.link.feed_data(GOODBYE)
    await scene.over()
    assert scene.rules.told == ["opened"]
    assert not scene.transport.aborted


async def test_invariant_7_a_flood_after_our_goodbye_is_not_looked_through(scene: Scene) -> None:
    """Nothing counts its frames any more, and a piece of 256 KiB of them would hold the loop for 0.1 s."""
    scene.link.close(CloseCode.REPLACED)
    ping = masked(Opcode.PING, b"")
    for _ in range(LITTLE // len(ping) + 1):
        scene.link.feed_data(ping)
    scene.link.feed_data(GOODBYE)
    await asyncio.sleep(0.01)
    assert not scene.serving.done(), "it was not looked at"
    scene.link.drop()
    await scene.over()


async def test_who_returns_no_goodbye_is_dropped(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DRAIN_TIMEOUT", 0.0)
    scene.link.close(CloseCode.DONE)
    await scene.over()
    assert scene.transport.aborted


async def test_invariant_7_whoever_does_not_even_take_older_bytes_is_dropped_without_one(
    scene: Scene,
) -> None:
    scene.transport.stuck = LITTLE + 1
    scene.link.close(CloseCode.SLOW)
    assert scene.transport.aborted
    assert scene.transport.sent == []
    await scene.over()


async def test_one_that_ends_before_it_serves_is_dropped() -> None:
    made = Scene()
    made.link.close(CloseCode.REPLACED)
    assert made.transport.aborted
    await made.over()


@pytest.mark.parametrize("bad", [masked(Opcode.BINARY, b"no"), masked(0x1, b"text")])
async def test_nothing_is_read_after_the_first_that_may_not_be_sent(scene: Scene, bad: bytes) -> None:
    scene.link.feed_data(bad + masked(Opcode.PING, b"x"))
    scene.link.feed_data(masked(Opcode.PING, b"y") + GOODBYE)
    assert scene.rules.told == ["opened", CloseCode.POLICY]
    assert scene.transport.sent == [encode_close(1008)]
    scene.link.drop()
    await scene.over()


async def test_what_comes_before_it_serves_is_not_taken() -> None:
    made = Scene()
    made.link.feed_data(masked(Opcode.PING, b"x"))
    assert made.transport.sent == []
    made.link.feed_data(GOODBYE)
    await made.over()
    assert made.rules.told == ["opened"]


async def test_a_lost_connection_ends_it(scene: Scene) -> None:
    scene.link.feed_eof()
    await scene.over()
    assert not scene.link.ready


async def test_invariant_7_who_pings_and_does_not_read_gets_no_pong(scene: Scene) -> None:
    """Pings and made-up acknowledgements keep a stream for an hour: its pongs would wait in memory."""
    ping = masked(Opcode.PING, b"there?")
    scene.transport.stuck = LITTLE
    scene.link.feed_data(ping)
    assert scene.transport.sent == [encode_frame(Opcode.PONG, b"there?")]
    scene.transport.stuck = LITTLE + 1
    scene.link.feed_data(ping)
    assert scene.transport.sent == [encode_frame(Opcode.PONG, b"there?")]
    assert scene.rules.told == ["opened", b"there?", b"there?"], "it is heard all the same"
    scene.link.drop()
    await scene.over()
