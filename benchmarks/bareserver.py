"""A bare aiohttp server as a process of its own: answers every POST with the same bytes.

`python -m benchmarks.bareserver SOCKET BODY`: listens behind the line that tor sends first, until its
standard input ends. Runs on uvloop where the agent does.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from aiohttp import web

from enigma_fed.transports.tor.proxyline import OnionListener

PORT: Final = 81
HEADERS_OF_A_SIGNED_REPLY: Final = {
    "Content-Type": "application/json",
    "Content-Digest": "sha-256=:" + "x" * 44 + ":",
    "Signature-Input": "fed=" + "x" * 230,
    "Signature": "fed=:" + "x" * 88 + ":",
}
"""As many bytes as a signed reply's; their content does not matter."""


class BareServer:
    """The process, as the benchmark sees it."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "bare.sock"
        self._body = folder / "bare.body"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def torrc_line(self) -> str:
        """Publishes the server on a port of the onion whose lines stand before."""
        return f'HiddenServicePort {PORT} unix:"{self._socket}"\n'

    async def start(self, body: bytes) -> None:
        """Start it, with this body for every answer."""
        await asyncio.to_thread(self._body.write_bytes, body)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.bareserver",
            str(self._socket),
            str(self._body),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        await self._process.stdout.readline()

    async def close(self) -> None:
        """End it."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._process.wait()


async def _serve(socket: Path, body: bytes) -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(body=body, headers=HEADERS_OF_A_SIGNED_REPLY)

    async with AsyncExitStack() as stack:
        runner = web.ServerRunner(web.Server(answer, access_log=None))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        assert runner.server is not None
        listener = OnionListener(runner.server, socket)
        await listener.start()
        stack.push_async_callback(listener.close)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve until standard input ends."""
    try:
        import uvloop

        make_loop = uvloop.new_event_loop
    except ImportError:
        make_loop = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(_serve(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()))


if __name__ == "__main__":
    main()
