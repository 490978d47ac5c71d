"""WebSocket frames of a server, byte by byte, as no library would send them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def frame(kind: int, payload: bytes = b"", *, final: bool = True, says: int | None = None) -> bytes:
    """One frame; `says` is the length that its head claims."""
    size = len(payload) if says is None else says
    first = kind | (0x80 if final else 0)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 2**16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def close(code: int) -> bytes:
    """A close frame."""
    return frame(CLOSE, code.to_bytes(2, "big"))


def switching(key: str, **more: str) -> bytes:
    """The head of a 101 that answers this `Sec-WebSocket-Key`."""
    accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
    fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
    fields |= {name.replace("_", "-"): value for name, value in more.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode()


class Peer:
    """The server's end of one connection, after the request's head."""

    def __init__(
        self, fields: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.fields = fields
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Write, and wait until that is taken."""
        self.writer.write(data)
        await self.writer.drain()

    async def read_frame(self) -> tuple[int, bytes]:
        """A frame of the client: its kind and what it holds; it must be masked."""
        first, second = await self.reader.readexactly(2)
        assert second & 0x80, "clients mask their frames"
        size = second & 0x7F
        mask = await self.reader.readexactly(4)
        payload = await self.reader.readexactly(size)
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def playing(
    play: Callable[[Peer], Awaitable[None]],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A handler of connections that reads one request's head and plays."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            await play(Peer({name.lower(): value for name, value in pairs}, reader, writer))
        except (OSError, EOFError):
            pass  # the client went away, as it should from some of these
        finally:
            writer.close()

    return handle
