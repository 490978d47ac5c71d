"""Floods of requests as attackers send them, and what they do to the node that gets them.

As a program it floods a loopback port from a process of its own:
`python -m tests.support.flood PORT DID KIND COUNT CONNECTIONS [MORE]` prints what was answered, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Final

import psutil

from enigma_fed.base.ids import Did
from enigma_fed.federation.client import PEER_JOINED
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.wire.join import JoinParams, joining_message
from tests.support.rawhttp import Caller, framed, signed
from tests.support.signedcalls import call_body, key, onion

BLOCKED: Final = 1.0
"""Seconds of work between two turns after which a loop counts as blocked; a busy machine is no fault."""
_BEAT: Final = 0.01
MIB: Final = 1024 * 1024


@dataclass(slots=True)
class LoopWatch:
    """How late the loop comes back to a task that wants to run every 10 ms, and how long it worked."""

    lags: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)
    """Seconds of the processor that this thread had between two looks."""

    @property
    def blocked(self) -> int:
        """How often the loop worked longer than BLOCKED before it came back."""
        return sum(turn > BLOCKED for turn in self.turns)

    def __str__(self) -> str:
        worst, p99 = 1000 * max(self.lags), 1000 * quantiles(self.lags, n=100, method="inclusive")[98]
        work = 1000 * max(self.turns)
        late = f"loop late by at most {worst:.0f} ms (p99 {p99:.0f} ms, {len(self.lags)} looks)"
        return f"{late}, {work:.0f} ms of them work"

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due, worked = loop.time() + _BEAT, time.thread_time()
            await asyncio.sleep(_BEAT)
            self.lags.append(max(0.0, loop.time() - due))
            self.turns.append(time.thread_time() - worked)


@asynccontextmanager
async def watching() -> AsyncIterator[LoopWatch]:
    """Watch the loop inside the block."""
    watch = LoopWatch()
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait({task})


def memory() -> float:
    """Resident memory of this process in MiB, garbage collected."""
    gc.collect()
    return psutil.Process().memory_info().rss / MIB


def stranger(number: int) -> NodeKey:
    """One of any number of keys that nobody knows."""
    return NodeKey(b"stranger" + number.to_bytes(24, "big"))


Clock = Callable[[], float]
Make = Callable[[Did, int, Clock], bytes]
"""A request to this DID: the n-th of the flood."""


def unknown(receiver: Did, number: int, now: Clock) -> bytes:
    """A poll by a DID that is no member."""
    return signed(stranger(number), receiver, now())


def join(token: bytes | None = None) -> Make:
    """Joins by strangers with one token, or each with another that nobody made."""

    def make(receiver: Did, number: int, now: Clock) -> bytes:
        joiner = stranger(number)
        signature = joiner.sign(joining_message(joiner.did, onion(1)))
        its = token or number.to_bytes(16, "big")
        params = JoinParams(did=joiner.did, onion=onion(1), token=its, signature=signature)
        body = call_body(PEER_JOINED, dict(params.to_object(binary=False)))  # type: ignore[call-overload]
        return signed(joiner, receiver, now(), body)

    return make


def forged(member: NodeKey) -> Make:
    """Polls that name a member's key and are signed by another."""

    def make(receiver: Did, number: int, now: Clock) -> bytes:
        made = signed(stranger(number), receiver, now())
        return made.replace(stranger(number).did.url.encode(), member.did.url.encode())

    return make


def replay(captured: bytes) -> Make:
    """The same request again and again."""
    return lambda receiver, number, now: captured


def legacy(receiver: Did, number: int, now: Clock) -> bytes:
    """A poll with the header set of old."""
    sender, at = stranger(number), str(int(now()))
    fields = {
        "Content-Type": "application/json",
        "X-Federation-DID": str(sender.did),
        "X-Federation-Sig": sender.sign(at.encode()).hex(),
        "X-Federation-Timestamp": at,
    }
    return framed(fields, call_body())


KINDS: Final[dict[str, Make]] = {"unknown": unknown, "unknown-token": join(), "legacy": legacy}


async def flood(port: int, requests: Iterable[bytes], connections: int = 32) -> Counter[str]:
    """Send all, over so many connections, each waiting for its answers; the words of the answers."""
    left: Iterator[bytes] = iter(requests)
    words: Counter[str] = Counter()

    async def one() -> None:
        caller: Caller | None = None
        for request in left:
            try:
                caller = caller or await Caller.tcp(port)
                answer = await caller.ask(request)
            except (OSError, EOFError):
                words["closed"] += 1
                if caller is not None:
                    caller.close()
                caller = None
                continue
            words[answer.word if answer.status != 404 else "not-found"] += 1
            if answer.closes:
                caller.close()
                caller = None
        if caller is not None:
            caller.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return words


async def churn(port: int, count: int, connections: int = 32) -> Counter[str]:
    """Connect, say nothing or half a request, and go; so many times."""
    words: Counter[str] = Counter()
    left = iter(range(count))

    async def one() -> None:
        for number in left:
            try:
                caller = await Caller.tcp(port)
            except OSError:
                words["refused"] += 1
                continue
            if number % 2:
                caller.writer.write(b"POST /rpc/v1 HTTP/1.1\r\nX: ")
            words["opened"] += 1
            caller.close()
            with contextlib.suppress(OSError):
                await caller.writer.wait_closed()

    await asyncio.gather(*(one() for _ in range(connections)))
    return words


@dataclass(slots=True)
class Calls:
    """What a member met with that called all the time."""

    seconds: list[float] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        ordered = sorted(self.seconds)
        middle, worst = 1000 * ordered[len(ordered) // 2], 1000 * ordered[-1]
        return (
            f"{len(ordered)} calls of a member: {dict(self.words)}, {middle:.0f} ms, at most {worst:.0f} ms"
        )


async def call_now_and_then(
    port: int, receiver: Did, now: Clock, calls: Calls, pause: float, stop: asyncio.Event
) -> None:
    """A member that polls until it is told to stop, each time on a new connection."""
    while not stop.is_set():
        begun = time.monotonic()
        with contextlib.closing(await Caller.tcp(port)) as caller:
            calls.words[(await caller.ask(signed(key(1), receiver, now()))).word] += 1
        calls.seconds.append(time.monotonic() - begun)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


@asynccontextmanager
async def member_calls(port: int, receiver: Did, now: Clock, pause: float = 0.2) -> AsyncIterator[Calls]:
    """Let a member poll inside the block; its last call is answered before the block is over."""
    calls, stop = Calls(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(call_now_and_then(port, receiver, now, calls, pause, stop))
        try:
            yield calls
        finally:
            stop.set()


def main() -> None:
    """Flood from a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("did")
    parser.add_argument("kind", choices=(*KINDS, "churn"))
    parser.add_argument("count", type=int)
    parser.add_argument("connections", type=int)
    given = parser.parse_args()
    os.nice(5)
    if given.kind == "churn":
        words = asyncio.run(churn(given.port, given.count, given.connections))
    else:
        receiver, make = Did.parse(given.did), KINDS[given.kind]
        start = time.time_ns()
        requests = (make(receiver, start + number, time.time) for number in range(given.count))
        words = asyncio.run(flood(given.port, requests, given.connections))
    print(json.dumps(words))


if __name__ == "__main__":
    main()
