"""Bytes to a registry on a connection, and the replies that come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from enigma_fed.wire import envelope as envelopes
from enigma_fed.wire.userid import UserId
from tests.support.registryserver import RegistryCaller

JSON: Final = b"Content-Type: application/json\r\n"
_TIMEOUT: Final = 30
_KEY: Final = envelopes.public_key(bytes([7]) * 32)


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> Self:
        """The next one of a connection."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")[:-2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        return cls(int(first.split()[1]), headers, body)

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str, str | None]:
        """Status, code and field of an error."""
        error = self.json["error"]
        return self.status, error["code"], error.get("details", {}).get("field")


async def exchange(
    caller: RegistryCaller, *pieces: bytes, replies: int = 1, until_closed: bool = False
) -> list[Reply]:
    """Send pieces on a new connection and read so many replies, then its end if it has to come."""
    async with asyncio.timeout(_TIMEOUT):
        reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        answers = [await Reply.read(reader) for _ in range(replies)]
        if until_closed:
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        return answers


def post(path: str, body: bytes, fields: bytes = JSON) -> bytes:
    """A POST with these fields besides its length."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n".encode()
    return head + fields + b"\r\n" + body


def resolve_body(user: UserId, key: bytes = _KEY) -> bytes:
    """The body of a `/resolve` or `/v1/log` by who holds this X25519 key."""
    return json.dumps({"handle": user.hex, "requester_ephemeral_pubkey_hex": key.hex()}).encode()
