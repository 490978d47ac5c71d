"""The calling end of a WebSocket: messages from a connection that answered 101 (PROTOCOL section 3).

aiohttp's frame parser and writer are used, its handshake is not: it follows redirects, drops the body of
a refusal, and takes frames before anybody could look at the signature of the 101.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import WS_KEY, WebSocketError, WebSocketReader, WebSocketWriter, WSCloseCode
from aiohttp.streams import EofStream

from enigma_fed.base import limits
from enigma_fed.base.errors import StreamEnded, WireError
from enigma_fed.rpc.streamend import StreamEnd, of_close_code

_QUEUED: Final = 32 * 1024
"""Bytes of messages not taken yet at which reading pauses, halved as aiohttp counts it."""
_BROUGHT: Final = 4 * limits.REPLY_BYTES
"""Bytes that may come until the next message is whole: two at most that wait, and one that is read."""

_UNREAD: Final = 16 * 1024
"""Bytes of ours that wait to be sent; acknowledgements and pings take ten each."""


def upgrade_fields(key: str) -> dict[str, str]:
    """The fields of a request that asks for a WebSocket; `key` is 16 random bytes in base64."""
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
    }


def check_upgrade(response: aiohttp.ClientResponse, key: str) -> None:
    """Whether a 101 is the answer to `key`, with nothing that was not asked for; raises WireError."""
    fields = response.headers
    accept = base64.b64encode(hashlib.sha1(key.encode("ascii") + WS_KEY, usedforsecurity=False).digest())
    if (
        fields.get("Upgrade", "").lower() != "websocket"
        or fields.get("Connection", "").lower() != "upgrade"
        or fields.getall("Sec-WebSocket-Accept", []) != [accept.decode("ascii")]
        or "Sec-WebSocket-Extensions" in fields
        or "Sec-WebSocket-Protocol" in fields
    ):
        raise WireError("the answer is not that of a WebSocket")


@dataclass(frozen=True, slots=True)
class Heard:
    """A message: the bytes of a binary frame, or None for one that only shows that the peer is there."""

    data: bytes | None


class FrameGuard:
    """The frame parser of one connection, with what may come for one message counted (invariant 7).

    Frames without content, of which a message may have any number, take no memory but time.
    """

    def __init__(self, parser: WebSocketReader, queue: WebSocketDataQueue) -> None:
        self._parser = parser
        self._queue = queue
        self.brought = 0

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Parse; whether it failed, and nothing left over (aiohttp's form of it)."""
        self.brought += len(data)
        if self.brought > _BROUGHT:
            self._queue.set_exception(
                WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, "a message that never ends")
            )
            return True, b""
        return self._parser.feed_data(data)

    def feed_eof(self) -> None:
        """The connection ended."""
        self._parser.feed_eof()


class WebSocket:
    """Messages in both directions; whoever made it closes it."""

    def __init__(self, response: aiohttp.ClientResponse, protocol: ResponseHandler) -> None:
        """`response` is a 101 that was checked, `protocol` its connection's."""
        transport = protocol.transport
        if transport is None:
            raise StreamEnded(StreamEnd.BROKEN)
        self._response = response
        self._transport = transport
        self._why: StreamEnd | None = None
        loop = asyncio.get_running_loop()
        self._queue = WebSocketDataQueue(protocol, _QUEUED, loop=loop)
        parser = WebSocketReader(self._queue, limits.REPLY_BYTES + 1, compress=False, decode_text=False)
        self._guard = FrameGuard(parser, self._queue)
        self._writer = WebSocketWriter(protocol, transport, use_mask=True)
        protocol.read_timeout = None  # silence is told by the agent's clock
        protocol.set_parser(self._guard, self._queue)

    async def receive(self) -> Heard:
        """The next message; a ping is answered. Raises StreamEnded."""
        message = await self._read()
        self._guard.brought = 0
        kind = message.type
        if kind is aiohttp.WSMsgType.BINARY:
            return Heard(message.data)
        if kind is aiohttp.WSMsgType.TEXT:
            raise self._ended(StreamEnd.NOT_BINARY)
        if kind is aiohttp.WSMsgType.CLOSE:
            raise self._ended(of_close_code(message.data))
        if kind is aiohttp.WSMsgType.PING:
            await self._send(message.data, aiohttp.WSMsgType.PONG)
        return Heard(None)

    async def send(self, data: bytes) -> None:
        """Send a binary message; raises StreamEnded."""
        await self._send(data, aiohttp.WSMsgType.BINARY)

    async def ping(self) -> None:
        """Ask for a sign of life; raises StreamEnded."""
        await self._send(b"", aiohttp.WSMsgType.PING)

    def abort(self, why: StreamEnd) -> None:
        """End the connection at once; whoever receives or sends gets StreamEnded with this reason."""
        self._why = self._why or why
        self._transport.abort()

    async def close(self, code: int) -> None:
        """Say why and end the connection, whatever state it is in."""
        with suppress(aiohttp.ClientError, OSError):
            await self._writer.close(code)
        self._response.close()

    async def _read(self) -> aiohttp.WSMessage:
        try:
            message = await self._queue.read()
        except WebSocketError as error:
            large = error.code == WSCloseCode.MESSAGE_TOO_BIG
            raise self._ended(StreamEnd.TOO_LARGE if large else StreamEnd.MALFORMED) from None
        except (EofStream, aiohttp.ClientError, OSError):
            raise self._ended(StreamEnd.BROKEN) from None
        assert isinstance(message, tuple)
        return message  # type: ignore[return-value]  # or one of text, which has the same members

    async def _send(self, data: bytes, kind: aiohttp.WSMsgType) -> None:
        if self._transport.get_write_buffer_size() > _UNREAD:
            # Nobody waits for it to be read: not whoever sends, nor what waits in memory.
            self.abort(StreamEnd.NOT_READ)
            raise self._ended(StreamEnd.NOT_READ)
        try:
            await self._writer.send_frame(data, kind)
        except (aiohttp.ClientError, OSError):
            raise self._ended(StreamEnd.BROKEN) from None

    def _ended(self, why: StreamEnd) -> StreamEnded:
        return StreamEnded(self._why or why)
