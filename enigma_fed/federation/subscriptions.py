"""Our streams: one line per peer beside its poll line (PROTOCOL section 3).

A stream is opened after a poll was answered. While it stands the peer is polled once an hour; when it
ends, at once. Frames go through the same rule as the answers of polls (federation/states.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, PeerNotFound, StateRefused, StreamEnded, StreamNotOffered
from enigma_fed.base.ids import Did
from enigma_fed.federation import streamrules as rules
from enigma_fed.federation.client import StreamCaller
from enigma_fed.federation.lines import Lines, Traffic, Work
from enigma_fed.federation.names import told
from enigma_fed.federation.states import PeerStates
from enigma_fed.federation.store import FederationStore
from enigma_fed.rpc.streamend import StreamEnd
from enigma_fed.wire.records import Node, Observation
from enigma_fed.wire.state import DeltaAnswer, StateAnswer

_log = logging.getLogger(__name__)


class Polls(Protocol):
    """What streams change in the polling of their peers."""

    def rest(self, did: Did) -> None:
        """The peer's stream stands: its next poll has time."""
        ...

    def resume(self, did: Did) -> None:
        """The peer's stream ended: poll it at once."""
        ...


@dataclass(frozen=True, slots=True)
class Streaming:
    """How streams are made."""

    caller: StreamCaller
    most: int = limits.STREAMS_OUTBOUND
    """So many at once; 0 for none."""


@dataclass(slots=True, eq=False)
class _Run:
    """One stream, from its request on."""

    since: float | None = None
    """When it stood, on the boot clock."""
    frames: int = 0


