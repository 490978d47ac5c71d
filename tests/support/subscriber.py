"""A subscriber with a manual clock, and what its client told."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable, RefusedByPeer, StreamEnded
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.rpc.peerclocks import PeerClocks
from enigma_fed.rpc.streamclient import PeerStream, StreamClient
from enigma_fed.wire.state import Have
from tests.support.manualclock import ManualClock
from tests.support.publisher import Play, publishing, served
from tests.support.rpcserver import Wire
from tests.support.signedcalls import key, onion


class Subscriber:
    """key(1), and what its client told."""

    def __init__(self, wires: Wire) -> None:
        self.wires = wires
        self.clock = ManualClock()
        self.unanswered: list[OnionAddress] = []
        self.skews: list[tuple[Did, int]] = []
        self.heard = 0
        self.client = StreamClient(
            key(1),
            wires.session,
            self.clock,
            os.urandom,
            PeerClocks(),
            unanswered=self.unanswered.append,
            skewed=lambda did, seconds: self.skews.append((did, seconds)),
        )

    def open(
        self, have: Have | None = None, ping: float = limits.STREAM_PING
    ) -> AbstractAsyncContextManager[PeerStream]:
        return self.client.open(key(2).did, onion(2), have, ping=ping, heard=self._hear)

    def _hear(self) -> None:
        self.heard += 1

    async def refused(self, play: Play) -> PeerUnreachable | RefusedByPeer:
        """Why no stream comes of what this publisher answers."""
        async with served(self.wires, play):
            try:
                async with self.open():
                    raise AssertionError("it stands")
            except (PeerUnreachable, RefusedByPeer) as error:
                return error

    async def ended(self, *frames: bytes) -> StreamEnded:
        """How a stream ends that brings these."""
        async with served(self.wires, publishing(*frames)):
            with pytest.raises(StreamEnded) as ended:
                await self.follow()
        return ended.value

    async def follow(self) -> None:
        """Take frames until the stream ends."""
        async with self.open() as stands:
            while True:
                await stands.frame()
