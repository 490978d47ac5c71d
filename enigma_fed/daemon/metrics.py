"""`/metrics`: reads everything once, for everyone who asks within a second."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from enigma_fed.base import limits
from enigma_fed.daemon.adminparts import Parts
from enigma_fed.daemon.diskroom import DiskRoom
from enigma_fed.daemon.looplag import LoopLag
from enigma_fed.daemon.metricslist import FAMILIES
from enigma_fed.daemon.metricsscene import Scene, look_at_peers, look_at_processes
from enigma_fed.daemon.metricstext import Form, render
from enigma_fed.daemon.metricsvalues import Found
from enigma_fed.wire.adminviews import ReadinessView


class Metrics:
    """One scrape at a time; the loop only reads numbers, text is made in a worker thread."""

    def __init__(
        self,
        parts: Parts,
        disk: DiskRoom,
        readiness: Callable[[], Awaitable[ReadinessView]],
        requests: Counter[str],
    ) -> None:
        """`requests` are those to the admin listener by what became of them."""
        self._parts = parts
        self._disk = disk
        self._readiness = readiness
        self._requests = requests
        self._lag = LoopLag()
        self._samples_lag = False
        self._one_at_a_time = asyncio.Lock()
        self._read_at = float("-inf")
        self._texts: dict[Form, bytes] = {}

    async def text(self, form: Form) -> bytes:
        """The newest reading, limits.METRICS_FRESH seconds old at most."""
        async with self._one_at_a_time:
            now = self._parts.clock.boot()
            if form not in self._texts or now - self._read_at >= limits.METRICS_FRESH:
                found = await self._read()
                self._texts = {form: await asyncio.to_thread(render, found, form)}
                self._read_at = now
            return self._texts[form]

    async def _read(self) -> tuple[Found, ...]:
        if not self._samples_lag:  # who never looks pays nothing
            self._samples_lag = True
            self._parts.tasks.start("loop lag", self._lag.watch())
        scene = await self._look()
        return tuple(Found(family, tuple(family.read(scene))) for family in FAMILIES)

    async def _look(self) -> Scene:
        parts = self._parts
        return Scene(
            parts=parts,
            admin_requests=self._requests,
            crowd=await look_at_peers(parts),
            state=await parts.state.current(),
            readiness=await self._readiness(),
            room=await self._disk.look(),
            processes=await asyncio.to_thread(look_at_processes, parts.tor().pid),
            lag=self._lag.durations,
        )
