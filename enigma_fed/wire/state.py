"""The state of a node on the wire: what is signed, and what is asked and answered (PROTOCOL section 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Self, TypeAlias

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import base64url, hexadecimal, statedelta, values
from enigma_fed.wire.snapshot import Snapshot, canonical_cbor, snapshot_from_object, snapshot_to_object
from enigma_fed.wire.statedelta import TS_MAX, StateDelta

_LABEL: Final = b"enigma-fed/state/v1\n"
EPOCH_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 64


class FullState(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot with its place in time and its signature."""

    epoch: bytes
    """8 random bytes, fixed per start."""
    started: int
    """Unix seconds, fixed within the epoch."""
    seq: int
    ts: int
    """Seconds since `started`."""
    snapshot: Snapshot
    signature: bytes
    """Ed25519, 64 bytes."""


class Have(msgspec.Struct, frozen=True):
    """The state that a caller already has."""

    epoch: bytes
    seq: int


class GetStateParams(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of `federation.get-state`."""

    have: Have | None = None
    plain: bool = False
    """No `have` member at all, as the Rust agent asks: the answer is the bare snapshot."""

    @classmethod
    def from_object(cls, obj: object, *, binary: bool) -> Self:
        """Read the params (None for absent ones); raises WireError."""
        members = values.mapping({} if obj is None else obj, "params")
        if "have" not in members:
            return cls(plain=True)
        return cls(have=None if members["have"] is None else _have_from_object(members["have"], binary))

    def to_object(self, *, binary: bool) -> dict[str, object]:
        """The params as they travel in a body of this form."""
        if self.plain:
            return {}
        if self.have is None:
            return {"have": None}
        return {"have": {"epoch": _epoch_out(self.have.epoch, binary), "seq": self.have.seq}}


class Unchanged(msgspec.Struct, frozen=True):
    """The answer of `federation.get-state` when the caller is up to date."""

    def to_object(self, *, binary: bool) -> dict[str, object]:
        """`{"unchanged": true}` in both forms."""
        return {"unchanged": True}


class DeltaAnswer(msgspec.Struct, frozen=True):
    """The answer of `federation.get-state` to a caller whose state we still know."""

    delta: StateDelta
    signature: bytes
    """Ed25519 of the whole new state, 64 bytes: the same as a full state's of this number."""

    def to_object(self, *, binary: bool) -> dict[str, object]:
        """The result object: base64url in JSON, bytes in CBOR."""
        delta = statedelta.encode(self.delta)
        if binary:
            return {"delta": delta, "sig": self.signature}
        return {"delta": base64url.encode(delta), "sig": base64url.encode(self.signature)}


StateAnswer: TypeAlias = FullState | DeltaAnswer | Unchanged


def signing_input(
    public_key: bytes, epoch: bytes, started: int, seq: int, ts: int, snapshot: Snapshot
) -> bytes:
    """The bytes under a state's signature; key 32 bytes, epoch 8, times in seconds (PROTOCOL section 2)."""
    return b"".join(
        (
            _LABEL,
            public_key,
            epoch,
            started.to_bytes(8, "big"),
            seq.to_bytes(8, "big"),
            ts.to_bytes(4, "big"),
            hashlib.blake2b(canonical_cbor(snapshot), digest_size=32).digest(),
        )
    )


def state_signing_input(public_key: bytes, state: FullState) -> bytes:
    """`signing_input` of a whole state."""
    return signing_input(public_key, state.epoch, state.started, state.seq, state.ts, state.snapshot)


def full_state_to_object(state: FullState, *, binary: bool) -> dict[str, object]:
    """The result object of `federation.get-state`: hex and base64url in JSON, bytes in CBOR."""
    signature = state.signature if binary else base64url.encode(state.signature)
    return {
        "epoch": _epoch_out(state.epoch, binary),
        "seq": state.seq,
        "ts": state.ts,
        "started": state.started,
        "state": snapshot_to_object(state.snapshot),
        "sig": signature,
    }


def full_state_from_object(obj: object, *, binary: bool) -> FullState:
    """Read a result object, its signature unchecked; other members are ignored. Raises WireError."""
    members = values.mapping(obj, "result")
    snapshot = members.get("state")
    if isinstance(snapshot, Mapping) and "timestamp" in snapshot:
        raise WireError("state must not have a timestamp")
    return FullState(
        epoch=_epoch_in(members.get("epoch"), binary),
        started=values.integer(members.get("started"), "started", limits.INTEGER_MAX),
        seq=values.integer(members.get("seq"), "seq", limits.INTEGER_MAX),
        ts=values.integer(members.get("ts"), "ts", TS_MAX),
        snapshot=snapshot_from_object(snapshot),
        signature=_signature_in(members.get("sig"), binary),
    )


def answer_from_object(obj: object, *, binary: bool) -> StateAnswer:
    """Read any answer of `federation.get-state`; raises WireError."""
    members = values.mapping(obj, "result")
    kinds = members.keys() & {"unchanged", "delta", "state"}
    if len(kinds) != 1:
        raise WireError("a result is one of unchanged, delta and state")
    if "state" in kinds:
        return full_state_from_object(members, binary=binary)
    if "delta" in kinds:
        delta = _bytes_in(members["delta"], "delta", binary)
        return DeltaAnswer(statedelta.decode(delta), _signature_in(members.get("sig"), binary))
    if members["unchanged"] is not True:
        raise WireError("unchanged must be true")
    return Unchanged()


def _have_from_object(obj: object, binary: bool) -> Have:
    members = values.mapping(obj, "have")
    return Have(
        _epoch_in(members.get("epoch"), binary), values.integer(members.get("seq"), "seq", limits.INTEGER_MAX)
    )


def _epoch_out(epoch: bytes, binary: bool) -> bytes | str:
    return epoch if binary else epoch.hex()


def _epoch_in(value: object, binary: bool) -> bytes:
    if binary:
        return values.octets(value, "epoch", EPOCH_BYTES)
    if not isinstance(value, str):
        raise WireError("epoch must be text")
    return hexadecimal.decode(value, EPOCH_BYTES)


def _signature_in(value: object, binary: bool) -> bytes:
    if not binary:
        if not isinstance(value, str) or len(value) > 2 * _SIGNATURE_BYTES:
            raise WireError("sig must be 86 characters of base64url")
        value = base64url.decode(value)
    return values.octets(value, "sig", _SIGNATURE_BYTES)


def _bytes_in(value: object, field: str, binary: bool) -> bytes:
    if not binary and isinstance(value, str):
        return base64url.decode(value)
    if not binary or not isinstance(value, bytes):
        raise WireError(f"{field} must be {'bytes' if binary else 'base64url'}")
    return value
