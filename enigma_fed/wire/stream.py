"""What travels on a stream: where to go on from, states, and what acknowledges them (PROTOCOL section 3)."""

from __future__ import annotations

import enum
import re
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import cbor, itemcount
from enigma_fed.wire.state import Have, StateAnswer, Unchanged, answer_from_object

_HAVE: Final = re.compile(r"([0-9a-f]{16}):(0|[1-9][0-9]{0,15})")
_ACKNOWLEDGED: Final = 0


class CloseCode(enum.IntEnum):
    """Why a stream ended, in the close frame (RFC 6455 section 7.4)."""

    DONE = 1000
    """It stood for an hour, or the subscriber wants no more."""
    GOING_AWAY = 1001
    """The publisher stops."""
    POLICY = 1008
    """The subscriber sent what it may not send, or too much of it."""
    REPLACED = 4001
    """The same subscriber opened a newer one."""
    TRUST_CHANGED = 4002
    """What the subscriber may do here, or what it is told beside the state, has changed."""
    SLOW = 4003
    """A frame was not acknowledged in time."""
    SILENT = 4004
    """The subscriber sent nothing for too long."""


def write_have(have: Have) -> str:
    """The field `Federation-Have`: the epoch in hex and the seq."""
    return f"{have.epoch.hex()}:{have.seq}"


def read_have(text: str) -> Have:
    """Read the field `Federation-Have`; raises WireError. There is one text for each value."""
    match = _HAVE.fullmatch(text)
    if match is None or int(match[2]) > limits.INTEGER_MAX:
        raise WireError("the state to go on from is not EPOCH:SEQ")
    return Have(bytes.fromhex(match[1]), int(match[2]))


def encode_ack(seq: int) -> bytes:
    """The message that acknowledges every frame up to `seq`."""
    return cbor.encode({_ACKNOWLEDGED: seq})


def decode_ack(message: bytes) -> int:
    """The seq that a message of the subscriber acknowledges; raises WireError for any other message."""
    value = cbor.decode(message, limit=limits.STREAM_MESSAGE_BYTES)
    if not isinstance(value, dict) or value.keys() != {_ACKNOWLEDGED}:
        raise WireError("it is no acknowledgement")
    seq = value[_ACKNOWLEDGED]
    if type(seq) is not int or seq < 0:
        raise WireError("it acknowledges no number")
    return seq


def decode_frame(message: bytes) -> StateAnswer:
    """Read a frame of the publisher, its signature unchecked: a full state or a delta. Raises WireError."""
    itemcount.check(message, limits.BODY_ITEMS, binary=True)
    answer = answer_from_object(cbor.decode(message, limit=limits.REPLY_BYTES), binary=True)
    if isinstance(answer, Unchanged):
        raise WireError("a frame must hold a state")
    return answer
