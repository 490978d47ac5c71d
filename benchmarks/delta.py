"""Bytes of a delta beside the whole state in other forms; facts, not times.

CPU, memory and uptime change among 30 apps that do not. Short apps have texts of a few bytes, long ones
some 200 bytes in all, as with image digests for versions.
"""

from __future__ import annotations

import gzip
from typing import Final

import msgspec
import zstandard

from benchmarks.report import Reading
from benchmarks.stateservers import APPS, EPOCH, SHORT, seeded_key
from enigma_fed.wire import cbor, statedelta, strictjson
from enigma_fed.wire.snapshot import App, Snapshot, canonical_cbor, snapshot_to_object
from enigma_fed.wire.state import DeltaAnswer, FullState, full_state_to_object, state_signing_input
from enigma_fed.wire.statedelta import StateDelta

_PATCH_TARGET: Final = 20
_DELTA_TARGET: Final = 40
_SEQ: Final = 123_457
_TS: Final = 1_234_577


def run() -> list[Reading]:
    """Measure both sets of apps."""
    return [reading for name, apps in (("short", SHORT), ("long", APPS)) for reading in _sizes(name, apps)]


def _sizes(name: str, apps: tuple[App, ...]) -> list[Reading]:
    before = Snapshot(
        node_name="attic",
        apps=apps,
        cpu_tenths=125,
        mem_used_kib=8_123_456,
        mem_total_kib=16_000_000,
        disk_used_kib=200_000_000,
        disk_total_kib=500_000_000,
        uptime_secs=1_234_567,
        tor_active=True,
    )
    after = msgspec.structs.replace(before, cpu_tenths=431, mem_used_kib=8_200_000, uptime_secs=1_234_577)
    state = FullState(epoch=EPOCH, started=1_800_000_000, seq=_SEQ, ts=_TS, snapshot=after, signature=b"")
    key = seeded_key("server")
    signature = key.sign(state_signing_input(key.did.public_key, state))
    state = msgspec.structs.replace(state, signature=signature)
    patch = statedelta.diff(before, after)
    delta = StateDelta(_SEQ - 1, _SEQ, _TS, patch)
    text = strictjson.encode(snapshot_to_object(after))
    sizes: tuple[tuple[str, bytes, int | None], ...] = (
        ("patch", cbor.encode(statedelta.to_map(patch)), _PATCH_TARGET),
        ("delta", statedelta.encode(delta), _DELTA_TARGET),
        ("signature", signature, None),
        (
            "answer with delta and signature",
            cbor.encode(DeltaAnswer(delta, signature).to_object(binary=True)),
            None,
        ),
        ("answer in full, JSON", strictjson.encode(full_state_to_object(state, binary=False)), None),
        ("state, JSON", text, None),
        ("state, JSON, gzip -9", gzip.compress(text, 9, mtime=0), None),
        ("state, JSON, zstd -19", zstandard.ZstdCompressor(level=19).compress(text), None),
        ("state, canonical CBOR", canonical_cbor(after), None),
    )
    return [
        Reading(name=f"{what}, 30 {name} apps", value=len(data), unit="B", target=target, samples="a fact")
        for what, data, target in sizes
    ]
