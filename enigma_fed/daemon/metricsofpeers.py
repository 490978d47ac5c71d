"""Metrics of what goes on with peers: who is there, what is asked and answered, what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from enigma_fed.daemon.metricsscene import PeerFacts, Scene
from enigma_fed.daemon.metricsvalues import Family, Kind, Labels, Sample, Spread, by_word, one
from enigma_fed.federation.accepting import is_open
from enigma_fed.federation.liveness import Liveness
from enigma_fed.wire.records import Stage, TrustLevel

_NO_REPLY: Final = frozenset({"evicted", "circuit-limited"})
"""Words of the endpoint's statistics that are no replies of their own."""
_PEER: Final[Labels] = ("peer",)


def _liveness(scene: Scene) -> Iterable[Sample]:
    return by_word({each.value: scene.crowd.liveness[each.value] for each in Liveness})


def _trust(scene: Scene) -> Iterable[Sample]:
    return by_word({each.value: scene.crowd.trust[each.value] for each in TrustLevel})


def _exchanges(scene: Scene) -> Iterable[Sample]:
    under_way, waiting = scene.parts.federation.exchanges
    yield ("under-way",), float(under_way)
    yield ("waiting",), float(waiting)


def _invites(scene: Scene) -> Iterable[Sample]:
    invites = scene.parts.federation.store.membership.invites
    yield ("made",), float(sum(each.stage is Stage.CREATED for each in invites.outgoing))
    yield ("accepted",), float(sum(map(is_open, invites.incoming)))


def _durations(scene: Scene) -> Iterable[Sample]:
    found = scene.parts.caller.poll_durations
    yield (), Spread(found.bounds, found.counts, found.total)


def _replies(scene: Scene) -> Iterable[Sample]:
    counts = scene.parts.endpoint.statistics
    return by_word({word: count for word, count in counts.items() if word not in _NO_REPLY})


def _counted(word: str) -> Callable[[Scene], Iterable[Sample]]:
    return lambda scene: one(scene.parts.endpoint.statistics[word])


def _stored(word: str, divisor: float = 1.0) -> Callable[[Scene], Iterable[Sample]]:
    return lambda scene: one(scene.parts.federation.store.counts[word] / divisor)


def _connections(scene: Scene) -> Iterable[Sample]:
    for listener, places in scene.parts.listeners.places.items():
        yield (listener, "stranger"), float(places.strangers)
        yield (listener, "member"), float(places.members)


def _each(value: Callable[[PeerFacts], float | None]) -> Callable[[Scene], Iterable[Sample]]:
    """A value of every peer that has metrics of its own, where it is known."""

    def read(scene: Scene) -> Iterable[Sample]:
        named = scene.crowd.named.items()
        return [((label,), float(found)) for label, facts in named if (found := value(facts)) is not None]

    return read


def _peer_liveness(scene: Scene) -> Iterable[Sample]:
    return [((label, facts.liveness), 1.0) for label, facts in scene.crowd.named.items()]


def _peer_bytes(scene: Scene) -> Iterable[Sample]:
    for label, facts in scene.crowd.named.items():
        for direction, count in (("received", facts.received), ("sent", facts.sent)):
            if count is not None:
                yield (label, direction), float(count)


PEERS: Final = (
    Family("peers", Kind.GAUGE, "Peers by whether they are there.", _liveness, labels=("liveness",)),
    Family("peers_by_trust", Kind.GAUGE, "Peers by what they may do here.", _trust, labels=("trust",)),
    Family(
        "peers_paused",
        Kind.GAUGE,
        "Peers that the owner has paused.",
        lambda scene: one(scene.crowd.paused),
    ),
    Family(
        "peers_failing",
        Kind.GAUGE,
        "Peers whose last poll failed; they are asked again with growing pauses.",
        lambda scene: one(scene.crowd.failing),
    ),
    Family(
        "peers_removed",
        Kind.GAUGE,
        "Removed peers that are remembered, so that none comes back without a new invite.",
        lambda scene: one(len(scene.parts.federation.store.membership.nodes.removed)),
    ),
    Family(
        "invites_open",
        Kind.GAUGE,
        "Invites made here that nobody has used, and accepted ones whose join is not done.",
        _invites,
        labels=("kind",),
    ),
    Family(
        "peers_unlisted",
        Kind.GAUGE,
        "Peers beyond the first hundred, which have no metrics of their own but count in all others.",
        lambda scene: one(scene.crowd.others),
    ),
    Family(
        "peer_liveness",
        Kind.GAUGE,
        "1 for each peer, by its shortened DID, and how it is: up, late, offline, offline-expected, unknown.",
        _peer_liveness,
        labels=("peer", "liveness"),
    ),
    Family(
        "peer_heard_age_seconds",
        Kind.GAUGE,
        "Time since a peer was heard last.",
        _each(lambda facts: facts.heard_age),
        labels=_PEER,
        unit="seconds",
    ),
    Family(
        "peer_state_age_seconds",
        Kind.GAUGE,
        "Age of the newest state of a peer.",
        _each(lambda facts: facts.state_age),
        labels=_PEER,
        unit="seconds",
    ),
    Family(
        "peer_state_seq",
        Kind.GAUGE,
        "Number of the newest state of a peer; begins at 1 with each of its starts.",
        _each(lambda facts: facts.state_seq),
        labels=_PEER,
    ),
    Family(
        "peer_poll_failures",
        Kind.GAUGE,
        "Polls of a peer that failed in a row.",
        _each(lambda facts: facts.failures),
        labels=_PEER,
    ),
    Family(
        "peer_latency_seconds",
        Kind.GAUGE,
        "Round trip of the newest poll of a peer, the connection's set-up apart.",
        _each(lambda facts: facts.latency),
        labels=_PEER,
        unit="seconds",
    ),
    Family(
        "peer_clock_skew_seconds",
        Kind.GAUGE,
        "A peer's clock less this machine's, by its newest signed reply.",
        _each(lambda facts: facts.skew),
        labels=_PEER,
        unit="seconds",
    ),
    Family(
        "peer_day_bytes",
        Kind.GAUGE,
        "Bytes from and to a peer within the last 24 hours.",
        _peer_bytes,
        labels=("peer", "direction"),
        unit="bytes",
    ),
)

