"""Calls to others: how many, how long, and how much of the answer is read."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable, TryLater, UnsignedReply
from enigma_fed.daemon import calls
from enigma_fed.daemon.controlclient import call_agent
from enigma_fed.daemon.operations import RemoteOperations
from enigma_fed.federation.client import RpcPeerCaller
from enigma_fed.rpc import client
from enigma_fed.rpc.client import RpcClient
from enigma_fed.rpc.signingrequest import SigningRequest
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.session import onion_session
from enigma_fed.transports.unixsocket import bind_private
from enigma_fed.wire.join import JoinParams
from tests.support.fakenetwork import until
from tests.support.fakesocks import FakeSocks
from tests.support.rpcserver import Pair, raw_server, serving, wire
from tests.support.signedcalls import key, onion, signed_reply


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with wire() as wires:
        yield Pair(wires)


@asynccontextmanager
async def signing(pair: Pair, body: bytes) -> AsyncIterator[None]:
    """B answers everything with this body, signed."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        fields = signed_reply(pair.peer, body, request.headers["Signature"])
        return web.Response(body=body, headers=fields)

    async with serving(web.ServerRunner(web.Server(answer))) as port:
        pair.listen(port)
        yield


async def test_a_reply(pair: Pair) -> None:
    """limits.REPLY_BYTES."""
    result = b'{"jsonrpc":"2.0","id":1,"result":{}}'
    async with signing(pair, result.ljust(limits.REPLY_BYTES)):
        assert (await pair.call()).result == {}
    async with signing(pair, result.ljust(limits.REPLY_BYTES + 1)):
        with pytest.raises(UnsignedReply):
            await pair.call()


async def test_a_reply_to_a_join(pair: Pair) -> None:
    """limits.JOIN_REPLY_BYTES."""
    result = b'{"jsonrpc":"2.0","id":1,"result":{"joined":true,"trust":"observer"}}'
    params = JoinParams(did=key(1).did, onion=onion(1), token=bytes(16), signature=bytes(64))
    caller = RpcPeerCaller(pair.client, pair.clock)
    async with signing(pair, result.ljust(limits.JOIN_REPLY_BYTES)):
        assert (await caller.join(pair.peer.did, onion(2), params)).result.trust == "observer"
    async with signing(pair, result.ljust(limits.JOIN_REPLY_BYTES + 1)):
        with pytest.raises(UnsignedReply):
            await caller.join(pair.peer.did, onion(2), params)


class Silent:
    """A SOCKS port that takes connections and says nothing; one session through it."""

    def __init__(self) -> None:
        self.open = 0
        self.session: aiohttp.ClientSession

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with suppress(OSError):
            await reader.read(-1)
        writer.close()

    @property
    def waiting(self) -> int:
        """How many calls wait for a place."""
        connector = self.session.connector
        assert connector is not None
        return sum(map(len, connector._waiters.values()))


@asynccontextmanager
async def silent() -> AsyncIterator[Silent]:
    made = Silent()
    async with raw_server(made.serve) as port:
        endpoint = Endpoint("127.0.0.1", port)
        options = {"isolation_key": b"k" * 16, "request_class": SigningRequest}
        async with onion_session(lambda: endpoint, **options) as session:  # type: ignore[arg-type]
            made.session = session
            yield made


async def _crowd(there: Silent, names: list[int], places: int) -> None:
    async def call(number: int) -> None:
        async with there.session.get(f"http://{onion(number)}/"):
            raise AssertionError("nobody answers")

    tasks = [asyncio.create_task(call(number)) for number in names]
    await until(lambda: there.open == places and there.waiting == len(names) - places)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_calls_under_way_to_one_peer() -> None:
    """limits.CONNECTIONS_PER_PEER: one more waits for a place."""
    async with silent() as there:
        await _crowd(there, [1] * (limits.CONNECTIONS_PER_PEER + 1), limits.CONNECTIONS_PER_PEER)


