"""Metrics of states: what peers are answered and what they answer, streams both ways, and the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from enigma_fed.daemon.metricsscene import Scene
from enigma_fed.daemon.metricsvalues import Family, Kind, Sample, by_word, one

_KINDS: Final = ("full", "delta", "unchanged", "plain")
_ENDED: Final = "ended-"


def _served(scene: Scene) -> Iterable[Sample]:
    counts = scene.parts.state.statistics
    return by_word({kind: counts[kind] for kind in _KINDS})


def _streams(scene: Scene) -> Iterable[Sample]:
    inbound, outbound = scene.parts.publisher, scene.parts.federation.streams
    yield ("in",), float(len(inbound) if inbound is not None else 0)
    yield ("out",), float(outbound.open if outbound is not None else 0)


def _both(word: str) -> Callable[[Scene], Iterable[Sample]]:
    """A word of both sides' statistics."""

    def read(scene: Scene) -> Iterable[Sample]:
        yield ("in",), float(_inbound(scene)[word])
        outbound = scene.parts.federation.streams
        yield ("out",), float(outbound.counts[word] if outbound is not None else 0)

    return read


def _inbound(scene: Scene) -> Counter[str]:
    publisher = scene.parts.publisher
    return Counter() if publisher is None else publisher.statistics


def _ended(scene: Scene) -> Iterable[Sample]:
    for word, count in sorted(_inbound(scene).items()):
        if word.startswith(_ENDED):
            yield ("in", word.removeprefix(_ENDED)), float(count)
    outbound = scene.parts.federation.streams
    if outbound is not None:
        for word, count in sorted(outbound.ends.items()):
            yield ("out", word), float(count)


def _not_opened(scene: Scene) -> Iterable[Sample]:
    outbound = scene.parts.federation.streams
    return () if outbound is None else by_word(outbound.not_opened)


def _began(scene: Scene) -> Iterable[Sample]:
    outbound = scene.parts.federation.streams
    return () if outbound is None else by_word({word: outbound.counts[word] for word in ("resumed", "full")})


def _history(word: str, divisor: float = 1.0) -> Callable[[Scene], Iterable[Sample]]:
    def read(scene: Scene) -> Iterable[Sample]:
        history = scene.parts.history
        return () if history is None else one(history.counts[word] / divisor)

    return read


STATES: Final = (
    Family(
        "states_published",
        Kind.COUNTER,
        "States of this node that got a number and a signature.",
        lambda scene: one(scene.parts.state.statistics["published"]),
    ),
    Family(
        "states_served",
        Kind.COUNTER,
        "Answers and frames to peers: the full state, a delta, unchanged, or plain for the Rust agent.",
        _served,
        labels=("kind",),
    ),
    Family(
        "states_received",
        Kind.COUNTER,
        "Answers of peers to polls: the full state, a delta, or unchanged; counted before they are checked.",
        lambda scene: by_word(scene.parts.caller.answers),
        labels=("kind",),
    ),
)

STREAMS: Final = (
    Family(
        "streams",
        Kind.GAUGE,
        "Streams that stand: in, by which peers read this node's state; out, by which theirs is read.",
        _streams,
        labels=("direction",),
    ),
    Family(
        "streams_opened",
        Kind.COUNTER,
        "Streams that were opened.",
        _both("opened"),
        labels=("direction",),
    ),
    Family(
        "streams_began",
        Kind.COUNTER,
        "Streams of ours by what came first: a delta to what was held (resumed), or the full state.",
        _began,
        labels=("how",),
    ),
    Family(
        "streams_ended",
        Kind.COUNTER,
        "Streams that stood and ended, by the reason.",
        _ended,
        labels=("direction", "reason"),
    ),
    Family(
        "streams_not_opened",
        Kind.COUNTER,
        "Streams that this node asked for and did not get, by the reason.",
        _not_opened,
        labels=("reason",),
    ),
    Family(
        "stream_frames",
        Kind.COUNTER,
        "States sent and received by streams.",
        _both("frames"),
        labels=("direction",),
    ),
    Family(
        "stream_sent_bytes",
        Kind.COUNTER,
        "Bytes of the states sent by streams.",
        lambda scene: one(_inbound(scene)["bytes"]),
        unit="bytes",
    ),
    Family(
        "stream_conflated",
        Kind.COUNTER,
        "States that frames passed over, as their reader was slow or came back: it gets the newest alone.",
        lambda scene: one(_inbound(scene)["conflated"]),
    ),
)

HISTORY: Final = (
    Family("history_flushes", Kind.COUNTER, "How often the history was written.", _history("flushes")),
    Family("history_slots", Kind.COUNTER, "Slots of the history written.", _history("slots")),
    Family(
        "history_flush_failures",
        Kind.COUNTER,
        "How often the history could not be written.",
        _history("failed"),
    ),
    Family(
        "history_damaged",
        Kind.COUNTER,
        "How often the history was damaged and begun anew.",
        _history("damaged"),
    ),
)