class Subscriptions:
    """Keeps streams to peers that answer polls."""

    def __init__(
        self,
        store: FederationStore,
        states: PeerStates,
        streaming: Streaming,
        traffic: Traffic,
        polls: Polls,
        heard: Callable[[Did], None],
        interval: float,
    ) -> None:
        """`heard` is told of every message; `interval` is that of polls, in seconds."""
        self._store = store
        self._states = states
        self._caller = streaming.caller
        self._traffic = traffic
        self._clock = traffic.clock
        self._polls = polls
        self._heard = heard
        self._most = streaming.most
        self.interval = interval
        """Seconds between two polls; a new value counts from each peer's next stream on."""
        work = Work(
            _name,
            "it gets no stream any more",
            self._once,
            self._pause,
            limits.POLL_BACKOFF_MAX,
            lambda held: traffic.chance() * limits.STREAM_SPREAD,
            lambda tried: traffic.chance() * limits.STREAM_SPREAD,
        )
        self._lines: Lines[Did] = Lines(traffic, work)
        self._standing: dict[Did, _Run] = {}
        self._resting: dict[Did, rules.Rest] = {}
        self._over: set[Did] = set()
        self.counts: Counter[str] = Counter()
        """`opened`, and of these `resumed` (a delta came first) and `full` (a whole state did); `frames`."""
        self.ends: Counter[str] = Counter()
        """Streams that stood and ended, by the words of rpc.streamend.StreamEnd."""
        self.not_opened: Counter[str] = Counter()
        """Streams that never stood, by the words of streamrules.NotOpened."""

    @property
    def open(self) -> int:
        """How many streams stand now."""
        return len(self._standing)

    def stands(self, did: Did) -> bool:
        """Whether a stream of this peer stands."""
        return did in self._standing

    def since(self, did: Did) -> float | None:
        """Since when the stream of this peer stands, on the boot clock; None while none does."""
        run = self._standing.get(did)
        return None if run is None else run.since

    def follow(self) -> None:
        """Stop the streams that do not fit the membership any more."""
        for did in self._lines.every():
            node = self._store.node(did)
            if node is None or not rules.may_have_one(node):
                self._lines.stop(did)
        for did in [did for did in self._resting if self._store.node(did) is None]:
            del self._resting[did]

    def polled(self, did: Did, *, answered: bool) -> None:
        """A poll of this peer ended: one that was answered may be followed by a stream."""
        if not answered:
            may_stand = did in self._standing and self._states.takes_deltas(did)
            if self._lines.get(did) is not None and not may_stand:
                self._lines.stop(did)
            return
        node = self._store.node(did)
        if node is not None and self._may_begin(node):
            seen = self._store.observations.get(did)
            failures = seen.stream_failures if seen is not None else 0
            self._lines.start(did, rules.first_try(failures, self._traffic.chance()), failures)

    def lose(self) -> None:
        """Our own way out does not work: failures since it was last proven say nothing."""
        self._lines.lose()

    def proven(self) -> None:
        """Something came through our own way out."""
        self._lines.proven()

    def wake(self) -> None:
        """Our own way out works again."""
        self._lines.wake()

    def change_most(self, most: int) -> None:
        """Hold so many streams at most from now on."""
        self._most = most
        for did in self._lines.every()[most:]:
            self._lines.stop(did)

    async def close(self) -> None:
        """End every stream and wait for it."""
        await self._lines.close()

    def _may_begin(self, node: Node) -> bool:
        did = node.did
        if self._lines.get(did) is not None:
            return False
        rest, held = self._resting.get(did), self._states.held(did)
        if rest is not None and not rest.is_over(held.epoch if held else None, self._clock.boot()):
            return False
        self._resting.pop(did, None)
        may = held is not None and rules.may_have_one(node) and self._states.takes_deltas(did)
        return may and self._finds_room(did)

    def _finds_room(self, did: Did) -> bool:
        """Whether there is a place; who failed last and waits for the next try leaves its own to others."""
        if len(self._lines) < self._most:
            return True
        seen = self._store.observations.get(did)
        if seen is None or seen.stream_failures:
            return False
        waiting = (each for each in self._lines.every() if self._lines.waits_after_failure(each))
        found = next(waiting, None)
        if found is not None:
            self._lines.stop(found)
        return found is not None

    async def _once(self, did: Did) -> EnigmaError | None:
        node = self._store.node(did)
        if node is None:
            self._over.add(did)
            return PeerNotFound("it was removed")
        run, why = _Run(), str(StreamEnd.NOT_WANTED)
        try:
            await self._follow(node, run)
        except EnigmaError as error:
            why = rules.why_ended(error)
            return self._learn(node, run, error)
        finally:
            self._leave(node, run, why)
        return None

    async def _follow(self, node: Node, run: _Run) -> None:
        """Take frames until an error ends the stream."""
        did = node.did
        have = self._states.have(did)
        before = self._states.held(did) if have is not None else None
        ping = rules.ping_interval(self.interval)
        async with self._caller.open(node, have, ping=ping, heard=lambda: self._heard(did)) as stream:
            self._enter(node, run)
            while True:
                answer = await stream.frame()
                before = await self._states.take_frame(node, before, answer, stream.epoch)
                self._count(run, answer)
                if self._states.held(did) is None:
                    raise StreamEnded(StreamEnd.NO_ROOM)
                await stream.acknowledge(before.seq)
                await asyncio.sleep(0)  # frames that came together are taken without a wait

    def _enter(self, node: Node, run: _Run) -> None:
        run.since = self._clock.boot()
        self._standing[node.did] = run
        self.counts["opened"] += 1
        self._heard(node.did)
        self._polls.rest(node.did)
        _log.debug("the stream of %s stands", told(node))

    def _leave(self, node: Node, run: _Run, why: str) -> None:
        """However it ended, by an error or because it was stopped."""
        if run.since is None:
            return
        self.ends[why] += 1
        _log.debug("the stream of %s ended: %s", told(node), why)
        if self._standing.get(node.did) is run:
            del self._standing[node.did]
            self._polls.resume(node.did)

    def _learn(self, node: Node, run: _Run, error: EnigmaError) -> EnigmaError | None:
        """What the end says about the next try; the error if it counts as a failure."""
        did, now = node.did, self._clock.boot()
        lasted = None if run.since is None else now - run.since
        if lasted is None:
            self.not_opened[rules.why_not_opened(error)] += 1
        if isinstance(error, StreamNotOffered):
            held = self._states.held(did)
            self._resting[did] = rules.Rest(held.epoch if held else None, now + limits.STREAM_ASKED_AGAIN)
        if isinstance(error, StateRefused):
            _log.info("%s: %s; it is polled again", told(node), error.detail)
        if lasted is not None or not rules.is_tried_again_by_itself(error):
            self._over.add(did)
        return error if self._remember(did, error, lasted) else None

    def _remember(self, did: Did, error: EnigmaError, lasted: float | None) -> int:
        """Streams that failed in a row, which outlives a restart."""
        if self._store.node(did) is None:
            return 0
        seen = self._store.observations.get(did) or Observation(did=did)
        failures = rules.failures_after(seen.stream_failures, error, lasted)
        if failures != seen.stream_failures:
            self._store.observe(replace(seen, stream_failures=failures))
        return failures

    def _pause(self, did: Did, failures: int) -> float | None:
        if did in self._over:
            self._over.discard(did)
            return None
        return rules.next_try(failures, self._traffic.chance())

    def _count(self, run: _Run, answer: StateAnswer) -> None:
        if not run.frames:
            self.counts["resumed" if isinstance(answer, DeltaAnswer) else "full"] += 1
        run.frames += 1
        self.counts["frames"] += 1


def _name(did: Did) -> str:
    return f"stream {did.short}"
