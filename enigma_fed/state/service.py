"""The state of this node, sampled while somebody asks (PROTOCOL section 2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from enigma_fed.base.clock import Clock
from enigma_fed.base.tasks import Tasks
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.methods import EncodedResult
from enigma_fed.state.rules import Publisher, sample_due
from enigma_fed.wire import cbor, strictjson
from enigma_fed.wire.snapshot import Snapshot, snapshot_to_object
from enigma_fed.wire.state import FullState, GetStateParams, Unchanged, full_state_to_object
from enigma_fed.wire.timestamps import to_text

_SAMPLE_PATIENCE = 2.0
"""Seconds that an answer waits for a new sample before it takes the last one (a hanging disk)."""


class SamplesGauges(Protocol):
    """What the service needs of a sampler; called in a worker thread."""

    def sample(self, tor_active: bool) -> Snapshot:
        """One snapshot."""
        ...


class StateResult(EncodedResult):
    """One signed state with its encoded forms, each made once."""

    def __init__(self, state: FullState) -> None:
        self.state = state
        self._encoded: dict[bool, bytes] = {}

    def to_object(self, *, binary: bool) -> dict[str, object]:
        """The full state as a result object."""
        return full_state_to_object(self.state, binary=binary)

    def encoded(self, *, binary: bool) -> bytes:
        """The result object as CBOR or JSON."""
        if binary not in self._encoded:
            encode = cbor.encode if binary else strictjson.encode
            self._encoded[binary] = encode(self.to_object(binary=binary))
        return self._encoded[binary]


class PlainResult:
    """The bare snapshot that the Rust agent asks for, with its `timestamp`."""

    def __init__(self, state: FullState) -> None:
        self._state = state

    def to_object(self, *, binary: bool) -> dict[str, object]:
        """The snapshot object, as `state` in a full answer."""
        return snapshot_to_object(self._state.snapshot, to_text(self._state.started + self._state.ts))


class StateService:
    """Publishes this node's state; `epoch` is 8 random bytes of this start.

    Gauges are read at most every limits.STATE_SAMPLE_INTERVAL, in a worker thread, and only
    when somebody asks; a change of Tor is seen at the next question.
    """

    def __init__(
        self,
        key: NodeKey,
        clock: Clock,
        epoch: bytes,
        sampler: SamplesGauges,
        tor_active: Callable[[], bool],
        tasks: Tasks,
    ) -> None:
        self._publisher = Publisher(key.did.public_key, epoch, int(clock.wall()), key.sign)
        self._clock = clock
        self._sampler = sampler
        self._tor_active = tor_active
        self._tasks = tasks
        self._sampled_at: float | None = None
        self._sampled_tor = False
        self._sampling: asyncio.Task[None] | None = None
        self._result: StateResult | None = None

    @property
    def epoch(self) -> bytes:
        """8 random bytes of this start."""
        return self._publisher.epoch

    @property
    def started(self) -> int:
        """Unix seconds of this start."""
        return self._publisher.started

    async def current(self) -> FullState:
        """The newest state, sampled now if the last sample is old."""
        return (await self._refresh()).state

    async def answer(self, params: GetStateParams) -> StateResult | PlainResult | Unchanged:
        """What `federation.get-state` answers to these params."""
        result = await self._refresh()
        if params.plain:
            return PlainResult(result.state)
        return Unchanged() if self._publisher.has(params.have) else result

    async def _refresh(self) -> StateResult:
        tor_changed = self._tor_active() != self._sampled_tor
        if self._sampling is None and sample_due(self._clock.boot(), self._sampled_at, tor_changed):
            self._sampling = self._tasks.start("state sample", self._sample())
        if self._sampling is not None:
            await asyncio.wait({self._sampling}, timeout=_SAMPLE_PATIENCE)
        if self._result is None:
            self._publish(Snapshot(tor_active=self._tor_active()))
        assert self._result is not None
        return self._result

    async def _sample(self) -> None:
        try:
            self._sampled_at = self._clock.boot()
            self._sampled_tor = self._tor_active()
            self._publish(await asyncio.to_thread(self._sampler.sample, self._sampled_tor))
        finally:
            self._sampling = None

    def _publish(self, snapshot: Snapshot) -> None:
        if self._publisher.advance(self._clock.wall(), snapshot) and self._publisher.current is not None:
            self._result = StateResult(self._publisher.current)
