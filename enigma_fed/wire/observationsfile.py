"""state.json: what polling learned of each peer; it may be lost (docs/FILES.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.ids import Did
from enigma_fed.wire import away, base64url, fields, timestamps
from enigma_fed.wire.records import Observation, Via
from enigma_fed.wire.snapshot import App
from enigma_fed.wire.state import FullState, full_state_from_object
from enigma_fed.wire.windows import Window

Observations = Mapping[Did, Observation]

MEMBER: Final = "peers"
"""Name of the list of rows."""
_KIB: Final = 1024


class _Snapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """`snapshot_to_object`, as msgspec writes it: a thousand peers' states are written every half minute."""

    apps: tuple[App, ...]
    node_name: str | None = None
    cpu_usage_percent: float | None = None
    mem_used_bytes: int | None = None
    mem_total_bytes: int | None = None
    disk_used_bytes: int | None = None
    disk_total_bytes: int | None = None
    uptime_secs: int | None = None
    tor_active: bool | None = None


class _State(msgspec.Struct, frozen=True):
    """`full_state_to_object` in its JSON form."""

    epoch: str
    seq: int
    ts: int
    started: int
    state: _Snapshot
    sig: str


class _Row(msgspec.Struct, frozen=True):
    """One peer."""

    did: str
    last_seen: str | None
    state: _State | None
    latency_ms: float | None
    skew_s: int | None
    failures: int
    last_error: str | None
    last_error_at: str | None
    next_poll_at: str | None
    via: Via | None
    stream_failures: int
    away: list[list[int]] | None


def rows(observations: Iterable[Observation]) -> Iterator[bytes]:
    """The JSON of each peer, one after the other: whoever writes them holds the interpreter for no longer."""
    encoder = msgspec.json.Encoder()
    for observation in observations:
        yield encoder.encode(_row(observation))


def decode(members: Mapping[str, object]) -> Observations:
    """Read the members; an entry that makes no sense is left out; raises WireError for the rest."""
    observations: dict[Did, Observation] = {}
    for item in fields.items(members, MEMBER, required=True):
        try:
            observation = _in(fields.mapping(item, MEMBER))
        except WireError:
            continue  # the next poll learns it again
        observations[observation.did] = observation
    return observations


def _row(observation: Observation) -> _Row:
    state = observation.state
    return _Row(
        did=str(observation.did),
        last_seen=_time_out(observation.last_seen),
        state=None if state is None else _state_row(state),
        latency_ms=observation.latency_ms,
        skew_s=observation.skew_s,
        failures=observation.failures,
        last_error=observation.last_error,
        last_error_at=_time_out(observation.last_error_at),
        next_poll_at=_time_out(observation.next_poll_at),
        via=observation.via,
        stream_failures=observation.stream_failures,
        away=away.to_object(observation.away) if observation.away else None,
    )


def _state_row(state: FullState) -> _State:
    snapshot = state.snapshot
    return _State(
        epoch=state.epoch.hex(),
        seq=state.seq,
        ts=state.ts,
        started=state.started,
        state=_Snapshot(
            apps=snapshot.apps,
            node_name=snapshot.node_name,
            cpu_usage_percent=None if snapshot.cpu_tenths is None else snapshot.cpu_tenths / 10,
            mem_used_bytes=_bytes(snapshot.mem_used_kib),
            mem_total_bytes=_bytes(snapshot.mem_total_kib),
            disk_used_bytes=_bytes(snapshot.disk_used_kib),
            disk_total_bytes=_bytes(snapshot.disk_total_kib),
            uptime_secs=snapshot.uptime_secs,
            tor_active=snapshot.tor_active,
        ),
        sig=base64url.encode(state.signature),
    )


def _bytes(kib: int | None) -> int | None:
    return None if kib is None else kib * _KIB


def _in(members: fields.Object) -> Observation:
    return Observation(
        did=fields.did(members, "did"),
        last_seen=fields.optional(fields.time, members, "last_seen"),
        state=fields.optional(_state, members, "state"),
        latency_ms=fields.optional(fields.number, members, "latency_ms"),
        skew_s=fields.optional(_skew, members, "skew_s"),
        failures=fields.integer(members, "failures"),
        last_error=fields.optional(fields.text, members, "last_error"),
        last_error_at=fields.optional(fields.time, members, "last_error_at"),
        next_poll_at=fields.optional(fields.time, members, "next_poll_at"),
        via=fields.optional(_via, members, "via"),
        stream_failures=fields.optional(fields.integer, members, "stream_failures") or 0,
        away=fields.optional(_away, members, "away") or (),
    )


def _state(members: fields.Object, name: str) -> FullState:
    return full_state_from_object(members[name], binary=False)


def _away(members: fields.Object, name: str) -> tuple[Window, ...]:
    return away.from_object(members[name])


def _via(members: fields.Object, name: str) -> Via:
    return fields.choice(Via, members, name)


def _skew(members: fields.Object, name: str) -> int:
    seconds = fields.number(members, name)
    if not -limits.INTEGER_MAX <= seconds <= limits.INTEGER_MAX:
        raise WireError(f"{name}: beyond 2^53 - 1")
    return round(seconds)


def _time_out(unix: int | None) -> str | None:
    return None if unix is None else timestamps.to_text(unix)
