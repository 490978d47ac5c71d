"""The receiver's side of PROTOCOL section 2 once more, from that page alone: CBOR, patch, hash, signature.

Nothing of the program is imported here. What is not said there is refused.
"""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Any

import nacl.exceptions
import nacl.signing

NAME, APPS, UPTIME, TOR, ADDED = 0, 1, 7, 8, 9
_FIELDS = ("node_name", "apps", "cpu_usage_percent", "mem_used_bytes", "mem_total_bytes", "disk_used_bytes")
FIELDS = (*_FIELDS, "disk_total_bytes", "uptime_secs", "tor_active")
"""The names of section 2's table, by key."""

State = dict[int, Any]
"""A canonical state: what the map of section 2 holds, before it is written down."""


class NotByTheRule(Exception):
    """These bytes are not what PROTOCOL section 2 describes."""


def head(major: int, number: int) -> bytes:
    """The shortest head of a CBOR item (RFC 8949 section 4.2.1)."""
    if number < 24:
        return bytes([major << 5 | number])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * size):
            return bytes([major << 5 | info]) + number.to_bytes(size, "big")
    raise NotByTheRule("a number of more than 64 bits")


def written(value: Any) -> bytes:
    """Deterministic CBOR of what a state or a delta holds."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return head(3, len(text)) + text
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(written(item) for item in value)
    if isinstance(value, dict):
        members = sorted((written(key), written(item)) for key, item in value.items())
        return head(5, len(members)) + b"".join(key + item for key, item in members)
    if isinstance(value, float):
        return _shortest(value)
    raise NotByTheRule(f"no {type(value).__name__} stands in a state")


def read(data: bytes) -> Any:
    """One value that is written in the one way there is."""
    try:
        value, end = _read(data, 0, 0)
    except (IndexError, UnicodeDecodeError, TypeError, struct.error) as error:
        raise NotByTheRule("the CBOR is broken") from error
    if end != len(data) or written(value) != data:
        raise NotByTheRule("the CBOR is not in its one form")
    return value


def _shortest(value: float) -> bytes:
    """No state has a float, but the object of a full answer may."""
    for first, form in ((0xF9, ">e"), (0xFA, ">f")):
        try:
            packed = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, packed)[0] == value:
            return bytes([first]) + packed
    return b"\xfb" + struct.pack(">d", value)


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    first = data[at]
    major, info = first >> 5, first & 31
    if major == 7:
        return _simple(data, at, info)
    number, at = _number(data, at, info)
    if major in (0, 1):
        return (number if major == 0 else -1 - number), at
    if major in (2, 3):
        if at + number > len(data):
            raise IndexError
        piece = data[at : at + number]
        return (piece if major == 2 else piece.decode()), at + number
    if depth >= 8 or major == 6:
        raise NotByTheRule("too deep, or a tag")
    items = []
    for _ in range(number * (major - 3)):
        item, at = _read(data, at, depth + 1)
        items.append(item)
    if major == 4:
        return items, at
    members = dict(zip(items[::2], items[1::2], strict=True))
    if len(members) * 2 != len(items):
        raise NotByTheRule("a key stands twice")
    return members, at


def _number(data: bytes, at: int, info: int) -> tuple[int, int]:
    if info < 24:
        return info, at + 1
    if info > 27:
        raise NotByTheRule("an indefinite length")
    size = 1 << (info - 24)
    if at + 1 + size > len(data):
        raise IndexError
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


def _simple(data: bytes, at: int, info: int) -> tuple[Any, int]:
    if info in (20, 21, 22):
        return (False, True, None)[info - 20], at + 1
    for code, size, form in ((25, 2, ">e"), (26, 4, ">f"), (27, 8, ">d")):
        if info == code:
            return struct.unpack(form, data[at + 1 : at + 1 + size])[0], at + 1 + size
    raise NotByTheRule("a simple value that is not allowed")


def from_object(members: dict[str, Any]) -> State:
    """The canonical state of the object `state` in a full answer."""
    if not set(members) <= set(FIELDS):
        raise NotByTheRule("a member that is not listed")
    state: State = {}
    for key, name in enumerate(FIELDS):
        value = members.get(name)
        if key == APPS:
            value = sorted_apps([[a["id"], a["status"], a.get("version")] for a in members["apps"]])
        elif value is not None and name == "cpu_usage_percent":
            value = math.floor(value * 10 + 0.5)
        elif value is not None and name.endswith("_bytes"):
            if value % 1024:
                raise NotByTheRule("a size that is no multiple of 1024")
            value //= 1024
        if value is not None:
            state[key] = value
    return state


def sorted_apps(apps: list[list[Any]]) -> list[list[Any]]:
    """By the UTF-8 bytes of the id, ids unique."""
    if len({app[0] for app in apps}) != len(apps):
        raise NotByTheRule("an id stands twice")
    return sorted(apps, key=lambda app: app[0].encode())


def patched(base: State, patch: dict[Any, Any]) -> State:
    """The state after a delta's patch: key to new value, null removes; key 1 by index, key 9 adds."""
    state = {key: value for key, value in base.items() if key != APPS}
    apps = [list(app) for app in base[APPS]]
    for key, value in patch.items():
        if key == APPS:
            for index, change in value.items():
                if not isinstance(index, int) or not 0 <= index < len(base[APPS]):
                    raise NotByTheRule("an app that there is not")
                apps[index] = None if change is None else [apps[index][0], *change]  # type: ignore[call-overload]
        elif key == ADDED:
            continue
        elif not isinstance(key, int) or not NAME <= key <= TOR:
            raise NotByTheRule("a patch of a field that there is not")
        elif value is None:
            del state[key]
        else:
            state[key] = value
    added = [list(app) for app in patch.get(ADDED, [])]
    state[APPS] = sorted_apps([app for app in apps if app is not None] + added)
    return state


def idle_keys(base: State, patch: dict[Any, Any]) -> list[Any]:
    """What a patch says though it changes nothing."""
    idle = [key for key, value in patch.items() if key not in (APPS, ADDED) and base.get(key) == value]
    idle += [key for key in (APPS, ADDED) if key in patch and not patch[key]]
    changes = patch.get(APPS, {})
    return idle + [
        (APPS, index) for index, app in changes.items() if app is not None and base[APPS][index][1:] == app
    ]


def message(public_key: bytes, epoch: bytes, started: int, seq: int, ts: int, state: State) -> bytes:
    """What is signed."""
    fixed = struct.pack(">QQI", started, seq, ts)
    digest = hashlib.blake2b(written(state), digest_size=32).digest()
    return b"enigma-fed/state/v1\n" + public_key + epoch + fixed + digest


def holds(public_key: bytes, signed: bytes, signature: bytes) -> bool:
    """Whether the signature does."""
    try:
        nacl.signing.VerifyKey(public_key).verify(signed, signature)
    except (nacl.exceptions.BadSignatureError, nacl.exceptions.ValueError):
        return False
    return True
