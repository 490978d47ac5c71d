"""HTTP without sockets, over a network that loses, delays, doubles, reorders and damages messages.

`MemorySession` stands where the agent's aiohttp session does, so the real `RpcClient` signs and checks;
what it sends reaches the real `RpcEndpoint` as bytes. Seconds are those of the manual clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import aiohttp
from aiohttp import ClientResponse, HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from enigma_fed.base.clock import Clock
from enigma_fed.base.ids import OnionAddress
from enigma_fed.rpc.httpreply import HttpReply
from enigma_fed.rpc.signingrequest import SigningRequest

_GONE: Final = 30.0
"""Seconds after which a lost message is noticed at most: the connection breaks."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How likely each fault is, for each message."""

    lose: float = 0.0
    delay: float = 0.0
    double: float = 0.0
    damage: float = 0.0
    swap: float = 0.0
    """An earlier answer of the same home comes in place of the right one."""
    longest: float = 20.0
    """Seconds of the longest delay: beyond a second, messages overtake each other."""


@dataclass(slots=True)
class Parcel:
    """A request, or an answer (then with a status)."""

    headers: CIMultiDict[str]
    body: bytes
    status: int = 0


class MemoryConnection:
    """What stands where aiohttp's connection does: it can be cut, and that is all."""

    def __init__(self) -> None:
        self.transport: MemoryConnection | None = self

    def abort(self) -> None:
        self.transport = None


class Body:
    """A body that is there at once."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def is_eof(self) -> bool:
        return True

    def read_nowait(self) -> bytes:
        return self._data

    async def readany(self) -> bytes:
        data, self._data = self._data, b""
        return data

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self._data


@dataclass(slots=True)
class ArrivingRequest:
    """As much of `web.BaseRequest` as the endpoint reads."""

    headers: CIMultiDictProxy[str]
    content: Body
    content_length: int
    protocol: MemoryConnection
    raw_path: str = "/rpc/v1"
    path: str = "/rpc/v1"
    method: str = "POST"
    version: Any = HttpVersion11


class ArrivingAnswer:
    """As much of `aiohttp.ClientResponse` as the client reads."""

    def __init__(self, parcel: Parcel) -> None:
        self.status = parcel.status
        self.headers = CIMultiDictProxy(parcel.headers)
        self.content = Body(parcel.body)

    def close(self) -> None:
        """Nothing is open."""


Handle = Callable[[OnionAddress, ArrivingRequest], Awaitable[HttpReply]]


@dataclass(slots=True)
class PostOffice:
    """Carries every message; `counts` says what it did to them."""

    clock: Clock
    seed: int
    handle: Handle
    weather: Weather = field(default_factory=Weather)
    counts: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    """Requests that a home works on right now."""
    _sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    _earlier: dict[tuple[str, str], list[Parcel]] = field(default_factory=dict)
    _doubles: set[asyncio.Task[None]] = field(default_factory=set)

    async def exchange(self, caller: str, onion: OnionAddress, parcel: Parcel) -> Parcel:
        """The answer that comes; raises aiohttp's errors for what broke on the way."""
        way = (caller, str(onion))
        self._sent[way] += 1
        chance = random.Random(f"{self.seed}/{way}/{self._sent[way]}")
        self.counts["messages"] += 1
        if self._falls(chance, "double", self.weather.double):
            self._again(onion, parcel, chance)
        await self._travel(chance)
        if self._falls(chance, "damage", self.weather.damage):
            parcel = _damaged(parcel, chance)
        answer = await self._served(onion, parcel)
        earlier = self._earlier.setdefault(way, [])
        if earlier and self._falls(chance, "swap", self.weather.swap):
            answer = chance.choice(earlier)
        elif self._falls(chance, "damage", self.weather.damage):
            answer = _damaged(answer, chance)
        else:
            self._earlier[way] = [*earlier, answer][-8:]
        await self._travel(chance)
        return answer

    async def close(self) -> None:
        """Forget what is still on its way."""
        for task in self._doubles:
            task.cancel()
        await asyncio.gather(*self._doubles, return_exceptions=True)

    def _falls(self, chance: random.Random, what: str, odds: float) -> bool:
        falls = chance.random() < odds
        self.counts[what] += falls
        return falls

    async def _travel(self, chance: random.Random) -> None:
        if self._falls(chance, "lose", self.weather.lose):
            await self.clock.sleep(chance.uniform(0, _GONE))
            raise aiohttp.ServerDisconnectedError
        if self._falls(chance, "delay", self.weather.delay):
            await self.clock.sleep(chance.uniform(0, self.weather.longest))

    async def _served(self, onion: OnionAddress, parcel: Parcel) -> Parcel:
        headers = CIMultiDictProxy(CIMultiDict(parcel.headers))
        request = ArrivingRequest(headers, Body(parcel.body), len(parcel.body), MemoryConnection())
        self.under_way += 1
        try:
            response = await self.handle(onion, request)
        finally:
            self.under_way -= 1
        return Parcel(CIMultiDict(response.headers), cast(bytes, response.body), response.status)

    def _again(self, onion: OnionAddress, parcel: Parcel, chance: random.Random) -> None:
        """The same request arrives a second time, sooner or later than the first."""
        pause = chance.uniform(0, 2 * self.weather.longest)

        async def later() -> None:
            await self.clock.sleep(pause)
            with contextlib.suppress(aiohttp.ServerDisconnectedError):
                await self._served(onion, parcel)

        task = asyncio.create_task(later())
        self._doubles.add(task)
        task.add_done_callback(self._doubles.discard)


def _damaged(parcel: Parcel, chance: random.Random) -> Parcel:
    """One bit of the body is another one, or one field is gone."""
    if chance.random() < 0.5 and parcel.body:
        body = bytearray(parcel.body)
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        return Parcel(parcel.headers, bytes(body), parcel.status)
    headers = CIMultiDict(parcel.headers)
    headers.popall(chance.choice(sorted(set(headers))))
    return Parcel(headers, parcel.body, parcel.status)


class MemorySession:
    """Stands where the agent's `aiohttp.ClientSession` does, for one home."""

    def __init__(self, office: PostOffice, caller: str) -> None:
        self._office = office
        self._caller = caller
        self._connected: set[str] = set()

    @asynccontextmanager
    async def post(self, url: URL, *, data: bytes, middlewares: Any, **more: Any) -> AsyncIterator[Any]:
        """One request over a connection that may have been used before."""
        onion = OnionAddress.parse(url.host or "")
        request = object.__new__(SigningRequest)

        async def send(armed: Any) -> ClientResponse:
            fields = armed.signer(str(onion) in self._connected)
            headers = CIMultiDict(more.get("headers", {}))
            headers.update(fields)
            self._connected.discard(str(onion))
            answer = await self._office.exchange(self._caller, onion, Parcel(headers, data))
            self._connected.add(str(onion))
            return cast(ClientResponse, ArrivingAnswer(answer))

        (arm,) = middlewares
        yield await arm(request, send)
