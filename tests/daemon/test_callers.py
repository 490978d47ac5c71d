"""The clients of an agent."""

from __future__ import annotations

import asyncio
import os

from enigma_fed.base.errors import PeerUnreachable
from enigma_fed.daemon.callers import make_callers
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.wire.state import GetStateParams
from tests.support.manualclock import ManualClock
from tests.support.publisher import served
from tests.support.rawframes import Peer
from tests.support.rpcserver import wire
from tests.support.signedcalls import key, onion


async def test_invariant_6_a_cut_ends_calls_and_streams() -> None:
    asked: list[Peer] = []
    both = asyncio.Event()

    async def silent(peer: Peer) -> None:
        asked.append(peer)
        if len(asked) == 2:
            both.set()
        await peer.reader.read(-1)

    async with wire() as wires:
        clock = ManualClock()
        callers = make_callers(
            key(1), wires.session, clock, os.urandom, lambda did, seconds: None, Traffic(clock.boot)
        )

        async def call() -> None:
            await callers.calls.call(key(2).did, onion(2), "x", GetStateParams(), lambda result: result)

        async def stream() -> None:
            async with callers.streams.open(key(2).did, onion(2), None):
                raise AssertionError("it never stands")

        async with served(wires, silent):
            under_way = [asyncio.create_task(call()), asyncio.create_task(stream())]
            await both.wait()
            callers.cut(key(2).did)
            done, _ = await asyncio.wait(under_way, timeout=30)
            assert len(done) == 2
            assert all(isinstance(task.exception(), PeerUnreachable) for task in under_way)
