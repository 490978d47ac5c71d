"""state.json: what polling learned of each peer; it may be lost (docs/FILES.md)."""

from __future__ import annotations

from collections.abc import Mapping

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.ids import Did
from enigma_fed.wire import away, fields, timestamps
from enigma_fed.wire.records import Observation
from enigma_fed.wire.state import FullState, full_state_from_object, full_state_to_object
from enigma_fed.wire.windows import Window

Observations = Mapping[Did, Observation]


def encode(value: Observations) -> Mapping[str, object]:
    """The members of the file."""
    return {"peers": [_out(observation) for observation in value.values()]}


def decode(members: Mapping[str, object]) -> Observations:
    """Read the members; an entry that makes no sense is left out; raises WireError for the rest."""
    observations: dict[Did, Observation] = {}
    for item in fields.items(members, "peers", required=True):
        try:
            observation = _in(fields.mapping(item, "peers"))
        except WireError:
            continue  # the next poll learns it again
        observations[observation.did] = observation
    return observations


def _out(observation: Observation) -> Mapping[str, object]:
    state = observation.state
    return {
        "did": str(observation.did),
        "last_seen": _time_out(observation.last_seen),
        "state": None if state is None else full_state_to_object(state, binary=False),
        "latency_ms": observation.latency_ms,
        "skew_s": observation.skew_s,
        "failures": observation.failures,
        "last_error": observation.last_error,
        "last_error_at": _time_out(observation.last_error_at),
        "next_poll_at": _time_out(observation.next_poll_at),
        "away": away.to_object(observation.away) if observation.away else None,
    }


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
        away=fields.optional(_away, members, "away") or (),
    )


def _state(members: fields.Object, name: str) -> FullState:
    return full_state_from_object(members[name], binary=False)


def _away(members: fields.Object, name: str) -> tuple[Window, ...]:
    return away.from_object(members[name])


def _skew(members: fields.Object, name: str) -> int:
    seconds = fields.number(members, name)
    if not -limits.INTEGER_MAX <= seconds <= limits.INTEGER_MAX:
        raise WireError(f"{name}: beyond 2^53 - 1")
    return round(seconds)


def _time_out(unix: int | None) -> str | None:
    return None if unix is None else timestamps.to_text(unix)
