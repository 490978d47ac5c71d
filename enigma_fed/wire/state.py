"""The state of a node on the wire: snapshot, canonical CBOR, what is signed (PROTOCOL section 2)."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, Self, TypeAlias

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, WireError
from enigma_fed.base.ids import parse_node_name
from enigma_fed.wire import base64url, cbor, hexadecimal

_LABEL: Final = b"enigma-fed/state/v1\n"
_KIB: Final = 1024
EPOCH_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 64
_TS_MAX: Final = 2**32 - 1
_CPU_TENTHS_MAX: Final = 1_000_000
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Co", "Cn", "Cs"})

# Field of Snapshot -> its name on the wire; sizes are bytes there and KiB here.
_SIZES: Final = {
    "mem_used_kib": "mem_used_bytes",
    "mem_total_kib": "mem_total_bytes",
    "disk_used_kib": "disk_used_bytes",
    "disk_total_kib": "disk_total_bytes",
}
_STATE_MEMBERS: Final = frozenset(
    {"timestamp", "node_name", "apps", "cpu_usage_percent", "uptime_secs", "tor_active", *_SIZES.values()}
)
_APP_MEMBERS: Final = frozenset({"id", "status", "version"})


class App(msgspec.Struct, frozen=True, kw_only=True):
    """An app of a node."""

    id: str
    status: str
    version: str | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a node publishes about itself, quantised: sizes in KiB, CPU in tenths of a percent."""

    node_name: str | None = None
    apps: tuple[App, ...] = ()
    cpu_tenths: int | None = None
    mem_used_kib: int | None = None
    mem_total_kib: int | None = None
    disk_used_kib: int | None = None
    disk_total_kib: int | None = None
    uptime_secs: int | None = None
    tor_active: bool | None = None


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
        members = _mapping({} if obj is None else obj, "params")
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


StateAnswer: TypeAlias = FullState | Unchanged


def canonical_cbor(snapshot: Snapshot) -> bytes:
    """The canonical state whose hash is signed (PROTOCOL section 2): a CBOR map with integer keys."""
    values = (
        snapshot.node_name,
        [[app.id, app.status, app.version] for app in _sorted_apps(snapshot.apps)],
        snapshot.cpu_tenths,
        snapshot.mem_used_kib,
        snapshot.mem_total_kib,
        snapshot.disk_used_kib,
        snapshot.disk_total_kib,
        snapshot.uptime_secs,
        snapshot.tor_active,
    )
    return cbor.encode({key: value for key, value in enumerate(values) if value is not None})


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


def snapshot_to_object(snapshot: Snapshot, timestamp: str | None = None) -> dict[str, object]:
    """The snapshot's object, `timestamp` (RFC 3339) only when given; absent values are left out."""
    sizes = {seed: _times_kib(getattr(snapshot, ours)) for ours, seed in _SIZES.items()}
    cpu = None if snapshot.cpu_tenths is None else snapshot.cpu_tenths / 10
    members: dict[str, object] = {
        "timestamp": timestamp,
        "node_name": snapshot.node_name,
        "apps": [_app_to_object(app) for app in _sorted_apps(snapshot.apps)],
        "cpu_usage_percent": cpu,
        **sizes,
        "uptime_secs": snapshot.uptime_secs,
        "tor_active": snapshot.tor_active,
    }
    return {name: value for name, value in members.items() if value is not None}


def snapshot_from_object(obj: object, *, lenient: bool = False) -> Snapshot:
    """Read a snapshot's object; `timestamp` is left to the caller. Raises WireError naming the field.

    Strict, as a peer must send it: known members only, sizes in whole KiB. `lenient`, for a
    file that the Rust agent wrote: sizes are rounded down and unknown members ignored.
    """
    members = _mapping(obj, "state")
    if not lenient:
        _only(members, _STATE_MEMBERS, "state")
    return Snapshot(
        node_name=_node_name(members.get("node_name"), lenient),
        apps=_apps(members.get("apps"), lenient),
        cpu_tenths=_cpu_tenths(members.get("cpu_usage_percent")),
        **{ours: _kib(members.get(seed), seed, lenient) for ours, seed in _SIZES.items()},
        uptime_secs=_optional_integer(members.get("uptime_secs"), "uptime_secs", limits.INTEGER_MAX),
        tor_active=_optional_boolean(members.get("tor_active"), "tor_active"),
    )


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
    members = _mapping(obj, "result")
    snapshot = members.get("state")
    if isinstance(snapshot, Mapping) and "timestamp" in snapshot:
        raise WireError("state must not have a timestamp")
    return FullState(
        epoch=_epoch_in(members.get("epoch"), binary),
        started=_integer(members.get("started"), "started", limits.INTEGER_MAX),
        seq=_integer(members.get("seq"), "seq", limits.INTEGER_MAX),
        ts=_integer(members.get("ts"), "ts", _TS_MAX),
        snapshot=snapshot_from_object(snapshot),
        signature=_signature_in(members.get("sig"), binary),
    )