ASKED: Final = (
    Family(
        "exchanges",
        Kind.GAUGE,
        "Polls and joins under way, and those that wait for a place.",
        _exchanges,
        labels=("which",),
    ),
    Family(
        "polls",
        Kind.COUNTER,
        "Questions for a peer's state by how they ended: ok, or the word of the error.",
        lambda scene: by_word(scene.parts.caller.polls),
        labels=("outcome",),
    ),
    Family(
        "poll_duration_seconds",
        Kind.HISTOGRAM,
        "How long such questions took, the way through Tor included.",
        _durations,
        unit="seconds",
    ),
    Family(
        "states_refused",
        Kind.COUNTER,
        "States of peers that broke a rule and were not kept, by the reason.",
        lambda scene: by_word(scene.parts.federation.state_refusals),
        labels=("reason",),
    ),
    Family(
        "traffic_bytes",
        Kind.COUNTER,
        "Bytes on connections with peers: HTTP heads and bodies, and frames of streams.",
        lambda scene: by_word(scene.parts.traffic.statistics),
        labels=("direction",),
        unit="bytes",
    ),
)

SERVED: Final = (
    Family(
        "state_seq",
        Kind.GAUGE,
        "Number of this node's newest state; begins at 1 with each start.",
        lambda scene: one(scene.state.seq),
    ),
    Family(
        "rpc_replies",
        Kind.COUNTER,
        "Replies to peers and strangers: ok, the word of the error, or bad-http for what could not be read.",
        _replies,
        labels=("reply",),
    ),
    Family(
        "rpc_circuit_limited",
        Kind.COUNTER,
        "Requests that were turned away unread because their circuit had asked too much.",
        _counted("circuit-limited"),
    ),
    Family(
        "rpc_requests_in_flight",
        Kind.GAUGE,
        "Requests that are being answered.",
        lambda scene: one(scene.parts.endpoint.load.requests),
    ),
    Family(
        "rpc_nonces",
        Kind.GAUGE,
        "Nonces remembered, so that no request counts twice.",
        lambda scene: one(scene.parts.endpoint.load.nonces),
    ),
    Family(
        "rpc_circuits",
        Kind.GAUGE,
        "Circuits to the onion that limits are counted for.",
        lambda scene: one(scene.parts.endpoint.load.circuits),
    ),
    Family(
        "connections",
        Kind.GAUGE,
        "Connections of each listener: members', and those that no member proved itself on.",
        _connections,
        labels=("listener", "of"),
    ),
    Family(
        "connections_evicted",
        Kind.COUNTER,
        "Connections that were ended to make room for another.",
        _counted("evicted"),
    ),
)

STORED: Final = (
    Family(
        "membership_changes",
        Kind.COUNTER,
        "Changes of members and invites that are on disk.",
        _stored("changes"),
    ),
    Family(
        "membership_change_failures",
        Kind.COUNTER,
        "Changes of members and invites that could not be written.",
        _stored("failed-changes"),
    ),
    Family("state_flushes", Kind.COUNTER, "How often state.json was written.", _stored("state-writes")),
    Family(
        "state_flush_failures",
        Kind.COUNTER,
        "How often state.json could not be written.",
        _stored("state-write-failures"),
    ),
    Family(
        "state_flush_bytes",
        Kind.COUNTER,
        "Bytes of state.json written.",
        _stored("state-bytes"),
        unit="bytes",
    ),
    Family(
        "state_flush_seconds",
        Kind.COUNTER,
        "Time that writing state.json took, in a thread of its own.",
        _stored("state-microseconds", 1e6),
        unit="seconds",
    ),
)
