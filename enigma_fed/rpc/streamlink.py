"""One subscriber's connection once it is a WebSocket: frames out, few and small ones in (PROTOCOL section 3).

aiohttp reads the request and then hands every byte to `StreamLink`, in place of its own reader: that one
takes frames that are not masked and messages in pieces without end, and queues what comes too fast.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.ids import Did
from enigma_fed.wire import websocket
from enigma_fed.wire.state import Have
from enigma_fed.wire.stream import CloseCode
from enigma_fed.wire.websocket import Frame, FrameReader, Opcode

_LITTLE: Final = 4096
"""Bytes that may wait when more is written: pongs and small steps, which uvloop sends a turn later.

So many are looked through for the answer to a goodbye, too.
"""
_NOTHING: Final = (False, b"")
"""What aiohttp is told of every piece: go on, nothing is left."""


class Subscription(Protocol):
    """Who decides about one stream; every call returns at once."""

    def opened(self) -> None:
        """Frames can be sent from now on."""
        ...

    def took(self, frame: Frame) -> None:
        """The subscriber sent a ping or a binary message; raises WireError when it may not."""
        ...

    def end(self, code: CloseCode) -> None:
        """End it, and close its link."""
        ...

    def lost(self) -> None:
        """The connection is gone; nothing happens when the stream has ended before."""
        ...


class Publisher(Protocol):
    """Who has states to send."""

    @property
    def epoch(self) -> bytes:
        """8 bytes: that of every frame."""
        ...

    def attach(self, did: Did, have: Have | None, link: StreamLink) -> Subscription:
        """Begin a stream; an older one of that DID ends. Raises Busy when there are too many."""
        ...

    def cut(self, did: Did) -> None:
        """Drop the stream of that DID before returning (invariant 6)."""
        ...


class StreamLink:
    """Sends and reads the frames of one connection; a frame and a few KiB wait to be sent at most."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._reader = FrameReader(limits.STREAM_MESSAGE_BYTES)
        self._subscription: Subscription | None = None
        self._over = False
        self._deaf = False
        self._said_goodbye = False
        self._late = 0
        self._timer: asyncio.TimerHandle | None = None
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def ready(self) -> bool:
        """Whether a frame would be sent at once: no older one waits for a connection that is slow."""
        if self._subscription is None or self._over:
            return False
        return not self._transport.is_closing() and not self._is_stuck

    @property
    def _is_stuck(self) -> bool:
        return self._transport.get_write_buffer_size() > _LITTLE

    def send(self, message: bytes) -> None:
        """Send a binary frame; call it only while `ready`."""
        self._transport.write(websocket.encode_frame(Opcode.BINARY, message))

    async def serve(self, subscription: Subscription) -> None:
        """Hand on what comes until the stream has ended."""
        self._subscription = subscription
        subscription.opened()
        try:
            await self._finished
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def close(self, code: CloseCode) -> None:
        """Say why, and wait a moment for the answer; or drop it, when even older bytes are not taken."""
        if self._over:
            return
        if self._subscription is None or self._is_stuck:
            self.drop()
            return
        self._over = True
        self._transport.write(websocket.encode_close(code))
        if self._said_goodbye:
            self._finish()
        else:
            # Half of what a stopping node waits for answers: its listeners find this one ended.
            self._timer = asyncio.get_running_loop().call_later(limits.DRAIN_TIMEOUT / 2, self.drop)

    def drop(self) -> None:
        """End at once, with all that was not sent yet."""
        self._over = True
        self._transport.abort()
        self._finish()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what the connection brought, as aiohttp's readers do."""
        if self._over:
            self._late += len(data)
        if self._deaf or self._late > _LITTLE:
            return _NOTHING
        try:
            for frame in self._reader.feed(data):
                if self._finished.done():
                    break
                self._take(frame)
        except WireError:
            self._refuse()
        return _NOTHING

    def feed_eof(self) -> None:
        """The connection is gone."""
        self._over = True
        self._finish()

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._said_goodbye = True
            self._end(CloseCode.DONE)
        elif not self._over and self._subscription is not None:
            self._subscription.took(frame)
            if frame.opcode is Opcode.PING and self.ready:
                self._transport.write(websocket.encode_frame(Opcode.PONG, frame.payload))

    def _refuse(self) -> None:
        self._deaf = True
        self._end(CloseCode.POLICY)

    def _end(self, code: CloseCode) -> None:
        if self._over or self._subscription is None:
            self._finish()
        else:
            self._subscription.end(code)

    def _finish(self) -> None:
        if not self._finished.done():
            self._finished.set_result(None)
