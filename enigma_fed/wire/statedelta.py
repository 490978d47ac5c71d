"""What changed between two states of one epoch: the patch and the delta around it (PROTOCOL section 2).

A delta is deterministic CBOR, `{0: base, 1: seq, 2: ts, 3: patch}`. A patch has the keys of the canonical
state: a new value, or null for what is gone; 1 holds the apps of the base that changed, by their index
there, as `[status, version]` or null; 9 holds the apps that the base does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import cbor, itemcount, values
from enigma_fed.wire.snapshot import (
    CPU_TENTHS_MAX,
    KIB_MAX,
    App,
    Snapshot,
    read_app,
    read_app_text,
    read_node_name,
    sorted_apps,
)

TS_MAX: Final = 2**32 - 1
_BASE, _SEQ, _TS, _PATCH = range(4)
_DELTA_KEYS: Final = frozenset({_BASE, _SEQ, _TS, _PATCH})
_APPS: Final = 1
_ADDED: Final = 9
_PATCH_KEYS: Final = frozenset(range(_ADDED + 1))
_FIELDS: Final = (
    (0, "node_name"),
    (2, "cpu_tenths"),
    (3, "mem_used_kib"),
    (4, "mem_total_kib"),
    (5, "disk_used_kib"),
    (6, "disk_total_kib"),
    (7, "uptime_secs"),
    (8, "tor_active"),
)
"""The keys of single values, and the fields of Snapshot that they stand for."""
_LARGEST: Final = {"cpu_tenths": CPU_TENTHS_MAX, "uptime_secs": limits.INTEGER_MAX}


class AppChange(msgspec.Struct, frozen=True):
    """A change of an app that the base has; without a `status` the app is gone."""

    index: int
    """The app's place in the base's apps, in the order of the canonical state."""
    status: str | None = None
    version: str | None = None


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """What makes one snapshot of another: UNSET is unchanged, None is gone."""

    node_name: str | UnsetType | None = UNSET
    cpu_tenths: int | UnsetType | None = UNSET
    mem_used_kib: int | UnsetType | None = UNSET
    mem_total_kib: int | UnsetType | None = UNSET
    disk_used_kib: int | UnsetType | None = UNSET
    disk_total_kib: int | UnsetType | None = UNSET
    uptime_secs: int | UnsetType | None = UNSET
    tor_active: bool | UnsetType | None = UNSET
    changed: tuple[AppChange, ...] = ()
    """By rising index."""
    added: tuple[App, ...] = ()
    """Sorted by the UTF-8 bytes of the id; none of them is in the base."""


class StateDelta(msgspec.Struct, frozen=True):
    """The way from state `base` to state `seq` of one epoch."""

    base: int
    seq: int
    ts: int
    """Seconds since the epoch's `started`, of the new state."""
    patch: Patch


def diff(before: Snapshot, after: Snapshot) -> Patch:
    """The patch with the fewest keys: `apply(before, diff(before, after))` is `after`, its apps sorted."""
    changes = {
        name: getattr(after, name) for _, name in _FIELDS if getattr(after, name) != getattr(before, name)
    }
    old, new = sorted_apps(before.apps), {app.id: app for app in after.apps}
    changed = [_app_change(index, new.get(app.id)) for index, app in enumerate(old) if new.get(app.id) != app]
    known = {app.id for app in old}
    added = sorted_apps(app for app in after.apps if app.id not in known)
    return Patch(**changes, changed=tuple(changed), added=added)


def apply(before: Snapshot, patch: Patch) -> Snapshot:
    """The snapshot after the patch; raises WireError when it does not fit `before`.

    It does not fit when it takes away what is not there, names an app that is not there, adds
    one that is, or leaves more than limits.APPS_PER_STATE.
    """
    changes: dict[str, Any] = {}
    for _, name in _FIELDS:
        value = getattr(patch, name)
        if value is None and getattr(before, name) is None:
            raise WireError(f"the patch takes {name} away, which the base has not")
        if value is not UNSET:
            changes[name] = value
    if patch.changed or patch.added:
        changes["apps"] = _apply_apps(sorted_apps(before.apps), patch)
    return msgspec.structs.replace(before, **changes)


def encode(delta: StateDelta) -> bytes:
    """The one deterministic CBOR of a delta."""
    return cbor.encode({_BASE: delta.base, _SEQ: delta.seq, _TS: delta.ts, _PATCH: to_map(delta.patch)})


