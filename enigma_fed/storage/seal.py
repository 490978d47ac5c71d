"""The bytes of a sealed JSON file: `{"version": 1, "rev": N, "sum": "…", …}`.

`sum` is the BLAKE2b-256 of the file's bytes with its own 64 digits as zeros.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import StoreNewer, WireError
from enigma_fed.wire import strictjson

VERSION: Final = 1
HEAD_BYTES: Final = 160
"""Bytes at the beginning of a file that hold its version, rev and sum."""
_NEWER: Final = (
    "Use the newer enigma-fed that wrote it. If none ever ran here, a disk damaged the file: "
    "move it away, and its copy (.bak) is used."
)
_ZEROS: Final = "0" * 64
_PART_BYTES: Final = 128 * 1024
"""About how large the parts of a long list are."""
_DIGITS: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_VERSION: Final = re.compile(rb'\s*\{\s*"version":\s*([1-9]\d{0,8})\s*[,}]', re.ASCII)
_HEAD: Final = re.compile(
    rb'\{\s*"version":\s*\d{1,9},\s*"rev":\s*(\d{1,17}),\s*"sum":\s*"([0-9a-f]{64})"', re.ASCII
)


class Head(msgspec.Struct, frozen=True):
    """What the first bytes of a file say of it, unchecked."""

    newer: bool
    """Whether a newer version of this program wrote it."""
    rev: int
    sum: str


def seal(body: Mapping[str, object], rev: int) -> bytes:
    """The file's bytes, their sum in them."""
    head = {"version": VERSION, "rev": rev, "sum": _ZEROS}
    data = msgspec.json.format(msgspec.json.encode({**head, **body}), indent=1) + b"\n"
    return data.replace(_ZEROS.encode(), digest(data).encode(), 1)


def seal_rows(member: str, rows: Iterable[bytes], rev: int) -> list[bytes]:
    """The parts of a file whose one member is a list, of the JSON of its items: for lists of many megabytes.

    No step takes long: other threads get their turns between the parts.
    """
    head = f'{{\n "version": {VERSION},\n "rev": {rev},\n "sum": "{_ZEROS}",\n "{member}": ['
    parts = [head.encode(), *_joined(rows), b"\n]\n}\n"]
    hasher = hashlib.blake2b(digest_size=32)
    for part in parts:
        hasher.update(part)
    parts[0] = parts[0].replace(_ZEROS.encode(), hasher.hexdigest().encode(), 1)
    return parts


def _joined(rows: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size, before = 0, b"\n"
    for row in rows:
        waiting += (before, row)
        size, before = size + len(row), b",\n"
        if size >= _PART_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def unseal(data: bytes) -> tuple[Mapping[str, object], int]:
    """Members and rev of a file's bytes; one without version has rev 0.

    Raises WireError for damage and StoreNewer for a version that is not ours: that one's content
    may follow other rules, so its version is read first. With our version in its place the sum holds
    only when the version alone was damaged.
    """
    newer = _newer(data[:HEAD_BYTES])
    if newer is not None:
        if _was_ours(data, newer.span(1)):
            raise WireError("its version does not match its sum")
        raise StoreNewer("it has a newer version", hint=_NEWER)
    # An integer of another agent beyond ours damages the entry that it stands in, not the file.
    body = strictjson.decode(data, limit=limits.STORE_FILE_BYTES, large_integers=True)
    if not isinstance(body, dict):
        raise WireError("it is not a JSON object")
    if not body.keys() & {"version", "rev", "sum"}:
        return body, 0
    version, rev, sum_ = (body.pop(name, None) for name in ("version", "rev", "sum"))
    if type(version) is not int or version != VERSION:
        raise WireError("its version is not a number from 1")
    if type(rev) is not int or rev < 1:
        raise WireError("its rev is not a number from 1")
    if not isinstance(sum_, str) or _DIGITS.fullmatch(sum_) is None:
        raise WireError("its sum is not 64 digits")
    if _sum_of(data, sum_.encode()) != sum_.encode():
        raise WireError("its content does not match its sum")
    return body, rev


def is_newer(head: bytes) -> bool:
    """Whether the file that begins like this says that a newer version wrote it."""
    return _newer(head) is not None


def read_head(head: bytes) -> Head | None:
    """Version, rev and sum of a file that begins like this; None when it is no file of ours."""
    if is_newer(head):
        return Head(True, 0, "")
    match = _HEAD.match(head)
    return Head(False, int(match.group(1)), match.group(2).decode()) if match else None


def _newer(head: bytes) -> re.Match[bytes] | None:
    match = _VERSION.match(head)
    return match if match is not None and int(match.group(1)) > VERSION else None


def _was_ours(data: bytes, version: tuple[int, int]) -> bool:
    """Whether a file whose version, which stands at these bytes, seems newer is sound with ours there."""
    start, end = version
    restored = b"%b%d%b" % (data[:start], VERSION, data[end:])
    head = _HEAD.match(restored)
    return head is not None and _sum_of(restored, head.group(2)) == head.group(2)


def _sum_of(data: bytes, sum_: bytes) -> bytes:
    """The sum that these bytes should bear, where `sum_` stands."""
    return digest(data.replace(sum_, _ZEROS.encode(), 1)).encode()


def digest(data: bytes) -> str:
    """BLAKE2b-256 as hex."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()
