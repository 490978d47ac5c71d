"""Streams over real sockets: states made by hand, a publisher's node, and a subscriber that a test holds."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Self

from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.state.streaming import StreamPublisher
from enigma_fed.wire import cbor, stream
from enigma_fed.wire.state import Have
from enigma_fed.wire.websocket import Opcode
from tests.support.manualclock import ManualClock
from tests.support.rpcserver import serving
from tests.support.signedcalls import FakeDoorkeeper, key, legacy_methods, methods
from tests.support.streamcalls import stream_fields

EPOCH = bytes(range(8))
PATIENCE = 20


class HandMadeResult:
    """What says where it leads from and to."""

    def __init__(self, base: int | None, seq: int, filling: int = 0) -> None:
        self.base, self.seq, self.filling = base, seq, filling

    def encoded(self, *, binary: bool) -> bytes:
        """The text `[base, seq, filling]` in CBOR."""
        return cbor.encode([self.base, self.seq, bytes(self.filling)])


class HandMadeStates:
    """States that a test publishes: numbers and a filling."""

    def __init__(self) -> None:
        self.epoch = EPOCH
        self.seq = 1
        self.filling = 0
        self.wanted = 0
        """How many want new samples."""
        self._news = asyncio.Event()

    def publish(self, filling: int = 0) -> None:
        """The next number, with so many more bytes in its frame."""
        self.seq += 1
        self.filling = filling
        self._news.set()
        self._news = asyncio.Event()

    def newest_for(self, have: Have | None) -> HandMadeResult | None:
        """A full state (no base) or a delta."""
        if have is None or have.epoch != self.epoch or have.seq > self.seq:
            return HandMadeResult(None, self.seq, self.filling)
        return None if have.seq == self.seq else HandMadeResult(have.seq, self.seq, self.filling)

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count who wants samples."""
        self.wanted += 1
        try:
            yield
        finally:
            self.wanted -= 1

    async def after(self, have: Have | None) -> HandMadeResult:
        """Wait for one that is newer."""
        while (newest := self.newest_for(have)) is None:
            await self._news.wait()
        return newest


class StreamServer:
    """key(2)'s endpoint with a publisher, past its first three minutes; key(1) and key(3) are members."""

    def __init__(self, members: tuple[Did, ...] = (key(1).did, key(3).did)) -> None:
        self.own = key(2)
        self.clock = ManualClock()
        self.tasks = Tasks()
        self.states = HandMadeStates()
        self.doorkeeper = FakeDoorkeeper(self.own.did, members=members, removed=[key(5).did])
        self.allowed: set[Did] = set(members)
        self.pinged: list[Did] = []
        self.publisher = StreamPublisher(
            self.states, self.clock, self.tasks, self.allowed.__contains__, self.pinged.append
        )
        self.log: list[str] = []
        self.port = 0
        self.restart()
        self.clock.advance(limits.CHALLENGE_AFTER_START)

    def restart(self) -> None:
        """A new endpoint."""
        self.endpoint = RpcEndpoint(
            self.own,
            methods(self.log),
            self.doorkeeper,
            self.clock,
            os.urandom,
            legacy_methods=legacy_methods(self.log),
            publisher=self.publisher,
        )

    @property
    def ended(self) -> dict[str, int]:
        """How many streams ended, by reason."""
        words = self.publisher.statistics.items()
        return {word.removeprefix("ended-"): n for word, n in words if word.startswith("ended-")}

    async def until_ended(self, **reasons: int) -> None:
        """Wait until just so many streams have ended for these reasons (with _ for -)."""
        wanted = {word.replace("_", "-"): n for word, n in reasons.items()}
        async with asyncio.timeout(PATIENCE):
            while self.ended != wanted:  # noqa: ASYNC110 - a counter of the product's, which tells nobody
                await asyncio.sleep(0.01)

    async def look(self, seconds: float) -> None:
        """Let the time pass in steps, so that whoever looks now and then has looked."""
        for _ in range(int(seconds // 5)):
            self.clock.advance(5)
            for _ in range(10):
                await asyncio.sleep(0)

    def fields(self, sender: NodeKey | None = None, have: Have | None = None) -> CIMultiDict[str]:
        """A fresh request for a stream."""
        return stream_fields(sender or key(1), self.own.did, self.clock.wall(), have=have)


@asynccontextmanager
async def publishing(server: StreamServer) -> AsyncIterator[StreamServer]:
    """Serve on a loopback port, and end every stream at last."""
    try:
        async with serving(server.endpoint.runner()) as port:
            server.port = port
            yield server
            server.publisher.close()
    finally:
        await server.tasks.close()


def framed(fields: CIMultiDict[str], target: str = "/rpc/v1/stream", method: str = "GET") -> bytes:
    """A request with these fields and no body."""
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *lines]).encode() + b"\r\n\r\n"


def masked(opcode: int, payload: bytes, first: int = 0x80, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    """A client's frame of at most 125 bytes."""
    body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes((first | opcode, 0x80 | len(payload))) + mask + body


class Subscriber:
    """One connection that asks for a stream; it does by itself only what a test tells it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0
        self.head: CIMultiDict[str] = CIMultiDict()
        self.body = b""

    @classmethod
    async def asking(cls, port: int, request: bytes, **options: int) -> Self:
        """Connect, send a request, and read the answer's head (and its body, unless it is a `101`)."""
        made = cls(*await asyncio.open_connection("127.0.0.1", port, **options))
        made.writer.write(request)
        await made.read_head()
        return made

    @classmethod
    async def to(cls, server: StreamServer, sender: NodeKey | None = None, have: Have | None = None) -> Self:
        """Open a stream."""
        made = await cls.asking(server.port, framed(server.fields(sender, have)))
        assert made.status == 101, made.body
        return made

    async def read_head(self) -> None:
        """Read one answer."""
        async with asyncio.timeout(PATIENCE):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            self.status = int(lines[0].split()[1])
            self.head = CIMultiDict(tuple(line.split(": ", 1)) for line in lines[1:] if line)  # type: ignore[misc]
            if self.status != 101:
                self.body = await self.reader.readexactly(int(self.head["Content-Length"]))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: its kind and what it holds."""
        async with asyncio.timeout(PATIENCE):
            first, size = await self.reader.readexactly(2)
            assert first & 0xF0 == 0x80
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return first & 0x0F, await self.reader.readexactly(size)

    async def state(self) -> tuple[int | None, int]:
        """The next frame, which must be a state: its base and its number."""
        kind, payload = await self.frame()
        assert kind == Opcode.BINARY, (kind, payload)
        base, seq, _ = cbor.decode(payload, limit=limits.REPLY_BYTES)  # type: ignore[misc]
        return base, seq

    async def ending(self) -> int | None:
        """Read up to the end: the code of the close frame, None when the connection was just cut."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, payload = await self.frame()
                if kind == Opcode.CLOSE:
                    return int.from_bytes(payload[:2], "big")
        return None

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)

    def ack(self, seq: int) -> None:
        """Acknowledge."""
        self.send(masked(Opcode.BINARY, stream.encode_ack(seq)))

    async def ping(self, payload: bytes = b"") -> None:
        """Ping, and wait for the answer, which comes after what was sent before."""
        self.send(masked(Opcode.PING, payload))
        assert await self.frame() == (Opcode.PONG, payload)

    def close(self) -> None:
        """Hang up."""
        self.writer.close()
