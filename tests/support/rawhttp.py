"""Signed requests as bytes on connections that a test holds in its hands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from enigma_fed.base.ids import Did
from enigma_fed.identity.nodekey import NodeKey
from tests.support.signedcalls import call_body, signed_fields

HEAD = b"POST /rpc/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
"""The beginning of a request without a signature."""


def proxy_line(circuit: int) -> bytes:
    """What tor sends first on a connection by this circuit."""
    high, low = divmod(circuit, 2**16)
    return b"PROXY TCP6 fc00:dead:beef:4dad::%x:%x ::1 24 80\r\n" % (high, low)


def framed(fields: Mapping[str, str], body: bytes) -> bytes:
    """A request with these fields."""
    lines = [f"{name}: {value}" for name, value in fields.items()]
    head = "\r\n".join(["POST /rpc/v1 HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines])
    return head.encode() + b"\r\n\r\n" + body


def signed(sender: NodeKey, receiver: Did, created: float, body: bytes | None = None) -> bytes:
    """A signed call, `federation.get-state` if no body is given."""
    body = call_body() if body is None else body
    return framed(signed_fields(sender, receiver, body, created), body)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, as far as the tests look at it."""

    status: int
    word: str
    """The word of its error, or `ok`."""
    closes: bool


class Caller:
    """One connection to a listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def tcp(cls, port: int) -> Self:
        """A connection to a loopback port."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def onion(cls, path: Path, circuit: int) -> Self:
        """A connection as tor makes it, by this circuit."""
        made = cls(*await asyncio.open_unix_connection(path))
        made.writer.write(proxy_line(circuit))
        return made

    async def ask(self, request: bytes) -> Answer:
        """Send, and read one reply; raises EOFError, OSError when the connection ended."""
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> Answer:
        """Read one reply."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(fields.get("content-length", "0")))
        word = "ok"
        if fields["content-type"] == "application/json" and body:
            word = json.loads(body).get("error", {}).get("data", {}).get("code", "ok")
        return Answer(int(head[0].split()[1]), word, fields.get("connection") == "close")

    async def is_closed(self) -> bool:
        """Whether the other side has closed, which sends nothing more; waits for one of the two."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True

    def close(self) -> None:
        """Close."""
        self.writer.close()
