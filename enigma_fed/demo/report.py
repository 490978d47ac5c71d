"""What the demo found out: one line per direction of each pair, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from enigma_fed.wire.views import NodeView, PeerView

_HEADINGS: Final = ("who", "sees", "stage", "trust given", "liveness", "state age", "state by", "latency")


class NodeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the demo."""

    did: str
    onion: str
    name: str


class PairLine(msgspec.Struct, frozen=True, kw_only=True, rename={"source": "from", "target": "to"}):
    """How one node (`from`) sees another (`to`), by name."""

    source: str
    target: str
    stage: str
    trust_level: str
    liveness: str
    age_s: float | None
    via: str | None
    """How the newest state came: `poll` or `stream`."""
    latency_ms: float | None

    @property
    def synced(self) -> bool:
        """Whether this direction is confirmed and has a state."""
        return (
            self.stage in ("confirmed", "confirmed-both") and self.liveness == "up" and self.age_s is not None
        )

    @property
    def done(self) -> bool:
        """Whether it is live, too: its newest state was pushed by a stream."""
        return self.synced and self.via == "stream"


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of `demo --json`."""

    ok: bool
    seconds: float
    nodes: list[NodeLine]
    pairs: list[PairLine]


def pair_lines(nodes: Sequence[NodeView], peers: Mapping[str, Iterable[PeerView]]) -> list[PairLine]:
    """One line per direction; `peers` holds each node's peers by its DID, an unknown one has stage `none`."""
    known = {did: {peer.did: peer for peer in found} for did, found in peers.items()}
    return [
        _pair_line(source, target, known.get(source.did, {}).get(target.did))
        for source in nodes
        for target in nodes
        if target.did != source.did
    ]


def _pair_line(source: NodeView, target: NodeView, peer: PeerView | None) -> PairLine:
    return PairLine(
        source=source.name,
        target=target.name,
        stage=peer.stage if peer else "none",
        trust_level=peer.trust_level if peer else "none",
        liveness=peer.liveness if peer else "unknown",
        age_s=round(peer.age_s, 1) if peer and peer.age_s is not None else None,
        via=peer.via if peer else None,
        latency_ms=round(peer.latency_ms, 1) if peer and peer.latency_ms is not None else None,
    )


def table(pairs: Sequence[PairLine]) -> str:
    """The pairs as an aligned text table."""
    rows = [_HEADINGS, *(_cells(pair) for pair in pairs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _cells(pair: PairLine) -> tuple[str, ...]:
    age = "-" if pair.age_s is None else f"{pair.age_s:.0f} s"
    latency = "-" if pair.latency_ms is None else f"{pair.latency_ms:.0f} ms"
    return (
        pair.source,
        pair.target,
        pair.stage,
        pair.trust_level,
        pair.liveness,
        age,
        pair.via or "-",
        latency,
    )
