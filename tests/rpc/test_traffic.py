"""Bytes per peer and day: what really crosses the wire, in both directions, and no more of it than a day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import RefusedByPeer
from enigma_fed.rpc.client import RpcClient
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.traffic import Account, DayBytes, Traffic
from tests.support.manualclock import ManualClock
from tests.support.rpcserver import Pair, raw_server, serving, wire
from tests.support.signedcalls import Plain, key, methods, onion

A, B, STRANGER = key(1), key(2), key(4)
HOUR = 3600


def test_an_account_holds_the_running_hour_and_the_23_before_it() -> None:
    clock = ManualClock(boot=100 * HOUR)
    account = Account(clock.boot)
    for _ in range(30):
        account.add(1, 10)
        clock.advance(HOUR)
    assert account.day() == (23, 230)
    clock.advance(22 * HOUR)
    assert account.day() == (1, 10)
    clock.advance(HOUR)
    assert account.day() == (0, 0)


@pytest.mark.parametrize("silence", [24 * HOUR, 25 * HOUR, 24 * 7 * HOUR])
def test_a_long_silence_leaves_nothing_of_before(silence: int) -> None:
    clock = ManualClock(boot=0)
    account = Account(clock.boot)
    account.add(5, 5)
    clock.advance(silence)
    account.add(1, 2)
    assert account.day() == (1, 2)


def test_invariant_7_there_are_no_more_accounts_than_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PEERS", 2)
    traffic = Traffic(lambda: 0.0)
    first = traffic.account(b"1")
    assert first is not None
    assert traffic.account(b"2") is not None
    assert traffic.account(b"3") is None
    assert traffic.account(b"1") is first
    first.add(1, 2)
    assert (traffic.day(b"1"), traffic.day(b"3")) == ((1, 2), (0, 0))
    traffic.forget(b"1")
    traffic.forget(b"3")
    assert traffic.day(b"1") == (0, 0)
    assert traffic.account(b"3") is not None


class Relay:
    """Stands between two nodes and counts what crosses."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.forth = 0
        self.back = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection("127.0.0.1", self.port)

        async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, forth: bool) -> None:
            while data := await source.read(4096):
                if forth:
                    self.forth += len(data)
                else:
                    self.back += len(data)
                sink.write(data)
            sink.close()

        await asyncio.gather(pass_on(reader, onward, True), pass_on(there, writer, False))


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[Pair, Relay, Traffic, Traffic]]:
    """A calls B through a relay; both count."""
    async with wire() as wires:
        pair = Pair(wires)
        ours, theirs = Traffic(pair.clock.boot), Traffic(pair.peer_clock.boot)
        pair.client = RpcClient(A, wires.session, pair.clock, lambda n: bytes(n - 1) + b"\1", traffic=ours)
        pair.endpoint = RpcEndpoint(B, methods(None), pair.doorkeeper, pair.peer_clock, bytes, traffic=theirs)
        pair.peer_clock.advance(limits.CHALLENGE_AFTER_START)
        async with serving(pair.endpoint.runner()) as port:
            relay = Relay(port)
            async with raw_server(relay.serve) as between:
                pair.listen(between)
                yield pair, relay, ours, theirs
                await wires.session.close()


async def test_both_sides_count_every_byte_that_crosses() -> None:
    async with watched() as (pair, relay, ours, theirs):
        await pair.call()
        crossed = (relay.back, relay.forth)
        assert min(crossed) > 300
        assert ours.day(B.did.public_key) == crossed
        assert theirs.day(A.did.public_key) == crossed[::-1]
        assert theirs.day(B.did.public_key) == DayBytes(0, 0)


async def test_what_a_stranger_sends_is_on_nobodys_account() -> None:
    async with watched() as (pair, relay, ours, theirs):
        stranger = RpcClient(STRANGER, pair.wires.session, pair.clock, bytes, traffic=ours)
        with pytest.raises(RefusedByPeer):
            await stranger.call(B.did, onion(2), "federation.get-state", Plain({}), lambda obj: obj)
        assert relay.forth > 300
        assert theirs.day(STRANGER.did.public_key) == (0, 0)