def answer_from_object(obj: object, *, binary: bool) -> StateAnswer:
    """Read either answer of `federation.get-state`; raises WireError."""
    members = _mapping(obj, "result")
    if "unchanged" not in members:
        return full_state_from_object(members, binary=binary)
    if members["unchanged"] is not True or "state" in members:
        raise WireError("unchanged must be true and stand alone")
    return Unchanged()


def _have_from_object(obj: object, binary: bool) -> Have:
    members = _mapping(obj, "have")
    return Have(
        _epoch_in(members.get("epoch"), binary), _integer(members.get("seq"), "seq", limits.INTEGER_MAX)
    )


def _epoch_out(epoch: bytes, binary: bool) -> bytes | str:
    return epoch if binary else epoch.hex()


def _epoch_in(value: object, binary: bool) -> bytes:
    if binary:
        return _octets(value, "epoch", EPOCH_BYTES)
    if not isinstance(value, str):
        raise WireError("epoch must be text")
    return hexadecimal.decode(value, EPOCH_BYTES)


def _signature_in(value: object, binary: bool) -> bytes:
    if not binary:
        if not isinstance(value, str) or len(value) > 2 * _SIGNATURE_BYTES:
            raise WireError("sig must be 86 characters of base64url")
        value = base64url.decode(value)
    return _octets(value, "sig", _SIGNATURE_BYTES)


def _octets(value: object, field: str, size: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        raise WireError(f"{field} must be {size} bytes")
    return value


def _mapping(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise WireError(f"{field} must be an object")
    return value


def _only(members: Mapping[str, Any], known: frozenset[str], field: str) -> None:
    if not known.issuperset(members):
        raise WireError(f"{field} has a member that is not known here")


def _integer(value: object, field: str, largest: int) -> int:
    if type(value) is not int or not 0 <= value <= largest:
        raise WireError(f"{field} must be an integer from 0 to {largest}")
    return value


def _optional_integer(value: object, field: str, largest: int) -> int | None:
    return None if value is None else _integer(value, field, largest)


def _optional_boolean(value: object, field: str) -> bool | None:
    if value is not None and type(value) is not bool:
        raise WireError(f"{field} must be true or false")
    return value


def _kib(value: object, field: str, lenient: bool) -> int | None:
    size = _optional_integer(value, field, limits.INTEGER_MAX)
    if size is None:
        return None
    if size % _KIB and not lenient:
        raise WireError(f"{field} must be a multiple of {_KIB}")
    return size // _KIB


def _times_kib(value: int | None) -> int | None:
    return None if value is None else value * _KIB


def _cpu_tenths(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int and type(value) is not float:
        raise WireError("cpu_usage_percent must be a number")
    if not 0 <= value <= _CPU_TENTHS_MAX / 10:
        raise WireError("cpu_usage_percent is out of range")
    return math.floor(value * 10 + 0.5)


def _node_name(value: object, lenient: bool) -> str | None:
    if value is None or (lenient and value == ""):
        return None
    if not isinstance(value, str):
        raise WireError("node_name must be text")
    try:
        return parse_node_name(value)
    except EnigmaError as error:
        raise WireError(f"node_name: {error.detail}") from None


def _apps(value: object, lenient: bool) -> tuple[App, ...]:
    if value is None and lenient:
        return ()
    if not isinstance(value, list | tuple) or len(value) > limits.APPS_PER_STATE:
        raise WireError(f"apps must be a list of at most {limits.APPS_PER_STATE}")
    apps = _sorted_apps(_app(item, lenient) for item in value)
    if len({app.id for app in apps}) != len(apps):
        raise WireError("apps holds an id twice")
    return apps


def _sorted_apps(apps: Any) -> tuple[App, ...]:
    return tuple(sorted(apps, key=lambda app: app.id.encode("utf-8")))


def _app(obj: object, lenient: bool) -> App:
    members = _mapping(obj, "app")
    if not lenient:
        _only(members, _APP_MEMBERS, "app")
    version = members.get("version")
    return App(
        id=_app_text(members.get("id"), "id"),
        status=_app_text(members.get("status"), "status"),
        version=None if version is None else _app_text(version, "version"),
    )


def _app_to_object(app: App) -> dict[str, object]:
    return {"id": app.id, "status": app.status, "version": app.version}


def _app_text(value: object, field: str) -> str:
    if not isinstance(value, str) or not value:
        raise WireError(f"app {field} must be text and not empty")
    # What is printable holds none of these, and is told at once; a state has 200 000 characters.
    if not value.isprintable() and any(unicodedata.category(c) in _INVISIBLE for c in value):
        raise WireError(f"app {field} holds control or invisible characters")
    if len(value.encode("utf-8")) > limits.APP_FIELD_BYTES:
        raise WireError(f"app {field} is longer than {limits.APP_FIELD_BYTES} bytes")
    return value
