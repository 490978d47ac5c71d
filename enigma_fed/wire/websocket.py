"""The part of WebSocket (RFC 6455) that the publisher of a stream speaks (PROTOCOL section 3).

What it takes is narrower than the RFC: no extension, and every message of a subscriber in one masked frame of
a few bytes, so that one connection needs no more memory than that, whatever it sends.
"""

from __future__ import annotations

import base64
import enum
import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from enigma_fed.base.errors import WireError
from enigma_fed.wire.httpsig import Fields, single

KEY: Final = "Sec-WebSocket-Key"
ACCEPT: Final = "Sec-WebSocket-Accept"
VERSION: Final = "Sec-WebSocket-Version"
UPGRADE: Final = "Upgrade"
CONNECTION: Final = "Connection"

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_SPOKEN: Final = "13"
_WORD: Final = "websocket"
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_HEAD: Final = 2
_MASK: Final = 4
_SMALL: Final = 125
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127


class Opcode(enum.IntEnum):
    """The kinds of frames that occur on a stream."""

    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


_FROM_CLIENT: Final = {_FINAL | kind: kind for kind in (Opcode.BINARY, Opcode.CLOSE, Opcode.PING)}


class Frame(msgspec.Struct, frozen=True):
    """One frame."""

    opcode: Opcode
    payload: bytes


def check_upgrade(fields: Fields) -> None:
    """Raise WireError unless the fields ask for a WebSocket of version 13, each of them once."""
    connection = (single(fields, CONNECTION) or "").lower().split(",")
    if "upgrade" not in {word.strip() for word in connection}:
        raise WireError(f"the field {CONNECTION} does not say Upgrade")
    if (single(fields, UPGRADE) or "").lower() != _WORD:
        raise WireError(f"the field {UPGRADE} is not {_WORD}")
    if single(fields, VERSION) != _SPOKEN:
        raise WireError(f"the field {VERSION} is not {_SPOKEN}")


def check_key(key: str) -> None:
    """Raise WireError unless a field `Sec-WebSocket-Key` is 16 bytes in canonical base64."""
    try:
        raw = base64.b64decode(key, validate=True)
    except ValueError:
        raise WireError(f"the field {KEY} is not base64") from None
    if len(raw) != _KEY_BYTES or base64.b64encode(raw).decode("ascii") != key:
        raise WireError(f"the field {KEY} is not {_KEY_BYTES} bytes")


def accept_key(key: str) -> str:
    """The field `Sec-WebSocket-Accept` that answers a checked key."""
    digest = hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def upgrade_fields(key: str) -> dict[str, str]:
    """The fields of a `101` that make the connection a WebSocket."""
    return {UPGRADE: _WORD, CONNECTION: "Upgrade", ACCEPT: accept_key(key)}


def encode_frame(opcode: Opcode, payload: bytes) -> bytes:
    """A frame of a server, which masks nothing."""
    size = len(payload)
    if size <= _SMALL:
        head = bytes((_FINAL | opcode, size))
    elif size < 2**16:
        head = bytes((_FINAL | opcode, _TWO_BYTES)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FINAL | opcode, _EIGHT_BYTES)) + size.to_bytes(8, "big")
    return head + payload


def encode_close(code: int) -> bytes:
    """A server's close frame, without words."""
    return encode_frame(Opcode.CLOSE, code.to_bytes(2, "big"))


class FrameReader:
    """Reads the frames of one client; holds no more than one of them."""

    def __init__(self, limit: int) -> None:
        """`limit` is the most bytes of one payload, 125 at most."""
        self._limit = limit
        self._held = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete, one by one.

        Raises WireError at the first that is not masked, not whole, too long, text or of an unknown kind; a
        reader that raised is done.
        """
        data, at = self._held + data, 0
        self._held = b""
        while len(data) - at >= _HEAD:
            kind, size = _read_head(data[at], data[at + 1], self._limit)
            end = at + _HEAD + _MASK + size
            if end > len(data):
                break
            start = end - size
            yield Frame(kind, _unmask(data[start:end], data[start - _MASK : start]))
            at = end
        self._held = data[at:]


def _read_head(first: int, second: int, limit: int) -> tuple[Opcode, int]:
    kind = _FROM_CLIENT.get(first)
    if kind is None:
        raise WireError("a frame is in pieces, or of a kind that is not taken")
    size = second ^ _MASKED
    if size > limit:
        raise WireError(f"a frame is not masked, or has more than {limit} bytes")
    return kind, size


def _unmask(payload: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[index % _MASK] for index, byte in enumerate(payload))
