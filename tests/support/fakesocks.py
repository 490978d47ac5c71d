"""A SOCKS5 server that answers like tor and records who asked for what; nothing is ever dialled."""

from __future__ import annotations

import asyncio
from typing import Self

from enigma_fed.transports.tor.endpoint import Endpoint

_SUCCESS = b"\x05\x00\x00\x01\0\0\0\0\0\0"


class FakeSocks:
    """Answers each CONNECT with `code` (0: success, then every HTTP request gets `200 hello`)."""

    def __init__(self, code: int = 0, path: str = "") -> None:
        """`path` is for a Unix socket in place of a port."""
        self.code = code
        self._path = path
        self.reply = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        self.requests: list[tuple[str, str, int]] = []
        """(user name, host, port) of every CONNECT."""
        self.heads: list[bytes] = []
        """The head of every HTTP request."""
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        if self._path:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        if self._path:
            return Endpoint.unix(self._path)
        host, port = self._server.sockets[0].getsockname()
        return Endpoint(host, port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            await self._handshake(reader, writer)
            while self.code == 0:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self.reply)
                await writer.drain()
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    async def _handshake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly(2)
        if 2 not in await reader.readexactly(methods[1]):
            writer.write(b"\x05\x00")  # somebody looks whether this is a SOCKS port, and goes
            raise EOFError
        writer.write(b"\x05\x02")
        name = await reader.readexactly((await reader.readexactly(2))[1])
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x01\x00")
        host = await reader.readexactly((await reader.readexactly(5))[4])
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.requests.append((name.decode(), host.decode(), port))
        writer.write(_SUCCESS if self.code == 0 else bytes([5, self.code]) + _SUCCESS[2:])
        await writer.drain()