def decode(data: bytes) -> StateDelta:
    """Read a delta of at most limits.REPLY_BYTES; raises WireError for anything but its one form."""
    itemcount.check(data, limits.BODY_ITEMS, binary=True)
    members = cbor.decode(data, limit=limits.REPLY_BYTES)
    if not isinstance(members, Mapping) or members.keys() != _DELTA_KEYS:
        raise WireError("a delta has base, seq, ts and patch")
    base = values.integer(members[_BASE], "base", limits.INTEGER_MAX)
    seq = values.integer(members[_SEQ], "seq", limits.INTEGER_MAX)
    if seq <= base:
        raise WireError("a delta leads to a higher seq than its base")
    return StateDelta(base, seq, values.integer(members[_TS], "ts", TS_MAX), _patch(members[_PATCH]))


def to_map(patch: Patch) -> dict[int, object]:
    """The patch as it stands in a delta."""
    found = ((key, getattr(patch, name)) for key, name in _FIELDS)
    members: dict[int, object] = {key: value for key, value in found if value is not UNSET}
    if patch.changed:
        members[_APPS] = {change.index: _change_out(change) for change in patch.changed}
    if patch.added:
        members[_ADDED] = [[app.id, app.status, app.version] for app in patch.added]
    return members


def _app_change(index: int, now: App | None) -> AppChange:
    return AppChange(index) if now is None else AppChange(index, now.status, now.version)


def _change_out(change: AppChange) -> list[str | None] | None:
    return None if change.status is None else [change.status, change.version]


def _apply_apps(before: tuple[App, ...], patch: Patch) -> tuple[App, ...]:
    apps: list[App | None] = list(before)
    for change in patch.changed:
        if change.index >= len(before):
            raise WireError("the patch changes an app that the base has not")
        apps[change.index] = _changed(before[change.index], change)
    known = {app.id for app in before}
    if any(app.id in known for app in patch.added):
        raise WireError("the patch adds an app that the base has")
    after = sorted_apps((*filter(None, apps), *patch.added))
    if len(after) > limits.APPS_PER_STATE:
        raise WireError(f"the patch leaves more than {limits.APPS_PER_STATE} apps")
    return after


def _changed(app: App, change: AppChange) -> App | None:
    if change.status is None:
        return None
    return App(id=app.id, status=change.status, version=change.version)


def _patch(obj: object) -> Patch:
    if not isinstance(obj, Mapping) or not _PATCH_KEYS.issuperset(obj):
        raise WireError("the patch has a key that is not known here")
    found = {name: _value(name, obj[key]) for key, name in _FIELDS if key in obj}
    changed = _changes(obj[_APPS]) if _APPS in obj else ()
    added = _added(obj[_ADDED]) if _ADDED in obj else ()
    return Patch(**found, changed=changed, added=added)


def _value(name: str, value: object) -> Any:
    if value is None:
        return None
    if name == "node_name":
        return read_node_name(value)
    if name == "tor_active":
        return values.boolean(value, name)
    return values.integer(value, name, _LARGEST.get(name, KIB_MAX))


def _changes(obj: object) -> tuple[AppChange, ...]:
    if not isinstance(obj, Mapping) or not 0 < len(obj) <= limits.APPS_PER_STATE:
        raise WireError(f"changed apps are a map of 1 to {limits.APPS_PER_STATE}")
    # Deterministic CBOR has its keys in rising order already.
    return tuple(_change(index, value) for index, value in obj.items())


def _change(index: object, value: object) -> AppChange:
    index = values.integer(index, "index", limits.APPS_PER_STATE - 1)
    if value is None:
        return AppChange(index)
    status, version = _row(value, 2)
    return AppChange(
        index,
        read_app_text(status, "status"),
        None if version is None else read_app_text(version, "version"),
    )


def _added(obj: object) -> tuple[App, ...]:
    if not isinstance(obj, list) or not 0 < len(obj) <= limits.APPS_PER_STATE:
        raise WireError(f"added apps are a list of 1 to {limits.APPS_PER_STATE}")
    apps = tuple(read_app(*_row(row, 3)) for row in obj)
    if sorted_apps(apps) != apps or len({app.id for app in apps}) != len(apps):
        raise WireError("added apps are sorted by id, and none comes twice")
    return apps


def _row(value: object, size: int) -> list[object]:
    if not isinstance(value, list) or len(value) != size:
        raise WireError(f"an app in a patch is a list of {size}")
    return value
