"""The state of this node: sampled while somebody asks or streams, signed once per number (PROTOCOL 2)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.tasks import Tasks
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.state import rules
from enigma_fed.state.results import PlainResult, StateResult
from enigma_fed.wire.snapshot import App, Snapshot, sorted_apps
from enigma_fed.wire.state import FullState, GetStateParams, Have, Unchanged

_SAMPLE_PATIENCE = 2.0
"""Seconds that an answer waits for a new sample before it takes the last one (a hanging disk)."""


class SamplesGauges(Protocol):
    """What the service needs of a sampler; called in a worker thread."""

    def sample(self, tor_active: bool) -> Snapshot:
        """One snapshot."""
        ...


class StateService:
    """Publishes this node's state; `epoch` is 8 random bytes of this start.

    Gauges are read in a worker thread, every limits.STATE_SAMPLE_INTERVAL while somebody asks or streams.
    `changed` publishes a change of Tor or of an app at once, with the last gauges: no disk is
    asked. Two numbers are at least limits.STATE_GAP apart; what changes in between comes with the next.

    A stream (PROTOCOL section 3) is one `with service.streaming():` in which
    `result = await service.after(have)` gives the next frame, `result.encoded(binary=True)`, as
    soon as there is one; `have` is then `Have(service.epoch, result.seq)`. Who comes back late gets one
    delta to the newest state, whatever lies between.
    """

    def __init__(
        self,
        key: NodeKey,
        clock: Clock,
        epoch: bytes,
        sampler: SamplesGauges,
        tor_active: Callable[[], bool],
        tasks: Tasks,
        apps: Callable[[], tuple[App, ...]] | None = None,
    ) -> None:
        """`apps` tells the apps of this node at any time; without it they are those of the samples."""
        self._publisher = rules.Publisher(key.did.public_key, epoch, int(clock.wall()), key.sign)
        self._clock = clock
        self._sampler = sampler
        self._tor_active = tor_active
        self._tasks = tasks
        self._apps = apps
        self.sampled: Callable[[Snapshot], None] | None = None
        """Told of each sample, if it is set."""
        self._gauges: Snapshot | None = None
        self._sampled_at: float | None = None
        self._published_at: float | None = None
        self._sampling: asyncio.Task[None] | None = None
        self._postponed: asyncio.Task[None] | None = None
        self._sampling_for_streams: asyncio.Task[None] | None = None
        self._streams = 0
        self._newer = asyncio.Event()
        self._results: dict[int | None, StateResult] = {}
        self._plain: PlainResult | None = None
        self._unchanged = StateResult(Unchanged())
        self.statistics: Counter[str] = Counter()
        """Answers and frames by kind (`full`, `delta`, `unchanged`, `plain`); `published`: numbers made."""

    @property
    def epoch(self) -> bytes:
        """8 random bytes of this start."""
        return self._publisher.epoch

    @property
    def started(self) -> int:
        """Unix seconds of this start."""
        return self._publisher.started

    @property
    def streams(self) -> int:
        """Streams that are open."""
        return self._streams

    async def current(self) -> FullState:
        """The newest state, its gauges no older than limits.STATE_SAMPLE_INTERVAL."""
        if rules.sample_due(self._clock.boot(), self._sampled_at) or self._publisher.current is None:
            await self._refresh()
        elif self._gauges is not None and self._gauges.tor_active != self._tor_active():
            self.changed()
        current = self._publisher.current
        assert current is not None
        return current

    async def answer(self, params: GetStateParams) -> StateResult | PlainResult:
        """What `federation.get-state` answers to these params."""
        current = await self.current()
        if params.plain:
            self.statistics["plain"] += 1
            self._plain = self._plain or PlainResult(current)
            return self._plain
        return self._counted(self._result(params.have))

    def changed(self) -> None:
        """Tor or an app changed: publish that at once, or as soon as limits.STATE_GAP allows.

        Nothing happens before anybody asked for a state, or when nothing is different.
        """
        if self._gauges is not None:
            self._publish_in_time()

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Read the gauges at their interval as long as this is open."""
        self._streams += 1
        if self._sampling_for_streams is None:
            self._sampling_for_streams = self._tasks.start("gauges for streams", self._sample_for_streams())
        try:
            yield
        finally:
            self._streams -= 1
            if not self._streams and self._sampling_for_streams is not None:
                self._sampling_for_streams.cancel()
                self._sampling_for_streams = None

    async def after(self, have: Have | None) -> StateResult:
        """The newest state for a reader who has `have`, as soon as that is not the newest any more.

        A delta, or the full state where `have` is none that we still know; never `unchanged`.
        """
        await self.current()
        while (result := self._result(have)) is self._unchanged:
            await self._newer.wait()
        return self._counted(result)

    def newest_for(self, have: Have | None) -> StateResult | None:
        """As `after`, at once: None when `have` is the newest, or there is none. Nothing is sampled."""
        if self._publisher.current is None or (result := self._result(have)) is self._unchanged:
            return None
        return self._counted(result)

    def _counted(self, result: StateResult) -> StateResult:
        self.statistics[result.kind] += 1
        return result

    def _result(self, have: Have | None) -> StateResult:
        """The newest state for a reader who has `have`; made once for all readers who have that."""
        current, base = self._publisher.current, self._publisher.base(have)
        assert current is not None
        if base is current:
            return self._unchanged
        seq = None if base is None else base.seq
        result = self._results.get(seq)
        if result is None:
            result = self._results[seq] = self._full() if base is None else self._delta(base)
        return result

    def _full(self) -> StateResult:
        current = self._publisher.current
        assert current is not None
        return self._results.setdefault(None, StateResult(current))

    def _delta(self, base: FullState) -> StateResult:
        """The delta, unless the whole state is as short: in JSON a delta takes a third more."""
        delta, full = StateResult(self._publisher.delta_from(base)), self._full()
        return delta if 4 * len(delta.encoded(binary=True)) < 3 * len(full.encoded(binary=True)) else full

    async def _refresh(self) -> None:
        now = self._clock.boot()
        if self._sampling is None and rules.sample_due(now, self._sampled_at):
            self._sampling, self._sampled_at = self._tasks.start("state sample", self._sample()), now
        patience = _SAMPLE_PATIENCE - (now - (self._sampled_at or now))
        if self._sampling is not None and patience > 0:
            await asyncio.wait({self._sampling}, timeout=patience)
        if self._publisher.current is None:
            self._gauges = Snapshot()
            self._publish()

    async def _sample(self) -> None:
        try:
            self._gauges = await asyncio.to_thread(self._sampler.sample, self._tor_active())
            self._publish_in_time()
            if self.sampled is not None:
                self.sampled(self._gauges)
        finally:
            self._sampling = None

    async def _sample_for_streams(self) -> None:
        while True:
            await self._refresh()
            age = 0.0 if self._sampled_at is None else self._clock.boot() - self._sampled_at
            await self._clock.sleep(max(limits.STATE_GAP, limits.STATE_SAMPLE_INTERVAL - age))

    def _publish_in_time(self) -> None:
        if self._postponed is not None:
            return
        wait = rules.gap(self._clock.boot(), self._published_at)
        if wait > 0:
            self._postponed = self._tasks.start("state change", self._publish_later(wait))
        else:
            self._publish()

    async def _publish_later(self, wait: float) -> None:
        try:
            await self._clock.sleep(wait)
        finally:
            self._postponed = None
        self._publish()

    def _publish(self) -> None:
        """Give what is true now a number, if it says anything new."""
        if not self._publisher.advance(self._clock.wall(), self._snapshot()):
            return
        self.statistics["published"] += 1
        self._published_at = self._clock.boot()
        self._results, self._plain = {}, None
        self._newer.set()
        self._newer = asyncio.Event()

    def _snapshot(self) -> Snapshot:
        assert self._gauges is not None
        self._gauges = msgspec.structs.replace(self._gauges, tor_active=self._tor_active())
        if self._apps is not None:
            apps = sorted_apps(self._apps())[: limits.APPS_PER_STATE]
            self._gauges = msgspec.structs.replace(self._gauges, apps=apps)
        return self._gauges
