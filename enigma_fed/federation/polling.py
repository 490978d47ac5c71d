"""Polling: one line per peer, one request in flight per peer (PROTOCOL sections 4 and 8).

Interval with jitter; back-off after failures, which a restart keeps to, and which ends when the peer
is heard or the owner asks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, PeerUnreachable
from enigma_fed.base.ids import Did
from enigma_fed.federation import schedule
from enigma_fed.federation.lines import Lines, Traffic, Work
from enigma_fed.wire.records import Membership, Node, Observation

Poll = Callable[[Did], Awaitable[EnigmaError | None]]
"""Polls a peer once and stores what came of it; the error when it failed."""


class Poller:
    """Keeps one line per peer that is polled."""

    def __init__(
        self,
        poll: Poll,
        find: Callable[[Did], Node | None],
        traffic: Traffic,
        interval: float,
        backed_off: Callable[[Did, float], None] = lambda did, until: None,
        streams: Callable[[Did], bool] = lambda did: False,
        forgiven: Callable[[Did, int], None] = lambda did, failures: None,
    ) -> None:
        """`interval` is in seconds; `backed_off` hears until when (Unix time) a silent peer is left alone.

        `streams` tells whether a peer's stream stands; `forgiven` hears how many failures of a peer count
        again, after those that our own outage made.
        """
        self._find = find
        self._traffic = traffic
        self.interval = interval
        """Seconds between two polls of a peer; a new value counts from each peer's next poll on."""
        self._backed_off = backed_off
        self._streams = streams
        self._again: set[Did] = set()
        self._started = False
        work = Work(
            _name,
            "it is not polled any more",
            poll,
            self._pause,
            limits.POLL_BACKOFF_MAX,
            self._after_wait,
            self._after_outage,
            forgiven,
        )
        self._lines: Lines[Did] = Lines(traffic, work)

    def follow(self, membership: Membership, seen: Callable[[Did], Observation | None]) -> None:
        """Start and stop lines so that they fit the membership; `seen` is what is remembered of a peer.

        The first time it is a start of this node: what was stored of before counts.
        """
        wanted = {node.did for node in membership.nodes.nodes if schedule.polled(node)}
        fresh, chance, now = self._lines.missing(wanted), self._traffic.chance, self._traffic.clock.wall()

        def first(did: Did) -> tuple[float, int]:
            known = seen(did)
            if self._started:
                pause = schedule.first_poll(fresh, chance())
            else:
                pause = schedule.poll_after_start(known, fresh, self.interval, now, chance())
            return pause, known.failures if known is not None else 0

        self._lines.follow(wanted, first)
        self._started = True

    def next_poll(self, did: Did) -> float | None:
        """When the peer is polled next, on the boot clock; None when it is not, or is right now."""
        line = self._lines.get(did)
        return None if line is None else line.due

    def heard(self, did: Did) -> None:
        """The peer called us: it is there, so failures are forgotten and it is tried soon."""
        line = self._lines.get(did)
        if line is not None and line.failures:
            line.failures = 0
            soon = line.last_try + schedule.retry_floor(self.interval)
            line.hasten(max(self._traffic.clock.boot(), soon))

    def rest(self, did: Did) -> None:
        """The peer's stream stands: its next poll has time."""
        line = self._lines.get(did)
        if line is not None and line.due is not None and not line.asked:
            line.move(self._traffic.clock.boot() + self._beside_stream())

    def resume(self, did: Did) -> None:
        """The peer's stream ended: poll it at once, also if a poll is under way, which may tell less."""
        line = self._lines.get(did)
        if line is not None and line.due is None:
            self._again.add(did)
        elif line is not None:
            line.hasten(self._traffic.clock.boot())

    def lose(self) -> None:
        """Our own way out does not work: failures since it was last proven say nothing of peers."""
        self._lines.lose()

    def proven(self) -> None:
        """Something came through our own way out: unless that is lost, the failures until now count."""
        self._lines.proven()

    def wake(self) -> None:
        """Our own way out works again: whoever is overdue, or was tried in vain meanwhile, is tried soon."""
        self._lines.wake()

    async def poll_now(self, did: Did, *, anew: bool = True) -> EnigmaError | None:
        """Poll the peer at once, or take the poll under way; the error when it failed.

        `anew`: the owner asks for this very peer, so backing off begins anew.
        """
        line = self._lines.get(did)
        if line is None:
            return PeerUnreachable("it is not polled")
        if anew:
            line.failures = 0
        return await line.ask()

    async def close(self) -> None:
        """Stop every line and wait for its end."""
        await self._lines.close()

    def _pause(self, did: Did, failures: int) -> float | None:
        node = self._find(did)
        if node is None:
            self._again.discard(did)
            return None
        if did in self._again:
            self._again.discard(did)
            return 0.0
        if not failures and self._streams(did):
            return self._beside_stream()
        pause = schedule.next_poll(node, failures, self.interval, self._traffic.chance())
        if failures and not self._lines.lost:
            self._backed_off(did, self._traffic.clock.wall() + pause)
        return pause

    def _beside_stream(self) -> float:
        return schedule.poll_beside_stream(self.interval, self._traffic.chance())

    def _after_wait(self, held: int) -> float:
        return schedule.after_wait(held, self._traffic.chance())

    def _after_outage(self, tried: int) -> float:
        return schedule.after_outage(tried, self.interval, self._traffic.chance())


def _name(did: Did) -> str:
    return f"poll {did.short}"
