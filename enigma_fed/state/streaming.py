"""Pushes each new state to its subscribers (PROTOCOL section 3): the asyncio around `streamrules`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import Busy
from enigma_fed.base.tasks import Tasks
from enigma_fed.rpc.streamlink import StreamLink
from enigma_fed.state.streamrules import Window
from enigma_fed.wire.state import Have
from enigma_fed.wire.stream import CloseCode, decode_ack
from enigma_fed.wire.websocket import Frame, Opcode

_LOOK: Final = 5.0
"""Seconds between two looks at which streams are over."""
_CUT: Final = "ended-cut"
_LOST: Final = "ended-lost"


class Published(Protocol):
    """A state for one reader: whole, or as a step."""

    @property
    def seq(self) -> int | None:
        """Its number; None is for what no stream sends."""
        ...

    def encoded(self, *, binary: bool) -> bytes:
        """The result of `federation.get-state`, as CBOR if `binary`."""
        ...


class States(Protocol):
    """Where states come from."""

    @property
    def epoch(self) -> bytes:
        """8 random bytes of this start."""
        ...

    def streaming(self) -> AbstractContextManager[None]:
        """Gauges are sampled while this is open."""
        ...

    async def after(self, have: Have | None) -> Published:
        """The newest state, as soon as `have` is not the newest."""
        ...

    def newest_for(self, have: Have | None) -> Published | None:
        """The newest state for a reader who has `have`; None when that is it. Nothing is sampled."""
        ...


class StreamPublisher:
    """All streams of this node, one per peer; `close` ends them."""

    def __init__(
        self,
        states: States,
        clock: Clock,
        tasks: Tasks,
        may_stream: Callable[[Did], bool],
        heard: Callable[[Did], None] = lambda did: None,
    ) -> None:
        """`may_stream` tells whether a peer may still read the state; `heard` is told of its pings."""
        self._states = states
        self._clock = clock
        self._tasks = tasks
        self._may_stream = may_stream
        self._heard = heard
        self._streams: dict[Did, Stream] = {}
        self._working: tuple[asyncio.Task[None], ...] = ()
        self._closed = False
        self.statistics: Counter[str] = Counter()
        """`opened`, `frames`, `bytes`, `conflated` (numbers that frames passed over), and
        `ended-<why>`: a close code's name, `cut`, or `lost`."""

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def epoch(self) -> bytes:
        """8 bytes: that of every frame."""
        return self._states.epoch

    def attach(self, did: Did, have: Have | None, link: StreamLink) -> Stream:
        """Begin a stream; an older one of that DID ends. Raises Busy when there are too many."""
        older = self._streams.get(did)
        if self._closed or (older is None and len(self._streams) >= limits.STREAMS_INBOUND):
            raise Busy("too many streams")
        if older is not None:
            older.end(CloseCode.REPLACED)
        stream = self._streams[did] = Stream(self, did, Window(self._clock.boot(), have), link)
        self.statistics["opened"] += 1
        if not self._working:
            self._working = (
                self._tasks.start("stream states", self._push()),
                self._tasks.start("stream times", self._watch()),
            )
        return stream

    def cut(self, did: Did) -> None:
        """Drop the stream of that DID before returning (invariant 6)."""
        stream = self._streams.get(did)
        if stream is not None:
            self.forget(stream, _CUT)
            stream.link.drop()

    def end_all(self, code: CloseCode) -> None:
        """End every stream, for one reason."""
        for stream in tuple(self._streams.values()):
            stream.end(code)

    def close(self) -> None:
        """End every stream, and begin no more: the node stops."""
        self._closed = True
        self.end_all(CloseCode.GOING_AWAY)

    def forget(self, stream: Stream, why: str) -> bool:
        """Take a stream off the list, counted under `why`; False when it is not on it."""
        if self._streams.get(stream.did) is not stream:
            return False
        del self._streams[stream.did]
        self.statistics[why] += 1
        if not self._streams:
            working, self._working = self._working, ()
            for task in working:
                task.cancel()
        return True

    def pump(self, stream: Stream) -> None:
        """Send the newest state on a stream, if it lacks that, and may and can take it now."""
        if not (stream.window.is_open and stream.link.ready):
            return
        if not self._may_stream(stream.did):
            stream.end(CloseCode.TRUST_CHANGED)
            return
        newest = self._states.newest_for(stream.window.have)
        if newest is None:
            return
        message = newest.encoded(binary=True)
        stream.link.send(message)
        before, now = stream.window.have, self._have(newest)
        if before is not None and before.epoch == now.epoch:
            self.statistics["conflated"] += max(0, now.seq - before.seq - 1)
        stream.window.sent(now, self._clock.boot())
        self.statistics["frames"] += 1
        self.statistics["bytes"] += len(message)

    def took(self, stream: Stream, frame: Frame) -> None:
        """A subscriber sent a frame; raises WireError when it may not."""
        stream.window.took(self._clock.boot())
        if frame.opcode is Opcode.PING:
            self._heard(stream.did)
        else:
            stream.window.acknowledged(decode_ack(frame.payload))
            self.pump(stream)

    def _have(self, newest: Published) -> Have:
        assert newest.seq is not None
        return Have(self.epoch, newest.seq)

    async def _push(self) -> None:
        """Send each new state to all; others have their turn in between."""
        have: Have | None = None
        try:
            with self._states.streaming():
                while True:
                    have = self._have(await self._states.after(have))
                    for stream in tuple(self._streams.values()):
                        self.pump(stream)
                        await asyncio.sleep(0)
        finally:
            self._end_left()

    async def _watch(self) -> None:
        """End what is over, and send what could not be sent before."""
        try:
            while True:
                await self._clock.sleep(_LOOK)
                now = self._clock.boot()
                for stream in tuple(self._streams.values()):
                    self._look_at(stream, now)
        finally:
            self._end_left()

    def _look_at(self, stream: Stream, now: float) -> None:
        code = stream.window.ending(now)
        if code is None:
            self.pump(stream)
        else:
            stream.end(code)

    def _end_left(self) -> None:
        """After an error of this program: streams that nobody serves would hold their peers' polls off."""
        if asyncio.current_task() in self._working:
            self.end_all(CloseCode.GOING_AWAY)


class Stream:
    """One subscriber's stream, as its link sees it."""

    __slots__ = ("_publisher", "did", "link", "window")

    def __init__(self, publisher: StreamPublisher, did: Did, window: Window, link: StreamLink) -> None:
        self._publisher = publisher
        self.did = did
        self.window = window
        self.link = link

    def opened(self) -> None:
        """Frames can be sent from now on."""
        self._publisher.pump(self)

    def took(self, frame: Frame) -> None:
        """The subscriber sent a frame; raises WireError when it may not."""
        self._publisher.took(self, frame)

    def end(self, code: CloseCode) -> None:
        """End it, and close its link."""
        if self._publisher.forget(self, f"ended-{code.name.lower().replace('_', '-')}"):
            self.link.close(code)

    def lost(self) -> None:
        """The connection is gone; nothing happens when the stream has ended before."""
        self._publisher.forget(self, _LOST)
