"""CPU time of the server process per answered get-state, over plaintext loopback, kinds of server in turn.

Ours answers with a delta of a state of 30 apps to callers who have one of the last few numbers; what it is
set against signs and sends all of it each time.
Requests are signed before a turn begins; the clock that counts is the kernel's for the server's threads.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from benchmarks.report import Comparison
from benchmarks.stateservers import CALLERS, EPOCH, SERVER, seeded_key
from enigma_fed.wire import base64url, contentdigest, httpsig, jsonrpc
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.state import FullState, GetStateParams, Have, answer_from_object

_KINDS: Final = (
    "ours reference",
    "json reference",
    "json-fast reference",
    "ours short",
    "json short",
    "json-fast short",
    "floor short",
)
"""Of `stateservers`, with the set of apps."""
_NAMES: Final = {
    "json": "full JSON, written canonically and signed for each request",
    "json-fast": "full JSON by msgspec, a hash of its CBOR signed for each request",
    "floor": "bare aiohttp, nothing signed or checked",
}
_ROUNDS: Final = 12
_WARM_UP: Final = 2
_REQUESTS: Final = 32
"""Of each caller in a turn; all turns together stay below the nonces of one key."""
_BEHIND: Final = 6
"""Callers are up to so many numbers behind: who polls each minute what is sampled every ten seconds."""
_END_OF_HEAD: Final = b"\r\n\r\n"


async def run(folder: Path) -> list[Comparison]:
    """Measure all of it; `folder` is for the servers' stores."""
    samples: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    async with AsyncExitStack() as stack:
        servers = {}
        for kind in _KINDS:
            servers[kind] = _Server(kind, folder / kind.replace(" ", "-"))
            await servers[kind].start()
            stack.push_async_callback(servers[kind].close)
        for number in range(_WARM_UP + _ROUNDS):
            for kind in _KINDS if number % 2 else reversed(_KINDS):
                microseconds = await servers[kind].turn()
                if number >= _WARM_UP:
                    samples[kind].append(microseconds)
    return [
        _compare(samples, "json reference", "10.5 KB of JSON", 0.65),
        _compare(samples, "json-fast reference", "10.5 KB of JSON"),
        _compare(samples, "json short", "1.8 KB of JSON"),
        _compare(samples, "json-fast short", "1.8 KB of JSON"),
        _compare(samples, "floor short", "1.8 KB of JSON"),
    ]


def _compare(
    samples: dict[str, list[float]], kind: str, size: str, target: float | None = None
) -> Comparison:
    server, apps = kind.split()
    return Comparison(
        name=f"an answered get-state of {size}, server's CPU",
        ours=tuple(samples[f"ours {apps}"]),
        floor=tuple(samples[kind]),
        floor_name=_NAMES[server],
        unit="µs",
        target=target,
    )


class _Server:
    """One server process, and connections to it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind, self._apps = kind.split()
        self._folder = folder
        self._connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._process: asyncio.subprocess.Process
        self._port = 0

    async def start(self) -> None:
        await asyncio.to_thread(self._folder.mkdir, parents=True)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.stateservers",
            self._kind,
            self._apps,
            str(self._folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._port = int(await self._process.stdout.readline())
        for _ in range(CALLERS):
            self._connections.append(await asyncio.open_connection("127.0.0.1", self._port))

    async def close(self) -> None:
        for _, writer in self._connections:
            writer.close()
            await writer.wait_closed()
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def turn(self) -> float:
        """CPU microseconds of the server for one answer, the mean of a turn."""
        newest = await self._newest()
        requests = [[self._request(number, newest) for _ in range(_REQUESTS)] for number in range(CALLERS)]
        before = self._cpu()
        answers = await asyncio.gather(*map(_ask, self._connections, requests))
        used = self._cpu() - before
        if newest > _BEHIND + 1 and any(b"delta" not in body for body in answers):
            raise RuntimeError("a caller with a number of before got no delta")
        return used / (CALLERS * _REQUESTS)

    def _cpu(self) -> float:
        """CPU time of all threads of the server in microseconds."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1000

    async def _newest(self) -> int:
        """The number of the newest state; 0 where the answer is the state itself."""
        if self._kind != "ours":
            return 0
        body = await _ask(self._connections[0], [self._request(0, 0)])
        result = answer_from_object(jsonrpc.decode_outcome(BodyForm.CBOR, body, 1).result, binary=True)
        assert isinstance(result, FullState)
        return result.seq

    def _request(self, number: int, newest: int) -> bytes:
        """A request of one caller, who has a state from before the newest one; none if there is no such."""
        key = seeded_key(f"caller {number}")
        base = newest - 1 - number % _BEHIND
        have = Have(EPOCH, base) if base > 0 else None
        form = BodyForm.JSON if self._kind.startswith("json") else BodyForm.CBOR
        params = GetStateParams(have=have).to_object(binary=form.binary)
        body = jsonrpc.encode_call(form, "federation.get-state", params, 1)
        fields = httpsig.sign_request(
            key.sign,
            keyid=key.did.url,
            audience=str(seeded_key(SERVER).did),
            content_type=form.value,
            digest=contentdigest.of(body),
            created=int(time.time()),
            nonce=base64url.encode(os.urandom(16)),
            challenge=None,
        )
        head = {"Host": f"127.0.0.1:{self._port}", **fields, "Content-Length": str(len(body))}
        head.setdefault("Content-Type", form.value)
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"POST /rpc/v1 HTTP/1.1\r\n{lines}\r\n".encode() + body


async def _ask(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], requests: list[bytes]) -> bytes:
    """The body of the last answer."""
    reader, writer = connection
    body = b""
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(_END_OF_HEAD)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"not answered: {head.decode()}")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        body = await reader.readexactly(int(length.partition(b":")[2]))
        if b"error" in body:
            raise RuntimeError(f"refused: {body!r}")
    return body
