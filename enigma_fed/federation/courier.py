"""Everything that goes out to peers: polls and joins, kept in line with the membership."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from msgspec.structs import replace

from enigma_fed.base.errors import Conflict, EnigmaError, NoWayOut, PeerNotFound
from enigma_fed.base.ids import Did
from enigma_fed.federation.exchange import Exchange
from enigma_fed.federation.lines import Traffic
from enigma_fed.federation.outbox import Outbox
from enigma_fed.federation.polling import Poller
from enigma_fed.federation.slots import Slots
from enigma_fed.federation.store import FederationStore
from enigma_fed.federation.subscriptions import Streaming, Subscriptions
from enigma_fed.wire.records import TrustLevel


class Courier:
    """Polls peers and delivers joins in the background, or at once when the owner asks."""

    def __init__(
        self,
        store: FederationStore,
        exchange: Exchange,
        traffic: Traffic,
        *,
        interval: float,
        outcome: Callable[[Did, bool], None],
        streaming: Streaming | None = None,
    ) -> None:
        """`interval` is in seconds; `outcome` gets (peer, whether it answered)."""
        self._store = store
        self._exchange = exchange
        self._outcome = outcome
        self.streams: Subscriptions | None = None
        """The streams of peers; None where no streams are made."""
        self._poller = Poller(
            self._poll, store.node, traffic, interval, self._backed_off, self._has_stream, self._forgiven
        )
        if streaming is not None:
            self.streams = Subscriptions(
                store, exchange.states, streaming, traffic, self._poller, self._hear, interval
            )
        self._outbox = Outbox(exchange.deliver, exchange.give_up, lambda: store.membership, traffic)
        self._running = False
        self.cut_off = False
        """Whether the newest poll failed by our own Tor, so that nothing can be said of peers."""

    def start(self) -> None:
        """Begin to poll and deliver in the background."""
        self._running = True
        self.follow()

    def follow(self) -> None:
        """Start and stop polls and joins so that they fit the membership, between `start` and `close`."""
        if self._running:
            self._outbox.follow()
            self._poller.follow(self._store.membership, self._store.observations.get)
            if self.streams is not None:
                self.streams.follow()

    def next_poll(self, did: Did) -> float | None:
        """When the peer is polled next, on the boot clock; None when it is not, or is right now."""
        return self._poller.next_poll(did)

    @property
    def refusals(self) -> Counter[str]:
        """States that were refused, by reason."""
        return self._exchange.states.refusals

    @property
    def slots(self) -> Slots:
        """The places of polls and joins."""
        return self._exchange.slots

    def stream_since(self, did: Did) -> float | None:
        """Since when the peer's stream stands, on the boot clock; None while none does."""
        return None if self.streams is None else self.streams.since(did)

    def refused(self, did: Did) -> str | None:
        """Why the newest state that came of the peer was refused; None when it was taken."""
        return self._exchange.states.refused(did)

    def heard(self, did: Did) -> None:
        """The peer called us."""
        self._poller.heard(did)

    def lose(self) -> None:
        """Our own way out does not work: failures since it was last proven say nothing of peers."""
        self._outbox.lose()
        self._poller.lose()
        if self.streams is not None:
            self.streams.lose()

    def proven(self) -> None:
        """Something came through our own way out."""
        self.cut_off = False
        self._outbox.proven()
        self._poller.proven()
        if self.streams is not None:
            self.streams.proven()

    def wake(self) -> None:
        """Our own way out works (again)."""
        self.cut_off = False
        self._outbox.wake()
        self._poller.wake()
        if self.streams is not None:
            self.streams.wake()

    def change_interval(self, seconds: float) -> None:
        """Poll every so many seconds from each peer's next poll on."""
        self._poller.interval = seconds
        if self.streams is not None:
            self.streams.interval = seconds

    async def reach(self, did: Did) -> None:
        """Deliver an open join, then poll, and wait for the outcome; raises what failed.

        The owner named the peer: its failures so far do not count any more, and of those who wait for
        a slot it is next.
        """
        self.follow()
        with self._exchange.slots.wished(did):
            await self._reach(did, anew=True)

    async def _reach(self, did: Did, *, anew: bool) -> None:
        error = await self._outbox.deliver_now(did) or await self._poll_now(did, anew)
        if error is not None:
            raise error

    async def reach_all(self) -> None:
        """Reach every peer that is not paused; failures stay with the peers, silent ones in their slots."""
        self.follow()
        dids = [node.did for node in self._store.membership.nodes.nodes if not node.paused]
        for outcome in await asyncio.gather(
            *(self._reach(did, anew=False) for did in dids), return_exceptions=True
        ):
            if outcome is not None and not isinstance(outcome, EnigmaError):
                raise outcome

    async def close(self) -> None:
        """End everything and wait for it."""
        self._running = False
        if self.streams is not None:
            await self.streams.close()
        await self._outbox.close()
        await self._poller.close()

    async def _poll_now(self, did: Did, anew: bool) -> EnigmaError | None:
        """Through the peer's line, or by itself for a paused peer that the owner asks for."""
        node = self._store.node(did)
        if node is None:
            return PeerNotFound("it was removed")
        if node.trust_level is TrustLevel.UNTRUSTED and node.confirmed:
            return Conflict("an untrusted peer is not polled", hint="Trust it: enigma-fed peer trust PEER")
        if anew:
            self._forgive(did)
        return await self._poll(did) if node.paused else await self._poller.poll_now(did, anew=anew)

    async def _poll(self, did: Did) -> EnigmaError | None:
        error = await self._exchange.poll(did)
        if Exchange.was_heard(error):
            self.proven()
        elif isinstance(error, NoWayOut):
            self.cut_off = True
        if self._store.node(did) is not None:
            self._outcome(did, Exchange.was_heard(error))
            if self.streams is not None and self._running:
                self.streams.polled(did, answered=error is None)
        return error

    def _hear(self, did: Did) -> None:
        """Something came on the peer's stream."""
        self.proven()
        if self._store.node(did) is not None:
            self._outcome(did, True)

    def _has_stream(self, did: Did) -> bool:
        return self.streams is not None and self.streams.stands(did)

    def _backed_off(self, did: Did, until: float) -> None:
        """A poll failed: that the peer is left alone until then outlives a restart."""
        seen = self._store.observations.get(did)
        if seen is not None:
            self._store.observe(replace(seen, next_poll_at=round(until)))

    def _forgiven(self, did: Did, failures: int) -> None:
        """Our own outage made the failures since: they do not count any more."""
        if not failures:
            self._exchange.forgive(did)
        seen = self._store.observations.get(did)
        if seen is not None and seen.failures:
            self._store.observe(replace(seen, failures=min(seen.failures, failures), next_poll_at=None))

    def _forgive(self, did: Did) -> None:
        """The owner asks for the peer: its failures so far do not count any more."""
        self._exchange.forgive(did)
        seen = self._store.observations.get(did)
        if seen is not None and seen.failures:
            self._store.observe(replace(seen, failures=0, next_poll_at=None))
