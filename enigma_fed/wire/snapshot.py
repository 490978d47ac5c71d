"""What a node publishes about itself: the snapshot, its canonical CBOR, its object (PROTOCOL section 2)."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, WireError
from enigma_fed.base.ids import parse_node_name
from enigma_fed.wire import cbor, values

KIB_MAX: Final = limits.INTEGER_MAX // 1024
CPU_TENTHS_MAX: Final = 1_000_000
_KIB: Final = 1024
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


def canonical_cbor(snapshot: Snapshot) -> bytes:
    """The canonical state whose hash is signed (PROTOCOL section 2): a CBOR map with integer keys."""
    fields = (
        snapshot.node_name,
        [[app.id, app.status, app.version] for app in sorted_apps(snapshot.apps)],
        snapshot.cpu_tenths,
        snapshot.mem_used_kib,
        snapshot.mem_total_kib,
        snapshot.disk_used_kib,
        snapshot.disk_total_kib,
        snapshot.uptime_secs,
        snapshot.tor_active,
    )
    return cbor.encode_checked({key: value for key, value in enumerate(fields) if value is not None})


def sorted_apps(apps: Iterable[App]) -> tuple[App, ...]:
    """The apps in the order of the canonical state: by the UTF-8 bytes of their ids."""
    return tuple(sorted(apps, key=lambda app: app.id.encode("utf-8")))


def snapshot_to_object(snapshot: Snapshot, timestamp: str | None = None) -> dict[str, object]:
    """The snapshot's object, `timestamp` (RFC 3339) only when given; absent values are left out."""
    sizes = {seed: _times_kib(getattr(snapshot, ours)) for ours, seed in _SIZES.items()}
    cpu = None if snapshot.cpu_tenths is None else snapshot.cpu_tenths / 10
    members: dict[str, object] = {
        "timestamp": timestamp,
        "node_name": snapshot.node_name,
        "apps": [_app_to_object(app) for app in sorted_apps(snapshot.apps)],
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
    members = values.mapping(obj, "state")
    if not lenient:
        values.only(members, _STATE_MEMBERS, "state")
    uptime, tor_active = members.get("uptime_secs"), members.get("tor_active")
    return Snapshot(
        node_name=_node_name(members.get("node_name"), lenient),
        apps=_apps(members.get("apps"), lenient),
        cpu_tenths=_cpu_tenths(members.get("cpu_usage_percent")),
        **{ours: _kib(members.get(seed), seed, lenient) for ours, seed in _SIZES.items()},
        uptime_secs=None if uptime is None else values.integer(uptime, "uptime_secs", limits.INTEGER_MAX),
        tor_active=None if tor_active is None else values.boolean(tor_active, "tor_active"),
    )


def read_app(app_id: object, status: object, version: object) -> App:
    """An app of these values; raises WireError."""
    return App(
        id=read_app_text(app_id, "id"),
        status=read_app_text(status, "status"),
        version=None if version is None else read_app_text(version, "version"),
    )


def read_app_text(value: object, field: str) -> str:
    """An app's id, status or version: visible text of 1 to limits.APP_FIELD_BYTES; raises WireError."""
    if not isinstance(value, str) or not value:
        raise WireError(f"app {field} must be text and not empty")
    # What is printable holds none of these, and is told at once; a state has 200 000 characters.
    if not value.isprintable() and any(unicodedata.category(c) in _INVISIBLE for c in value):
        raise WireError(f"app {field} holds control or invisible characters")
    if len(value.encode("utf-8")) > limits.APP_FIELD_BYTES:
        raise WireError(f"app {field} is longer than {limits.APP_FIELD_BYTES} bytes")
    return value


def read_node_name(value: object) -> str:
    """The name of a node; raises WireError."""
    if not isinstance(value, str):
        raise WireError("node_name must be text")
    try:
        return parse_node_name(value)
    except EnigmaError as error:
        raise WireError(f"node_name: {error.detail}") from None


def _node_name(value: object, lenient: bool) -> str | None:
    return None if value is None or (lenient and value == "") else read_node_name(value)


def _kib(value: object, field: str, lenient: bool) -> int | None:
    if value is None:
        return None
    size = values.integer(value, field, limits.INTEGER_MAX)
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
    if not 0 <= value <= CPU_TENTHS_MAX / 10:
        raise WireError("cpu_usage_percent is out of range")
    return math.floor(value * 10 + 0.5)


def _apps(value: object, lenient: bool) -> tuple[App, ...]:
    if value is None and lenient:
        return ()
    if not isinstance(value, list | tuple) or len(value) > limits.APPS_PER_STATE:
        raise WireError(f"apps must be a list of at most {limits.APPS_PER_STATE}")
    apps = sorted_apps(_app(item, lenient) for item in value)
    if len({app.id for app in apps}) != len(apps):
        raise WireError("apps holds an id twice")
    return apps


def _app(obj: object, lenient: bool) -> App:
    members: Any = values.mapping(obj, "app")
    if not lenient:
        values.only(members, _APP_MEMBERS, "app")
    return read_app(members.get("id"), members.get("status"), members.get("version"))


def _app_to_object(app: App) -> dict[str, object]:
    return {"id": app.id, "status": app.status, "version": app.version}
