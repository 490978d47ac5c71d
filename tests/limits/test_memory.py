"""Every table filled to its bound by the hungriest that fits, and weighed. Figures are printed (`-s`)."""

from __future__ import annotations

import asyncio
import gc
import logging
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from enigma_fed.base import limits, log
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.rpc.circuits import Circuits
from enigma_fed.rpc.connections import BoundedConnection
from enigma_fed.rpc.noncetable import NonceTable
from enigma_fed.wire.records import Observation, Stage
from enigma_fed.wire.snapshot import App, Snapshot
from enigma_fed.wire.state import FullState
from tests.limits.bounds import BOUNDS
from tests.support.fakenetwork import until
from tests.support.flood import MIB
from tests.support.manualclock import ManualClock
from tests.support.members import incoming, member, outgoing, pending, tombstone
from tests.support.rawhttp import HEAD, Caller, signed
from tests.support.rpcserver import Pair, Server, Wire, raw_server, serving, wire
from tests.support.signedcalls import FakeDoorkeeper, Receiver, key, signed_reply


async def weigh(name: str, fill: Callable[[], Awaitable[object]]) -> None:
    """Fill, and check what that took against the bound; what `fill` returns is kept alive meanwhile."""
    gc.collect()
    tracemalloc.start()
    try:
        kept = await fill()
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] / MIB
    finally:
        tracemalloc.stop()
    assert kept is not None
    bound = BOUNDS[name]
    print(f"{bound.what} ({', '.join(bound.limits)}): {taken:.2f} MiB of at most {bound.most_mib}")
    assert taken <= bound.most_mib
    assert taken >= bound.most_mib / 20, "the bound says little about what there is"


def public_key(number: int) -> bytes:
    """The key of one of many; made once, so that the checks cost nothing here."""
    return key(number).did.public_key


async def test_invariant_7_nonces() -> None:
    keys = [public_key(number) for number in range(limits.NONCES_IN_ALL // limits.NONCES_PER_KEY)]

    async def fill() -> NonceTable:
        table = NonceTable()
        for owner in keys:
            for number in range(limits.NONCES_PER_KEY):
                table.use(owner, f"{number:0{limits.NONCE_CHARACTERS_MAX}d}", until=100.0 + number, now=0.0)
        assert len(table) == limits.NONCES_IN_ALL
        return table

    await weigh("nonces", fill)


async def test_invariant_7_key_ids() -> None:
    urls = [key(number).did.url for number in range(limits.DIDS_CACHED + 100)]

    async def fill() -> Receiver:
        receiver = Receiver(key(2), FakeDoorkeeper(key(2).did), ManualClock())
        for url in urls:
            receiver.gate._parse_keyid(str(url.encode(), "ascii"))
        return receiver

    await weigh("keyids", fill)


async def test_invariant_7_circuits() -> None:
    async def fill() -> Circuits:
        circuits = Circuits()
        for number in range(limits.CIRCUITS + 100):
            circuit = circuits.find(2**31 + number)
            circuit.may_ask(float(number))
            circuit.failed(float(number))
        return circuits

    await weigh("circuits", fill)


@asynccontextmanager
async def crowded(members: int) -> AsyncIterator[tuple[Server, Callable[[bytes], Awaitable[object]]]]:
    """A server; and what opens every connection it allows, and begins a request on each."""
    callers: list[Caller] = []
    async with wire() as wires:
        server = Server(wires)
        bounded = server.endpoint.server()

        async def begin(request: bytes) -> object:
            for number in range(members):
                callers.append(await Caller.tcp(port))
                sender = key(100 + number // limits.CONNECTIONS_PER_KEY)
                await callers[-1].ask(signed(sender, server.own.did, server.clock.wall()))
            callers.extend([await Caller.tcp(port) for _ in range(limits.CONNECTIONS_INBOUND)])
            for caller in callers:
                caller.writer.write(request)
            await until(
                lambda: all(has_come(each, len(request)) for each in bounded.connections), "they come"
            )
            assert len(bounded.connections) == members + limits.CONNECTIONS_INBOUND
            return callers

        for number in range(members // limits.CONNECTIONS_PER_KEY):
            server.doorkeeper.trust[key(100 + number).did] = server.doorkeeper.trust[key(1).did]
        async with serving(web.ServerRunner(bounded)) as port:
            yield server, begin
            for caller in callers:
                caller.close()


def has_come(connection: Any, size: int) -> bool:
    """Whether so much of a request has been read."""
    assert isinstance(connection, BoundedConnection)
    return connection._received >= size or not connection.idle


@pytest.mark.slow
async def test_invariant_7_connections_with_heads() -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 490) for number in range(limits.HEADERS - 2))
    assert limits.HEAD_BYTES * 0.9 < len(HEAD + lines) < limits.HEAD_BYTES
    async with crowded(limits.CONNECTIONS_OF_MEMBERS) as (_, begin):
        await weigh("heads", lambda: begin(HEAD + lines))


@pytest.mark.slow
async def test_invariant_7_connections_with_bodies() -> None:
    body = b"Content-Length: %d\r\n\r\n" % limits.REQUEST_BYTES + b" " * (limits.REQUEST_BYTES - 1)
    async with crowded(limits.CONNECTIONS_OF_MEMBERS) as (_, begin):
        await weigh("bodies", lambda: begin(HEAD + body))


async def test_invariant_7_replies_of_peers() -> None:
    """Each signed, so that they are read as far as they come; the last byte does not."""
    body = b" " * limits.REPLY_BYTES

    def read(wires: Wire) -> list[int]:
        """How many bytes came on each connection."""
        assert wires.session.connector is not None
        return [getattr(each, "_received", 0) for each in wires.session.connector._acquired]

    async with wire() as wires:
        pair = Pair(wires)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            signature = head.partition("Signature: ")[2].partition("\r\n")[0]
            fields = signed_reply(pair.peer, body, signature)
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode())
            writer.write(body[:-1])
            await writer.drain()
            await reader.read(-1)
            writer.close()

        async with raw_server(serve) as port:
            pair.listen(port)
            calls: list[asyncio.Task[Any]] = []

            async def fill() -> object:
                calls.extend(asyncio.create_task(pair.call()) for _ in range(limits.POLLS_IN_FLIGHT))
                await until(lambda: sum(size > len(body) for size in read(wires)) == limits.POLLS_IN_FLIGHT)
                return calls

            await weigh("replies", fill)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)


