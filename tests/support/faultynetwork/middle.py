"""A hostile middle between subscribers and a publisher: it knows WebSocket frames, and no key.

Loopback sockets; what goes through it is passed on, or lost, doubled, delayed, swapped with the next,
damaged, replaced by a frame of before, or the connection breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from tests.support.faultynetwork.judge import Place
from tests.support.faultynetwork.post import Weather

_SWITCHED: Final = b"HTTP/1.1 101 "
_BINARY: Final = 0x2
_HAVE: Final = re.compile(rb"(?i)\r\nfederation-have: ([0-9a-f]{16}):([0-9]+)\r\n")
_RECENT: Final = 0.01
"""Seconds of real time after a byte within which more may come."""
_KEPT: Final = 16


@dataclass(slots=True)
class Middle:
    """Everything between the homes of one network; `ports` has the way to each, by name."""

    seed: int
    weather: Callable[[], Weather]
    counts: Counter[str]
    witness: Callable[[str, Place | None, bytes], Place]
    """Sees each frame as its home sent it: name, what the subscriber had, content; gives what it has then."""
    port: int = 0
    """Where all the homes listen."""
    frames: dict[str, list[bytes]] = field(default_factory=dict)
    """The newest frames that each home has sent."""
    _servers: list[asyncio.Server] = field(default_factory=list)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: dict[str, set[asyncio.StreamWriter]] = field(default_factory=dict)
    _last: float = 0.0
    _made: int = 0

    @property
    def busy(self) -> bool:
        """Whether something passed a moment ago."""
        return time.monotonic() - self._last < _RECENT

    async def open(self, name: str) -> int:
        """A way to this home; the port."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.add(task)
            try:
                await self._carry(name, reader, writer)
            finally:
                self._connections.discard(task)

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def cut(self, name: str) -> None:
        """Every connection to this home breaks."""
        for writer in self._writers.get(name, set()):
            writer.transport.abort()

    async def close(self) -> None:
        """End everything."""
        for server in self._servers:
            server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _carry(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._made += 1
        chance = random.Random(f"{self.seed}/{self._made}")
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.transport.abort()
            return
        writers = self._writers.setdefault(name, set())
        writers |= {writer, back}
        way = _Way(name, writer, chance)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, back, way))
                group.create_task(self._answers(there, way))
        except* (OSError, EOFError, _Broken):
            pass
        finally:
            writers -= {writer, back}
            for each in (writer, back):
                each.transport.abort()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: _Way) -> None:
        while data := await reader.read(65536):
            self._last = time.monotonic()
            if data.startswith(b"GET ") and (found := _HAVE.search(data)) is not None:
                way.has = Place(bytes.fromhex(found[1].decode()), int(found[2]))
            writer.write(data)
            await writer.drain()
        raise EOFError

    async def _answers(self, reader: asyncio.StreamReader, way: _Way) -> None:
        """Answers of calls pass whole, or the connection breaks; behind a 101 come frames."""
        while data := await reader.read(65536):
            self._last = time.monotonic()
            if not data.startswith(_SWITCHED):
                if self._falls(way.chance, "lose", self.weather().lose):
                    raise _Broken
                way.writer.write(data)
                await way.writer.drain()
                continue
            while b"\r\n\r\n" not in data:
                data += await reader.read(65536)
            head, _, rest = data.partition(b"\r\n\r\n")
            way.writer.write(head + b"\r\n\r\n")
            self.counts["streams"] += 1
            async for frame in _frames(reader, rest):
                self._last = time.monotonic()
                for piece in self._fate(frame, way):
                    way.writer.write(piece)
                await way.writer.drain()
        raise EOFError

    def _fate(self, frame: bytes, way: _Way) -> list[bytes]:
        """What goes on in place of this frame."""
        if frame[0] & 0x0F != _BINARY:
            return [frame]
        self.counts["frames"] += 1
        way.has = self.witness(way.name, way.has, frame[_start(frame) :])
        earlier, chance, weather = self.frames.setdefault(way.name, []), way.chance, self.weather()
        self.frames[way.name] = [*earlier, frame][-_KEPT:]
        if self._falls(chance, "broken", weather.lose / 2):
            raise _Broken
        if self._falls(chance, "lose", weather.lose):
            return []
        if self._falls(chance, "double", weather.double):
            return [frame, frame]
        if earlier and self._falls(chance, "swap", weather.swap):
            other = chance.choice(earlier)
            return [frame, other] if chance.random() < 0.5 else [other, frame]
        if self._falls(chance, "damage", weather.damage):
            return [_damaged(frame, chance)]
        return [frame]

    def _falls(self, chance: random.Random, what: str, odds: float) -> bool:
        falls = chance.random() < odds
        self.counts[what] += falls
        return falls


@dataclass(slots=True)
class _Way:
    """One connection."""

    name: str
    writer: asyncio.StreamWriter
    chance: random.Random
    has: Place | None = None
    """The state that the subscriber would have if nothing got lost."""


class _Broken(Exception):
    """The middle ends a connection."""


async def _frames(reader: asyncio.StreamReader, rest: bytes) -> AsyncIterator[bytes]:
    """The frames of a server, which are not masked."""
    while True:
        while (size := _size(rest)) is None or len(rest) < size:
            more = await reader.read(65536)
            if not more:
                raise EOFError
            rest += more
        yield rest[:size]
        rest = rest[size:]


def _size(data: bytes) -> int | None:
    """Bytes of the frame that begins here; None while that is not known."""
    if len(data) < 2:
        return None
    length = data[1] & 0x7F
    if length < 126:
        return 2 + length
    extra = 2 if length == 126 else 8
    if len(data) < 2 + extra:
        return None
    return 2 + extra + int.from_bytes(data[2 : 2 + extra], "big")


def _start(frame: bytes) -> int:
    """Where a server's frame has its content."""
    return 2 if frame[1] < 126 else 4 if frame[1] == 126 else 10


def _damaged(frame: bytes, chance: random.Random) -> bytes:
    """One bit of the content is another one."""
    start = _start(frame)
    changed = bytearray(frame)
    if len(frame) > start:
        changed[chance.randrange(start, len(frame))] ^= 1 << chance.randrange(8)
    return bytes(changed)