async def test_calls_under_way_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.CONNECTIONS_OUTBOUND: one more waits, whoever it is to."""
    monkeypatch.setattr(limits, "CONNECTIONS_OUTBOUND", 5)
    async with silent() as there:
        await _crowd(there, [1, 2, 3, 4, 5, 6], 5)


async def test_an_idle_connection_is_kept_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.KEEPALIVE: a little longer than two polls; past it, the next call connects anew."""
    assert limits.KEEPALIVE > 2 * limits.POLL_INTERVAL
    for seconds, connections in ((limits.KEEPALIVE, 1), (0, 2)):
        monkeypatch.setattr(limits, "KEEPALIVE", seconds)
        async with FakeSocks() as socks:
            async with onion_session(lambda: socks.endpoint, isolation_key=b"k" * 16) as session:
                for _ in range(2):
                    async with session.get(f"http://{onion(1)}/") as response:
                        await response.read()
            assert len(socks.requests) == connections


def _times(**short: float) -> Callable[[pytest.MonkeyPatch], None]:
    values = {"sock_connect": limits.CONNECT_TIMEOUT, "sock_read": limits.READ_TIMEOUT, **short}
    return lambda patch: patch.setattr(client, "_TIMEOUT", aiohttp.ClientTimeout(total=None, **values))


async def test_a_connection_that_never_stands(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    """limits.CONNECT_TIMEOUT."""
    assert client._TIMEOUT.sock_connect == limits.CONNECT_TIMEOUT
    _times(sock_connect=0.05)(monkeypatch)
    async with silent() as there:
        pair.client = RpcClient(pair.key, there.session, pair.clock, bytes)
        with pytest.raises(PeerUnreachable):
            await pair.call(timeout=30)


async def test_an_answer_that_stops_half_way(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    """limits.READ_TIMEOUT, on the calling side."""
    assert client._TIMEOUT.sock_read == limits.READ_TIMEOUT
    _times(sock_read=0.05)(monkeypatch)

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbegun")
        await reader.read(-1)
        writer.close()

    async with raw_server(half) as port:
        pair.listen(port)
        with pytest.raises(PeerUnreachable, match="in time"):
            await pair.call(timeout=30)


async def test_an_answer_that_drips_for_ever(pair: Pair) -> None:
    """limits.CALL_TIMEOUT: a byte now and then keeps no call alive."""
    assert inspect.signature(RpcClient.call).parameters["timeout"].default == limits.CALL_TIMEOUT
    dripped = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
        while not reader.at_eof() and not writer.is_closing():
            writer.write(b" ")
            dripped.set()
            await asyncio.wait({asyncio.create_task(reader.read(1000))}, timeout=0.005)
        writer.close()

    async with raw_server(drip) as port:
        pair.listen(port)
        with pytest.raises(PeerUnreachable, match="no answer within 0 seconds"):
            await pair.call(timeout=0.2)
    assert dripped.is_set()


def test_an_agent_that_never_answers(tmp_path: Path) -> None:
    """limits.CONTROL_ANSWER_TIMEOUT."""
    assert inspect.signature(call_agent).parameters["timeout"].default == limits.CONTROL_ANSWER_TIMEOUT
    with closing(bind_private(Path(os.path.relpath(tmp_path)) / "s")) as listening:
        listening.listen()
        with pytest.raises(TryLater):
            call_agent(Path(os.path.relpath(tmp_path)) / "s", calls.PEER_PING, calls.PeerRef(ref="x"), 0.05)


def test_an_agent_that_never_answers_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.CONTROL_READ_TIMEOUT: only calls that change nothing end so soon, and it says who hangs."""
    monkeypatch.setattr(limits, "CONTROL_READ_TIMEOUT", 0.05)
    path = Path(os.path.relpath(tmp_path)) / "s"
    with closing(bind_private(path)) as listening:
        listening.listen()
        for ask in (RemoteOperations(path).status, RemoteOperations(path).peer_list):
            with pytest.raises(TryLater, match=f"process {os.getpid()} takes commands and does not answer"):
                ask()
    assert not calls.PEER_SYNC.reads
    assert not calls.INVITE_ACCEPT.reads