async def test_invariant_7_log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enigma_fed.base.log.threading.Thread.start", lambda thread: None)
    monkeypatch.setattr("enigma_fed.base.log.threading.Thread.join", lambda thread, timeout: None)
    output = log.LogOutput("info", [])

    async def fill() -> object:
        for number in range(limits.LOG_QUEUE_LINES + 1):
            text = "word " * limits.LOG_LINE_CHARACTERS
            output._entry.handle(logging.makeLogRecord({"name": "enigma_fed", "msg": f"{number} {text}"}))
        return output

    await weigh("log", fill)
    output._lines.get_nowait()
    output.close()


def apps(count: int, size: int) -> tuple[App, ...]:
    """So many apps, each with texts of this size of their own."""
    return tuple(
        App(id=f"{n:0{size}d}", status=f"s{n:0{size - 1}d}", version=f"v{n:0{size - 1}d}")
        for n in range(count)
    )


def observation(did: Did, count: int, size: int) -> Observation:
    """What polling keeps of a peer with so many apps."""
    state = FullState(
        epoch=bytes(8),
        started=1_800_000_000,
        seq=2**40,
        ts=100_000,
        snapshot=Snapshot(node_name="n" * limits.NODE_NAME_BYTES, apps=apps(count, size)),
        signature=bytes(bytearray(64)),
    )
    return Observation(
        did=did, last_seen=1_800_000_000, state=state, last_error="x" * limits.ERROR_CHARACTERS
    )


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are made up here and not looked at: that takes a second for thousands, and no memory."""
    monkeypatch.setattr("enigma_fed.base.ids.is_public_key", lambda key: True)


@pytest.mark.usefixtures("unchecked")
async def test_invariant_7_members() -> None:
    async def fill() -> object:
        kept = []
        for number in range(limits.PEERS):
            did, its = Did(b"%032d" % number), OnionAddress(b"%031d." % number)
            kept.append((member(1, did=did, onion=its), observation(did, 20, 20)))
        return kept

    await weigh("members", fill)


async def test_invariant_7_the_largest_state() -> None:
    did = key(1).did

    async def fill() -> object:
        return observation(did, limits.APPS_PER_STATE, limits.APP_FIELD_BYTES)

    await weigh("largest state", fill)


@pytest.mark.usefixtures("unchecked")
async def test_invariant_7_removed_members() -> None:
    async def fill() -> object:
        return [
            tombstone(1, did=Did(b"%032d" % number), joined_with=(b"%031d." % number,))
            for number in range(limits.TOMBSTONES)
        ]

    await weigh("tombstones", fill)


async def test_invariant_7_invites() -> None:
    code = "fed1:" + "x" * 800

    async def fill() -> object:
        ended = [
            outgoing(1, token_hash=b"%032d" % n, stage=Stage.EXPIRED) for n in range(limits.INVITES_KEPT)
        ]
        open_ = [outgoing(1, token_hash=b"%032d" % n, code=f"{code}{n}") for n in range(limits.OPEN_INVITES)]
        theirs = [incoming(1, token_hash=b"%032d" % n, code=f"{code}{n}") for n in range(limits.INVITES_KEPT)]
        waiting = [pending(1, token_hash=b"%032d" % n) for n in range(limits.PENDING_JOINS)]
        return [*ended, *open_, *theirs, *waiting]

    await weigh("invites", fill)
